"""The smallest counterexample to a statement, in exact numbers.

Worlds are generated in the order of their measure (total size of the sets and lengths, number of nonzero entries, sum of
numerators and denominators), evaluated exactly, and kept when every assumption holds and the relation fails or one of
its sides is not defined. Where the ordered worlds of small sizes do not settle it, random ones are tried and what is
found is shrunk. Zeros, ties and equal laws are always among the worlds. Proofs are not consulted.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import islice, product
from math import prod

from derivations.checker import reals
from derivations.checker.errors import BadInput
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
    children,
    free_indices,
    functions,
    substitute_functions,
    subterms,
)
from derivations.checker.worlds import (
    Element,
    Jet,
    Undefined,
    Undetermined,
    World,
    evaluate,
    free_assignments,
    holds,
    in_domain,
)

Measure = tuple[int, int, int]
Sizes = tuple[dict[Sort, int], dict[Sort, int]]
Entry = tuple[tuple[Element, ...], Jet]


@dataclass(frozen=True)
class Option:
    """One choice for a part of a table, with its share of the measure."""

    entries: tuple[Jet, ...]
    nonzero: int
    weight: int


@dataclass(frozen=True)
class Slot:
    """A part of a table that is chosen at once: one value, or one distribution."""

    symbol: Function
    keys: tuple[tuple[Element, ...], ...]
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Effort:
    """How many worlds are looked at: choices of sizes, at each of them in order and at random, then at random again."""

    sizes: int = 40
    ordered: int = 40
    random: int = 15
    late: int = 150
    minimise: int = 250
    largest: int = 6


THOROUGH = Effort()
DOUBLE_ENTRY = Effort(sizes=10, ordered=3, random=3, late=4)


@dataclass(frozen=True)
class Counterexample:
    """A world in which a statement fails, its measure, and what both sides are there."""

    world: World
    measure: Measure
    left: str
    right: str


# --- what is evaluated ----------------------------------------------------------------------------------------------


class Question:
    """A statement made ready for evaluation in worlds."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.pairs = _pairs(statement)
        # A definition on histories leaves the value at the last length open.
        self.last = frozenset(
            d.function for d in statement.definitions if any(sort.is_history for sort in d.function.sorts)
        )
        given = {d.function for d in statement.definitions} | {r.function for r in statement.recursions}
        given -= self.last
        self.functions = tuple(f for f in statement.functions if f not in given)
        if isinstance(statement.relation, SameMaximiser):
            self.functions += (_other(statement.relation.over),)
        self.sorts = tuple(s for s in statement.sorts if not s.is_history)
        self.histories = tuple(s for s in statement.sorts if s.is_history)
        self.order = max([1, *(_depth(t) for t in statement.terms)]) if any(f.depends for f in self.functions) else 0
        self.exponential = frozenset(
            f for t in statement.terms for node in subterms(t) if isinstance(node, Exp) for f in functions(node)
        )
        assumptions = (*statement.standing, *statement.assuming)
        self.closed = tuple(a for a in assumptions if not _open_indices(a))
        self.open = tuple(a for a in assumptions if _open_indices(a))
        self.reach = _reach(statement)
        self.solved = tuple(_solved(a) for a in assumptions)

    def counterexample(self, world: World) -> World | None:
        """The world with the free indices at which the statement fails in it, or None."""
        try:
            if not all(_assumption_holds(a, world) for a in self.closed):
                return None
            for at in free_assignments(self.statement.free, world):
                here = replace(world, indices=at, _kept=world._kept, _pinned=world._pinned)
                if all(_assumption_holds(a, here) for a in self.open) and self._fails(here):
                    return here
        except Undetermined:
            return None
        return None

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


def _pairs(statement: Statement) -> tuple[tuple[Term, Term], ...]:
    left, right, relation = statement.left, statement.right, statement.relation
    if isinstance(relation, SameMaximiser):
        other = _other(relation.over)
        indices = tuple(Index(f"i{k}", sort) for k, sort in enumerate(relation.over.sorts))
        mapping = {relation.over: (indices, Apply(other, indices))}
        return ((left, right), (substitute_functions(left, mapping), substitute_functions(right, mapping)))
    if isinstance(relation, FirstOrder):
        return ((left, right), (Derivative(left), Derivative(right)))
    return ((left, right),)


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
    """Whether an assumption certainly holds in a world; on histories, at every length."""
    if not isinstance(assumption, Hypothesis):
        return True
    sorts = {s for t in assumption.terms for f in functions(t) for s in f.sorts if s.is_history}
    worlds = [world]
    for sort in sorts:
        worlds = [w.at_length(sort, k) for w in worlds for k in range(w.lengths[sort] + 1)]
    return all(_holds_here(assumption, w) for w in worlds)


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


# --- the worlds -----------------------------------------------------------------------------------------------------


def _solved(assumption: Assumption) -> tuple[Apply, Hypothesis] | None:
    """An assumption that gives a function's value, or its derivative: worlds are made to satisfy it."""
    if not isinstance(assumption, Hypothesis) or assumption.relation != "=" or assumption.given is not None:
        return None
    left, right = assumption.left, assumption.right
    inside = left.body if isinstance(left, Derivative) else left
    if not isinstance(inside, Apply) or (inside is left and inside.function in functions(right)):
        return None
    if not inside.arguments or set(inside.arguments) <= set(assumption.for_all):
        return inside, assumption
    return None


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


def _table_size(question: Question, sizes: dict[Sort, int], lengths: dict[Sort, int]) -> int:
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
        own = _elements(symbol.sorts[: symbol.law], empty, reach, first)
        given = _elements(symbol.sorts[symbol.law :], empty, reach, first)
        if symbol.law:
            options = law_options(len(own), symbol.positive, question.order if symbol.depends else 0)
            result += [Slot(symbol, tuple((*lead, *rest) for lead in own), options) for rest in given]
        else:
            options = value_options(symbol, question.order if symbol.depends else 0, symbol in question.exponential)
            result += [Slot(symbol, (rest,), options) for rest in given]
    return result


def _elements(sorts: Sequence[Sort], world: World, reach: int, first: Mapping[Sort, int]) -> list[tuple[Element, ...]]:
    """Every tuple of elements; of histories, those of every length from `first` up to the world's plus `reach`."""
    ranges: list[list[Element]] = []
    for sort in sorts:
        if sort.is_history:
            lengths = range(first.get(sort, 0), world.lengths[sort] + reach + 1)
            ranges.append([element for k in lengths for element in world.elements(sort, k)])
        else:
            ranges.append(list(world.elements(sort)))
    return list(product(*ranges))


def _cost(value: Real) -> tuple[int, int]:
    rational = reals.fraction(value)
    if rational is None:
        return 1, 4
    return int(rational != 0), abs(rational.numerator) + rational.denominator


def _option(entries: Iterable[Sequence[Real]]) -> Option:
    jets = tuple(tuple(jet) for jet in entries)
    costs = [_cost(value) for jet in jets for value in jet[:1]] + [
        _cost(v) for jet in jets for v in jet[1:] if _cost(v)[0]
    ]
    return Option(jets, sum(n for n, _ in costs), sum(w for _, w in costs))


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
    options = {(_key(value), tuple(map(_key, tail))): _option([[value, *tail]]) for value in values for tail in tails}
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
            options.append(_option(jets))
    return tuple(sorted(options, key=lambda o: (o.nonzero, o.weight)))


def _distributions(n: int, positive: bool) -> Iterator[tuple[Fraction, ...]]:
    least = 1 if positive else 0
    for denominator in range(1, 7 if n <= 3 else max(5, n)):
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
    for slot, option in chosen:
        width = 1 + max(question.order, 1)
        for key, jet in zip(slot.keys, option.entries, strict=True):
            tables[slot.symbol][key] = jet + (reals.ZERO,) * (width + 1 - len(jet))
    statement = question.statement
    world = World(sizes, tables, lengths, lengths, statement.definitions, statement.recursions)
    if isinstance(statement.relation, FirstOrder):
        for moving, still in statement.relation.at.values:
            if moving in tables and still in tables:
                _move_to_point(tables[moving], tables[still], moving)
    for solution in question.solved:
        if solution is not None and not _solve(solution, tables, world):
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


def _solve(
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
            if not isinstance(hypothesis.left, Derivative):
                jet = evaluate(hypothesis.right, here, at, len(jet) - 1)
                if not in_domain(symbol, jet[0]):
                    return False
                tables[symbol][key] = jet
            else:
                # Each derivative may rest on the one before: the right side may speak of the function itself.
                for order in range(1, len(jet)):
                    here._kept.clear()
                    following = evaluate(hypothesis.right, here, at, order - 1)[order - 1]
                    jet = (*jet[:order], following, *jet[order + 1 :])
                    tables[symbol][key] = jet
        except (Undefined, Undetermined, BadInput):
            return False
        world._kept.clear()
    return True


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


def in_order(parts: Sequence[Slot]) -> Iterator[tuple[int, ...]]:
    """Choices of an option for each slot, by their joint cost; each once."""

    def cost(ranks: tuple[int, ...]) -> tuple[int, int]:
        options = [slot.options[rank] for slot, rank in zip(parts, ranks, strict=True)]
        return sum(o.nonzero for o in options), sum(o.weight for o in options)

    if any(not slot.options for slot in parts):
        return
    start = (0,) * len(parts)
    heap = [(cost(start), start)]
    while heap:
        _, ranks = heapq.heappop(heap)
        yield ranks
        last = max((k for k, rank in enumerate(ranks) if rank), default=0)
        for k in range(last, len(parts)):
            if ranks[k] + 1 < len(parts[k].options):
                following = (*ranks[:k], ranks[k] + 1, *ranks[k + 1 :])
                heapq.heappush(heap, (cost(following), following))


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


MAX_ENTRIES = 60


def _attempt(
    question: Question, sizes: dict[Sort, int], lengths: dict[Sort, int], chosen: Sequence[tuple[Slot, Option]]
) -> Found | None:
    world = build(question, sizes, lengths, chosen)
    failing = None if world is None else question.counterexample(world)
    return None if failing is None else Found(failing, sizes, lengths, tuple(chosen))


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
        found = _attempt(question, *sizes, _draw(parts, draw, lively=number % 2 == 0))
        if found is not None:
            return found
    return None


def _draw(parts: Sequence[Slot], draw: random.Random, lively: bool) -> list[tuple[Slot, Option]]:
    """One option a slot at random; now and then that of a slot like it, so that laws and values are equal."""
    chosen: list[tuple[Slot, Option]] = []
    for slot in parts:
        alike = [option for other, option in chosen if other.options is slot.options]
        if alike and draw.random() < 0.15:
            chosen.append((slot, draw.choice(alike)))
        elif lively:
            chosen.append((slot, slot.options[draw.randrange(len(slot.options))]))
        else:
            chosen.append((slot, slot.options[int(draw.random() ** 2 * len(slot.options))]))
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


def _search(question: Question, effort: Effort, seed: int) -> Found | None:
    """The first sizes, by their total, at which a failing world is found; the smallest such world of that total."""
    draw = random.Random(seed)
    best: Found | None = None
    places: list[tuple[Sizes, list[Slot]]] = []
    for sizes in sizes_in_order(question, effort.largest):
        if best is not None and sum(map(_total, sizes)) > best.measure[0]:
            return best
        if len(places) >= effort.sizes:
            break
        if _table_size(question, *sizes) > MAX_ENTRIES:
            continue
        parts = slots(question, *sizes)
        places.append((sizes, parts))
        found = _in_order(question, sizes, parts, effort.ordered)
        found = found or _at_random(question, sizes, parts, effort.random, draw)
        if found is not None:
            found = _smallest(question, found, sizes, parts, effort)
            best = found if best is None or found.measure < best.measure else best
    if best is not None or not places:
        return best
    for _ in range(effort.late):
        sizes, parts = places[int(draw.random() * len(places))]
        found = _at_random(question, sizes, parts, 2, draw)
        if found is not None:
            return _smallest(question, found, sizes, parts, effort)
    return None


def _total(numbers: dict[Sort, int]) -> int:
    return sum(numbers.values())


def _smallest(question: Question, found: Found, sizes: Sizes, parts: Sequence[Slot], effort: Effort) -> Found:
    """The smallest failing world of these sizes: shrunk, then looked for in order below what that gave."""
    found = _shrink(question, found)
    return _in_order(question, sizes, parts, effort.minimise, found.measure) or found


def refute(statement: Statement, effort: Effort = THOROUGH, seed: int = 0) -> Counterexample | None:
    """The smallest world found in which a statement fails; for a statement of existence, in which it holds."""
    question = Question(statement)
    found = _search(question, effort, seed)
    if found is None:
        return None
    left, right = question.sides(found.world)
    return Counterexample(found.world, found.measure, left, right)


def fails_in(statement: Statement, world: World) -> Counterexample | None:
    """The given world as a counterexample, if every assumption holds in it and the statement fails."""
    question = Question(statement)
    prepared = replace(world, definitions=statement.definitions, recursions=statement.recursions, _kept={}, _pinned=[])
    failing = question.counterexample(prepared)
    if failing is None:
        return None
    left, right = question.sides(failing)
    total = sum(world.sizes.values()) + sum(world.lengths.values())
    costs = [_cost(value) for table in world.tables.values() for jet in table.values() for value in jet[:1]]
    return Counterexample(failing, (total, sum(n for n, _ in costs), sum(w for _, w in costs)), left, right)


__all__ = ["DOUBLE_ENTRY", "THOROUGH", "Counterexample", "Effort", "Question", "fails_in", "refute"]
