"""A library that knows nothing of this package learns two of its worlds through the Gymnasium interface.

Needs the extra `baselines`; what is learned is judged by the oracles, not by returns that were seen.
"""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch

import toy_envs
from derivations.algorithms import exact
from toy_envs.tabular_oracle import evaluate, optimal_policy

baselines = pytest.importorskip("stable_baselines3", reason="the extra `baselines` is not installed")

WITHIN = 0.05  # of what the best policy has over the uniform one


def learned(env: str, steps: int, gamma: float):
    """PPO as the library has it; only the discount is that of the world."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        model = baselines.PPO("MlpPolicy", gymnasium.make(env), gamma=gamma, seed=0, device="cpu")
        return model.learn(steps).policy


def probabilities(policy, observations: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return policy.get_distribution(torch.as_tensor(observations)).distribution.probs.double()


def test_the_grid() -> None:
    grid = toy_envs.GRID
    states, actions = len(grid.states), len(grid.actions)
    policy = probabilities(learned(grid.name, 40_000, float(grid.discount)), np.arange(states))

    def objective(laws) -> float:
        return float(evaluate(grid, laws, exact=False).objective)

    best, uniform = objective(optimal_policy(grid, exact=False)), objective(np.full((states, actions), 1 / actions))
    found = objective((policy / policy.sum(-1, keepdim=True)).numpy())
    assert best - found <= WITHIN * (best - uniform), (found, best, uniform)


def test_sorting_by_its_reward_alone() -> None:
    sorting = toy_envs.SORTING
    tree = exact.prefix_tree(sorting)
    policy = learned(sorting.name, 200_000, 1.0)

    def observed(prefixes) -> np.ndarray:
        rows = [[*tokens, *[sorting.size] * (sorting.horizon - len(tokens))] for _, tokens in prefixes]
        return np.array(rows)

    logp = tuple(probabilities(policy, observed(level.prefixes)).log() for level in tree.levels)
    uniform = tuple(torch.full_like(level, 1 / sorting.size).log() for level in logp)
    found, low = (float(exact.evaluate(tree, levels, uniform, beta=0.0).objective) for levels in (logp, uniform))
    best = max(sorting.reward(*response) for response in tree.responses)
    assert best - found <= WITHIN * (best - low), (found, best, low)
