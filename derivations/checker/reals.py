"""Exact real numbers for the evaluation of terms: rationals, rational combinations of logarithms of primes, and balls.

Logarithms of different primes are linearly independent over the rationals, so two values of the second kind are equal
only when their coefficients are: equality is decided. What leaves both kinds is an Arb ball: it never proves two values
equal, and shows them different only when the balls are disjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import flint
from flint import arb, fmpq, fmpz

PRECISION_BITS = 192
flint.ctx.prec = PRECISION_BITS


class LogSum:
    """rational + Σ coefficient · log(prime), with at least one logarithm."""

    __slots__ = ("logs", "rational")

    def __init__(self, rational: fmpq, logs: dict[int, fmpq]) -> None:
        self.rational = rational
        self.logs = logs

    def ball(self) -> arb:
        """The number as a ball."""
        value = arb(self.rational)
        for prime, coefficient in self.logs.items():
            value += arb(coefficient) * _log_of_prime(prime)
        return value


@lru_cache(maxsize=1_000)
def _log_of_prime(prime: int) -> arb:
    return arb(prime).log()


Real = fmpq | LogSum | arb

ZERO = fmpq(0)
ONE = fmpq(1)


INFINITY = arb("inf")


def real(value: int | Fraction) -> fmpq:
    """An exact rational."""
    return fmpq(value.numerator, value.denominator)


def ball(value: Real) -> arb:
    """Any real as a ball."""
    if isinstance(value, LogSum):
        return value.ball()
    return arb(value) if isinstance(value, fmpq) else value


def _combination(rational: fmpq, logs: dict[int, fmpq]) -> Real:
    kept = {prime: coefficient for prime, coefficient in logs.items() if coefficient != 0}
    return LogSum(rational, kept) if kept else rational


def add(x: Real, y: Real) -> Real:
    """x + y."""
    if type(x) is fmpq:
        if type(y) is fmpq:
            return x + y
        if type(y) is LogSum:
            return LogSum(x + y.rational, y.logs)
    elif type(x) is LogSum:
        if type(y) is fmpq:
            return LogSum(x.rational + y, x.logs)
        if type(y) is LogSum:
            return _joined(x, y)
    return ball(x) + ball(y)


def _joined(x: LogSum, y: LogSum) -> Real:
    logs = dict(x.logs)
    for prime, coefficient in y.logs.items():
        whole = logs.get(prime, ZERO) + coefficient
        if is_zero(whole):
            logs.pop(prime, None)
        else:
            logs[prime] = whole
    rational = x.rational + y.rational
    return LogSum(rational, logs) if logs else rational


def multiply(x: Real, y: Real) -> Real:
    """x · y; zero times anything is zero."""
    if type(x) is fmpq and type(y) is fmpq:
        return x * y
    if type(y) is fmpq:
        x, y = y, x
    if type(x) is fmpq:
        if is_zero(x):
            return ZERO
        if type(y) is LogSum:
            return LogSum(x * y.rational, {prime: x * c for prime, c in y.logs.items()})
    return ball(x) * ball(y)


def negate(x: Real) -> Real:
    """−x."""
    return multiply(fmpq(-1), x)


def subtract(x: Real, y: Real) -> Real:
    """x − y."""
    return add(x, negate(y))


def invert(x: Real) -> Real | None:
    """1/x, or None where x is zero or cannot be told from it."""
    if type(x) is fmpq:
        return None if is_zero(x) else 1 / x
    value = ball(x)
    return None if value.contains(0) else 1 / value


QUICKLY_FACTORED = 64  # bits of an integer whose prime factors are found in a millisecond
QUICKLY_TESTED = 512  # bits of one that is known to be prime or not in a second
SMALL_PRIMES = tuple(n for n in range(2, 1000) if all(n % k for k in range(2, int(n**0.5) + 1)))


@lru_cache(maxsize=20_000)
def _prime_factors(value: int) -> tuple[tuple[int, int], ...] | None:
    """The prime factors with their powers; None for an integer whose factors it takes too long to find."""
    if value.bit_length() <= QUICKLY_FACTORED:
        return _as_integers(flint.fmpz(value).factor())
    found: dict[int, int] = {}
    for prime in SMALL_PRIMES:
        while value % prime == 0:
            found[prime], value = found.get(prime, 0) + 1, value // prime
    if value.bit_length() <= QUICKLY_FACTORED:
        return (*found.items(), *_as_integers(flint.fmpz(value).factor()))
    prime_itself = value.bit_length() <= QUICKLY_TESTED and flint.fmpz(value).is_prime()
    return (*found.items(), (value, 1)) if prime_itself else None


def _as_integers(factors: Sequence[tuple[fmpz, int]]) -> tuple[tuple[int, int], ...]:
    return tuple([(int(prime), int(power)) for prime, power in factors])


def log(x: Real) -> Real | None:
    """The natural logarithm, or None where x is not positive or cannot be told to be.

    Exact for a rational; a ball for one of large numbers that do not fall apart into prime factors quickly.
    """
    if type(x) is fmpq:
        if x <= 0:
            return None
        above, below = _prime_factors(int(x.p)), _prime_factors(int(x.q))
        if above is None or below is None:
            return ball(x).log()
        logs = {prime: fmpq(power) for prime, power in above}
        for prime, power in below:
            logs[prime] = logs.get(prime, ZERO) - power
        return _combination(ZERO, logs)
    value = ball(x)
    return value.log() if value > 0 else None


def exp(x: Real) -> Real:
    """The exponential; exact for zero and for integer combinations of logarithms."""
    if type(x) is fmpq and x == 0:
        return ONE
    if type(x) is LogSum and x.rational == 0 and all(c.q == 1 and abs(c.p) <= 4096 for c in x.logs.values()):
        result = ONE
        for prime, power in x.logs.items():
            result *= fmpq(prime) ** int(power.p)
        return result
    return ball(x).exp()


def is_zero(x: Real) -> bool:
    """Whether a number is known to be zero: rational combinations of logarithms are not, and balls do not tell."""
    # As x == 0, and ten times as fast.
    return type(x) is fmpq and not x  # type: ignore[truthy-bool]


def sign(x: Real) -> int | None:
    """−1, 0 or 1, or None where a ball does not tell."""
    if type(x) is fmpq:
        return 0 if is_zero(x) else 1 if x > ZERO else -1
    value = ball(x)
    if value > 0:
        return 1
    if value < 0:
        return -1
    return None


def compare(x: Real, y: Real) -> int | None:
    """The sign of x − y, or None where balls overlap."""
    if type(x) is fmpq and type(y) is fmpq:
        return 0 if x == y else 1 if x > y else -1
    return sign(subtract(x, y))


def fraction(x: Real) -> Fraction | None:
    """The value as a Fraction, where it is rational."""
    return Fraction(int(x.p), int(x.q)) if type(x) is fmpq else None


def show(x: Real) -> str:
    """The number as text: 3/16, ¾·log 3 − log 2 as (3/4)·log 3 − log 2, a ball as ≈ with the digits that are certain."""
    if isinstance(x, fmpq):
        return _rational(x)
    if isinstance(x, arb):
        return "≈ " + x.str(8, radius=False)
    parts: list[tuple[bool, str]] = [(c < 0, _scaled_log(abs(c), prime)) for prime, c in sorted(x.logs.items())]
    if x.rational != 0:
        parts.append((x.rational < 0, _rational(abs(x.rational))))
    head = ("−" if parts[0][0] else "") + parts[0][1]
    return head + "".join((" − " if minus else " + ") + body for minus, body in parts[1:])


def _rational(value: fmpq) -> str:
    return ("−" if value < 0 else "") + str(abs(value))


def _scaled_log(coefficient: fmpq, prime: int) -> str:
    if coefficient == 1:
        return f"log {prime}"
    shown = str(coefficient) if coefficient.q == 1 else f"({coefficient})"
    return f"{shown}·log {prime}"
