"""A statement made ready for evaluation: whether it fails in a world, and what its sides are there."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, lru_cache

from derivations.checker import reals
from derivations.checker.jets import Undefined, Undetermined
from derivations.checker.reals import Real
from derivations.checker.statement import (
    Assumption,
    FirstOrder,
    Hypothesis,
    SameMaximiser,
    Statement,
)
from derivations.checker.terms import (
    Apply,
    Derivative,
    Exp,
    Function,
    Index,
    Path,
    Sort,
    Term,
    bound_indices,
    children,
    free_indices,
    functions,
    substitute_functions,
    subterms,
    with_fresh_binders,
)
from derivations.checker.worlds import Element, World, free_assignments, holds


class Question:
    """A statement made ready for evaluation in worlds."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.admitted = 0  # worlds that were looked at and in which everything assumed holds
        self.harmless: set[object] = set()  # the choices known to make no world in which it fails

    @cached_property
    def pairs(self) -> tuple[tuple[Term, Term], ...]:
        """What is compared with what."""
        return pairs_of(self.statement)

    @cached_property
    def shown(self) -> tuple[Index, ...]:
        """The free indices of what is compared."""
        return tuple({index for pair in self.pairs for side in pair for index in free_indices(side)})

    @cached_property
    def last(self) -> frozenset[Function]:
        """What is defined on histories: a definition leaves the value at the last length open."""
        given = self.statement.definitions
        return frozenset(d.function for d in given if any(sort.is_history for sort in d.function.sorts))

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """The functions that a world has tables of."""
        statement = self.statement
        given = {d.function for d in statement.definitions} | {r.function for r in statement.recursions}
        given -= self.last
        found = tuple(f for f in statement.functions if f not in given)
        if isinstance(statement.relation, SameMaximiser):
            found += (_other(statement.relation.over),)
        return found

    @cached_property
    def sorts(self) -> tuple[Sort, ...]:
        """The sorts whose sizes are free."""
        return tuple(s for s in self.statement.sorts if not s.is_history)

    @cached_property
    def histories(self) -> tuple[Sort, ...]:
        """The sorts of histories, whose lengths are free."""
        return tuple(s for s in self.statement.sorts if s.is_history)

    @cached_property
    def order(self) -> int:
        """How many derivatives in θ are needed of what depends on it."""
        depends = any(f.depends for f in self.functions)
        return max([1, *(_depth(t) for t in self.statement.terms)]) if depends else 0

    @cached_property
    def exponential(self) -> frozenset[Function]:
        """The functions inside an exponential."""
        inside = (node for t in self.statement.terms for node in subterms(t) if isinstance(node, Exp))
        return frozenset(f for node in inside for f in functions(node))

    @cached_property
    def assumptions(self) -> tuple[Assumption, ...]:
        """Everything that is assumed, of both policies that are compared where two are."""
        return (*self.statement.standing, *self.statement.assuming, *_on_the_other(self.statement))

    @cached_property
    def _by_length(self) -> list[Assumption]:
        # The short ones are evaluated first: most worlds fail one of them.
        return sorted(self.assumptions, key=lambda a: sum(1 for t in a.terms for _ in subterms(t)))

    @cached_property
    def closed(self) -> tuple[Assumption, ...]:
        """The assumptions that speak of no free index."""
        return tuple(a for a in self._by_length if not _open_indices(a))

    @cached_property
    def open(self) -> tuple[Assumption, ...]:
        """The assumptions that speak of the statement's free indices."""
        return tuple(a for a in self._by_length if _open_indices(a))

    @cached_property
    def reach(self) -> dict[Function, int]:
        """How far beyond the statement's own length a function is looked up."""
        return _reach(self.statement)

    @cached_property
    def solved(self) -> tuple[tuple[Apply, Hypothesis] | None, ...]:
        """For each assumption what it gives a value to."""
        return tuple(_solved(a) for a in self.assumptions)

    def counterexample(self, world: World) -> World | None:
        """The world with the free indices at which the statement fails in it, or None."""
        admitted = False
        try:
            if not all(_assumption_holds(a, world) for a in self.closed):
                return None
            compared: set[tuple[Element, ...]] = set()
            for at in free_assignments(self.statement.free, world):
                here = world.at(at)
                if not all(_assumption_holds(a, here) for a in self.open):
                    continue
                # An index of what is assumed alone changes nothing of what is compared.
                shown = tuple([at[index] for index in self.shown])
                if shown not in compared:
                    if self._fails(here):
                        return here
                    compared.add(shown)
                admitted = True
        except Undetermined:
            return None
        self.admitted += admitted
        return None

    def slack(self, world: World) -> float | None:
        """How far an inequality is from failing in a world, as a share of its sides; None where it says nothing there."""
        (left, right), least = self.pairs[0], None
        if self.statement.relation in (">", "≥"):
            left, right = right, left
        try:
            if not all(_assumption_holds(a, world) for a in self.closed):
                return None
            for at in free_assignments(self.statement.free, world):
                here = world.at(at)
                if all(_assumption_holds(a, here) for a in self.open):
                    small, large = here.estimate(left), here.estimate(right)
                    # Where both sides are zero it is not near to failing: nothing happens there.
                    share = (large - small) / (abs(large) + abs(small)) if large or small else 1.0
                    least = share if least is None else min(share, least)
        except (Undefined, Undetermined):
            return None
        return least

    def _fails(self, world: World) -> bool:
        if self.statement.exists:
            return self._witnesses(world)
        relation = self.statement.relation
        try:
            if isinstance(relation, SameMaximiser):
                (left, right), (other_left, other_right) = self.pairs
                first = _order(world.value(left), world.value(other_left))
                return first != _order(world.value(right), world.value(other_right))
            comparison = relation if isinstance(relation, str) else "="
            answers = [holds(world.value(left), comparison, world.value(right)) for left, right in self.pairs]
        except Undefined:
            return True
        return any(answer is False for answer in answers)

    def _witnesses(self, world: World) -> bool:
        """For a statement of existence the world that is looked for is one in which it holds."""
        relation = self.statement.relation
        assert isinstance(relation, str)
        try:
            return all(holds(world.value(left), relation, world.value(right)) is True for left, right in self.pairs)
        except Undefined:
            return False

    def sides(self, world: World) -> tuple[str, str]:
        """Both sides in a world, as text; for several pairs, the first that differs."""
        shown = [(_show(left, world), _show(right, world)) for left, right in self.pairs]
        if isinstance(self.statement.relation, SameMaximiser):
            (left, right), (other_left, other_right) = shown
            return f"{left} against {other_left}", f"{right} against {other_right}"
        return next((pair for pair in shown if pair[0] != pair[1]), shown[0])


def _open_indices(assumption: Assumption) -> bool:
    """Whether an assumption speaks of an index that it does not bind itself."""
    own = set(assumption.for_all) if isinstance(assumption, Hypothesis) else set()
    return isinstance(assumption, Hypothesis) and any(free_indices(t) - own for t in assumption.terms)


def _order(x: Real, y: Real) -> int:
    order = reals.compare(x, y)
    if order is None:
        raise Undetermined
    return order


def _show(term: Term, world: World) -> str:
    try:
        return reals.show(world.value(term))
    except Undefined as reason:
        return f"not defined ({reason.why})"


def pairs_of(statement: Statement) -> tuple[tuple[Term, Term], ...]:
    left, right, relation = statement.left, statement.right, statement.relation
    if isinstance(relation, SameMaximiser):
        left, right = (_without_definitions(side, statement) for side in (left, right))
        mapping = _exchange(relation.over)
        return ((left, right), (substitute_functions(left, mapping), substitute_functions(right, mapping)))
    if isinstance(relation, FirstOrder):
        return ((left, right), (Derivative(left), Derivative(right)))
    return ((left, right),)


def _exchange(symbol: Function) -> dict[Function, tuple[tuple[Index, ...], Term]]:
    indices = tuple(Index(f"i{k}", sort) for k, sort in enumerate(symbol.sorts))
    return {symbol: (indices, Apply(_other(symbol), indices))}


def _without_definitions(node: Term, statement: Statement) -> Term:
    """A term with what is defined put in, so that the policy is seen inside it."""
    mapping = {d.function: (d.indices, with_fresh_binders(d.value)) for d in statement.definitions}
    while functions(node) & set(mapping):
        node = substitute_functions(node, mapping)
    return node


def _on_the_other(statement: Statement) -> tuple[Assumption, ...]:
    """What is assumed of a policy of a class holds for the one that it is compared with, too."""
    relation = statement.relation
    if not isinstance(relation, SameMaximiser):
        return ()
    mapping = _exchange(relation.over)

    def moved(node: Term) -> Term:
        return substitute_functions(_without_definitions(node, statement), mapping)

    return tuple(
        replace(a, left=moved(a.left), right=moved(a.right))
        for a in (*statement.standing, *statement.assuming)
        if isinstance(a, Hypothesis) and any(relation.over in functions(t) for t in a.terms)
    )


def _other(symbol: Function) -> Function:
    return replace(symbol, name=symbol.name + "′", latex=symbol.latex and symbol.latex + "'")


@lru_cache(maxsize=10_000)
def _depth(term: Term) -> int:
    """How many derivatives are nested in a term."""
    inside = max((_depth(child) for child in children(term)), default=0)
    if isinstance(term, Apply):
        return term.order
    return inside + isinstance(term, Derivative)


def _assumption_holds(assumption: Assumption, world: World) -> bool:
    """Whether an assumption certainly holds in a world; for all histories, at every length."""
    if not isinstance(assumption, Hypothesis):
        return True
    worlds = [world]
    for sort in histories_of(assumption):
        worlds = [w.at_length(sort, k) for w in worlds for k in range(w.lengths[sort] + 1)]
    return all(_holds_here(assumption, w) for w in worlds)


@lru_cache(maxsize=1_000)
def histories_of(assumption: Hypothesis) -> frozenset[Sort]:
    """The sorts of histories of which each is spoken of; what only sums over them is about those of one length."""
    inside = {s for t in assumption.terms for f in functions(t) for s in f.sorts if s.is_history}
    summed = {i.sort for t in assumption.terms for i in bound_indices(t)} - {i.sort for i in assumption.for_all}
    return frozenset(inside - summed)


def _holds_here(assumption: Hypothesis, world: World) -> bool:
    try:
        for at in free_assignments(assumption.for_all, world):
            if assumption.given is not None:
                given = assumption.given
                wanted = holds(world.value(given.left, at), given.relation, world.value(given.right, at))
                if wanted is None:
                    return False
                if not wanted:
                    continue
            if (
                holds(world.value(assumption.left, at), assumption.relation, world.value(assumption.right, at))
                is not True
            ):
                return False
    except (Undefined, Undetermined):
        return False
    return True


def _solved(assumption: Assumption) -> tuple[Apply, Hypothesis] | None:
    """An assumption that gives a function's value, or its derivative: worlds are made to satisfy it."""
    if not isinstance(assumption, Hypothesis) or assumption.relation != "=" or assumption.given is not None:
        return None
    turned = replace(assumption, left=assumption.right, right=assumption.left)
    return _solved_for_left(assumption) or _solved_for_left(turned)


def _solved_for_left(assumption: Hypothesis) -> tuple[Apply, Hypothesis] | None:
    left, right = assumption.left, assumption.right
    inside = left.body if isinstance(left, Derivative) else left
    if not isinstance(inside, Apply) or (inside is left and inside.function in functions(right)):
        return None
    if not free_indices(right) <= set(inside.arguments):
        return None
    if not inside.arguments or set(inside.arguments) <= set(assumption.for_all):
        return inside, assumption
    return None


def _reach(statement: Statement) -> dict[Function, int]:
    """How far beyond the statement's own length t the histories go at which a function is looked up: −1, 0 or 1."""
    assumed = [t for a in (*statement.assuming, *statement.standing) for t in a.terms]
    sources = [(t, 0) for t in (statement.left, statement.right, *assumed)]
    sources += [(d.value, -1) for d in statement.definitions]
    sources += [(t, -1) for r in statement.recursions for t in (r.start, r.step)]
    found: dict[Function, int] = {}
    for term, offset in sources:
        for node in subterms(term):
            if isinstance(node, Apply):
                extended = any(isinstance(a, Path) and a.prefix is not None for a in node.arguments)
                found[node.function] = max(found.get(node.function, -1), offset + extended)
    return found
