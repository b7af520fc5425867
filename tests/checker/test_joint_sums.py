"""Sums over several sets summand by summand, square roots as exp(½ log x), an exponential as a positive summand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derivations.checker.facts import Facts
from derivations.checker.normal_form import Normaliser, Rules
from derivations.checker.proof import Unproved, begin, pointwise, prove
from derivations.checker.statement import Statement, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    Sort,
    Sum,
    Term,
    exp,
    function,
    log,
    maximum,
    parameter,
    term,
    total,
)
from derivations.checker.verdict import judge

A, B = Sort("A"), Sort("B")
a, c = A.indices("a c")
b = B.index("b")
f, f2, g = function("f", A, B), function("f₂", A, B), function("g", A)
w = function("w", A, domain=NONNEGATIVE)


def absolute(x: Term) -> Term:
    return maximum(x, -x)


def by_summands(given: Statement) -> str:
    return prove(given, begin(given.left).then(str(given.relation), given.right, pointwise)).method


def refused(given: Statement) -> None:
    with pytest.raises(Unproved):
        by_summands(given)
    assert judge(given).status == "refuted"


def test_two_sets_at_once() -> None:
    triangle = statement(
        total(a, b, of=w(a) * absolute(f(a, b) + f2(a, b))),
        "≤",
        total(a, b, of=w(a) * (absolute(f(a, b)) + absolute(f2(a, b)))),
    )
    assert by_summands(triangle) == "derivation"


def test_what_not_every_monomial_is_summed_over_once_stays_inside() -> None:
    h = function("h", A, B, A)
    given = statement(
        total(a, b, of=Sum(c, h(a, b, c)) * f(a, b)),
        "≤",
        total(a, b, of=(Sum(c, h(a, b, c)) ** 2 + f(a, b) ** 2) / 2),
    )
    with pytest.raises(Unproved):
        by_summands(given)


def test_a_weight_that_may_be_negative_is_refused() -> None:
    refused(
        statement(
            total(a, b, of=g(a) * absolute(f(a, b) + f2(a, b))),
            "≤",
            total(a, b, of=g(a) * (absolute(f(a, b)) + absolute(f2(a, b)))),
        )
    )


def test_the_two_indices_are_not_one() -> None:
    k = function("k", A, A)
    diagonal = statement(total(a, c, of=k(a, c) ** 2), "≤", total(a, c, of=k(a, a) ** 2))
    refused(diagonal)


def test_sums_over_unrelated_sets_are_a_product() -> None:
    u, v = function("u", A), function("v", B)
    total_u, total_v = Sum(a, u(a)), Sum(b, v(b))
    assert judge(statement(2 * total_u * total_v, "≤", total_u**2 + total_v**2)).status == "proved"
    assert judge(statement(3 * total_u * total_v, "≤", total_u**2 + total_v**2)).status == "refuted"
    own = Sum(a, u(a) ** 2)
    assert judge(statement(total_u**2, "≤", own)).status == "refuted"


def equal(left: Term, right: Term, rules: Rules = Rules.ALL) -> bool:
    return Normaliser(Facts(), rules).equal(left, right)


def test_square_roots() -> None:
    x, y = parameter("x", POSITIVE), parameter("y", POSITIVE)
    root_x, root_y = exp(log(x) / 2), exp(log(y) / 2)
    assert equal(root_x**2, x)
    assert equal((root_x - root_y) ** 2, x - 2 * root_x * root_y + y)
    assert equal(root_x**3 * root_x, x**2)
    assert equal(root_x * exp(-log(x) / 2), term(1))
    assert equal(exp(log(x) / 3) ** 3 * root_x**2, x**2)


def test_what_is_no_square_root() -> None:
    x, y = parameter("x", POSITIVE), parameter("y", POSITIVE)
    root_x, root_y = exp(log(x) / 2), exp(log(y) / 2)
    assert not equal(root_x, x)
    assert not equal(root_x**3, x)
    assert not equal(root_x * root_y, x)
    assert not equal(exp(log(x) / 3) ** 2, x)
    assert not equal(root_x**4, x)
    assert not equal(exp(x / 2) ** 2, x)
    assert not equal(root_x**2, x, Rules.RING)


def is_positive(node: Term) -> bool:
    normaliser = Normaliser(Facts())
    return normaliser.is_positive(normaliser.polynomial(node))


def test_an_exponential_is_a_positive_summand() -> None:
    d, p, r = parameter("d", REAL), parameter("p", OPEN_UNIT), parameter("r", REAL)
    assert is_positive(1 - p + p * exp(d))
    assert is_positive(1 - p + exp(d))
    assert not is_positive(1 - p - p * exp(d))
    assert not is_positive(1 - 2 * p + p * exp(d))
    assert not is_positive(1 - p + r * exp(d))
    assert not is_positive(exp(d) - Fraction(1, 100))
