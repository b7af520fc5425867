"""Arithmetic on the value of a term and its derivatives in θ, in three kinds.

`VALUES` are exact numbers alone, `jets(n)` exact numbers with n derivatives each, and `FLOATS` are what a search is led
by and what nothing is concluded from. The rules that evaluate a term are written once, for any of them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from math import comb
from typing import Any, Protocol

from derivations.checker import reals
from derivations.checker.reals import Real
from derivations.checker.terms import Term

Jet = tuple[Real, ...]


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


class Arithmetic(Protocol):
    """What the rules of evaluation need of numbers; a number is whatever an arithmetic makes."""

    order: int  # how many derivatives a number has

    def __hash__(self) -> int:
        """There is one of each kind."""

    def constant(self, value: Real) -> Any:
        """A number that θ does not move."""

    def of_entry(self, jet: Jet) -> Any:
        """The number that a table has as a value with its derivatives."""

    def plus(self, x: Any, y: Any) -> Any:
        """x + y."""

    def times(self, x: Any, y: Any) -> Any:
        """x · y; zero times anything is zero."""

    def inverse(self, x: Any, node: Term) -> Any:
        """1/x; raises Undefined for zero."""

    def log(self, x: Any, node: Term) -> Any:
        """The logarithm; raises Undefined where x is not positive."""

    def exp(self, x: Any) -> Any:
        """The exponential."""

    def is_zero(self, x: Any) -> bool:
        """Whether a number and all its derivatives are known to be zero."""

    def compare(self, x: Any, y: Any) -> int | None:
        """The sign of x − y without their derivatives, or None where it is not known."""

    def meet(self, node: Term, x: Any, y: Any, why: str) -> None:
        """Where two values are equal, raises Undefined if their slopes are not."""

    def either(self, x: Any, y: Any) -> Any:
        """One of two numbers that cannot be told apart."""

    def with_derivative(self) -> Arithmetic:
        """The arithmetic in which a term is evaluated whose derivative is a number here."""

    def derivative(self, jet: Any) -> Any:
        """The derivative of a number of that arithmetic."""


class _Values:
    """Exact numbers alone."""

    order = 0
    plus = staticmethod(reals.add)
    times = staticmethod(reals.multiply)
    exp = staticmethod(reals.exp)
    is_zero = staticmethod(reals.is_zero)
    compare = staticmethod(reals.compare)

    def constant(self, value: Real) -> Real:
        return value

    def of_entry(self, jet: Jet) -> Real:
        return jet[0]

    def inverse(self, x: Real, node: Term) -> Real:
        inverse = reals.invert(x)
        if inverse is None:
            if reals.sign(x) is None:
                raise Undetermined
            raise Undefined(node, "a division by zero")
        return inverse

    def log(self, x: Real, node: Term) -> Real:
        logarithm = reals.log(x)
        if logarithm is None:
            if reals.sign(x) is None:
                raise Undetermined
            raise Undefined(node, f"the logarithm of {reals.show(x)}")
        return logarithm

    def meet(self, node: Term, x: Real, y: Real, why: str) -> None:
        pass

    def either(self, x: Real, y: Real) -> Real:
        # Overlapping balls: the union of both is an enclosure of either.
        return reals.ball(x).union(reals.ball(y))

    def with_derivative(self) -> Arithmetic:
        return jets(1)

    def derivative(self, jet: Jet) -> Real:
        return jet[1]


class _Jets:
    """Exact numbers, each with so many derivatives in θ."""

    def __init__(self, order: int) -> None:
        self.order = order

    def constant(self, value: Real) -> Jet:
        return (value,) + (reals.ZERO,) * self.order

    def of_entry(self, jet: Jet) -> Jet:
        if len(jet) <= self.order:
            # A derivative of an order that this world does not tell.
            raise Undetermined
        return jet[: self.order + 1]

    def plus(self, x: Jet, y: Jet) -> Jet:
        return tuple([reals.add(a, b) for a, b in zip(x, y, strict=True)])

    def times(self, x: Jet, y: Jet) -> Jet:
        result = []
        for n in range(len(x)):
            value = reals.multiply(x[0], y[n])
            for k in range(1, n + 1):
                part = reals.multiply(x[k], y[n - k])
                value = reals.add(value, part if k == n else reals.multiply(part, reals.real(comb(n, k))))
            result.append(value)
        return tuple(result)

    def inverse(self, x: Jet, node: Term) -> Jet:
        first = VALUES.inverse(x[0], node)
        result = [first]
        for n in range(1, len(x)):
            value: Real = reals.ZERO
            for k in range(1, n + 1):
                value = reals.add(value, reals.multiply(reals.multiply(x[k], result[n - k]), reals.real(comb(n, k))))
            result.append(reals.negate(reals.multiply(value, first)))
        return tuple(result)

    def log(self, x: Jet, node: Term) -> Jet:
        result = [VALUES.log(x[0], node)]
        for n in range(1, len(x)):
            value = x[n]
            for k in range(1, n):
                part = reals.multiply(reals.multiply(x[k], result[n - k]), reals.real(comb(n - 1, k)))
                value = reals.subtract(value, part)
            scale = reals.invert(x[0])
            assert scale is not None
            result.append(reals.multiply(value, scale))
        return tuple(result)

    def exp(self, x: Jet) -> Jet:
        result = [reals.exp(x[0])]
        for n in range(1, len(x)):
            value: Real = reals.ZERO
            for k in range(n):
                part = reals.multiply(reals.multiply(x[k + 1], result[n - 1 - k]), reals.real(comb(n - 1, k)))
                value = reals.add(value, part)
            result.append(value)
        return tuple(result)

    def is_zero(self, x: Jet) -> bool:
        return all([reals.is_zero(part) for part in x])

    def compare(self, x: Jet, y: Jet) -> int | None:
        return reals.compare(x[0], y[0])

    def meet(self, node: Term, x: Jet, y: Jet, why: str) -> None:
        orders = [reals.compare(a, b) for a, b in zip(x[1:], y[1:], strict=True)]
        if any(order not in (0, None) for order in orders):
            raise Undefined(node, why)
        if None in orders:
            raise Undetermined

    def either(self, x: Jet, y: Jet) -> Jet:
        raise Undetermined

    def with_derivative(self) -> Arithmetic:
        return jets(self.order + 1)

    def derivative(self, jet: Jet) -> Jet:
        return jet[1:]


class _Floats:
    """Floats alone: near to the exact numbers, and told from them by nobody."""

    order = 0

    def constant(self, value: Real) -> float:
        return as_float(value)

    def of_entry(self, jet: Jet) -> float:
        return as_float(jet[0])

    def plus(self, x: float, y: float) -> float:
        return x + y

    def times(self, x: float, y: float) -> float:
        return x * y if x and y else 0.0

    def inverse(self, x: float, node: Term) -> float:
        if not x:
            raise Undefined(node, "a division by zero")
        return 1 / x

    def log(self, x: float, node: Term) -> float:
        if not x > 0:
            raise Undefined(node, f"the logarithm of {x}")
        return math.log(x)

    def exp(self, x: float) -> float:
        try:
            return math.exp(x)
        except OverflowError:
            return math.inf

    def is_zero(self, x: float) -> bool:
        return not x

    def compare(self, x: float, y: float) -> int | None:
        return (x > y) - (x < y)

    def meet(self, node: Term, x: float, y: float, why: str) -> None:
        pass

    def either(self, x: float, y: float) -> float:
        return x

    def with_derivative(self) -> Arithmetic:
        return jets(1)

    def derivative(self, jet: Jet) -> float:
        return as_float(jet[1])


VALUES = _Values()
FLOATS = _Floats()


@lru_cache(maxsize=100)
def jets(order: int) -> Arithmetic:
    """Exact numbers with so many derivatives; those without any are numbers alone."""
    return _Jets(order) if order else VALUES


def as_float(value: Real) -> float:
    """A float near to a real."""
    return float(reals.ball(value).mid())


__all__ = ["FLOATS", "VALUES", "Arithmetic", "Jet", "Undefined", "Undetermined", "as_float", "jets"]
