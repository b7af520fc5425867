"""Sums over infinite sets: only what converges absolutely is split, and what cancels in each summand is no series."""

from __future__ import annotations

import pytest

from derivations.checker.proof import Unproved, prove
from derivations.checker.statement import Statement, Summable, statement
from derivations.checker.terms import REAL, E, Sort, Sum, function, law, parameter

N = Sort("N", infinite=True)
n, m = N.indices("n m")
f, g, p = function("f", N), function("g", N), law("p", N)
c = parameter("c", REAL)
g_converges = Summable(m, g(m), "Σ∣g∣ < ∞")
fp_converges = Summable(m, p(m) * f(m), "E∣f∣ < ∞")


@pytest.mark.parametrize(
    "true",
    [
        statement(Sum(n, f(n) + g(n) - f(n)), "=", Sum(n, g(n)), standing=[g_converges]),
        statement(Sum(n, p(n) * (c + f(n) - f(n))), "=", c),
        statement(E(p(n), f(n) + c), "=", E(p(n), f(n)) + c, standing=[fp_converges]),
    ],
    ids=repr,
)
def test_what_cancels_in_each_summand_needs_no_convergence(true: Statement) -> None:
    prove(true)


@pytest.mark.parametrize(
    "open_",
    [
        statement(Sum(n, f(n) + g(n)), "=", Sum(n, f(n)) + Sum(n, g(n)), standing=[g_converges]),
        statement(Sum(n, f(n)) - Sum(n, f(n)), "=", 0),
        statement(Sum(n, f(n) - g(n)) + Sum(n, g(n)), "=", Sum(n, f(n)), standing=[g_converges]),
        statement(Sum(n, f(n) + c - f(n)), "=", c),
        statement(E(p(n), f(n)) - E(p(n), f(n)), "=", 0),
        statement(Sum(n, f(n) + 2 * g(n) - f(n)), "=", Sum(n, g(n)), standing=[g_converges]),
        statement(E(p(n), f(n) + c - g(n)), "=", c + E(p(n), f(n) - g(n))),
    ],
    ids=repr,
)
def test_what_may_diverge_is_not_split(open_: Statement) -> None:
    with pytest.raises(Unproved):
        prove(open_)
