"""Worlds that are made to have what is assumed: at its edge, and where its equations are solved."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from derivations import (
    NONNEGATIVE,
    POSITIVE,
    D,
    Delta,
    E,
    Sort,
    Statement,
    Sum,
    assume,
    function,
    kl,
    law,
    log,
    parameter,
    statement,
)  # fmt: skip
from derivations.checker.candidates import build
from derivations.checker.doubt import doubt
from derivations.checker.question import Question
from derivations.checker.refute import Effort, draw_options, fails_in, places_of
from derivations.checker.terms import Maximum
from derivations.checker.tight import balances_of, edges_of, fitted

Y = Sort("Y")
y, w, v = Y.indices("y w v")
p, q = law("p", Y, positive=True), law("q", Y, positive=True)
f = function("f", Y)
F, K = function("F", Y, Y), function("K", Y, Y)
alpha, epsilon = parameter("α", NONNEGATIVE), parameter("ε", NONNEGATIVE)
small = parameter("s", POSITIVE)

near = assume("D(p‖q) ≤ α²", kl(p, q, y), "≤", alpha**2)
bounded = assume("∣f∣ ≤ ε", Maximum((f(y), -f(y))), "≤", epsilon, for_all=[y])
inverse = assume("FK = 1", Sum(w, F(y, w) * K(w, v)), "=", Delta(y, v), for_all=[y, v])

SHIFT = E(q(y), f(y)) - E(p(y), f(y))
# True with the factor 2; these are false by less than that.
FALSE = [
    statement(SHIFT, "≤", alpha * epsilon, standing=[near, bounded]),
    statement(2 * SHIFT, "≤", 2 * alpha * epsilon, standing=[near, bounded]),
    statement(SHIFT, "≤", 2 * alpha * epsilon**2, standing=[near, bounded]),
    statement(Sum(w, K(y, w) * F(w, v)), "=", 2 * Delta(y, v), standing=[inverse]),
    statement(Sum(w, K(y, w) * F(v, w)), "=", Delta(y, v), standing=[inverse]),
]
TRUE = [
    statement(SHIFT, "≤", 2 * alpha * epsilon, standing=[near, bounded]),
    statement(Sum(w, K(y, w) * F(w, v)), "=", Delta(y, v), standing=[inverse]),
]


@pytest.mark.parametrize("given", FALSE, ids=repr)
def test_what_is_false_at_the_edge_is_found_out(given: Statement) -> None:
    found = doubt(given, 1000).found
    assert found is not None
    again = fails_in(given, found.world)
    assert again is not None
    assert (again.left, again.right) == (found.left, found.right)


@pytest.mark.parametrize("given", TRUE, ids=repr)
def test_what_is_true_at_the_edge_has_no_counterexample(given: Statement) -> None:
    found = doubt(given, 400)
    assert found.found is None
    assert found.worlds >= 100


def test_an_inequality_is_made_as_tight_as_round_numbers_make_it() -> None:
    given = statement(SHIFT, "≤", 2 * alpha * epsilon, standing=[near, bounded])
    question, draw = Question(given), random.Random(1)
    seen = 0
    for sizes, parts in places_of(question, Effort(sizes=4)):
        for _ in range(10):
            world = build(question, *sizes, draw_options(parts, draw, lively=True))
            assert world is not None
            tight = fitted(question, world, balances_of(question), edges_of(question), draw)
            if tight is None or not tight.value(epsilon):
                continue
            seen += 1
            largest = max(abs(x) for x in (tight(f(y), y=k) for k in range(tight.sizes[Y])) if isinstance(x, Fraction))
            bound = tight(epsilon)
            assert isinstance(bound, Fraction)
            assert largest <= bound <= largest * Fraction(104, 100)
    assert seen >= 10


def test_nothing_is_made_of_bounds_of_one_number_and_of_what_moves() -> None:
    moving = function("m", Y, depends=True)
    lone = statement(small, ">", 0, standing=[assume("s ≤ 2", small, "≤", 2)])
    slope = statement(D(moving(y)), "=", 0, standing=[assume("∇m ≤ 0", D(moving(y)), "≤", 0, for_all=[y])])
    assert not edges_of(Question(lone))
    assert not edges_of(Question(slope))
    assert not balances_of(Question(statement(log(small), "≤", small - 1)))
