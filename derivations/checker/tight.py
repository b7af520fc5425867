"""Worlds at the edge of what is assumed: D(π‖π′) ≤ α² with the least α that will do, ∣A∣ ≤ ε with ε the largest ∣A∣.

A world drawn at random mostly breaks what is assumed of its numbers, or keeps it with so much to spare that nothing false
shows. Here an equation that is assumed, such as FK = 1, is solved for what it is linear in, and an inequality is made as
tight as one factor makes it: a number that stands in it, or all values of a function, are scaled until its sides nearly
meet. Nothing here needs to be exact: whether what is assumed holds in the world that comes out is asked of the question,
as of any other world.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice

from derivations.checker import reals
from derivations.checker.candidates import solve
from derivations.checker.errors import BadInput
from derivations.checker.jets import Jet, Undefined, Undetermined
from derivations.checker.question import Question, histories_of
from derivations.checker.reals import Real
from derivations.checker.statement import Hypothesis
from derivations.checker.terms import Function, Index, Sort, Term, free_indices, functions
from derivations.checker.worlds import Element, World, free_assignments, in_domain

ROUNDS = 2  # what is scaled for one inequality may break another
LEAST, MOST = 1e-6, 1e6  # factors
STEPS = 9
NEAR = 1e-3
CLOSE = 1.03  # a round number is taken if it is as near to the edge as that
ROUND = (1, 2, 3, 4, 5, 6, 8, 10, 12, 20, 50, 100, 1000, 10_000, 100_000)  # denominators
ASSIGNMENTS = 200
SLIP = 1e-12
ENTRIES = 9  # of a table that an equation is solved for

Tables = dict[Function, dict[tuple[Element, ...], Jet]]


@dataclass(frozen=True)
class Balance:
    """An equation that is assumed, and the functions for which it may be solved."""

    hypothesis: Hypothesis
    unknowns: tuple[Function, ...]


@dataclass(frozen=True)
class Edge:
    """An inequality that is assumed, as small ≤ large, and the functions whose values may be scaled to make it tight."""

    small: Side
    large: Side
    handles: tuple[Function, ...]


@dataclass(frozen=True, eq=False)
class Side:
    """One side of an inequality: for which indices it is assumed, and every function on which its values rest."""

    term: Term
    indices: tuple[Index, ...]
    histories: tuple[Sort, ...]
    rests_on: frozenset[Function]

    def values(self, world: World) -> list[float]:
        """Its values at every choice of the indices, after histories of every length."""
        if self.is_one_number:
            return [world.estimate(self.term)]
        worlds = [world]
        for sort in self.histories:
            worlds = [w.at_length(sort, k) for w in worlds for k in range(w.lengths[sort] + 1)]
        return [w.estimate(self.term, at) for w in worlds for at in self._choices(w)]

    @cached_property
    def is_one_number(self) -> bool:
        """Whether it is the same for all indices and after all histories."""
        return not free_indices(self.term) and not any(s.is_history for f in self.rests_on for s in f.sorts)

    def _choices(self, world: World) -> Iterator[dict[Index, Element]]:
        return islice(free_assignments(self.indices, world), ASSIGNMENTS)


def edges_of(question: Question) -> list[Edge]:
    """The inequalities that are assumed of more than one function; those with the fewest functions to scale first."""
    statement = question.statement
    equations = {d.function: functions(d.value) for d in statement.definitions}
    equations |= {r.function: functions(r.start) | functions(r.step) for r in statement.recursions}
    given = {*equations, *(solution[0].function for solution in question.solved if solution is not None)}
    found = []
    for assumption in (*statement.standing, *statement.assuming):
        if not isinstance(assumption, Hypothesis) or assumption.given is not None:
            continue
        inside = functions(assumption.left) | functions(assumption.right)
        if assumption.relation not in ("≤", "<", "≥", ">") or len(inside) < 2:
            # A bound of one number by another one is kept by what is drawn.
            continue
        histories = tuple(histories_of(assumption))
        free = free_indices(assumption.left) | free_indices(assumption.right)
        indices = (*assumption.for_all, *(free - set(assumption.for_all)))
        sides = [
            Side(side, indices, histories, _reached(functions(side), equations))
            for side in (assumption.left, assumption.right)
        ]
        small, large = sides if assumption.relation in ("≤", "<") else sides[::-1]
        handles = tuple(f for f in statement.functions if f in inside and f not in given and not f.law)
        if handles:
            found.append(Edge(small, large, handles))
    return sorted(found, key=lambda edge: len(edge.handles))


def _reached(inside: frozenset[Function], equations: Mapping[Function, frozenset[Function]]) -> frozenset[Function]:
    while more := {f for symbol in inside & equations.keys() for f in equations[symbol]} - inside:
        inside |= more
    return inside


def balances_of(question: Question) -> list[Balance]:
    """The equations that are assumed and give no function outright, with the functions that they may be solved for."""
    statement = question.statement
    given = {d.function for d in statement.definitions} | {r.function for r in statement.recursions}
    outright = {id(solution[1]): solution[0].function for solution in question.solved if solution is not None}
    found = []
    for assumption in (*statement.standing, *statement.assuming):
        if not isinstance(assumption, Hypothesis) or assumption.relation != "=" or id(assumption) in outright:
            continue
        own = set(assumption.for_all)
        inside = functions(assumption.left) | functions(assumption.right)
        closed = free_indices(assumption.left) | free_indices(assumption.right) <= own
        if assumption.given is not None or not closed or any(s.is_history for f in inside for s in f.sorts):
            continue
        taken = given | set(outright.values())
        unknowns = tuple(f for f in statement.functions if f in inside - taken and not f.law and not f.depends)
        if unknowns:
            found.append(Balance(assumption, unknowns))
    return found


def fitted(
    question: Question, world: World, balances: Sequence[Balance], edges: Sequence[Edge], draw: random.Random
) -> World | None:
    """The world with what is assumed of it made true, equations first; None where that cannot be."""
    bench = Bench(world)
    for balance in balances:
        if not bench.solve(balance.hypothesis, draw.choice(balance.unknowns)):
            return None
    for solution in question.solved if balances else ():
        if solution is not None and not solve(solution, bench.tables, bench.world):
            return None
    bench.world._kept.clear()
    taken: set[Function] = set()
    plan = []
    for edge in edges:
        free = [f for f in edge.handles if f not in taken]
        # What makes another inequality tight may only be given more room here.
        plan.append((edge, draw.choice(free or edge.handles), not free))
        taken |= functions(edge.small.term) | functions(edge.large.term)
    rounds = ROUNDS if len(plan) > 1 else 1
    if all(bench.tighten(edge, handle, only) for _ in range(rounds) for edge, handle, only in plan):
        return bench.world
    return None


class Bench:
    """A world whose tables are changed, with what is known of the sides that did not change."""

    def __init__(self, world: World) -> None:
        self.tables: Tables = {symbol: dict(table) for symbol, table in world.tables.items()}
        self.world = replace(world, tables=self.tables, _kept={})
        self.known: dict[Side, list[float]] = {}

    def tighten(self, edge: Edge, handle: Function, only_if_broken: bool) -> bool:
        """Scales what is held until the inequality is tight, or until it holds; False where that cannot be."""
        if only_if_broken:
            room = self._room(edge)
            if room is not None and room >= -SLIP:
                return True
        before = self.tables[handle]
        if all(reals.is_zero(jet[0]) for jet in before.values()):
            before = {at: (reals.ONE, *jet[1:]) for at, jet in before.items()}

        def room_at(factor: Fraction | float) -> float | None:
            scaled = reals.real(Fraction(factor))
            self._change(handle, {at: (reals.multiply(scaled, jet[0]), *jet[1:]) for at, jet in before.items()})
            inside = all(in_domain(handle, jet[0]) for jet in self.tables[handle].values())
            return self._room(edge) if inside else None

        found = _edge(room_at)
        unit = next(iter(before.values()))[0] if len(before) == 1 else reals.ONE
        for factor in () if found is None else _rounded(*found, unit):
            room = room_at(factor)
            if room is not None and room >= -SLIP:
                return True
        return False

    def solve(self, hypothesis: Hypothesis, unknown: Function) -> bool:
        """Gives a function the values that solve an equation, if they stand in it without powers."""
        table = self.tables[unknown]
        keys = list(table)
        if len(keys) > ENTRIES:
            return False

        def residual(values: Sequence[Fraction]) -> list[Fraction] | None:
            self.tables[unknown] = {
                key: (reals.real(value), *table[key][1:]) for key, value in zip(keys, values, strict=True)
            }
            self.world._kept.clear()
            found = []
            try:
                for at in islice(free_assignments(hypothesis.for_all, self.world), ASSIGNMENTS):
                    left, right = self.world.value(hypothesis.left, at), self.world.value(hypothesis.right, at)
                    value = reals.fraction(reals.subtract(left, right))
                    if value is None:
                        return None
                    found.append(value)
            except (Undefined, Undetermined, BadInput):
                return None
            return found

        start = [reals.fraction(table[key][0]) or Fraction(0) for key in keys]
        here = residual(start)
        columns = [residual([x + (j == k) for j, x in enumerate(start)]) for k in range(len(keys))]
        if here is None or any(column is None for column in columns):
            return False
        rows = [[column[n] - here[n] for column in columns if column is not None] for n in range(len(here))]
        change = _solution(rows, [-value for value in here])
        if change is None or residual([x + y for x, y in zip(start, change, strict=True)]) is None:
            return False
        return all(in_domain(unknown, jet[0]) for jet in self.tables[unknown].values())

    def _change(self, handle: Function, table: dict[tuple[Element, ...], Jet]) -> None:
        self.tables[handle] = table
        self.world._kept.clear()
        self.known = {side: values for side, values in self.known.items() if handle not in side.rests_on}

    def _room(self, edge: Edge) -> float | None:
        """The least of large − small."""
        small, large = self._values(edge.small), self._values(edge.large)
        if not small or not large:
            return None
        if len(small) == 1 or len(large) == 1:
            return min(large) - max(small)
        return min(y - x for x, y in zip(small, large, strict=True))

    def _values(self, side: Side) -> list[float]:
        found = self.known.get(side)
        if found is None:
            try:
                found = side.values(self.world)
            except (Undefined, Undetermined, BadInput):
                found = []
            self.known[side] = found
        return found


def _solution(rows: list[list[Fraction]], right: list[Fraction]) -> list[Fraction] | None:
    """A solution of linear equations, zero where it is free; None where there is none."""
    whole = [[*row, value] for row, value in zip(rows, right, strict=True)]
    size = len(rows[0]) if rows else 0
    pivots: list[int] = []
    for column in range(size):
        below = next((k for k in range(len(pivots), len(whole)) if whole[k][column]), None)
        if below is None:
            continue
        place = len(pivots)
        whole[place], whole[below] = whole[below], whole[place]
        lead = whole[place] = [x / whole[place][column] for x in whole[place]]
        for k, row in enumerate(whole):
            if k != place and row[column]:
                whole[k] = [x - row[column] * y for x, y in zip(row, lead, strict=True)]
        pivots.append(column)
    if any(row[-1] for row in whole[len(pivots) :]):
        return None
    found = [Fraction(0)] * size
    for place, column in enumerate(pivots):
        found[column] = whole[place][-1]
    return found


def _edge(room: Callable[[float], float | None]) -> tuple[float, float] | None:
    """A factor at which there is next to no room left, and one beyond which there is none, if there is one."""
    for start in (1.0, 0.5, 0.1):
        here = room(start)
        if here is not None:
            break
    else:
        return None
    # Towards where there is room, or towards where there is none, whichever way that is.
    for step in (0.25, 4.0):
        last, before = start, here
        while LEAST <= last * step <= MOST:
            there = room(last * step)
            if there is None:
                break
            if (there >= 0) != (before >= 0):
                pair = ((last, before), (last * step, there))
                return _between(room, *(pair if before >= 0 else pair[::-1]))
            last, before = last * step, there
    return (start, start) if here >= 0 else None


def _between(
    room: Callable[[float], float | None], inside: tuple[float, float], outside: tuple[float, float]
) -> tuple[float, float]:
    """The edge between a factor with room and one without: false position, and halves where that is slow."""
    for step in range(STEPS):
        (x, high), (y, low) = inside, outside
        middle = x + (y - x) * high / (high - low) if step % 3 != 2 else (x + y) / 2
        there = room(middle) if min(x, y) < middle < max(x, y) else None
        if there is None:
            break
        if abs(there) < SLIP:
            return middle, y
        inside, outside = ((middle, there), outside) if there >= 0 else (inside, (middle, there))
        if abs(outside[0] / inside[0] - 1) < NEAR:
            break
    return inside[0], outside[0]


def _rounded(nearest: float, beyond: float, unit: Real) -> Iterator[Fraction]:
    """Factors as near, on the side with room, that make of the unit a round number; then the nearest."""
    base = reals.fraction(unit)
    size = 1 if base is None or not base else abs(base)
    value = Fraction(nearest) * size
    upwards = beyond <= nearest
    for denominator in ROUND:
        scaled = value * denominator
        whole = round(scaled)
        for candidate in (whole, whole + (1 if upwards else -1)):
            ratio = float(Fraction(candidate, denominator) / value)
            if 1 / CLOSE < ratio < CLOSE:
                yield Fraction(candidate, denominator) / size


__all__ = ["Balance", "Edge", "balances_of", "edges_of", "fitted"]
