"""The numbers that sections I and III name, evaluated in the very statements that are judged."""

from __future__ import annotations

from fractions import Fraction

from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement
from derivations.checker.worlds import world
from derivations.ledger import Ledger
from derivations.sections import trajectories as iii

HALF = Fraction(1, 2)


def formal(ledger: Ledger, identifier: str) -> Statement:
    return ledger.assertions[identifier].formal


def test_tr4_at_gamma_1_three_rewards_of_1_pass_a_bound_of_2(ledger: Ledger) -> None:
    tables = {iii.gamma: 1, iii.bound: 1, iii.anything: 2, iii.gain: [1]}
    at = world({iii.U: 1}, tables, lengths={iii.L: 3}, indices={iii.n: (0, 0, 0)})
    given = formal(ledger, "TR.4")
    assert fails_in(given, at) is None
    (below_one, _) = given.assuming
    found = fails_in(given.without(below_one), at)
    assert found is not None and (found.left, found.right) == ("3", "2")


def test_tr5_one_more_a_step_turns_2_against_three_halves(ledger: Ledger) -> None:
    episodes = {iii.First: 1, iii.Second: 3}
    at = world(episodes, {iii.short: [2], iii.long: [HALF] * 3, iii.constant: 1})
    found = fails_in(formal(ledger, "TR.5"), at)
    assert found is not None and (found.left, found.right) == ("3", "9/2")


def test_tr5_ten_more_on_the_last_reward_turns_1_against_three_halves(ledger: Ledger) -> None:
    at = world({}, {iii.gamma: HALF, iii.now: 1, iii.later: 3, iii.constant: 10})
    found = fails_in(formal(ledger, "TR.5.last"), at)
    assert found is not None and (found.left, found.right) == ("11", "13/2")


def test_tr6_a_half_prefers_1_now_to_three_halves_later(ledger: Ledger) -> None:
    at = world({}, {iii.gamma: HALF, iii.now: 1, iii.later: Fraction(3, 2)})
    found = fails_in(formal(ledger, "TR.6.order"), at)
    assert found is not None and (found.left, found.right) == ("1", "3/4")
