"""What is the best score that a policy can have at a given distance from π_ref? Answered exactly, by the prefix tree.

π*_β maximises E_π[r] − β D(π‖π_ref), so that for every policy π and every β > 0
    E_π[r] ≤ J(π*_β) + β D(π‖π_ref):
each β is a line that no policy is above, and touches the frontier in the KL and the score of π*_β. Claims OP.1, OP.8.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from derivations.algorithms import exact
from derivations.algorithms.gpt import GPT
from toy_envs.errors import BadInput


@dataclass(frozen=True)
class Point:
    """Where a policy stands: D(π‖π_ref) in nats, and E_π[r] in units of reward."""

    kl: float
    score: float


@dataclass(frozen=True)
class Frontier:
    """The frontier of one world and π_ref: π*_β for some β, the greatest first, so that the KL rises."""

    betas: tuple[float, ...]
    points: tuple[Point, ...]

    def most(self, kl: float) -> float:
        """What no policy of that KL has more of: the least of the lines of all β, min_β J(π*_β) + β D."""
        return min(p.score + beta * (kl - p.kl) for beta, p in zip(self.betas, self.points, strict=True))


def frontier(tree: exact.Tree, logp_ref: exact.Levels, betas: Iterable[float]) -> Frontier:
    """The KL and the score of π*_β for each β, exact by enumeration.

    Parameters: `tree` of the world; `logp_ref` log π_ref on it, as `exact_logp` gives it; `betas` positive, in units of
    reward per nat. Raises BadInput where there is none, or one is not positive.
    """
    falling = sorted(betas, reverse=True)
    if not falling:
        raise BadInput("betas is empty; expected at least one")
    points = []
    for beta in falling:
        best = exact.optimum(tree, logp_ref, beta)
        divergence = exact.kl(tree, best.logp, logp_ref).item()
        points.append(Point(divergence, best.objective.item() + beta * divergence))
    return Frontier(tuple(falling), tuple(points))


def place(tree: exact.Tree, logp: exact.Levels, logp_ref: exact.Levels) -> Point:
    """The KL and the score of any policy, exact by enumeration."""
    score = exact.expected_score(tree, logp, tree.mdp.reward).item()
    return Point(exact.kl(tree, logp, logp_ref).item(), score)


@torch.no_grad()
def exact_logp(policy: GPT, tree: exact.Tree) -> exact.Levels:
    """log π(a∣h) in float64, of sum 1 to its last digits: a policy in float32 misses that by 10⁻⁷, and may seem too good."""
    return tuple(level.double().log_softmax(-1) for level in exact.tree_logp(policy, tree))
