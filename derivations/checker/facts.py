"""What declared domains and hypotheses say of a function at indices: its sign, its support, what it equals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from derivations.checker.statement import Assumption, Dominated, Finite, Hypothesis, Statement, Summable
from derivations.checker.terms import (
    Apply,
    Argument,
    Derivative,
    Index,
    Number,
    Path,
    Sort,
    Term,
    depends_on_theta,
    hashed_once,
    substitute,
    with_fresh_binders,
)


def match(pattern: Apply, node: Apply, variables: frozenset[Index]) -> dict[Index, Argument] | None:
    """The values of the variables that turn a pattern into a term, or None."""
    if pattern.function != node.function or pattern.order != node.order:
        return None
    found: dict[Index, Argument] = {}
    for wanted, given in zip(pattern.arguments, node.arguments, strict=True):
        if not _unify(wanted, given, variables, found):
            return None
    return found


def _unify(wanted: Argument, given: Argument, variables: frozenset[Index], found: dict[Index, Argument]) -> bool:
    if isinstance(wanted, Index):
        if wanted in variables:
            # A variable over H_t stands for histories of that length, not for longer ones.
            if isinstance(given, Path):
                return False
            return found.setdefault(wanted, given) == given
        return wanted == given
    if not isinstance(given, Path) or len(wanted.items) != len(given.items):
        return False
    if (wanted.prefix is None) != (given.prefix is None):
        return False
    pairs: list[tuple[Argument, Argument]] = list(zip(wanted.items, given.items, strict=True))
    if wanted.prefix is not None and given.prefix is not None:
        pairs.append((wanted.prefix, given.prefix))
    return all(_unify(w, g, variables, found) for w, g in pairs)


@dataclass(frozen=True)
class SignFact:
    """A hypothesis that a function at indices is positive, or only not zero, perhaps where another is not zero."""

    pattern: Apply
    variables: frozenset[Index]
    positive: bool
    given: Apply | None


@dataclass(frozen=True)
class Rewrite:
    """A hypothesis or definition that gives the value (order 0) or a derivative of a function at indices."""

    name: str
    pattern: Apply
    variables: frozenset[Index]
    value: Term
    for_every_theta: bool = False

    def holds_under_derivative(self) -> bool:
        """Whether it may be put in under D: it holds at every θ, or neither side moves."""
        return self.for_every_theta or not (self.pattern.function.depends or depends_on_theta(self.value))

    def at(self, node: Apply) -> Term | None:
        """What the node equals, if the pattern matches it."""
        found = match(self.pattern, node, self.variables)
        return None if found is None else substitute(with_fresh_binders(self.value), found)


@hashed_once
@dataclass(frozen=True)
class Facts:
    """Everything that may be used about the functions of a statement."""

    signs: tuple[SignFact, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    sums: tuple[Hypothesis, ...] = ()
    finite: frozenset[Sort] = frozenset()
    summable: tuple[Summable, ...] = ()
    dominated: tuple[Dominated, ...] = ()
    positive_sums: tuple[Hypothesis, ...] = ()

    def is_finite(self, sort: Sort) -> bool:
        """Whether a sort is finite, by declaration or by hypothesis; histories are if all that they are made of is."""
        own = not sort.infinite or sort in self.finite
        return own and all(self.is_finite(part) for part in (*sort.start, *sort.step))

    def at_every_theta(self) -> Facts:
        """The same, with those equations only that hold at every θ: what is assumed to be equal is so at this θ."""
        rewrites = tuple(r for r in self.rewrites if r.pattern.order == 0 and r.holds_under_derivative())
        sums = tuple(h for h in self.sums if not any(depends_on_theta(side) for side in h.terms))
        return replace(self, rewrites=rewrites, sums=sums)

    def nonzero(self, node: Apply, present: Iterable[Apply] = ()) -> bool:
        """Whether a function at indices is not zero, where the functions in `present` are not."""
        return self.positive(node, present) or self._told(node, frozenset(present), False)

    def positive(self, node: Apply, present: Iterable[Apply] = ()) -> bool:
        """Whether a function at indices is positive, where the functions in `present` are not zero."""
        if node.order:
            return False
        here = frozenset(present)
        if node.function.positive or (node in here and self.nonnegative(node)):
            return True
        return self._told(node, here, True) or (self.nonnegative(node) and self._told(node, here, False))

    def nonnegative(self, node: Apply) -> bool:
        """Whether the domain keeps a function from being negative."""
        lower = node.function.domain.lower
        return node.order == 0 and lower is not None and lower >= 0

    def _told(self, node: Apply, present: frozenset[Apply], positive: bool) -> bool:
        if not positive and node in present:
            return True
        for fact in self.signs:
            if positive and not fact.positive:
                continue
            found = match(fact.pattern, node, fact.variables)
            if found is None:
                continue
            if fact.given is None:
                return True
            condition = substitute(fact.given, found)
            if condition in present or (isinstance(condition, Apply) and condition.function.positive):
                return True
        return False


def gather(
    assumptions: Iterable[Assumption], definitions: Mapping[str, tuple[Apply, frozenset[Index], Term]] | None = None
) -> Facts:
    """The facts that a set of assumptions states."""
    signs: list[SignFact] = []
    rewrites: list[Rewrite] = []
    sums: list[Hypothesis] = []
    finite: set[Sort] = set()
    summable: list[Summable] = []
    dominated: list[Dominated] = []
    positive_sums: list[Hypothesis] = []
    for assumption in assumptions:
        match assumption:
            case Finite(sort):
                finite.add(sort)
            case Summable():
                summable.append(assumption)
            case Dominated():
                dominated.append(assumption)
            case Hypothesis():
                fact = _sign_fact(assumption)
                if fact is not None:
                    signs.append(fact)
                elif _is_of_a_sum(assumption):
                    positive_sums.append(assumption)
                rewrite = _rewrite(assumption)
                if rewrite is not None:
                    rewrites.append(rewrite)
                elif assumption.relation == "=" and assumption.given is None:
                    sums.append(assumption)
    for name, (pattern, variables, value) in (definitions or {}).items():
        rewrites.append(Rewrite(name, pattern, variables, value, for_every_theta=True))
    return Facts(
        tuple(signs),
        tuple(rewrites),
        tuple(sums),
        frozenset(finite),
        tuple(summable),
        tuple(dominated),
        tuple(positive_sums),
    )


def facts_of(given: Statement, *, below_the_horizon: bool = False) -> Facts:
    """The facts of a statement: its assumptions and its definitions.

    A definition on histories holds where the history can still be extended: it is used in the step of an induction only.
    """
    named = {
        f"definition of {d.function.name}": (Apply(d.function, d.indices), frozenset(d.indices), d.value)
        for d in given.definitions
        if below_the_horizon or not any(sort.is_history for sort in d.function.sorts)
    }
    return gather((*given.assuming, *given.standing), named)


def _sign_fact(assumption: Hypothesis) -> SignFact | None:
    left, relation, right = assumption.left, assumption.relation, assumption.right
    if isinstance(left, Number) and isinstance(right, Apply) and relation == "<":
        left, relation, right = right, ">", left
    if not (isinstance(left, Apply) and isinstance(right, Number)):
        return None
    positive = (relation == ">" and right.value >= 0) or (relation == "≥" and right.value > 0)
    nonzero = relation == "≠" and right.value == 0
    if not (positive or nonzero):
        return None
    given: Apply | None = None
    if assumption.given is not None:
        condition = assumption.given
        at_zero = isinstance(condition.right, Number) and condition.right.value == 0
        if not (isinstance(condition.left, Apply) and at_zero):
            return None
        # “where f > 0” says “where f ≠ 0” only of an f that is never negative.
        lower = condition.left.function.domain.lower
        never_negative = condition.left.order == 0 and lower is not None and lower >= 0
        if condition.relation != "≠" and not (condition.relation == ">" and never_negative):
            return None
        given = condition.left
    return SignFact(left, frozenset(assumption.for_all), positive, given)


def _is_of_a_sum(assumption: Hypothesis) -> bool:
    """Whether a hypothesis says that one closed quantity, such as a sum, is positive."""
    at_zero = isinstance(assumption.right, Number) and assumption.right.value >= 0
    return assumption.relation == ">" and at_zero and not assumption.for_all and assumption.given is None


def _rewrite(assumption: Hypothesis) -> Rewrite | None:
    if assumption.relation != "=" or assumption.given is not None:
        return None
    left = assumption.left
    depth = 0
    while isinstance(left, Derivative):
        left, depth = left.body, depth + 1
    if not isinstance(left, Apply):
        return None
    pattern = Apply(left.function, left.arguments, left.order + depth)
    return Rewrite(assumption.name, pattern, frozenset(assumption.for_all), assumption.right)
