"""Section IX in numbers: those of the claims, in the very statements that are judged, and the table of KL.7."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import isclose, log

import pytest

import derivations
from derivations.checker import reals
from derivations.checker.mutate import UNKNOWN, WRONGLY_PROVED, attack, mutants
from derivations.checker.proof import Argumentation, Lemmas, Unproved, prove
from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement, statement
from derivations.checker.terms import D, E, Term
from derivations.checker.terms import log as logarithm
from derivations.checker.worlds import World, world
from derivations.ledger import Ledger
from derivations.sections import kl_penalty as ix
from derivations.sections import objects
from derivations.sections.kl_penalty import Cell, estimator_table

half, quarter, third = Fraction(1, 2), Fraction(1, 4), Fraction(1, 3)


def formal(ledger: Ledger, identifier: str) -> Statement:
    return ledger.assertions[identifier].formal


def number(at: World, what: Term) -> float:
    return float(reals.ball(at.value(what)).mid())


# --- KL.2 -----------------------------------------------------------------------------------------------------------


def test_kl2_a_response_that_the_policy_never_gives(ledger: Ledger) -> None:
    at = world({ix.Y: 2}, {ix.closed: [1, 0], ix.sampler: [1, 0], ix.closed_anchor: [half, half]})
    dropped = formal(ledger, "KL.2").assuming[1]
    found = fails_in(formal(ledger, "KL.2").without(dropped), at)
    assert found is not None and (found.left, found.right) == ("log 2 − 1/2", "log 2")


def test_kl2_third_order_coefficients() -> None:
    """log π = log π_ref + t g − log Z: ½ and ⅓ of E[l³], by the series of both at a small t."""
    p, g, t = (1 / 3, 2 / 3), (1.0, 0.0), 1e-3
    weights = [q * 2.718281828459045 ** (t * x) for q, x in zip(p, g, strict=True)]
    pi = [w / sum(weights) for w in weights]
    k1 = [log(a / b) for a, b in zip(pi, p, strict=True)]
    k2, kl = sum(a * x * x / 2 for a, x in zip(pi, k1, strict=True)), sum(a * x for a, x in zip(pi, k1, strict=True))
    mean = sum(q * x for q, x in zip(p, g, strict=True))
    cubed = sum(q * (x - mean) ** 3 for q, x in zip(p, g, strict=True))
    assert isclose((k2 - kl) / t**3, (1 / 2 - 1 / 3) * cubed, rel_tol=1e-2)


# --- KL.6, KL.16: the missing term ----------------------------------------------------------------------------------


def test_kl6_the_added_term_gives_nothing_where_the_truth_is_not_zero(ledger: Ledger) -> None:
    at = ix.second_step(Fraction(3, 4))
    found = fails_in(formal(ledger, "KL.6"), at)
    truth = (3 * logarithm(3) - 4 * logarithm(2)) / 16
    assert found is not None and found.right == "0"
    assert found.left == at(-truth)


def test_kl16_in_that_world(ledger: Ledger) -> None:
    given = formal(ledger, "KL.16")
    assert fails_in(given, ix.second_step(Fraction(3, 4))) is None


def test_kl7_token_by_token_in_that_world(ledger: Ledger) -> None:
    found = fails_in(formal(ledger, "KL.7.tokens"), ix.second_step(Fraction(3, 4)))
    assert found is not None and found.left == "0"


# --- KL.7: the table ------------------------------------------------------------------------------------------------


def cells(*arguments: object) -> dict[tuple[str, str], Cell]:
    return {(c.estimator, c.placement): c for c in estimator_table(*arguments)}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table() -> dict[tuple[str, str], Cell]:
    """π_ref = (½, ½), π = (¼, ¾), along the logit of the first response."""
    slope = quarter * (1 - quarter)
    return cells([quarter, 1 - quarter], [half, half], [slope, -slope])


def test_kl7_the_table_has_six_cells(table: dict[tuple[str, str], Cell]) -> None:
    assert len(table) == 6
    assert derivations.estimator_table is estimator_table  # type: ignore[attr-defined]


def test_kl7_the_two_that_are_right(table: dict[tuple[str, str], Cell]) -> None:
    right = [at for at, cell in table.items() if cell.right]
    assert right == [("k1", "reward"), ("k2", "loss")]
    assert all(table[at].relative == "≈ 1.0000000" or table[at].relative == 1 for at in right)
    assert table["k1", "reward"].value == "−(3/16)·log 3"


def test_kl7_the_loss_of_k1_and_k3(table: dict[tuple[str, str], Cell]) -> None:
    # D(π_ref‖π) = −½ log 4p(1 − p) has the slope p − ½ on the logit.
    assert table["k1", "loss"].value == 0
    assert table["k3", "loss"].value == quarter - half


def test_kl7_the_wrong_signs(table: dict[tuple[str, str], Cell], ledger: Ledger) -> None:
    at = ix.one_step([quarter, 1 - quarter], [half, half], [Fraction(3, 16), Fraction(-3, 16)])
    for name, share in (("k2", -0.144), ("k3", -0.214)):
        assert isclose(number(at, table[name, "reward"].gradient / ix.TRUTH), share, abs_tol=5e-4)
        assert fails_in(formal(ledger, f"KL.7.{name}.reward.sign"), at) is not None


def test_kl7_at_the_reference_there_is_nothing_to_compare_with() -> None:
    same = cells([half, half], [half, half], [1, -1])
    assert all(cell.value == 0 and cell.relative is None for cell in same.values())


@pytest.mark.parametrize("seed", range(5))
def test_kl7_the_table_by_central_differences(seed: int) -> None:
    """The gradients again, in floats: what the sample is drawn from stays, what is differentiated moves."""
    p, q, step = [(2 + seed) / 12, 3 / 12, (7 - seed) / 12], [1 / 2, 1 / 3, 1 / 6], 1e-5
    slope = (1.0, -2.0, 1.0)
    estimators: dict[str, Callable[[float, float], float]] = {
        "k1": lambda a, b: log(a / b),
        "k2": lambda a, b: log(a / b) ** 2 / 2,
        "k3": lambda a, b: b / a - 1 + log(a / b),
    }
    up, down = ([a + sign * step * d for a, d in zip(p, slope, strict=True)] for sign in (1, -1))
    exact = cells([Fraction(2 + seed, 12), quarter, Fraction(7 - seed, 12)], [half, third, Fraction(1, 6)], [1, -2, 1])
    at = ix.one_step(
        [Fraction(2 + seed, 12), quarter, Fraction(7 - seed, 12)], [half, third, Fraction(1, 6)], [1, -2, 1]
    )
    for name, estimate in estimators.items():
        reward = sum(d * estimate(a, b) for a, b, d in zip(p, q, slope, strict=True))
        loss = sum(a * (estimate(x, b) - estimate(z, b)) for a, x, z, b in zip(p, up, down, q, strict=True))
        assert isclose(number(at, exact[name, "reward"].gradient), reward, rel_tol=1e-6, abs_tol=1e-7)
        assert isclose(number(at, exact[name, "loss"].gradient), loss / (2 * step), rel_tol=1e-6, abs_tol=1e-7)


# --- KL.8 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "q"), [(half, third), (third, Fraction(3, 4)), (Fraction(2, 5), Fraction(1, 7))])
def test_kl8_two_independent_tokens(ledger: Ledger, p: Fraction, q: Fraction) -> None:
    given = formal(ledger, "KL.8")
    at = ix.independent_tokens(p, q)
    assert fails_in(given, at) is None, "θ = θ_old is assumed, and does not hold here"
    found = fails_in(given.without(ix.steps_at_old), at)
    assert found is not None
    assert found.world(given.left - given.right) == -(q - p)


# --- KL.10, KL.11, KL.12, KL.17 -------------------------------------------------------------------------------------


def test_kl10_once_a_ratio_is_clipped_the_gradients_differ(ledger: Ledger) -> None:
    given = formal(ledger, "KL.10.gradient")
    found = fails_in(given.without(ix.inside), ix.clipped_arm())
    assert found is not None and (found.left, found.right) == ("0", "1")


def at_one_prompt(tables: dict[object, object]) -> World:
    return world({ix.X: 1, ix.Y: 2}, tables, indices={ix.x: 0})


def column(first: object, second: object) -> dict[tuple[int, int], object]:
    return {(0, 0): first, (1, 0): second}


def test_kl11_the_optimum_is_heated(ledger: Ledger) -> None:
    # π_ref = (½, ½), r = (log 4, 0), β = c₂ = 1: π* = (⅘, ⅕), π_c = (⅔, ⅓).
    tables: dict[object, object] = {
        objects.reference: column(half, half),
        objects.reward: column(logarithm(4), 0),
        ix.beta: 1,
        ix.c2: 1,
        ix.temperature_sum: 2,
    }
    given = formal(ledger, "KL.11")
    found = fails_in(given, at_one_prompt(tables))
    assert found is not None
    assert float(found.left.removeprefix("≈ ")) == pytest.approx(2 / 3)
    assert found.right == "4/5"


def test_kl12_the_hacked_optimum(ledger: Ledger) -> None:
    found = fails_in(formal(ledger, "KL.12"), ix._hacked())
    assert found is not None and found.left == "1048576/1049599"
    assert isclose(1048576 / 1049599, 0.99903, abs_tol=5e-6)


def test_kl12_and_how_far_it_has_drifted() -> None:
    rare, hack = Fraction(1, 1024), Fraction(1048576, 1049599)
    tables: dict[object, object] = {
        objects.policy: column(hack, 1 - hack),
        objects.reference: column(rare, 1 - rare),
        objects.reward: column(20 * logarithm(2), 0),
        ix.beta: 1,
    }
    at = at_one_prompt(tables)
    assert isclose(number(at, ix.DRIFT), 6.92, abs_tol=5e-3)
    assert number(at, ix.DRIFT) <= number(at, ix.GAIN) <= 20 * log(2)


def test_kl17_the_optimum_is_that_of_twice_beta(ledger: Ledger) -> None:
    # π_ref = (½, ½), r = (2 log 2, 0), β = 1: π* = (⅘, ⅕), π₂ = (⅔, ⅓).
    tables: dict[object, object] = {
        objects.reference: column(half, half),
        objects.reward: column(2 * logarithm(2), 0),
        ix.beta: 1,
    }
    found = fails_in(formal(ledger, "KL.17"), at_one_prompt(tables))
    assert found is not None and (found.left, found.right) == ("2/3", "4/5")


# --- slips ----------------------------------------------------------------------------------------------------------


def refused(ledger: Ledger, given: Statement, argument: Argumentation | None) -> None:
    lemmas: Lemmas = ledger.lemma
    with pytest.raises(Unproved):
        prove(given, argument, lemmas)


@pytest.mark.parametrize(
    ("identifier", "wrong"),
    [
        ("KL.3", lambda right: 2 * right),
        ("KL.3.states", lambda right: -right),
        ("KL.4.sum", lambda right: -right),
        ("KL.5", lambda right: right - ix.beta * ix.mean(ix.divergences(ix.h))),
        ("KL.6.corrected", lambda right: right + ix.beta * ix.mean(ix.missing(ix.h))),
        ("KL.7.truth", lambda right: right / 2),
        ("KL.7.k3.loss.reverse", lambda right: -right),
        ("KL.8.log.extra", lambda right: right - 2 * ix.beta * D(ix.ENTROPY)),
        ("KL.9", lambda right: -right),
        ("KL.9.clip", lambda right: 2 * right),
        ("KL.11.corrected", lambda right: right / 2),
        ("KL.12.corrected", lambda right: right / 2),
        ("KL.16", lambda right: right - 2 * ix.mean(ix.missing(ix.h))),
        ("KL.17.corrected", lambda right: right / 2),
    ],
)
def test_a_wrong_sign_or_factor_is_refused(ledger: Ledger, identifier: str, wrong: Callable[[Term], Term]) -> None:
    assertion = ledger.assertions[identifier]
    given = replace(assertion.formal, right=wrong(assertion.formal.right))
    refused(ledger, given, assertion.argument)
    refused(ledger, given, None)


def test_k3_with_the_ratio_upside_down_is_not_unbiased(ledger: Ledger) -> None:
    upside_down = ix.still(ix.y) / ix.anchor(ix.y)
    given = statement(E(ix.still(ix.y), ix.k3_of(upside_down)), "=", formal(ledger, "KL.2.k2").right)
    refused(ledger, given, None)


@pytest.mark.parametrize("identifier", ["KL.7.k1.reward", "KL.7.k2.loss", "KL.7.k3.loss.reverse", "KL.17.twice"])
def test_no_mutant_of_the_table_is_wrongly_proved(ledger: Ledger, identifier: str) -> None:
    outcomes = [attack(mutant).outcome for mutant in mutants(formal(ledger, identifier))]
    assert outcomes and WRONGLY_PROVED not in outcomes
    assert UNKNOWN not in outcomes
