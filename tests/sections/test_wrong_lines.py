"""Sections II, III and VI with one sign, factor or relation wrong: what proves the true line proves none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from derivations.checker.proof import Unproved, prove
from derivations.checker.statement import Statement
from derivations.checker.terms import D, E, Sum, log, recursion
from derivations.ledger import Ledger
from derivations.sections import importance_sampling as vi
from derivations.sections import reward_model as ii
from derivations.sections import trajectories as iii

Change = Callable[[Statement], Statement]


def left(change: Callable[..., object]) -> Change:
    return lambda given: replace(given, left=change(given.left))  # type: ignore[arg-type]


def right(change: Callable[..., object]) -> Change:
    return lambda given: replace(given, right=change(given.right))  # type: ignore[arg-type]


def turned(given: Statement) -> Statement:
    return replace(given, left=given.right, right=given.left)


def without_recursion_of(symbol: object, wrong: object) -> Change:
    def change(given: Statement) -> Statement:
        kept = tuple(r for r in given.recursions if r.function != symbol)
        assert len(kept) == len(given.recursions) - 1
        return replace(given, recursions=(*kept, wrong))  # type: ignore[arg-type]

    return change


def wrong_value(given: Statement) -> Statement:
    """Q without its discount."""
    (rule,) = given.definitions
    return replace(given, definitions=(replace(rule, value=rule.value * 2),))


NO_RATIO = recursion(vi.cumulative, start=lambda: 1, step=lambda h, s, a: vi.cumulative(h))
NO_GAMMA = recursion(iii.whole_weight, start=lambda u: iii.gamma, step=lambda k, u: iii.whole_weight(k))
LATE = recursion(iii.tail_weight, start=lambda u: iii.gamma, step=lambda k, u: iii.gamma * iii.tail_weight(k))
PLUS = vi.returns(vi.h) + vi.weight(vi.h) * vi.old_value(vi.h) + vi.advantages(vi.h)

WRONG: list[tuple[str, Change]] = [
    ("RM.1", left(lambda side: 1 - side)),
    ("RM.2", left(lambda side: -side)),
    ("RM.4", turned),
    ("RM.4.falls", turned),
    ("RM.4.gradient", right(lambda side: -side)),
    ("RM.4.gradient", right(lambda side: 2 * side)),
    ("RM.5.convex", turned),
    ("RM.5.minimum", turned),
    ("RM.5.two", right(lambda side: 2 * side)),
    ("RM.5.separable", turned),
    ("RM.5.corrected", right(lambda side: side + 1)),
    ("RM.5.corrected", turned),
    ("RM.6", right(lambda side: -side)),
    ("RM.6", right(lambda side: 2 * side)),
    ("RM.6.worse", turned),
    ("RM.6.worse", right(lambda side: 2 * side)),
    ("RM.6.compared", right(lambda side: side + 1)),
    ("RM.7.corrected", right(lambda side: 2 * side)),
    ("RM.9", right(lambda side: side + ii.offset(ii.x))),
    ("TR.2", right(lambda side: side**2)),
    ("TR.2.split", right(lambda side: 2 * side)),
    ("TR.3", without_recursion_of(iii.whole_weight, NO_GAMMA)),
    ("TR.3", without_recursion_of(iii.tail_weight, LATE)),
    ("TR.4", right(lambda side: side / 2)),
    ("TR.4.partial", right(lambda side: side / 2)),
    ("TR.5.corrected", turned),
    ("TR.6", turned),
    ("IS.2", right(lambda side: 2 * side)),
    ("IS.2.second", left(lambda side: side + 1)),
    ("IS.3", left(lambda side: E(vi.samples(vi.k), vi.trajectory_weight(vi.k) ** 3))),
    ("IS.5", right(lambda side: 2 * side)),
    ("IS.6", left(lambda side: side + vi.REMAINING)),
    ("IS.6", right(lambda side: -side)),
    ("IS.6", wrong_value),
    ("IS.7", right(lambda side: -side)),
    ("IS.7.true", without_recursion_of(vi.cumulative, NO_RATIO)),
    ("IS.7.true", left(lambda side: side + Sum(vi.h, vi.old_trajectory(vi.h) * D(vi.value(vi.h))))),
    ("IS.7.value", right(lambda side: 2 * side)),
    ("IS.8.bound", right(lambda side: side / 2)),
    ("IS.9", left(lambda side: 2 * side)),
    ("IS.10.less", turned),
    ("IS.10.difference", left(lambda side: E(vi.new_trajectory(vi.h), PLUS))),
    ("IS.10.collected", left(lambda side: -side)),
    ("IS.10.iteration", turned),
]


@pytest.mark.parametrize(("identifier", "change"), WRONG, ids=[f"{name}-{n}" for n, (name, _) in enumerate(WRONG)])
def test_a_wrong_line_is_not_proved(ledger: Ledger, identifier: str, change: Change) -> None:
    assertion = ledger.assertions[identifier]
    wrong = change(assertion.formal)
    assert wrong != assertion.formal
    for argument in (assertion.argument, None):
        with pytest.raises(Unproved):
            prove(wrong, argument, ledger.lemma)


def test_a_summed_loss_below_log_3_orders_nothing(ledger: Ledger) -> None:
    assertion = ledger.assertions["RM.5.corrected"]
    (below,) = assertion.formal.standing
    weaker = replace(assertion.formal, standing=(replace(below, right=log(3)),))  # type: ignore[type-var]
    with pytest.raises(Unproved):
        prove(weaker, assertion.argument, ledger.lemma)
