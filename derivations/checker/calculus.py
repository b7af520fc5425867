"""Limits, series and integrals, by SymPy on explicit expressions; and the one fact about the logarithm.

A limit of a term is worked out by the rules (of sums of finitely many terms, of products, of quotients with a denominator
that stays away from zero); what is left are single powers and exponentials of the parameter, whose limits SymPy knows.
An instance interprets sorts as the natural numbers or an interval and functions as SymPy expressions; both sides of a
statement become sums, integrals and derivatives that SymPy evaluates exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

from derivations.checker.errors import BadInput, StatementError, Undecided
from derivations.checker.facts import Facts, facts_of
from derivations.checker.normal_form import Normaliser
from derivations.checker.polynomial import (
    Atom,
    Composite,
    Exponent,
    Monomial,
    Nonzero,
    Polynomial,
    as_term,
    power_as_term,
    product_of,
    sum_of,
)
from derivations.checker.proof import Proof, Step, Unproved
from derivations.checker.refute import Counterexample
from derivations.checker.statement import Finite, Hypothesis, Statement, Summable
from derivations.checker.terms import (
    Add,
    Apply,
    Derivative,
    Exp,
    Expectation,
    Function,
    Index,
    Indicator,
    Infinity,
    Limit,
    Log,
    Multiply,
    Number,
    Power,
    Sort,
    Sum,
    Supremum,
    Term,
    differentiate,
    functions,
    substitute_functions,
    subterms,
)
from derivations.checker.verdict import Witness
from derivations.checker.wellformed import require_defined

Expression = Any  # SymPy carries no types

# --- limits ---------------------------------------------------------------------------------------------------------


def prove_limit(statement: Statement) -> Proof:
    """Proves lim body = right: the limit by the rules, then equality in normal form."""
    found = limit_of(statement)
    if not Normaliser(facts_of(statement)).equal(found, statement.right):
        raise Unproved(f"the limit is {found!r}, not {statement.right!r}")
    first = Step(statement.left, "=", found, "limits of sums, products and quotients", "SymPy")
    second = Step(found, "=", statement.right, "algebra", "normal form")
    return Proof((first, second), "limit")


def limit_of(statement: Statement) -> Term:
    """What stands on the left of lim body = right, as a term without the limit, by the rules; raises Unproved."""
    limit = statement.left
    if not isinstance(limit, Limit) or statement.relation != "=":
        raise Unproved("limit: expected a statement lim body = term")
    domain = limit.parameter.function.domain
    near_zero = (domain.lower is None or domain.lower <= 0) and (domain.upper is None or domain.upper > 0)
    if not (domain.upper is None if limit.to == "∞" else near_zero):
        raise Unproved(f"limit: {limit.parameter.function.name} ∈ {domain} does not go to {limit.to}")
    hypotheses = [a for a in (*statement.assuming, *statement.standing) if isinstance(a, Hypothesis)]
    if any(limit.parameter.function in functions(t) for a in hypotheses for t in a.terms):
        raise Unproved(f"an assumption speaks of {limit.parameter.function.name}, which the limit binds")
    worker = _Limits(limit, facts_of(statement), hypotheses)
    try:
        return worker.of(worker.normaliser.polynomial(limit.body))
    except Undecided as reason:
        raise Unproved(str(reason)) from reason


@dataclass
class _Limits:
    limit: Limit
    facts: Facts
    hypotheses: list[Hypothesis]
    normaliser: Normaliser = field(init=False)

    def __post_init__(self) -> None:
        self.normaliser = Normaliser(self.facts)

    def of(self, polynomial: Polynomial) -> Term:
        """The limit of a polynomial as a term; the limits of its monomials must all be finite."""
        return sum_of(self._of_monomial(m) for m in polynomial.monomials)

    def _of_monomial(self, monomial: Monomial) -> Term:
        if not all(self.facts.is_finite(binder.sort) for binder in monomial.binders):
            raise Undecided("a limit is not taken inside an infinite sum")
        moving: list[tuple[Atom, Exponent]] = []
        factors: list[Term] = [Number(monomial.coefficient)]
        for atom, exponent in monomial.factors:
            if not self._moves(atom):
                factors.append(power_as_term(atom, exponent))
            elif isinstance(atom, Composite) and atom.kind == "sum":
                factors.append(self._of_power(atom.parts[0], int(exponent)))
            else:
                moving.append((atom, exponent))
        result = product_of([*factors, self._of_product(moving)])
        for binder in reversed(monomial.binders):
            result = Sum(binder, result)
        return result

    def _moves(self, atom: Atom) -> bool:
        if isinstance(atom, Apply):
            return atom == self.limit.parameter
        if isinstance(atom, Nonzero):
            return self._moves(atom.atom)
        if isinstance(atom, Composite):
            return any(self.limit.parameter.function in functions(as_term(part)) for part in atom.parts)
        return False

    def _of_power(self, inside: Polynomial, exponent: int) -> Term:
        base = self.of(inside)
        if exponent < 0:
            from derivations.checker.arithmetic import decide

            goal = self.normaliser.polynomial(base)
            if not self.normaliser.is_positive(goal) and not decide(goal, "≠", self.normaliser, self.hypotheses):
                raise Undecided("the limit of a denominator may be zero")
        return Power(base, exponent)

    def _of_product(self, factors: list[tuple[Atom, Exponent]]) -> Term:
        """The limit of a product of powers and exponentials of the parameter, for each sign of what multiplies it."""
        if not factors:
            return Number(Fraction(1))
        product = product_of(power_as_term(atom, exponent) for atom, exponent in factors)
        still = sorted(
            {node for atom, _ in factors for node in _applications(atom) if node != self.limit.parameter},
            key=lambda node: node.function.name,
        )
        open_signs = [n for n in still if self.facts.nonnegative(n) and not self.facts.positive(n)]
        if len(open_signs) > 1:
            raise Undecided("a limit depends on the signs of several functions")
        general = self._by_sympy(product, still, zero=None)
        if not open_signs:
            return general
        at_zero = self._by_sympy(product, still, zero=open_signs[0])
        is_zero = Indicator(open_signs[0], "=", Number(Fraction(0)))
        return sum_of([product_of([is_zero, at_zero]), product_of([1 - is_zero, general])])

    def _by_sympy(self, product: Term, still: list[Apply], zero: Apply | None) -> Term:
        import sympy

        moving = sympy.Symbol("t", positive=True)
        names: dict[Apply, Expression] = {self.limit.parameter: moving}
        for number, node in enumerate(still):
            signs = {"positive": True} if self.facts.nonnegative(node) else {"real": True}
            names[node] = sympy.Integer(0) if node == zero else sympy.Symbol(f"a{number}", **signs)
        expression = _plain(product, names)
        target = sympy.oo if self.limit.to == "∞" else 0
        try:
            value = sympy.limit(expression, moving, target, "+")
        except NotImplementedError as reason:
            raise Undecided(f"SymPy has no limit of {expression}") from reason
        if value.is_Rational:
            return Number(Fraction(int(value.p), int(value.q)))
        back = {symbol: node for node, symbol in names.items()}
        if value in back and value != moving:
            return back[value]
        raise Undecided(f"SymPy gives the limit {value}, which is not a term")


def _applications(atom: Atom) -> set[Apply]:
    from derivations.checker.arithmetic import applications

    return set(applications(Monomial(Fraction(1), (), ((atom, 1),))))


def _plain(node: Term, names: Mapping[Apply, Expression]) -> Expression:
    import sympy

    match node:
        case Number(value):
            return sympy.Rational(value.numerator, value.denominator)
        case Apply() if node in names:
            return names[node]
        case Add(parts):
            return sympy.Add(*(_plain(part, names) for part in parts))
        case Multiply(parts):
            return sympy.Mul(*(_plain(part, names) for part in parts))
        case Power(base, exponent):
            return _plain(base, names) ** exponent
        case Exp(argument):
            return sympy.exp(_plain(argument, names))
        case Log(argument):
            return sympy.log(_plain(argument, names))
    raise Undecided(f"a limit of {node!r} is not worked out")


# --- convex functions -----------------------------------------------------------------------------------------------


def convex_in(parameter: Term, at: int | Fraction) -> Callable[[Statement], Proof]:
    """Another engine for f(t) ≥ 0: f and its derivative in t are zero at one point, and f″ is nowhere negative.

    A function on an interval that is convex lies above its tangents. f must be made of what can be differentiated, with
    no kinks; f″ ≥ 0 is arithmetic, with the tangent of the logarithm.
    """

    def prove_convex(statement: Statement) -> Proof:
        return _prove_convex(statement, parameter, Number(Fraction(at)))

    return prove_convex


def _prove_convex(statement: Statement, parameter: Term, at: Number) -> Proof:
    if not isinstance(parameter, Apply) or parameter.arguments or parameter.function.depends:
        raise Unproved("convexity: expected a parameter that does not depend on θ")
    if statement.relation not in ("≥", "≤") or statement.exists or statement.definitions or statement.recursions:
        raise Unproved("convexity: expected a plain statement left ≥ right")
    symbol = parameter.function
    hypotheses = [a for a in (*statement.assuming, *statement.standing) if isinstance(a, Hypothesis)]
    if any(f == symbol or f.depends for a in hypotheses for t in a.terms for f in functions(t)):
        raise Unproved(f"convexity: an assumption speaks of {symbol.name}, or of θ")
    sides = [node for side in (statement.left, statement.right) for node in subterms(side)]
    if any(f.depends for f in statement.functions) or any(isinstance(node, Derivative) for node in sides):
        raise Unproved("convexity: something depends on θ, which is the parameter here")
    if statement.infinite_sorts:
        raise Unproved("convexity: a sum over an infinite set is not differentiated term by term")
    if at.value not in symbol.domain:
        raise Unproved(f"convexity: {at.value} is not in {symbol.domain}")
    left, right = (statement.left, statement.right) if statement.relation == "≥" else (statement.right, statement.left)
    # The parameter itself is θ: what D differentiates in.
    moving = replace(symbol, depends=True, slope=Fraction(1))
    value = substitute_functions(left - right, {symbol: ((), Apply(moving, ()))})
    first = differentiate(value)
    second = differentiate(first)
    if any(isinstance(node, Derivative) for part in (first, second) for node in subterms(part)):
        raise Unproved("convexity: there is a kink, or a derivative that is not worked out")
    facts = facts_of(statement)
    normaliser = Normaliser(facts)
    try:
        for part in (value, first, second):
            require_defined(part, facts, hypotheses)
        for part, what in ((value, "value"), (first, "slope")):
            if not normaliser.equal(substitute_functions(part, {moving: ((), at)}), Number(Fraction(0))):
                raise Unproved(f"the {what} at {at.value} is not seen to be zero")
        from derivations.checker.arithmetic import decide

        if not decide(normaliser.polynomial(second), "≥", normaliser, hypotheses):
            raise Unproved("the second derivative is not seen to be nowhere negative")
    except (Undecided, StatementError) as reason:
        raise Unproved(str(reason)) from reason
    why = f"value and slope are zero at {symbol.name} = {at.value}, the second derivative is not negative"
    step = Step(statement.left, statement.relation, statement.right, why, "arithmetic")
    return Proof((step,), "convexity")


# --- explicit instances ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Range:
    """What a sort is in an instance: the integers from `first` to `last`, or a real interval."""

    first: Expression
    last: Expression
    integers: bool = True


@dataclass(frozen=True)
class Instance:
    """An explicit world beyond the finite ones: sorts are ranges, functions are SymPy expressions.

    `functions` maps a function to an expression of its indices, θ being `theta`; `supports` narrows the range of a law;
    the parameters of limits are SymPy symbols in `parameters`.
    """

    name: str
    ranges: Mapping[Sort, Range]
    functions: Mapping[Function, Callable[..., Expression]]
    theta: Expression = None
    supports: Mapping[Function, Range] = field(default_factory=dict)
    parameters: Mapping[Apply, Expression] = field(default_factory=dict)

    def __call__(self, node: Term, **at: Any) -> Expression:
        """The SymPy value of any term; free indices by name."""
        return self._value(node, {Index(name, sort): value for name, value in at.items() for sort in self.ranges})

    def witness(self) -> Witness:
        """This instance as a proposed counterexample."""
        return Witness(self.fails)

    def fails(self, statement: Statement) -> Counterexample | None:
        """The instance as a counterexample, if every assumption holds in it and the two sides certainly differ."""
        if statement.free or statement.exists or not isinstance(statement.relation, str):
            return None
        assert self._valid
        if not all(self._assumed(a) for a in (*statement.assuming, *statement.standing)):
            return None
        left, right = self._value(statement.left, {}), self._value(statement.right, {})
        if _certainly(left, statement.relation, right) is not False:
            return None
        return Counterexample(self, _BEYOND, _shown(left), _shown(right))  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return self.name

    def _assumed(self, assumption: object) -> bool:
        match assumption:
            case Finite(sort):
                return sort not in self.ranges
            case Summable(index, body):
                return bool(self._value(Sum(index, body), {}).is_finite)
            case Hypothesis(_, left, relation, right, ()) if assumption.given is None:
                return _certainly(self._value(left, {}), relation, self._value(right, {})) is True
            case Hypothesis(_, left, relation, right, for_all):
                at = {i: self._symbol(self.ranges[i.sort], i.name) for i in for_all}
                return _certainly(self._value(left, at), relation, self._value(right, at)) is True
        return False

    @cached_property
    def _valid(self) -> bool:
        """Each law must sum, or integrate, to one, and not be negative; else BadInput."""
        import sympy

        numbers = [(node.function, value) for node, value in self.parameters.items()]
        numbers += [(symbol, value()) for symbol, value in self.functions.items() if not symbol.sorts]
        for symbol, value in numbers:
            if value.is_Rational and Fraction(int(value.p), int(value.q)) not in symbol.domain:
                raise BadInput(f"instance {self.name}: {symbol.name} is {value}; expected a value in {symbol.domain}")
        for symbol in self.functions:
            if not symbol.law:
                continue
            place = self.supports.get(symbol, self.ranges[symbol.sorts[0]])
            index = self._symbol(place, "i")
            others = [self._symbol(self.ranges[s], f"j{k}") for k, s in enumerate(symbol.sorts[1:])]
            expression = self.functions[symbol](index, *others)
            total = self._total(expression, index, place)
            if sympy.simplify(total - 1) != 0:
                raise BadInput(f"instance {self.name}: {symbol.name} sums to {total}; expected 1")
            if not _never_negative(expression):
                raise BadInput(f"instance {self.name}: {symbol.name} is not seen to stay above zero")
        return True

    @staticmethod
    def _symbol(place: Range, name: str) -> Expression:
        import sympy

        return (
            sympy.Symbol(name, integer=True, nonnegative=True) if place.integers else sympy.Symbol(name, positive=True)
        )

    @staticmethod
    @lru_cache(maxsize=1_000)  # an instance is asked anew with each assumption dropped
    def _total(expression: Expression, index: Expression, place: Range) -> Expression:
        import sympy

        limits = (index, place.first, place.last)
        # One power of the index, not a product of several: only that is recognised as a geometric series.
        expression = sympy.powsimp(sympy.simplify(expression), force=True)
        value = sympy.summation(expression, limits) if place.integers else sympy.integrate(expression, limits)
        return sympy.simplify(value)

    def _value(self, node: Term, at: Mapping[Index, Expression]) -> Expression:
        import sympy

        match node:
            case Infinity():
                return sympy.oo
            case Apply(symbol, arguments, 0):
                if node in self.parameters:
                    return self.parameters[node]
                if symbol not in self.functions:
                    raise BadInput(f"instance {self.name}: {symbol.name} has no expression")
                return self.functions[symbol](*(at[a] for a in arguments if isinstance(a, Index)))
            case Derivative(body):
                return sympy.diff(self._value(body, at), self.theta)
            case Sum(index, body):
                return self._summed(index, body, self.ranges[index.sort], at)
            case Expectation(distribution, body):
                (index,) = node.indices
                place = self.supports.get(distribution.function, self.ranges[index.sort])
                return self._summed(index, Multiply((distribution, body)), place, at)
            case Supremum(index, body):
                symbol = self._symbol(self.ranges[index.sort], index.name)
                limit = sympy.limit(self._value(body, {**at, index: symbol}), symbol, sympy.oo)
                if limit != sympy.oo:
                    raise Undecided("only an infinite supremum is recognised, as the limit of a sequence")
                return limit
            case Limit(body, parameter, to):
                symbol = self.parameters[parameter]
                return sympy.limit(self._value(body, at), symbol, sympy.oo if to == "∞" else 0, "+")
            case Number(value):
                return sympy.Rational(value.numerator, value.denominator)
            case Add(parts):
                return sympy.Add(*(self._value(part, at) for part in parts))
            case Multiply(parts):
                return sympy.Mul(*(self._value(part, at) for part in parts))
            case Power(base, exponent):
                return self._value(base, at) ** exponent
            case Log(argument):
                return sympy.log(self._value(argument, at))
            case Exp(argument):
                return sympy.exp(self._value(argument, at))
        raise Undecided(f"instance {self.name}: {node!r} is not evaluated")

    def _summed(self, index: Index, body: Term, place: Range, at: Mapping[Index, Expression]) -> Expression:
        symbol = self._symbol(place, index.name)
        return self._total(self._value(body, {**at, index: symbol}), symbol, place)


_BEYOND = (10**9, 0, 0)


def _shown(value: Expression) -> str:
    return str(value).replace("oo", "∞").replace("-", "−")


def _never_negative(expression: Expression) -> bool:
    import sympy

    if isinstance(expression, sympy.Piecewise):
        return all(_never_negative(part) for part, _ in expression.args)
    return expression.is_nonnegative is True


def _certainly(left: Expression, relation: str, right: Expression) -> bool | None:
    """Whether a relation of two exact SymPy values holds; None where SymPy does not tell. nan is no value at all."""
    import sympy

    if sympy.nan in (left, right):
        return False
    if left.is_infinite or right.is_infinite:
        equal = left == right
        less = left != right and (left == -sympy.oo or right == sympy.oo)
    else:
        difference = sympy.simplify(sympy.expand_log(left - right, force=False))
        if difference.is_zero is None and difference.is_positive is None and difference.is_negative is None:
            return None
        equal = bool(difference.is_zero)
        less = bool(difference.is_negative)
    answers = {"=": equal, "≠": not equal, "<": less, "≤": less or equal, ">": not less and not equal, "≥": not less}
    return answers[relation]


# --- the tangent of the logarithm -----------------------------------------------------------------------------------


def tangent_of_the_logarithm() -> bool:
    """Proves log t ≤ t − 1 for t > 0, with equality at t = 1 only: the one fact about the logarithm that is used.

    f(t) = t − 1 − log t has f(1) = 0; its derivative is negative on (0, 1) and positive on (1, ∞), decided by Z3.
    """
    import sympy
    import z3

    t = sympy.Symbol("t", positive=True)
    f = t - 1 - sympy.log(t)
    if f.subs(t, 1) != 0:
        return False
    numerator, denominator = sympy.fraction(sympy.together(sympy.diff(f, t)))
    real = z3.Real("t")
    top, bottom = (_linear(part, t, real) for part in (numerator, denominator))
    falls = z3.Implies(z3.And(real > 0, real < 1), z3.And(top < 0, bottom > 0))
    rises = z3.Implies(real > 1, z3.And(top > 0, bottom > 0))
    solver = z3.Solver()
    solver.add(z3.Not(z3.And(falls, rises)))
    return bool(solver.check() == z3.unsat)


def _linear(expression: Expression, symbol: Expression, real: Any) -> Any:
    import sympy
    import z3

    coefficients = sympy.Poly(expression, symbol).all_coeffs()
    result: Any = z3.RealVal(0)
    for coefficient in coefficients:
        result = result * real + z3.Q(int(coefficient.p), int(coefficient.q))
    return result


def deferred(make: Callable[[], Instance]) -> Witness:
    """An instance as a proposed counterexample, made when it is first evaluated: what it is made of is slow to load."""
    return Witness(lambda statement: make().fails(statement))


__all__ = ["Instance", "Range", "convex_in", "deferred", "prove_limit", "tangent_of_the_logarithm"]
