"""The short corridor: three states that look alike, in the middle one of which the actions are swapped."""

from __future__ import annotations

from fractions import Fraction

from toy_envs.tabular_mdp import TabularMDP, Transition, ended


def _row(state: int, step: int) -> tuple[Transition, ...]:
    following = max(state - step if state == 1 else state + step, 0)
    return ((Fraction(1), following, Fraction(-1), following == 3),)


CORRIDOR = TabularMDP(
    name="Corridor",
    states=("0", "1", "2", "goal"),
    actions=("left", "right"),
    initial=(Fraction(1), Fraction(0), Fraction(0), Fraction(0)),
    transitions=(*((_row(state, -1), _row(state, 1)) for state in range(3)), (ended(3), ended(3))),
)
"""A policy that cannot tell the states apart goes right with one probability p in all of them.

J(p) = −2(2 − p)/(p(1 − p)), largest at p = 2 − √2, where it is −(6 + 4√2) ≈ −11.66. Each step earns −1 until the goal,
γ = 1. With p = 0 or p = 1 the goal is never reached.

Source: Sutton and Barto (2018), example 13.1.
"""
