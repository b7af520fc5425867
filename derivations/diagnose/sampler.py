"""Is a sampler right? Its tokens against the exact law, its log-probabilities against those of the scorer."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from derivations.algorithms.bugs.sampling import by_place
from derivations.algorithms.rollout import score
from toy_envs.token_mdp import TokenMDP

DRAWN = 4000
FAR = 6.0  # standard deviations
TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.5, 2.0)
WORLD = TokenMDP("two tokens", ("0", "1", "2"), 2, lambda prompt, response: 0.0, beta=1.0)
LOGITS = ([0.0, 1.0, 2.0], [1.5, 0.0, -0.5])


def diagnose_sampler(function: Callable[..., Any]) -> tuple[bool, str | None, str]:
    """Whether `function(policy, mdp, episodes, generator)` draws from the policy and says with what probability.

    Returns whether it is right, the bug that it behaves like, and a message.
    """
    name = getattr(function, "__name__", type(function).__name__)
    policy = by_place(*LOGITS)
    try:
        responses, logp = function(policy, WORLD, DRAWN, torch.Generator().manual_seed(0))
        with torch.no_grad():
            scored = score(policy, responses).logp
        tokens: Tensor = responses.tokens
    except Exception as error:  # a user's function may raise anything
        return False, None, f"{name} is not right: it raises {type(error).__name__}: {error}"
    said = (logp - scored).abs().max().item()
    if _deviation(tokens, 1.0) > FAR:
        near = [temperature for temperature in TEMPERATURES if _deviation(tokens, temperature) <= FAR]
        if near:
            best = min(near, key=lambda temperature: _deviation(tokens, temperature))
            message = f"it draws at a temperature of about {best:g}, and the policy is scored at 1"
            return False, "sample_at_a_temperature", f"{name} behaves like the bug sample_at_a_temperature: {message}."
        return False, None, f"{name} is not right: {DRAWN} responses do not fit the policy's probabilities."
    if not said < 1e-6:
        return False, None, f"{name} is not right: its log-probabilities differ from the policy's by up to {said:.3g}."
    return True, None, f"{name} is right: {DRAWN} responses fit the policy, and so do their log-probabilities."


def _deviation(tokens: Tensor, temperature: float) -> float:
    """The farthest of the nine responses from its expected number, in standard deviations."""
    law = (torch.tensor(LOGITS, dtype=torch.float64) / temperature).softmax(-1)
    chances = (law[0].unsqueeze(-1) * law[1]).flatten()
    counts = torch.bincount(tokens[:, 0] * 3 + tokens[:, 1], minlength=9).double()
    return max(
        abs(count - DRAWN * p) / sqrt(DRAWN * p * (1 - p))
        for count, p in zip(counts.tolist(), chances.tolist(), strict=True)
    )
