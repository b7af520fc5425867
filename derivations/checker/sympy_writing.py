"""Terms become explicit SymPy instances at chosen sizes, every sum written out, to be checked by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

from derivations.checker.errors import StatementError
from derivations.checker.statement import (
    Statement,
)
from derivations.checker.sympy_reading import sympy_facts, sympy_relations
from derivations.checker.terms import (
    REAL,
    Add,
    Apply,
    Argument,
    Cases,
    Definition,
    Delta,
    Derivative,
    Domain,
    Exp,
    Expectation,
    Function,
    Index,
    Indicator,
    Length,
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
    Term,
    free_indices,
)

if TYPE_CHECKING:
    import sympy

# --- terms to SymPy -------------------------------------------------------------------------------------------------

Element = int | tuple[int, ...]
LARGEST = 5_000


def to_sympy(
    value: Term,
    sizes: Mapping[Sort, int],
    lengths: Mapping[Sort, int] | None = None,
    *,
    at: Mapping[Index, Element] | None = None,
    definitions: Iterable[Definition] = (),
    recursions: Iterable[Recursion] = (),
) -> sympy.Expr:
    """A term at chosen sizes, its sums written out: r(s, a) becomes r_00, r_01, …, and π_0(θ) where π depends on θ.

    `lengths` gives the steps of histories, `at` the elements for free indices. SymPy simplifies what it is given.
    """
    return Writer(sizes, lengths or {}, tuple(definitions), tuple(recursions)).write(value, at or {})


def statement_to_sympy(
    given: Statement, sizes: Mapping[Sort, int], lengths: Mapping[Sort, int] | None = None
) -> sympy.Basic | tuple[sympy.Basic, ...]:
    """The relation of a statement at chosen sizes, unevaluated; with free indices a tuple, one for each choice.

    Definitions and recursions are unfolded. The laws' sums to one (`law_constraints`) and the hypotheses are not in it.
    """
    from sympy.core import relational as r

    if not isinstance(given.relation, str) or given.exists:
        raise StatementError("statement: it is not a comparison for every choice; expected one of = ≠ < ≤ > ≥")
    types = {sign: type_ for type_, sign in sympy_relations().items()}
    writer = Writer(sizes, lengths or {}, given.definitions, given.recursions)
    free = sorted(free_indices(given.left) | free_indices(given.right), key=lambda i: i.name)
    instances: list[r.Relational] = []
    for elements in product(*(tuple(writer.elements(index.sort)) for index in free)):
        at = dict(zip(free, elements, strict=True))
        sides = (writer.write(given.left, at), writer.write(given.right, at))
        instances.append(types[given.relation](*sides, evaluate=False))
    return tuple(instances) if free else instances[0]


def law_constraints(
    given: Statement, sizes: Mapping[Sort, int], lengths: Mapping[Sort, int] | None = None
) -> tuple[sympy.Basic, ...]:
    """For each law of a statement, and for each choice of what it is given, the equation that its values sum to one."""
    import sympy

    writer = Writer(sizes, lengths or {}, given.definitions, given.recursions)
    found: list[sympy.Basic] = []
    for symbol in given.functions:
        if not symbol.law:
            continue
        over = [tuple(writer.elements(sort)) for sort in symbol.sorts[: symbol.law]]
        conditions = [writer.elements_of_all_lengths(sort) for sort in symbol.sorts[symbol.law :]]
        for condition in product(*conditions):
            values = [writer.value(symbol, (*elements, *condition)) for elements in product(*over)]
            found.append(sympy.Eq(sympy.Add(*values), 1, evaluate=False))
    return tuple(found)


def name_elements(name: str, elements: tuple[Element, ...]) -> str:
    """The name of a function's value at elements: r_01, r_10,2 where an element has several digits, V_(0,1)."""
    if not elements:
        return name
    plain = all(isinstance(element, int) and element < 10 for element in elements)
    return f"{name}_" + ("" if plain else ",").join(map(_element_text, elements))


def _element_text(element: Element) -> str:
    return str(element) if isinstance(element, int) else f"({','.join(map(str, element))})"


@dataclass
class Writer:
    """Writes terms out at chosen sizes."""

    sizes: Mapping[Sort, int]
    lengths: Mapping[Sort, int]
    definitions: tuple[Definition, ...]
    recursions: tuple[Recursion, ...]
    names: dict[str, object] = field(default_factory=dict)
    values: dict[tuple[Function, tuple[Element, ...]], Any] = field(default_factory=dict)
    unfolding: set[tuple[Function, tuple[Element, ...]]] = field(default_factory=set)
    written: int = 0

    def elements(self, sort: Sort, steps: int | None = None) -> Iterator[Element]:
        """The elements of a sort; for histories, those of `steps` steps (the chosen length if none is given)."""
        if sort.is_history:
            parts = (*sort.start, *(sort.step * (self.length(sort) if steps is None else steps)))
            return iter(product(*(range(self.size(part)) for part in parts)))
        return iter(range(self.size(sort)))

    def elements_of_all_lengths(self, sort: Sort) -> tuple[Element, ...]:
        """The elements of a sort; for histories, those of every number of steps up to the chosen length."""
        if not sort.is_history:
            return tuple(self.elements(sort))
        return tuple(e for steps in range(self.length(sort) + 1) for e in self.elements(sort, steps))

    def size(self, sort: Sort) -> int:
        """The chosen size of a sort."""
        chosen = self.sizes.get(sort)
        if isinstance(chosen, bool) or not isinstance(chosen, int) or chosen < 1:
            raise StatementError(f"sizes: {sort.name} is {chosen!r}; expected a positive integer")
        return chosen

    def length(self, sort: Sort) -> int:
        """The chosen number of steps of a sort of histories."""
        chosen = self.lengths.get(sort)
        if isinstance(chosen, bool) or not isinstance(chosen, int) or chosen < 0:
            raise StatementError(f"lengths: {sort.name} is {chosen!r}; expected a number of steps")
        return chosen

    def write(self, node: Term, at: Mapping[Index, Element]) -> Any:
        """A term with its free indices at the given elements."""
        import sympy

        self.written += 1
        if self.written > LARGEST:
            raise StatementError(f"sizes: more than {LARGEST} parts to write out; expected smaller sizes or lengths")
        match node:
            case Number(value):
                return rational(value)
            case Apply(symbol, arguments, order):
                value = self.value(symbol, tuple(_element(a, at) for a in arguments))
                return sympy.diff(value, theta_symbol(), order) if order else value
            case Add(parts):
                return sympy.Add(*(self.write(part, at) for part in parts))
            case Multiply(parts):
                return sympy.Mul(*(self.write(part, at) for part in parts))
            case Power(base, exponent):
                inner = self.write(base, at)
                if exponent < 0 and inner == 0:
                    raise StatementError("a division by zero: the term has no value in this instance")
                return inner**exponent
            case Log(argument):
                inner = self.write(argument, at)
                if inner == 0:
                    raise StatementError("the logarithm of zero: the term has no value in this instance")
                return sympy.log(inner)
            case Exp(argument):
                return sympy.exp(self.write(argument, at))
            case Minimum(parts) | Maximum(parts):
                extremum = sympy.Min if isinstance(node, Minimum) else sympy.Max
                return extremum(*(self.write(part, at) for part in parts))
            case Sum(index, body):
                return sympy.Add(*(self.write(body, {**at, index: e}) for e in self.elements(index.sort)))
            case Expectation():
                return self.expectation(node, at)
            case Indicator():
                return sympy.Piecewise((1, self.condition(node, at)), (0, True))
            case Cases(condition, then, otherwise):
                return self.cases(self.condition(condition, at), then, otherwise, at)
            case Delta(left, right):
                return sympy.Integer(int(_element(left, at) == _element(right, at)))
            case Size(sort):
                return sympy.Integer(sum(1 for _ in self.elements(sort)))
            case Length(sort):
                return sympy.Integer(self.length(sort))
            case Derivative(body):
                return sympy.diff(self.write(body, at), theta_symbol())
        raise StatementError(f"{type(node).__name__}: has no counterpart in SymPy")

    def expectation(self, node: Expectation, at: Mapping[Index, Element]) -> Any:
        """An expectation written out; where the weight is zero outright, the body need not be defined."""
        import sympy

        parts = []
        for elements in product(*(tuple(self.elements(index.sort)) for index in node.indices)):
            inside = {**at, **dict(zip(node.indices, elements, strict=True))}
            weight = self.write(node.law, inside)
            if weight != 0:
                parts.append(weight * self.write(node.body, inside))
        return sympy.Add(*parts)

    def condition(self, node: Indicator, at: Mapping[Index, Element]) -> Any:
        """A condition; true or false where SymPy sees which."""
        types = {sign: type_ for type_, sign in sympy_relations().items()}
        return types[node.relation](self.write(node.left, at), self.write(node.right, at))

    def cases(self, condition: Any, then: Term, otherwise: Term, at: Mapping[Index, Element]) -> Any:
        """One of two branches, or both where the condition is open."""
        import sympy

        if condition in (sympy.true, sympy.false):
            return self.write(then if condition is sympy.true else otherwise, at)
        return sympy.Piecewise((self.write(then, at), condition), (self.write(otherwise, at), True))

    def value(self, symbol: Function, elements: tuple[Element, ...]) -> Any:
        """A function at elements: what its equation makes of it, else a symbol of its own."""
        key = (symbol, elements)
        if key not in self.values:
            if key in self.unfolding:
                raise StatementError(
                    f"{name_elements(symbol.name, elements)} is defined by itself; it cannot be unfolded"
                )
            self.unfolding.add(key)
            equation = self.equation(symbol, elements)
            self.values[key] = self.symbol(symbol, elements) if equation is None else self.write(*equation)
            self.unfolding.discard(key)
        return self.values[key]

    def equation(self, symbol: Function, elements: tuple[Element, ...]) -> tuple[Term, Mapping[Index, Element]] | None:
        """The recursion or the definition that gives a value, with its indices at the elements."""
        for rule in self.recursions:
            if rule.function == symbol:
                return _unfolded(rule, elements)
        for definition in self.definitions:
            if definition.function == symbol and not self.is_last(symbol, elements):
                return definition.value, dict(zip(definition.indices, elements, strict=True))
        return None

    def is_last(self, symbol: Function, elements: tuple[Element, ...]) -> bool:
        """Whether a history among the elements has the full length, so that nothing extends it."""
        return any(
            isinstance(element, tuple) and len(element) >= len(sort.start) + self.length(sort) * len(sort.step)
            for sort, element in zip(symbol.sorts, elements, strict=True)
            if sort.is_history
        )

    def symbol(self, symbol: Function, elements: tuple[Element, ...]) -> Any:
        """The SymPy symbol, or function of θ, for one value."""
        import sympy

        name = name_elements(symbol.name, elements)
        if name == theta_symbol().name and symbol.slope == 1 and symbol.domain == REAL:
            return theta_symbol()
        if self.names.setdefault(name, (symbol, elements)) != (symbol, elements) or name == theta_symbol().name:
            raise StatementError(f"two values are both named {name}; expected functions whose names tell them apart")
        if symbol.slope is not None:
            # A value whose derivative is a known number: the symbol is the value at θ = 0.
            return sympy.Symbol(name, real=True) + rational(symbol.slope) * theta_symbol()
        known = _assumptions(symbol.domain)
        return sympy.Function(name, **known)(theta_symbol()) if symbol.depends else sympy.Symbol(name, **known)


def theta_symbol() -> Any:
    import sympy

    return sympy.Symbol("θ", real=True)


def _assumptions(domain: Domain) -> dict[str, bool]:
    return {"real": True, **{fact: True for fact in sorted(sympy_facts(domain))}}


def _element(argument: Argument, at: Mapping[Index, Element]) -> Element:
    if isinstance(argument, Index):
        if argument not in at:
            raise StatementError(f"index {argument.name} has no element; give it, as in at={{{argument.name}: 0}}")
        return at[argument]
    prefix = () if argument.prefix is None else _element(argument.prefix, at)
    items = tuple(_element(item, at) for item in argument.items)
    start = prefix if isinstance(prefix, tuple) else (prefix,)
    return start + tuple(item for item in items if isinstance(item, int))


def _unfolded(rule: Recursion, elements: tuple[Element, ...]) -> tuple[Term, Mapping[Index, Element]]:
    """The start of a recursion, or its step, at a history that is written out."""
    (history,) = elements
    if not isinstance(history, tuple):
        raise StatementError(f"{rule.function.name}: given {history!r}; expected a history")
    if len(history) == len(rule.start_indices):
        return rule.start, dict(zip(rule.start_indices, history, strict=True))
    cut = len(history) - len(rule.step_indices)
    return rule.step, {rule.history: history[:cut], **dict(zip(rule.step_indices, history[cut:], strict=True))}


def rational(value: Fraction) -> Any:
    import sympy

    return sympy.Rational(value.numerator, value.denominator)
