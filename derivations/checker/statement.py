"""What is judged: two terms, a relation between them, and everything that is assumed.

A statement is universally closed over its free indices, over every size of its sorts, over every length of its
histories, and over every choice of its functions within their domains. A statement that `exists` says instead that some
choice makes it hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import Any

from derivations.checker.errors import StatementError
from derivations.checker.terms import (
    Apply,
    Cases,
    Definition,
    Derivative,
    Expectation,
    Function,
    Index,
    Indicator,
    Length,
    Log,
    Maximum,
    Minimum,
    Number,
    Path,
    Power,
    Recursion,
    Scalar,
    Size,
    Sort,
    Term,
    bound_here,
    bound_indices,
    children,
    depends_on_theta,
    free_indices,
    functions,
    rebuild,
    sorts,
    subterms,
    term,
)

# --- relations ------------------------------------------------------------------------------------------------------

_SPELLINGS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}
COMPARISONS = ("=", "≠", "<", "≤", ">", "≥")
NEGATION = {"=": "≠", "≠": "=", "<": "≥", "≥": "<", ">": "≤", "≤": ">"}
CONVERSE = {"=": "=", "≠": "≠", "<": ">", ">": "<", "≤": "≥", "≥": "≤"}


@dataclass(frozen=True)
class SameMaximiser:
    """On every class of policies, both sides are maximised by the same members: they order policies alike."""

    over: Function

    def __str__(self) -> str:
        return f"same maximiser over {self.over.name} as"


@dataclass(frozen=True)
class Point:
    """A value θ_old of the parameters, told by what functions are there: {π: π_old}."""

    name: str
    values: tuple[tuple[Function, Function], ...]


def point(name: str, values: Mapping[Function, Function]) -> Point:
    """The point at which each function of θ equals a given function that does not depend on θ."""
    for moving, still in values.items():
        if not moving.depends or still.depends or moving.sorts != still.sorts:
            raise StatementError(
                f"point {name}: {moving.name} ↦ {still.name}; expected a function of θ and a fixed one of the same sorts"
            )
    return Point(name, tuple(values.items()))


@dataclass(frozen=True)
class FirstOrder:
    """Equal in value and in derivative at a point."""

    at: Point

    def __str__(self) -> str:
        return f"equals to first order at {self.at.name}"


Relation = str | SameMaximiser | FirstOrder


def same_maximiser(over: Function) -> SameMaximiser:
    """The relation “has the same maximisers over π as”, on every class of policies."""
    return SameMaximiser(over)


def first_order(at: Point) -> FirstOrder:
    """The relation “equals in value and derivative at θ_old”."""
    return FirstOrder(at)


def relation(given: Relation) -> Relation:
    """A relation in its one spelling: <= becomes ≤."""
    if isinstance(given, (SameMaximiser, FirstOrder)):
        return given
    spelled = _SPELLINGS.get(given, given)
    if spelled not in COMPARISONS:
        raise StatementError(
            f"relation: given {given!r}; expected one of {' '.join(COMPARISONS)}, same_maximiser(over=…), first_order(at=…)"
        )
    return spelled


def compose(relations: Iterable[Relation]) -> Relation:
    """The relation between the ends of a chain; chains that do not compose are refused.

    = composes with everything but ≠ only once; ≤ with < and ≤; ≥ with > and ≥; the others with = and themselves.
    """
    result: Relation = "="
    for step in relations:
        if step == "=":
            continue
        if result == "=":
            result = step
        elif {result, step} <= {"≤", "<"}:
            result = "<" if "<" in (result, step) else "≤"
        elif {result, step} <= {"≥", ">"}:
            result = ">" if ">" in (result, step) else "≥"
        elif result != step or step == "≠":
            raise StatementError(f"a chain of {result} and {step} says nothing of its ends")
    return result


# --- hypotheses -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hypothesis:
    """An assumption with a name: a relation for all values of some indices, wherever `given` holds."""

    name: str
    left: Term
    relation: str
    right: Term
    for_all: tuple[Index, ...] = ()
    given: Indicator | None = None

    def __post_init__(self) -> None:
        if self.relation not in COMPARISONS:
            raise StatementError(f"hypothesis {self.name!r}: relation {self.relation!r} is not a comparison")
        inside = bound_indices(self.left) | bound_indices(self.right)
        if inside & set(self.for_all):
            raise StatementError(f"hypothesis {self.name!r}: an index is bound twice")

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms that it is made of."""
        return (self.left, self.right) + ((self.given,) if self.given is not None else ())


@dataclass(frozen=True)
class Finite:
    """The assumption that a sort declared `infinite` is finite after all."""

    sort: Sort
    name: str = ""

    @property
    def terms(self) -> tuple[Term, ...]:
        """None: it speaks of a sort."""
        return ()


@dataclass(frozen=True)
class Summable:
    """The assumption that a sum over an infinite sort converges absolutely."""

    index: Index
    body: Term
    name: str = ""

    @property
    def terms(self) -> tuple[Term, ...]:
        """The summand."""
        return (self.body,)


@dataclass(frozen=True)
class Dominated:
    """The assumption that a sum over an infinite sort may be differentiated term by term (a summable bound)."""

    index: Index
    body: Term
    name: str = ""

    @property
    def terms(self) -> tuple[Term, ...]:
        """The summand."""
        return (self.body,)


Assumption = Hypothesis | Finite | Summable | Dominated


def assume(
    name: str,
    left: Scalar,
    comparison: str,
    right: Scalar,
    *,
    for_all: Iterable[Index] = (),
    given: Indicator | None = None,
) -> Hypothesis:
    """A hypothesis, as in assume("q > 0", q(y), ">", 0, for_all=[y])."""
    spelled = relation(comparison)
    if not isinstance(spelled, str):
        raise StatementError(f"hypothesis {name!r}: expected a comparison of two terms")
    return Hypothesis(name, term(left), spelled, term(right), tuple(for_all), given)


def covers(q: Apply, p: Apply) -> Hypothesis:
    """q > 0 wherever p > 0."""
    for_all = tuple(sorted(free_indices(q) | free_indices(p), key=lambda i: i.name))
    name = f"{q.function.name} > 0 wherever {p.function.name} > 0"
    return assume(name, q, ">", 0, for_all=for_all, given=Indicator(p, "≠", Number(Fraction(0))))


def finite(sort: Sort) -> Finite:
    """The assumption that a sort is finite."""
    return Finite(sort, f"{sort.name} is finite")


# --- statements -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Statement:
    """left relation right, under assumptions; what is proved or refuted is this object."""

    left: Term
    relation: Relation
    right: Term
    assuming: tuple[Assumption, ...] = ()
    standing: tuple[Assumption, ...] = ()
    definitions: tuple[Definition, ...] = ()
    recursions: tuple[Recursion, ...] = ()
    exists: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        _check_names(self)
        _check_scopes(self)
        _check_equations(self)
        _check_relation(self)
        if self.exists and not isinstance(self.relation, str):
            raise StatementError("a statement of existence needs a comparison")

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Every term that the statement is made of."""
        assumed = tuple(t for a in (*self.assuming, *self.standing) for t in a.terms)
        defined = tuple(d.value for d in self.definitions)
        recursive = tuple(t for r in self.recursions for t in (r.start, r.step))
        return (self.left, self.right, *assumed, *defined, *recursive)

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """The functions and parameters that occur, by name."""
        found = {f for t in self.terms for f in functions(t)}
        found |= {d.function for d in self.definitions} | {r.function for r in self.recursions}
        if isinstance(self.relation, FirstOrder):
            found |= {f for pair in self.relation.at.values for f in pair}
        if isinstance(self.relation, SameMaximiser):
            found.add(self.relation.over)
        return tuple(sorted(found, key=lambda f: f.name))

    @cached_property
    def sorts(self) -> tuple[Sort, ...]:
        """The sorts that occur, by name."""
        found = {s for t in self.terms for s in sorts(t)} | {s for f in self.functions for s in f.sorts}
        found |= {a.sort for a in (*self.assuming, *self.standing) if isinstance(a, Finite)}
        return tuple(sorted({p for s in found for p in (s, *s.start, *s.step)}, key=lambda s: s.name))

    @cached_property
    def free(self) -> tuple[Index, ...]:
        """The indices over which the statement is universally closed."""
        found = free_indices(self.left) | free_indices(self.right)
        for assumption in (*self.assuming, *self.standing):
            for part in assumption.terms:
                found |= free_indices(part) - frozenset(_own_indices(assumption))
        return tuple(sorted(found, key=lambda i: i.name))

    @cached_property
    def infinite_sorts(self) -> tuple[Sort, ...]:
        """The sorts that are neither declared nor assumed to be finite."""
        assumed = {a.sort for a in (*self.assuming, *self.standing) if isinstance(a, Finite)}
        return tuple(s for s in self.sorts if s.infinite and s not in assumed)

    def without(self, assumption: Assumption) -> Statement:
        """The same statement with one assumption dropped."""
        return replace(self, assuming=tuple(a for a in self.assuming if a != assumption))

    def to_sympy(self, sizes: Mapping[Sort, int], lengths: Mapping[Sort, int] | None = None) -> Any:
        """The statement as a SymPy relation at chosen sizes, every sum written out."""
        from derivations.checker.border import statement_to_sympy

        return statement_to_sympy(self, sizes, lengths)

    def __repr__(self) -> str:
        from derivations.checker.printing import statement_text

        return statement_text(self)

    def _repr_latex_(self) -> str:
        from derivations.checker.printing import statement_latex

        return f"$${statement_latex(self)}$$"


def statement(
    left: Scalar,
    comparison: Relation,
    right: Scalar,
    *,
    assuming: Iterable[Assumption] = (),
    standing: Iterable[Assumption] = (),
    definitions: Iterable[Definition] = (),
    recursions: Iterable[Recursion] = (),
    exists: bool = False,
) -> Statement:
    """A statement from two terms and a relation."""
    return Statement(
        term(left),
        relation(comparison),
        term(right),
        tuple(assuming),
        tuple(standing),
        tuple(definitions),
        tuple(recursions),
        exists,
    )


def _own_indices(assumption: Assumption) -> tuple[Index, ...]:
    match assumption:
        case Hypothesis():
            return assumption.for_all
        case Summable(index, _) | Dominated(index, _):
            return (index,)
    return ()


def _check_names(given: Statement) -> None:
    by_name: dict[str, Function] = {}
    for symbol in given.functions:
        other = by_name.setdefault(symbol.name, symbol)
        if other != symbol:
            raise StatementError(f"{symbol.name} is declared twice, in different ways")
    sorts_by_name: dict[str, Sort] = {}
    for sort in given.sorts:
        if sorts_by_name.setdefault(sort.name, sort) != sort:
            raise StatementError(f"sort {sort.name} is declared twice, in different ways")


def _check_scopes(given: Statement) -> None:
    for side in given.terms:
        # An assumption's own free indices are those of the statement; what it binds is its own.
        outer = frozenset(given.free) if side in (given.left, given.right) else frozenset()
        both = (free_indices(side) | outer) & bound_indices(side)
        if both:
            name = min(i.name for i in both)
            raise StatementError(f"index {name} is bound in one place and free in another; rename one of them")


def _check_equations(given: Statement) -> None:
    """Each function has one equation; definitions go in no circle; lengths are those of the statement, not of a prefix."""
    defined = [d.function for d in given.definitions] + [r.function for r in given.recursions]
    twice = {f.name for f in defined if defined.count(f) > 1}
    if twice:
        raise StatementError(f"{min(twice)} is given by two equations; expected one")
    values = {d.function: d.value for d in given.definitions}
    for symbol in values:
        reached, pending = set(), {f for f in _flat_functions(values[symbol], symbol) if f in values}
        while pending:
            following = pending.pop()
            if following == symbol:
                raise StatementError(f"{symbol.name} is defined by itself")
            if following not in reached:
                reached.add(following)
                pending |= {f for f in functions(values[following]) if f in values}
    for term_ in (*values.values(), *(t for r in given.recursions for t in (r.start, r.step))):
        for node in subterms(term_):
            level = isinstance(node, (Length, Size)) and node.sort.is_history
            if level or any(i.sort.is_history for i in bound_here(node)):
                raise StatementError("an equation speaks of all histories of a length; it may speak of its own only")


def _flat_functions(value: Term, symbol: Function) -> frozenset[Function]:
    """The functions in a definition; a function of histories may speak of itself one step later."""
    extended = {
        n.function
        for n in subterms(value)
        if isinstance(n, Apply) and any(isinstance(a, Path) and a.prefix is not None for a in n.arguments)
    }
    return functions(value) - (frozenset((symbol,)) if symbol in extended else frozenset())


def _check_relation(given: Statement) -> None:
    if isinstance(given.relation, SameMaximiser):
        for rule in given.recursions:
            if given.relation.over in functions(rule.start) | functions(rule.step):
                raise StatementError(f"the recursion of {rule.function.name} depends on {given.relation.over.name}")


def at_point(node: Term, where: Point) -> Term:
    """A term at θ_old: each function of θ is replaced by its value there; derivatives keep their name."""
    mapping = dict(where.values)
    if isinstance(node, Apply) and node.function in mapping and node.order == 0:
        return Apply(mapping[node.function], node.arguments)
    parts = tuple(at_point(child, where) for child in children(node))
    if isinstance(node, Expectation) and isinstance(parts[0], Apply):
        return Expectation(parts[0], parts[1])
    return rebuild(node, parts)


# --- what must be defined -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Obligation:
    """A term that must be positive (under a logarithm) or not zero (under a division), where its guards hold."""

    what: Term
    positive: bool
    guards: tuple[Apply | Indicator, ...]
    reason: str


def obligations(node: Term, guards: tuple[Apply | Indicator, ...] = (), moving: int = 0) -> Iterator[Obligation]:
    """Everything inside a term that must be positive or not zero for it to be defined.

    An expectation guards its body: there its law is not zero. Inside a derivative a law that moves with θ guards
    nothing, because its support may move too. `moving` counts the derivatives around a term: under one alone, terms of
    a minimum or a maximum may meet where their slopes are equal.
    """
    match node:
        case Log(argument):
            yield Obligation(argument, True, guards, "the logarithm of")
        case Power(base, exponent) if exponent < 0:
            yield Obligation(base, False, guards, "a division by")
        case Expectation(distribution, body):
            inside = guards if moving and depends_on_theta(distribution) else (*guards, distribution)
            yield from obligations(body, inside, moving)
            return
        case Cases(condition, then, otherwise):
            yield from obligations(condition, guards, moving)
            yield from obligations(then, (*guards, condition), moving)
            opposite = Indicator(condition.left, NEGATION[condition.relation], condition.right)
            yield from obligations(otherwise, (*guards, opposite), moving)
            return
        case Derivative(body):
            yield from obligations(body, guards, moving + 1)
            return
        case Minimum(parts) | Maximum(parts) if moving and depends_on_theta(node):
            for first, second in combinations(parts, 2):
                kinked = (Indicator(Derivative(first), "≠", Derivative(second)),) if moving == 1 else ()
                yield Obligation(first - second, False, guards + kinked, "a slope where two terms meet, at a zero of")
        case Indicator(left, _, right) if moving and depends_on_theta(node):
            yield Obligation(left - right, False, guards, "a slope where a condition changes, at a zero of")
    for child in children(node):
        yield from obligations(child, guards, moving)


__all__ = [
    "Assumption",
    "Dominated",
    "Finite",
    "FirstOrder",
    "Hypothesis",
    "Obligation",
    "Point",
    "Relation",
    "SameMaximiser",
    "Statement",
    "Summable",
    "assume",
    "at_point",
    "compose",
    "covers",
    "finite",
    "first_order",
    "obligations",
    "point",
    "relation",
    "same_maximiser",
    "statement",
]
