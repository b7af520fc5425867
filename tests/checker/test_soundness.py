"""The prover against exact evaluation, on random terms and statements of a fixed seed.

Terms are drawn over two sets, laws that may vanish, functions with and without a sign, and every operation. Whatever
passes as well defined must have a value in every world but at a kink or a jump; its normal form, written out as a term
again, must have the same value; and what is proved must hold.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, product

import pytest

from derivations.checker import arithmetic, reals, wellformed
from derivations.checker import normal_form as nf
from derivations.checker.errors import StatementError, Undecided
from derivations.checker.facts import Facts
from derivations.checker.jets import Undefined, Undetermined
from derivations.checker.proof import Unproved, prove
from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    Add,
    Cases,
    D,
    Delta,
    Derivative,
    Domain,
    E,
    Exp,
    Function,
    Index,
    Indicator,
    Log,
    Maximum,
    Minimum,
    Multiply,
    Number,
    Power,
    Size,
    Sort,
    Sum,
    Term,
    children,
    free_indices,
    function,
    law,
    rebuild,
    term,
)
from derivations.checker.worlds import World, free_assignments, world

X, Y = Sort("X"), Sort("Y")
SCOPE = (Index("y", Y), Index("z", Y), Index("x", X))
MOVING, STILL = law("p", Y, depends=True), law("q", Y)
KERNEL, JOINT, BACK = law("c", Y, given=[Y]), law("j", X, Y), law("k", X, given=[Y])
LAWS = (MOVING, STILL, KERNEL, JOINT, BACK)
LARGE = function("l", Y, domain=Domain(lower=Fraction(3)))
FUNCTIONS = (
    *LAWS,
    function("f", Y, depends=True),
    function("g", Y, Y),
    function("w", Y, Y, domain=POSITIVE),
    function("h", X, Y, domain=NONNEGATIVE),
    function("v", Y, domain=POSITIVE),
    function("u", Y, domain=UNIT),
    LARGE,
    Function("a", (), REAL, depends=True),
    Function("b", (), NONNEGATIVE),
    Function("e", (), OPEN_UNIT),
)
VALUES = [Fraction(v) for v in ("0", "1", "-1", "2", "1/2", "1/3", "-2", "3", "4")]


class Draw:
    """Random terms of a fixed seed; bound indices are all different."""

    def __init__(self, seed: int, deltas: float) -> None:
        self.random = random.Random(seed)
        self.deltas = deltas
        self.bound = 0

    def index(self, sort: Sort, scope: tuple[Index, ...]) -> Index:
        return self.random.choice([i for i in scope if i.sort == sort])

    def fresh(self, sort: Sort) -> Index:
        self.bound += 1
        return Index(f"i{self.bound}", sort)

    def leaf(self, scope: tuple[Index, ...]) -> Term:
        if self.random.random() < self.deltas:
            left, right = self.index(Y, scope), self.index(Y, scope)
            return Delta(left, right)
        if self.random.random() < 0.15:
            return self.random.choice([term(1), term(2), term(-1), Number(Fraction(1, 2)), Size(X), Size(Y)])
        symbol = self.random.choice(FUNCTIONS)
        return symbol(*(self.index(sort, scope) for sort in symbol.sorts))

    def expectation(self, scope: tuple[Index, ...], depth: int) -> Term:
        symbol = self.random.choice(LAWS)
        own = tuple(self.fresh(sort) for sort in symbol.sorts[: symbol.law])
        given = (self.index(sort, scope) for sort in symbol.sorts[symbol.law :])
        return E(symbol(*own, *given), self.term((*scope, *own), depth))

    def summed(self, scope: tuple[Index, ...], depth: int) -> Term:
        index = self.fresh(self.random.choice([X, Y, Y]))
        return Sum(index, self.term((*scope, index), depth))

    def term(self, scope: tuple[Index, ...], depth: int) -> Term:
        """Any term, of at most this depth."""
        if depth == 0:
            return self.leaf(scope)

        def inside() -> Term:
            return self.term(scope, depth - 1)

        kinds = {
            "add": 18, "multiply": 26, "sum": 14, "expect": 10, "power": 7, "exp": 5, "log": 6,
            "indicator": 3, "extremum": 3, "cases": 3, "derivative": 5,
        }  # fmt: skip
        match self.random.choices(list(kinds), list(kinds.values()))[0]:
            case "add":
                return inside() + inside()
            case "multiply":
                return inside() * inside()
            case "sum":
                return self.summed(scope, depth - 1)
            case "expect":
                return self.expectation(scope, depth - 1)
            case "power":
                return Power(inside(), self.random.choice([2, -1, -1, -2]))
            case "exp":
                return Exp(inside())
            case "log":
                return Log(inside())
            case "indicator":
                return Indicator(inside(), self.random.choice("=≠<≤>≥"), inside())
            case "extremum":
                return self.random.choice([Minimum, Maximum])((inside(), inside()))
            case "cases":
                return Cases(Indicator(inside(), self.random.choice("=≠<>"), inside()), inside(), inside())
            case _:
                return D(inside())

    def polynomial(self, scope: tuple[Index, ...], depth: int) -> Term:
        """A term for inequalities: sums, products, squares, extrema."""
        if depth == 0:
            return self.leaf(scope)

        def inside() -> Term:
            return self.polynomial(scope, depth - 1)

        match self.random.choices(["add", "subtract", "multiply", "square", "sum", "expect", "extremum"],
                                  [25, 12, 24, 12, 10, 12, 5])[0]:  # fmt: skip
            case "add":
                return inside() + inside()
            case "subtract":
                return inside() - inside()
            case "multiply":
                return inside() * inside()
            case "square":
                return inside() ** 2
            case "sum":
                index = self.fresh(Y)
                return Sum(index, self.polynomial((*scope, index), depth - 1))
            case "expect":
                index = self.fresh(Y)
                symbol = self.random.choice([MOVING(index), STILL(index), KERNEL(index, self.index(Y, scope))])
                return E(symbol, self.polynomial((*scope, index), depth - 1))
            case _:
                return self.random.choice([Minimum, Maximum])((inside(), inside()))

    def world(self) -> World:
        """A world of small sizes; laws vanish somewhere more often than not."""
        sizes = {X: self.random.randint(1, 2), Y: self.random.randint(1, 3)}
        tables: dict[Function, object] = {}
        slopes: dict[Function, object] = {}
        for symbol in FUNCTIONS:
            own = list(product(*(range(sizes[s]) for s in symbol.sorts[: symbol.law])))
            table: dict[tuple[int, ...], Fraction] = {}
            slope: dict[tuple[int, ...], int] = {}
            for given in product(*(range(sizes[s]) for s in symbol.sorts[symbol.law :])):
                if symbol.law:
                    table |= {(*at, *given): share for at, share in zip(own, self.shares(len(own)), strict=True)}
                    support = [at for at in own if table[(*at, *given)]]
                    if symbol.depends and len(support) > 1:
                        up, down = self.random.sample(support, 2)
                        slope |= {(*up, *given): 1, (*down, *given): -1}
                else:
                    table[given] = self.random.choice([v for v in VALUES if v in symbol.domain])
                    if symbol.depends:
                        slope[given] = self.random.choice([0, 1, -1, 2])
            tables[symbol] = table
            if symbol.depends:
                slopes[symbol] = slope
        return world(sizes, tables, slopes=slopes)

    def shares(self, count: int) -> list[Fraction]:
        weights = [self.random.choice([0, 0, 1, 1, 2, 3]) for _ in range(count)]
        if not any(weights):
            weights[self.random.randrange(count)] = 1
        return [Fraction(weight, sum(weights)) for weight in weights]


# --- a normal form, written out again -------------------------------------------------------------------------------

ZERO = term(0)


def written_out(polynomial: nf.Polynomial) -> Term:
    """The term that a normal form stands for: 1/0 is 0, and the logarithm of what is not positive is 0."""
    parts: list[Term] = []
    for monomial in polynomial.monomials:
        body: Term = Multiply((Number(monomial.coefficient), *(_power(a, e) for a, e in monomial.factors)))
        for binder in reversed(monomial.binders):
            body = Sum(binder, body)
        parts.append(body)
    return Add(tuple(parts))


def _power(atom: nf.Atom, exponent: int | Fraction) -> Term:
    if isinstance(atom, nf.Composite) and atom.kind == "exp":
        return Exp(Number(Fraction(exponent)) * written_out(atom.parts[0]))
    base = _atom(atom)
    if exponent > 0:
        return Power(base, int(exponent))
    return Cases(Indicator(base, "≠", ZERO), Power(base, int(exponent)), ZERO)


def _atom(atom: nf.Atom) -> Term:
    match atom:
        case nf.Composite("log", (inside,)):
            argument = written_out(inside)
            return Cases(Indicator(argument, ">", ZERO), Log(argument), ZERO)
        case nf.Composite("sum", (inside,)):
            return written_out(inside)
        case nf.Composite("minimum", parts):
            return Minimum(tuple(map(written_out, parts)))
        case nf.Composite("maximum", parts):
            return Maximum(tuple(map(written_out, parts)))
        case nf.Composite("negative", (inside,)):
            return Indicator(written_out(inside), "<", ZERO)
        case nf.Composite("D", (inside,)):
            return Derivative(written_out(inside))
        case nf.Nonzero(inner):
            return Indicator(_atom(inner), "≠", ZERO)
        case nf.LogPrime(prime):
            return Log(term(prime))
        case nf.Composite():
            raise AssertionError(f"an atom of a kind that this test does not know: {atom.kind}")
    return atom


def defined_terms(draw: Draw, count: int, depth: int) -> Iterator[Term]:
    for _ in range(count):
        drawn = draw.term(SCOPE, draw.random.randint(1, depth))
        try:
            wellformed.require(statement(drawn, "=", 0))
        except StatementError:
            continue
        yield drawn


def agrees(drawn: Term, back: Term, here: World) -> int:
    """At how many choices of the indices a term and its normal form were compared in a world; they must agree."""
    compared = 0
    for at in islice(free_assignments(free_indices(drawn), here), 6):
        try:
            value = here.value(drawn, at)
            again = here.value(back, {**dict.fromkeys(free_indices(back), 0), **at})
        except Undetermined:
            continue
        except Undefined as reason:
            assert any(word in reason.why for word in ("kink", "jump", "order")), f"{drawn!r}: {reason}"
            continue
        compared += 1
        assert reals.compare(value, again) in (0, None), f"{drawn!r} at {at} in {here!r}"
    return compared


# --- the tests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "deltas"), [(1, 0.03), (2, 0.3)])
def test_what_passes_as_defined_has_a_value_and_its_normal_form_has_the_same(seed: int, deltas: float) -> None:
    draw = Draw(seed, deltas)
    compared = 0
    for drawn in defined_terms(draw, 600, 5):
        rules = draw.random.choice([nf.Rules.ALL, nf.Rules.ALL, nf.Rules.RING, nf.Rules.LAWS, nf.Rules.LOGARITHM])
        try:
            back = written_out(nf.Normaliser(Facts(), rules).polynomial(drawn))
        except Undecided:
            continue
        compared += sum(agrees(drawn, back, draw.world()) for _ in range(3))
    assert compared > 2000


@pytest.mark.parametrize("seed", [1, 2])
def test_a_delta_puts_one_index_for_another_at_every_depth(seed: int) -> None:
    draw = Draw(seed, 0.1)
    y, z, _ = SCOPE
    compared = 0
    for drawn in defined_terms(draw, 500, 3):
        if not {y, z} <= free_indices(drawn):
            continue
        here = Delta(y, z) * drawn * draw.leaf((y, z, SCOPE[2]))
        rules = draw.random.choice([nf.Rules.ALL, nf.Rules.RING])
        back = written_out(nf.Normaliser(Facts(), rules).polynomial(here))
        compared += sum(agrees(here, back, draw.world()) for _ in range(3))
    assert compared > 500


@pytest.mark.parametrize("seed", [1])
def test_what_is_proved_holds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "TIMEOUT_MS", 100)
    draw = Draw(seed, 0.02)
    proved = 0
    for _ in range(600):
        left = draw.polynomial(SCOPE, draw.random.randint(1, 3))
        right = draw.polynomial(SCOPE, 1) if draw.random.random() < 0.5 else term(draw.random.choice([0, 0, 1]))
        given = statement(left, draw.random.choice("≥≥>≠≤<"), right)
        try:
            wellformed.require(given)
            prove(given)
        except (StatementError, Unproved):
            continue
        proved += 1
        for _ in range(12):
            assert fails_in(given, draw.world()) is None, given
    assert proved > 40


@pytest.mark.parametrize("seed", [1])
def test_a_term_with_one_change_is_equal_only_where_it_is(seed: int) -> None:
    """t against t with one leaf replaced: when they are proved equal, they are equal in every world."""
    draw = Draw(seed, 0.1)
    normaliser = nf.Normaliser(Facts())
    proved = 0
    for drawn in defined_terms(draw, 600, 4):
        other = changed(drawn, draw)
        try:
            given = statement(drawn, "=", other)
            wellformed.require(given)
            equal = normaliser.equal(drawn, other)
        except (StatementError, Undecided):
            continue
        if not equal:
            continue
        proved += 1
        for _ in range(6):
            assert not differs(given, draw.world()), given
    assert proved > 20


def changed(node: Term, draw: Draw) -> Term:
    parts = list(children(node))
    if not parts or draw.random.random() < 0.2:
        return draw.leaf(SCOPE) if not parts else node + draw.leaf(SCOPE) - draw.leaf(SCOPE)
    k = draw.random.randrange(len(parts))
    if isinstance(parts[k], Indicator) or (k == 0 and len(parts) == 2 and hasattr(node, "law")):
        return node
    parts[k] = changed(parts[k], draw)
    return rebuild(node, tuple(parts))


def differs(given: Statement, here: World) -> bool:
    for at in free_assignments(given.free, here):
        try:
            if reals.compare(here.value(given.left, at), here.value(given.right, at)) not in (0, None):
                return True
        except (Undefined, Undetermined):
            continue
    return False
