"""Slopes: of a minimum or maximum away from where its parts meet, and of the powers one and zero."""

from __future__ import annotations

import pytest

from derivations.checker.errors import StatementError
from derivations.checker.proof import Unproved, prove
from derivations.checker.statement import Hypothesis, Statement, assume, statement
from derivations.checker.terms import REAL, D, E, Sort, Term, function, law, log, maximum, minimum, parameter
from derivations.checker.verdict import judge

u, v, w = (parameter(name, REAL, depends=True) for name in "uvw")
below = assume("u < v", u, "<", v)
apart = assume("u ≠ v", u, "≠", v)
lowest = assume("u < w", u, "<", w)
v_apart, w_apart = assume("v ≠ w", v, "≠", w), assume("u ≠ w", u, "≠", w)

Y = Sort("Y")
y = Y.index("y")
p = law("p", Y)
f, g = function("f", Y, depends=True), function("g", Y, depends=True)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (D(minimum(u, v)), D(u)),
        (D(maximum(u, v)), D(v)),
        (D(minimum(u, v) * u), 2 * u * D(u)),
        (D(log(1 + minimum(u, v) ** 2)), 2 * u * D(u) / (1 + u**2)),
    ],
)
def test_where_one_part_is_best_the_slope_is_its_own(left: Term, right: Term) -> None:
    assert judge(statement(left, "=", right, standing=[below])).status == "proved"


def test_of_three_parts_the_least_counts() -> None:
    given = statement(D(minimum(u, v, w)), "=", D(u), standing=[below, lowest, v_apart])
    assert judge(given).status == "proved"


def test_for_each_summand_the_part_that_is_best_there() -> None:
    under = assume("f < g", f(y), "<", g(y), for_all=[y])
    given = statement(E(p(y), D(maximum(f(y), g(y)))), "=", E(p(y), D(g(y))), standing=[under])
    assert judge(given).status == "proved"


@pytest.mark.parametrize(
    ("left", "right", "standing"),
    [
        (D(minimum(u, v)), D(v), [below]),
        (D(maximum(u, v)), D(u), [below]),
        (D(minimum(u, v)), D(u), [apart]),
        (D(minimum(u, v)), D(u) + D(v), [below]),
        (D(minimum(u, v)), minimum(D(u), D(v)), [below]),
        (D(minimum(u, v, w)), D(u), [below, v_apart, w_apart]),
        (D(-minimum(u, v)), D(u), [below]),
        (D(minimum(u, v) ** 2), D(u), [below]),
    ],
)
def test_false_slopes_are_refuted(left: Term, right: Term, standing: list[Hypothesis]) -> None:
    given = statement(left, "=", right, standing=standing)
    with pytest.raises(Unproved):
        prove(given)
    assert judge(given).status == "refuted"


def test_where_two_parts_meet_there_is_no_slope() -> None:
    for standing in ([], [assume("u = v", u, "=", v)], [assume("u ≤ v", u, "≤", v)]):
        with pytest.raises(StatementError, match="a slope where two terms meet"):
            judge(statement(D(minimum(u, v)), "=", D(u), standing=standing))


def test_the_prover_alone_says_nothing_where_two_parts_may_meet() -> None:
    for standing in ([assume("u = v", u, "=", v)], [assume("u ≤ v", u, "≤", v)]):
        with pytest.raises(Unproved):
            prove(statement(D(minimum(u, v)), "=", D(u), standing=standing))


ZERO = assume("u = 0", u, "=", 0)


def test_the_third_derivative_of_a_square_at_its_zero() -> None:
    given = statement(D(D(D(u**2 / 2))), "=", 3 * D(u) * D(D(u)), standing=[ZERO])
    assert judge(given).status == "proved"


@pytest.mark.parametrize(
    "given",
    [
        statement(D(u**0), "=", 0),
        statement(D(u**1), "=", D(u)),
        statement(D(u**2), "=", 2 * u * D(u)),
        statement(D((1 + u**2) ** -1), "=", -2 * u * D(u) / (1 + u**2) ** 2),
    ],
)
def test_powers_have_their_slopes(given: Statement) -> None:
    assert judge(given).status == "proved"


@pytest.mark.parametrize(
    "given",
    [
        statement(D(u**0), "=", 1),
        statement(D(u**0), "=", D(u)),
        statement(D(u**1), "=", 0),
        statement(D(u**1), "=", u),
        statement(D(D(D(u**2 / 2))), "=", D(u) * D(D(u)), standing=[ZERO]),
    ],
)
def test_false_slopes_of_powers_are_refuted(given: Statement) -> None:
    assert judge(given).status == "refuted"
