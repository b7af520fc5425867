"""Section III: trajectories and returns, as far as other sections rest on it.

A history of t steps is h = (s_0, a_0, …, s_{t−1}, a_{t−1}). The law of the next state given the history is P(s∣h): the
initial law ρ at the empty history, the dynamics after it. Source B's trajectory of last index T is one of T + 1 steps.
"""

from __future__ import annotations

from derivations.checker.proof import ByInduction
from derivations.checker.statement import statement
from derivations.checker.terms import Size, Sum, law, recursion, total
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import A, H, a, actor, dynamics, h, s

trajectory = law("p", H, depends=True)
trajectory_law = recursion(
    trajectory,
    start=lambda: 1,
    step=lambda h, s, a: trajectory(h) * dynamics(s, h) * actor(a, h, s),
)

CLAIMS = (
    Claim(
        section="III",
        tag="III.I",
        quote="P(τ∣π) = ρ(s_0) ∏_{t=0}^{T−1} π(a_t∣s_t) P(s_{t+1}∣s_t, a_t)",
        reading=(
            "The product over t < T, with τ ending in a_T, is the law of the trajectory: it sums to one over all τ. "
            "The history h holds the steps before T, s is s_T and a is a_T."
        ),
        main=Assertion(
            "TR.1",
            "the product without the last action's factor sums to one over all trajectories",
            "refuted",
            statement(total(h, s, a, of=trajectory(h) * dynamics(s, h)), "=", 1, recursions=[trajectory_law]),
        ),
        parts=(
            Assertion(
                "TR.1.count",
                "the sum of that product over all trajectories is the number of actions",
                "proved",
                statement(total(h, s, a, of=trajectory(h) * dynamics(s, h)), "=", Size(A), recursions=[trajectory_law]),
            ),
        ),
        correction=Assertion(
            "TR.1.corrected",
            "with every action's factor the law sums to one, for every horizon",
            "proved",
            statement(Sum(h, trajectory(h)), "=", 1, recursions=[trajectory_law]),
            ByInduction(),
        ),
        believe="The law of a trajectory has a factor π(a_t∣s_t) for each action in it, the last one included.",
    ),
)

__all__ = ["CLAIMS", "trajectory", "trajectory_law"]
