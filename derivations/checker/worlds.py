"""Exact evaluation of terms in finite worlds.

A world gives each sort a size, each sort of histories a length, and each function a table of exact values together with
its derivatives in θ, so that gradients are exact numbers without logits. This module knows the language and the real
numbers, and nothing of proofs: a wrong rule of the normal form cannot fool it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import comb
from typing import Any

from derivations.checker import reals
from derivations.checker.errors import BadInput
from derivations.checker.reals import Real
from derivations.checker.terms import (
    Add,
    Apply,
    Argument,
    Cases,
    Definition,
    Delta,
    Derivative,
    Exp,
    Expectation,
    Function,
    Index,
    Indicator,
    Infinity,
    Length,
    Limit,
    Log,
    Maximum,
    Minimum,
    Multiply,
    Number,
    Power,
    Recursion,
    Size,
    Sort,
    Sum,
    Supremum,
    Term,
    free_indices,
)

Element = int | tuple[int, ...]
Jet = tuple[Real, ...]
Table = Mapping[tuple[Element, ...], Jet]
Environment = Mapping[Index, Element]


class Undefined(Exception):
    """A term has no value in a world: a division by zero, the logarithm of zero, the slope at a kink."""

    def __init__(self, what: Term, why: str) -> None:
        super().__init__(what, why)
        self.what = what
        self.why = why

    def __str__(self) -> str:
        return f"{self.what!r} is not defined: {self.why}"


class Undetermined(Exception):
    """A comparison inside a term cannot be settled, because balls overlap."""


@dataclass(frozen=True, eq=False)
class World:
    """Sizes, lengths and tables: everything that a statement leaves open, chosen."""

    sizes: Mapping[Sort, int]
    tables: Mapping[Function, Table]
    lengths: Mapping[Sort, int] = field(default_factory=dict)
    horizon: Mapping[Sort, int] = field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()
    recursions: tuple[Recursion, ...] = ()
    indices: Environment = field(default_factory=dict)
    _kept: dict[object, Jet] = field(default_factory=dict, repr=False)
    _pinned: list[Term] = field(default_factory=list, repr=False)

    def elements(self, sort: Sort, level: int | None = None) -> Iterable[Element]:
        """The elements of a sort; for histories, those of `level` steps (the world's length if none is given)."""
        if not sort.is_history:
            return range(self.sizes[sort])
        steps = self.lengths[sort] if level is None else level
        ranges = [range(self.sizes[part]) for part in (*sort.start, *(sort.step * steps))]
        return product(*ranges)

    def at_length(self, sort: Sort, steps: int) -> World:
        """The same world, its histories seen after fewer steps."""
        return self._with(lengths={**self.lengths, sort: steps}, _kept={}, _pinned=[])

    def at(self, indices: Environment) -> World:
        """The same world at these free indices; what is known of its terms stays known."""
        return self._with(indices=indices)

    def _with(self, **changed: object) -> World:
        # As dataclasses.replace, which is slow: there are many worlds.
        other = object.__new__(World)
        other.__dict__.update(self.__dict__ | changed)
        return other

    def value(self, term: Term, at: Environment | None = None) -> Real:
        """The exact value of any term; `at` gives its free indices, the world's own fill in."""
        return evaluate(term, self, {**self.indices, **(at or {})})[0]

    def __call__(self, term: Term, **at: Element) -> Fraction | str:
        """The value of a term as a Fraction, or as text where it is irrational; free indices by name, as in y=0."""
        given = {index: at[index.name] for index in free_indices(term) if index.name in at}
        missing = [i.name for i in free_indices(term) if i not in given and i not in self.indices]
        if missing:
            raise BadInput(f"world: index {min(missing)} has no value; give it by name, as in {min(missing)}=0")
        value = self.value(term, given)
        rational = reals.fraction(value)
        return reals.show(value) if rational is None else rational

    def __repr__(self) -> str:
        from derivations.checker.printing import world_text

        return world_text(self)


def world(
    sizes: Mapping[Sort, int],
    tables: Mapping[Any, object],
    *,
    lengths: Mapping[Sort, int] | None = None,
    slopes: Mapping[Any, object] | None = None,
    indices: Mapping[Index, Element] | None = None,
    definitions: Sequence[Definition] = (),
    recursions: Sequence[Recursion] = (),
) -> World:
    """A world from plain numbers, checked: a law's table sums to one, every value lies in its domain.

    A table is a number (for a parameter), a sequence (one index), a nested sequence (several), or a mapping from tuples
    of elements. `slopes` gives derivatives in θ in the same form; what is not given is zero. A value may be a Fraction,
    an integer, or a closed term such as log(2).
    """
    for sort, size in sizes.items():
        if type(size) is not int or size < 1:
            raise BadInput(f"world: size of {sort.name} is {size!r}; expected a positive integer")
    built: dict[Function, dict[tuple[Element, ...], Jet]] = {}
    derivative = {_symbol(key): _flat(table) for key, table in (slopes or {}).items()}
    for key, table in tables.items():
        symbol = _symbol(key)
        slope = derivative.get(symbol, {})
        unknown = set(slope) - set(_flat(table))
        if unknown:
            raise BadInput(f"world: {symbol.name} has a slope at {min(map(str, unknown))}, but no value there")
        built[symbol] = {
            at: (_exact(value), _exact(slope.get(at, symbol.slope or 0)), reals.ZERO)
            for at, value in _flat(table).items()
        }
    result = World(
        dict(sizes),
        built,
        dict(lengths or {}),
        dict(lengths or {}),
        tuple(definitions),
        tuple(recursions),
        dict(indices or {}),
    )
    for symbol, entries in built.items():
        _validate(symbol, entries, result)
    return result


def _symbol(key: Function | Apply) -> Function:
    return key.function if isinstance(key, Apply) else key


def _flat(table: object) -> dict[tuple[Element, ...], object]:
    if isinstance(table, Mapping):
        return {key if isinstance(key, tuple) else (key,): value for key, value in table.items()}
    if isinstance(table, (list, tuple)):
        return {(k, *rest): value for k, row in enumerate(table) for rest, value in _flat(row).items()}
    return {(): table}


def _exact(value: object) -> Real:
    if isinstance(value, Term):
        return evaluate(value, World({}, {}), {})[0]
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        raise BadInput(f"world: a value is {value!r}; expected an integer, a Fraction or a closed term")
    return reals.real(value)


def _validate(symbol: Function, entries: Table, where: World) -> None:
    missing = [sort.name for sort in symbol.sorts if not sort.is_history and sort not in where.sizes]
    if missing:
        raise BadInput(f"world: {symbol.name} needs the size of {missing[0]}")
    if not any(sort.is_history for sort in symbol.sorts):
        expected = set(product(*(where.elements(sort) for sort in symbol.sorts)))
        if set(entries) != expected:
            raise BadInput(f"world: the table of {symbol.name} has {len(entries)} entries; expected {len(expected)}")
    for at, jet in entries.items():
        if not in_domain(symbol, jet[0]):
            place = "" if not at else " at " + ", ".join(map(str, at))
            raise BadInput(f"world: {symbol.name}{place} is {reals.show(jet[0])}; expected a value in {symbol.domain}")
    if symbol.law:
        sums: dict[tuple[Element, ...], list[Real]] = {}
        for at, jet in entries.items():
            kept = sums.setdefault(at[symbol.law :], [reals.ZERO] * len(jet))
            sums[at[symbol.law :]] = [reals.add(x, y) for x, y in zip(kept, jet, strict=True)]
        for given, columns in sums.items():
            place = "" if not given else " given " + ", ".join(map(str, given))
            if reals.compare(columns[0], reals.ONE) != 0:
                raise BadInput(f"world: {symbol.name}{place} sums to {reals.show(columns[0])}; expected 1")
            if any(reals.sign(slope) != 0 for slope in columns[1:]):
                raise BadInput(f"world: the slopes of {symbol.name}{place} sum to {reals.show(columns[1])}; expected 0")


def in_domain(symbol: Function, value: Real) -> bool:
    """Whether a value certainly lies in a function's domain."""
    domain = symbol.domain
    for bound, strict, wanted in ((domain.lower, domain.lower_open, 1), (domain.upper, domain.upper_open, -1)):
        if bound is None:
            continue
        order = reals.compare(value, reals.real(bound))
        if order != wanted and (strict or order != 0):
            return False
    return True


# --- evaluation -----------------------------------------------------------------------------------------------------


def evaluate(term: Term, world: World, environment: Environment, order: int = 0) -> Jet:
    """The value of a term and its derivatives in θ up to `order`; raises Undefined where there is none."""
    return _RULES[type(term)](term, world, environment, order)


def _constant(value: Real, order: int) -> Jet:
    return (value,) + (reals.ZERO,) * order


def _plus(x: Jet, y: Jet) -> Jet:
    if len(x) == 1:
        return (reals.add(x[0], y[0]),)
    return tuple(reals.add(a, b) for a, b in zip(x, y, strict=True))


def _times(x: Jet, y: Jet) -> Jet:
    if len(x) == 1:
        return (reals.multiply(x[0], y[0]),)
    result = []
    for n in range(len(x)):
        value: Real = reals.ZERO
        for k in range(n + 1):
            value = reals.add(value, reals.multiply(reals.multiply(x[k], y[n - k]), reals.real(comb(n, k))))
        result.append(value)
    return tuple(result)


def _inverse(x: Jet, node: Term) -> Jet:
    first = reals.invert(x[0])
    if first is None:
        if reals.sign(x[0]) is None:
            raise Undetermined
        raise Undefined(node, "a division by zero")
    result = [first]
    for n in range(1, len(x)):
        value: Real = reals.ZERO
        for k in range(1, n + 1):
            value = reals.add(value, reals.multiply(reals.multiply(x[k], result[n - k]), reals.real(comb(n, k))))
        result.append(reals.negate(reals.multiply(value, first)))
    return tuple(result)


def _number(node: Number, world: World, environment: Environment, order: int) -> Jet:
    known = node.__dict__.get("_real")
    if known is None:
        # Kept with the number: it is met in every world.
        known = node.__dict__["_real"] = reals.real(node.value)
    return _constant(known, order) if order else (known,)


def _element(argument: Argument, environment: Environment) -> Element:
    if isinstance(argument, Index):
        return environment[argument]
    prefix = () if argument.prefix is None else environment[argument.prefix]
    assert isinstance(prefix, tuple)
    return prefix + tuple([_position(environment[item]) for item in argument.items])


def _position(element: Element) -> int:
    assert isinstance(element, int)
    return element


def _apply(node: Apply, world: World, environment: Environment, order: int) -> Jet:
    arguments = tuple([_element(argument, environment) for argument in node.arguments])
    jet = _lookup(node, arguments, world, order + node.order)
    return jet if not node.order else jet[node.order :]


def _lookup(node: Apply, arguments: tuple[Element, ...], world: World, order: int) -> Jet:
    symbol = node.function
    key = (symbol, arguments, order)
    known = world._kept.get(key)
    if known is not None:
        return known
    rule = _equation(symbol, arguments, world) if world.definitions or world.recursions else None
    if rule is None:
        table = world.tables.get(symbol)
        if table is None or arguments not in table:
            raise BadInput(f"world: {symbol.name} has no value at {arguments}; give its table")
        jet = table[arguments]
        if len(jet) <= order:
            # A derivative of an order that this world does not tell.
            raise Undetermined
        jet = jet[: order + 1]
    else:
        body, environment = rule
        jet = evaluate(body, world, environment, order)
    world._kept[key] = jet
    return jet


def _equation(symbol: Function, arguments: tuple[Element, ...], world: World) -> tuple[Term, Environment] | None:
    for rule in world.recursions:
        if rule.function == symbol:
            (history,) = arguments
            assert isinstance(history, tuple)
            if len(history) == len(rule.start_indices):
                return rule.start, dict(zip(rule.start_indices, history, strict=True))
            cut = len(history) - len(rule.step_indices)
            return rule.step, {rule.history: history[:cut], **dict(zip(rule.step_indices, history[cut:], strict=True))}
    for definition in world.definitions:
        if definition.function == symbol and not _is_last(symbol, arguments, world):
            return definition.value, dict(zip(definition.indices, arguments, strict=True))
    return None


def _is_last(symbol: Function, arguments: tuple[Element, ...], world: World) -> bool:
    for sort, element in zip(symbol.sorts, arguments, strict=True):
        if sort.is_history and isinstance(element, tuple):
            return len(element) >= len(sort.start) + world.horizon[sort] * len(sort.step)
    return False


def _add(node: Add, world: World, environment: Environment, order: int) -> Jet:
    if not node.terms:
        return _constant(reals.ZERO, order)
    result = evaluate(node.terms[0], world, environment, order)
    for part in node.terms[1:]:
        result = _plus(result, evaluate(part, world, environment, order))
    return result


def _multiply(node: Multiply, world: World, environment: Environment, order: int) -> Jet:
    if not node.factors:
        return _constant(reals.ONE, order)
    result = evaluate(node.factors[0], world, environment, order)
    for factor in node.factors[1:]:
        result = _times(result, evaluate(factor, world, environment, order))
    return result


def _power(node: Power, world: World, environment: Environment, order: int) -> Jet:
    base = evaluate(node.base, world, environment, order)
    if node.exponent < 0:
        base = _inverse(base, node)
    if not node.exponent:
        return _constant(reals.ONE, order)
    result = base
    for _ in range(abs(node.exponent) - 1):
        result = _times(result, base)
    return result


def _log(node: Log, world: World, environment: Environment, order: int) -> Jet:
    inner = evaluate(node.argument, world, environment, order)
    first = reals.log(inner[0])
    if first is None:
        if reals.sign(inner[0]) is None:
            raise Undetermined
        raise Undefined(node, f"the logarithm of {reals.show(inner[0])}")
    result = [first]
    for n in range(1, order + 1):
        value = inner[n]
        for k in range(1, n):
            part = reals.multiply(reals.multiply(inner[k], result[n - k]), reals.real(comb(n - 1, k)))
            value = reals.subtract(value, part)
        scale = reals.invert(inner[0])
        assert scale is not None
        result.append(reals.multiply(value, scale))
    return tuple(result)


def _exp(node: Exp, world: World, environment: Environment, order: int) -> Jet:
    inner = evaluate(node.argument, world, environment, order)
    result = [reals.exp(inner[0])]
    for n in range(1, order + 1):
        value: Real = reals.ZERO
        for k in range(n):
            part = reals.multiply(reals.multiply(inner[k + 1], result[n - 1 - k]), reals.real(comb(n - 1, k)))
            value = reals.add(value, part)
        result.append(value)
    return tuple(result)


@lru_cache(maxsize=100_000)
def _free_in_order(node: Term) -> tuple[Index, ...]:
    return tuple(sorted(free_indices(node), key=lambda index: index.name))


def _kept(
    rule: Callable[..., Jet],
) -> Callable[[Term, World, Environment, int], Jet]:
    def remembered(node: Term, world: World, environment: Environment, order: int) -> Jet:
        key = (id(node), order, *(environment[i] for i in _free_in_order(node)))
        found = world._kept.get(key)
        if found is None:
            found = rule(node, world, environment, order)
            world._kept[key] = found
            world._pinned.append(node)  # keeps the node alive, so that its id stays its own
        return found

    return remembered


def _sum(node: Sum, world: World, environment: Environment, order: int) -> Jet:
    result = _constant(reals.ZERO, order)
    for element in world.elements(node.index.sort):
        result = _plus(result, evaluate(node.body, world, {**environment, node.index: element}, order))
    return result


def _expectation(node: Expectation, world: World, environment: Environment, order: int) -> Jet:
    result = _constant(reals.ZERO, order)
    for elements in product(*(world.elements(index.sort) for index in node.indices)):
        inside = {**environment, **dict(zip(node.indices, elements, strict=True))}
        weight = evaluate(node.law, world, inside, order)
        if any(reals.sign(part) != 0 for part in weight):
            result = _plus(result, _times(weight, evaluate(node.body, world, inside, order)))
    return result


def _extremum(node: Minimum | Maximum, world: World, environment: Environment, order: int) -> Jet:
    wanted = -1 if isinstance(node, Minimum) else 1
    best, *others = (evaluate(part, world, environment, order) for part in node.terms)
    for jet in others:
        comparison = reals.compare(jet[0], best[0])
        if comparison is None:
            if order:
                raise Undetermined
            # Overlapping balls: the union of both is an enclosure of either.
            best = (reals.ball(best[0]).union(reals.ball(jet[0])),)
        elif comparison == wanted:
            best = jet
        elif comparison == 0:
            _require_same_slopes(node, best, jet, "the slope at a kink")
    return best


def _require_same_slopes(node: Term, left: Jet, right: Jet, why: str) -> None:
    orders = [reals.compare(x, y) for x, y in zip(left[1:], right[1:], strict=True)]
    if any(order not in (0, None) for order in orders):
        raise Undefined(node, why)
    if None in orders:
        raise Undetermined


def holds(left: Real, relation: str, right: Real) -> bool | None:
    """Whether a relation between exact numbers holds; None where balls do not tell."""
    order = reals.compare(left, right)
    if order is None:
        return None
    return order in _SIGNS[relation]


_SIGNS = {"=": (0,), "≠": (-1, 1), "<": (-1,), "≤": (-1, 0), ">": (1,), "≥": (0, 1)}


def _decide(node: Indicator, world: World, environment: Environment, order: int) -> bool:
    left = evaluate(node.left, world, environment, order)
    right = evaluate(node.right, world, environment, order)
    answer = holds(left[0], node.relation, right[0])
    if answer is None:
        raise Undetermined
    if left[0] is right[0] or reals.compare(left[0], right[0]) == 0:
        _require_same_slopes(node, left, right, "the slope at a jump")
    return answer


def _indicator(node: Indicator, world: World, environment: Environment, order: int) -> Jet:
    return _constant(reals.ONE if _decide(node, world, environment, order) else reals.ZERO, order)


def _cases(node: Cases, world: World, environment: Environment, order: int) -> Jet:
    chosen = node.then if _decide(node.condition, world, environment, order) else node.otherwise
    return evaluate(chosen, world, environment, order)


def _delta(node: Delta, world: World, environment: Environment, order: int) -> Jet:
    return _constant(reals.ONE if environment[node.left] == environment[node.right] else reals.ZERO, order)


def _size(node: Size, world: World, environment: Environment, order: int) -> Jet:
    return _constant(reals.real(sum(1 for _ in world.elements(node.sort))), order)


def _length(node: Length, world: World, environment: Environment, order: int) -> Jet:
    return _constant(reals.real(world.lengths[node.sort]), order)


def _derivative(node: Derivative, world: World, environment: Environment, order: int) -> Jet:
    return evaluate(node.body, world, environment, order + 1)[1:]


def _infinity(node: Infinity, world: World, environment: Environment, order: int) -> Jet:
    return _constant(reals.INFINITY, order)


def _supremum(node: Supremum, world: World, environment: Environment, order: int) -> Jet:
    parts = tuple(world.elements(node.index.sort))
    jets = [evaluate(node.body, world, {**environment, node.index: element}, 0) for element in parts]
    if order:
        raise Undefined(node, "the slope of a supremum")
    best = jets[0][0]
    for (value,) in jets[1:]:
        larger = holds(value, ">", best)
        if larger is None:
            raise Undetermined
        best = value if larger else best
    return (best,)


def _limit(node: Limit, world: World, environment: Environment, order: int) -> Jet:
    # A limit is not a value of the world; `calculus` looks at it.
    raise Undetermined


_RULES: Mapping[type[Term], Callable[..., Jet]] = {
    Number: _number,
    Apply: _apply,
    Add: _add,
    Multiply: _multiply,
    Power: _power,
    Log: _log,
    Exp: _exp,
    Sum: _kept(_sum),
    Expectation: _kept(_expectation),
    Minimum: _extremum,
    Maximum: _extremum,
    Indicator: _indicator,
    Cases: _cases,
    Delta: _delta,
    Size: _size,
    Length: _length,
    Infinity: _infinity,
    Supremum: _kept(_supremum),
    Limit: _limit,
    Derivative: _derivative,
}


def free_assignments(indices: Iterable[Index], world: World) -> Iterator[dict[Index, Element]]:
    """Every choice of elements for the given indices."""
    ordered = sorted(indices, key=lambda index: index.name)
    for elements in product(*(world.elements(index.sort) for index in ordered)):
        yield dict(zip(ordered, elements, strict=True))
