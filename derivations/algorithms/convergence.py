"""With which settings each algorithm comes to the optimum of Sorting-v0, and how near.

`within` is the share of J(π*) − J(π_ref) that is missing at the end. What was seen on the way: REINFORCE with no baseline
and the general step size stops at about 3 %; the mean of the other returns and a larger step bring it below 1 %. TRPO
needs a critic that fits: at λ = 0.95 a poor one keeps it at 2 %, λ = 1 does not lean on it. DPO learns from labels
that are near coin flips, with rewards from 0 to 1: 256 comparisons of each response make them one number. CPI takes
the steps and the epochs of PPO, and its ratios are not held: it collapses, and recovers only as the step size falls.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Convergence:
    """The settings of an algorithm, and whether it ends `within` that share of the gap."""

    settings: dict[str, float | str]
    within: float = 0.01
    converges: bool = True


CONVERGENCE = {
    "reinforce": Convergence({"updates": 80, "baseline": "leave_one_out", "learning_rate": 0.01}),
    "cpi": Convergence({"updates": 60}, converges=False),
    "trpo_penalty": Convergence({"updates": 60, "trust_coefficient": 0.3}),
    "trpo": Convergence({"updates": 40, "delta": 0.03, "minibatches": 4, "lam": 1.0}),
    "ppo": Convergence({"updates": 60}),
    "dpo": Convergence({"updates": 150}, within=0.02),
}
