"""False neighbours of a statement: one small change each, of the kind that slips into a derivation.

A sign is flipped, a term or a factor dropped, a factor doubled, an exponent or a number shifted, an index exchanged for
another one in scope, a function for another of its kind, two functions swapped throughout (the arguments of a divergence,
a ratio upside down), max for min, ≥ for ≤. Most neighbours of a true statement are false; a checker has to see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

from derivations.checker.errors import DerivationsError
from derivations.checker.proof import Lemmas, Unproved, no_lemmas, prove, spelled_out
from derivations.checker.refute import Counterexample, Effort, refute
from derivations.checker.statement import CONVERSE, Statement
from derivations.checker.terms import (
    Add,
    Apply,
    Delta,
    Expectation,
    Function,
    Index,
    Made,
    Maximum,
    Minimum,
    Multiply,
    Number,
    Power,
    Sum,
    Term,
    bound_here,
    children,
    functions,
    rebuild,
    substitute_functions,
    term,
)
from derivations.checker.wellformed import require

REFUTED, ALSO_TRUE, UNKNOWN, WRONGLY_PROVED = "refuted", "also true", "unknown", "wrongly proved"


@dataclass(frozen=True)
class Mutant:
    """A changed statement, and the change in words."""

    change: str
    statement: Statement


def mutants(given: Statement) -> Iterator[Mutant]:
    """Every neighbour of a statement that has a meaning; each once, the statement itself left out.

    What it defines is put in first, so that slips inside a definition are among them.
    """
    given = spelled_out(given)
    seen = {given}
    for change, changed in _changed_statements(given):
        if changed in seen:
            continue
        seen.add(changed)
        try:
            require(changed)
        except DerivationsError:
            continue
        yield Mutant(change, changed)


def _changed_statements(given: Statement) -> Iterator[tuple[str, Statement]]:
    kinds = _kinds(given)
    for side in ("left", "right"):
        for change, changed in _changed_terms(getattr(given, side), given.free, kinds):
            made = _made(given, side, changed)
            if made is not None:
                yield f"{side}: {change}", made
    for first, second in combinations([f for f in given.functions if len(kinds[f]) > 1], 2):
        if second in kinds[first]:
            for side in ("left", "right"):
                swapped = _swapped(getattr(given, side), first, second)
                made = None if swapped is None else _made(given, side, swapped)
                if made is not None:
                    yield f"{side}: {first.name} and {second.name} swapped", made
    if given.relation in ("≤", "≥", "<", ">"):
        assert isinstance(given.relation, str)
        yield "the relation turned round", replace(given, relation=CONVERSE[given.relation])


def _made(given: Statement, side: str, changed: Term) -> Statement | None:
    try:
        return replace(given, left=changed) if side == "left" else replace(given, right=changed)
    except DerivationsError:
        return None


def _kinds(given: Statement) -> dict[Function, tuple[Function, ...]]:
    """For each function those that may stand in its place: same indices, law for law."""
    fixed = {r.function for r in given.recursions} | {d.function for d in given.definitions}
    plain = [f for f in given.functions if f not in fixed]
    return {f: tuple(g for g in plain if (g.sorts, g.law) == (f.sorts, f.law) and f in plain) for f in given.functions}


def _changed_terms(
    node: Term, scope: tuple[Index, ...], kinds: dict[Function, tuple[Function, ...]]
) -> Iterator[tuple[str, Term]]:
    yield from _changed_here(node, scope, kinds)
    inside = (*scope, *bound_here(node))
    parts = children(node)
    for k, child in enumerate(parts):
        if k == 0 and isinstance(node, Expectation):
            continue
        for change, changed in _changed_terms(child, inside, kinds):
            try:
                yield change, rebuild(node, (*parts[:k], changed, *parts[k + 1 :]))
            except DerivationsError:
                continue


def _changed_here(
    node: Term, scope: tuple[Index, ...], kinds: dict[Function, tuple[Function, ...]]
) -> Iterator[tuple[str, Term]]:
    match node:
        case Add(parts):
            for k, part in enumerate(parts):
                yield "a sign flipped", Add((*parts[:k], -part, *parts[k + 1 :]))
                yield "a term dropped", Add((*parts[:k], *parts[k + 1 :])) if len(parts) > 1 else term(0)
        case Multiply(parts):
            for k, part in enumerate(parts):
                if not isinstance(part, Number):
                    yield "a factor dropped", Multiply((*parts[:k], *parts[k + 1 :]))
                    yield "a factor doubled", Multiply((*parts[:k], 2 * part, *parts[k + 1 :]))
        case Power(base, exponent):
            yield "an exponent shifted", Power(base, exponent + 1)
            yield "a power inverted", Power(base, -exponent)
        case Number(value) if value != 0:
            yield "a number shifted", Number(value + Fraction(1))
        case Minimum(parts):
            yield "max for min", Maximum(parts)
        case Maximum(parts):
            yield "min for max", Minimum(parts)
        case Sum(index, body):
            yield "a sum doubled", 2 * Sum(index, body)
        case Expectation(distribution, body):
            for other in kinds.get(distribution.function, ()):
                if other != distribution.function:
                    yield (
                        f"{other.name} for {distribution.function.name}",
                        Expectation(Apply(other, distribution.arguments), body),
                    )
        case Apply(symbol, arguments, order):
            for other in kinds.get(symbol, ()):
                if other != symbol:
                    yield f"{other.name} for {symbol.name}", Apply(other, arguments, order)
            for k, argument in enumerate(arguments):
                for index in scope:
                    if isinstance(argument, Index) and index.sort == argument.sort and index != argument:
                        yield "an index exchanged", Apply(symbol, (*arguments[:k], index, *arguments[k + 1 :]), order)
        case Delta():
            yield "a δ dropped", term(1)


def _swapped(node: Term, first: Function, second: Function) -> Term | None:
    """A term with two functions swapped throughout; None where only one of them occurs, or the swap has no meaning."""
    if not {first, second} <= functions(node):
        return None
    indices = tuple(Index(Made(f"·{k}"), sort) for k, sort in enumerate(first.sorts))
    try:
        return substitute_functions(
            node, {first: (indices, Apply(second, indices)), second: (indices, Apply(first, indices))}
        )
    except DerivationsError:
        return None


@dataclass(frozen=True)
class Trial:
    """What became of a mutant."""

    mutant: Mutant
    outcome: str
    counterexample: Counterexample | None


ATTACK = Effort(sizes=12, ordered=30, random=25, late=40, minimise=0, again=0)


def attack(mutant: Mutant, lemmas: Lemmas = no_lemmas, effort: Effort = ATTACK) -> Trial:
    """Tries to prove and to refute a mutant; it must never be both."""
    found = refute(mutant.statement, effort)
    try:
        prove(mutant.statement, None, lemmas)
        proved = True
    except Unproved:
        proved = False
    outcomes = {
        (True, True): WRONGLY_PROVED,
        (True, False): ALSO_TRUE,
        (False, True): REFUTED,
        (False, False): UNKNOWN,
    }
    return Trial(mutant, outcomes[proved, found is not None], found)


__all__ = ["ALSO_TRUE", "ATTACK", "REFUTED", "UNKNOWN", "WRONGLY_PROVED", "Mutant", "Trial", "attack", "mutants"]
