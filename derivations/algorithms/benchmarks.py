"""Speeds, each as a ratio of two ways to the same result, timed in turn in one process.

A ratio is the median over pairs of (slow way, fast way): what else the machine does in the meantime hits both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.gpt import GPT, GPTConfig
from derivations.algorithms.rollout import Responses, score
from toy_envs.token_mdp import TokenMDP, Tokens

ROWS = 4096  # responses in one pass of the row-by-row way: larger parts were not faster


@dataclass(frozen=True)
class Benchmark:
    """Two ways to one result: `fast` is to be at least `at_least` times faster than `slow`."""

    words: str
    slow: Callable[[], Tensor]
    fast: Callable[[], Tensor]
    at_least: float

    def ratios(self, pairs: int) -> list[float]:
        """The times of `slow` over those of `fast`, pair by pair, after a first pair that is not counted.

        Raises ArithmeticError where the two results differ: a wrong result is no fast one.
        """
        if not torch.allclose(self.slow(), self.fast(), rtol=1e-3, atol=1e-6):
            raise ArithmeticError(f"{self.words}: the two ways differ")
        return [_seconds(self.slow) / _seconds(self.fast) for _ in range(pairs)]


def typical(ratios: list[float]) -> float:
    """The median."""
    return median(ratios)


def _seconds(work: Callable[[], Tensor]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


# --- J and ∇J over 8⁵ responses -------------------------------------------------------------------------------------


def _ascending_ends(prompt: Tokens, response: Tokens) -> float:
    return float(response[0] < response[-1])


EIGHT = TokenMDP("eight", tuple("01234567"), 5, _ascending_ends, beta=0.1)


@cache
def _setting() -> tuple[GPT, exact.Tree, exact.Levels]:
    config = GPTConfig(EIGHT.size, EIGHT.horizon, layers=2, width=64, heads=2)
    tree = exact.prefix_tree(EIGHT)
    with torch.no_grad():
        logp_ref = exact.tree_logp(GPT(config, seed=1), tree)
    return GPT(config, seed=0), tree, logp_ref


@cache
def _rows() -> tuple[Responses, Tensor, Tensor]:
    """Every response, its score, and log π_ref of it."""
    _, tree, logp_ref = _setting()
    tokens = torch.tensor([response for _, response in tree.responses])
    scores = torch.tensor([EIGHT.reward(*pair) for pair in tree.responses])
    everything = Responses(tokens[:, :0], tokens, torch.ones_like(tokens, dtype=torch.bool))
    return everything, scores, exact.response_logp(tree, logp_ref)


def objective_by_rows() -> Tensor:
    """J and ∇J = ∇ Σ_y π(y)(r(y) − β log π(y)/π_ref(y)), each response read on a row of its own."""
    policy = _setting()[0]
    responses, scores, reference = _rows()
    policy.zero_grad()
    total = torch.zeros(())
    for index in torch.arange(len(responses)).split(ROWS):
        logp = score(policy, responses.rows(index)).logp.sum(-1)
        part = (logp.exp() * (scores[index] - EIGHT.beta * (logp - reference[index]))).sum()
        part.backward()
        total += part.detach()
    gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in policy.parameters()]
    return torch.cat([total.view(1), *(g.flatten() for g in gradients)])


def objective_by_tree() -> Tensor:
    """J and ∇J by the tree of prefixes."""
    policy, tree, logp_ref = _setting()
    objective = exact.evaluate(tree, exact.tree_logp(policy, tree), logp_ref, EIGHT.beta).objective
    gradients = torch.autograd.grad(objective, list(policy.parameters()), materialize_grads=True)
    return torch.cat([objective.detach().view(1), *(g.flatten() for g in gradients)])


BENCHMARKS = {
    "exact": Benchmark(
        "J and ∇J over 8⁵ responses: each prefix once, against a row for each response",
        objective_by_rows,
        objective_by_tree,
        at_least=20,
    ),
}
