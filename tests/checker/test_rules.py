"""Rules that are easily a little too generous, each with the falsehood that it would let through."""

from __future__ import annotations

import pytest

from derivations.checker.errors import StatementError
from derivations.checker.facts import Facts
from derivations.checker.normal_form import Normaliser
from derivations.checker.proof import ByCalculation, Unproved, lemma, prove
from derivations.checker.statement import Statement, first_order, point, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    UNIT,
    E,
    Sort,
    Sum,
    Term,
    clip,
    function,
    kl,
    law,
    log,
    minimum,
    parameter,
)
from derivations.checker.verdict import check

Y = Sort("Y")
y, v = Y.indices("y v")


def is_positive(term: Term) -> bool:
    normaliser = Normaliser(Facts())
    return normaliser.is_positive(normaliser.polynomial(term))


def test_a_product_with_a_factor_that_may_vanish_is_not_positive() -> None:
    assert not is_positive(parameter("x", POSITIVE) * parameter("u", NONNEGATIVE))
    assert not is_positive(1 - parameter("u", UNIT))
    assert is_positive(1 - parameter("u", UNIT) * parameter("t", OPEN_UNIT))
    assert is_positive(1 - parameter("t", OPEN_UNIT))


def test_a_logarithm_of_such_a_product_is_refused() -> None:
    with pytest.raises(StatementError, match="nothing says that it is positive"):
        check(log(parameter("x", POSITIVE) * parameter("u", NONNEGATIVE)), "=", 0)


def test_a_conditional_law_on_its_diagonal_does_not_sum_to_one() -> None:
    kernel = law("k", Y, given=[Y])
    assert check(Sum(y, kernel(y, v)), "=", 1).status == "proved"
    assert check(Sum(y, kernel(y, y)), "=", 1).status == "refuted"


def test_laws_are_not_exchanged_for_the_diagonal_of_a_kernel() -> None:
    kernel, p = law("k", Y, given=[Y], positive=True), law("p", Y, positive=True)
    # By Gibbs this would hold if Σ_y k(y∣y) were one.
    assert check(Sum(y, p(y) * (log(p(y)) - log(kernel(y, y)))), "≥", 0).status == "refuted"


def test_a_lemma_on_laws_is_not_used_on_the_diagonal_of_a_kernel() -> None:
    p, q = law("p", Y, positive=True), law("q", Y, positive=True)
    kernel = law("k", Y, given=[Y], positive=True)
    gibbs = statement(kl(p, q, y), "≥", 0)
    wrong = statement(E(p(y), log(p(y)) - log(kernel(y, y))), "≥", 0)

    def known(name: str) -> Statement:
        return gibbs

    with pytest.raises(Unproved, match="sum to one"):
        prove(wrong, ByCalculation((lemma("Gibbs", {q: lambda i: kernel(i, i)}),)), known)


def test_a_kink_has_no_first_order_there() -> None:
    pi, old = law("π", Y, positive=True, depends=True), law("π_old", Y, positive=True)
    gain = function("A", Y)
    at_old = first_order(at=point("θ_old", {pi: old}))
    ratio = pi(y) / old(y)
    surrogate = E(old(y), ratio * gain(y))
    assert check(surrogate, at_old, E(pi(y), gain(y))).status == "proved"
    # Its value at θ_old is that of 1·A, its slope is not zero: min has its kink right there.
    assert check(E(old(y), minimum(ratio, 1) * gain(y)), at_old, E(old(y), gain(y))).status != "proved"


def test_a_clip_away_from_its_kinks_is_not_mistaken_for_a_constant() -> None:
    pi, old = law("π", Y, positive=True, depends=True), law("π_old", Y, positive=True)
    gain, epsilon = function("A", Y), parameter("ε", OPEN_UNIT)
    at_old = first_order(at=point("θ_old", {pi: old}))
    clipped = clip(pi(y) / old(y), 1 - epsilon, 1 + epsilon)
    assert check(E(old(y), clipped * gain(y)), at_old, E(old(y), gain(y))).status == "refuted"


@pytest.mark.parametrize("name", ["#0.0", "y·1", "", "a b"])
def test_names_that_the_checker_makes_up_are_not_for_users(name: str) -> None:
    with pytest.raises(StatementError, match="expected one without"):
        Y.index(name)
