"""Pretraining: the reference policy is fitted to demonstrations by maximum likelihood.

`python -m derivations.algorithms.pretraining NAME FILE` makes a world's reference policy again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from derivations.algorithms.checkpoints import save_policy
from derivations.algorithms.devices import one_thread
from derivations.algorithms.gpt import GPT, GPTConfig
from derivations.algorithms.rollout import Responses, as_responses, score
from toy_envs import make_mdp
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP

LAYERS, WIDTH, HEADS = 2, 32, 2


def pretrain(mdp: TokenMDP, seed: int = 0, updates: int = 400, episodes: int = 256, learning_rate: float = 3e-3) -> GPT:
    """A tiny GPT fitted to fresh demonstrations of a world.

    minimises −(1/N) Σ_i Σ_t log π(y_{i,t}∣x_i, y_{i,<t}), N = `episodes` fresh ones at each of the `updates`, by Adam
    with a step size that falls linearly from `learning_rate` to zero. Takes seconds. Raises BadInput where the world
    has no demonstrations.
    """
    if mdp.demonstrations is None:
        raise BadInput(f"mdp: {mdp.name} has no demonstrations; expected a world with some to pretrain on")
    generator = np.random.default_rng(seed)
    policy = GPT(GPTConfig(mdp.size, mdp.prompt_length + mdp.horizon, LAYERS, WIDTH, HEADS), seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, updates)
    with one_thread():
        for _ in range(updates):
            loss = negative_log_likelihood(policy, as_responses(mdp.demonstrations(generator, episodes)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return policy


def negative_log_likelihood(policy: GPT, responses: Responses) -> Tensor:
    """−(1/N) Σ_i log π(y_i∣x_i), in nats a response."""
    return -score(policy, responses).logp.sum(-1).mean()


if __name__ == "__main__":
    name, file = sys.argv[1:]
    save_policy(Path(file), pretrain(make_mdp(name)))
