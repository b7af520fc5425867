"""Exact evaluation of terms in finite worlds.

A world gives each sort a size, each sort of histories a length, and each function a table of exact values together with
its derivatives in θ, so that gradients are exact numbers without logits. This module knows the language and the real
numbers, and nothing of proofs: a wrong rule of the normal form cannot fool it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
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

    @cached_property
    def _by_equation(self) -> frozenset[Function]:
        """The functions that are given by equations: their tables are not asked first."""
        return frozenset([*[d.function for d in self.definitions], *[r.function for r in self.recursions]])

    def elements(self, sort: Sort, level: int | None = None) -> Iterable[Element]:
        """The elements of a sort; for histories, those of `level` steps (the world's length if none is given)."""
        if not sort.is_history:
            return range(self.sizes[sort])
        steps = self.lengths[sort] if level is None else level
        ranges = [range(self.sizes[part]) for part in (*sort.start, *(sort.step * steps))]
        return product(*ranges)

    def at_length(self, sort: Sort, steps: int) -> World:
        """The same world, its histories seen after fewer steps."""
        return self._with(lengths={**self.lengths, sort: steps}, _kept={})

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
        # A law over histories is one at each length.
        sums: dict[tuple[tuple[Element, ...], tuple[int, ...]], list[Real]] = {}
        for at, jet in entries.items():
            key = at[symbol.law :], tuple(len(e) for e in at[: symbol.law] if isinstance(e, tuple))
            kept = sums.setdefault(key, [reals.ZERO] * len(jet))
            sums[key] = [reals.add(x, y) for x, y in zip(kept, jet, strict=True)]
        for (given, _), columns in sums.items():
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


Evaluator = Callable[["World", Environment], Jet]


def evaluate(term: Term, world: World, environment: Environment, order: int = 0) -> Jet:
    """The value of a term and its derivatives in θ up to `order`; raises Undefined where there is none."""
    return _evaluator(term, order)(world, environment)


@lru_cache(maxsize=100_000)
def _evaluator(term: Term, order: int) -> Evaluator:
    """A term made ready: it is looked at once, its value is asked for in thousands of worlds."""
    return _RULES[type(term)](term, order)


def _constant(value: Real, order: int) -> Jet:
    return (value,) + (reals.ZERO,) * order


def _always(jet: Jet) -> Evaluator:
    return lambda world, environment: jet


def _plus(x: Jet, y: Jet) -> Jet:
    if len(x) == 1:
        return (reals.add(x[0], y[0]),)
    return tuple([reals.add(a, b) for a, b in zip(x, y, strict=True)])


def _times(x: Jet, y: Jet) -> Jet:
    if len(x) == 1:
        return (reals.multiply(x[0], y[0]),)
    result = []
    for n in range(len(x)):
        value = reals.multiply(x[0], y[n])
        for k in range(1, n + 1):
            part = reals.multiply(x[k], y[n - k])
            value = reals.add(value, part if k == n else reals.multiply(part, reals.real(comb(n, k))))
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


def _number(node: Number, order: int) -> Evaluator:
    return _always(_constant(reals.real(node.value), order))


def _element(argument: Argument, environment: Environment) -> Element:
    if isinstance(argument, Index):
        return environment[argument]
    prefix = () if argument.prefix is None else environment[argument.prefix]
    assert isinstance(prefix, tuple)
    return prefix + tuple([_position(environment[item]) for item in argument.items])


def _position(element: Element) -> int:
    assert isinstance(element, int)
    return element


def _apply(node: Apply, order: int) -> Evaluator:
    symbol, arguments, first = node.function, node.arguments, node.order

    def plain(world: World, environment: Environment) -> Jet:
        return _lookup(symbol, tuple([environment[i] for i in arguments]), world, order)  # type: ignore[index]

    def value(world: World, environment: Environment) -> Jet:
        at = tuple([_element(argument, environment) for argument in arguments])
        return _lookup(symbol, at, world, order + first)[first:]

    return value if first or not all(isinstance(argument, Index) for argument in arguments) else plain


def _lookup(symbol: Function, arguments: tuple[Element, ...], world: World, order: int) -> Jet:
    if symbol not in world._by_equation:
        return _entry(symbol, arguments, world, order)
    key = (symbol, arguments, order)
    jet = world._kept.get(key)
    if jet is None:
        rule = _equation(symbol, arguments, world)
        jet = _entry(symbol, arguments, world, order) if rule is None else evaluate(rule[0], world, rule[1], order)
        world._kept[key] = jet
    return jet


def _entry(symbol: Function, arguments: tuple[Element, ...], world: World, order: int) -> Jet:
    table = world.tables.get(symbol)
    jet = None if table is None else table.get(arguments)
    if jet is None:
        raise BadInput(f"world: {symbol.name} has no value at {arguments}; give its table")
    if len(jet) <= order:
        # A derivative of an order that this world does not tell.
        raise Undetermined
    return jet[: order + 1]


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


def _add(node: Add, order: int) -> Evaluator:
    if not node.terms:
        return _always(_constant(reals.ZERO, order))
    first, *others = [_evaluator(part, order) for part in node.terms]

    def value(world: World, environment: Environment) -> Jet:
        result = first(world, environment)
        for other in others:
            result = _plus(result, other(world, environment))
        return result

    return value


def _multiply(node: Multiply, order: int) -> Evaluator:
    if not node.factors:
        return _always(_constant(reals.ONE, order))
    first, *others = [_evaluator(factor, order) for factor in node.factors]

    def value(world: World, environment: Environment) -> Jet:
        result = first(world, environment)
        for other in others:
            result = _times(result, other(world, environment))
        return result

    return value


def _power(node: Power, order: int) -> Evaluator:
    inner, exponent = _evaluator(node.base, order), node.exponent

    def value(world: World, environment: Environment) -> Jet:
        base = inner(world, environment)
        if exponent < 0:
            base = _inverse(base, node)
        if not exponent:
            return _constant(reals.ONE, order)
        result = base
        for _ in range(abs(exponent) - 1):
            result = _times(result, base)
        return result

    return value


def _log(node: Log, order: int) -> Evaluator:
    argument = _evaluator(node.argument, order)

    def value(world: World, environment: Environment) -> Jet:
        return _log_of(argument(world, environment), node, order)

    return value


def _log_of(inner: Jet, node: Log, order: int) -> Jet:
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


def _exp(node: Exp, order: int) -> Evaluator:
    argument = _evaluator(node.argument, order)

    def value(world: World, environment: Environment) -> Jet:
        return _exp_of(argument(world, environment), order)

    return value


def _exp_of(inner: Jet, order: int) -> Jet:
    result = [reals.exp(inner[0])]
    for n in range(1, order + 1):
        value: Real = reals.ZERO
        for k in range(n):
            part = reals.multiply(reals.multiply(inner[k + 1], result[n - 1 - k]), reals.real(comb(n - 1, k)))
            value = reals.add(value, part)
        result.append(value)
    return tuple(result)


def _kept(rule: Callable[..., Evaluator]) -> Callable[[Any, int], Evaluator]:
    """A rule whose terms are evaluated once in a world at each choice of their free indices."""

    def remembering(node: Term, order: int) -> Evaluator:
        inner = rule(node, order)
        free = _by_name(tuple(free_indices(node)))

        def value(world: World, environment: Environment) -> Jet:
            key = (inner, *[environment[i] for i in free])
            found = world._kept.get(key)
            if found is None:
                found = world._kept[key] = inner(world, environment)
            return found

        return value

    return remembering


def _sum(node: Sum, order: int) -> Evaluator:
    index, body = node.index, _evaluator(node.body, order)

    def value(world: World, environment: Environment) -> Jet:
        inside = dict(environment)
        result = _constant(reals.ZERO, order)
        for element in world.elements(index.sort):
            inside[index] = element
            result = _plus(result, body(world, inside))
        return result

    return value


def _expectation(node: Expectation, order: int) -> Evaluator:
    indices, law, body = node.indices, _evaluator(node.law, order), _evaluator(node.body, order)

    def value(world: World, environment: Environment) -> Jet:
        inside = dict(environment)
        result = _constant(reals.ZERO, order)
        for elements in product(*[world.elements(index.sort) for index in indices]):
            inside.update(zip(indices, elements, strict=True))
            weight = law(world, inside)
            if not all([reals.is_zero(part) for part in weight]):
                result = _plus(result, _times(weight, body(world, inside)))
        return result

    return value


def _extremum(node: Minimum | Maximum, order: int) -> Evaluator:
    wanted = -1 if isinstance(node, Minimum) else 1
    parts = [_evaluator(part, order) for part in node.terms]

    def value(world: World, environment: Environment) -> Jet:
        best, *others = [part(world, environment) for part in parts]
        for jet in others:
            best = _better(best, jet, wanted, node)
        return best

    return value


def _better(best: Jet, jet: Jet, wanted: int, node: Term) -> Jet:
    comparison = reals.compare(jet[0], best[0])
    if comparison is None:
        if len(jet) > 1:
            raise Undetermined
        # Overlapping balls: the union of both is an enclosure of either.
        return (reals.ball(best[0]).union(reals.ball(jet[0])),)
    if comparison == 0:
        _require_same_slopes(node, best, jet, "the slope at a kink")
    return jet if comparison == wanted else best


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


def _condition(node: Indicator, order: int) -> Callable[[World, Environment], bool]:
    first, second = _evaluator(node.left, order), _evaluator(node.right, order)

    def value(world: World, environment: Environment) -> bool:
        left, right = first(world, environment), second(world, environment)
        answer = holds(left[0], node.relation, right[0])
        if answer is None:
            raise Undetermined
        if left[0] is right[0] or reals.compare(left[0], right[0]) == 0:
            _require_same_slopes(node, left, right, "the slope at a jump")
        return answer

    return value


def _indicator(node: Indicator, order: int) -> Evaluator:
    condition, one, zero = _condition(node, order), _constant(reals.ONE, order), _constant(reals.ZERO, order)
    return lambda world, environment: one if condition(world, environment) else zero


def _cases(node: Cases, order: int) -> Evaluator:
    condition = _condition(node.condition, order)
    then, otherwise = _evaluator(node.then, order), _evaluator(node.otherwise, order)
    return lambda world, environment: (then if condition(world, environment) else otherwise)(world, environment)


def _delta(node: Delta, order: int) -> Evaluator:
    one, zero = _constant(reals.ONE, order), _constant(reals.ZERO, order)
    return lambda world, environment: one if environment[node.left] == environment[node.right] else zero


def _size(node: Size, order: int) -> Evaluator:
    return lambda world, environment: _constant(reals.real(sum(1 for _ in world.elements(node.sort))), order)


def _length(node: Length, order: int) -> Evaluator:
    return lambda world, environment: _constant(reals.real(world.lengths[node.sort]), order)


def _derivative(node: Derivative, order: int) -> Evaluator:
    body = _evaluator(node.body, order + 1)
    return lambda world, environment: body(world, environment)[1:]


def _infinity(node: Infinity, order: int) -> Evaluator:
    return _always(_constant(reals.INFINITY, order))


def _supremum(node: Supremum, order: int) -> Evaluator:
    index, body = node.index, _evaluator(node.body, 0)

    def value(world: World, environment: Environment) -> Jet:
        jets = [body(world, {**environment, index: element}) for element in world.elements(index.sort)]
        if order:
            raise Undefined(node, "the slope of a supremum")
        best = jets[0][0]
        for (other,) in jets[1:]:
            larger = holds(other, ">", best)
            if larger is None:
                raise Undetermined
            best = other if larger else best
        return (best,)

    return value


def _limit(node: Limit, order: int) -> Evaluator:
    def value(world: World, environment: Environment) -> Jet:
        # A limit is not a value of the world; `calculus` looks at it.
        raise Undetermined

    return value


_RULES: Mapping[type[Term], Callable[..., Evaluator]] = {
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
    ordered = _by_name(tuple(indices))
    for elements in product(*[world.elements(index.sort) for index in ordered]):
        yield dict(zip(ordered, elements, strict=True))


@lru_cache(maxsize=1_000)
def _by_name(indices: tuple[Index, ...]) -> tuple[Index, ...]:
    return tuple(sorted(indices, key=lambda index: index.name))
