"""How a term is laid out: what needs brackets, what becomes a quotient, what every index is called.

This is decided once, for text and for LaTeX; a Notation only says how each piece is written, and the one here
writes text. Sums and products are associative: a + (b + c) prints as a + b + c. But q·(p/q) keeps its brackets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from fractions import Fraction
from typing import ClassVar, NamedTuple

from derivations.checker.terms import (
    Add,
    Apply,
    Argument,
    Cases,
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
    Path,
    Power,
    Size,
    Sort,
    Sum,
    Supremum,
    Term,
    children,
)

# --- names --------------------------------------------------------------------------------------------------

Names = Mapping[Index, str]
_PRIMES = ("", "′", "″", "‴")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def names_of(terms: Iterable[Term], more: Iterable[Index] = ()) -> Names:
    """What every index is called. A name that the checker made up (y·7, #0.1) becomes the first of y, y′, … not taken.

    The numbers in such names depend on what was judged before; the order in which they occur does not.
    """
    indices = list(dict.fromkeys([*more, *(i for node in terms for i in _occurrences(node))]))
    taken = {index.name for index in indices if not _made_up(index)}
    names = {}
    for index in indices:
        names[index] = index.name if not _made_up(index) else _free_name(_stem(index), taken)
        taken.add(names[index])
    return names


def _made_up(index: Index) -> bool:
    return "·" in index.name or "#" in index.name


def _stem(index: Index) -> str:
    before = index.name.replace("#", "·").split("·")[0]
    return before or index.sort.name[:1].lower()


def _free_name(stem: str, taken: set[str]) -> str:
    for prime in _PRIMES:
        if stem + prime not in taken:
            return stem + prime
    number = len(_PRIMES)
    while (name := stem + str(number).translate(_SUBSCRIPTS)) in taken:
        number += 1
    return name


def _occurrences(node: Term) -> Iterator[Index]:
    match node:
        case Apply(_, arguments, _):
            for argument in arguments:
                yield from _parts_of(argument)
        case Delta(left, right):
            yield from (left, right)
        case Sum(index, _) | Supremum(index, _):
            yield index
    for child in children(node):
        yield from _occurrences(child)


def _parts_of(argument: Argument) -> tuple[Index, ...]:
    if isinstance(argument, Index):
        return (argument,)
    return argument.items if argument.prefix is None else (argument.prefix, *argument.items)


# --- how each piece is written ------------------------------------------------------------------------------


class Notation:
    """How each piece is written, as Unicode text. Pieces arrive with the brackets that they need."""

    stacked = False  # whether a quotient is set as one number above another, which needs no brackets
    minus = "−"
    infinity = "∞"
    dot = "·"
    about = "≈"
    member = " ∈ "
    marks: ClassVar[Mapping[str, str]] = {"proved": "✓", "conditional": "✓", "refuted": "✗", "unknown": "?"}

    def function(self, symbol: Function) -> str:
        """The name of a function."""
        return symbol.name

    def name(self, name: str) -> str:
        """The name of an index or a sort."""
        return name

    def relation(self, sign: object) -> str:
        """A comparison, or another relation, with the blanks around it."""
        return f" {sign} "

    def mark(self, status: str) -> str:
        """The mark of a status; what is not known to be a pass is none."""
        return self.marks.get(status, "?")

    def words(self, plain: str) -> str:
        """Words."""
        return plain

    def brackets(self, body: str) -> str:
        """Round brackets."""
        return f"({body})"

    def sum_of(self, parts: Sequence[tuple[bool, str]]) -> str:
        """Summands, each with whether it is subtracted."""
        head = (self.minus if parts[0][0] else "") + parts[0][1]
        return head + "".join((f" {self.minus} " if minus else " + ") + body for minus, body in parts[1:])

    def times(self, factors: Sequence[str]) -> str:
        """A product."""
        return "·".join(factors)

    def quotient(self, above: str, below: str) -> str:
        """A quotient."""
        return f"{above}/{below}"

    def power(self, base: str, exponent: int) -> str:
        """A power."""
        return base + str(exponent).translate(_SUPERSCRIPTS)

    def log(self, argument: str, bare: bool) -> str:
        """A logarithm; `bare`: its argument needs no brackets."""
        return f"log {argument}" if bare else self.call("log", [argument])

    def call(self, name: str, arguments: Sequence[str]) -> str:
        """exp, log, min or max of arguments."""
        return f"{name}({', '.join(arguments)})"

    def nabla(self, order: int, body: str) -> str:
        """The derivative in θ."""
        return "∇" + ("" if order == 1 else str(order).translate(_SUPERSCRIPTS)) + body

    def total(self, indices: Sequence[str], body: str) -> str:
        """A sum over indices."""
        return f"Σ{self._below(','.join(indices))} {body}"

    def supremum(self, index: str, body: str) -> str:
        """A supremum over an index."""
        return f"sup{self._below(index)} {body}"

    def limit(self, parameter: str, to: str, body: str) -> str:
        """A limit in a parameter."""
        return f"lim_{{{parameter}→{to}}} {body}"

    def expectation(self, indices: Sequence[str], law: str, given: Sequence[str], body: str) -> str:
        """An expectation under a law."""
        over = indices[0] if len(indices) == 1 else f"({','.join(indices)})"
        condition = f"(·∣{', '.join(given)})" if given else ""
        return f"E_{{{over}∼{law}{condition}}}[{body}]"

    def apply(self, name: str, over: Sequence[str], given: Sequence[str]) -> str:
        """A function at arguments; a law at its variables and at what is given."""
        if not over:
            return name
        return f"{name}({', '.join(over)}{'∣' + ', '.join(given) if given else ''})"

    def path(self, steps: Sequence[str]) -> str:
        """A history written out."""
        return "·".join(steps) or "∅"

    def indicator(self, body: str) -> str:
        """One where the body holds, else zero."""
        return f"[{body}]"

    def cases(self, condition: str, then: str, otherwise: str) -> str:
        """One term or another."""
        return f"{then} if {condition} else {otherwise}"

    def size(self, sort: str) -> str:
        """The number of elements."""
        return f"|{sort}|"

    def vector(self, entries: Sequence[str]) -> str:
        """Numbers in a row."""
        return f"({', '.join(entries)})"

    def value(self, shown: str) -> str:
        """A number, from the text that `reals.show` makes of it."""
        return shown.replace("≈ -", "≈ −")

    def _below(self, indices: str) -> str:
        return f"_{indices}" if len(indices) == 1 else f"_{{{indices}}}"


# --- brackets -----------------------------------------------------------------------------------------------


class Level(IntEnum):
    """How tightly a piece holds together."""

    CASES = 0
    SUM = 1  # a + b, and whatever begins with a minus
    PRODUCT = 2
    OPEN = 3  # Σ_y … and log x, which would take in what follows on the right
    SCORE = 4  # ∇log x, which is clear before a dot, not before a slash
    TIGHT = 5  # ∇x, x²
    ATOM = 6


class Piece(NamedTuple):
    """What is written for a term, and how tightly that holds together."""

    written: str
    level: Level


class Layout:
    """Writes terms in a notation, with indices called by the given names."""

    def __init__(self, notation: Notation, names: Names) -> None:
        self.notation = notation
        self.names = names

    def write(self, node: Term, at_least: Level = Level.SUM) -> str:
        """A term, in brackets if it holds together less tightly than is needed."""
        return self._bracketed(self._piece(node), at_least)

    def _bracketed(self, piece: Piece, at_least: Level) -> str:
        return piece.written if piece.level >= at_least else self.notation.brackets(piece.written)

    def inside(self, node: Term) -> str:
        """A term between delimiters, where nothing needs brackets."""
        return self.write(node, Level.CASES)

    def index(self, index: Index) -> str:
        """The name of an index."""
        return self.notation.name(self.names.get(index, index.name))

    def length(self, sort: Sort) -> str:
        """The number of steps of the histories."""
        return self.notation.apply("t", [self.notation.name(sort.name)], [])

    def comparison(self, left: Term, relation: str, right: Term) -> str:
        """left relation right."""
        return self.write(left) + self.notation.relation(relation) + self.write(right)

    def _piece(self, node: Term) -> Piece:
        match node:
            case Number(value):
                return self._number(value)
            case Apply(symbol, arguments, order):
                return self._apply(symbol, arguments, order)
            case Add():
                return self._add(node)
            case Multiply():
                return self._multiply(node)
            case Power(base, exponent):
                return self._multiply(node) if exponent < 0 else self._power(base, exponent)
            case Log(argument):
                return self._log(argument)
            case Sum():
                return self._sum(node)
            case Derivative():
                return self._derivative(node)
            case Supremum(index, body):
                shown = self.notation.supremum(self.index(index), self.write(body, Level.PRODUCT))
                return Piece(shown, Level.OPEN)
            case Limit(body, parameter, to):
                name = self.notation.function(parameter.function)
                return Piece(self.notation.limit(name, to, self.write(body, Level.PRODUCT)), Level.OPEN)
            case Cases(condition, then, otherwise):
                test = self.comparison(condition.left, condition.relation, condition.right)
                return Piece(self.notation.cases(test, self.write(then), self.write(otherwise)), Level.CASES)
            case _:
                return Piece(self._atom(node), Level.ATOM)

    def _atom(self, node: Term) -> str:
        match node:
            case Exp(argument):
                return self.notation.call("exp", [self.inside(argument)])
            case Minimum(terms):
                return self.notation.call("min", [self.inside(t) for t in terms])
            case Maximum(terms):
                return self.notation.call("max", [self.inside(t) for t in terms])
            case Expectation(law, body):
                indices, given = map(self.index, node.indices), map(self._argument, node.given)
                name = self.notation.function(law.function)
                return self.notation.expectation(list(indices), name, list(given), self.inside(body))
            case Indicator(left, relation, right):
                return self.notation.indicator(self.comparison(left, relation, right))
            case Delta(left, right):
                return self.notation.indicator(self.index(left) + self.notation.relation("=") + self.index(right))
            case Size(sort):
                return self.notation.size(self.notation.name(sort.name))
            case Length(sort):
                return self.length(sort)
            case Infinity():
                return self.notation.infinity
        raise TypeError(f"no way to print a {type(node).__name__}")

    def _number(self, value: Fraction) -> Piece:
        minus, size = value < 0, abs(value)
        if size.denominator == 1:
            written, level = str(size), Level.ATOM
        else:
            written = self.notation.quotient(str(size.numerator), str(size.denominator))
            level = Level.TIGHT if self.notation.stacked else Level.PRODUCT
        return Piece(self.notation.minus + written, Level.SUM) if minus else Piece(written, level)

    def _argument(self, argument: Argument) -> str:
        if isinstance(argument, Path):
            return self.notation.path([self.index(i) for i in _parts_of(argument)])
        return self.index(argument)

    def _apply(self, symbol: Function, arguments: tuple[Argument, ...], order: int) -> Piece:
        shown = [self._argument(argument) for argument in arguments]
        split = symbol.law or len(shown)
        body = self.notation.apply(self.notation.function(symbol), shown[:split], shown[split:])
        return Piece(self.notation.nabla(order, body), Level.TIGHT) if order else Piece(body, Level.ATOM)

    def _log(self, argument: Term) -> Piece:
        inner = self._piece(argument)
        return Piece(self.notation.log(inner.written, inner.level >= Level.ATOM), Level.OPEN)

    def _power(self, base: Term, exponent: int) -> Piece:
        return Piece(self.notation.power(self.write(base, Level.ATOM), exponent), Level.TIGHT)

    def _sum(self, node: Sum) -> Piece:
        indices, body = [node.index], node.body
        while isinstance(body, Sum):
            indices.append(body.index)
            body = body.body
        shown = self.notation.total([self.index(i) for i in indices], self.write(body, Level.PRODUCT))
        return Piece(shown, Level.OPEN)

    def _derivative(self, node: Derivative) -> Piece:
        order, body = 1, node.body
        while isinstance(body, Derivative):
            order, body = order + 1, body.body
        if isinstance(body, Apply):
            return self._apply(body.function, body.arguments, order + body.order)
        needed, level = (Level.OPEN, Level.SCORE) if isinstance(body, Log) else (Level.ATOM, Level.TIGHT)
        return Piece(self.notation.nabla(order, self.write(body, needed)), level)

    def _add(self, node: Add) -> Piece:
        parts = list(_summands(node))
        if len(parts) < 2:
            return self._piece(parts[0] if parts else Number(Fraction(0)))
        return Piece(self.notation.sum_of([self._signed(part) for part in parts]), Level.SUM)

    def _signed(self, node: Term) -> tuple[bool, str]:
        if isinstance(node, Number) and node.value < 0:
            return True, self._number(-node.value).written
        minus, rest = _without_sign(_factors(node))
        return minus, self._bracketed(self._quotient(rest), Level.PRODUCT)

    def _multiply(self, node: Term) -> Piece:
        minus, factors = _without_sign(_factors(node))
        piece = self._quotient(factors)
        return Piece(self.notation.minus + self._bracketed(piece, Level.PRODUCT), Level.SUM) if minus else piece

    def _quotient(self, factors: list[Term]) -> Piece:
        above = [f for f in factors if not _divides(f)]
        below = [g for f in factors if isinstance(f, Power) and _divides(f) for g in _below(f)]
        if not below:
            return self._product(above)
        if self.notation.stacked:
            written = self.notation.quotient(self._product(above).written, self._product(below).written)
            return Piece(written, Level.TIGHT)
        top = "1" if not above else self.notation.times([self.write(f, Level.TIGHT) for f in above])
        bottom = self.notation.times([self.write(f, Level.TIGHT) for f in below])
        if len(below) > 1:
            bottom = self.notation.brackets(bottom)
        return Piece(self.notation.quotient(top, bottom), Level.PRODUCT)

    def _product(self, factors: list[Term]) -> Piece:
        if len(factors) < 2:
            return self._piece(factors[0] if factors else Number(Fraction(1)))
        shown = [self.write(f, Level.SCORE) for f in factors[:-1]] + [self.write(factors[-1], Level.OPEN)]
        return Piece(self.notation.times(shown), Level.PRODUCT)


def _summands(node: Add) -> Iterator[Term]:
    for part in node.terms:
        if isinstance(part, Add):
            yield from _summands(part)
        else:
            yield part


def _divides(node: Term) -> bool:
    return isinstance(node, Power) and node.exponent < 0


def _below(node: Power) -> list[Term]:
    """The factors that a power with a negative exponent puts below the line."""
    if node.exponent != -1:
        return [Power(node.base, -node.exponent)]
    inner = _factors(node.base)
    return [node.base] if any(map(_divides, inner)) or any(map(_is_negative, inner)) else inner


def _factors(node: Term) -> list[Term]:
    """The factors of a product and of products in it; a quotient or a minus further on stands apart."""
    if isinstance(node, Add) and len(node.terms) == 1:
        return _factors(node.terms[0])
    if not isinstance(node, Multiply):
        return [node]
    found: list[Term] = []
    for position, factor in enumerate(node.factors):
        inner = _factors(factor)
        last = all(map(_divides, node.factors[position + 1 :]))
        found += [factor] if _stands_apart(inner, after=found, last=last) else inner
    return found


def _stands_apart(inner: list[Term], *, after: list[Term], last: bool) -> bool:
    if len(inner) < 2:
        return False
    only_a_sign = all(f == Number(Fraction(-1)) for f in after)
    a_quotient = any(map(_divides, inner)) and not (only_a_sign and last)
    return a_quotient or (bool(after) and _is_negative(inner[0]))


def _is_negative(node: Term) -> bool:
    return isinstance(node, Number) and node.value < 0


def _without_sign(factors: list[Term]) -> tuple[bool, list[Term]]:
    """Whether a product begins with a minus, and its factors without it."""
    if len(factors) < 2 or not _is_negative(factors[0]):
        return False, factors
    assert isinstance(factors[0], Number)
    rest = factors[1:]
    return True, rest if factors[0].value == -1 else [Number(-factors[0].value), *rest]
