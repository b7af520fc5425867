"""A statement on a limit, refuted in one world: there it is a limit of numbers, of which SymPy is asked.

No world has a limit. But a world gives every number in it except the parameter that moves, and what is left is an
expression in this one parameter, whose limit is a number or infinite; the right side is a number of that world.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from derivations.checker import reals
from derivations.checker.candidates import build, in_order
from derivations.checker.errors import Undecided
from derivations.checker.jets import Undefined, Undetermined
from derivations.checker.question import Question
from derivations.checker.refute import Counterexample, Effort, places_of
from derivations.checker.statement import Statement
from derivations.checker.terms import Add, Apply, Exp, Index, Limit, Log, Multiply, Power, Sum, Term, functions
from derivations.checker.worlds import Element, World

Expression = Any  # SymPy carries no types

EFFORT = Effort(sizes=10, ordered=20)
ASKED = 20  # worlds in which SymPy is asked


def limit_fails(statement: Statement) -> Counterexample | None:
    """A world in which lim body is infinite, or another number than the right side."""
    limit = statement.left
    if not isinstance(limit, Limit) or statement.relation != "=" or not _is_about_one_limit(statement, limit):
        return None
    for world in islice(_candidates(statement, limit), ASKED):
        right = reals.fraction(world.value(statement.right))
        value = _limit_in(world, limit)
        if right is not None and value is not None and value != str(right):
            total = sum(world.sizes.values()) + sum(world.lengths.values())
            return Counterexample(world, (total, 0, 0), value, str(right))
    return None


def _is_about_one_limit(statement: Statement, limit: Limit) -> bool:
    """Whether nothing but the body speaks of the parameter, which may go where it is said to."""
    symbol = limit.parameter.function
    domain = symbol.domain
    near_zero = (domain.lower is None or domain.lower <= 0) and (domain.upper is None or domain.upper > 0)
    equations = [d.value for d in statement.definitions] + [t for r in statement.recursions for t in (r.start, r.step)]
    assumed = [t for a in (*statement.assuming, *statement.standing) for t in a.terms]
    elsewhere = any(symbol in functions(t) for t in (statement.right, *assumed, *equations))
    inner = any(isinstance(t, Limit) for t in (limit.body, statement.right))
    plain = not (statement.exists or statement.infinite_sorts or elsewhere or inner or symbol.sorts)
    return plain and (domain.upper is None if limit.to == "∞" else near_zero)


def _candidates(statement: Statement, limit: Limit) -> Iterator[World]:
    """Worlds of rationals in which what is assumed holds, and the body is not what the limit is said to be."""
    question = Question(replace(statement, left=limit.body))
    for sizes, parts in places_of(question, EFFORT):
        for ranks in islice(in_order(parts), EFFORT.ordered):
            world = build(question, *sizes, [(slot, slot.options[k]) for slot, k in zip(parts, ranks, strict=True)])
            failing = None if world is None else question.counterexample(world)
            if failing is not None:
                yield failing


def _limit_in(world: World, limit: Limit) -> str | None:
    """The limit in a world as text: a rational, ∞ or −∞; None where SymPy finds none of these."""
    import sympy

    moving = sympy.Symbol("t", positive=True)
    try:
        inside = _in_numbers(limit.body, world, {}, limit.parameter, moving)
        value = sympy.limit(inside, moving, sympy.oo if limit.to == "∞" else 0, "+")
    except (NotImplementedError, Undecided, Undefined, Undetermined):
        return None
    if value.is_Rational:
        return str(value)
    return {sympy.oo: "∞", -sympy.oo: "−∞"}.get(value)


def _in_numbers(node: Term, world: World, at: dict[Index, Element], parameter: Apply, moving: Expression) -> Expression:
    """A term in a world with one number left open, as SymPy has it."""
    import sympy

    def inside(part: Term) -> Expression:
        return _in_numbers(part, world, at, parameter, moving)

    value = None if parameter.function in functions(node) else world.value(node, at)
    rational = None if value is None else reals.fraction(value)
    if rational is not None:
        return sympy.Rational(rational.numerator, rational.denominator)
    if isinstance(value, reals.LogSum):
        logs = (sympy.Rational(str(c)) * sympy.log(prime) for prime, c in value.logs.items())
        return sympy.Add(sympy.Rational(str(value.rational)), *logs)
    match node:
        case Apply() if node == parameter:
            return moving
        case Add(parts):
            return sympy.Add(*map(inside, parts))
        case Multiply(parts):
            return sympy.Mul(*map(inside, parts))
        case Power(base, exponent):
            return inside(base) ** exponent
        case Exp(argument):
            return sympy.exp(inside(argument))
        case Log(argument):
            return sympy.log(inside(argument))
        case Sum(index, body):
            places = [{**at, index: element} for element in world.elements(index.sort)]
            return sympy.Add(*(_in_numbers(body, world, place, parameter, moving) for place in places))
    raise Undecided(f"a limit of {node!r} is not worked out")


__all__ = ["limit_fails"]
