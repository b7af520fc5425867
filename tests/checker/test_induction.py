"""Statements about histories of every length: base and step are ordinary statements, and both are needed."""

from __future__ import annotations

import pytest

from derivations.checker import induction
from derivations.checker.errors import StatementError
from derivations.checker.proof import ByInduction, Unproved, prove
from derivations.checker.statement import assume, statement
from derivations.checker.terms import (
    POSITIVE,
    D,
    E,
    Length,
    Path,
    Size,
    Sort,
    Sum,
    function,
    histories,
    law,
    log,
    parameter,
    recursion,
    term,
)
from derivations.checker.verdict import check, judge

A = Sort("A")
H = histories("H", step=[A])
h = H.index("h")
a = A.index("a")
policy = law("π", A, given=[H], positive=True, depends=True)
weight = law("p", H, depends=True)
product = recursion(weight, start=lambda: 1, step=lambda h, a: weight(h) * policy(a, h))
count = function("n", H)
counting = recursion(count, start=lambda: 0, step=lambda h, a: count(h) + 1)


def test_the_law_of_histories_sums_to_one_at_every_length() -> None:
    assert check(Sum(h, weight(h)), "=", 1, recursions=[product]).status == "proved"


def test_base_and_step_are_what_one_would_write() -> None:
    given = statement(count(h), "=", Length(H), recursions=[counting])
    at_zero, after = induction.base(given), induction.step(given)
    assert (repr(at_zero.left), repr(at_zero.right)) == ("0", "0")
    assert (repr(after.left), repr(after.right)) == ("n(h) + 1", "t(H) + 1")
    assert judge(given).method == "induction"


def test_a_wrong_base_is_not_saved_by_a_right_step() -> None:
    given = statement(count(h), "=", Length(H) + 1, recursions=[counting])
    with pytest.raises(Unproved, match="base"):
        prove(given, ByInduction())
    assert judge(given).status == "refuted"


def test_a_right_base_is_not_enough() -> None:
    given = statement(count(h), "=", 2 * Length(H), recursions=[counting])
    with pytest.raises(Unproved, match="step"):
        prove(given, ByInduction())
    assert judge(given).status == "refuted"


def test_the_counterexample_tells_the_length() -> None:
    verdict = check(Size(H), "=", 1)
    assert verdict.status == "refuted"
    assert verdict.counterexample.lengths[H] == 1


def test_a_recursion_that_is_no_law_is_refused() -> None:
    twice = recursion(weight, start=lambda: 1, step=lambda h, a: 2 * weight(h) * policy(a, h))
    with pytest.raises(StatementError, match="not known to sum to one at length t"):
        check(Sum(h, weight(h)), "=", 1, recursions=[twice])
    heavy = recursion(weight, start=lambda: 2, step=lambda h, a: weight(h) * policy(a, h))
    with pytest.raises(StatementError, match="at length 0"):
        check(Sum(h, weight(h)), "=", 1, recursions=[heavy])


def test_a_recursion_that_leaves_its_domain_is_refused() -> None:
    positive = function("c", H, domain=POSITIVE)
    falling = recursion(positive, start=lambda: 1, step=lambda h, a: positive(h) - 1)
    with pytest.raises(StatementError, match="stay in"):
        check(positive(h), ">", 0, recursions=[falling])


def test_a_recursion_that_moves_with_theta_must_say_so() -> None:
    still = law("p", H)
    undeclared = recursion(still, start=lambda: 1, step=lambda h, a: still(h) * policy(a, h))
    with pytest.raises(StatementError, match="depends on θ"):
        check(D(still(h)), "=", 0, recursions=[undeclared])


def test_an_assumption_about_one_history_is_not_carried_along() -> None:
    """If the claim at h needs something of h, the induction hypothesis may not use it of the history before."""
    gift = function("g", H)
    zero_here = assume("g(h) = 0", gift(h), "=", 0)
    total = function("s", H)
    summed = recursion(total, start=lambda: 0, step=lambda h, a: total(h) + gift(h))
    given = statement(total(h), "=", 0, assuming=[zero_here], recursions=[summed])
    with pytest.raises(Unproved, match="one history only"):
        prove(given, ByInduction())
    assert judge(given).status == "refuted"
    everywhere = assume("g = 0", gift(h), "=", 0, for_all=[h])
    assert judge(statement(total(h), "=", 0, assuming=[everywhere], recursions=[summed])).status == "conditional"


def test_an_assumption_about_a_mean_is_one_about_the_histories_of_one_length() -> None:
    """That a mean over all histories of t steps is zero says nothing of fewer steps: induction may not use it."""
    given = statement(
        Sum(h, weight(h) * count(h)),
        "≤",
        0,
        assuming=[assume("E[n] ≤ 1", Sum(h, weight(h) * count(h)), "≤", 1)],
        recursions=[product, counting],
    )
    with pytest.raises(Unproved, match="one length"):
        prove(given, ByInduction())
    found = judge(given).counterexample
    assert found is not None
    assert found.lengths[H] == 1
    value = function("f", H)
    mean = Sum(h, weight(h) * value(h))
    late = statement(mean, "<", 0, assuming=[assume("E[f] < 0", mean, "<", 0)], recursions=[product])
    assert judge(late).status == "conditional"


def test_a_history_that_is_written_out_must_be_of_its_sort() -> None:
    with pytest.raises(StatementError, match="a history of H"):
        Path(H, h, (Sort("B").index("b"),))


def test_expectations_over_histories_unfold() -> None:
    score = function("Z", H, depends=True)
    scores = recursion(score, start=lambda: 0, step=lambda h, a: score(h) + D(log(policy(a, h))))
    assert check(E(weight(h), score(h)), "=", 0, recursions=[product, scores]).status == "proved"
    half = parameter("c", POSITIVE)
    assert check(E(weight(h), half * score(h)), "=", term(1), recursions=[product, scores]).status == "refuted"
