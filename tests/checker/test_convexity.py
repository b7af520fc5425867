"""f ≥ 0 from value and slope at a point and f″ ≥ 0: what it proves, and the neighbours that it must not prove."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derivations.checker.calculus import convex_in
from derivations.checker.proof import Unproved
from derivations.checker.statement import Statement, assume, statement
from derivations.checker.terms import (
    OPEN_UNIT,
    POSITIVE,
    REAL,
    D,
    Domain,
    Sort,
    Sum,
    exp,
    function,
    log,
    maximum,
    parameter,
)
from derivations.checker.verdict import judge

t, d = parameter("t", POSITIVE), parameter("d", REAL)
p = parameter("p", OPEN_UNIT)


def curve(factor: int | Fraction = 3, around: int = 1) -> Statement:
    return statement((2 * t + 4) * (t * log(t) - t + 1), "≥", factor * (t - around) ** 2)


def hoeffding(eighth: Fraction) -> Statement:
    return statement(log(1 - p + p * exp(d)) - p * d, "≤", eighth * d**2)


def refused(given: Statement, why: str, at: int = 1) -> None:
    with pytest.raises(Unproved, match=why):
        convex_in(t, at)(given)


def test_a_tangent_of_second_order() -> None:
    assert judge(curve(), prover=convex_in(t, 1)).status == "proved"
    assert judge(hoeffding(Fraction(1, 8)), prover=convex_in(d, 0)).status == "proved"


def test_a_larger_factor_is_refused_and_refuted() -> None:
    refused(curve(4), "second derivative")
    assert judge(curve(4), prover=convex_in(t, 1)).status == "refuted"
    with pytest.raises(Unproved, match="second derivative"):
        convex_in(d, 0)(hoeffding(Fraction(1, 9)))


def test_the_other_way_round_is_refused() -> None:
    refused(statement((2 * t + 4) * (t * log(t) - t + 1), "≤", 3 * (t - 1) ** 2), "second derivative")


def test_value_and_slope_must_both_be_zero_at_the_point() -> None:
    refused(statement(t**2, "≥", 0), "value")
    refused(statement((t - 1) ** 2 + (t - 1), "≥", 0), "slope")
    refused(curve(), "value", at=2)
    refused(statement((t - 1) ** 2, "≥", 0), "is not in", at=0)


def test_a_kink_has_no_second_derivative() -> None:
    refused(statement(maximum(t - 1, 0) - (t - 1), "≥", 0), "kink")


def test_a_cubic_is_not_convex_everywhere() -> None:
    refused(statement((t - 1) ** 3, "≥", 0), "second derivative")
    assert judge(statement((t - 1) ** 3, "≥", 0), prover=convex_in(t, 1)).status == "refuted"


def test_strict_relations_and_equations_are_not_for_it() -> None:
    refused(statement((t - 1) ** 2, ">", 0), "expected a plain statement")
    refused(statement((t - 1) ** 2, "=", 0), "expected a plain statement")


def test_an_assumption_on_the_parameter_is_not_differentiated() -> None:
    given = statement((t - 1) ** 2, "≥", 0, standing=[assume("t = 1", t, "=", 1)])
    refused(given, "assumption speaks of t")


def test_nothing_else_may_depend_on_theta() -> None:
    moving = parameter("m", POSITIVE, depends=True)
    refused(statement((t - 1) ** 2 * D(moving) ** 2, "≥", 0), "depends on θ")
    with pytest.raises(Unproved, match="does not depend on θ"):
        convex_in(moving, 1)(statement((moving - 1) ** 2, "≥", 0))


def test_infinite_sums_are_not_differentiated_term_by_term() -> None:
    n = Sort("N", infinite=True).index("n")
    weight = function("w", n.sort)
    refused(statement(Sum(n, weight(n) ** 2 * (t - 1) ** 2), "≥", 0), "infinite set")


def test_the_interval_is_the_domain() -> None:
    early = parameter("t", Domain(Fraction(0), Fraction(1), lower_open=True))
    falling = statement(early**3 - 3 * early + 2, "≥", 0)
    assert convex_in(early, 1)(falling).method == "convexity"


def test_a_derivative_that_is_written_is_not_one_in_the_parameter() -> None:
    s = parameter("s", REAL)
    with pytest.raises(Unproved, match="depends on θ"):
        convex_in(s, 0)(statement(D(s**3) / 3 - s**2 / 2, "≥", 0))
