"""SymPy's third opinion on statements without sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import comb, prod
from typing import TYPE_CHECKING, Any

from derivations.checker.statement import (
    Statement,
)
from derivations.checker.sympy_writing import Writer, rational, theta_symbol
from derivations.checker.terms import (
    Add,
    Apply,
    Cases,
    Delta,
    Derivative,
    Domain,
    Exp,
    Expectation,
    Function,
    Indicator,
    Length,
    Log,
    Maximum,
    Minimum,
    Multiply,
    Number,
    Power,
    Size,
    Sum,
    Term,
    children,
    subterms,
)

if TYPE_CHECKING:
    pass

# --- the third opinion ----------------------------------------------------------------------------------------------

MOST_NODES = 60
_MOST_PRODUCTS = 200
_MOST_BITS = 64
_POINTS = 4
_KINKS = (Minimum, Maximum, Indicator, Cases)


def second_opinion(given: Statement) -> bool | None:
    """What SymPy says of a statement without sums and indices, where both sides are defined; None: it cannot tell.

    False needs a nonzero constant, or a rational point in the domains at which the two sides are exactly different.
    Large statements are left alone, so that it always ends soon.
    """
    if not _within_reach(given):
        return None
    try:
        return _opinion(given)
    except Exception:  # whatever SymPy raises, it has no opinion
        return None


def _within_reach(given: Statement) -> bool:
    if given.relation not in ("=", "≤", "≥", "<", ">") or given.exists or given.definitions or given.recursions:
        return False
    parts = [*subterms(given.left), *subterms(given.right)]
    if len(parts) > MOST_NODES or not all(_is_plain(part) for part in parts) or any(map(_is_delicate, parts)):
        return False
    return all(_products(part) <= _MOST_PRODUCTS for part in parts)


def _is_plain(node: Term) -> bool:
    if isinstance(node, Apply):
        return not node.arguments
    if isinstance(node, Number):
        return max(node.value.numerator.bit_length(), node.value.denominator.bit_length()) <= _MOST_BITS
    return not isinstance(node, (Sum, Expectation, Delta, Size, Length))


def _is_delicate(node: Term) -> bool:
    """An exponential in an exponential is too large for SymPy; the derivative of what has a kink may come out wrong."""
    inside = [inner for child in children(node) for inner in subterms(child)]
    if isinstance(node, Exp):
        return any(isinstance(inner, Exp) for inner in inside)
    return isinstance(node, Derivative) and any(isinstance(i, _KINKS) for i in inside)


def _products(node: Term) -> int:
    """How many products there are when everything is multiplied out, roughly from above."""
    match node:
        case Add(parts):
            return sum(map(_products, parts))
        case Multiply(parts):
            return prod(map(_products, parts))
        case Power(base, exponent):
            return comb(min(_products(base), 1000) + min(abs(exponent), 1000), min(abs(exponent), 1000))
        case Log(argument):
            return sum(1 for _ in subterms(argument))
        case Derivative(body):
            return _products(body) * sum(1 for _ in subterms(body))
        case _:
            return 1


def _opinion(given: Statement) -> bool | None:
    writer = Writer({}, {}, (), ())
    difference = writer.write(given.left, {}) - writer.write(given.right, {})
    assumed = bool(given.assuming or given.standing)
    # The steps that multiply out fractions take minutes where there are kinks.
    kinks = any(isinstance(part, _KINKS) for side in (given.left, given.right) for part in subterms(side))
    if given.relation != "=":
        return _sign_opinion(str(given.relation), difference, assumed=assumed, kinks=kinks)
    needs = _needs(given, writer)
    if any(need.is_nonpositive for need, positive in needs if positive):
        return None
    if not assumed:
        values = [at(difference) for at in _points(given, writer) if _is_defined(needs, at)]
        if any(map(_is_different, values)):
            return False
        if not values:  # SymPy would go on and reckon with complex logarithms
            return None
    for rewrite in _rewritings(kinks):
        shape = rewrite(difference)
        if shape == 0:
            return True
        if not assumed and _is_different(shape):
            return False
    return None


def _rewritings(kinks: bool) -> tuple[Callable[[Any], Any], ...]:
    import sympy

    gentle = (sympy.expand, lambda e: sympy.expand(sympy.expand_log(e, force=False)))
    return gentle if kinks else (*gentle, lambda e: sympy.cancel(sympy.together(e)), sympy.simplify)


def _sign_opinion(sign: str, difference: Any, *, assumed: bool, kinks: bool) -> bool | None:
    import sympy

    above = difference if sign in ("≥", ">") else -difference
    strict = sign in ("<", ">")
    for rewrite in (sympy.expand,) if kinks else (sympy.expand, sympy.factor, sympy.simplify):
        shape = rewrite(above)
        if shape.is_positive or (not strict and shape.is_nonnegative):
            return True
        if not assumed and (shape.is_negative or (strict and shape.is_nonpositive)):
            return False
    return None


def _is_different(value: Any) -> bool:
    """Whether a number is real, finite and certainly not zero."""
    return bool(value.is_number and value.is_finite and (value.is_positive or value.is_negative))


def _needs(given: Statement, writer: Writer) -> list[tuple[Any, bool]]:
    """What must be positive (under a logarithm) or not zero (under a division); which of the two."""
    parts = [*subterms(given.left), *subterms(given.right)]
    under_logarithms = [(writer.write(part.argument, {}), True) for part in parts if isinstance(part, Log)]
    divisions = [part for part in parts if isinstance(part, Power) and part.exponent < 0]
    return under_logarithms + [(writer.write(part.base, {}), False) for part in divisions]


At = Callable[[Any], Any]


def _is_defined(needs: list[tuple[Any, bool]], at: At) -> bool:
    return all(at(need).is_positive if positive else _is_different(at(need)) for need, positive in needs)


def _points(given: Statement, writer: Writer) -> Iterator[At]:
    """A few points in the domains; each gives the value of an expression there."""
    for number in range(_POINTS):
        inside = {symbol: _inside(symbol.domain, number + 2 * place) for place, symbol in enumerate(given.functions)}
        yield _at_point(inside, writer)


def _inside(domain: Domain, number: int) -> Fraction:
    """A rational number in a domain, another for another number as far as there are some."""
    steps = (Fraction(2), Fraction(3), Fraction(1, 2), Fraction(5), Fraction(1, 3), Fraction(7, 4), Fraction(4))
    step = steps[number % len(steps)]
    if domain.lower is not None and domain.upper is not None:
        return domain.lower + (domain.upper - domain.lower) * step / 8
    if domain.lower is not None:
        return domain.lower + step
    if domain.upper is not None:
        return domain.upper - step
    return step * (-1) ** number


def _at_point(values: Mapping[Function, Fraction], writer: Writer) -> At:
    """The value of an expression where parameters have these values; what moves with θ has a slope and a bend too."""
    import sympy

    theta = theta_symbol()
    written = {symbol: writer.value(symbol, ()) for symbol in values}
    exact = {symbol: rational(value) for symbol, value in values.items()}
    origin = next((exact[symbol] for symbol in values if written[symbol] == theta), sympy.Integer(0))
    symbols: dict[Any, Any] = {}
    curves: list[tuple[Any, Any]] = []
    for place, symbol in enumerate(values):
        if symbol.slope is not None:
            slope = rational(symbol.slope) * theta
            symbols[written[symbol] - slope] = exact[symbol] - slope.subs(theta, origin)
        elif symbol.depends:
            step = theta - origin
            curve = exact[symbol] + (place + 2) * step + sympy.Rational(2 * place + 1, 3) * step**2
            curves.append((written[symbol].func, sympy.Lambda(theta, curve)))
        else:
            symbols[written[symbol]] = exact[symbol]
    symbols.pop(sympy.Integer(0), None)  # θ itself

    def at(expression: Any) -> Any:
        for head, curve in curves:
            expression = expression.replace(head, curve)
        return expression.doit().xreplace(symbols).subs(theta, origin)

    return at
