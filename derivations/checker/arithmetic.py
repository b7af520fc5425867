"""Inequalities and cases over the reals, by Z3.

A polynomial in normal form becomes a real expression: each atom is a real variable, each closed sum is one too, with the
facts that its domain gives it. Logarithms and exponentials are variables bound by the tangent of the logarithm,
log u ≤ u − 1 with equality at u = 1 only, at every ratio of the arguments that occur; this one fact about the logarithm
is itself proved in `calculus`. Z3 is asked for a point where the claim fails: none means proved, anything else nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import lcm
from typing import Any

import z3

from derivations.checker import reals
from derivations.checker.errors import Undecided
from derivations.checker.facts import Facts
from derivations.checker.normal_form import Normaliser, Rules, is_law_over
from derivations.checker.polynomial import (
    Atom,
    Composite,
    Exponent,
    LogPrime,
    Monomial,
    Nonzero,
    Polynomial,
    as_term,
    atom_indices,
    atom_key,
    collect,
    constant,
    polynomial_indices,
    raws_of,
    renamed_factors,
)
from derivations.checker.statement import Hypothesis
from derivations.checker.terms import (
    Add,
    Apply,
    Delta,
    Derivative,
    Exp,
    Expectation,
    Function,
    Index,
    Indicator,
    Length,
    Made,
    Multiply,
    Number,
    Power,
    Size,
    Sum,
    Term,
    substitute,
)

TIMEOUT_MS = 4000
ALTOGETHER: float | None = None  # seconds that are left for all questions, where they are limited

Z3 = Any  # z3 carries no types


@contextmanager
def patience(milliseconds: int, altogether: int | None = None) -> Iterator[None]:
    """For as long as it is open, Z3 is given so much time for each question, and none is asked after so much work."""
    global TIMEOUT_MS, ALTOGETHER
    before = TIMEOUT_MS, ALTOGETHER
    TIMEOUT_MS, ALTOGETHER = milliseconds, None if altogether is None else altogether / 1000
    try:
        yield
    finally:
        TIMEOUT_MS, ALTOGETHER = before


# An interrupt is the caller's: left to Z3 it would end one question and be forgotten.
z3.set_param("ctrl_c", False)


class Encoding:
    """Polynomials as Z3 expressions, with everything that is known of their atoms."""

    def __init__(self, normaliser: Normaliser, guards: frozenset[Apply] = frozenset()) -> None:
        self.normaliser = normaliser
        self.guards = guards
        self.facts: list[Z3] = []
        self._variables: dict[object, Z3] = {}
        self._inverses: dict[str, Z3] = {}
        self._logs: list[tuple[Z3, Z3]] = []

    def polynomial(self, polynomial: Polynomial) -> Z3:
        """A polynomial as a real expression."""
        total: Z3 = z3.RealVal(0)
        for monomial in polynomial.monomials:
            total = total + self._monomial(monomial)
        return total

    def relation(self, polynomial: Polynomial, relation: str) -> Z3:
        """polynomial relation 0."""
        return _compare(self.polynomial(polynomial), relation)

    def _monomial(self, monomial: Monomial) -> Z3:
        value: Z3 = _rational(monomial.coefficient)
        bound = set(monomial.binders)
        inside = []
        for atom, exponent in monomial.factors:
            if bound & atom_indices(atom):
                inside.append((atom, exponent))
            else:
                value = value * self._power(atom, exponent)
        if not monomial.binders:
            return value
        for binders, factors in _independent(monomial.binders, inside):
            (closed,) = collect([(Fraction(1), binders, factors)]).monomials
            value = value * self._closed_sum(closed)
        return value

    def _closed_sum(self, monomial: Monomial) -> Z3:
        def facts(variable: Z3) -> Iterator[Z3]:
            single = Polynomial((monomial,), 0)
            if self.normaliser.is_positive(single, self.guards):
                yield variable > 0
            elif self.normaliser.is_nonnegative(single, self.guards):
                yield variable >= 0

        return self._variable(monomial, "sum", facts)

    def _variable(self, key: object, name: str, facts: Any) -> Z3:
        if key not in self._variables:
            variable = z3.Real(f"{name}{len(self._variables)}")
            self._variables[key] = variable
            self.facts.extend(facts(variable))
        return self._variables[key]

    def _power(self, atom: Atom, exponent: Exponent) -> Z3:
        if isinstance(atom, Composite) and atom.kind == "exp":
            return self._exponential(atom, Fraction(exponent))
        value = self._atom(atom)
        if exponent < 0:
            value = self._inverse(value)
        result = value
        for _ in range(abs(int(exponent)) - 1):
            result = result * value
        return result

    def _inverse(self, value: Z3) -> Z3:
        key = value.sexpr()
        if key not in self._inverses:
            inverse = z3.Real(f"inverse{len(self._inverses)}")
            self._inverses[key] = inverse
            self.facts.append(z3.If(value == 0, inverse == 0, value * inverse == 1))
            self.facts.append(z3.Implies(value > 0, inverse > 0))
        return self._inverses[key]

    def _atom(self, atom: Atom) -> Z3:
        match atom:
            case Apply():
                return self._variable(atom, "f", lambda v: self._domain(atom, v))
            case Nonzero(inner):
                return z3.If(self._atom(inner) != 0, z3.RealVal(1), z3.RealVal(0))
            case Delta():
                return self._variable(atom, "delta", lambda v: [z3.Or(v == 0, v == 1)])
            case Size():
                return self._variable(atom, "size", lambda v: [v >= 1])
            case Length():
                return self._variable(atom, "length", lambda v: [v >= 0])
            case LogPrime(prime):
                return self._log_of_prime(prime)
            case Composite("log", (inside,)):
                return self._logarithm(atom, inside)
            case Composite("sum", (inside,)):
                return self.polynomial(inside)
            case Composite("minimum" | "maximum", parts):
                return self._extremum(atom.kind, [self.polynomial(part) for part in parts])
            case Composite("negative", (inside,)):
                return z3.If(self.polynomial(inside) < 0, z3.RealVal(1), z3.RealVal(0))
            case Composite("exp", _):
                return self._exponential(atom, Fraction(1))
            case Composite("D", (inside,)):
                return self._slope(atom, inside)
        return self._variable(atom, "opaque", lambda v: [])

    def _slope(self, atom: Atom, inside: Polynomial) -> Z3:
        """A derivative that the rules leave; that of a minimum or maximum is the derivative of the part it is at.

        Where one part is strictly best it is so nearby, too: what θ moves is continuous. Where two meet, nothing is said.
        """
        known = atom in self._variables
        variable = self._variable(atom, "slope", lambda v: [])
        extremum = None if known else _single_extremum(inside)
        if extremum is not None:
            values = [self.polynomial(part) for part in extremum.parts]
            for k, part in enumerate(extremum.parts):
                others = [value for j, value in enumerate(values) if j != k]
                lower = extremum.kind == "minimum"
                best = z3.And([values[k] < other if lower else values[k] > other for other in others])
                slope = self.polynomial(self.normaliser.polynomial(Derivative(as_term(part))))
                self.facts.append(z3.Implies(best, variable == slope))
        return variable

    def _domain(self, node: Apply, variable: Z3) -> Iterator[Z3]:
        if node.order:
            return
        domain = node.function.domain
        if domain.lower is not None:
            lower = _rational(domain.lower)
            yield variable > lower if domain.lower_open else variable >= lower
        if domain.upper is not None:
            upper = _rational(domain.upper)
            yield variable < upper if domain.upper_open else variable <= upper
        facts = self.normaliser.facts
        if facts.positive(node, self.guards):
            yield variable > 0
        elif facts.nonzero(node, self.guards):
            yield variable != 0
        for other in [a for a in self._variables if isinstance(a, Apply) and a != node and not a.order]:
            if facts.positive(node, (other,)):
                yield z3.Implies(self._variables[other] != 0, variable > 0)
            if facts.positive(other, (node,)):
                yield z3.Implies(variable != 0, self._variables[other] > 0)

    @staticmethod
    def _extremum(kind: str, values: Sequence[Z3]) -> Z3:
        best = values[0]
        for value in values[1:]:
            best = z3.If(value < best if kind == "minimum" else value > best, value, best)
        return best

    def _log_of_prime(self, prime: int) -> Z3:
        def facts(variable: Z3) -> list[Z3]:
            ball = reals.ball(reals.log(reals.real(prime)))  # type: ignore[arg-type]
            scale = 10**12
            floor = int((ball * scale).floor().unique_fmpz())  # type: ignore[arg-type]
            return [variable > _rational(Fraction(floor, scale)), variable < _rational(Fraction(floor + 1, scale))]

        known = ("prime", prime) in self._variables
        variable = self._variable(("prime", prime), "log", facts)
        if not known:
            self._bound_logarithm(z3.RealVal(prime), variable)
            self._bound_logarithm(_rational(Fraction(1, prime)), -variable)
        return variable

    def _logarithm(self, atom: Atom, inside: Polynomial) -> Z3:
        if atom not in self._variables:
            argument = self.polynomial(inside)
            variable = self._variable(atom, "log", lambda v: [])
            if self.normaliser.is_positive(inside, self.guards):
                self.facts.append(argument > 0)
            self._bound_logarithm(argument, variable)
        return self._variables[atom]

    def _bound_logarithm(self, argument: Z3, variable: Z3) -> None:
        """log u − log v ≤ u/v − 1, strictly where u ≠ v, for every pair of arguments, 1 among them."""
        for other_argument, other in [(z3.RealVal(1), z3.RealVal(0)), *self._logs]:
            both = z3.And(argument > 0, other_argument > 0)
            for u, log_u, v, log_v in (
                (argument, variable, other_argument, other),
                (other_argument, other, argument, variable),
            ):
                self.facts.append(z3.Implies(both, (log_u - log_v) * v <= u - v))
                self.facts.append(z3.Implies(z3.And(both, u != v), (log_u - log_v) * v < u - v))
        self._logs.append((argument, variable))

    def _exponential(self, atom: Composite, power: Fraction) -> Z3:
        """exp(power · base) as an integer power of exp(base / n), one n for a base."""
        (base,) = atom.parts
        denominator = lcm(power.denominator, 1)
        key = ("exp", base, denominator)
        if key not in self._variables:
            exponent = self.polynomial(base) / denominator
            variable = self._variable(key, "exp", lambda v: [v > 0])
            self._bound_logarithm(variable, exponent)
        unit = self._variables[key]
        times = int(power * denominator)
        if times < 0:
            unit = self._inverse(unit)
        result = unit
        for _ in range(abs(times) - 1):
            result = result * unit
        return result


def _independent(
    binders: tuple[Index, ...], factors: Sequence[tuple[Atom, Exponent]]
) -> Iterator[tuple[tuple[Index, ...], dict[Atom, Exponent]]]:
    """The parts of a sum of products that share no index: it is the product of their sums."""
    left = set(binders)
    while left:
        part = {min(left, key=lambda index: index.name)}
        while more := {i for atom, _ in factors if atom_indices(atom) & part for i in atom_indices(atom) & left} - part:
            part |= more
        left -= part
        own = {atom: exponent for atom, exponent in factors if atom_indices(atom) & part}
        yield tuple(b for b in binders if b in part), own


def _single_extremum(polynomial: Polynomial) -> Composite | None:
    """The minimum or maximum that a polynomial is, if it is nothing else."""
    if len(polynomial.monomials) != 1:
        return None
    (monomial,) = polynomial.monomials
    if monomial.coefficient != 1 or monomial.binders or len(monomial.factors) != 1:
        return None
    ((atom, exponent),) = monomial.factors
    extremum = isinstance(atom, Composite) and atom.kind in ("minimum", "maximum") and exponent == 1
    return atom if extremum and isinstance(atom, Composite) else None


@lru_cache(maxsize=1_000)
def _rational(value: Fraction) -> Z3:
    # z3.Q is this as a division, simplified.
    return z3.RealVal(str(value))


def _compare(value: Z3, relation: str) -> Z3:
    match relation:
        case "=":
            return value == 0
        case "≠":
            return value != 0
        case "<":
            return value < 0
        case "≤":
            return value <= 0
        case ">":
            return value > 0
        case _:
            return value >= 0


def decide(
    polynomial: Polynomial,
    relation: str,
    normaliser: Normaliser,
    hypotheses: Iterable[Hypothesis] = (),
    guards: frozenset[Apply] = frozenset(),
    indices: Iterable[Index] = (),
) -> bool:
    """Whether `polynomial relation 0` holds for all values of its atoms that satisfy the hypotheses."""
    present = frozenset(indices) | polynomial_indices(polynomial)
    return _decide(polynomial, relation, normaliser.facts, normaliser.rules, tuple(hypotheses), guards, present)


@lru_cache(maxsize=10_000)
def _decide(
    polynomial: Polynomial,
    relation: str,
    facts: Facts,
    rules: Rules,
    hypotheses: tuple[Hypothesis, ...],
    guards: frozenset[Apply],
    present: frozenset[Index],
) -> bool:
    global ALTOGETHER
    if ALTOGETHER is not None and ALTOGETHER <= 0:
        # Not an answer, which would be remembered: there was no time for the question.
        raise Undecided("there was no time left to decide it")
    started = time.process_time()
    encoding = Encoding(Normaliser(facts, rules), guards)
    goal = encoding.relation(polynomial, relation)
    known = [condition for hypothesis in hypotheses for condition in _instances(hypothesis, encoding, present)]
    solver = z3.Solver()
    solver.set("timeout", TIMEOUT_MS)
    solver.add(*encoding.facts, *known, z3.Not(goal))
    answer = solver.check() == z3.unsat
    if ALTOGETHER is not None:
        ALTOGETHER -= time.process_time() - started
    return answer


def _instances(hypothesis: Hypothesis, encoding: Encoding, present: frozenset[Index]) -> Iterator[Z3]:
    """A hypothesis at every choice of the indices that are present."""
    choices = [sorted((i for i in present if i.sort == own.sort), key=lambda i: i.name) for own in hypothesis.for_all]
    for values in product(*choices):
        at = dict(zip(hypothesis.for_all, values, strict=True))
        normaliser = encoding.normaliser
        difference = normaliser.difference(substitute(hypothesis.left, at), substitute(hypothesis.right, at))
        condition = encoding.relation(difference, hypothesis.relation)
        if hypothesis.given is not None:
            given = hypothesis.given
            where = normaliser.difference(substitute(given.left, at), substitute(given.right, at))
            condition = z3.Implies(encoding.relation(where, given.relation), condition)
        yield condition


# --- sums -----------------------------------------------------------------------------------------------------------


def decide_sum(
    polynomial: Polynomial,
    relation: str,
    normaliser: Normaliser,
    hypotheses: Sequence[Hypothesis] = (),
    strict_at: Index | None = None,
) -> bool:
    """Whether `Σ_y f(y) relation 0` because f(y) = 0, or f(y) ≥ 0, at every y (and f > 0 at the index `strict_at`).

    Constants are put under the sum with the help of a law on the same set, and a law may be exchanged for another:
    the sums stay what they were, because each law sums to one.
    """
    if relation in ("≤", "<"):
        return decide_sum(_minus(polynomial), {"≤": "≥", "<": ">"}[relation], normaliser, hypotheses, strict_at)
    if relation not in ("=", "≥", ">") or (relation == ">" and strict_at is None):
        return False
    weak = "=" if relation == "=" else "≥"
    joint = _joint_summands(polynomial) if relation == weak else ()
    if any(decide(summand, weak, normaliser, hypotheses, indices=indices) for indices, summand in joint):
        return True
    for binder, summand in _summands(polynomial):
        for candidate in _with_laws(binder, summand, normaliser):
            if not decide(candidate, weak, normaliser, hypotheses, indices=(binder,)):
                continue
            if relation == weak:
                return True
            assert strict_at is not None
            if strict_at.sort == binder.sort:
                there = collect(
                    (c, b, renamed_factors(f.items(), {binder: strict_at})) for c, b, f in raws_of(candidate)
                )
                if decide(there, ">", normaliser, hypotheses, indices=(strict_at,)):
                    return True
    return False


def _minus(polynomial: Polynomial) -> Polynomial:
    return collect((-c, b, f) for c, b, f in raws_of(polynomial))


def _summands(polynomial: Polynomial) -> Iterator[tuple[Index, tuple[Polynomial, Polynomial]]]:
    """Ways to read a polynomial as Σ_y f(y) + constant: the index y, f, and the constant."""
    sorts = {b.sort for m in polynomial.monomials for b in m.binders}
    for sort in sorted(sorts, key=lambda s: s.name):
        binder = Index(Made("·summed"), sort)
        inside = []
        outside = []
        for coefficient, binders, factors in raws_of(polynomial):
            own = next((b for b in binders if b.sort == sort), None)
            if own is None:
                outside.append((coefficient, binders, factors))
                continue
            rest = tuple(b for b in binders if b != own)
            inside.append((coefficient, rest, renamed_factors(factors.items(), {own: binder})))
        yield binder, (collect(inside), collect(outside))


def _joint_summands(polynomial: Polynomial) -> Iterator[tuple[tuple[Index, ...], Polynomial]]:
    """Ways to read a polynomial as one sum over several indices, such as Σ_h Σ_s f(h, s): the indices and f."""
    over_sets = _summed_over_sets(polynomial)
    if over_sets is not None:
        yield over_sets
    for symbol in _in_every_summand(polynomial):
        yield _summed_over_arguments(polynomial, symbol)


def _in_every_summand(polynomial: Polynomial) -> list[Function]:
    """The functions of two or more indices of one set, all bound, one of which every monomial has, as D(y, y′)."""
    found = []
    for monomial in polynomial.monomials:
        here = [atom.function for atom, _ in monomial.factors if _is_of_bound_pair(atom, monomial.binders)]  # type: ignore[union-attr]
        found.append({symbol for symbol in here if here.count(symbol) == 1})
    return sorted(set.intersection(*found), key=lambda symbol: symbol.name) if found else []


def _is_of_bound_pair(atom: Atom, binders: tuple[Index, ...]) -> bool:
    if not isinstance(atom, Apply) or atom.order:
        return False
    places, sorts = atom.arguments, atom.function.sorts
    return len(set(sorts)) < len(sorts) and len(set(places)) == len(places) and set(places) <= set(binders)


def _summed_over_arguments(polynomial: Polynomial, symbol: Function) -> tuple[tuple[Index, ...], Polynomial]:
    """A polynomial as one sum over the indices of a function that every monomial has once: in each its own are renamed."""
    names = tuple(Index(Made(f"·summed{k}"), sort) for k, sort in enumerate(symbol.sorts))
    inside = []
    for coefficient, binders, factors in raws_of(polynomial):
        places = next(a.arguments for a in factors if isinstance(a, Apply) and a.function == symbol and not a.order)
        renaming = {place: name for place, name in zip(places, names, strict=True) if isinstance(place, Index)}
        rest = tuple(b for b in binders if b not in renaming)
        inside.append((coefficient, rest, renamed_factors(factors.items(), renaming)))
    return names, collect(inside)


def _summed_over_sets(polynomial: Polynomial) -> tuple[tuple[Index, ...], Polynomial] | None:
    """A polynomial as one sum over the sets that every monomial is summed over once; any others stay inside f."""
    once = [
        {s for s in sorts if sorts.count(s) == 1}
        for sorts in ([b.sort for b in m.binders] for m in polynomial.monomials)
    ]
    shared = sorted(set.intersection(*once), key=lambda s: s.name) if once else []
    if len(shared) < 2:
        return None
    names = {sort: Index(Made(f"·summed{k}"), sort) for k, sort in enumerate(shared)}
    inside = []
    for coefficient, binders, factors in raws_of(polynomial):
        renaming = {b: names[b.sort] for b in binders if b.sort in names}
        rest = tuple(b for b in binders if b not in renaming)
        inside.append((coefficient, rest, renamed_factors(factors.items(), renaming)))
    return tuple(names.values()), collect(inside)


def _with_laws(binder: Index, summand: tuple[Polynomial, Polynomial], normaliser: Normaliser) -> Iterator[Polynomial]:
    """f(y) plus the constant times a law, and with one law exchanged for another, so that the sum stays the same."""
    inside, outside = summand
    laws = sorted(
        {atom for m in inside.monomials for atom in applications(m) if is_law_over(atom, binder)},
        key=lambda a: atom_key(a),
    )
    scales = _law_scales(inside, laws)
    starts = [raws_of(inside) + _by_law(outside, law, normaliser) for law in laws] if outside else [raws_of(inside)]
    for start in starts:
        yield normaliser.reduce(start)
        for first in laws:
            for second in laws:
                if first == second:
                    continue
                for scale in scales:
                    moved = _by_law(scale, first, normaliser) + _by_law(_minus(scale), second, normaliser)
                    yield normaliser.reduce(start + moved)


def applications(monomial: Monomial) -> Iterator[Apply]:
    """The functions at indices that stand in a monomial, at any depth."""
    pending: list[Atom] = [atom for atom, _ in monomial.factors]
    while pending:
        atom = pending.pop()
        if isinstance(atom, Apply):
            yield atom
        elif isinstance(atom, Nonzero):
            pending.append(atom.atom)
        elif isinstance(atom, Composite):
            pending.extend(a for part in atom.parts for m in part.monomials for a, _ in m.factors)


def _law_scales(inside: Polynomial, laws: Sequence[Apply]) -> list[Polynomial]:
    """What multiplies p·log p in the summand: the scale at which laws are exchanged."""
    found = [collect([(Fraction(1), (), {})])]
    for monomial in inside.monomials:
        kept = {a: e for a, e in monomial.factors if not any(law.arguments[0] in atom_indices(a) for law in laws)}
        if not monomial.binders:
            scale = collect([(abs(monomial.coefficient), (), kept)])
            if scale not in found:
                found.append(scale)
    return found


def _by_law(scale: Polynomial, law: Apply, normaliser: Normaliser) -> list[Any]:
    return normaliser._times(raws_of(scale), [(Fraction(1), (), {law: 1})])


def _visibly_nonnegative(node: Term, normaliser: Normaliser) -> bool:
    """Whether a term is built so that it cannot be negative: sums of squares, of products of such."""
    match node:
        case Number(value):
            return value >= 0
        case Apply():
            return normaliser.facts.nonnegative(node) or normaliser.facts.positive(node)
        case Add(parts) | Multiply(parts):
            return all(_visibly_nonnegative(part, normaliser) for part in parts)
        case Power(base, exponent):
            return exponent % 2 == 0 or _visibly_nonnegative(base, normaliser)
        case Sum(_, body) | Expectation(_, body):
            return _visibly_nonnegative(body, normaliser)
        case Exp() | Indicator() | Delta() | Size() | Length():
            return True
    return False


def prove_comparison(
    left: Term,
    relation: str,
    right: Term,
    normaliser: Normaliser,
    hypotheses: Sequence[Hypothesis] = (),
    guards: frozenset[Apply] = frozenset(),
    indices: Iterable[Index] = (),
) -> str | None:
    """How a comparison was proved ("arithmetic" or "pointwise"), or None."""
    if relation == "≥" and right == Number(Fraction(0)) and _visibly_nonnegative(left, normaliser):
        return "signs"
    difference = normaliser.difference(left, right)
    value = constant(difference)
    if value is not None and not hypotheses:
        zero: dict[str, bool] = {"=": value == 0, "≠": value != 0, "<": value < 0, "≤": value <= 0, ">": value > 0}
        return "normal form" if zero.get(relation, value >= 0) else None
    if decide(difference, relation, normaliser, hypotheses, guards, indices):
        return "arithmetic"
    strict = [i for i in indices if i in polynomial_indices(difference)] or list(indices)
    for index in [None, *strict]:
        if decide_sum(difference, relation, normaliser, hypotheses, index):
            return "pointwise"
    if relation == "≥" and right == Number(Fraction(0)) and isinstance(left, Multiply) and len(left.factors) > 1:
        # Multiplied out, what each factor is can no longer be seen.
        signs = (prove_comparison(f, "≥", right, normaliser, hypotheses, guards, indices) for f in left.factors)
        return "signs" if all(signs) else None
    return None


__all__ = ["Encoding", "applications", "decide", "decide_sum", "patience", "prove_comparison"]
