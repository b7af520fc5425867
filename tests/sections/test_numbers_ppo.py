"""The numbers that the claims of section VIII name, evaluated in the very statements that are judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import pytest

from derivations.checker.errors import StatementError
from derivations.checker.mutate import REFUTED, WRONGLY_PROVED, attack, mutants
from derivations.checker.proof import Unproved, begin, hypothesis, lemma, prove
from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement, statement
from derivations.checker.terms import D, Size, Term, clip, log, term
from derivations.checker.verdict import judge
from derivations.checker.wellformed import require
from derivations.checker.worlds import World, world
from derivations.ledger import Ledger
from derivations.sections import ppo as viii

F = Fraction
FIFTH = F(1, 5)


def formal(ledger: Ledger, identifier: str) -> Statement:
    return ledger.assertions[identifier].formal


def test_section_viii_is_whole() -> None:
    assert [claim.id for claim in viii.CLAIMS] == [f"PPO.{n}" for n in range(1, 17)]
    assert {claim.section for claim in viii.CLAIMS} == {"VIII"}


# --- PPO.1 to PPO.7: one step ---------------------------------------------------------------------------------------


def one_step(pi: Fraction, old: Fraction, advantage: int) -> World:
    """A batch of one step; π moves with θ."""
    tables: dict[object, object] = {
        viii.probability: [pi],
        viii.probability_old: [old],
        viii.advantages: [advantage],
        viii.epsilon: FIFTH,
    }
    return world({viii.STEPS: 1}, tables, slopes={viii.probability: [1]}, indices={viii.t: 0})


@pytest.mark.parametrize(
    ("pi", "advantage", "value", "slope"),
    [
        (F(1, 4), 2, F(1), 4),  # ratio ½, Â > 0: follows the ratio
        (F(1, 2), 2, F(2), 4),
        (F(3, 4), 2, F(12, 5), 0),  # ratio 3/2, Â > 0: flat at (1 + ε)Â
        (F(1, 4), -2, F(-8, 5), 0),  # ratio ½, Â < 0: flat at (1 − ε)Â
        (F(1, 2), -2, F(-2), -4),
        (F(3, 4), -2, F(-3), -4),
    ],
)
def test_ppo3_the_six_regions_at_epsilon_a_fifth(pi: Fraction, advantage: int, value: Fraction, slope: int) -> None:
    here = one_step(pi, F(1, 2), advantage)
    assert here(viii.CLIPPED) == value <= here(viii.SURROGATE)
    assert here(D(viii.CLIPPED)) == slope


@pytest.mark.parametrize("end", [viii.LOW, viii.HIGH])
def test_ppo3_at_a_kink_no_derivative_is_spoken_of(end: Term) -> None:
    with pytest.raises(StatementError, match="where two terms meet"):
        at_end = [replace(viii.OFF_KINKS[0], name="at the end", relation="=", right=end)]
        require(statement(D(viii.clipped(viii.r, viii.advantage)), "=", 0, standing=at_end))


def test_ppo5_clip_alone_is_above_at_a_ratio_of_a_half(ledger: Ledger) -> None:
    found = fails_in(formal(ledger, "PPO.5"), one_step(F(1, 4), F(1, 2), 1))
    assert found is not None and (found.left, found.right) == ("4/5", "1/2")


def test_ppo4_a_maximiser_with_a_ratio_of_two(ledger: Ledger) -> None:
    half = F(1, 2)
    tables: dict[object, object] = {viii.old: [half, half], viii.new: [1, 0], viii.gain: [1, -1], viii.epsilon: half}
    for action, identifier in ((0, "PPO.4"), (1, "PPO.4.below")):
        here = world({viii.Y: 2}, tables, indices={viii.y0: action})
        assert fails_in(formal(ledger, identifier), here) is not None


# --- PPO.8: a lower bound of what -----------------------------------------------------------------------------------


def two_tokens(p: Fraction, q: Fraction) -> World:
    """Both tokens are 0 with probability p, then q; one 0 earns ½, the second costs 1: η = p(½ − p)."""
    half = F(1, 2)
    first = {viii.first_old: [p, 1 - p], viii.first_new: [q, 1 - q]}
    rows = {viii.second_old: [[p, half], [1 - p, half]], viii.second_new: [[q, half], [1 - q, half]]}
    rewards = {viii.outcome: [[-half, half], [0, 0]]}
    return world({viii.A: 2}, {**first, **rows, **rewards, viii.epsilon: half}, definitions=viii.EXACT)


@pytest.mark.parametrize(
    ("p", "q", "bound", "truth"),
    [(F(1, 10), F(3, 25), F(23, 500), F(57, 1250)), (F(1, 3), F(1, 2), F(1, 36), F(0))],
)
def test_ppo8_the_true_objective_is_below_the_bound(
    ledger: Ledger, p: Fraction, q: Fraction, bound: Fraction, truth: Fraction
) -> None:
    here = two_tokens(p, q)
    assert here(viii.eta(viii.first_old, viii.second_old)) == p * (F(1, 2) - p)
    found = fails_in(formal(ledger, "PPO.8.truth"), here)
    assert found is not None and (found.left, found.right) == (str(bound), str(truth))


# --- PPO.9: one update ----------------------------------------------------------------------------------------------


def test_ppo9_one_large_step_from_a_ratio_of_one(ledger: Ledger) -> None:
    tables = {viii.chance: F(1, 2), viii.old_chance: F(1, 2), viii.advantage: 1, viii.alpha: F(1, 10)}
    found = fails_in(formal(ledger, "PPO.9"), world({}, {**tables, viii.epsilon: FIFTH}))
    assert found is not None and (found.left, found.right) == ("7/5", "6/5")


def test_ppo9_an_arm_that_is_never_sampled(ledger: Ledger) -> None:
    arms: dict[object, object] = {
        viii.old: [F(9, 10), F(1, 10)],
        viii.new: [F(18, 25), F(7, 25)],
        viii.epsilon: FIFTH,
    }
    found = fails_in(formal(ledger, "PPO.9.unsampled"), world({viii.Y: 2}, arms, indices={viii.y: 0, viii.y0: 1}))
    assert found is not None and (found.left, found.right) == ("14/5", "6/5")


def test_ppo9_two_states_with_logits_theta_and_twice_theta(ledger: Ledger) -> None:
    shared = world({}, {viii.moved_chance: F(3, 5), viii.old_chance: F(1, 2), viii.epsilon: FIFTH})
    found = fails_in(formal(ledger, "PPO.9.shared"), shared)
    assert found is not None and (found.left, found.right) == ("18/13", "6/5")


# --- PPO.10: the maximiser ------------------------------------------------------------------------------------------


def test_ppo10_the_maximiser_lowers_the_objective(ledger: Ledger) -> None:
    here = world({}, {viii.shared_old: F(6, 25), viii.shared_new: F(36, 125), viii.epsilon: FIFTH})
    found = fails_in(formal(ledger, "PPO.10"), here)
    assert found is not None and (found.left, found.right) == ("954/15625", "39/625")


@pytest.mark.parametrize("q", [F(k, 40) for k in range(1, 40)] + [F(36, 125)])
def test_ppo10_no_other_probability_reaches_its_surrogate(q: Fraction) -> None:
    here = world({}, {viii.shared_old: F(6, 25), viii.shared_new: q, viii.epsilon: FIFTH})
    ours, best = (here(viii.shared_surrogate(at, viii.clipped)) for at in (viii.shared_new, viii.BEST))
    assert ours < best or (q == F(36, 125) and ours == best)


@pytest.mark.parametrize("q", [F(1, 10), F(36, 125), F(2, 5), F(9, 10)])
def test_ppo10_the_shared_problem_is_one_of_two_tokens(q: Fraction) -> None:
    p = F(6, 25)
    tokens = two_tokens(p, q)
    shared = world({}, {viii.shared_old: p, viii.shared_new: q, viii.epsilon: F(1, 2)})
    assert tokens(viii.TOKENS_CLIPPED) == shared(viii.shared_surrogate(viii.shared_new, viii.clipped))
    assert tokens(viii.eta(viii.first_new, viii.second_new)) == shared(viii.shared_eta(viii.shared_new))


# --- PPO.11 to PPO.15 -----------------------------------------------------------------------------------------------


def test_ppo11_a_reference_of_a_half(ledger: Ledger) -> None:
    tables: dict[object, object] = {
        viii.probability: [F(9, 10)],
        viii.probability_old: [F(9, 10)],
        viii.probability_ref: [F(1, 2)],
    }
    found = fails_in(formal(ledger, "PPO.11"), world({viii.STEPS: 1}, tables, indices={viii.t: 0}))
    assert found is not None and (found.left, found.right) == ("1", "9/5")


def test_ppo12_targets_of_zero_and_four(ledger: Ledger) -> None:
    half = F(1, 2)
    tables: dict[object, object] = {
        viii.visits: [1],
        viii.draws: [[half], [half]],
        viii.target: [[0, 4]],
        viii.guess: [half],
        viii.guess_old: [0],
        viii.allowed: half,
    }
    here = world({viii.S: 1, viii.OUTCOMES: 2}, tables, definitions=[viii.mean_target])
    assert here(viii.mean(viii.s), s=0) == 2
    found = fails_in(formal(ledger, "PPO.12.clipped"), here)
    assert found is not None and (found.left, found.right) == ("25/4", "65/8")
    assert fails_in(formal(ledger, "PPO.12"), here) is None


def test_ppo13_a_fair_coin_and_a_certain_one() -> None:
    for shares, entropy in (([F(1, 2), F(1, 2)], log(2)), ([1, 0], term(0))):
        here = world({viii.Y: 2}, {viii.new: shares})
        assert here(viii.entropy(viii.new)) == here(entropy)


def test_ppo15_the_softmax_of_zero_and_log_two() -> None:
    tables: dict[object, object] = {viii.gain: [term(0), log(2)], viii.c2: 1, viii.new: [F(1, 2), F(1, 2)]}
    here = world({viii.Y: 2}, tables, definitions=[viii.softmax])
    assert [here(viii.soft(viii.y), y=k) for k in (0, 1)] == [F(1, 3), F(2, 3)]


# --- slips ----------------------------------------------------------------------------------------------------------

LOWER = viii.Sum(viii.t, viii.maximum(viii.ratio * viii.advantages(viii.t), viii.advantages(viii.t))) / Size(viii.STEPS)


@pytest.mark.parametrize(
    "slip",
    [
        statement(viii.SURROGATE, "≤", viii.CLIPPED),
        statement(LOWER, "≤", viii.SURROGATE),
        statement(D(viii.CLIPPED), "=", -D(viii.SURROGATE), standing=[viii.at_theta_old]),
        statement(viii.CLIPPED, "=", viii.SURROGATE, standing=viii.BATCH_OFF_KINKS),
        statement(
            D(clip(viii.r, viii.LOW, viii.HIGH) * viii.advantage), "=", viii.advantage, standing=[viii.out_of_range]
        ),
        statement(viii.entropy(viii.new), "<", log(Size(viii.Y))),
    ],
)
def test_slips_are_refuted(slip: Statement) -> None:
    assert judge(slip).status == "refuted"


def test_a_proof_with_the_bound_the_wrong_way_round_is_rejected(ledger: Ledger) -> None:
    given = formal(ledger, "PPO.8")
    wrong = (
        begin(viii.TOKENS_CLIPPED)
        .then("≥", viii.TOKENS_SURROGATE, lemma("PPO.8.surrogate"))
        .then("=", viii.BOUNDED, hypothesis("κ = 0: what is bounded is L_CPI"))
    )
    with pytest.raises(Unproved):
        prove(replace(given, relation="≥"), wrong, ledger.lemma)


def test_the_gains_do_not_follow_without_the_condition_at_each_state(ledger: Ledger) -> None:
    given = formal(ledger, "PPO.10.step")
    with pytest.raises(Unproved):
        prove(replace(given, standing=()), None, ledger.lemma)
    assert judge(replace(given, standing=())).status == "refuted"


def test_every_factor_of_the_shared_problem_matters() -> None:
    steep = replace(viii.rising, right=term(F(1, 2)))
    wrong = statement(
        viii.shared_surrogate(viii.shared_new, viii.clipped),
        "≤",
        viii.shared_surrogate(viii.BEST, viii.clipped),
        standing=[steep],
    )
    assert judge(wrong).status == "refuted"


@pytest.mark.parametrize("identifier", ["PPO.2", "PPO.12.excess"])
def test_neighbours_of_the_equations_are_refuted(ledger: Ledger, identifier: str) -> None:
    assert ledger.verdict(identifier).status == "proved"
    found: Counter[str] = Counter()
    for mutant in islice(mutants(formal(ledger, identifier)), 0, None, 2):
        outcome = attack(mutant).outcome
        assert outcome != WRONGLY_PROVED, mutant
        found[outcome] += 1
    assert found[REFUTED] >= 0.95 * found.total(), found
