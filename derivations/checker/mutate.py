"""False neighbours of a statement: one small change each, of the kind that slips into a derivation.

A sign is flipped, a term or a factor dropped, a factor doubled, an exponent, a number or a length shifted, an index
exchanged for another one in scope, a function for another of its kind, two functions swapped throughout (the arguments of
a divergence, π_old and π_ref), a ratio turned upside down, max for min, ≥ for ≤; in the sides, in the equations that they
rest on, and a hypothesis is dropped. Most neighbours of a true statement are false; a checker has to see it.

A mutant that is proved and has no counterexample is another truth. One that is proved and has a counterexample is a fault.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import partial
from itertools import combinations, zip_longest
from math import prod

from derivations.checker.arithmetic import patience
from derivations.checker.calculus import limit_of
from derivations.checker.descent import descend
from derivations.checker.doubt import doubt
from derivations.checker.errors import DerivationsError
from derivations.checker.limit_worlds import limit_fails
from derivations.checker.proof import Proof, Unproved, prove, spelled_out
from derivations.checker.question import Question
from derivations.checker.refute import Counterexample, Effort, refute
from derivations.checker.statement import CONVERSE, NEGATION, Statement
from derivations.checker.terms import (
    Add,
    Apply,
    Delta,
    Expectation,
    Function,
    Index,
    Length,
    Made,
    Maximum,
    Minimum,
    Multiply,
    Number,
    Power,
    Size,
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

Making = Callable[[], Term]

REFUTED, ALSO_TRUE, UNKNOWN, WRONGLY_PROVED = "refuted", "also true", "unknown", "wrongly proved"


@dataclass(frozen=True)
class Mutant:
    """A changed statement, and the change in words."""

    change: str
    statement: Statement


def mutants(given: Statement, most: int | None = None, seed: str = "") -> Iterator[Mutant]:
    """Every neighbour of a statement that has a meaning, each once, the statement itself left out; or `most` of them.

    What it defines is put in first, so that slips inside a definition are among them. Two that differ in the order of
    terms and factors only are one, such as 2f·g and f·2g. Where there are more than `most`, the kinds of change take turns.
    """
    given = spelled_out(given)
    changes = list(_changes(given))
    seen = {_likeness(given)}
    found = 0
    for change in changes if most is None else _dealt(changes, random.Random(seed)):
        if found == most:
            return
        try:
            changed = change.made()
            likeness = _likeness(changed)
            if likeness in seen:
                continue
            seen.add(likeness)
            require(changed)
        except DerivationsError:
            continue
        found += 1
        yield Mutant(change.words, changed)


@dataclass(frozen=True)
class Change:
    """A change of a statement: its kind, in words where it is made, and how; it may turn out to have no meaning."""

    kind: str
    place: str
    made: Callable[[], Statement]

    @property
    def words(self) -> str:
        """The kind and the place."""
        return f"{self.place}: {self.kind}" if self.place else self.kind


def _dealt(changes: Sequence[Change], draw: random.Random) -> Iterator[Change]:
    """The changes in turns: one of each kind at each place, then a second one of each, as chance has it."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        exchanged = " for " in change.kind and change.kind not in EXTREMA
        groups.setdefault(("exchanged" if exchanged else change.kind, change.place), []).append(change)
    piles = list(groups.values())
    draw.shuffle(piles)
    for pile in piles:
        draw.shuffle(pile)
    for turn in zip_longest(*piles):
        yield from (change for change in turn if change is not None)


EXTREMA = ("max for min", "min for max")


def _likeness(given: Statement) -> Hashable:
    """A statement up to the order of terms and factors. The normal form is not asked: it is what is attacked."""
    rules = [(r.function, _unordered(r.start), _unordered(r.step)) for r in given.recursions]
    return _unordered(given.left), given.relation, _unordered(given.right), given.assuming, given.standing, *rules


def _unordered(node: Term) -> Hashable:
    match node:
        case Add():
            return "+", frozenset(Counter(map(_unordered, _flat(node))).items())
        case Multiply():
            parts = list(_flat(node))
            number = prod((part.value for part in parts if isinstance(part, Number)), start=Fraction(1))
            others = Counter(_unordered(part) for part in parts if not isinstance(part, Number))
            return "·", number, frozenset(others.items())
        case Power(base, 1):
            return _unordered(base)
    own = tuple(value for part in fields(node) if not _holds_terms(value := getattr(node, part.name)))  # type: ignore[arg-type]
    return type(node), own, tuple(map(_unordered, children(node)))


def _holds_terms(value: object) -> bool:
    return isinstance(value, Term) or (isinstance(value, tuple) and any(isinstance(part, Term) for part in value))


def _flat(node: Term) -> Iterator[Term]:
    """The terms of a sum, or the factors of a product, and of those right inside it."""
    for part in children(node):
        if type(part) is type(node):
            yield from _flat(part)
        else:
            yield part


def _changes(given: Statement) -> Iterator[Change]:
    kinds = _kinds(given)
    for side in ("left", "right"):
        for kind, made in _changed_terms(getattr(given, side), given.free, kinds):
            yield Change(kind, side, partial(_with_side, given, side, made))
    spoken_of = _reached(given)
    for place, rule in enumerate(given.recursions):
        if rule.function not in spoken_of:
            # A slip in an equation of which nothing speaks, but perhaps a lemma, leaves the statement as it is.
            continue
        for part, scope in (("start", rule.start_indices), ("step", (rule.history, *rule.step_indices))):
            for kind, made in _changed_terms(getattr(rule, part), scope, kinds):
                yield Change(kind, f"{rule.function.name}, {part}", partial(_with_rule, given, place, part, made))
    for role in ("assuming", "standing"):
        for assumption in getattr(given, role):
            others = tuple(other for other in getattr(given, role) if other != assumption)
            yield Change(f"dropped: {assumption.name}", "", partial(replace, given, **{role: others}))
    for first, second in combinations([f for f in given.functions if len(kinds[f]) > 1], 2):
        if second in kinds[first]:
            for side in ("left", "right"):
                rest = [term_ for term_ in given.terms if term_ is not getattr(given, side)]
                # Where nothing else speaks of them, swapping them is giving them other names.
                elsewhere = any({first, second} & functions(term_) for term_ in rest)
                if elsewhere and {first, second} <= functions(getattr(given, side)):
                    made = partial(_swapped, getattr(given, side), first, second)
                    kind = f"{first.name} and {second.name} swapped"
                    yield Change(kind, side, partial(_with_side, given, side, made))
    if given.relation in ("≤", "≥", "<", ">"):
        assert isinstance(given.relation, str)
        yield Change("the relation turned round", "", partial(replace, given, relation=CONVERSE[given.relation]))


def _reached(given: Statement) -> set[Function]:
    """The functions that the sides and the assumptions speak of, by themselves or in the equations of those."""
    rules = {rule.function: functions(rule.start) | functions(rule.step) for rule in given.recursions}
    inside = [given.left, given.right, *(t for a in (*given.assuming, *given.standing) for t in a.terms)]
    waiting = [f for part in inside for f in functions(part)]
    reached: set[Function] = set()
    while waiting:
        symbol = waiting.pop()
        if symbol not in reached:
            reached.add(symbol)
            waiting += rules.get(symbol, ())
    return reached


def _with_side(given: Statement, side: str, made: Making) -> Statement:
    return replace(given, left=made()) if side == "left" else replace(given, right=made())


def _with_rule(given: Statement, place: int, part: str, made: Making) -> Statement:
    """Slips in the equation of a function of histories."""
    rule = given.recursions[place]
    other = replace(rule, start=made()) if part == "start" else replace(rule, step=made())
    return replace(given, recursions=(*given.recursions[:place], other, *given.recursions[place + 1 :]))


def _kinds(given: Statement) -> dict[Function, tuple[Function, ...]]:
    """For each function those that may stand in its place: same indices, law for law."""
    fixed = {r.function for r in given.recursions} | {d.function for d in given.definitions}
    plain = [f for f in given.functions if f not in fixed]
    return {f: tuple(g for g in plain if (g.sorts, g.law) == (f.sorts, f.law) and f in plain) for f in given.functions}


def _changed_terms(
    node: Term, scope: tuple[Index, ...], kinds: dict[Function, tuple[Function, ...]]
) -> Iterator[tuple[str, Making]]:
    """The changes in a term, each with what makes the changed one: most are never asked for."""
    for kind, changed in _changed_here(node, scope, kinds):
        yield kind, partial(_itself, changed)
    inside = (*scope, *bound_here(node))
    for k, child in enumerate(children(node)):
        if k == 0 and isinstance(node, Expectation):
            continue
        for kind, made in _changed_terms(child, inside, kinds):
            yield kind, partial(_rebuilt, node, k, made)


def _itself(node: Term) -> Term:
    return node


def _rebuilt(node: Term, place: int, made: Making) -> Term:
    parts = children(node)
    return rebuild(node, (*parts[:place], made(), *parts[place + 1 :]))


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
            yield from _upside_down(parts)
        case Length() | Size():
            yield "a length shifted", node + 1
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


def _upside_down(parts: tuple[Term, ...]) -> Iterator[tuple[str, Term]]:
    """a/b as b/a, for each factor and each that divides it."""
    for k, part in enumerate(parts):
        for j, other in enumerate(parts):
            if isinstance(other, Power) and other.exponent == -1 and not isinstance(part, (Power, Number)):
                turned = {k: Power(part, -1), j: other.base}
                yield "a ratio upside down", Multiply(tuple(turned.get(n, p) for n, p in enumerate(parts)))


def _swapped(node: Term, first: Function, second: Function) -> Term:
    """A term with two functions swapped throughout."""
    indices = tuple(Index(Made(f"·{k}"), sort) for k, sort in enumerate(first.sorts))
    return substitute_functions(
        node, {first: (indices, Apply(second, indices)), second: (indices, Apply(first, indices))}
    )


# --- the attack -----------------------------------------------------------------------------------------------------

WORLDS = 1000
QUICK = Effort(sizes=6, ordered=20, random=10, late=10, minimise=0, again=0)
HARD = Effort(minimise=0, again=0)  # for what is neither proved nor refuted quickly
LARGE = Effort(sizes=8, ordered=30, random=20, late=0, minimise=0, again=0, fewest=HARD.entries + 1, entries=130)

PATIENCE, LITTLE_PATIENCE = (1000, 3000), (80, 120)  # milliseconds: for one question, and for all
UNPROVED = 200  # more worlds for what is not proved, of which many were looked at before: nothing is claimed of it

Prover = Callable[[Statement], Proof]
Proposal = Callable[[Statement], Counterexample | None]


@dataclass(frozen=True)
class Trial:
    """What became of a mutant: its counterexample or its proof, and in how many worlds the first was looked for."""

    mutant: Mutant
    outcome: str
    counterexample: Counterexample | None
    proof: Proof | None
    worlds: int
    reason: str = ""


def attack(
    mutant: Mutant, provers: Sequence[Prover] = (prove,), proposals: Sequence[Proposal] = (), worlds: int = WORLDS
) -> Trial:
    """Tries to prove a mutant in every way, and looks for a counterexample in so many worlds; it must never have both.

    `proposals` are counterexamples to try first, such as those that have refuted the statement without a hypothesis.
    """
    given = mutant.statement
    if given.exists:
        return _attack_on_existence(mutant, provers, proposals, worlds)
    shown = _without_limit(given)
    question = Question(shown)
    found, looked = _proposed(given, proposals) or refute(shown, QUICK, question=question), 0
    # What is false is proved by a fault, at once or never: a fault does not need time.
    with patience(*(PATIENCE if found is None else LITTLE_PATIENCE)):
        proof, reason = _proof(given, provers)
    if found is None and proof is None:
        found = limit_fails(given) or refute(shown, HARD) or refute(shown, LARGE) or descend(shown)
    if found is None:
        proved = proof is not None
        doubted = doubt(shown, worlds, question=question) if proved else doubt(shown, min(worlds, UNPROVED))
        found, looked = doubted.found, doubted.worlds
    if found is not None:
        return Trial(mutant, REFUTED if proof is None else WRONGLY_PROVED, found, proof, looked)
    if proof is None:
        return Trial(mutant, UNKNOWN, None, None, looked, reason)
    if not looked:
        # Nothing is learned from a proof where no world has what is assumed.
        return Trial(mutant, UNKNOWN, None, proof, looked, "no world was found in which everything assumed holds")
    return Trial(mutant, ALSO_TRUE, None, proof, looked)


def _without_limit(given: Statement) -> Statement:
    """A statement on a limit, which no world has, as one on the term that it is, where the rules find that."""
    try:
        return replace(given, left=limit_of(given))
    except DerivationsError:
        return given


def _proof(given: Statement, provers: Sequence[Prover]) -> tuple[Proof | None, str]:
    reason = ""
    for prover in provers:
        try:
            return prover(given), ""
        except Unproved as error:
            reason = reason or str(error)
    return None, reason


def _proposed(given: Statement, proposals: Sequence[Proposal]) -> Counterexample | None:
    for proposal in proposals:
        try:
            found = proposal(given)
        except (DerivationsError, KeyError):
            # It is made for a statement with other functions.
            continue
        if found is not None:
            return found
    return None


def _attack_on_existence(
    mutant: Mutant, provers: Sequence[Prover], proposals: Sequence[Proposal], worlds: int
) -> Trial:
    """That something exists is shown by an example, and refuted by a proof that the contrary holds for all."""
    given = mutant.statement
    assert isinstance(given.relation, str)
    found = _proposed(given, proposals) or refute(given, QUICK) or doubt(given, worlds).found
    with patience(*PATIENCE):
        contrary, reason = _proof(replace(given, relation=NEGATION[given.relation], exists=False), provers)
    if found is not None:
        example = Proof((), "example")
        return Trial(mutant, ALSO_TRUE if contrary is None else WRONGLY_PROVED, found, example, 1)
    return Trial(mutant, UNKNOWN if contrary is None else REFUTED, None, contrary, worlds, reason)


__all__ = [
    "ALSO_TRUE",
    "REFUTED",
    "UNKNOWN",
    "WORLDS",
    "WRONGLY_PROVED",
    "Mutant",
    "Proposal",
    "Prover",
    "Trial",
    "attack",
    "mutants",
]
