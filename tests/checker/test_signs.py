"""Signs that are seen from how a term is built: logarithms beside one, sums over pairs, products; and those that are not."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derivations import NONNEGATIVE, REAL, E, Sort, Statement, Sum, exp, function, law, log, parameter, statement
from derivations.checker.proof import Unproved, prove
from derivations.checker.terms import total
from derivations.checker.verdict import judge

Y = Sort("Y")
y, w = Y.indices("y w")
p = law("p", Y)
pairs = law("D", Y, Y)
weight, other = function("W", Y, Y, domain=NONNEGATIVE), function("W′", Y, Y, domain=NONNEGATIVE)
r = function("r", Y)
share = function("u", Y, domain=NONNEGATIVE)
c, k = parameter("c", REAL), parameter("k", NONNEGATIVE)
half = Fraction(1, 2)
loss = log(exp(r(y)) + exp(r(w)))

SEEN = [
    statement(E(p(y), log(p(y))), "≤", 0),
    statement(E(p(y), -k * log(p(y))), "≥", 0),
    statement(Sum(y, log(1 + exp(r(y)))), ">", 0),
    statement(Sum(y, share(y) * log(1 + share(y))), "≥", 0),
    statement(E(p(y), log(p(y)) * log(p(y)) * -log(p(y))), "≥", 0),
    statement(total(y, w, of=weight(y, w) * (loss - r(y))), "≥", 0),
    statement(total(y, w, of=weight(y, w) * (loss - r(w))), "≥", 0),
    statement((1 - E(p(y), k / (1 + k))) * E(p(y), r(y) ** 2), "≥", 0),
]
FALSE = [
    statement(E(p(y), log(p(y))), "<", 0),
    statement(E(p(y), log(p(y))), "≥", 0),
    statement(E(p(y), k * log(p(y))), "≥", 0),
    statement(E(p(y), -c * log(p(y))), "≥", 0),
    statement(E(p(y), log(2 * p(y))), "≤", 0),
    statement(Sum(y, log(half + exp(r(y)))), ">", 0),
    statement(Sum(y, log(exp(r(y)))), "≥", 0),
    statement(Sum(y, share(y) * log(half + share(y))), "≥", 0),
    statement(E(p(y), log(p(y)) * log(p(y))), "≤", 0),
    statement(total(y, w, of=weight(y, w) * (loss - 2 * r(y))), "≥", 0),
    statement(total(y, w, of=weight(y, w) * loss - weight(w, y) * r(y) - weight(w, y)), "≥", 0),
    statement(total(y, w, of=weight(y, w) * loss - other(y, w) * r(y)), "≥", 0),
    statement(total(y, w, of=weight(y, w) * r(y) - weight(w, y) * r(y)), "≥", 0),
    statement((1 - E(p(y), 2 * k / (1 + k))) * E(p(y), r(y) ** 2), "≥", 0),
    statement((1 - k) * E(p(y), r(y) ** 2), "≥", 0),
]


@pytest.mark.parametrize("given", SEEN, ids=str)
def test_what_is_seen(given: Statement) -> None:
    assert judge(given).status == "proved"


@pytest.mark.parametrize("given", FALSE, ids=str)
def test_their_false_neighbours_are_not(given: Statement) -> None:
    with pytest.raises(Unproved):
        prove(given)
    assert judge(given).status == "refuted"


def test_a_sum_over_pairs_is_read_as_one_whatever_its_letters_are() -> None:
    turned = total(w, y, of=weight(w, y) * loss) - total(y, w, of=weight(y, w) * r(y))
    assert prove(statement(turned, "≥", 0)).method == "pointwise"
    swapped = total(w, y, of=weight(w, y) * loss) - total(y, w, of=weight(w, y) * r(y))
    assert prove(statement(swapped, "≥", 0)).method == "pointwise"
