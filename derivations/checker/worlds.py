"""Exact evaluation of terms in finite worlds.

A world gives each sort a size, each sort of histories a length, and each function a table of exact values together with
its derivatives in θ, so that gradients are exact numbers without logits. This module knows the language and the real
numbers, and nothing of proofs: a wrong rule of the normal form cannot fool it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import product
from operator import itemgetter
from typing import Any

from derivations.checker import reals
from derivations.checker.errors import BadInput
from derivations.checker.jets import FLOATS, VALUES, Arithmetic, Jet, Undefined, Undetermined
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
Table = Mapping[tuple[Element, ...], Jet]
Environment = Mapping[Index, Element]


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
    _kept: dict[object, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def _by_equation(self) -> dict[Function, Definition | Recursion]:
        """The equations of the functions that are given by one: their tables are not asked first."""
        rules: tuple[Definition | Recursion, ...] = (*self.definitions, *self.recursions)
        return {rule.function: rule for rule in rules}

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
        found: Real = evaluate(term, self, {**self.indices, **(at or {})})
        return found

    def estimate(self, term: Term, at: Environment | None = None) -> float:
        """About the value of a term, fast: where to look, never what is found."""
        found: float = evaluate(term, self, {**self.indices, **(at or {})}, FLOATS)
        return found

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
        closed: Real = evaluate(value, World({}, {}), {})
        return closed
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


Evaluator = Callable[["World", Environment], Any]


def evaluate(term: Term, world: World, environment: Environment, kind: Arithmetic = VALUES) -> Any:
    """The value of a term as a number of that kind; raises Undefined where there is none."""
    return _evaluator(term, kind)(world, environment)


@lru_cache(maxsize=100_000)
def _evaluator(term: Term, kind: Arithmetic) -> Evaluator:
    """A term made ready: it is looked at once, its value is asked for in thousands of worlds."""
    return _RULES[type(term)](term, kind)


def _always(value: Any) -> Evaluator:
    return lambda world, environment: value


def _number(node: Number, kind: Arithmetic) -> Evaluator:
    return _always(kind.constant(reals.real(node.value)))


def _element(argument: Argument, environment: Environment) -> Element:
    if isinstance(argument, Index):
        return environment[argument]
    prefix = () if argument.prefix is None else environment[argument.prefix]
    assert isinstance(prefix, tuple)
    return prefix + tuple([_position(environment[item]) for item in argument.items])


def _position(element: Element) -> int:
    assert isinstance(element, int)
    return element


def _apply(node: Apply, kind: Arithmetic) -> Evaluator:
    symbol, arguments, of_entry = node.function, node.arguments, kind.of_entry
    if node.order:
        return _derivative_of(replace(node, order=node.order - 1), kind)

    if not all(isinstance(argument, Index) for argument in arguments):

        def value(world: World, environment: Environment) -> Any:
            return _lookup(symbol, tuple([_element(argument, environment) for argument in arguments]), world, kind)

        return value
    chosen = _chooser(arguments)

    def plain(world: World, environment: Environment) -> Any:
        at = chosen(environment)
        # This is done more often than anything else.
        if symbol in world._by_equation:
            return _lookup(symbol, at, world, kind)
        table = world.tables.get(symbol)
        return _entry(symbol, at, world, kind) if table is None or at not in table else of_entry(table[at])

    return plain


def _chooser(indices: Sequence[Any]) -> Callable[[Environment], tuple[Element, ...]]:
    """What looks up the elements of several indices at once."""
    if len(indices) > 1:
        return itemgetter(*indices)
    if not indices:
        return lambda environment: ()
    (index,) = indices
    return lambda environment: (environment[index],)


def _lookup(symbol: Function, arguments: tuple[Element, ...], world: World, kind: Arithmetic) -> Any:
    if symbol not in world._by_equation:
        return _entry(symbol, arguments, world, kind)
    key = (symbol, arguments, kind)
    found = world._kept.get(key)
    if found is None:
        rule = _equation(symbol, arguments, world)
        found = _entry(symbol, arguments, world, kind) if rule is None else evaluate(*rule, kind)
        world._kept[key] = found
    return found


def _entry(symbol: Function, arguments: tuple[Element, ...], world: World, kind: Arithmetic) -> Any:
    try:
        jet = world.tables[symbol][arguments]
    except KeyError:
        raise BadInput(f"world: {symbol.name} has no value at {arguments}; give its table") from None
    return kind.of_entry(jet)


def _equation(symbol: Function, arguments: tuple[Element, ...], world: World) -> tuple[Term, World, Environment] | None:
    rule = world._by_equation[symbol]
    if isinstance(rule, Definition):
        if _is_last(symbol, arguments, world):
            return None
        return rule.value, world, dict(zip(rule.indices, arguments, strict=True))
    (history,) = arguments
    assert isinstance(history, tuple)
    if len(history) == len(rule.start_indices):
        return rule.start, world, dict(zip(rule.start_indices, history, strict=True))
    cut = len(history) - len(rule.step_indices)
    last = dict(zip(rule.step_indices, history[cut:], strict=True))
    return rule.step, world, {rule.history: history[:cut], **last}


def _is_last(symbol: Function, arguments: tuple[Element, ...], world: World) -> bool:
    for sort, element in zip(symbol.sorts, arguments, strict=True):
        if sort.is_history and isinstance(element, tuple):
            return len(element) >= len(sort.start) + world.horizon[sort] * len(sort.step)
    return False


def _add(node: Add, kind: Arithmetic) -> Evaluator:
    return _folded(node.terms, kind.plus, reals.ZERO, kind)


def _multiply(node: Multiply, kind: Arithmetic) -> Evaluator:
    return _folded(node.factors, kind.times, reals.ONE, kind)


def _folded(parts: Sequence[Term], joined: Callable[[Any, Any], Any], empty: Real, kind: Arithmetic) -> Evaluator:
    if not parts:
        return _always(kind.constant(empty))
    first, *others = [_evaluator(part, kind) for part in parts]
    if len(others) == 1:
        (second,) = others
        return lambda world, environment: joined(first(world, environment), second(world, environment))

    def value(world: World, environment: Environment) -> Any:
        result = first(world, environment)
        for other in others:
            result = joined(result, other(world, environment))
        return result

    return value


def _power(node: Power, kind: Arithmetic) -> Evaluator:
    inner, exponent, one, times = _evaluator(node.base, kind), node.exponent, kind.constant(reals.ONE), kind.times

    def value(world: World, environment: Environment) -> Any:
        base = inner(world, environment)
        if exponent < 0:
            base = kind.inverse(base, node)
        if not exponent:
            return one
        result = base
        for _ in range(abs(exponent) - 1):
            result = times(result, base)
        return result

    return value


def _log(node: Log, kind: Arithmetic) -> Evaluator:
    argument = _evaluator(node.argument, kind)
    return lambda world, environment: kind.log(argument(world, environment), node)


def _exp(node: Exp, kind: Arithmetic) -> Evaluator:
    argument, exp = _evaluator(node.argument, kind), kind.exp
    return lambda world, environment: exp(argument(world, environment))


def _kept(rule: Callable[..., Evaluator]) -> Callable[[Any, Arithmetic], Evaluator]:
    """A rule whose terms are evaluated once in a world at each choice of their free indices."""

    def remembering(node: Term, kind: Arithmetic) -> Evaluator:
        inner = rule(node, kind)
        chosen = _chooser(_by_name(tuple(free_indices(node))))

        def value(world: World, environment: Environment) -> Any:
            key = inner, chosen(environment)
            found = world._kept.get(key)
            if found is None:
                found = world._kept[key] = inner(world, environment)
            return found

        return value

    return remembering


def _sum(node: Sum, kind: Arithmetic) -> Evaluator:
    index, body = node.index, _evaluator(node.body, kind)
    zero, plus = kind.constant(reals.ZERO), kind.plus

    def value(world: World, environment: Environment) -> Any:
        inside = dict(environment)
        result = zero
        for element in world.elements(index.sort):
            inside[index] = element
            result = plus(result, body(world, inside))
        return result

    return value


def _expectation(node: Expectation, kind: Arithmetic) -> Evaluator:
    indices, law, body = node.indices, _evaluator(node.law, kind), _evaluator(node.body, kind)
    zero, plus, times, is_zero = kind.constant(reals.ZERO), kind.plus, kind.times, kind.is_zero

    def value(world: World, environment: Environment) -> Any:
        inside = dict(environment)
        result = zero
        for elements in product(*[world.elements(index.sort) for index in indices]):
            inside.update(zip(indices, elements, strict=True))
            weight = law(world, inside)
            if not is_zero(weight):
                result = plus(result, times(weight, body(world, inside)))
        return result

    return value


def _extremum(node: Minimum | Maximum, kind: Arithmetic) -> Evaluator:
    wanted = -1 if isinstance(node, Minimum) else 1
    parts = [_evaluator(part, kind) for part in node.terms]

    def value(world: World, environment: Environment) -> Any:
        best, *others = [part(world, environment) for part in parts]
        for other in others:
            order = kind.compare(other, best)
            if order == 0:
                kind.meet(node, best, other, "the slope at a kink")
            best = kind.either(best, other) if order is None else other if order == wanted else best
        return best

    return value


def holds(left: Real, relation: str, right: Real) -> bool | None:
    """Whether a relation between exact numbers holds; None where balls do not tell."""
    order = reals.compare(left, right)
    if order is None:
        return None
    return order in _SIGNS[relation]


_SIGNS = {"=": (0,), "≠": (-1, 1), "<": (-1,), "≤": (-1, 0), ">": (1,), "≥": (0, 1)}


def _condition(node: Indicator, kind: Arithmetic) -> Callable[[World, Environment], bool]:
    first, second = _evaluator(node.left, kind), _evaluator(node.right, kind)
    wanted = _SIGNS[node.relation]

    def value(world: World, environment: Environment) -> bool:
        left, right = first(world, environment), second(world, environment)
        order = kind.compare(left, right)
        if order is None:
            raise Undetermined
        if order == 0:
            kind.meet(node, left, right, "the slope at a jump")
        return order in wanted

    return value


def _indicator(node: Indicator, kind: Arithmetic) -> Evaluator:
    condition, one, zero = _condition(node, kind), kind.constant(reals.ONE), kind.constant(reals.ZERO)
    return lambda world, environment: one if condition(world, environment) else zero


def _cases(node: Cases, kind: Arithmetic) -> Evaluator:
    condition = _condition(node.condition, kind)
    then, otherwise = _evaluator(node.then, kind), _evaluator(node.otherwise, kind)
    return lambda world, environment: (then if condition(world, environment) else otherwise)(world, environment)


def _delta(node: Delta, kind: Arithmetic) -> Evaluator:
    one, zero = kind.constant(reals.ONE), kind.constant(reals.ZERO)
    return lambda world, environment: one if environment[node.left] == environment[node.right] else zero


def _size(node: Size, kind: Arithmetic) -> Evaluator:
    return lambda world, environment: kind.constant(reals.real(sum(1 for _ in world.elements(node.sort))))


def _length(node: Length, kind: Arithmetic) -> Evaluator:
    return lambda world, environment: kind.constant(reals.real(world.lengths[node.sort]))


def _derivative(node: Derivative, kind: Arithmetic) -> Evaluator:
    return _derivative_of(node.body, kind)


def _derivative_of(node: Term, kind: Arithmetic) -> Evaluator:
    body = _evaluator(node, kind.with_derivative())
    return lambda world, environment: kind.derivative(body(world, environment))


def _infinity(node: Infinity, kind: Arithmetic) -> Evaluator:
    return _always(kind.constant(reals.INFINITY))


def _supremum(node: Supremum, kind: Arithmetic) -> Evaluator:
    index, body = node.index, _evaluator(node.body, kind)

    def value(world: World, environment: Environment) -> Any:
        if kind.order:
            raise Undefined(node, "the slope of a supremum")
        best, *others = [body(world, {**environment, index: element}) for element in world.elements(index.sort)]
        for other in others:
            order = kind.compare(other, best)
            if order is None:
                raise Undetermined
            best = other if order > 0 else best
        return best

    return value


def _limit(node: Limit, kind: Arithmetic) -> Evaluator:
    def value(world: World, environment: Environment) -> Any:
        # A limit is not a value of the world; `calculus` looks at it.
        raise Undetermined

    return value


_RULES: Mapping[type[Term], Callable[..., Evaluator]] = {
    Number: _number,
    Apply: _apply,
    Add: _add,
    Multiply: _multiply,
    Power: _power,
    Log: _kept(_log),
    Exp: _kept(_exp),
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
