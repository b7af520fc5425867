"""Small worlds and small policies, far from uniform."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from derivations.algorithms.gpt import GPT, GPTConfig
from toy_envs.token_mdp import Pair, TokenMDP, Tokens

ENDING = TokenMDP(
    name="ending",
    vocabulary=("a", "b", "."),
    horizon=3,
    reward=lambda prompt, response: _score(prompt, response),
    beta=0.3,
    prompts=((0, 1), (1, 1)),
    prompt_probabilities=(0.25, 0.75),
    end=2,
)
"""Two prompts with unequal chances, an end token, responses of one to three tokens."""


def _score(prompt: Tokens, response: Tokens) -> float:
    """No symmetry: every (prompt, response) of ENDING has a score of its own."""
    number = sum((token + 1) * 4**place for place, token in enumerate((*prompt, *response)))
    return (number * 37 % 101) / 101


def policy_for(mdp: TokenMDP, seed: int, dtype: torch.dtype = torch.float64) -> GPT:
    """A policy far from uniform, different for each prefix."""
    policy = GPT(GPTConfig(mdp.size, 1 + mdp.prompt_length + mdp.horizon, layers=2, width=8, heads=2), seed).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    for head in (policy.policy, policy.value):
        nn.init.normal_(head.weight, std=0.7, generator=generator)
    return policy


def _pairs(generator: np.random.Generator, count: int) -> list[Pair]:
    """Pairs of responses to one prompt, each drawn with equal chances and labelled by a coin."""
    drawn = generator.choice(3, size=(count, 2)).tolist()
    written: list[Tokens] = [(2,), (0, 2), (1, 0, 1)]
    return [(ENDING.prompts[i % 2], written[i % 3], written[(i + 1 + j % 2) % 3]) for i, j in drawn]


PAIRED = replace(
    ENDING,
    name="paired",
    demonstrations=lambda generator, count: [pair[:2] for pair in _pairs(generator, count)],
    pairs=_pairs,
)
"""ENDING with demonstrations and pairs."""
