"""What follows from a proved comparison, and what does not."""

from __future__ import annotations

import pytest

from derivations import (
    POSITIVE,
    REAL,
    E,
    Sort,
    Statement,
    Sum,
    assume,
    define,
    function,
    histories,
    kl,
    law,
    log,
    parameter,
    recursion,
    statement,
)
from derivations.checker.consequence import one_for_both, prove_by_comparison
from derivations.checker.proof import Unproved, prove
from derivations.checker.refute import refute

Y = Sort("Y")
y, w = Y.indices("y w")
p, q = law("p", Y, positive=True), law("q", Y, positive=True)
f = function("f", Y)
c, s = parameter("c", REAL), parameter("s", POSITIVE)

GIBBS = statement(kl(p, q, y), "≥", 0)
TANGENT = statement(log(s), "≤", s - 1)
SPREAD = statement(E(p(y), f(y) ** 2), "≥", E(p(y), f(y)) ** 2)
ABOVE = statement(c * c + 1, ">", 0)

FOLLOWS = [
    (statement(kl(p, q, y) + c * c, "≥", 0), GIBBS),
    (statement(kl(p, q, y), ">", -1), GIBBS),
    (statement(2 * kl(p, q, y) + E(p(y), f(y) ** 2), "≥", kl(p, q, w) - 1), GIBBS),
    (statement(log(s), "≤", s), TANGENT),
    (statement(log(s), "<", s), TANGENT),
    (statement(log(s) - c * c, "≤", s - 1), TANGENT),
    (statement(c * c + 1, "≥", 0), ABOVE),
    (statement(c * c + 2, ">", 0), ABOVE),
]
DOES_NOT = [
    (statement(kl(p, q, y), ">", 0), GIBBS),
    (statement(kl(p, q, y) - c * c, "≥", 0), GIBBS),
    (statement(kl(p, q, y), "≤", 0), GIBBS),
    (statement(log(s), "≤", s - 2), TANGENT),
    (statement(log(s), "<", s - 1), TANGENT),
    (statement(2 * log(s), "≤", s - 1), TANGENT),
    (statement(E(p(y), f(y) ** 2), ">", E(p(y), f(y)) ** 2), SPREAD),
    (statement(E(p(y), f(y) ** 2), "≥", 2 * E(p(y), f(y)) ** 2), SPREAD),
    (statement(c * c, ">", 0), ABOVE),
]


@pytest.mark.parametrize(("given", "claim"), FOLLOWS, ids=str)
def test_what_follows(given: Statement, claim: Statement) -> None:
    proof = prove_by_comparison(given, claim, "the claim", prove)
    assert proof.uses[-1] == "the claim"
    assert proof.steps[-1].method == "lemma"
    assert refute(given) is None


@pytest.mark.parametrize(("given", "claim"), DOES_NOT, ids=str)
def test_what_does_not(given: Statement, claim: Statement) -> None:
    assert refute(given) is not None
    with pytest.raises(Unproved):
        prove_by_comparison(given, claim, "the claim", prove)


def test_what_the_claim_assumes_must_be_assumed() -> None:
    claim = statement(c * c * c, "≥", 0, assuming=[assume("c ≥ 0", c, "≥", 0)])
    weaker = statement(c * c * c + 1, "≥", 0)
    with pytest.raises(Unproved, match="about something else"):
        prove_by_comparison(weaker, claim, "the claim", prove)
    assert prove_by_comparison(
        statement(c * c * c + 1, "≥", 0, standing=[assume("c ≥ 0", c, "≥", 0)]), claim, "the claim", prove
    )


@pytest.mark.parametrize(
    "claim", [statement(c, "=", c), statement(c, "≠", c + 1), statement(c, "=", 3, exists=True)], ids=str
)
def test_only_inequalities_that_hold_for_all_have_such_consequences(claim: Statement) -> None:
    with pytest.raises(Unproved, match="about something else"):
        prove_by_comparison(statement(c * c + 1, ">", 0), claim, "the claim", prove)


def test_what_is_assumed_may_be_written_in_other_letters() -> None:
    mean = parameter("m", REAL)
    m = define(mean, E(p(y), f(y)))
    claim = statement(E(p(y), f(y) ** 2), "≥", mean**2, standing=[assume("m > 1", mean, ">", 1)], definitions=[m])
    same = assume("m > 1", E(p(w), f(w)), ">", 1)
    other = assume("m > 1", E(q(w), f(w)), ">", 1)
    weaker = statement(E(p(y), f(y) ** 2) + 1, "≥", E(p(w), f(w)) ** 2, standing=[same])
    assert prove_by_comparison(weaker, claim, "the claim", prove)
    with pytest.raises(Unproved, match="about something else"):
        prove_by_comparison(
            statement(E(p(y), f(y) ** 2) + 1, "≥", E(p(w), f(w)) ** 2, standing=[other]), claim, "the claim", prove
        )


# --- two functions of one equation ----------------------------------------------------------------------------------

H = histories("H", step=[Y])
h = H.index("h")
first, second, third = function("u", H), function("v", H), function("n", H, domain=POSITIVE)


def grown(symbol, factor=2, start=1):  # type: ignore[no-untyped-def]
    return recursion(symbol, start=lambda: start, step=lambda h, y: symbol(h) * factor + f(y))


def test_two_functions_of_one_equation_are_one() -> None:
    given = statement(Sum(h, first(h) - second(h)), "=", 0, recursions=[grown(first), grown(second)])
    merged = one_for_both(given)
    assert [rule.function for rule in merged.recursions] == [first]
    assert prove(merged).method == "normal form"


@pytest.mark.parametrize("other", [grown(second, factor=3), grown(second, start=2), grown(third)], ids=str)
def test_two_functions_of_two_equations_or_kinds_stay_two(other) -> None:  # type: ignore[no-untyped-def]
    given = statement(Sum(h, first(h)), "=", Sum(h, other.function(h)), recursions=[grown(first), other])
    assert one_for_both(given) == given


def test_what_is_assumed_is_said_of_the_one() -> None:
    small = assume("v ≤ 1", second(h), "≤", 1, for_all=[h])
    given = statement(
        Sum(h, first(h)), "≤", Sum(h, second(h) + 1), standing=[small], recursions=[grown(first), grown(second)]
    )
    (moved,) = one_for_both(given).standing
    assert moved == assume("v ≤ 1", first(h), "≤", 1, for_all=[h])
