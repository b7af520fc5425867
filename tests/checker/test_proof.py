"""Derivations: each line follows by its own reason, needs it, and the relations compose."""

from __future__ import annotations

import pytest

from derivations.checker.errors import StatementError
from derivations.checker.proof import (
    ByCalculation,
    Derivation,
    Unproved,
    algebra,
    arithmetics,
    begin,
    differentiation,
    hypothesis,
    laws_sum_to_one,
    lemma,
    logarithms,
    pointwise,
    prove,
    strictly,
)
from derivations.checker.statement import Statement, assume, compose, covers, statement
from derivations.checker.terms import POSITIVE, REAL, D, E, Sort, Sum, Term, define, function, kl, law, log, parameter
from derivations.checker.verdict import check

Y, X = Sort("Y"), Sort("X")
y, v = Y.indices("y v")
y0, y1 = Y.indices("y0 y1")
x = X.index("x")
pi = law("π", Y, positive=True, depends=True)
r = function("r", Y)
p, q = law("p", Y), law("q", Y)
SCORE = E(pi(y), D(log(pi(y))) * r(y))


def proof_of(chain: Derivation, left: Term, relation: str, right: Term | int) -> None:
    prove(statement(left, relation, right), chain)


def test_a_chain_with_the_right_reasons_is_accepted() -> None:
    chain = begin(SCORE).then("=", Sum(y, D(pi(y)) * r(y)), differentiation)
    proof_of(chain, SCORE, "=", Sum(y, D(pi(y)) * r(y)))


@pytest.mark.parametrize("wrong", [algebra, laws_sum_to_one, logarithms, arithmetics])
def test_a_true_line_with_a_wrong_reason_is_rejected(wrong: object) -> None:
    chain = begin(SCORE).then("=", Sum(y, D(pi(y)) * r(y)), wrong)  # type: ignore[arg-type]
    with pytest.raises(Unproved, match="does not follow"):
        proof_of(chain, SCORE, "=", Sum(y, D(pi(y)) * r(y)))


def test_a_reason_that_is_not_needed_is_rejected() -> None:
    chain = begin(2 * r(y)).then("=", r(y) + r(y), laws_sum_to_one)
    with pytest.raises(Unproved, match="holds without it"):
        proof_of(chain, 2 * r(y), "=", r(y) + r(y))


def test_a_chain_that_ends_elsewhere_is_rejected() -> None:
    chain = begin(2 * r(y)).then("=", r(y) + r(y), algebra)
    with pytest.raises(Unproved, match="ends at"):
        proof_of(chain, 2 * r(y), "=", 3 * r(y))


def test_a_chain_without_lines_is_rejected() -> None:
    with pytest.raises(Unproved, match="no lines"):
        proof_of(begin(r(y)), r(y), "=", r(y))


def test_a_line_without_a_reason_is_refused() -> None:
    with pytest.raises(StatementError, match="needs a reason"):
        begin(r(y)).then("=", r(y))


@pytest.mark.parametrize(
    ("relations", "whole"),
    [(["=", "≤", "="], "≤"), (["≤", "<"], "<"), ([">", "≥"], ">"), (["=", "≠"], "≠"), ([], "=")],
)
def test_relations_that_compose(relations: list[str], whole: str) -> None:
    assert compose(relations) == whole


@pytest.mark.parametrize("relations", [["≤", "≥"], ["<", ">"], ["≠", "≠"], ["≠", "<"]])
def test_relations_that_do_not_compose_are_refused(relations: list[str]) -> None:
    with pytest.raises(StatementError, match="says nothing of its ends"):
        compose(relations)


def test_a_chain_of_smaller_steps_does_not_prove_an_equality() -> None:
    a = parameter("a", POSITIVE)
    chain = begin(log(a)).then("≤", a - 1, arithmetics)
    proof_of(chain, log(a), "≤", a - 1)
    with pytest.raises(Unproved, match="the statement says ="):
        proof_of(chain, log(a), "=", a - 1)


# --- hypotheses and definitions -------------------------------------------------------------------------------------


def test_a_hypothesis_is_used_only_where_it_is_named() -> None:
    known = assume("f is r", function("f", Y)(y), "=", r(y), for_all=[y])
    given = statement(Sum(y, function("f", Y)(y)), "=", Sum(y, r(y)), assuming=[known])
    prove(given, begin(given.left).then("=", given.right, hypothesis("f is r")))
    with pytest.raises(Unproved, match="does not follow"):
        prove(given, begin(given.left).then("=", given.right, algebra))
    with pytest.raises(Unproved, match="no hypothesis or definition"):
        prove(given, begin(given.left).then("=", given.right, hypothesis("f is not r")))


def test_a_definition_is_put_in() -> None:
    value, action = function("V", X), law("π", Y, given=[X])
    q_value = function("Q", X, Y)
    of_v = define(value(x), E(action(y, x), q_value(x, y)))
    given = statement(E(action(v, x), q_value(x, v) - value(x)), "=", 0, definitions=[of_v])
    assert check(given).status == "proved"
    assert check(statement(E(action(v, x), q_value(x, v) - value(x)), "=", 0)).status == "refuted"


def test_equations_that_go_in_circles_are_unknown_not_endless() -> None:
    f, g = function("f", Y), function("g", Y)
    circle = [assume("one", f(y), "=", g(y), for_all=[y]), assume("two", g(y), "=", f(y), for_all=[y])]
    with pytest.raises(Unproved, match="circles"):
        prove(statement(f(y), "=", r(y), assuming=circle))


# --- lemmas ---------------------------------------------------------------------------------------------------------

GIBBS = statement(kl(p, q, y), "≥", 0, standing=[covers(q(y), p(y))])
STRICT = statement(kl(p, q, y), ">", 0, assuming=[assume("p ≠ q", p(y0), "≠", q(y0))], standing=[covers(q(y), p(y))])


def library(name: str) -> Statement:
    return {"Gibbs": GIBBS, "strict": STRICT}[name]


def test_a_lemma_is_used_on_other_functions_and_multiplied() -> None:
    beta, ref = parameter("β", POSITIVE), law("π_ref", Y, positive=True)
    given = statement(3 - beta * kl(p, ref, v), "≤", 3)
    prove(given, begin(given.left).then("≤", 3, lemma("Gibbs", {q: ref}, times=beta)), library)


@pytest.mark.parametrize("times", [parameter("c", REAL), -parameter("β", POSITIVE)])
def test_an_inequality_is_not_multiplied_by_what_may_be_negative(times: Term) -> None:
    ref = law("π_ref", Y, positive=True)
    given = statement(times * kl(p, ref, v), "≥", 0)
    with pytest.raises(Unproved, match="does not follow"):
        prove(given, begin(given.left).then("≥", 0, lemma("Gibbs", {q: ref}, times=times)), library)


def test_a_lemma_whose_assumption_does_not_hold_here_is_not_used() -> None:
    other = law("s", Y)
    with pytest.raises(Unproved, match=r"assumes|nothing says"):
        prove(statement(kl(p, other, v), "≥", 0), ByCalculation((lemma("Gibbs", {q: other}),)), library)


def test_what_is_put_in_for_a_law_must_sum_to_one() -> None:
    weight = function("w", Y, domain=POSITIVE)
    with pytest.raises(Unproved, match="sum to one"):
        prove(statement(kl(p, weight, v), "≥", 0), ByCalculation((lemma("Gibbs", {q: weight}),)), library)


def test_an_index_that_an_assumption_fixes_is_not_generalised() -> None:
    """p ≠ q at y0 only; the strict lemma must not be used as if it were at every index."""
    ref = law("π_ref", Y, positive=True)
    at_one = assume("p ≠ π_ref at y0", p(y0), "≠", ref(y0))
    fine = statement(kl(p, ref, v), ">", 0, assuming=[at_one])
    use = lemma("strict", {q: ref}, at={y0: y0})
    prove(fine, begin(fine.left).then(">", 0, use), library)
    elsewhere = lemma("strict", {q: ref}, at={y0: y1})
    with pytest.raises(Unproved):
        prove(fine, begin(fine.left).then(">", 0, elsewhere), library)


def test_strictness_needs_a_place_where_it_is_strict() -> None:
    gap = function("g", Y, domain=POSITIVE)
    given = statement(Sum(y, gap(y)), ">", 0)
    prove(given, begin(given.left).then(">", 0, arithmetics))
    loose = function("l", Y)
    some = assume("l ≥ 0", loose(y), "≥", 0, for_all=[y])
    here = assume("l(y0) > 0", loose(y0), ">", 0)
    line = statement(Sum(y, loose(y)), ">", 0, standing=[some, here])
    prove(line, begin(line.left).then(">", 0, strictly(at=y0)))
    with pytest.raises(Unproved):
        prove(line, begin(line.left).then(">", 0, pointwise))
