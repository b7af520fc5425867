"""The numbers that section VI names, evaluated in the very statements that are judged."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement
from derivations.checker.terms import D, E
from derivations.checker.worlds import World, world
from derivations.ledger import Ledger
from derivations.sections import importance_sampling as vi

HALF = Fraction(1, 2)


def formal(ledger: Ledger, identifier: str) -> Statement:
    return ledger.assertions[identifier].formal


def test_is2_where_q_never_draws_the_mean_weight_is_a_half(ledger: Ledger) -> None:
    given = formal(ledger, "IS.2")
    halves = world({vi.Y: 2}, {vi.p: [HALF, HALF], vi.q: [1, 0]})
    assert fails_in(given, halves) is None
    found = fails_in(given.without(vi.covered), halves)
    assert found is not None and (found.left, found.right) == ("1/2", "1")


def test_is3_ten_steps_of_a_coin_that_is_always_right(ledger: Ledger) -> None:
    # p = (1, 0) against a fair coin: χ² = 1, so that the second moment doubles at each step.
    tables = {vi.p: [1, 0], vi.everywhere: [HALF, HALF]}
    at = world({vi.Y: 2}, tables, lengths={vi.K: 3}, indices={vi.k0: (0, 0, 0)}, recursions=vi.MOMENTS)
    given = formal(ledger, "IS.3")
    assert at(given.left) == at(given.right) == 8


def going_on(direction: str) -> World:
    """Go on with probability u = ½ (before: ⅓), succeed with v = ⅕ (before: ¼); the parameter that moves has slope 1."""
    u, v, u_old, v_old = HALF, Fraction(1, 5), Fraction(1, 3), Fraction(1, 4)
    slopes: dict[object, object] = {vi.first: [-1, 1]} if direction == "u" else {vi.second: {(0, 1): -1, (1, 1): 1}}
    tables: dict[object, object] = {
        vi.first: [1 - u, u],
        vi.first_old: [1 - u_old, u_old],
        vi.second: {(0, 0): HALF, (1, 0): HALF, (0, 1): 1 - v, (1, 1): v},
        vi.second_old: {(0, 0): HALF, (1, 0): HALF, (0, 1): 1 - v_old, (1, 1): v_old},
        vi.pay: [[0, 0], [0, 1]],
    }
    return world({vi.B: 2, vi.A: 2}, tables, slopes=slopes)


@pytest.mark.parametrize(
    ("direction", "truth", "surrogate", "own"),
    [("u", Fraction(1, 5), Fraction(1, 4), Fraction(1, 5)), ("v", HALF, Fraction(1, 3), Fraction(1, 3))],
)
def test_is7_two_steps(ledger: Ledger, direction: str, truth: Fraction, surrogate: Fraction, own: Fraction) -> None:
    at = going_on(direction)
    assert at(D(vi.TWO_STEP_RETURN)) == truth
    assert at(vi.two_step_gradient(vi.first_old, vi.second_old)) == surrogate
    assert at(vi.two_step_gradient(vi.first, vi.second)) == own


def test_is8_the_bound_is_reached_by_the_policy_that_always_takes_the_action(ledger: Ledger) -> None:
    tables = {vi.new: [1, 0], vi.fixed: [Fraction(1, 100), Fraction(99, 100)], vi.level: 99}
    at = world({vi.A: 2}, tables, indices={vi.a: 0})
    assert at(vi.new(vi.a) / vi.fixed(vi.a)) == 100
    assert fails_in(formal(ledger, "IS.8"), at) is None


def test_is9_stop_or_go_on_to_a_coin(ledger: Ledger) -> None:
    # Stop (one step, advantage −¼), or go on (¼) and fail or succeed (∓½); every score is ±½.
    quarter, eighth = Fraction(1, 4), Fraction(1, 8)
    tables = {
        vi.draw: [HALF, quarter, quarter],
        vi.steps: [1, 2, 2],
        vi.one_gradient: [eighth, eighth, eighth],
        vi.other_gradient: [0, quarter, quarter],
    }
    at = world({vi.R: 3}, tables)
    sums = [at(E(vi.draw(vi.t), g(vi.t))) for g in (vi.one_gradient, vi.other_gradient)]
    means = [at(E(vi.draw(vi.t), g(vi.t) / vi.steps(vi.t))) for g in (vi.one_gradient, vi.other_gradient)]
    assert sums == [eighth, eighth]
    assert means == [Fraction(3, 32), Fraction(1, 16)]
    assert fails_in(formal(ledger, "IS.9.parallel"), at) is not None


def test_is9_lengths_1_and_3_with_opposite_advantages(ledger: Ledger) -> None:
    tables = {vi.draw: [HALF, HALF], vi.steps: [1, 3], vi.one_gradient: [1, Fraction(-3, 2)]}
    at = world({vi.R: 2}, tables)
    given = formal(ledger, "IS.9.sequence")
    assert at(given.standing[0].terms[0]) == Fraction(-1, 4)
    found = fails_in(given, at)
    assert found is not None and found.left == "1/4"
    mean_over_steps = at(E(vi.draw(vi.t), vi.one_gradient(vi.t)) / E(vi.draw(vi.t), vi.steps(vi.t)))
    assert mean_over_steps == Fraction(-1, 8)


def test_is10_a_wrong_advantage_takes_the_return_from_a_half_to_0(ledger: Ledger) -> None:
    tables = {vi.new: [0, 1], vi.fixed: [HALF, HALF], vi.guess: [-1, 1], vi.gain: [1, 0]}
    found = fails_in(formal(ledger, "IS.10.wrong"), world({vi.A: 2}, tables))
    assert found is not None and (found.left, found.right) == ("0", "1/2")
