"""The numbers that section XI names, evaluated in the very statements that are judged; wrong lines are not proved."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derivations.checker.proof import Unproved, prove
from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement, statement
from derivations.checker.terms import D, E, log
from derivations.checker.worlds import World
from derivations.ledger import Ledger
from derivations.sections import dpo as xi
from derivations.sections.objects import OPTIMUM, beta, reward, star, x, y, z

COMPARED = xi.comparisons(x, xi.better, xi.worse)


def formal(ledger: Ledger, identifier: str) -> Statement:
    return ledger.assertions[identifier].formal


@pytest.mark.parametrize(
    ("identifier", "at"), [("DPO.4.never", xi._NEVER), ("DPO.4.each", xi._ISLANDS)], ids=["never", "islands"]
)
def test_dpo4_what_is_not_joined_is_not_determined(ledger: Ledger, identifier: str, at: World) -> None:
    found = fails_in(formal(ledger, identifier), at)
    assert found is not None and found.left != found.right


def test_dpo4_never_compared_gets_a_half_where_the_optimum_has_a_third(ledger: Ledger) -> None:
    at = xi._policies((Fraction(1, 4), Fraction(1, 4), Fraction(1, 2)), (Fraction(1, 3),) * 3, {(0, 1): 1})
    found = fails_in(formal(ledger, "DPO.4.never"), at)
    assert found is not None and (found.left, found.right) == ("1/4", "1/3")


def test_dpo4_islands_get_an_eighth_where_the_optimum_has_a_quarter(ledger: Ledger) -> None:
    found = fails_in(formal(ledger, "DPO.4.each"), xi._ISLANDS)
    assert found is not None and (found.left, found.right) == ("1/8", "1/4")


@pytest.mark.parametrize(
    "wrong",
    [
        statement(reward(y, x), "=", xi.implicit(star(y, x), y) - beta * log(z(x)), definitions=OPTIMUM),
        statement(D(xi.loss_of(xi.respond)), "=", beta * E(COMPARED, xi.PULL * xi.SCORES)),
        statement(D(xi.loss_of(xi.respond)), "=", -E(COMPARED, xi.PULL * xi.SCORES)),
        statement(D(xi.loss_of(xi.respond)), "=", -beta * E(COMPARED, (1 - xi.PULL) * xi.SCORES)),
        statement(xi.loss_of(xi.reference), "=", 0),
    ],
    ids=["sign of log z", "sign", "without β", "weight of the right order", "loss at π_ref"],
)
def test_neighbouring_falsehoods_are_not_proved(wrong: Statement) -> None:
    with pytest.raises(Unproved):
        prove(wrong)


@pytest.mark.parametrize("left_out", [xi.follows, xi.contained, xi.joined, xi.minimises], ids=lambda a: a.name)
def test_dpo4_needs_each_of_its_hypotheses(ledger: Ledger, left_out: object) -> None:
    margins = ledger.assertions["DPO.4.margins"]
    kept = [a for a in margins.formal.standing if a != left_out]
    fewer = statement(*xi.SAME_MARGIN[:1], "=", xi.SAME_MARGIN[1], standing=kept, definitions=OPTIMUM)
    with pytest.raises(Unproved):
        prove(fewer, margins.argument, ledger.lemma)
