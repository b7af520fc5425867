"""Limits in one world: what is refuted has another limit there, and what is true is never refuted."""

from __future__ import annotations

import pytest

from derivations import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    Sort,
    Statement,
    Sum,
    assume,
    exp,
    function,
    log,
    parameter,
    statement,
)
from derivations.checker.limit_worlds import limit_fails
from derivations.checker.terms import Indicator, limit, term

Y = Sort("Y")
y, w = Y.indices("y w")
n, b = parameter("N", POSITIVE), parameter("β", POSITIVE)
rate, c = parameter("κ", POSITIVE), parameter("c", REAL)
gap = function("g", Y, domain=NONNEGATIVE)
bounded = parameter("u", NONNEGATIVE)
zero = term(0)

TRUE = [
    statement(limit(n * exp(-rate * n), n, "∞"), "=", 0),
    statement(limit(c + 1 / n, n, "∞"), "=", c),
    statement(limit(exp(-gap(y) / b), b, "0⁺"), "=", Indicator(gap(y), "=", zero)),
    statement(limit(Sum(w, exp(-gap(w) / b)), b, "0⁺"), "=", Sum(w, Indicator(gap(w), "=", zero))),
]
FALSE = [
    statement(limit(n * exp(-rate * rate), n, "∞"), "=", 0),
    statement(limit(n * exp(0 * rate * n), n, "∞"), "=", 0),
    statement(limit(c + 2 / n, n, "∞"), "=", c + 1),
    statement(limit(exp(gap(y) / b), b, "0⁺"), "=", Indicator(gap(y), "=", zero)),
    statement(limit(Sum(w, exp(-gap(w) / b)), b, "0⁺"), "=", Sum(w, 2 * Indicator(gap(w), "=", zero))),
    statement(limit(-log(n), n, "∞"), "=", 0),
]


@pytest.mark.parametrize("given", TRUE, ids=str)
def test_what_is_true_is_not_refuted(given: Statement) -> None:
    assert limit_fails(given) is None


@pytest.mark.parametrize("given", FALSE, ids=str)
def test_what_is_false_is(given: Statement) -> None:
    found = limit_fails(given)
    assert found is not None
    assert found.left != found.right


def test_an_infinite_limit_says_so() -> None:
    found = limit_fails(FALSE[0])
    assert found is not None
    assert (found.left, found.right) == ("∞", "0")


def test_where_something_else_speaks_of_the_parameter_nothing_is_said() -> None:
    kept = assume("N ≤ u", n, "≤", bounded)
    assert limit_fails(statement(limit(n, n, "∞"), "=", 0, assuming=[kept])) is None
    assert limit_fails(statement(limit(1 / n, n, "∞"), "=", n)) is None
