"""The language: typed, immutable terms over index sets whose number of elements is not known.

A term is built from numbers, functions of sorted indices, sums with a binder, expectations under a law, logarithms,
exponentials, minima, maxima, cases and the derivative in θ. Nothing is rewritten when a term is built: q·(p/q) stays
q·(p/q). Wrong sorts and doubly bound indices are refused when they are written.

θ is one real direction: D(x) is the derivative of x along it. What holds along every direction holds for gradients.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from functools import lru_cache
from itertools import count
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from derivations.checker.errors import StatementError

Kind = TypeVar("Kind")

# --- hashing --------------------------------------------------------------------------------------------------------


def hashed_once(cls: type[Kind]) -> type[Kind]:
    """Makes an immutable class keep its hash: terms are keys everywhere, and hashing a large one anew is slow."""
    compute = cls.__hash__

    def kept(self: object) -> int:
        try:
            known: int = self.__dict__["_hash"]
        except KeyError:
            known = self.__dict__["_hash"] = compute(self)
        return known

    def state(self: object) -> dict[str, object]:
        # Hashes of strings differ between processes: the kept one stays here, and so does what else is kept.
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    cls.__hash__ = kept  # type: ignore[method-assign]
    cls.__getstate__ = state  # type: ignore[method-assign]
    return cls


class Interned(type):
    """Makes equal instances of a class one object, so that they compare and hash by identity, which is fast."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, object]) -> None:
        super().__init__(name, bases, namespace)
        cls._known: WeakValueDictionary[tuple[object, ...], object] = WeakValueDictionary()

    def __call__(cls, *arguments: object, **named: object) -> Any:
        made = super().__call__(*arguments, **named)
        key = tuple(getattr(made, part.name) for part in fields(made) if part.compare)
        return cls._known.setdefault(key, made)


class Symbol(metaclass=Interned):
    """A symbol of the language: a sort, an index or a function."""

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        # Made anew where it is unpickled, so that it is the one object there too.
        return type(self), tuple(getattr(self, part.name) for part in fields(self))  # type: ignore[arg-type]


# --- sorts, indices, functions --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sort(Symbol):
    """An index set: finite with an unknown number of elements, or `infinite` (finiteness is then a hypothesis).

    A sort with a `step` is a sort of histories: H_0 is the product of the sorts in `start`, and
    H_{t+1} = H_t × the product of `step`. Its indices range over H_t, for a t that is not known.
    """

    name: str
    infinite: bool = False
    start: tuple[Sort, ...] = ()
    step: tuple[Sort, ...] = ()

    @property
    def is_history(self) -> bool:
        """Whether its elements are histories."""
        return bool(self.step)

    def index(self, name: str) -> Index:
        """One index that ranges over this sort."""
        return Index(name, self)

    def indices(self, names: str) -> tuple[Index, ...]:
        """Several indices, their names separated by blanks."""
        return tuple(self.index(name) for name in names.split())


def histories(name: str, *, start: Iterable[Sort] = (), step: Iterable[Sort]) -> Sort:
    """The sort of histories H_{t+1} = H_t × step, H_0 = start."""
    steps = tuple(step)
    if not steps:
        raise StatementError(f"histories {name!r}: step is empty; expected at least one sort")
    return Sort(name, start=tuple(start), step=steps)


@dataclass(frozen=True, eq=False)
class Index(Symbol):
    """A variable that ranges over a sort."""

    name: str
    sort: Sort

    def __post_init__(self) -> None:
        if not isinstance(self.name, Made) and (not self.name or set(self.name) & set("#· ")):
            raise StatementError(f"index: given the name {self.name!r}; expected one without blanks, #, * and ·")


class Made(str):
    """A name that the checker makes up; users' names cannot be mistaken for one."""

    __slots__ = ()


@hashed_once
@dataclass(frozen=True)
class Path:
    """A history written out: an initial one (no prefix), or the history `prefix` with one more step."""

    sort: Sort
    prefix: Index | None
    items: tuple[Index, ...]

    def __post_init__(self) -> None:
        expected = self.sort.start if self.prefix is None else self.sort.step
        given = tuple(item.sort for item in self.items)
        if given != expected or (self.prefix is not None and self.prefix.sort != self.sort):
            raise StatementError(f"a history of {self.sort.name}: given {_names(given)}, expected {_names(expected)}")


Argument = Index | Path


@hashed_once
@dataclass(frozen=True)
class Domain:
    """An interval of the real line in which a function takes its values."""

    lower: Fraction | None = None
    upper: Fraction | None = None
    lower_open: bool = False
    upper_open: bool = False

    def __post_init__(self) -> None:
        if self.lower is not None and self.upper is not None:
            empty = self.lower > self.upper or (self.lower == self.upper and (self.lower_open or self.upper_open))
            if empty:
                raise StatementError(f"domain: given {self}; expected an interval with a number in it")

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, (int, Fraction)):
            return False
        above = self.lower is None or value > self.lower or (value == self.lower and not self.lower_open)
        below = self.upper is None or value < self.upper or (value == self.upper and not self.upper_open)
        return above and below

    def __str__(self) -> str:
        if self == REAL:
            return "ℝ"
        left = "(-∞" if self.lower is None else f"{'(' if self.lower_open else '['}{self.lower}"
        right = "∞)" if self.upper is None else f"{self.upper}{')' if self.upper_open else ']'}"
        return f"{left}, {right}"


_ZERO, _ONE = Fraction(0), Fraction(1)
REAL = Domain()
POSITIVE = Domain(lower=_ZERO, lower_open=True)
NONNEGATIVE = Domain(lower=_ZERO)
UNIT = Domain(lower=_ZERO, upper=_ONE)
OPEN_UNIT = Domain(lower=_ZERO, upper=_ONE, lower_open=True, upper_open=True)
HALF_OPEN_UNIT = Domain(lower=_ZERO, upper=_ONE, lower_open=True)


@dataclass(frozen=True, eq=False)
class Function(Symbol):
    """A function of sorted indices; without indices, a parameter.

    `law` is the number of leading arguments over which it is a probability distribution, given the others (0: it is
    none). `depends` says whether it depends on θ; `slope` is its derivative where that is a known number.
    """

    name: str
    sorts: tuple[Sort, ...]
    domain: Domain = REAL
    law: int = 0
    depends: bool = False
    slope: Fraction | None = None
    latex: str = field(default="", compare=False)

    def __call__(self, *arguments: Argument) -> Apply:
        """This function at the given indices; their sorts must be the declared ones, in order."""
        return Apply(self, tuple(arguments))

    @property
    def positive(self) -> bool:
        """Whether the domain alone keeps it above zero."""
        lower = self.domain.lower
        return lower is not None and (lower > 0 or (lower == 0 and self.domain.lower_open))


def function(name: str, *sorts: Sort, domain: Domain = REAL, depends: bool = False, latex: str = "") -> Function:
    """A function of the given sorts with values in `domain`; `depends`: it depends on θ."""
    if not isinstance(domain, Domain):
        raise StatementError(f"function {name!r}: domain is {domain!r}; expected a Domain such as REAL or POSITIVE")
    return Function(name, tuple(sorts), domain, depends=depends, latex=latex)


def law(
    name: str,
    *sorts: Sort,
    given: Iterable[Sort] = (),
    positive: bool = False,
    depends: bool = False,
    latex: str = "",
) -> Function:
    """A probability distribution over `sorts`, given the sorts of `given`; on the closed simplex unless `positive`."""
    if not sorts:
        raise StatementError(f"law {name!r}: no sort given; expected at least one to distribute over")
    domain = HALF_OPEN_UNIT if positive else UNIT
    return Function(name, tuple(sorts) + tuple(given), domain, law=len(sorts), depends=depends, latex=latex)


def parameter(
    name: str, domain: Domain, *, depends: bool = False, slope: Fraction | int | None = None, latex: str = ""
) -> Apply:
    """A real number with the domain it lies in; `slope`: its derivative in θ, where that is known."""
    if not isinstance(domain, Domain):
        raise StatementError(f"parameter {name!r}: domain is {domain!r}; expected a Domain such as REAL or POSITIVE")
    known = None if slope is None else Fraction(slope)
    depends = depends or known is not None
    return Apply(Function(name, (), domain, depends=depends, slope=known, latex=latex), ())


# --- terms ----------------------------------------------------------------------------------------------------------


class Term:
    """A formula. Arithmetic operators build larger ones; nothing is simplified."""

    def __add__(self, other: Scalar) -> Term:
        return Add((self, term(other)))

    def __radd__(self, other: Scalar) -> Term:
        return Add((term(other), self))

    def __sub__(self, other: Scalar) -> Term:
        return Add((self, negative(term(other))))

    def __rsub__(self, other: Scalar) -> Term:
        return Add((term(other), negative(self)))

    def __mul__(self, other: Scalar) -> Term:
        return Multiply((self, term(other)))

    def __rmul__(self, other: Scalar) -> Term:
        return Multiply((term(other), self))

    def __truediv__(self, other: Scalar) -> Term:
        return Multiply((self, Power(term(other), -1)))

    def __rtruediv__(self, other: Scalar) -> Term:
        return Multiply((term(other), Power(self, -1)))

    def __neg__(self) -> Term:
        return negative(self)

    def __pow__(self, exponent: int) -> Term:
        if not isinstance(exponent, int):
            raise StatementError(f"exponent: given {exponent!r}; expected an integer")
        return Power(self, exponent)

    def __repr__(self) -> str:
        from derivations.checker.printing import text

        return text(self)

    def _repr_latex_(self) -> str:
        from derivations.checker.printing import latex

        return f"$\\displaystyle {latex(self)}$"


@hashed_once
@dataclass(frozen=True, repr=False)
class Number(Term):
    """An exact rational number."""

    value: Fraction


@hashed_once
@dataclass(frozen=True, repr=False)
class Apply(Term):
    """A function at indices; `order` counts derivatives in θ."""

    function: Function
    arguments: tuple[Argument, ...]
    order: int = 0

    def __post_init__(self) -> None:
        given = tuple(argument.sort for argument in self.arguments)
        if given != self.function.sorts:
            raise StatementError(
                f"{self.function.name}: given indices over {_names(given)}, expected {_names(self.function.sorts)}"
            )


@hashed_once
@dataclass(frozen=True, repr=False)
class Add(Term):
    """A sum of terms."""

    terms: tuple[Term, ...]


@hashed_once
@dataclass(frozen=True, repr=False)
class Multiply(Term):
    """A product of terms."""

    factors: tuple[Term, ...]


@hashed_once
@dataclass(frozen=True, repr=False)
class Power(Term):
    """An integer power; a negative exponent divides."""

    base: Term
    exponent: int


@hashed_once
@dataclass(frozen=True, repr=False)
class Log(Term):
    """The natural logarithm."""

    argument: Term


@hashed_once
@dataclass(frozen=True, repr=False)
class Exp(Term):
    """The exponential."""

    argument: Term


@hashed_once
@dataclass(frozen=True, repr=False)
class Sum(Term):
    """The sum of `body` over all values of `index`."""

    index: Index
    body: Term

    def __post_init__(self) -> None:
        _refuse_rebinding((self.index,), self.body)


@hashed_once
@dataclass(frozen=True, repr=False)
class Expectation(Term):
    """The expectation of `body` under `law`: a sum over the support of the law."""

    law: Apply
    body: Term

    def __post_init__(self) -> None:
        if not self.law.function.law or self.law.order:
            raise StatementError(f"expectation: {self.law.function.name} is not a law; declare it with law(…)")
        if not all(isinstance(a, Index) for a in self.law.arguments[: self.law.function.law]):
            raise StatementError(f"expectation under {self.law.function.name}: its variables must be indices")
        if len(set(self.indices)) < len(self.indices) or set(self.indices) & free_indices_of(self.given):
            raise StatementError(f"expectation under {self.law.function.name}: an index is bound twice")
        _refuse_rebinding(self.indices, self.body)

    @property
    def indices(self) -> tuple[Index, ...]:
        """The indices that the law is a distribution over, bound here."""
        return tuple(a for a in self.law.arguments[: self.law.function.law] if isinstance(a, Index))

    @property
    def given(self) -> tuple[Argument, ...]:
        """The arguments on which the law is conditioned."""
        return self.law.arguments[self.law.function.law :]


@hashed_once
@dataclass(frozen=True, repr=False)
class Minimum(Term):
    """The least of several terms."""

    terms: tuple[Term, ...]


@hashed_once
@dataclass(frozen=True, repr=False)
class Maximum(Term):
    """The greatest of several terms."""

    terms: tuple[Term, ...]


@hashed_once
@dataclass(frozen=True, repr=False)
class Indicator(Term):
    """One where `left relation right` holds, else zero."""

    left: Term
    relation: str
    right: Term

    def __post_init__(self) -> None:
        if self.relation not in ("=", "≠", "<", "≤", ">", "≥"):
            raise StatementError(f"indicator: relation {self.relation!r}; expected one of = ≠ < ≤ > ≥")


@hashed_once
@dataclass(frozen=True, repr=False)
class Cases(Term):
    """`then` where the condition holds, else `otherwise`."""

    condition: Indicator
    then: Term
    otherwise: Term


@hashed_once
@dataclass(frozen=True, repr=False)
class Delta(Term):
    """One where two indices of one sort are equal, else zero."""

    left: Index
    right: Index

    def __post_init__(self) -> None:
        if self.left.sort != self.right.sort:
            raise StatementError(f"δ: given {_names((self.left.sort, self.right.sort))}, expected one sort twice")


@hashed_once
@dataclass(frozen=True, repr=False)
class Size(Term):
    """The number of elements of a sort (of H_t, for histories)."""

    sort: Sort


@hashed_once
@dataclass(frozen=True, repr=False)
class Length(Term):
    """The number of steps t of the histories H_t."""

    sort: Sort

    def __post_init__(self) -> None:
        if not self.sort.is_history:
            raise StatementError(f"length: {self.sort.name} is not a sort of histories")


@hashed_once
@dataclass(frozen=True, repr=False)
class Derivative(Term):
    """The derivative in θ."""

    body: Term


@hashed_once
@dataclass(frozen=True, repr=False)
class Infinity(Term):
    """+∞, for statements that a sum or a supremum is finite."""


@hashed_once
@dataclass(frozen=True, repr=False)
class Supremum(Term):
    """The supremum of `body` over all values of `index`."""

    index: Index
    body: Term

    def __post_init__(self) -> None:
        _refuse_rebinding((self.index,), self.body)


@hashed_once
@dataclass(frozen=True, repr=False)
class Limit(Term):
    """The limit of `body` as a parameter goes to infinity (∞), or to zero from above (0⁺)."""

    body: Term
    parameter: Apply
    to: str

    def __post_init__(self) -> None:
        if self.to not in ("∞", "0⁺") or self.parameter.arguments:
            raise StatementError(f"limit: given {self.to!r}; expected a parameter and ∞ or 0⁺")


Scalar = Term | int | Fraction


def term(value: Scalar) -> Term:
    """A term as it is, an exact number as a term; a float is refused, because it proves nothing."""
    if isinstance(value, Term):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        hint = "; a float is not exact, write Fraction(1, 2) for a half" if isinstance(value, float) else ""
        raise StatementError(f"term: given {value!r}; expected a term, an integer or a Fraction{hint}")
    return Number(Fraction(value))


def negative(value: Term) -> Term:
    """Minus a term."""
    return Number(-value.value) if isinstance(value, Number) else Multiply((Number(Fraction(-1)), value))


def log(value: Scalar) -> Term:
    """The natural logarithm of a term."""
    return Log(term(value))


def exp(value: Scalar) -> Term:
    """The exponential of a term."""
    return Exp(term(value))


def E(distribution: Term, body: Scalar) -> Term:
    """The expectation of `body` under a law applied to indices, as in E(π(a, s), r(s, a)): a is bound."""
    if not isinstance(distribution, Apply):
        raise StatementError(f"expectation: given {distribution!r}; expected a law applied to indices, as in p(y)")
    return Expectation(distribution, term(body))


def D(body: Scalar) -> Term:
    """The derivative in θ."""
    return Derivative(term(body))


def total(index: Index, *more: Index, of: Scalar) -> Term:
    """The sum of a term over one or several indices."""
    result = term(of)
    for binder in reversed((index, *more)):
        result = Sum(binder, result)
    return result


def limit(body: Scalar, parameter: Term, to: str) -> Term:
    """The limit of a term as a parameter goes to "∞" or "0⁺"."""
    if not isinstance(parameter, Apply):
        raise StatementError(f"limit: given {parameter!r}; expected a parameter")
    return Limit(term(body), parameter, to)


def minimum(*values: Scalar) -> Term:
    """The least of the given terms."""
    return Minimum(tuple(term(v) for v in values))


def maximum(*values: Scalar) -> Term:
    """The greatest of the given terms."""
    return Maximum(tuple(term(v) for v in values))


def clip(value: Scalar, low: Scalar, high: Scalar) -> Term:
    """max(min(value, high), low)."""
    return maximum(minimum(value, high), low)


def nonzero(value: Scalar) -> Indicator:
    """[value ≠ 0]."""
    return Indicator(term(value), "≠", Number(_ZERO))


def kl(p: Callable[..., Apply], q: Callable[..., Term], *indices: Index) -> Term:
    """D(p‖q) = E_p[log p − log q], p and q applied to the given indices."""
    at = p(*indices)
    return E(at, log(at) - log(q(*indices)))


# --- functions given by equations -----------------------------------------------------------------------------------


@hashed_once
@dataclass(frozen=True)
class Definition:
    """f(indices) = value. On histories, for every history that can still be extended where the value extends it."""

    function: Function
    indices: tuple[Index, ...]
    value: Term


@hashed_once
@dataclass(frozen=True)
class Recursion:
    """A function on histories: its value on H_0, and on H_{t+1} in terms of its value on H_t."""

    function: Function
    start_indices: tuple[Index, ...]
    start: Term
    history: Index
    step_indices: tuple[Index, ...]
    step: Term


def define(left: Apply, value: Scalar) -> Definition:
    """A definition, as in define(V(s), E(π(a, s), Q(a, s)))."""
    indices = tuple(a for a in left.arguments if isinstance(a, Index))
    if len(indices) != len(left.arguments) or len(set(indices)) != len(indices):
        raise StatementError(f"definition of {left.function.name}: its arguments must be different indices")
    body = term(value)
    stray = free_indices(body) - set(indices)
    if stray:
        raise StatementError(f"definition of {left.function.name}: index {_first(stray)} is not one of its arguments")
    return Definition(left.function, indices, body)


def recursion(symbol: Function, *, start: Callable[..., Scalar], step: Callable[..., Scalar]) -> Recursion:
    """A function on histories by recursion: start(initial indices), step(history, indices of the step).

    The names of the indices are those of the callables' parameters.
    """
    if len(symbol.sorts) != 1 or not symbol.sorts[0].is_history:
        raise StatementError(
            f"recursion of {symbol.name}: given {_names(symbol.sorts)}, expected one sort of histories"
        )
    sort = symbol.sorts[0]
    start_names, step_names = _parameter_names(start), _parameter_names(step)
    if len(start_names) != len(sort.start) or len(step_names) != 1 + len(sort.step):
        raise StatementError(
            f"recursion of {symbol.name}: start takes {len(sort.start)} indices and step {1 + len(sort.step)}"
        )
    start_indices = tuple(map(Index, start_names, sort.start))
    history, *step_indices = map(Index, step_names, (sort, *sort.step))
    first, following = term(start(*start_indices)), term(step(history, *step_indices))
    stray = (free_indices(first) - set(start_indices)) | (free_indices(following) - {history, *step_indices})
    if stray:
        raise StatementError(f"recursion of {symbol.name}: index {_first(stray)} is not one of its arguments")
    return Recursion(symbol, start_indices, first, history, tuple(step_indices), following)


def _parameter_names(callable_: Callable[..., Scalar]) -> tuple[str, ...]:
    return tuple(inspect.signature(callable_).parameters)


def _first(indices: Iterable[Index]) -> str:
    return min(index.name for index in indices)


# --- walking a term -------------------------------------------------------------------------------------------------


def children(node: Term) -> tuple[Term, ...]:
    """The terms directly inside a term; an expectation's law is one of them."""
    inside = _INSIDE.get(type(node))
    return () if inside is None else inside(node)


# By the kind of a term: a chain of cases is slow for what is asked most of all.
_INSIDE: dict[type, Callable[[Any], tuple[Term, ...]]] = {
    **dict.fromkeys((Add, Minimum, Maximum), lambda node: node.terms),
    Multiply: lambda node: node.factors,
    Power: lambda node: (node.base,),
    **dict.fromkeys((Log, Exp), lambda node: (node.argument,)),
    **dict.fromkeys((Sum, Derivative, Supremum, Limit), lambda node: (node.body,)),
    Expectation: lambda node: (node.law, node.body),
    Indicator: lambda node: (node.left, node.right),
    Cases: lambda node: (node.condition, node.then, node.otherwise),
}


def rebuild(node: Term, parts: tuple[Term, ...]) -> Term:
    """The same term with other children, in the order of `children`."""
    match node:
        case Add() | Multiply() | Minimum() | Maximum():
            return type(node)(parts)
        case Power(_, exponent):
            return Power(parts[0], exponent)
        case Log() | Exp() | Derivative():
            return type(node)(parts[0])
        case Sum(index, _) | Supremum(index, _):
            return type(node)(index, parts[0])
        case Limit(_, parameter, to):
            return Limit(parts[0], parameter, to)
        case Expectation():
            distribution, body = parts
            if isinstance(distribution, Apply) and _is_law_over(distribution, node.indices):
                return Expectation(distribution, body)
            return total(*node.indices, of=distribution * body)
        case Indicator(_, relation, _):
            return Indicator(parts[0], relation, parts[1])
        case Cases():
            condition, then, otherwise = parts
            if not isinstance(condition, Indicator):
                raise StatementError("cases: the condition must stay an indicator")
            return Cases(condition, then, otherwise)
        case _:
            return node


def _is_law_over(node: Apply, indices: tuple[Index, ...]) -> bool:
    """Whether a function at indices is a law over exactly these, in order, which stand nowhere else in it."""
    leading, given = node.arguments[: node.function.law], node.arguments[node.function.law :]
    return bool(leading) and node.order == 0 and leading == indices and not set(indices) & free_indices_of(given)


def bound_here(node: Term) -> tuple[Index, ...]:
    """The indices that this node itself binds."""
    kind = type(node)
    if kind is Sum or kind is Supremum:
        return (node.index,)  # type: ignore[attr-defined]
    return node.indices if kind is Expectation else ()  # type: ignore[attr-defined]


def subterms(node: Term) -> Iterator[Term]:
    """The term and every term inside it."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting += children(here)[::-1]


def free_indices_of(arguments: Iterable[Argument]) -> frozenset[Index]:
    """The indices that occur in arguments."""
    found: set[Index] = set()
    for argument in arguments:
        if isinstance(argument, Index):
            found.add(argument)
        else:
            found.update(argument.items)
            if argument.prefix is not None:
                found.add(argument.prefix)
    return frozenset(found)


@lru_cache(maxsize=100_000)
def free_indices(node: Term) -> frozenset[Index]:
    """The indices of a term that nothing in it binds."""
    match node:
        case Apply(_, arguments, _):
            return free_indices_of(arguments)
        case Delta(left, right):
            return frozenset((left, right))
    inside: frozenset[Index] = frozenset()
    for child in children(node):
        inside |= free_indices(child)
    return inside - frozenset(bound_here(node))


@lru_cache(maxsize=100_000)
def bound_indices(node: Term) -> frozenset[Index]:
    """The indices that are bound somewhere in a term."""
    inside = frozenset(bound_here(node))
    for child in children(node):
        inside |= bound_indices(child)
    return inside


@lru_cache(maxsize=100_000)
def functions(node: Term) -> frozenset[Function]:
    """The functions and parameters that occur in a term."""
    if isinstance(node, Apply):
        return frozenset((node.function,))
    return frozenset().union(*map(functions, children(node)))


@lru_cache(maxsize=100_000)
def sorts(node: Term) -> frozenset[Sort]:
    """The sorts that a term speaks of, those that histories are made of included."""
    match node:
        case Apply(function, arguments, _):
            here = {*function.sorts, *(index.sort for index in free_indices_of(arguments))}
        case Delta(left, right):
            here = {left.sort, right.sort}
        case Size(sort) | Length(sort):
            here = {sort}
        case _:
            here = {index.sort for index in bound_here(node)}
    parts = {part for sort in here for part in (sort, *sort.start, *sort.step)}
    return frozenset(parts).union(*map(sorts, children(node)))


@lru_cache(maxsize=100_000)
def depends_on_theta(node: Term) -> bool:
    """Whether a term depends on θ."""
    if isinstance(node, Apply):
        return node.function.depends and (node.function.slope is None or node.order == 0)
    return any(depends_on_theta(child) for child in children(node))


# --- substitution ---------------------------------------------------------------------------------------------------


def fresh(index: Index, taken: Iterable[Index]) -> Index:
    """An index of the same sort with a name that is not taken."""
    names = {other.name for other in taken}
    name = index.name
    while name in names:
        name += "′"
    return Index(Made(name) if isinstance(index.name, Made) else name, index.sort)


def replace_argument(argument: Argument, mapping: Mapping[Index, Argument]) -> Argument:
    """An argument with its indices replaced."""
    if isinstance(argument, Index):
        return mapping.get(argument, argument)
    items = tuple(mapping.get(item, item) for item in argument.items)
    prefix = None if argument.prefix is None else mapping.get(argument.prefix, argument.prefix)
    if isinstance(prefix, Path) or not all(isinstance(item, Index) for item in items):
        raise StatementError("a history is extended by one step at a time; extend the statement's own history")
    return Path(argument.sort, prefix, tuple(item for item in items if isinstance(item, Index)))


def substitute(node: Term, mapping: Mapping[Index, Argument]) -> Term:
    """The term with free indices replaced; bound ones are renamed where they would capture."""
    live = {i: a for i, a in mapping.items() if i in free_indices(node) and i != a}
    if not live:
        return node
    match node:
        case Apply(symbol, arguments, order):
            return Apply(symbol, tuple(replace_argument(a, live) for a in arguments), order)
        case Delta(left, right):
            new_left, new_right = live.get(left, left), live.get(right, right)
            if isinstance(new_left, Path) or isinstance(new_right, Path):
                raise StatementError("δ compares indices, not histories that are written out")
            return Delta(new_left, new_right)
    arriving = free_indices_of(live.values())
    renamed = node
    for binder in bound_here(node):
        if binder in arriving:
            renamed = rename_bound(renamed, binder, arriving | free_indices(node) | bound_indices(node))
    return rebuild(renamed, tuple(substitute(child, live) for child in children(renamed)))


def rename_bound(node: Term, binder: Index, taken: Iterable[Index]) -> Term:
    """A sum or an expectation with one of its bound indices renamed to a name that is not taken."""
    new = fresh(binder, taken)
    match node:
        case Sum(index, body) | Supremum(index, body) if index == binder:
            return type(node)(new, substitute(body, {binder: new}))
        case Expectation(distribution, body) if binder in node.indices:
            arguments = tuple(replace_argument(a, {binder: new}) for a in distribution.arguments)
            return Expectation(replace(distribution, arguments=arguments), substitute(body, {binder: new}))
    raise StatementError(f"{binder.name} is not bound here")


Substitution = Mapping[Function, tuple[tuple[Index, ...], Term]]


def substitute_functions(node: Term, mapping: Substitution) -> Term:
    """The term with functions replaced by terms: f(i, j) becomes the given term at i, j."""
    if isinstance(node, Apply) and node.function in mapping:
        indices, body = mapping[node.function]
        if node.order:
            raise StatementError(f"{node.function.name}: a derivative of a replaced function must be written D(…)")
        clash = bound_indices(body) & free_indices_of(node.arguments)
        for binder in clash:
            body = _rename_everywhere(body, binder, free_indices_of(node.arguments))
        return substitute(body, dict(zip(indices, node.arguments, strict=True)))
    parts = tuple(substitute_functions(child, mapping) for child in children(node))
    if parts == children(node):
        return node
    arriving: frozenset[Index] = frozenset()
    for indices, body in mapping.values():
        arriving |= free_indices(body) - frozenset(indices)
    if arriving & frozenset(bound_here(node)):
        raise StatementError("a term that is put in for a function names an index that is bound where it goes")
    if isinstance(node, Limit) and (
        node.parameter.function in mapping or any(node.parameter.function in functions(v) for _, v in mapping.values())
    ):
        raise StatementError(
            f"{node.parameter.function.name} is bound by a limit; nothing is put in for it, or with it"
        )
    return rebuild(node, parts)


_binder_numbers = count()


def with_fresh_binders(node: Term) -> Term:
    """The same term with every bound index renamed to a name that nothing else has."""
    parts = tuple(with_fresh_binders(child) for child in children(node))
    node = rebuild(node, parts) if parts else node
    for binder in bound_here(node):
        new = Index(Made(f"{binder.name}·{next(_binder_numbers)}"), binder.sort)
        match node:
            case Sum(_, body) | Supremum(_, body):
                node = type(node)(new, substitute(body, {binder: new}))
            case Expectation(distribution, body):
                arguments = tuple(replace_argument(a, {binder: new}) for a in distribution.arguments)
                node = Expectation(replace(distribution, arguments=arguments), substitute(body, {binder: new}))
    return node


def rename_all_bound(node: Term, taken: Iterable[Index]) -> Term:
    """The same term with every bound index that is among `taken` renamed."""
    names = frozenset(taken)
    for binder in bound_indices(node) & names:
        node = _rename_everywhere(node, binder, names)
    return node


def _rename_everywhere(node: Term, binder: Index, taken: Iterable[Index]) -> Term:
    parts = tuple(_rename_everywhere(child, binder, taken) for child in children(node))
    node = rebuild(node, parts)
    if binder in bound_here(node):
        return rename_bound(node, binder, frozenset(taken) | free_indices(node) | bound_indices(node))
    return node


# --- the derivative in θ --------------------------------------------------------------------------------------------

Rule = Callable[[Apply], Term | None]


def differentiate(node: Term, rule: Rule = lambda _: None) -> Term:
    """The derivative in θ, worked out by the sum, product and chain rules.

    Sums are finite or the exchange is the caller's to justify. `rule` may know the derivative of a function. That of
    a minimum or a maximum is that of the term it is, which is right wherever `obligations` are met: no two terms meet
    with different slopes. What jumps (an indicator of something that moves) keeps its D.
    """
    zero = Number(_ZERO)
    if not depends_on_theta(node):
        return zero
    match node:
        case Apply(symbol, arguments, order):
            if symbol.slope is not None:
                return Number(symbol.slope)
            known = rule(node)
            return Apply(symbol, arguments, order + 1) if known is None else known
        case Add(parts):
            return Add(tuple(differentiate(part, rule) for part in parts if depends_on_theta(part)))
        case Multiply(parts):
            return Add(
                tuple(
                    Multiply((*parts[:k], differentiate(part, rule), *parts[k + 1 :]))
                    for k, part in enumerate(parts)
                    if depends_on_theta(part)
                )
            )
        case Power(base, 1):
            return differentiate(base, rule)
        case Power(_, 0):
            # 1, whatever the base: differentiated by the rule below it would divide by a base that may be zero.
            return zero
        case Power(base, exponent):
            return Multiply((Number(Fraction(exponent)), Power(base, exponent - 1), differentiate(base, rule)))
        case Log(argument):
            return Multiply((differentiate(argument, rule), Power(argument, -1)))
        case Exp(argument):
            return Multiply((node, differentiate(argument, rule)))
        case Sum(index, body):
            return Sum(index, differentiate(body, rule))
        case Expectation(distribution, body):
            moving_law = total(*node.indices, of=differentiate(distribution, rule) * body)
            moving_body = Expectation(distribution, differentiate(body, rule))
            return Add((moving_law, moving_body))
        case Cases(condition, then, otherwise) if not depends_on_theta(condition):
            return Cases(condition, differentiate(then, rule), differentiate(otherwise, rule))
        case Minimum((first, *others)) | Maximum((first, *others)) if others:
            rest = others[0] if len(others) == 1 else type(node)(tuple(others))
            chosen = Indicator(first, "<" if isinstance(node, Minimum) else ">", rest)
            return Cases(chosen, differentiate(first, rule), differentiate(rest, rule))
        case Derivative(body):
            # What is known of a first derivative may hold at this θ only: it is not differentiated again.
            inner = differentiate(body)
            return Derivative(node) if isinstance(inner, Derivative) else differentiate(inner, rule)
        case _:
            return Derivative(node)


# --- what is refused when it is written -----------------------------------------------------------------------------


def _refuse_rebinding(binders: tuple[Index, ...], body: Term) -> None:
    if not isinstance(body, Term):
        raise StatementError(f"sum: body is {body!r}; expected a term")
    twice = frozenset(binders) & bound_indices(body)
    if twice:
        raise StatementError(f"index {sorted(i.name for i in twice)[0]} is bound twice; give the inner sum another")
    names = {i.name for i in binders}
    for index in free_indices(body) | bound_indices(body):
        if index.name in names and index not in binders:
            raise StatementError(f"index {index.name} is used with two sorts")


def _names(given: Iterable[Sort]) -> str:
    return "(" + ", ".join(sort.name for sort in given) + ")"
