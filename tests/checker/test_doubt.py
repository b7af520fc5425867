"""A harder look for a counterexample: points where both sides meet, numbers of no list, so many worlds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from derivations import (
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    D,
    E,
    Sort,
    Statement,
    Sum,
    assume,
    covers,
    exp,
    function,
    law,
    log,
    parameter,
    statement,
)  # fmt: skip
from derivations.checker import candidates
from derivations.checker.doubt import Doubt, doubt
from derivations.checker.question import Question
from derivations.checker.refute import Effort, fails_in, refute

Y = Sort("Y")
y, w = Y.indices("y w")
p, q = law("p", Y), law("q", Y, positive=True)
f = function("f", Y)
moving = law("π", Y, positive=True, depends=True)
c, d, e = (parameter(name, REAL) for name in "cde")
t, s = parameter("t", OPEN_UNIT), parameter("s", POSITIVE)

TRUE = [
    statement(E(p(y), f(y) ** 2), "≥", E(p(y), f(y)) ** 2),
    statement(Sum(y, D(moving(y))), "=", 0),
    statement(t * (1 - t), "≤", Fraction(1, 4)),
    statement(log(s), "≤", s - 1),
    statement(E(p(y), f(y) / q(y)), "=", Sum(y, p(y) * f(y) / q(y)), assuming=[covers(q(y), p(y))]),
    statement(exp(c + d), "=", exp(c) * exp(d)),
]
# Each fails where two sides meet, or far out, and in none of the cheap worlds.
FALSE = [
    statement(3 * c - 7 * d, "≠", 11 * e + Fraction(1, 3)),
    statement(c * d + e, "≠", Fraction(17, 3), assuming=[assume("c ≠ 0", c, "≠", 0)]),
    statement(c * c, "≤", 900),
    statement(s, "≥", Fraction(1, 50)),
    statement(t, "<", Fraction(9, 10)),
    statement(E(q(y), f(y)), "≠", Fraction(5, 7)),
    statement(q(y), "≥", Fraction(1, 12)),
    statement(5 * c - d, "<", 5 * c - d + abs(0) + 1 - e * e),
]


@pytest.mark.parametrize("given", TRUE, ids=repr)
def test_what_is_true_has_no_counterexample_in_so_many_worlds(given: Statement) -> None:
    found = doubt(given, 300)
    assert found.found is None
    assert 300 <= found.worlds < 310


@pytest.mark.parametrize("given", FALSE, ids=repr)
def test_what_is_false_is_found_out(given: Statement) -> None:
    found = doubt(given, 1000)
    assert found.found is not None
    again = fails_in(given, found.found.world)
    assert again is not None
    assert (again.left, again.right) == (found.found.left, found.found.right)


def test_only_worlds_with_what_is_assumed_are_counted() -> None:
    narrow = statement(c * c, "≥", 0, assuming=[assume("c between", c * (1 - c), ">", 0)])
    assert doubt(narrow, 50).worlds >= 50
    assert doubt(statement(c, "=", d, assuming=[assume("never", c * c, "<", 0)]), 50).worlds == 0


@pytest.mark.parametrize("given", TRUE, ids=repr)
def test_worlds_that_were_looked_at_before_count_and_are_not_gone_through_again(
    given: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = Question(given)
    assert refute(given, Effort(sizes=6, ordered=20, random=10, late=10), question=question) is None
    seen, known, looked_at = question.admitted, frozenset(question.harmless), []

    def build(question: Question, sizes: Any, lengths: Any, chosen: Any) -> Any:
        looked_at.append(candidates.choices_of((sizes, lengths), chosen))
        return candidates.build(question, sizes, lengths, chosen)

    monkeypatch.setattr("derivations.checker.doubt.build", build)
    assert doubt(given, seen, question=question) == Doubt(None, seen)
    assert looked_at == []
    assert seen + 50 <= doubt(given, seen + 50, question=question).worlds < seen + 60
    assert len(looked_at) >= 50
    # Else it would begin with the cheapest world, as a question without a memory does.
    first = looked_at[0]
    looked_at.clear()
    assert doubt(given, 50, question=Question(given)).worlds >= 50
    assert looked_at[0] in known and looked_at[0] != first


def test_it_is_the_same_each_time() -> None:
    first, second = (doubt(FALSE[0], 1000).found for _ in range(2))
    assert first is not None and second is not None
    assert first.world.tables == second.world.tables


def test_numbers_stay_in_their_domains_and_laws_stay_laws() -> None:
    """Any world in which a declared domain were left would be a counterexample to one of these."""
    unit = parameter("u", UNIT)
    for given in (
        statement(unit * (1 - unit), "≥", 0),
        statement(t * (1 - t), ">", 0),
        statement(Sum(y, p(y)), "=", 1),
        statement(q(y), ">", 0),
        statement(Sum(y, D(moving(y))), "=", 0),
    ):
        assert doubt(given, 400).found is None
