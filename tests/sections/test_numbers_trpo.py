"""Section VII is whole; its numbers, evaluated in the very statements that are judged; slips that are not proved."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from derivations.checker import reals
from derivations.checker.calculus import convex_in
from derivations.checker.proof import Unproved, prove
from derivations.checker.question import _assumption_holds
from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement
from derivations.checker.terms import Term, exp, log
from derivations.checker.worlds import World, world
from derivations.ledger import Ledger
from derivations.sections import trpo as vii
from derivations.sections.claim import Measured

HALF = Fraction(1, 2)


def formal(ledger: Ledger, identifier: str) -> Statement:
    return ledger.assertions[identifier].formal


def number(at: World, of: Term) -> float:
    return float(reals.ball(at.value(of)).mid())


def test_section_vii_is_whole(ledger: Ledger) -> None:
    assert [c.id for c in ledger.claims.values() if c.section == "VII"] == [f"TP.{n}" for n in range(1, 13)]
    measured = [part.id for c in vii.CLAIMS for part in c.parts if isinstance(part, Measured)]
    assert measured == ["TP.10.measured"]


# --- TP.4 -----------------------------------------------------------------------------------------------------------


def test_tp4_a_step_of_two_ten_thousandths_lowers_a_bandit(ledger: Ledger) -> None:
    bound = Fraction(1, 4_900)
    after = [Fraction(49, 100), Fraction(51, 100)]
    arms = world({vii.A: 2}, {vii.old_arm: [HALF, HALF], vii.new_arm: after, vii.pay: [1, 0], vii.delta: bound})
    found = fails_in(formal(ledger, "TP.4"), arms)
    assert found is not None and (found.left, found.right) == ("49/100", "1/2")
    assert round(number(arms, vii.arms_within.left), 4) == 0.0002


def test_tp4_the_maximiser_of_the_constrained_surrogate_loses(ledger: Ledger) -> None:
    before, after = Fraction(24, 100), Fraction(27, 100)
    at = world({}, {vii.shared: before, vii.moved_chance: after})
    assert at(vii.HALF - 2 * vii.shared) == Fraction(2, 100)
    assert 0.0023 < number(at, vii.binary_kl(vii.shared, vii.moved_chance)) < 0.00235
    found = fails_in(formal(ledger, "TP.4.maximiser"), at)
    assert found is not None
    assert at(vii.parabola(vii.moved_chance)) == Fraction(621, 10_000)
    assert at(vii.parabola(vii.shared)) == Fraction(624, 10_000)


# --- TP.5 -----------------------------------------------------------------------------------------------------------


def test_tp5_a_ratio_of_a_hundred_within_a_hundredth(ledger: Ledger) -> None:
    rare = vii._rare_arm()
    assert round(number(rare, vii.hundredth.left), 4) == 0.0095
    ratio = fails_in(formal(ledger, "TP.5"), rare)
    assert ratio is not None and ratio.left == "100"
    moment = fails_in(formal(ledger, "TP.5.moment"), rare)
    assert moment is not None and round(float(Fraction(moment.left)), 2) == 1.98


# --- TP.7, TP.11 ----------------------------------------------------------------------------------------------------


def test_tp7_two_fair_arms_have_a_singular_fisher_matrix(ledger: Ledger) -> None:
    fair = world({}, {vii.arm_chance: HALF})
    assert fair(vii.two_arm_determinant(vii.arm_chance)) == 0
    assert fails_in(formal(ledger, "TP.7.softmax"), fair) is not None


def test_tp11_the_step_from_a_tenth_overshoots_a_hundredth() -> None:
    # d = √(2δ/F) = √2/3 for δ = 1/100 and F = 9/100.
    step = exp(log(2) / 2) / 3
    at = world({}, {vii.arm_chance: Fraction(1, 10), vii.step_size: step})
    assert round(number(at, vii.STEP_KL), 5) == 0.01134
    assert round(number(at, vii.STEPPED_KL), 5) == 0.01134
    boundary = vii.arm_chance * (1 - vii.arm_chance) * vii.step_size**2 / 2
    assert abs(number(at, boundary) - 0.01) < 1e-12


# --- TP.12 ----------------------------------------------------------------------------------------------------------


def test_tp12_the_mean_divergence_allows_less_than_is_lost(ledger: Ledger) -> None:
    given = formal(ledger, "TP.12")
    rarely = vii._rarely_visited()
    found = fails_in(given, rarely)
    assert found is not None and found.left == "−13/6250"
    here = replace(rarely, definitions=given.definitions, recursions=given.recursions, _kept={})
    assert round(number(here, given.left), 5) == -0.00208
    assert round(number(here, given.right), 5) == -0.00204


# --- TP.1, TP.3: random MDPs, in exact arithmetic -------------------------------------------------------------------


def random_law(draw: random.Random, size: int) -> list[Fraction]:
    parts = [draw.randint(1, 9) for _ in range(size)]
    return [Fraction(part, sum(parts)) for part in parts]


def random_mdp(seed: int, steps: int = 2) -> World:
    """Two states, two actions, everything depending on state and time; nothing follows the last step."""
    draw = random.Random(seed)
    paths = vii.two_steps(states=2, actions=2)
    start = random_law(draw, 2)
    kernel = {(s, a): random_law(draw, 2) for s in (0, 1) for a in (0, 1)}
    rewards = {(s, a): Fraction(draw.randint(-5, 5), 5) for s in (0, 1) for a in (0, 1)}
    before = {s: random_law(draw, 2) for s in (0, 1)}
    mix = Fraction(draw.randint(1, 10), 10)
    after = {s: [(1 - mix) * p + mix * q for p, q in zip(before[s], random_law(draw, 2), strict=True)] for s in before}

    def table(rows: dict[int, list[Fraction]]) -> dict[tuple[object, ...], Fraction]:
        return {(a, h, s): rows[s][a] for h in paths for s in rows for a in (0, 1)}

    return world(
        {vii.S: 2, vii.A: 2},
        {
            vii.gamma: Fraction(draw.randint(0, 9), 10),
            vii.dynamics: {(s, h): (kernel[h[-2], h[-1]] if h else start)[s] for h in paths for s in (0, 1)},
            vii.old: table(before),
            vii.new: table(after),
            vii.reward: {(h, s, a): rewards[s, a] for h in paths for s in (0, 1) for a in (0, 1)},
            vii.value: {(h, s): 0 for h in paths for s in (0, 1)},
            vii.advantage: {(h, s, a): 0 for h in paths for s in (0, 1) for a in (0, 1)},
            vii.epsilon: 2,
            vii.alpha: 1,
        },
        lengths={vii.H: steps},
    )


def inside(given: Statement, at: World) -> World:
    return replace(at, definitions=given.definitions, recursions=given.recursions, _kept={})


@pytest.mark.parametrize("seed", range(6))
def test_tp1_and_tp3_hold_in_random_mdps(ledger: Ledger, seed: int) -> None:
    exact, bound = formal(ledger, "TP.1"), formal(ledger, "TP.3")
    mdp = random_mdp(seed)
    here = inside(exact, mdp)
    assert here(exact.left) == here(exact.right)
    # α² is any number above the largest divergence: one that is hardly above it is the severe test.
    histories = [(h, s) for h in vii.two_steps(states=2, actions=2) for s in (0, 1)]
    largest = max(divergence(mdp, h, s) for h, s in histories)
    here, A = inside(bound, mdp), vii.advantage(vii.h, vii.s, vii.a)
    gains = [
        abs(reals.fraction(here.value(A, {vii.h: h, vii.s: s, vii.a: a})) or 0) for h, s in histories for a in (0, 1)
    ]
    severe = {vii.alpha: Fraction(largest**0.5 + 1e-6).limit_denominator(10**7), vii.epsilon: max(gains)}
    tables = {key.function: {(): (reals.real(value), reals.ZERO, reals.ZERO)} for key, value in severe.items()}
    hardest = replace(mdp, tables={**mdp.tables, **tables})
    assert fails_in(bound, hardest) is None
    here = inside(bound, hardest)
    assert number(here, bound.left) >= number(here, bound.right)
    assert all(_assumption_holds(a, here) for a in bound.standing)


def divergence(mdp: World, history: tuple[int, ...], state: int) -> float:
    at = [(a, history, state) for a in (0, 1)]
    pairs = [(reals.fraction(mdp.tables[vii.old][k][0]), reals.fraction(mdp.tables[vii.new][k][0])) for k in at]
    return sum(float(p) * math.log(p / q) for p, q in pairs if p and q)


# --- slips ----------------------------------------------------------------------------------------------------------


def slipped(given: Statement, **sides: Term) -> Statement:
    return replace(given, **sides)  # type: ignore[arg-type]


SLIPS: dict[str, Callable[[Statement], Statement]] = {
    "TP.1": lambda s: slipped(s, right=-s.right),
    "TP.1.telescope": lambda s: slipped(s, right=s.right + 2 * vii.first_value(vii.value)),
    "TP.1.value": lambda s: slipped(s, right=vii.gamma * s.right),
    "TP.1.power": lambda s: slipped(s, right=vii.HALF),
    "TP.2": lambda s: slipped(s, right=2 * s.right),
    "TP.2.unrolled": lambda s: slipped(s, right=vii.D(vii.GAINED) - vii.REST),
    "TP.2.late": lambda s: slipped(s, left=2 * s.left),
    "TP.2.upper": lambda s: slipped(s, left=2 * s.left),
    "TP.2.infinite": lambda s: slipped(s, left=2 * s.left),
    "TP.2.values_most": lambda s: slipped(s, right=vii.largest_reward),
    "TP.2.slopes_most": lambda s: slipped(s, right=vii.LARGEST_SLOPE * (1 - vii.gamma)),
    "TP.3": lambda s: slipped(s, right=vii.SURROGATE - vii.PENALTY / 2),
    "TP.3.variation": lambda s: slipped(s, left=4 * s.left),
    "TP.3.distance": lambda s: slipped(s, right=s.right / 2),
    "TP.3.geometric": lambda s: slipped(s, right=s.right + vii.gamma),
    "TP.3.schwarz": lambda s: slipped(s, right=s.right / 2),
    "TP.5.pinsker": lambda s: slipped(s, left=2 * s.left),
    "TP.6": lambda s: slipped(s, right=-s.right),
    "TP.7.any": lambda s: slipped(s, right=s.right / 2),
    "TP.8": lambda s: slipped(s, right=s.right / 2),
    "TP.9": lambda s: slipped(s, right=vii.factor * s.right),
    "TP.10": lambda s: slipped(s, right=vii.NEW_SQUARE),
    "TP.10.count": lambda s: slipped(s, right=s.right - 1),
    "TP.11.divergence": lambda s: slipped(s, right=-s.right),
}


@pytest.mark.parametrize("identifier", SLIPS)
def test_a_slip_is_not_proved(ledger: Ledger, identifier: str) -> None:
    assertion = ledger.assertions[identifier]
    assert ledger.verdict(identifier).holds
    with pytest.raises(Unproved):
        prove(SLIPS[identifier](assertion.formal), assertion.argument, ledger.lemma)


def test_a_sharper_curve_than_pinskers_is_not_proved(ledger: Ledger) -> None:
    given = formal(ledger, "TP.5.curve")
    with pytest.raises(Unproved):
        convex_in(vii.t, at=1)(slipped(given, right=given.right * Fraction(11, 10)))
