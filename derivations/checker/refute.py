"""The smallest counterexample to a statement, in exact numbers.

Worlds are generated in the order of their measure (total size of the sets and lengths, number of nonzero entries, sum of
numerators and denominators), evaluated exactly, and kept when every assumption holds and the relation fails or one of
its sides is not defined. Where the ordered worlds of small sizes do not settle it, random ones are tried and what is
found is shrunk. Zeros, ties and equal laws are always among the worlds. Proofs are not consulted.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

from derivations.checker import reals
from derivations.checker.candidates import (
    Measure,
    Option,
    Sizes,
    Slot,
    build,
    choices_of,
    cost_of,
    in_order,
    is_as_declared,
    measure,
    sizes_in_order,
    slots,
    table_size,
)
from derivations.checker.errors import BadInput
from derivations.checker.question import Question
from derivations.checker.statement import (
    FirstOrder,
    Hypothesis,
    Statement,
)
from derivations.checker.terms import (
    Number,
    Sort,
)
from derivations.checker.worlds import (
    World,
)


@dataclass(frozen=True)
class Effort:
    """How many worlds are looked at: choices of sizes, at each of them in order and at random, then at random again.

    Once one is found, `minimise` cheaper ones of its sizes are tried, and `again` at each of the sizes one below. No set
    has more elements than `largest`, and no world more than so many `entries` in its tables, nor less than `fewest`.
    """

    sizes: int = 40
    ordered: int = 30
    random: int = 12
    late: int = 150
    minimise: int = 150
    again: int = 30
    largest: int = 6
    entries: int = 60
    fewest: int = 0


THOROUGH = Effort()
DOUBLE_ENTRY = Effort(sizes=10, ordered=3, random=3, late=4, minimise=60, again=0)


@dataclass(frozen=True)
class Counterexample:
    """A world in which a statement fails, its measure, and what both sides are there."""

    world: World
    measure: Measure
    left: str
    right: str


# --- the search -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A failing world with the choices that make it."""

    world: World
    sizes: dict[Sort, int]
    lengths: dict[Sort, int]
    chosen: tuple[tuple[Slot, Option], ...]

    @property
    def measure(self) -> Measure:
        """How large it is."""
        return measure(self.sizes, self.lengths, self.chosen)


def _attempt(
    question: Question, sizes: dict[Sort, int], lengths: dict[Sort, int], chosen: Sequence[tuple[Slot, Option]]
) -> Found | None:
    # In order, at random, while shrinking and at a second look the same choices are met again.
    key = choices_of((sizes, lengths), chosen)
    if key in question.harmless:
        return None
    world = build(question, sizes, lengths, chosen)
    failing = None if world is None else question.counterexample(world)
    if failing is None:
        question.harmless.add(key)
        return None
    return Found(failing, sizes, lengths, tuple(chosen))


def _in_order(
    question: Question, sizes: Sizes, parts: Sequence[Slot], most: int, limit: Measure | None = None
) -> Found | None:
    """The first failing world among the `most` cheapest of these sizes, if it is below the limit."""
    for ranks in islice(in_order(parts), most):
        chosen = [(slot, slot.options[rank]) for slot, rank in zip(parts, ranks, strict=True)]
        if limit is not None and measure(*sizes, chosen) >= limit:
            return None
        found = _attempt(question, *sizes, chosen)
        if found is not None:
            return found
    return None


def _at_random(question: Question, sizes: Sizes, parts: Sequence[Slot], most: int, draw: random.Random) -> Found | None:
    """A failing world among `most` random ones of these sizes."""
    if any(not slot.options for slot in parts):
        return None
    for number in range(most):
        found = _attempt(question, *sizes, draw_options(parts, draw, lively=number % 2 == 0))
        if found is not None:
            return found
    return None


def draw_options(parts: Sequence[Slot], draw: random.Random, lively: bool) -> list[tuple[Slot, Option]]:
    """One option a slot at random; now and then that of a slot like it, so that laws and values are equal."""
    chosen: list[tuple[Slot, Option]] = []
    before: dict[int, list[Option]] = {}
    for slot in parts:
        alike = before.setdefault(id(slot.options), [])
        if alike and draw.random() < 0.15:
            chosen.append((slot, draw.choice(alike)))
        elif lively:
            chosen.append((slot, slot.options[draw.randrange(len(slot.options))]))
        else:
            chosen.append((slot, slot.options[int(draw.random() ** 2 * len(slot.options))]))
        alike.append(chosen[-1][1])
    return chosen


def _shrink(question: Question, found: Found) -> Found:
    """Replaces choices by cheaper ones for as long as the statement still fails."""
    improved = True
    while improved:
        improved = False
        for k, (slot, option) in enumerate(found.chosen):
            for cheaper in slot.options:
                if (cheaper.nonzero, cheaper.weight) >= (option.nonzero, option.weight):
                    break
                chosen = (*found.chosen[:k], (slot, cheaper), *found.chosen[k + 1 :])
                smaller = _attempt(question, found.sizes, found.lengths, chosen)
                if smaller is not None:
                    found, improved = smaller, True
                    break
    return found


Place = tuple[Sizes, list[Slot]]


def _search(question: Question, effort: Effort, seed: int) -> Found | None:
    """The smallest failing world of the first total size at which one is found, after a second look just below it."""
    draw = random.Random(seed)
    places: list[Place] = []
    best: Found | None = None
    for place in places_of(question, effort):
        if best is not None and _size(place) > best.measure[0]:
            break
        places.append(place)
        found = _look(question, place, effort.ordered, effort.random, draw, effort)
        best = found if best is None or (found is not None and found.measure < best.measure) else best
    for _ in range(effort.late if places and best is None else 0):
        best = best or _look(question, places[int(draw.random() * len(places))], 0, 2, draw, effort)
    return None if best is None else _second_look(question, best, places, draw, effort)


def places_of(question: Question, effort: Effort) -> Iterator[Place]:
    """The choices of sizes, by their total, whose worlds are not too large, each with what is left to choose."""
    every = sizes_in_order(question, effort.largest)
    fitting = (sizes for sizes in every if effort.fewest <= table_size(question, *sizes) <= effort.entries)
    for sizes in islice(fitting, effort.sizes):
        yield sizes, slots(question, *sizes)


def _second_look(question: Question, best: Found, places: list[Place], draw: random.Random, effort: Effort) -> Found:
    """Looks harder at the sizes one below, for as long as that finds something smaller."""
    while effort.again:
        below = [place for place in places if _size(place) == best.measure[0] - 1]
        looked = (_look(question, place, effort.again, effort.again, draw, effort) for place in below)
        smaller = min((found for found in looked if found is not None), key=lambda found: found.measure, default=None)
        if smaller is None:
            break
        best = smaller
    return best


def _look(
    question: Question, place: Place, ordered: int, at_random: int, draw: random.Random, effort: Effort
) -> Found | None:
    """The smallest failing world of one choice of sizes, if one is found among so many."""
    sizes, parts = place
    found = _in_order(question, sizes, parts, ordered) or _at_random(question, sizes, parts, at_random, draw)
    return None if found is None else _smallest(question, found, sizes, parts, effort)


def _size(place: Place) -> int:
    (sizes, lengths), _ = place
    return _total(sizes) + _total(lengths)


def _total(numbers: dict[Sort, int]) -> int:
    return sum(numbers.values())


def _smallest(question: Question, found: Found, sizes: Sizes, parts: Sequence[Slot], effort: Effort) -> Found:
    """The smallest failing world of these sizes: shrunk, then looked for in order below what that gave."""
    found = _shrink(question, found)
    return _in_order(question, sizes, parts, effort.minimise, found.measure) or found


def refute(
    statement: Statement, effort: Effort = THOROUGH, seed: int = 0, question: Question | None = None
) -> Counterexample | None:
    """The smallest world found in which a statement fails; for a statement of existence, in which it holds.

    A `question` on the statement remembers the worlds that were looked at, for who looks further.
    """
    question = question or Question(statement)
    found = _search(question, effort, seed)
    if found is None:
        return None
    left, right = question.sides(found.world)
    return Counterexample(found.world, found.measure, left, right)


def is_satisfiable(statement: Statement, worlds: Iterable[World] = ()) -> bool:
    """Whether a world is found in which everything that is assumed holds: from a contradiction anything follows."""
    if not any(isinstance(a, Hypothesis) for a in (*statement.assuming, *statement.standing)):
        return True
    zero = Number(Fraction(0))
    given = replace(statement, left=zero, relation="=", right=zero, exists=True)
    if any(fails_in(given, world) is not None for world in worlds):
        return True
    return refute(given, DOUBLE_ENTRY) is not None or refute(given, THOROUGH) is not None


def is_at_point(statement: Statement, world: World) -> bool:
    """Whether a world lies at the point of a first-order statement: what moves has the values of what is fixed."""
    if not isinstance(statement.relation, FirstOrder):
        return True
    return all(
        reals.compare(jet[0], world.tables[still][at][0]) == 0
        for moving, still in statement.relation.at.values
        for at, jet in world.tables[moving].items()
    )


def fails_in(statement: Statement, world: World) -> Counterexample | None:
    """The given world as a counterexample, if every assumption holds in it and the statement fails."""
    question = Question(statement)
    for symbol, table in world.tables.items():
        if not is_as_declared(symbol, table):
            raise BadInput(f"world: the table of {symbol.name} is not one of its declaration")
    if not is_at_point(statement, world):
        return None
    prepared = replace(world, definitions=statement.definitions, recursions=statement.recursions, _kept={})
    failing = question.counterexample(prepared)
    if failing is None:
        return None
    left, right = question.sides(failing)
    total = sum(world.sizes.values()) + sum(world.lengths.values())
    costs = [cost_of(value) for table in world.tables.values() for jet in table.values() for value in jet[:1]]
    return Counterexample(failing, (total, sum(n for n, _ in costs), sum(w for _, w in costs)), left, right)


__all__ = [
    "DOUBLE_ENTRY",
    "THOROUGH",
    "Counterexample",
    "Effort",
    "Found",
    "Question",
    "draw_options",
    "fails_in",
    "is_satisfiable",
    "places_of",
    "refute",
]
