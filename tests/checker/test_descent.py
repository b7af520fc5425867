"""Counterexamples to inequalities, looked for downhill: they are evaluated, and what is true has none."""

from __future__ import annotations

import pytest

from derivations import NONNEGATIVE, POSITIVE, E, Sort, Statement, assume, function, kl, law, log, parameter, statement
from derivations.checker.descent import descend
from derivations.checker.mutate import QUICK
from derivations.checker.refute import fails_in, refute

Y = Sort("Y")
y, w = Y.indices("y w")
p, q = law("p", Y, positive=True), law("q", Y, positive=True)
f = function("f", Y)
k, s = parameter("k", NONNEGATIVE), parameter("s", POSITIVE)
near = assume("D(p‖q) ≤ k²", kl(p, q, y), "≤", k**2)
bounded = assume("f² ≤ s²", f(w) ** 2, "≤", s**2, for_all=[w])
gain = E(p(y), f(y)) - E(q(y), f(y))

TRUE = [
    statement(gain, "≤", 2 * s, standing=[near, bounded]),
    statement(kl(p, q, y), "≥", 0),
    statement(E(p(y), f(y) ** 2), "≥", E(p(y), f(y)) ** 2),
    statement(log(s), "≤", s - 1),
]
FALSE = [
    statement(gain, "≤", k * s, standing=[near, bounded]),
    statement(gain, "≤", k**2 * s, standing=[near, bounded]),
    statement(kl(p, q, y), "≤", kl(q, p, w)),
]


@pytest.mark.parametrize("given", TRUE, ids=str)
def test_what_is_true_has_none(given: Statement) -> None:
    assert descend(given) is None


@pytest.mark.parametrize("given", FALSE, ids=str)
def test_what_is_found_fails_there(given: Statement) -> None:
    found = descend(given)
    assert found is not None
    assert fails_in(given, found.world) is not None


def test_one_that_is_not_found_at_once() -> None:
    assert refute(FALSE[0], QUICK) is None
    assert descend(FALSE[0]) is not None


@pytest.mark.parametrize(
    "given", [statement(k, "=", s), statement(k, "≠", s), statement(k, "<", s, exists=True)], ids=str
)
def test_only_inequalities_that_hold_for_all_are_doubted_so(given: Statement) -> None:
    assert descend(given) is None
