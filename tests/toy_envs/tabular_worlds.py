"""Small tabular worlds and policies, far from uniform, all in exact numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

from toy_envs import TabularMDP
from toy_envs.bandit import contextual_bandit
from toy_envs.tabular_mdp import Policy, Transition, ended

HALF = Fraction(1, 2)


def for_ever(discount: Fraction) -> TabularMDP:
    """One state, one action, reward 1, no end: V = 1/(1 − γ)."""
    return TabularMDP(
        "for ever", ("s",), ("a",), (Fraction(1),), ((((Fraction(1), 0, Fraction(1), False),),),), discount
    )


def arms(*rewards: Fraction | int) -> TabularMDP:
    """A bandit without prompts, one reward for each arm."""
    names = [str(arm) for arm in range(len(rewards))]
    return contextual_bandit("arms", [""], names, (Fraction(1),), (tuple(map(Fraction, rewards)),))


def coins(*worth: Fraction | int) -> TabularMDP:
    """One coin after the other; the action is the side, and 1 at the time t earns worth[t]."""
    last = len(worth) - 1

    def row(time: int, action: int) -> tuple[Transition, ...]:
        return ((Fraction(1), min(time + 1, last), Fraction(worth[time]) * action, time == last),)

    rows = tuple(tuple(row(time, action) for action in (0, 1)) for time in range(last + 1))
    names = tuple(f"coin {time}" for time in range(last + 1))
    return TabularMDP("coins", names, ("0", "1"), law_at(0, last + 1), rows)


def law_at(place: int, count: int) -> tuple[Fraction, ...]:
    return tuple(Fraction(place == other) for other in range(count))


def random_law(generator: random.Random, count: int) -> tuple[Fraction, ...]:
    weights = [generator.randint(1, 9) for _ in range(count)]
    return tuple(Fraction(weight, sum(weights)) for weight in weights)


def random_mdp(seed: int, discount: Fraction, states: int = 3, actions: int = 2, ends: bool = True) -> TabularMDP:
    """Every state leads to every state, with a reward of its own; where it `ends`, also to the end, from everywhere."""
    generator = random.Random(seed)
    size = states + ends

    def row() -> tuple[Transition, ...]:
        law = random_law(generator, size)
        return tuple(
            (p, following, Fraction(generator.randint(-6, 6), 4), following == states)
            for following, p in enumerate(law)
        )

    rows = [tuple(row() for _ in range(actions)) for _ in range(states)] + [(ended(states),) * actions] * ends
    initial = (*random_law(generator, states), *(Fraction(0),) * ends)
    names = tuple(str(state) for state in range(size))
    return TabularMDP(f"random {seed}", names, names[:actions], initial, tuple(rows), discount)


def random_policy(seed: int, mdp: TabularMDP) -> Policy:
    generator = random.Random(seed + 100)
    return tuple(random_law(generator, len(mdp.actions)) for _ in mdp.states)


def random_policies(seed: int, mdp: TabularMDP, horizon: int) -> tuple[Policy, ...]:
    """One for each time."""
    return tuple(random_policy(seed * 1000 + time, mdp) for time in range(horizon))


def tangent(seed: int, mdp: TabularMDP) -> tuple[tuple[Fraction, ...], ...]:
    """The difference of two policies: a direction in which a policy can move."""
    one, other = random_policy(seed + 7, mdp), random_policy(seed + 8, mdp)
    return tuple(tuple(a - b for a, b in zip(*pair, strict=True)) for pair in zip(one, other, strict=True))


def moved(policy: Policy, direction: Sequence[Sequence[Fraction]], step: Fraction) -> Policy:
    """π + step · direction."""
    return tuple(
        tuple(p + step * d for p, d in zip(*pair, strict=True)) for pair in zip(policy, direction, strict=True)
    )
