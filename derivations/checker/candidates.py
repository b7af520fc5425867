"""Candidate worlds in the order of their measure: what a table may hold, cheapest first, and how a world is built of it.

The measure is (total size of the sets and lengths, number of nonzero entries, sum of numerators and denominators). Zeros,
ties and laws at the corners of the simplex are among the candidates; slopes stay on the simplex.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import product
from math import prod

from derivations.checker import reals
from derivations.checker.errors import BadInput
from derivations.checker.jets import Jet, Undefined, Undetermined
from derivations.checker.question import Question
from derivations.checker.reals import Real
from derivations.checker.statement import (
    FirstOrder,
    Hypothesis,
)
from derivations.checker.terms import (
    Apply,
    Derivative,
    Function,
    Index,
    Sort,
)
from derivations.checker.worlds import Element, World, evaluate, in_domain

Measure = tuple[int, int, int]
Sizes = tuple[dict[Sort, int], dict[Sort, int]]


@dataclass(frozen=True, eq=False)
class Option:
    """One choice for a part of a table, with its share of the measure; equal to itself only, so that it hashes fast."""

    entries: tuple[Jet, ...]

    @cached_property
    def nonzero(self) -> int:
        """How many of its values and slopes are not zero."""
        return sum(n for n, _ in self._costs)

    @cached_property
    def weight(self) -> int:
        """The numerators and denominators together."""
        return sum(w for _, w in self._costs)

    def padded(self, width: int) -> tuple[Jet, ...]:
        """Its entries with zeros for the derivatives that they do not tell, up to so many numbers each."""
        known = self._padded.get(width)
        if known is None:
            zeros = (reals.ZERO,) * (width - len(self.entries[0]))
            known = self._padded[width] = tuple([jet + zeros for jet in self.entries])
        return known

    @cached_property
    def _padded(self) -> dict[int, tuple[Jet, ...]]:
        return {}

    @cached_property
    def _costs(self) -> list[tuple[int, int]]:
        values = [cost_of(value) for jet in self.entries for value in jet[:1]]
        return values + [cost for jet in self.entries for value in jet[1:] if (cost := cost_of(value))[0]]


@dataclass(frozen=True)
class Slot:
    """A part of a table that is chosen at once: one value, or one distribution."""

    symbol: Function
    keys: tuple[tuple[Element, ...], ...]
    options: tuple[Option, ...]


# --- sizes and tables -----------------------------------------------------------------------------------------------


def sizes_in_order(question: Question, largest: int) -> Iterator[tuple[dict[Sort, int], dict[Sort, int]]]:
    """Sizes of the sorts and lengths of the histories, by their total."""
    sorts, histories = question.sorts, question.histories
    for extra in range(largest * max(1, len(sorts) + len(histories))):
        for split in _splits(extra, len(sorts) + len(histories)):
            sizes = {sort: 1 + n for sort, n in zip(sorts, split, strict=False)}
            lengths = dict(zip(histories, split[len(sorts) :], strict=True))
            if all(n <= largest for n in sizes.values()) and all(n <= 3 for n in lengths.values()):
                yield sizes, lengths


def _splits(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 0:
        if total == 0:
            yield ()
        return
    for first in range(total + 1):
        for rest in _splits(total - first, parts - 1):
            yield (first, *rest)


def table_size(question: Question, sizes: dict[Sort, int], lengths: dict[Sort, int]) -> int:
    """How many entries a world of these sizes has."""
    total = 0
    for symbol in question.functions:
        entries = 1
        for sort in symbol.sorts:
            entries *= _element_count(sort, sizes, lengths, question.reach.get(symbol, 0))
        total += entries
    for sort in question.histories:
        total += _element_count(sort, sizes, lengths, 0)
    return total


def _element_count(sort: Sort, sizes: dict[Sort, int], lengths: dict[Sort, int], reach: int) -> int:
    if not sort.is_history:
        return sizes[sort]
    start = prod(sizes[part] for part in sort.start)
    ratio = prod(sizes[part] for part in sort.step)
    return sum(start * ratio**k for k in range(lengths[sort] + reach + 1))


def slots(question: Question, sizes: dict[Sort, int], lengths: dict[Sort, int]) -> list[Slot]:
    """Everything that a world of these sizes leaves to be chosen."""
    empty = World(sizes, {}, lengths)
    result = []
    for symbol in question.functions:
        reach = question.reach.get(symbol, 0)
        first = lengths if symbol in question.last else {}
        own = elements_of(symbol.sorts[: symbol.law], empty, reach, first)
        given = elements_of(symbol.sorts[symbol.law :], empty, reach, first)
        if symbol.law:
            for lead in _by_length(own):
                options = law_options(len(lead), symbol.positive, question.order if symbol.depends else 0)
                result += [Slot(symbol, tuple((*at, *rest) for at in lead), options) for rest in given]
        else:
            options = value_options(symbol, question.order if symbol.depends else 0, symbol in question.exponential)
            result += [Slot(symbol, (rest,), options) for rest in given]
    return result


def _by_length(elements: list[tuple[Element, ...]]) -> list[list[tuple[Element, ...]]]:
    """Elements in groups of histories of the same lengths: a law over histories is one at each length."""
    groups: dict[tuple[int, ...], list[tuple[Element, ...]]] = {}
    for at in elements:
        groups.setdefault(tuple(len(e) if isinstance(e, tuple) else 0 for e in at), []).append(at)
    return list(groups.values())


def elements_of(
    sorts: Sequence[Sort], world: World, reach: int, first: Mapping[Sort, int]
) -> list[tuple[Element, ...]]:
    """Every tuple of elements; of histories, those of every length from `first` up to the world's plus `reach`."""
    ranges: list[list[Element]] = []
    for sort in sorts:
        if sort.is_history:
            lengths = range(first.get(sort, 0), world.lengths[sort] + reach + 1)
            ranges.append([element for k in lengths for element in world.elements(sort, k)])
        else:
            ranges.append(list(world.elements(sort)))
    return list(product(*ranges))


def cost_of(value: Real) -> tuple[int, int]:
    rational = reals.fraction(value)
    if rational is None:
        return 1, 4
    return int(rational != 0), abs(rational.numerator) + rational.denominator


def option_of(entries: Iterable[Sequence[Real]]) -> Option:
    """The choice of these entries."""
    return Option(tuple(map(tuple, entries)))


_FRACTIONS = [Fraction(sign * n, d) for d in (1, 2, 3, 4, 5) for n in range(6) for sign in (1, -1)]


@lru_cache(maxsize=500)
def value_options(symbol: Function, order: int, exponential: bool) -> tuple[Option, ...]:
    """The values that one entry of a table may take, with slopes where it depends on θ, cheapest first."""
    pool: list[Real] = [reals.real(f) for f in dict.fromkeys(_FRACTIONS) if f in symbol.domain]
    lower, upper = symbol.domain.lower, symbol.domain.upper
    if lower is not None and upper is not None:
        pool += [reals.real(lower + (upper - lower) * f) for f in (Fraction(1, 2), Fraction(1, 3), Fraction(2, 3))]
    elif lower is not None:
        pool += [reals.real(lower + k) for k in (0, 1, 2)]
    elif upper is not None:
        pool += [reals.real(upper - k) for k in (0, 1, 2)]
    if exponential and lower is None:
        # Inside an exponential, multiples of log 2 keep the numbers rational.
        two = reals.log(reals.real(2))
        assert two is not None
        pool = [value for value in pool if reals.sign(value) == 0]
        pool += [reals.multiply(reals.real(k), two) for k in (1, -1, 2, -2, 3)]
    values = [value for value in pool if in_domain(symbol, value)]
    slopes = [0, 1, -1, 2] if order else [0]
    if symbol.slope is not None:
        known: list[Real] = [reals.real(symbol.slope), *([reals.ZERO] * max(order - 1, 0))]
        tails = [known[:order]]
    else:
        tails = [[reals.real(s) for s in tail] for tail in product(slopes, repeat=order)]
    # At an end of its domain, and θ inside its own, a quantity that may be differentiated stands still.
    ends = [reals.real(end) for end in (lower, upper) if end is not None]
    still = [[reals.ZERO] * order]
    options = {
        (_key(value), tuple(map(_key, tail))): option_of([[value, *tail]])
        for value in values
        for tail in (still if symbol.slope is None and value in ends else tails)
    }
    return tuple(sorted(options.values(), key=lambda o: (o.nonzero, o.weight)))


def _key(value: Real) -> str:
    return reals.show(value)


@lru_cache(maxsize=500)
def law_options(n: int, positive: bool, order: int) -> tuple[Option, ...]:
    """Distributions on n points, with slopes that sum to zero on their support, cheapest first."""
    columns = sorted(set(_distributions(n, positive)), key=lambda c: sum(x.numerator + x.denominator for x in c))
    options = []
    for column in columns[:60]:
        tangents = _tangents(tuple(x != 0 for x in column)) if order else [()]
        for tail in product(tangents, repeat=order):
            jets = [[reals.real(x), *(reals.real(slope[k]) for slope in tail)] for k, x in enumerate(column)]
            options.append(option_of(jets))
    return tuple(sorted(options, key=lambda o: (o.nonzero, o.weight)))


def _distributions(n: int, positive: bool) -> Iterator[tuple[Fraction, ...]]:
    least = 1 if positive else 0
    # On many points: the corners, the middles of two, and the uniform law; there are too many others.
    most = 6 if n <= 3 else max(4, n - 1) if n <= 6 else 2
    for denominator in range(1, most + 1):
        for parts in _compositions(denominator, n, least):
            yield tuple(Fraction(part, denominator) for part in parts)
    if not any(True for _ in _compositions(n, n, 1)):
        return
    yield tuple(Fraction(1, n) for _ in range(n))


def _compositions(total: int, parts: int, least: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        if total >= least:
            yield (total,)
        return
    for first in range(least, total - least * (parts - 1) + 1):
        for rest in _compositions(total - first, parts - 1, least):
            yield (first, *rest)


def _tangents(support: tuple[bool, ...]) -> list[tuple[int, ...]]:
    """Directions that stay on the simplex: between two points of the support, and none."""
    inside = [k for k, there in enumerate(support) if there]
    result = [tuple(0 for _ in support)]
    for up in inside:
        for down in inside:
            if up != down:
                result.append(tuple((k == up) - (k == down) for k in range(len(support))))
    return result


def build(
    question: Question, sizes: dict[Sort, int], lengths: dict[Sort, int], chosen: Sequence[tuple[Slot, Option]]
) -> World | None:
    """The world of the chosen options, made to satisfy the assumptions that give values; None where it cannot be."""
    tables: dict[Function, dict[tuple[Element, ...], Jet]] = {f: {} for f in question.functions}
    width = 2 + max(question.order, 1)
    for slot, option in chosen:
        tables[slot.symbol].update(zip(slot.keys, option.padded(width), strict=True))
    statement = question.statement
    world = World(sizes, tables, lengths, lengths, statement.definitions, statement.recursions)
    if isinstance(statement.relation, FirstOrder):
        for moving, still in statement.relation.at.values:
            if moving in tables and still in tables:
                _move_to_point(tables[moving], tables[still], moving)
    for solution in question.solved:
        if solution is not None and not solve(solution, tables, world):
            return None
    return world


def _move_to_point(
    moving: dict[tuple[Element, ...], Jet], still: dict[tuple[Element, ...], Jet], symbol: Function
) -> None:
    """Gives a function of θ the values of a fixed one, its slopes kept where the law allows them."""
    columns: dict[tuple[Element, ...], list[tuple[Element, ...]]] = {}
    for at in moving:
        columns.setdefault(at[symbol.law :], []).append(at)
    for keys in columns.values():
        allowed = not symbol.law or all(reals.sign(still[k][0]) != 0 for k in keys)
        for key in keys:
            tail = moving[key][1:] if allowed else tuple(reals.ZERO for _ in moving[key][1:])
            moving[key] = (still[key][0], *tail)


def solve(
    solution: tuple[Apply, Hypothesis], tables: dict[Function, dict[tuple[Element, ...], Jet]], world: World
) -> bool:
    """Gives a function the values, or the slopes, that a hypothesis states; False where that cannot be."""
    node, hypothesis = solution
    symbol = node.function
    indices = [argument for argument in node.arguments if isinstance(argument, Index)]
    if symbol not in tables or len(indices) < len(node.arguments) or set(hypothesis.for_all) - set(indices):
        return True
    for key, jet in list(tables[symbol].items()):
        at = dict(zip(indices, key, strict=True))
        here = _seen_at(key, symbol, world)
        try:
            # A hypothesis speaks of this θ: of a value, or of one slope, and of nothing beyond it.
            value: Real = evaluate(hypothesis.right, here, at)
            if not isinstance(hypothesis.left, Derivative):
                if not in_domain(symbol, value):
                    return False
                tables[symbol][key] = (value, *jet[1:])
            else:
                tables[symbol][key] = (jet[0], value, *jet[2:])
        except (Undefined, Undetermined, BadInput):
            return False
        world._kept.clear()
    return is_as_declared(symbol, tables[symbol])


def is_as_declared(symbol: Function, table: Mapping[tuple[Element, ...], Jet]) -> bool:
    """Whether a table stays in its domain, sums to one where it is a law, and moves only where θ may move it."""
    if not all(in_domain(symbol, jet[0]) for jet in table.values()):
        return False
    if not symbol.depends and any(reals.sign(slope) != 0 for jet in table.values() for slope in jet[1:]):
        return False
    if not symbol.law:
        return True
    columns: dict[tuple[Element, ...], Jet] = {}
    for at, jet in table.items():
        # A law over histories is one at each length.
        key = (*at[symbol.law :], *(len(e) if isinstance(e, tuple) else 0 for e in at[: symbol.law]))
        kept = columns.get(key, (reals.ZERO,) * len(jet))
        columns[key] = tuple(reals.add(x, y) for x, y in zip(kept, jet, strict=True))
    return all(
        reals.compare(column[0], reals.ONE) == 0 and all(reals.sign(slope) == 0 for slope in column[1:])
        for column in columns.values()
    )


def _seen_at(key: tuple[Element, ...], symbol: Function, world: World) -> World:
    """The world at the length of the histories among a function's arguments."""
    for sort, element in zip(symbol.sorts, key, strict=True):
        if isinstance(element, tuple):
            world = world.at_length(sort, (len(element) - len(sort.start)) // len(sort.step))
    return world


def measure(sizes: dict[Sort, int], lengths: dict[Sort, int], chosen: Sequence[tuple[Slot, Option]]) -> Measure:
    """(total size of the sets and lengths, nonzero entries, sum of numerators and denominators)."""
    total = sum(sizes.values()) + sum(lengths.values())
    return total, sum(o.nonzero for _, o in chosen), sum(o.weight for _, o in chosen)


def choices_of(sizes: Sizes, chosen: Sequence[tuple[Slot, Option]]) -> object:
    """What tells one choice from another, of the sizes and of an option for each slot."""
    return (*sizes[0].values(), *sizes[1].values(), *[option for _, option in chosen])


def in_order(parts: Sequence[Slot]) -> Iterator[tuple[int, ...]]:
    """Choices of an option for each slot, by their joint cost; each once."""
    if any(not slot.options for slot in parts):
        return
    # Slots of one kind share their options.
    known = {id(options): [(o.nonzero, o.weight) for o in options] for options in [slot.options for slot in parts]}
    costs = [known[id(slot.options)] for slot in parts]
    start = sum(column[0][0] for column in costs), sum(column[0][1] for column in costs)
    heap = [(start, (0,) * len(parts))]
    while heap:
        (nonzero, weight), ranks = heapq.heappop(heap)
        yield ranks
        last = max((k for k, rank in enumerate(ranks) if rank), default=0)
        for k in range(last, len(parts)):
            column, rank = costs[k], ranks[k]
            if rank + 1 < len(column):
                (less, lighter), (more, heavier) = column[rank], column[rank + 1]
                cost = nonzero + more - less, weight + heavier - lighter
                heapq.heappush(heap, (cost, (*ranks[:k], rank + 1, *ranks[k + 1 :])))
