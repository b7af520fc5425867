"""The numbers that section II names, evaluated in the very statements that are judged."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement
from derivations.checker.terms import log, term
from derivations.checker.worlds import World, world
from derivations.ledger import Ledger
from derivations.sections import reward_model as ii

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


def formal(ledger: Ledger, identifier: str) -> Statement:
    return ledger.assertions[identifier].formal


def test_rm4_a_step_of_four_turns_the_margin_from_0_to_minus_2(ledger: Ledger) -> None:
    at = world({}, {ii.phi: 0, ii.alpha: 4})
    assert at(ii.BENT_STEP) == 2
    found = fails_in(formal(ledger, "RM.4.large"), at)
    assert found is not None and (found.left, found.right) == ("−2", "0")


def test_rm4_a_small_step_widens_that_margin(ledger: Ledger) -> None:
    assert fails_in(formal(ledger, "RM.4.large"), world({}, {ii.phi: 0, ii.alpha: 1})) is None


def test_rm5_two_labels_against_one_give_a_margin_of_log_2(ledger: Ledger) -> None:
    tables: dict[object, object] = {ii.labels: [[0, 2 * THIRD], [THIRD, 0]], ii.table: [log(2), 0]}
    at = world({ii.Y: 2}, tables, indices={ii.better: 1, ii.worse: 0})
    found = fails_in(formal(ledger, "RM.5"), at)
    assert found is not None and (found.left, found.right) == ("0", "log 2")


def test_rm5_a_cycle_of_three_gives_ties(ledger: Ledger) -> None:
    cycle = {(k, m): THIRD if m == (k + 1) % 3 else 0 for k in range(3) for m in range(3)}
    for k in range(3):
        at = world({ii.Y: 3}, {ii.labels: cycle, ii.table: [1, 1, 1]}, indices={ii.better: k, ii.worse: (k + 1) % 3})
        found = fails_in(formal(ledger, "RM.5"), at)
        assert found is not None and found.left == found.right


def test_rm5_at_a_tie_the_loss_of_the_acyclic_majorities_falls_with_the_reward_of_1() -> None:
    at = world({}, {ii.first: 0, ii.second: 0, ii.third: -2 * log(2)})
    assert [at(slope) for slope in ii.MAJORITIES] == [HALF, -HALF, 0]


Weights = dict[tuple[int, int], Fraction | int]


def comparisons(pairs: Weights, flow: Weights, preferred: object, learned: list[list[object]]) -> World:
    """A class of two models, the second of them r*, and labels that are preferred with the given probabilities."""
    size = len(learned)

    def filled(weights: Weights) -> Weights:
        return {(k, m): weights.get((k, m), 0) for k in range(size) for m in range(size)}

    tables: dict[object, object] = {
        ii.pairs: filled(pairs),
        ii.flow: filled(flow),
        ii.truth: [rewards[1] for rewards in learned],
        ii.models: learned,
        ii.frequency: preferred,
        ii.chance: preferred,
    }
    return world({ii.Y: size, ii.F: 2}, tables, indices={ii.y1: 0, ii.y2: size - 1, ii.i: 0, ii.i0: 1})


def test_rm6_comparisons_1_2_and_3_4_leave_a_free_offset(ledger: Ledger) -> None:
    at = comparisons({(0, 1): HALF, (2, 3): HALF}, {}, [[HALF] * 4] * 4, [[0, 0], [0, 0], [5, 0], [5, 0]])
    given = formal(ledger, "RM.6")
    assert fails_in(given, at) is None
    found = fails_in(given.without(ii.joined), at)
    assert found is not None and (found.left, found.right) == ("−5", "0")


def test_rm6_a_cycle_of_labels_gives_ties_whatever_the_truth(ledger: Ledger) -> None:
    cycle: Weights = {(0, 1): THIRD, (1, 2): THIRD, (2, 0): THIRD}
    always = [[HALF if k == m else int(m == (k + 1) % 3) for m in range(3)] for k in range(3)]
    at = comparisons(cycle, {(0, 1): 3, (1, 2): 3}, always, [[0, 2 * log(2)], [0, log(2)], [0, 0]])
    given = formal(ledger, "RM.6")
    assert fails_in(given, at) is None
    found = fails_in(given.without(ii.follows), at)
    assert found is not None and (found.left, found.right) == ("0", "2·log 2")


@pytest.mark.parametrize("power", [4, 1024])
def test_rm8_the_weights_1_2_4_and_1_2_1024_rank_alike_and_choose_differently(ledger: Ledger, power: int) -> None:
    exponent = power.bit_length() - 1
    tables: dict[object, object] = {
        ii.reference: {(k, 0): THIRD for k in range(3)},
        ii.reward: {(k, 0): k * log(2) for k in range(3)},
        ii.second_reward: {(0, 0): 0, (1, 0): log(2), (2, 0): exponent * log(2)},
        ii.beta: 1,
    }
    at = world({ii.X: 1, ii.Y: 3}, tables, indices={ii.x: 0, ii.y: 2})
    found = fails_in(formal(ledger, "RM.8"), at)
    if power == 4:
        assert found is None
    else:
        assert found is not None and (found.left, found.right) == ("1/7", "1/1027")


def test_rm7_a_reward_of_one_for_the_first_arm_alone(ledger: Ledger) -> None:
    at = world({ii.Y: 2}, {ii.arm: [HALF, HALF], ii.quality: [1, 0]}, slopes={ii.arm: [1, -1]})
    found = fails_in(formal(ledger, "RM.7"), at)
    assert found is not None and (found.left, found.right) == ("1", "1")


def test_rm9_a_constant_of_one_in_one_sample_of_a_fair_coin(ledger: Ledger) -> None:
    coin = {(k, 0): HALF for k in (0, 1)}
    tables: dict[object, object] = {ii.respond: coin, ii.reward: {(0, 0): 0, (1, 0): 0}, ii.offset: [1]}
    at = world({ii.X: 1, ii.Y: 2}, tables, slopes={ii.respond: {(0, 0): 1, (1, 0): -1}}, indices={ii.x: 0, ii.y: 0})
    for identifier, sides in (("RM.9.sample", ("2", "0")), ("RM.9.variance", ("4", "0"))):
        found = fails_in(formal(ledger, identifier), at)
        assert found is not None and (found.left, found.right) == sides


def test_the_logistic_function_of_zero_is_a_half() -> None:
    assert world({}, {})(ii.sigma(term(0))) == HALF
