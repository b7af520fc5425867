"""Converters to and from SymPy: both engines give the same exact numbers, and what is not meant is refused."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
import sympy as sp

from derivations.checker import reals
from derivations.checker.border import (
    THETA,
    as_function,
    as_law,
    from_sympy,
    law_constraints,
    name_elements,
    second_opinion,
    statement_from_sympy,
    statement_to_sympy,
    to_sympy,
)
from derivations.checker.errors import StatementError
from derivations.checker.statement import Hypothesis, assume, first_order, point, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    Add,
    Apply,
    Cases,
    D,
    Delta,
    E,
    Expectation,
    Function,
    Index,
    Indicator,
    Length,
    Number,
    Path,
    Power,
    Size,
    Sort,
    Sum,
    Term,
    clip,
    define,
    exp,
    free_indices,
    function,
    functions,
    histories,
    kl,
    law,
    log,
    maximum,
    minimum,
    parameter,
    recursion,
    subterms,
    total,
)
from derivations.checker.worlds import World, world

half, third, quarter = Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)


def as_number(value: reals.Real) -> Any:
    """An exact value of a world as a SymPy number."""
    if isinstance(value, reals.LogSum):
        logs = (as_number(c) * sp.log(prime) for prime, c in value.logs.items())
        return as_number(value.rational) + sp.Add(*logs)
    exact = reals.fraction(value)
    assert exact is not None, "an inexact value decides nothing here"
    return sp.Rational(exact.numerator, exact.denominator)


def agree(left: Any, right: Any) -> bool:
    """Whether two SymPy numbers made of rationals and logarithms are equal, exactly."""
    return bool(sp.expand(sp.expand_log(left - right, factor=True)) == 0)


# --- SymPy to terms -------------------------------------------------------------------------------------------------

n, m = sp.symbols("n m", integer=True, positive=True)
y, z, a, s = sp.symbols("y z a s", integer=True)
x, theta = sp.Symbol("x"), sp.Symbol("theta", real=True)
p, q, r, pi, d = (sp.IndexedBase(name) for name in ("p", "q", "r", "pi", "d"))
f, g = sp.Function("f"), sp.Function("g")

VALUES: dict[str, Any] = {
    "p": [third, 2 * third],
    "q": [quarter, 3 * quarter],
    "d": [Fraction(2, 5), Fraction(1, 5), Fraction(2, 5)],
    "pi": [[half, third, quarter], [half, 2 * third, 3 * quarter]],
    "r": [[1, -2], [Fraction(3, 2), 5], [7, 11]],
    "f": [half, half],
    "g": [3, Fraction(-2, 7)],
    "x": Fraction(5, 3),
}
SLOPES: dict[str, Any] = {"f": [Fraction(2, 3), Fraction(-2, 3)], "g": [4, Fraction(1, 9)]}
DECLARE: dict[Any, Any] = {
    p: as_law(),
    q: as_law(positive=True),
    d: as_law(),
    pi: as_law(given=1),
    r: as_function(),
    f: as_law(depends=True),
    g: as_function(depends=True),
    x: POSITIVE,
    theta: THETA,
}
SIZES = {Sort("n"): 2, Sort("m"): 3}


def up_to(index: Any, size: Any) -> tuple[Any, Any, Any]:
    return (index, 0, size - 1)


def in_world(term: Term, at: Mapping[str, int]) -> Any:
    used: set[Function] = set(functions(term))
    tables = {symbol: VALUES[symbol.name] if symbol.name != "theta" else 0 for symbol in used}
    slopes = {symbol: SLOPES[symbol.name] for symbol in used if symbol.name in SLOPES}
    where = world(SIZES, tables, slopes=slopes)
    return as_number(where.value(term, {Index(name, sort): at[name] for name, sort in _free(term)}))


def _free(term: Term) -> set[tuple[str, Sort]]:
    return {(index.name, index.sort) for index in free_indices(term)}


def in_sympy(expression: Any, at: Mapping[str, int], start: int) -> Any:
    """The value that SymPy itself gives: sizes put in, sums done, tables looked up."""
    written = expression.subs({n: 2, m: 3, **{sp.Symbol(k, integer=True): e + start for k, e in at.items()}}).doit()
    for moving in (f, g):
        value, slope = VALUES[str(moving)], SLOPES[str(moving)]
        written = written.replace(
            moving, lambda i, t, v=value, w=slope: sp.sympify(v[int(i) - start]) + sp.sympify(w[int(i) - start]) * t
        )
    written = written.doit().subs({theta: 0, x: sp.Rational(5, 3)})
    for node in written.atoms(sp.Indexed):
        value = VALUES[str(node.base)]
        for index in node.indices:
            value = value[int(index) - start]
        written = written.subs(node, sp.sympify(value))
    return sp.sympify(written).doit()


EXPRESSIONS = [
    (sp.Sum(p[y] * r[z, y], up_to(y, n)) + d[z] - sp.Sum(d[s] ** 2, up_to(s, m)), {"z": 1}, 0),
    (sp.Sum(d[s] * pi[a, s] * r[s, a], up_to(a, n), up_to(s, m)), {}, 0),
    (sp.Sum(d[s] * pi[a, s] * r[s, a], up_to(s, m), up_to(a, n)), {}, 0),
    (sp.Sum(p[y] * sp.log(p[y] / q[y]), (y, 1, n)), {}, 1),
    (p[y] - sp.Sum(p[y] ** 2, up_to(y, n)) + x**3 / n - 2 * n, {"y": 1}, 0),
    (sp.Sum(p[y] * sp.Sum(q[y] ** 2 / x, up_to(y, n)), up_to(y, n)), {}, 0),
    (sp.Sum(sp.KroneckerDelta(y, z) * p[y] / q[y], up_to(y, n)), {"z": 0}, 0),
    (sp.Derivative(sp.Sum(f(y, theta) * sp.log(f(y, theta)), (y, 1, n)), theta), {}, 1),
    (sp.Sum(sp.Derivative(f(y, theta), theta) * g(y, theta), up_to(y, n)) + theta, {}, 0),
    (sp.Sum(sp.Derivative(sp.exp(2 * theta) * g(y, theta) ** 2, theta), up_to(y, n)), {}, 0),
    (sp.Sum(d[z] * p[y] * sp.Max(r[z, y], x, sp.Min(p[y], 2)), up_to(y, n), up_to(z, m)), {}, 0),
    (sp.Sum(sp.Piecewise((p[y], p[y] < half), (x, sp.Le(q[y], quarter)), (-7, True)), up_to(y, n)), {}, 0),
    (sp.Sum(sp.Piecewise((p[y], sp.Eq(y, z)), (x, True)) * q[z], up_to(y, n), up_to(z, n)), {}, 0),
    (sp.Sum(p[y] * q[y] * x, up_to(y, n)), {}, 0),
]


@pytest.mark.parametrize(("expression", "at", "start"), EXPRESSIONS, ids=lambda v: str(v)[:60])
def test_a_world_and_sympy_give_an_expression_the_same_value(expression: Any, at: dict[str, int], start: int) -> None:
    term = from_sympy(expression, DECLARE)
    found, expected = in_world(term, at), in_sympy(expression, at, start)
    assert not expected.free_symbols
    assert agree(found, expected), f"{found} is not {expected}"


def test_what_the_sums_say_becomes_sorts_shared_by_their_size() -> None:
    term = from_sympy(sp.Sum(r[s, a], up_to(a, n), up_to(s, m)) + sp.Sum(p[y], up_to(y, n)), {r: REAL, p: as_law()})
    assert {f.name: f.sorts for f in functions(term)} == {"r": (Sort("m"), Sort("n")), "p": (Sort("n"),)}


def test_an_infinite_sum_runs_over_an_infinite_sort() -> None:
    term = from_sympy(sp.Sum(x**2 * r[y], (y, 0, sp.oo)), {r: REAL, x: REAL})
    assert isinstance(term, Sum) and term.index.sort.infinite


def test_a_number_of_elements_outside_a_sum_is_a_size() -> None:
    term = from_sympy(sp.Sum(p[y], (y, 1, n)) / n, {p: as_law()})
    assert Size(Sort("n")) in list(subterms(term))


def test_a_free_index_takes_its_sort_from_a_sum_a_shape_an_idx_or_a_declaration() -> None:
    sort = Sort("n")
    shaped, ranged = sp.IndexedBase("u", shape=(n,)), sp.Idx("i", n)
    for expression, name, declare in (
        (p[z] + sp.Sum(p[y], up_to(y, n)), "z", {p: REAL}),
        (r[z, a] * sp.Sum(r[z, y] * r[y, y], up_to(y, n)), "z", {r: REAL, a: Sort("n")}),
        (shaped[z], "z", {shaped: REAL}),
        (p[ranged], "i", {p: REAL}),
        (p[z], "z", {"p": REAL, "z": sort}),
        (sp.KroneckerDelta(z, y) * q[y], "z", {q: REAL, y: sort}),
        (sp.Sum(sp.Piecewise((p[y], sp.Eq(y, z)), (0, True)), up_to(y, n)), "z", {p: REAL}),
    ):
        assert (name, sort) in _free(from_sympy(expression, declare))


def test_a_sort_declared_for_a_size_is_the_set_of_its_sums() -> None:
    Y = Sort("Y")
    term = from_sympy(sp.Sum(p[y], up_to(y, n)) * n, {p: as_law(), n: Y})
    assert {f.sorts for f in functions(term)} == {(Y,)} and Size(Y) in list(subterms(term))


def test_declarations_by_name_by_object_and_by_a_function_of_the_language_are_alike() -> None:
    expression = sp.Sum(p[y] * r[y], up_to(y, n))
    by_object = from_sympy(expression, {p: as_law(positive=True), r: REAL})
    by_name = from_sympy(expression, {"p": as_law(positive=True), "r": as_function(REAL)})
    by_function = from_sympy(
        expression, {p: law("p", Sort("n"), positive=True), r: function("r", Sort("n"), domain=REAL)}
    )
    assert by_object == by_name == by_function


def test_a_law_has_its_last_arguments_given() -> None:
    term = from_sympy(sp.Sum(pi[a, s] ** 2, up_to(a, n), up_to(s, m)), {pi: as_law(given=1, positive=True)})
    assert functions(term) == {law("pi", Sort("n"), given=[Sort("m")], positive=True)}


def test_a_joint_law_is_summed_over_all_its_arguments() -> None:
    term = from_sympy(sp.Sum(q[y, z] * r[y, z], up_to(y, n), up_to(z, m)), {q: as_law(), r: REAL})
    assert isinstance(term, Expectation) and term.law.function.law == 2


def test_a_sum_with_one_law_is_an_expectation_and_says_so() -> None:
    stated = statement_from_sympy(sp.Sum(p[y] * sp.log(p[y]), up_to(y, n)), "<=", 0, {p: as_law()})
    assert isinstance(stated.left, Expectation) and stated.relation == "≤"
    assert any("expectation under p" in note for note in stated.notes)


def test_a_chain_of_laws_is_a_nested_expectation() -> None:
    term = from_sympy(sp.Sum(d[s] * pi[a, s] * r[s, a], up_to(a, n), up_to(s, m)), DECLARE)
    assert isinstance(term, Expectation) and term.law.function.name == "d"
    assert isinstance(term.body, Expectation) and term.body.law.function.name == "pi"


@pytest.mark.parametrize(
    "summand", [p[y] * q[y], p[y] ** 2, 1 / p[y], p[y], p[y] * q[y] * r[y, y]], ids=lambda v: str(v)
)
def test_other_sums_stay_plain(summand: Any) -> None:
    term = from_sympy(sp.Sum(summand, up_to(y, n)), DECLARE)
    assert isinstance(term, Sum)
    assert not any(isinstance(inner, Expectation) for inner in subterms(term))


def test_a_sum_with_two_laws_says_that_it_is_read_as_a_plain_one() -> None:
    stated = statement_from_sympy(sp.Sum(p[y] * q[y], up_to(y, n)), "=", 1, {p: as_law(), q: as_law()})
    assert any("several laws" in note for note in stated.notes)


def test_theta_is_a_parameter_with_slope_one() -> None:
    term = from_sympy(theta**2, {theta: THETA})
    assert [f.slope for f in functions(term)] == [1]


E1, E2 = sp.Sum(p[y], (y, 0, n - 1)), sp.Sum(q[y], (y, 1, n))
REFUSED = [
    (x + 1, {}, "x has no domain; declare it, as in {x: POSITIVE}"),
    (E1, {}, "p has no domain"),
    (0.5 * x, {x: REAL}, "a float is not exact"),
    (sp.sqrt(x), {x: REAL}, "expected an integer"),
    (x**theta, {x: POSITIVE, theta: REAL}, "expected an integer"),
    (sp.sin(x), {x: REAL}, "sin"),
    (sp.pi * x, {x: REAL}, "Pi"),
    (sp.I * x, {x: REAL}, "ImaginaryUnit"),
    (sp.Product(p[y], up_to(y, n)), {p: REAL}, "Product"),
    (sp.Sum(p[y], (y, 0, 2)), {p: REAL}, "written out, or a symbolic size"),
    (sp.Sum(p[y], (y, 0, n)), {p: REAL}, "from 0 to n"),
    (sp.Sum(p[y], (y, 2, n + 1)), {p: REAL}, "from 2 to n"),
    (sp.Sum(p[y], (y, 1, x)), {p: REAL}, "Symbol('x', integer=True, positive=True)"),
    (sp.Sum(r[y, z], (z, 0, y - 1), up_to(y, n)), {r: REAL}, "depend on the index y"),
    (E1 + E2, {p: REAL, q: REAL}, "start"),
    (sp.Sum(p[y], up_to(y, n)) + sp.Sum(p[y], up_to(y, m)), {p: REAL}, "ranges over m and over n"),
    (sp.Sum(y * p[y], up_to(y, n)), {p: REAL}, "index y is used as a number"),
    (sp.Sum(p[y], up_to(y, n)) + y, {p: REAL, y: REAL}, "y"),
    (E1 + y, {p: REAL}, "as an index and as a number"),
    (E1 + q[n], {p: REAL, q: REAL, n: Sort("n")}, "as an index and as a number"),
    (sp.Sum(p[y + 1], up_to(y, n)), {p: REAL}, "argument 1: given y + 1"),
    (p[0], {p: REAL}, "argument 1: given 0"),
    (p[y], {p: REAL}, "index set is not known; declare it, as in {y: Sort('S')}"),
    (E1, {p: as_law(given=1)}, "at least one to distribute over"),
    (E1, {p: as_law(), n: POSITIVE}, "number of elements"),
    (sp.Derivative(f(x), x), {f: REAL, x: REAL}, "THETA"),
    (f(theta), {f: REAL, theta: THETA}, "depends=True"),
    (f(theta, y) + sp.Sum(f(z), up_to(z, n)), {f: as_function(depends=True), theta: THETA}, "with θ and without"),
    (sp.Piecewise((x, x > 1)), {x: REAL}, "Piecewise"),
    (sp.Piecewise((x, (x > 1) & (x < 3)), (0, True)), {x: REAL}, "one relation"),
    (sp.KroneckerDelta(y, 0) * p[y], {p: REAL, y: Sort("S")}, "expected an index"),
    (sp.Symbol("x", positive=True) * 2, {"x": REAL}, "takes it to be positive"),
    (sp.Symbol("x", integer=True) * 2, {"x": REAL}, "takes it to be integer"),
    (sp.IndexedBase("p", positive=True)[y], {"p": NONNEGATIVE, y: Sort("S")}, "takes it to be positive"),
    (x + sp.Symbol("x", real=True), {"x": REAL}, "two SymPy objects"),
    (sp.Symbol("x", real=True) * 2, {x: REAL}, "two SymPy objects"),
    (sp.Symbol("A", commutative=False) * x, {x: REAL, "A": REAL}, "does not commute"),
    (x, {x: 3}, "expected a Domain"),
    (x, {x: as_law()}, "at least one"),
    (x, {x: REAL, "x": REAL}, "declared twice"),
    (x * theta, {x: THETA, theta: THETA}, "THETA is given twice"),
    ("x + 1", {x: REAL}, "text is not read"),
    (0.25, {}, "not exact"),
]


@pytest.mark.parametrize(("expression", "declare", "message"), REFUSED, ids=lambda v: str(v)[:60])
def test_what_has_no_counterpart_is_refused_and_named(expression: Any, declare: Any, message: str) -> None:
    with pytest.raises(StatementError) as refusal:
        from_sympy(expression, declare)
    assert message in str(refusal.value)


def test_assumptions_no_stronger_than_the_domain_are_accepted() -> None:
    positive = sp.Symbol("x", positive=True)
    assert from_sympy(positive, {"x": POSITIVE}) == parameter("x", POSITIVE)
    assert from_sympy(sp.Symbol("x", nonnegative=True), {"x": OPEN_UNIT}) == parameter("x", OPEN_UNIT)


# --- statements -----------------------------------------------------------------------------------------------------


def test_a_relational_gives_both_sides() -> None:
    for relational, sign in ((sp.Eq, "="), (sp.Ne, "≠"), (sp.Le, "≤"), (sp.Ge, "≥"), (sp.Lt, "<"), (sp.Gt, ">")):
        stated = statement_from_sympy(relational(x**2, E1), declare={x: REAL, p: as_law()})
        assert stated.relation == sign
        assert stated.left == from_sympy(x**2, {x: REAL}) and stated.right == from_sympy(E1, {p: as_law()})


def test_a_relation_that_sympy_has_decided_is_refused() -> None:
    with pytest.raises(StatementError, match="already decided"):
        statement_from_sympy(sp.Eq(q[y] * (p[y] / q[y]), p[y]), declare={p: REAL, q: REAL, y: Sort("Y")})
    with pytest.raises(StatementError, match="Eq"):
        statement_from_sympy(x, declare={x: REAL})
    with pytest.raises(StatementError, match="relation"):
        statement_from_sympy(x, None, 1, {x: REAL})


def test_what_sympy_cancelled_is_said() -> None:
    declare = {p: as_law(), q: as_law(), "y": Sort("Y")}
    stated = statement_from_sympy(q[y] * (p[y] / q[y]), "=", p[y], declare)
    assert [note for note in stated.notes if note.startswith("q was declared and does not occur")]
    assert not [note for note in stated.notes if note.startswith("p ")]


def test_nothing_is_said_where_everything_occurs() -> None:
    assert statement_from_sympy(p[y] / q[y], "=", 1, {p: REAL, q: POSITIVE, y: Sort("Y")}).notes == ()


def test_a_derivative_that_sympy_took_to_be_zero_is_said() -> None:
    declare = {p: as_law(depends=True), theta: THETA, y: Sort("Y")}
    lost = statement_from_sympy(sp.diff(p[y], theta) + p[y], "=", p[y], declare)
    assert any(note.startswith("theta was declared THETA and does not occur") for note in lost.notes)
    assert any(note.startswith("p depends on θ") for note in lost.notes)
    kept = statement_from_sympy(
        sp.diff(f(y, theta), theta), "=", 0, {f: as_function(depends=True), **_without_p(declare)}
    )
    assert kept.notes == () and isinstance(kept.left, Term) and kept.left == D(_still(f, "Y"))


def _without_p(declare: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in declare.items() if key != p}


def _still(head: Any, sort: str) -> Term:
    return function(str(head), Sort(sort), depends=True)(Index("y", Sort(sort)))


def test_a_size_that_may_be_zero_is_said() -> None:
    k = sp.Symbol("k", integer=True)
    stated = statement_from_sympy(sp.Sum(p[y], up_to(y, k)), "=", 1, {p: as_law()})
    assert any("k" in note and "at least 1" in note for note in stated.notes)


def test_a_term_and_an_expression_meet_in_one_statement() -> None:
    Y = Sort("Y")
    i, law_p = Y.index("i"), law("p", Y)
    stated = statement_from_sympy(p[y] * x, "=", E(law_p(i), 1), {p: as_law(), x: REAL})
    assert {f.name: f.sorts for f in stated.functions} == {"p": (Y,), "x": ()} and stated.free == (Y.index("y"),)
    assert stated.notes == ()
    with pytest.raises(StatementError, match="ranges over Y and over n"):
        statement_from_sympy(E1, "=", E(law_p(i), 1), {p: as_law()})


def test_assumptions_may_be_written_in_sympy() -> None:
    declare = {p: as_law(), q: as_law(), x: REAL, s: Sort("n")}
    stated = statement_from_sympy(
        sp.Sum(p[y] / q[y], up_to(y, n)) * p[s], "=", x, declare, assuming=[sp.Gt(q[y], 0), sp.Gt(x, p[s])]
    )
    first, second = stated.assuming
    assert first == assume(
        "q[y] > 0", law("q", Sort("n"))(Index("y", Sort("n"))), ">", 0, for_all=[Index("y", Sort("n"))]
    )
    assert getattr(second, "for_all", None) == () and stated.free == (Index("s", Sort("n")),)


def test_assumptions_of_the_language_are_kept() -> None:
    Y = Sort("Y")
    known = assume("p > 0", law("p", Y)(Y.index("t")), ">", 0, for_all=Y.indices("t"))
    stated = statement_from_sympy(sp.log(p[y]), "<=", 0, {p: as_law()}, assuming=[known])
    assert stated.assuming == (known,) and stated.free == (Y.index("y"),)
    stated = statement_from_sympy(q[a], "=", 0, {q: REAL, a: Sort("A")}, assuming=[_about_an_own_index("a", Y)])
    assert stated.free == (Index("a", Sort("A")),), "the a of the assumption is its own"
    with pytest.raises(StatementError, match=r"assuming\[0\]"):
        statement_from_sympy(x, "=", 0, {x: REAL}, assuming=["x > 0"])


def _about_an_own_index(name: str, sort: Sort) -> Hypothesis:
    return assume("p > 0", law("p", sort)(sort.index(name)), ">", 0, for_all=[sort.index(name)])


# --- terms to SymPy -------------------------------------------------------------------------------------------------

S, A = Sort("S"), Sort("A")
ss, tt = S.indices("s t")
aa, bb = A.indices("a b")
POLICY = law("π", A, given=[S], depends=True)
START = law("ρ", S)
REWARD = function("r", S, A)
STEEP = function("w", A, domain=POSITIVE, depends=True)
GAMMA = parameter("γ", OPEN_UNIT)
ANGLE = parameter("θ", REAL, slope=1)
TILT = parameter("t", REAL, slope=Fraction(-3, 2))
J = E(START(ss), E(POLICY(aa, ss), REWARD(ss, aa)))

HERE = world(
    {S: 2, A: 2},
    {
        POLICY: [[third, half], [2 * third, half]],
        START: [quarter, 3 * quarter],
        REWARD: [[1, 4], [-2, half]],
        STEEP: [2, third],
        GAMMA: Fraction(9, 10),
        ANGLE: 0,
        TILT: 5,
    },
    slopes={POLICY: [[1, -2], [-1, 2]], STEEP: [half, -1]},
)

TERMS = [
    J,
    D(J),
    D(total(aa, of=STEEP(aa) ** 3 / (1 + ANGLE))) - TILT,
    total(aa, of=Apply(STEEP, (aa,), 1) * STEEP(aa)),
    D(TILT * GAMMA / 3) + E(POLICY(aa, ss), 1) * 0,
    kl(lambda i: POLICY(i, ss), STEEP, aa),
    total(aa, bb, of=Delta(aa, bb) * STEEP(aa) - STEEP(bb) / Size(A)),
    total(aa, of=clip(STEEP(aa), 1 - GAMMA, 1 + GAMMA)) - minimum(GAMMA, half),
    total(
        aa,
        of=Cases(Indicator(STEEP(aa), "≥", Number(Fraction(1))), STEEP(aa) * 2, GAMMA) + Indicator(GAMMA, "≠", ANGLE),
    ),
    exp(log(STEEP(aa))) * maximum(REWARD(ss, aa), 0),
    D(exp(ANGLE) * STEEP(aa)),
]


def numbers_in(expression: Any, where: World) -> Any:
    """An instance with the numbers of a world put in, symbol by symbol, by SymPy alone."""
    motion = sp.Symbol("θ", real=True)
    for symbol, table in where.tables.items():
        for elements, jet in table.items():
            name = name_elements(symbol.name, elements)
            value, slope = as_number(jet[0]), as_number(jet[1])
            heads = [h for h in expression.atoms(sp.Function) if str(h.func) == name]
            for head in heads:
                expression = expression.replace(head.func, sp.Lambda(motion, value + slope * motion))
            for letter in [c for c in expression.free_symbols if c.name == name and c != motion]:
                expression = expression.subs(letter, value)
    return expression.doit().subs(motion, 0).doit()


@pytest.mark.parametrize("term", TERMS, ids=lambda v: repr(v)[:60])
@pytest.mark.parametrize("at", [{ss: 0, aa: 1}, {ss: 1, aa: 0}], ids=str)
def test_an_instance_has_the_value_that_the_world_gives(term: Term, at: dict[Index, int]) -> None:
    instance = to_sympy(term, {S: 2, A: 2}, at=at)
    found = numbers_in(instance, HERE)
    assert not found.free_symbols, found
    assert agree(found, as_number(HERE.value(term, at)))


def test_symbols_are_named_by_elements_and_know_their_domain() -> None:
    instance = to_sympy(J, {S: 2, A: 2})
    assert {c.name for c in instance.free_symbols} == {"ρ_0", "ρ_1", "r_00", "r_01", "r_10", "r_11", "θ"}
    assert {str(h.func) for h in instance.atoms(sp.Function)} == {"π_00", "π_01", "π_10", "π_11"}
    assert all(c.is_nonnegative for c in instance.free_symbols if c.name.startswith("ρ"))
    assert all(h.is_nonnegative for h in instance.atoms(sp.Function))
    assert to_sympy(GAMMA, {}).is_positive and to_sympy(parameter("b", REAL), {}).is_positive is None
    assert name_elements("r", (1, 12)) == "r_1,12" and name_elements("V", ((0, 1),)) == "V_(0,1)"


def test_a_function_that_does_not_depend_on_theta_has_no_slope() -> None:
    assert to_sympy(D(GAMMA), {}) == 0
    assert to_sympy(D(TILT), {}) == sp.Rational(-3, 2)
    assert to_sympy(D(STEEP(aa)), {A: 2}, at={aa: 0}) != 0


@pytest.mark.parametrize(
    ("term", "sizes", "message"),
    [
        (J, {S: 2}, "sizes: A is None"),
        (J, {S: 2, A: 0}, "sizes: A is 0"),
        (STEEP(aa), {A: 2}, "index a has no element; give it, as in at={a: 0}"),
        (Power(total(aa, of=Delta(aa, aa)) - 2, -1), {A: 2}, "division by zero"),
        (log(Number(Fraction(0))), {}, "logarithm of zero"),
        (total(aa, ss, of=1), {S: 200, A: 200}, "smaller sizes"),
        (parameter("r_0", REAL) + total(ss, of=function("r", S)(ss)), {S: 2}, "both named r_0"),
        (parameter("θ", REAL), {}, "both named θ"),
    ],
    ids=lambda v: repr(v)[:50],
)
def test_an_instance_that_cannot_be_written_is_refused(term: Term, sizes: dict[Sort, int], message: str) -> None:
    with pytest.raises(StatementError) as refusal:
        to_sympy(term, sizes)
    assert message in str(refusal.value)


def test_a_weight_that_is_zero_outright_guards_its_body() -> None:
    at_index = law("δ", A, given=[A])
    given = define(at_index(aa, bb), Delta(aa, bb))
    body = E(at_index(aa, bb), log(Delta(aa, bb)) + STEEP(aa))
    instance = to_sympy(body, {A: 2}, at={bb: 1}, definitions=[given])
    assert numbers_in(instance, HERE) == sp.Rational(1, 3)
    with pytest.raises(StatementError, match="logarithm of zero"):
        to_sympy(total(aa, of=log(Delta(aa, bb))), {A: 2}, at={bb: 1})


HISTORY = histories("H", start=[S], step=[A])
hh = HISTORY.index("h")
WEIGHT = function("W", HISTORY)
VALUE = function("V", HISTORY)
UNROLLED = recursion(WEIGHT, start=lambda s: START(s), step=lambda h, a: WEIGHT(h) * STEEP(a) * (1 + Length(HISTORY)))
BELLMAN = define(VALUE(hh), total(aa, of=STEEP(aa) * VALUE(Path(HISTORY, hh, (aa,)))))


def test_a_recursion_is_unfolded() -> None:
    term = D(total(hh, of=WEIGHT(hh)))
    instance = to_sympy(term, {S: 2, A: 2}, {HISTORY: 2}, recursions=[UNROLLED])
    where = world(
        {S: 2, A: 2},
        {START: [quarter, 3 * quarter], STEEP: [2, third]},
        slopes={STEEP: [half, -1]},
        lengths={HISTORY: 2},
        recursions=[UNROLLED],
    )
    assert not [c for c in instance.free_symbols if c.name.startswith("W")]
    assert agree(numbers_in(instance, where), as_number(where.value(term)))


def test_a_definition_is_unfolded_up_to_the_last_histories() -> None:
    start = Path(HISTORY, None, (ss,))
    instance = to_sympy(VALUE(start), {S: 2, A: 2}, {HISTORY: 1}, at={ss: 1}, definitions=[BELLMAN])
    last = {((1, 0),): 3, ((1, 1),): 7, ((0, 0),): 1, ((0, 1),): 1}
    where = world({S: 2, A: 2}, {STEEP: [2, third], VALUE: last}, lengths={HISTORY: 1}, definitions=[BELLMAN])
    assert {c.name for c in instance.free_symbols} == {"V_(1,0)", "V_(1,1)", "θ"}
    assert agree(numbers_in(instance, where), as_number(where.value(VALUE(start), {ss: 1})))


def test_a_circular_definition_is_refused() -> None:
    circular = define(REWARD(ss, aa), 1 + GAMMA * REWARD(ss, aa))
    with pytest.raises(StatementError, match="defined by itself"):
        to_sympy(REWARD(ss, aa), {S: 1, A: 1}, at={ss: 0, aa: 0}, definitions=[circular])


def test_lengths_are_asked_for() -> None:
    with pytest.raises(StatementError, match="lengths: H is None"):
        to_sympy(total(hh, of=WEIGHT(hh)), {S: 2, A: 2})


def test_a_statement_becomes_relations_one_for_each_choice_of_its_free_indices() -> None:
    closed = statement_to_sympy(statement(J, "<=", GAMMA), {S: 1, A: 2})
    assert isinstance(closed, sp.Le) and closed.rhs == to_sympy(GAMMA, {})
    same = statement_to_sympy(statement(GAMMA, "=", GAMMA), {})
    assert isinstance(same, sp.Eq), "left standing, although SymPy sees that it holds"
    instances = statement_to_sympy(statement(REWARD(ss, aa), ">", 0), {S: 2, A: 3})
    assert isinstance(instances, tuple) and len(set(instances)) == 6


def test_a_statement_that_is_no_comparison_is_refused() -> None:
    at = point("θ_old", {STEEP: function("w_old", A, domain=POSITIVE)})
    for given in (statement(STEEP(aa), first_order(at), 0), statement(GAMMA, "=", 1, exists=True)):
        with pytest.raises(StatementError, match="comparison"):
            statement_to_sympy(given, {A: 2})


def test_the_laws_of_a_statement_sum_to_one() -> None:
    constraints = law_constraints(statement(J, "=", 0), {S: 2, A: 2})
    assert len(constraints) == 3, "ρ, and π given each of two states"
    assert all(constraint.rhs == 1 for constraint in constraints)
    assert all(agree(numbers_in(constraint.lhs, HERE), sp.Integer(1)) for constraint in constraints)
    (first,) = (c for c in constraints if not c.atoms(sp.Function))
    assert {letter.name for letter in first.free_symbols} == {"ρ_0", "ρ_1"}


def test_a_law_given_histories_sums_to_one_for_every_length() -> None:
    kernel = law("κ", A, given=[HISTORY])
    constraints = law_constraints(statement(E(kernel(aa, hh), 1), "=", 1), {S: 1, A: 2}, {HISTORY: 2})
    assert len(constraints) == 1 + 2 + 4


def test_there_and_back_gives_equal_values() -> None:
    term = from_sympy(sp.Sum(p[y] * sp.log(p[y] / q[y]), up_to(y, n)), DECLARE)
    instance = to_sympy(term, {Sort("n"): 2})
    where = world(SIZES, {symbol: VALUES[symbol.name] for symbol in functions(term)})
    assert agree(numbers_in(instance, where), in_sympy(sp.Sum(p[y] * sp.log(p[y] / q[y]), up_to(y, n)), {}, 0))


# --- the third opinion ----------------------------------------------------------------------------------------------

u, v = parameter("u", POSITIVE), parameter("v", POSITIVE)
b, c = parameter("b", REAL), parameter("c", OPEN_UNIT)
k, l_ = parameter("k", POSITIVE, depends=True), parameter("l", REAL, depends=True)

TRUE = [
    ((u + b) ** 3, u**3 + 3 * u**2 * b + 3 * u * b**2 + b**3),
    (log(u * v), log(u) + log(v)),
    (1 / (u + 1) - 1 / (u + 2), 1 / ((u + 1) * (u + 2))),
    (exp(b) * exp(-b), 1),
    (D(k * l_), D(k) * l_ + k * D(l_)),
    (D(log(k)), D(k) / k),
    (D(exp(ANGLE) * k), exp(ANGLE) * (k + D(k))),
    (D(TILT), Fraction(-3, 2)),
]
FALSE = [
    ((u + b) ** 3, u**3 + 3 * u**2 * b + 3 * u * b**2),
    (log(u * v), log(u) * log(v)),
    (log(u + v), log(u) + log(v)),
    (1 / (u + 1) - 1 / (u + 2), 2 / ((u + 1) * (u + 2))),
    (exp(b) * exp(b), exp(b) + 1),
    (D(k * l_), D(k) * l_),
    (D(D(k)), 0),
    (D(log(k)), D(k) * k),
    (D(ANGLE**2), ANGLE),
    (b, b + 1),
    (maximum(b, 0), b),
    (minimum(u, v) + maximum(u, v), u + 2 * v),
    (maximum(c, Fraction(1, 2)), Fraction(1, 2)),
    (D(TILT), Fraction(3, 2)),
    (TILT, ANGLE),
]


@pytest.mark.parametrize(("left", "right"), TRUE, ids=lambda v: repr(v)[:40])
def test_sympy_confirms_an_identity(left: Any, right: Any) -> None:
    assert second_opinion(statement(left, "=", right)) is True


@pytest.mark.parametrize(("left", "right"), FALSE, ids=lambda v: repr(v)[:40])
def test_sympy_finds_a_planted_falsehood(left: Any, right: Any) -> None:
    assert second_opinion(statement(left, "=", right)) is False


@pytest.mark.parametrize(("left", "right"), [*TRUE, *FALSE], ids=lambda v: repr(v)[:40])
def test_under_a_hypothesis_sympy_never_refutes(left: Any, right: Any) -> None:
    given = statement(left, "=", right, assuming=[assume("u = 1", u, "=", 1)])
    assert second_opinion(given) is (True if (left, right) in TRUE else None)


@pytest.mark.parametrize(
    ("left", "sign", "right", "answer"),
    [
        (u + v, ">", 0, True),
        (b**2, "≥", 0, True),
        (b**2, ">", 0, None),
        (0, "≤", b**2 + 2 * b * u + u**2, True),
        (u, "≤", -1, False),
        (-(b**2), ">", 0, False),
        (b, "≥", 0, None),
        (u, "<", v, None),
        (c, "≤", 1, None),
        (u, "≠", -1, None),
    ],
    ids=str,
)
def test_signs_are_told_where_assumptions_decide(left: Any, sign: str, right: Any, answer: bool | None) -> None:
    assert second_opinion(statement(left, sign, right)) is answer


def test_under_a_hypothesis_a_sign_never_refutes() -> None:
    known = assume("u = b", u, "=", b)
    assert second_opinion(statement(u, "≤", -1, assuming=[known])) is None
    assert second_opinion(statement(u, "≥", -1, assuming=[known])) is True


def test_a_point_at_which_a_side_is_not_defined_refutes_nothing() -> None:
    # Where b ≤ 0 the second branch has no value, although SymPy cancels it to 2.
    one_sided = Cases(Indicator(b, ">", Number(Fraction(0))), Number(Fraction(1)), 2 * log(b) / log(b))
    assert second_opinion(statement(one_sided, "=", 1)) is None
    assert second_opinion(statement(Cases(one_sided.condition, one_sided.then, Number(Fraction(2))), "=", 1)) is False


@pytest.mark.parametrize(
    "given",
    [
        statement(J, "=", 1),
        statement(STEEP(aa), "=", 1),
        statement(Size(A), "=", 1),
        statement(total(aa, of=1), "=", 2),
        statement(Delta(aa, bb), "=", 2),
        statement(b, "=", b + 1, exists=True),
        statement(b, "=", u, definitions=[define(b, 1)]),
        statement(D(maximum(k, 1)), "=", 7),
        statement(exp(exp(b)), "=", 7),
    ],
    ids=repr,
)
def test_of_what_is_out_of_reach_sympy_says_nothing(given: Any) -> None:
    assert second_opinion(given) is None


def test_a_large_statement_is_left_alone_at_once() -> None:
    many = Add(tuple(parameter(f"x{i}", REAL) for i in range(20)))
    tower: Term = u + b
    for _ in range(6):
        tower = tower**20 + 1
    started = time.perf_counter()
    for big in (many**12, tower, Power(Number(Fraction(2)), 10**9), Add(tuple(b for _ in range(100)))):
        assert second_opinion(statement(big, "=", 0)) is None
    assert time.perf_counter() - started < 1
    assert second_opinion(statement(Add((b, u)), "=", 0)) is False, "the smaller one is not"


# --- the rest of the house ------------------------------------------------------------------------------------------


def test_sympy_is_imported_only_when_it_is_used() -> None:
    code = "import sys, derivations.checker.border; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
