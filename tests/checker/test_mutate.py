"""Mutants: every kind of slip is among them, each once; what becomes of them is told as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from derivations import (
    POSITIVE,
    REAL,
    D,
    E,
    Length,
    Sort,
    Statement,
    Sum,
    Summable,
    assume,
    exp,
    function,
    histories,
    kl,
    law,
    log,
    maximum,
    minimum,
    parameter,
    recursion,
    statement,
)  # fmt: skip
from derivations.checker.mutate import (
    ALSO_TRUE,
    REFUTED,
    UNKNOWN,
    WRONGLY_PROVED,
    Mutant,
    attack,
    mutants,
)  # fmt: skip
from derivations.checker.proof import Proof, Unproved, prove
from derivations.checker.refute import fails_in
from derivations.checker.terms import define
from derivations.checker.worlds import world

Y = Sort("Y")
y, w = Y.indices("y w")
p, q = law("p", Y, positive=True), law("q", Y, positive=True)
old, ref = law("π_old", Y, positive=True), law("π_ref", Y, positive=True)
f, g = function("f", Y), function("g", Y)
c, d, s = parameter("c", REAL), parameter("d", REAL), parameter("s", POSITIVE)
H = histories("H", step=[Y])
h = H.index("h")
G = function("G", H)
SUMMED = recursion(G, start=lambda: 0, step=lambda h, y: G(h) + f(y))


def changes(given: Statement) -> set[str]:
    return {mutant.change for mutant in mutants(given)}


@pytest.mark.parametrize(
    ("given", "change"),
    [
        (statement(c - d, "=", c + d), "left: a sign flipped"),
        (statement(c + d, "=", d + c), "right: a term dropped"),
        (statement(c * d, "=", d * c), "left: a factor dropped"),
        (statement(c * d, "=", d * c), "left: a factor doubled"),
        (statement(c**2, "≥", 0), "left: an exponent shifted"),
        (statement(s**2, "≥", 0), "left: a power inverted"),
        (statement(2 * c, "=", c + c), "left: a number shifted"),
        (statement(p(y) / q(y) * f(y), "=", f(y) * p(y) / q(y)), "left: a ratio upside down"),
        (statement(f(y) + f(w), "=", f(w) + f(y)), "left: an index exchanged"),
        (statement(Length(H) * c, "=", c * Length(H)), "left: a length shifted"),
        (statement(G(h) + Length(H), "=", G(h) + Length(H), recursions=[SUMMED]), "G, step: a sign flipped"),
        (statement(G(h), "=", G(h) + 0, recursions=[SUMMED]), "G, step: a term dropped"),
        (statement(minimum(c, d), "≤", c), "left: max for min"),
        (statement(maximum(c, d), "≥", c), "left: min for max"),
        (statement(c * c, "≥", 0), "the relation turned round"),
        (statement(kl(p, q, y), "≥", 0 * kl(q, p, w)), "left: p and q swapped"),
        (statement(E(old(y), f(y) / ref(y)), "=", E(old(w), f(w) / ref(w))), "left: π_ref for π_old"),
        (statement(E(old(y), f(y) / ref(y)), "=", E(old(w), f(w) / ref(w))), "left: π_old and π_ref swapped"),
        (statement(c / c, "=", 1, assuming=[assume("c > 0", c, ">", 0)]), "dropped: c > 0"),
        (statement(c * d, ">", 0, standing=[assume("c > 0", c, ">", 0), assume("d > 0", d, ">", 0)]), "dropped: d > 0"),
    ],
)  # fmt: skip
def test_every_kind_of_slip_is_made(given: Statement, change: str) -> None:
    assert (change in changes(given)) is (change != "dropped: c > 0"), changes(given)


def test_a_mutant_without_meaning_is_none() -> None:
    """c/c = 1 without c > 0 is not refuted: it is refused."""
    given = statement(c / c, "=", 1, assuming=[assume("c > 0", c, ">", 0)])
    assert not any("dropped:" in change for change in changes(given))


def test_slips_are_made_inside_definitions() -> None:
    value = function("V", Y)
    given = statement(value(y), "≥", 0, definitions=[define(value(y), f(y) ** 2)])
    assert "left: an exponent shifted" in changes(given)


def test_each_is_made_once_whatever_the_order_of_factors_and_terms() -> None:
    given = statement(c * d * f(y), "=", f(y) * (d * c))
    doubled = [m for m in mutants(given) if m.change == "left: a factor doubled"]
    assert len(doubled) == 1
    terms = [m for m in mutants(statement(c + d + (c + d), "=", 2 * c + 2 * d)) if m.change == "left: a term dropped"]
    assert len(terms) == 3  # c, d, and both


def test_the_order_is_no_slip() -> None:
    assert all(m.statement != statement(d * c, "=", c * d) for m in mutants(statement(c * d, "=", c * d)))


def test_new_names_are_no_slip() -> None:
    """p and q swapped in all of D(p‖q) ≥ 0 is D(q‖p) ≥ 0: the same."""
    assert "left: p and q swapped" not in changes(statement(kl(p, q, y), "≥", 0))


def test_some_of_many_are_of_every_kind_in_turns_and_always_the_same() -> None:
    given = statement(E(p(y), log(p(y)) * f(y) ** 2 / q(y)), "=", E(p(w), f(w) * f(w) * log(p(w)) / q(w)))
    every, some = list(mutants(given)), list(mutants(given, 8, "a seed"))
    assert len(some) == 8 < len(every)
    assert len({m.change for m in some}) == 8
    assert some == list(mutants(given, 8, "a seed")) != list(mutants(given, 8, "another"))
    assert len(list(mutants(given, 10_000))) == len(every)
    assert list(mutants(given, 0)) == []


# --- what becomes of them -------------------------------------------------------------------------------------------


def mutant(*parts: object, **details: object) -> Mutant:
    return Mutant("a change", statement(*parts, **details))  # type: ignore[arg-type]


def believes(_: Statement) -> Proof:
    return Proof((), "belief")


def doubts(_: Statement) -> Proof:
    raise Unproved("it is too hard")


@pytest.mark.parametrize(
    ("given", "prover", "outcome"),
    [
        (mutant(c * c, "≥", 0), prove, ALSO_TRUE),
        (mutant(c * c, "≥", 0), doubts, UNKNOWN),
        (mutant(c * c, ">", 0), prove, REFUTED),
        (mutant(c * c, ">", 0), doubts, REFUTED),
        (mutant(c * c, ">", 0), believes, WRONGLY_PROVED),
        (mutant(c * d, "≠", 7), believes, WRONGLY_PROVED),
        (mutant(c, "=", d, standing=[assume("c < c", c, "<", c)]), prove, UNKNOWN),
        (mutant(Sum(y, f(y)), "=", 3, exists=True), prove, ALSO_TRUE),
        (mutant(Sum(y, f(y) ** 2), "<", 0, exists=True), prove, REFUTED),
        (mutant(Sum(y, f(y) ** 2), "<", 0, exists=True), doubts, UNKNOWN),
        (mutant(Sum(y, f(y)), "=", 3, exists=True), believes, WRONGLY_PROVED),
    ],
)
def test_what_becomes_of_a_mutant(given: Mutant, prover: Callable[[Statement], Proof], outcome: str) -> None:
    trial = attack(given, [prover], worlds=200)
    assert trial.outcome == outcome
    assert (trial.proof is not None) is (outcome in (ALSO_TRUE, WRONGLY_PROVED)) or outcome in (REFUTED, UNKNOWN)
    assert not (trial.outcome == UNKNOWN and trial.reason == "")


def test_what_is_proved_is_looked_at_in_a_thousand_worlds() -> None:
    assert attack(mutant(E(p(y), f(y) ** 2), "≥", 0)).worlds >= 1000


def test_each_prover_is_asked() -> None:
    assert attack(mutant(c * c, "≥", 0), [doubts, prove], worlds=10).outcome == ALSO_TRUE


def test_a_proposed_counterexample_is_tried_first_and_one_of_another_statement_does_no_harm() -> None:
    hard = mutant(c**3 + d**3, "≠", 1729 * 1729)
    here = world({}, {c: 1729 * 12, d: 1729})

    def proposal(given: Statement) -> object:
        return fails_in(given, here)

    assert attack(hard, [doubts], worlds=20).outcome == UNKNOWN
    special = mutant(c - 12 * d, "≠", 0)
    assert attack(special, [doubts], [proposal], worlds=20).counterexample.world.tables == here.tables  # type: ignore[arg-type, union-attr]
    assert attack(mutant(f(y) ** 2, ">", 0), [doubts], [proposal]).outcome == REFUTED  # type: ignore[list-item]


def test_an_instance_that_no_world_is_settles_a_dropped_hypothesis() -> None:
    from derivations.ledger import Ledger

    ledger = Ledger()
    assertion = ledger.assertions["PG.1"]
    dropped = [m for m in mutants(assertion.formal) if m.change == "dropped: T is finite"]
    assert len(dropped) == 1
    (instance,) = assertion.instances
    assert attack(dropped[0], [prove], [instance.evaluate], worlds=50).outcome == REFUTED


# --- a mutant is a statement like any other -------------------------------------------------------------------------


def test_a_mutant_of_a_law_s_equation_stays_a_law_or_is_none() -> None:
    u = law("u", H)
    rule = recursion(u, start=lambda: 1, step=lambda h, y: u(h) * p(y))
    given = statement(Sum(h, u(h) * c), "=", c, recursions=[rule])
    made = list(mutants(given))
    assert made
    for each in made:
        changed = each.statement.recursions[0]
        assert changed == rule or "q" in repr(changed), each.change


def test_an_equation_of_which_the_statement_says_nothing_is_left_alone() -> None:
    """It stands there for a proof; what is said by way of another equation, or assumed, is spoken of."""
    n, m, k = function("n", H), function("m", H), function("k", H)
    rules = [
        recursion(n, start=lambda: 0, step=lambda h, y: n(h) + m(h)),
        recursion(m, start=lambda: 1, step=lambda h, y: m(h) + 1),
        recursion(k, start=lambda: 1, step=lambda h, y: k(h) + 1),
    ]
    h = H.index("h")
    places = {each.change.split(",")[0] for each in mutants(statement(n(h), "≥", 0, recursions=rules))}
    assert {"n", "m"} <= places
    assert "k" not in places
    assumed = statement(n(h), "≥", 0, assuming=[assume("k ≥ 0", k(h), "≥", 0, for_all=[h])], recursions=rules)
    assert any(each.change.startswith("k, ") for each in mutants(assumed))


def test_summability_may_be_dropped_too() -> None:
    far = Sort("N", infinite=True)
    n = far.index("n")
    r = function("r", far)
    given = statement(Sum(n, c * r(n)), "=", c * Sum(n, r(n)), standing=[Summable(n, r(n), "r is summable")])
    assert any("dropped" in change for change in changes(given))


def test_derivatives_and_exponentials_have_mutants() -> None:
    u = function("u", Y, depends=True)
    assert "right: a sign flipped" in changes(statement(D(exp(u(y)) + u(y)), "=", D(exp(u(y))) + D(u(y))))
