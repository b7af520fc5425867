"""Statements about histories of every length, by base and step.

A quantity on histories is given on H_0 and on H_{t+1} = H_t × step in terms of H_t. A statement at length t becomes one
at length 0 (the base) and, with itself as hypothesis, one at length t + 1 (the step); both are ordinary statements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from derivations.checker.errors import StatementError
from derivations.checker.statement import Hypothesis, Statement
from derivations.checker.terms import (
    Apply,
    Expectation,
    Index,
    Length,
    Multiply,
    Number,
    Path,
    Recursion,
    Size,
    Sort,
    Sum,
    Term,
    bound_indices,
    children,
    free_indices,
    fresh,
    rebuild,
    substitute,
    total,
    with_fresh_binders,
)


def history_sort(statement: Statement) -> Sort | None:
    """The sort of histories that a statement is about, if there is one."""
    found = {r.function.sorts[0] for r in statement.recursions} or {s for s in statement.sorts if s.is_history}
    if len(found) > 1:
        raise StatementError("a statement speaks of two kinds of histories; expected one")
    return found.pop() if found else None


def base(statement: Statement) -> Statement:
    """The statement at length 0."""
    sort = _required(statement)
    return _advanced(statement, sort, stepping=False)


def step(statement: Statement) -> Statement:
    """The statement at length t + 1."""
    sort = _required(statement)
    return _advanced(statement, sort, stepping=True)


def hypothesis(statement: Statement) -> Hypothesis:
    """The statement at length t, as the hypothesis of the step."""
    assert isinstance(statement.relation, str)
    sort = _required(statement)
    over = tuple(i for i in statement.free if i.sort == sort)
    return Hypothesis("the induction hypothesis", statement.left, statement.relation, statement.right, over)


def _required(statement: Statement) -> Sort:
    sort = history_sort(statement)
    if sort is None:
        raise StatementError("induction: the statement speaks of no histories")
    return sort


def _advanced(statement: Statement, sort: Sort, stepping: bool) -> Statement:
    taken = frozenset(statement.free)
    for term in statement.terms:
        taken |= bound_indices(term)
    mapping = {}
    for index in (i for i in statement.free if i.sort == sort):
        path = _path(sort, index if stepping else None, taken)
        taken |= set(path.items)
        mapping[index] = path
    move = Mover(statement.recursions, sort, stepping=stepping)
    left, right = (move(substitute(side, mapping)) for side in (statement.left, statement.right))
    return replace(statement, left=left, right=right)


def _path(sort: Sort, prefix: Index | None, taken: frozenset[Index]) -> Path:
    parts = sort.start if prefix is None else sort.step
    items: list[Index] = []
    for part in parts:
        items.append(fresh(Index(part.name.lower()[:1] or "i", part), taken | set(items)))
    return Path(sort, prefix, tuple(items))


class Mover:
    """Rewrites terms at length t to length 0, or to length t + 1."""

    def __init__(self, recursions: tuple[Recursion, ...], sort: Sort, stepping: bool) -> None:
        self.recursions = {r.function: r for r in recursions}
        self.sort = sort
        self.stepping = stepping

    def __call__(self, node: Term) -> Term:
        """The term at the other length."""
        match node:
            case Apply(symbol, (Path() as path,), 0) if symbol in self.recursions:
                return self.unfolded(self.recursions[symbol], path)
            case Sum(index, body) if index.sort == self.sort:
                return self._summed(index, body)
            case Expectation(distribution, body) if any(i.sort == self.sort for i in node.indices):
                (index, *others) = sorted(node.indices, key=lambda i: i.sort != self.sort)
                weighted = Multiply((distribution, body))
                return self._summed(index, total(others[0], *others[1:], of=weighted) if others else weighted)
            case Length(sort) if sort == self.sort:
                return node + 1 if self.stepping else Number(Fraction(0))
            case Size(sort) if sort == self.sort:
                factors = tuple(Size(part) for part in (sort.step if self.stepping else sort.start))
                return Multiply((*factors, node) if self.stepping else (Number(Fraction(1)), *factors))
        parts = tuple(self(child) for child in children(node))
        if isinstance(node, Expectation) and not isinstance(parts[0], Apply):
            return total(*node.indices, of=Multiply(parts))
        return rebuild(node, parts)

    def _summed(self, index: Index, body: Term) -> Term:
        taken = free_indices(body) | bound_indices(body)
        path = _path(self.sort, index if self.stepping else None, taken)
        inside = self(substitute(body, {index: path}))
        binders = ((index,) if self.stepping else ()) + path.items
        return total(binders[0], *binders[1:], of=inside) if binders else inside

    def unfolded(self, recursion: Recursion, path: Path) -> Term:
        """The value of a recursive function at a history that is written out."""
        if path.prefix is None:
            start = with_fresh_binders(recursion.start)
            return substitute(start, dict(zip(recursion.start_indices, path.items, strict=True)))
        mapping: dict[Index, Index] = dict(zip(recursion.step_indices, path.items, strict=True))
        mapping[recursion.history] = path.prefix
        return substitute(with_fresh_binders(recursion.step), dict(mapping))


def closure_obligations(recursion: Recursion) -> Iterator[tuple[str, Term, Term]]:
    """What a recursion of a declared law owes: it sums to one at length 0 and at length t + 1."""
    if not recursion.function.law:
        return
    sort = recursion.function.sorts[0]
    one = Number(Fraction(1))
    start = recursion.start
    yield "at length 0", total(*recursion.start_indices, of=start) if sort.start else start, one
    body = total(recursion.history, *recursion.step_indices, of=recursion.step)
    yield "at length t + 1", body, one


__all__ = ["base", "closure_obligations", "history_sort", "hypothesis", "step"]
