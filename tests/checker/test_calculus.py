"""Limits, series, integrals, and the one fact about the logarithm."""

from __future__ import annotations

import pytest
import sympy

from derivations.checker.calculus import Instance, Range, prove_limit, tangent_of_the_logarithm
from derivations.checker.errors import BadInput
from derivations.checker.proof import Unproved
from derivations.checker.statement import Summable, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    Infinity,
    Sort,
    Sum,
    exp,
    function,
    law,
    limit,
    parameter,
    term,
)
from derivations.checker.verdict import check, judge

N = Sort("N", infinite=True)
n = N.index("n")
mass, value = law("p", N), function("f", N)
Y = Sort("Y")
y = Y.index("y")
beta = parameter("β", POSITIVE)


def geometric(ratio: str = "1/2", f: object = lambda k: k) -> Instance:
    number = sympy.Rational(ratio)
    return Instance(
        "geometric",
        ranges={N: Range(0, sympy.oo)},
        functions={mass: lambda k: (1 - number) * number**k, value: f},  # type: ignore[dict-item]
    )


def test_the_tangent_of_the_logarithm_is_proved() -> None:
    assert tangent_of_the_logarithm()


def test_a_series_is_summed_exactly() -> None:
    assert geometric()(Sum(n, mass(n) * value(n))) == 1
    assert geometric("2/3")(Sum(n, mass(n) * value(n))) == 2


def test_an_instance_whose_law_does_not_sum_to_one_is_refused() -> None:
    wrong = Instance("wrong", {N: Range(0, sympy.oo)}, {mass: lambda k: sympy.Rational(1, 2) ** k})
    with pytest.raises(BadInput, match="sums to 2; expected 1"):
        wrong.fails(statement(Sum(n, mass(n)), "=", 1))


def test_an_instance_refutes_only_what_fails_in_it() -> None:
    mean = Sum(n, mass(n) * value(n))
    assert geometric().fails(statement(mean, "=", 1)) is None
    found = geometric("2/3").fails(statement(mean, "=", 1))
    assert found is not None and (found.left, found.right) == ("2", "1")


def test_an_instance_must_satisfy_what_is_assumed() -> None:
    finite_mean = Summable(n, mass(n) * value(n), "a mean")
    heavy = geometric("1/2", f=lambda k: 2**k)
    claim = statement(Sum(n, mass(n) * value(n)), "<", Infinity())
    assert heavy.fails(claim) is not None
    assert heavy.fails(statement(claim.left, "<", claim.right, assuming=[finite_mean])) is None


def test_an_infinite_sum_is_not_split_without_leave() -> None:
    line = (Sum(n, mass(n) * (value(n) + 1)), "=", Sum(n, mass(n) * value(n)) + 1)
    assert check(*line).status == "unknown"
    allowed = check(*line, assuming=[Summable(n, mass(n) * value(n), "a mean")])
    assert allowed.status in ("proved", "unknown")
    assert "converge" in check(*line).note


def test_a_constant_is_not_summed_over_an_infinite_set() -> None:
    one = Sum(n, term(1))
    assert check(one, "=", one).status == "unknown"


@pytest.mark.parametrize(
    ("body", "to", "expected"),
    [
        (exp(parameter("r", REAL) / beta), "∞", 1),
        (exp(-1 / beta), "0⁺", 0),
        (beta / (beta * beta), "∞", 0),
    ],
)
def test_limits_of_terms(body: object, to: str, expected: int) -> None:
    prove_limit(statement(limit(body, beta, to), "=", expected))  # type: ignore[arg-type]


def test_a_wrong_limit_is_not_proved() -> None:
    with pytest.raises(Unproved, match="the limit is"):
        prove_limit(statement(limit(exp(-1 / beta), beta, "0⁺"), "=", 1))


def test_a_limit_distinguishes_zero_from_positive() -> None:
    gap = function("g", Y, domain=NONNEGATIVE)
    body = limit(exp(-gap(y) / beta), beta, "0⁺")
    for claimed in (0, 1):
        assert judge(statement(body, "=", claimed), prover=prove_limit).status == "unknown"


def test_a_limit_that_is_infinite_is_not_a_term() -> None:
    with pytest.raises(Unproved):
        prove_limit(statement(limit(exp(1 / beta), beta, "0⁺"), "=", 0))
