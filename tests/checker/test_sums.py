"""Sums that a hypothesis keeps positive may be divided by; sums that share no index are a product. Nothing more is."""

from __future__ import annotations

import pytest

from derivations.checker.proof import Unproved, prove
from derivations.checker.statement import Hypothesis, Statement, assume, statement
from derivations.checker.terms import NONNEGATIVE, REAL, E, Sort, Sum, Term, function, law, parameter

X, Y = Sort("X"), Sort("Y")
x, x2 = X.indices("x z")
y = Y.index("y")
p = law("p", X)
f, g = function("f", X), function("g", X)
h = function("h", X, Y)
kernel = function("w", X, X)
b, c = parameter("b", REAL), parameter("c", REAL)

square = E(p(x2), f(x2) ** 2)
kept = assume("E[f²] > 0", square, ">", 0)


def cancels(hypothesis: Hypothesis, denominator: Term = square) -> Statement:
    return statement(denominator / square, "=", 1, standing=[hypothesis])


def test_a_sum_that_is_positive_is_divided_by() -> None:
    assert prove(cancels(kept)).method == "normal form"


def test_the_positive_sum_is_another_one() -> None:
    with pytest.raises(Unproved):
        prove(cancels(assume("E[g²] > 0", E(p(x2), g(x2) ** 2), ">", 0)))


def test_a_sum_that_is_not_negative_may_be_zero() -> None:
    with pytest.raises(Unproved):
        prove(cancels(assume("E[f²] ≥ 0", square, "≥", 0)))


def test_a_sum_above_minus_one_may_be_zero() -> None:
    with pytest.raises(Unproved):
        prove(cancels(assume("E[f²] > −1", square, ">", -1)))


def test_the_minus_of_a_positive_sum_is_not_positive() -> None:
    mean = E(p(x), f(x))
    below = assume("−E[f] > 0", -mean, ">", 0)
    assert prove(statement(mean, "<", 0, standing=[below]))
    with pytest.raises(Unproved):
        prove(statement(mean, ">", 0, standing=[below]))


def test_another_quotient_does_not_become_one() -> None:
    with pytest.raises(Unproved):
        prove(cancels(kept, E(p(x), f(x))))


def test_a_square_of_a_sum_times_a_sum() -> None:
    away = assume("b ≠ c", b, "≠", c)
    quotient = E(p(x), f(x) ** 2 * g(x)) / square
    other = assume("b is not the quotient", b, "≠", quotient)
    assert prove(statement(square * (b - quotient) ** 2, ">", 0, standing=[kept, other]))
    with pytest.raises(Unproved):
        prove(statement(square * (b - quotient) ** 2, ">", 0, standing=[kept, away]))
    with pytest.raises(Unproved):
        prove(statement(square * (b - quotient), "≥", 0, standing=[kept, other]))


def test_sums_that_share_an_index_are_no_product() -> None:
    assert prove(statement(Sum(x, f(x)) * Sum(x, f(x)), "≥", 0))
    with pytest.raises(Unproved):
        prove(statement(Sum(x, f(x) * Sum(x2, kernel(x, x2) * f(x2))), "≥", 0))
    with pytest.raises(Unproved):
        prove(statement(Sum(x, Sum(y, h(x, y))) * Sum(x, f(x)), "≥", 0))


def test_the_square_of_a_sum_is_not_the_sum_of_squares() -> None:
    sign = function("s", X, domain=NONNEGATIVE)
    assert prove(statement(Sum(x, sign(x)) * Sum(x2, sign(x2)), "≥", 0))
    with pytest.raises(Unproved):
        prove(statement(Sum(x, f(x)) * Sum(x2, f(x2)), "≤", Sum(x, f(x) ** 2)))
