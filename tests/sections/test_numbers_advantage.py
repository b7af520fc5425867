"""The numbers that the claims of section V name, in the very statements that are judged, and false neighbours of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest

from derivations.checker.mutate import REFUTED, UNKNOWN, WRONGLY_PROVED, attack, mutants
from derivations.checker.proof import Unproved, prove
from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement
from derivations.checker.terms import Index, recursion
from derivations.checker.worlds import World, world
from derivations.ledger import Ledger
from derivations.sections import advantage as v
from derivations.sections import policy_gradient as iv
from derivations.sections.claim import Assertion
from derivations.sections.objects import A, H, S, actor, dynamics
from derivations.sections.policy_gradient import reward

HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)


def formal(ledger: Ledger, identifier: str) -> Statement:
    return ledger.assertions[identifier].formal


def test_section_v_is_whole(ledger: Ledger) -> None:
    assert [c.id for c in ledger.select(sections=["V"])] == [f"AD.{n}" for n in range(1, 22)]


# --- numbers --------------------------------------------------------------------------------------------------------


def two_fair_coins(first: int, second: int) -> World:
    """Two throws of a fair coin, θ its logit at both: the first is paid `first`, the second `second`, whatever comes."""
    known = [h for t in range(3) for h in product(*[range(1), range(2)] * t)]
    pays = {0: first, 1: second, 2: 0}
    tables = {
        dynamics: {(0, h): 1 for h in known},
        actor: {(a, h, 0): HALF for h in known for a in range(2)},
        reward: {(h, 0, a): pays[len(h) // 2] for h in known for a in range(2)},
    }
    slopes = {actor: {(a, h, 0): Fraction(2 * a - 1, 4) for h in known for a in range(2)}}
    return world({S: 1, A: 2}, tables, slopes=slopes, lengths={H: 2})


def test_ad4_rewards_that_cancel_have_variance_zero_and_reward_to_go_a_quarter(ledger: Ledger) -> None:
    found = fails_in(formal(ledger, "AD.4"), two_fair_coins(1, -1))
    assert found is not None and (found.left, found.right) == ("1/4", "0")


def test_ad4_one_reward_for_all_steps_is_no_counterexample(ledger: Ledger) -> None:
    assert fails_in(formal(ledger, "AD.4"), two_fair_coins(1, 1)) is None


def test_ad4_non_negative_rewards_on_a_shared_logit(ledger: Ledger) -> None:
    found = fails_in(formal(ledger, "AD.4.nonnegative"), v._one_in_ten())
    assert found is not None and (found.left, found.right) == ("60489/250000", "59139/250000")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ad6_the_batch_mean_scales_by_one_minus_one_over_n(ledger: Ledger, count: int) -> None:
    batch = world(
        {iv.R: 2},
        {iv.draw: [HALF, HALF], iv.outcome: [0, 1]},
        slopes={iv.draw: [-QUARTER, QUARTER]},
        lengths={iv.K: count},
    )
    found = fails_in(formal(ledger, "AD.6.batch"), batch)
    assert found is not None
    assert Fraction(found.left) == (1 - Fraction(1, count)) * QUARTER
    assert Fraction(found.right) == QUARTER


def test_ad6_leave_one_out_in_a_batch_of_two(ledger: Ledger) -> None:
    batch = world(
        {iv.R: 2},
        {iv.draw: [HALF, HALF], iv.outcome: [0, 1]},
        slopes={iv.draw: [-QUARTER, QUARTER]},
        lengths={iv.K: 2},
    )
    assert fails_in(formal(ledger, "AD.6.others"), batch) is None


@pytest.mark.parametrize(("p", "b0", "b1"), [(HALF, 0, 1), (Fraction(1, 3), 2, -1)])
def test_ad7_two_arms(ledger: Ledger, p: Fraction, b0: int, b1: int) -> None:
    at = world({}, {v.one_chance: p, v.b0: b0, v.b1: b1}, slopes={v.one_chance: p * (1 - p)})
    assert at(formal(ledger, "AD.7.arms").left) == -p * (1 - p) * (b1 - b0)


def test_ad8_sixty_four_times_the_variance(ledger: Ledger) -> None:
    nine, one = Fraction(9, 10), Fraction(1, 10)
    arms = world({v.A: 2}, {iv.arm: [nine, one], iv.pay: [1, 0]}, slopes={iv.arm: [nine * one, -nine * one]})
    found = fails_in(formal(ledger, "AD.8"), arms)
    assert found is not None
    assert Fraction(found.left) == 64 * Fraction(found.right) > 0


def test_ad9_the_best_constant_is_not_the_mean_return() -> None:
    coin = world(
        {v.R: 2}, {v.moving_law: [Fraction(1, 3), Fraction(2, 3)], v.G: [1, 0]}, slopes={v.moving_law: [1, -1]}
    )
    # E[g²] = 3 + 3/2 and E[g²G] = 3: b* = ⅔, while E[G] = ⅓.
    assert coin(v.one_best) == Fraction(2, 3)
    variances = [coin(v.score_variance(b)) for b in (v.one_best, v.one_best + 1, v.one_best - 1)]
    assert variances == [0, Fraction(9, 2), Fraction(9, 2)]


def test_ad11_the_last_step_is_worth_one_and_the_source_says_two(ledger: Ledger) -> None:
    one_state = world({v.S: 1, v.A: 1}, {v.pay: [[1]], v.gamma: 1, v.move: [[[1]]], v.pi: [[1]]})
    found = fails_in(formal(ledger, "AD.11.last"), one_state)
    assert found is not None and (found.left, found.right) == ("1", "2")


def test_ad13_without_weights_the_last_entry_is_twice_too_large(ledger: Ledger) -> None:
    coins = [HALF, HALF]
    rows = [coins, coins]
    tables = {
        v.first_choice: coins,
        v.first_held: coins,
        v.second_choice: rows,
        v.second_held: rows,
        v.early: [0, 1],
        v.late: [[0, 1], [0, 1]],
        v.inner_gamma: HALF,
    }
    slopes = {
        v.first_choice: [-QUARTER, QUARTER],
        v.second_choice: [[-QUARTER, -QUARTER], [QUARTER, QUARTER]],
    }
    at = world({v.A: 2, v.A2: 2}, tables, slopes=slopes)
    assert [at(v.along_first), at(v.along_second)] == [QUARTER, QUARTER / 2]
    assert [at(v.sum_first), at(v.sum_second)] == [QUARTER, QUARTER]
    assert fails_in(formal(ledger, "AD.13.parallel"), at) is not None


def test_ad14_the_advantage_is_a_fifth_and_the_probability_falls(ledger: Ledger) -> None:
    fifth = Fraction(1, 5)
    chances, values = [3 * fifth, fifth, fifth], [fifth, -4 * fifth, fifth]
    common = sum(p * p * x for p, x in zip(chances, values, strict=True))
    slopes = [p * (p * x - common) for p, x in zip(chances, values, strict=True)]
    arms = world({v.A: 3}, {iv.arm: chances, iv.pay: [1, 0, 1]}, slopes={iv.arm: slopes}, indices={v.a: 2})
    assert arms(v.arm_is_better.left) == fifth
    assert slopes[2] == Fraction(-1, 625)
    found = fails_in(formal(ledger, "AD.14"), arms)
    assert found is not None and found.left == "−1/625"


def test_ad15_a_coin_is_never_its_mean(ledger: Ledger) -> None:
    tables = {v.follows: {(k, 0, 0): HALF for k in range(2)}, v.rewards_to_go: [0, 1], v.Q: [[HALF]]}
    coin = world({v.S: 1, v.A: 1, v.Omega: 2}, tables)
    found = fails_in(formal(ledger, "AD.15.equal"), coin)
    assert found is not None and (found.left, found.right) in {("0", "1/2"), ("1", "1/2")}


def test_ad18_two_next_states(ledger: Ledger) -> None:
    given = formal(ledger, "AD.18")
    assert fails_in(given, v._two_next_states()) is None
    found = fails_in(given.without(v.exact), v._two_next_states())
    assert found is not None and (found.left, found.right) == ("1/4", "0")


def test_ad19_a_bad_critic_makes_the_smallest_lambda_the_worst(ledger: Ledger) -> None:
    tables = {
        v.next_law: [HALF, HALF],
        v.after: {(0, s): 1 for s in range(2)},
        v.td_now: [10, -10],
        v.td_next: [[-10], [10]],
        v.gamma: 1,
        v.low: 0,
        v.high: 1,
    }
    found = fails_in(formal(ledger, "AD.19"), world({v.S: 2, v.Omega: 1}, tables))
    assert found is not None and (found.left, found.right) == ("100", "0")


@pytest.mark.parametrize("gamma", [Fraction(0), HALF, Fraction(9, 10)])
def test_ad20_a_reward_for_ever_that_is_cut_after_one_step(ledger: Ledger, gamma: Fraction) -> None:
    at = world({}, {v.below_one: gamma})
    assert at(formal(ledger, "AD.20.forever").left) == -gamma / (1 - gamma)
    worth = 1 / (1 - gamma)
    cut = world({v.S: 1, v.A: 1}, {v.pay: [[1]], v.gamma: gamma, v.move: [[[1]]], v.true_value: [worth]})
    found = fails_in(formal(ledger, "AD.20.cut"), cut)
    assert (found is None) == (gamma == 0)
    if found is not None:
        assert found.right == "0"


# --- wrong signs and factors ----------------------------------------------------------------------------------------


def not_proved(ledger: Ledger, identifier: str, wrong: Statement) -> None:
    """The argument of a proved claim does not carry a false neighbour."""
    with pytest.raises(Unproved):
        prove(wrong, ledger.assertions[identifier].argument, ledger.lemma)


def with_recursion(given: Statement, index: int, changed: object) -> Statement:
    rules = list(given.recursions)
    rules[index] = changed  # type: ignore[call-overload]
    return replace(given, recursions=tuple(rules))


def test_reward_to_go_without_the_score_of_its_own_step(ledger: Ledger) -> None:
    wrong = recursion(
        v.to_go_estimate,
        start=lambda: 0,
        step=lambda h, s, a: v.to_go_estimate(h) + v.scores(h) * v.reward(h, s, a),
    )
    not_proved(ledger, "AD.3", with_recursion(formal(ledger, "AD.3"), 3, wrong))


def test_gae_with_its_exponent_off_by_one(ledger: Ledger) -> None:
    wrong = recursion(v.weight, start=lambda s, a, s2: 1, step=lambda j, a, s: v.gamma * v.lambda_ * v.weight(j))
    not_proved(ledger, "AD.17", with_recursion(formal(ledger, "AD.17"), 0, wrong))


def test_gae_means_with_the_next_power_of_lambda(ledger: Ledger) -> None:
    def step(k: Index, a: Index, s: Index) -> object:
        following = v.n_step(k) + v.discount(k) * v.an_error(k, a, s)
        return v.mean_of(k) + (1 - v.lambda_) * v.lambda_ * v.lambdas(k) * following

    wrong = recursion(v.mean_of, start=lambda s: 0, step=step)  # type: ignore[arg-type]
    not_proved(ledger, "AD.16.partial", with_recursion(formal(ledger, "AD.16.partial"), 3, wrong))


def test_the_gradient_with_q_before_the_discount(ledger: Ledger) -> None:
    weighted = formal(ledger, "AD.13.weighted")
    wrong = with_recursion(weighted, 2, v.advantage_sum(weighted=False))
    not_proved(ledger, "AD.13.weighted", wrong)


def test_gae_with_an_end_that_is_not_masked(ledger: Ledger) -> None:
    given = formal(ledger, "AD.20")
    wrong = recursion(v.alive, start=lambda s, a, s2: 1, step=lambda j, a, s: v.alive(j) * v.goes_on(v.onward(j, a, s)))
    # A mask that is late by one step leaves errors whose mean is zero all the same: it is the values that matter.
    assert prove(with_recursion(given, 2, wrong), ledger.assertions["AD.20"].argument, ledger.lemma)
    not_proved(ledger, "AD.20", replace(given, definitions=(v.bellman_on(v.nothing_ends),)))


@pytest.mark.parametrize("identifier", ["AD.7.corrected", "AD.10", "AD.12.corrected"])
def test_no_false_neighbour_is_proved(ledger: Ledger, identifier: str) -> None:
    assertion = ledger.assertions[identifier]
    assert isinstance(assertion, Assertion)
    outcomes = [attack(mutant).outcome for mutant in mutants(assertion.formal)]
    assert outcomes and WRONGLY_PROVED not in outcomes
    # Those that are true as well change what is equal on both sides.
    assert outcomes.count(REFUTED) >= 0.6 * len(outcomes)
    assert UNKNOWN not in outcomes
