"""Exact evaluation: values, derivatives and logarithms by hand, and what has no value."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path as FilePath

import pytest
from flint import arb

from derivations.checker import jets, reals, worlds
from derivations.checker.errors import BadInput
from derivations.checker.jets import Undefined, Undetermined, as_float
from derivations.checker.statement import statement
from derivations.checker.terms import (
    POSITIVE,
    REAL,
    UNIT,
    Cases,
    D,
    Delta,
    E,
    Index,
    Indicator,
    Length,
    Path,
    Size,
    Sort,
    Sum,
    Supremum,
    Term,
    clip,
    define,
    exp,
    function,
    histories,
    kl,
    law,
    limit,
    log,
    maximum,
    minimum,
    parameter,
    recursion,
    term,
    total,
)
from derivations.checker.verdict import judge
from derivations.checker.worlds import World, holds, world

X, Y = Sort("X"), Sort("Y")
H = histories("H", start=[X], step=[Y])
x = X.index("x")
y, z = Y.indices("y z")
h = H.index("h")
p, q = law("p", Y), law("q", Y)
moving = law("p_θ", Y, depends=True)
kernel, joint = law("k", Y, given=[X]), law("j", X, Y)
f = function("f", Y)
r = function("r", Y, X)
c = parameter("c", REAL)
d, e = parameter("d", REAL, depends=True), parameter("e", REAL, depends=True)
half, third, quarter = Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)

W = world(
    {X: 2, Y: 2},
    {
        p: [quarter, 3 * quarter],
        q: [half, half],
        moving: [quarter, 3 * quarter],
        kernel: [[1, half], [0, half]],
        joint: [[half, 0], [quarter, quarter]],
        f: [2, -4],
        r: [[1, 2], [3, 4]],
        c: -3,
        d: 2,
        e: 5,
    },
    slopes={moving: [1, -1], d: 1, e: -2},
)
ALONE = world({}, {d: 2, e: 5, c: -3}, slopes={d: 1, e: -2})


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (E(p(y), f(y)), -half * 5),
        (E(p(y), f(y) ** 2), 13),
        (E(p(y), f(y) ** 2) - E(p(z), f(z)) ** 2, Fraction(27, 4)),
        (Sum(y, f(y)), -2),
        (total(x, y, of=r(y, x)), 10),
        (E(joint(x, y), r(y, x)), 2),
        (Sum(x, E(kernel(y, x), r(y, x))), 4),
        (E(q(y), p(y) / q(y)), 1),
        (Size(X) * Size(Y), 4),
        (Sum(y, Sum(z, Delta(y, z) * f(z))), -2),
        (Sum(y, Indicator(f(y), ">", term(0))), 1),
        (Sum(y, Cases(Indicator(f(y), "<", term(0)), -f(y), f(y))), 6),
        (minimum(c, d, e), -3),
        (maximum(c, d, e), 5),
        (clip(e, 0, 1), 1),
        (clip(c, 0, 1), 0),
        (Supremum(y, f(y) ** 2), 16),
        (c**-2, Fraction(1, 9)),
        (c**0, 1),
    ],
)
def test_value_by_hand(value: Term, expected: Fraction | int) -> None:
    assert W(value) == expected
    assert W.estimate(value) == pytest.approx(float(expected), abs=1e-12)


def test_free_indices_are_given_by_name() -> None:
    assert W(r(y, x), y=1, x=0) == 3
    with pytest.raises(BadInput, match="index x has no value"):
        W(r(y, x), y=1)


def test_an_expectation_sums_over_the_support_only() -> None:
    away = world({Y: 2}, {p: [1, 0], q: [1, 0], f: [2, 7]})
    assert away(E(p(y), f(y) / p(y))) == 2
    assert away(E(p(y), p(y) / p(y))) == 1
    with pytest.raises(Undefined):
        away(Sum(y, p(y) * (f(y) / p(y))))


# --- jets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (D(d), 1),
        (D(c), 0),
        (D(d * e), 2 * -2 + 5),
        (D(d**3), 12),
        (D(d**-1), -quarter),
        (D(log(d)), half),
        (D(e / d), Fraction(-9, 4)),
        (D(E(moving(y), f(y))), 6),
        (D(moving(y) * log(moving(y)) * 0), 0),
        (D(maximum(d, e)), -2),
        (D(minimum(d, e)), 1),
        (D(Cases(Indicator(d, ">", term(0)), d**2, d)), 4),
        (D(Indicator(d, ">", term(0))), 0),
    ],
)
def test_first_derivative_by_hand(value: Term, expected: Fraction | int) -> None:
    assert W(value, y=0) == expected
    assert W.estimate(value, {y: 0}) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (D(D(d)), 0),
        (D(D(d**3)), 12),
        (D(D(d * e)), 2 * 1 * -2),
        (D(D(d**-1)), quarter),
        (D(D(log(d))), -quarter),
        (D(D(log(e))), Fraction(-4, 25)),
        (D(D(d * log(d) - d * log(term(2)))), half),
    ],
)
def test_second_derivative_by_hand(value: Term, expected: Fraction | int) -> None:
    assert ALONE(value) == expected


def test_the_score_has_expectation_zero() -> None:
    assert W(E(moving(y), D(log(moving(y))))) == 0


def test_the_fisher_information_is_minus_the_mean_second_derivative() -> None:
    score = E(moving(y), D(log(moving(y))) ** 2)
    assert W(score) == 4 + Fraction(4, 3)
    assert W(-E(moving(y), D(D(log(moving(y)))))) == 4 + Fraction(4, 3)


def test_exponentials_of_logarithms_keep_their_derivatives_exact() -> None:
    assert ALONE(exp(log(d) + log(e))) == 10
    assert ALONE(D(exp(log(d) + log(e)))) == 1
    assert ALONE(D(D(exp(2 * log(d))))) == 2


def test_an_expectation_under_a_moving_law_counts_what_enters_the_support() -> None:
    entering = world({Y: 2}, {moving: {0: 1, 1: 0}, f: [2, 7]}, slopes={moving: {0: -1, 1: 1}})
    assert entering(E(moving(y), f(y))) == 2
    assert entering(D(E(moving(y), f(y)))) == 5


# --- floats, by which a search is led -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [kl(p, q, y), E(p(y), exp(f(y))), log(E(q(y), exp(-f(y)))) - c], ids=str)
def test_an_estimate_is_near_to_what_is_irrational(value: Term) -> None:
    assert W.estimate(value) == pytest.approx(as_float(W.value(value)), rel=1e-12)


def test_an_estimate_is_not_there_where_the_value_is_not() -> None:
    away = world({Y: 2}, {p: [1, 0], q: [1, 0], f: [2, 7]})
    assert away.estimate(E(p(y), f(y) / p(y))) == 2
    for value in (Sum(y, f(y) / p(y)), Sum(y, log(p(y)))):
        with pytest.raises(Undefined):
            away.estimate(value)


def test_an_estimate_that_overflows_is_infinite() -> None:
    assert W.estimate(exp(exp(exp(e)))) == float("inf")


# --- logarithms and balls -------------------------------------------------------------------------------------------


def test_logarithms_are_exact() -> None:
    assert W(log(term(6)) - log(term(2)) - log(term(3))) == 0
    assert W(kl(p, q, y)) == "−log 2 + (3/4)·log 3"
    assert W(kl(p, q, y) + log(term(2)) - 3 * quarter * log(term(3))) == 0
    assert W(exp(3 * log(term(2)) - log(term(5)))) == Fraction(8, 5)


def test_a_comparison_of_logarithms_is_decided() -> None:
    assert W(Indicator(log(term(8)), "=", 3 * log(term(2)))) == 1
    assert W(Indicator(2 * log(term(3)), ">", 3 * log(term(2)))) == 1


def test_a_ball_never_decides_equality() -> None:
    one = reals.exp(reals.real(1))
    assert reals.compare(one, one) is None
    assert holds(one, "=", one) is None
    assert holds(one, "≤", one) is None
    assert holds(one, "<", reals.real(3)) is True
    with pytest.raises(Undetermined):
        W(Indicator(exp(term(1)), "=", exp(term(1))))


def test_a_ball_never_refutes_equality() -> None:
    near = exp(term(1)) * exp(term(-1))
    assert holds(W.value(near), "=", reals.ONE) is None
    assert holds(W.value(near), "=", reals.real(1 + Fraction(1, 10**30))) is False


def test_equal_values_and_slopes_in_balls_are_no_kink() -> None:
    """Both branches are d·e^c, once as it is and once in two factors: their slopes are equal, which no ball can tell."""
    zero = world({}, {d: 0, c: 1}, slopes={d: 1})
    with pytest.raises(Undetermined):
        zero(D(maximum(d * exp(c), d * exp(c / 2) * exp(c / 2))))


def test_zero_times_a_ball_is_exactly_zero() -> None:
    assert W(0 * exp(term(1))) == 0


# --- what has no value ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (1 / (c + 3), "division by zero"),
        ((c + 3) ** -2, "division by zero"),
        (log(c + 3), "logarithm of 0"),
        (log(c), "logarithm of −3"),
        (D(maximum(d, 2)), "kink"),
        (D(minimum(2 * d, d + 2)), "kink"),
        (D(Indicator(d, ">", term(2))), "jump"),
        (D(Cases(Indicator(d, "=", term(2)), d, e)), "jump"),
    ],
)
def test_undefined_terms_raise(value: Term, why: str) -> None:
    with pytest.raises(Undefined, match=why):
        ALONE(value)


def test_a_maximum_of_equal_slopes_has_no_kink() -> None:
    assert ALONE(D(maximum(d, d))) == 1


def test_a_limit_is_no_value_of_a_world() -> None:
    with pytest.raises(Undetermined):
        world({}, {parameter("β", POSITIVE): 1})(limit(parameter("β", POSITIVE), parameter("β", POSITIVE), "∞"))


# --- histories ------------------------------------------------------------------------------------------------------

walk, returns = law("w", H), function("R", H)
start, move = law("ρ", X), law("m", Y, given=[H])
walk_law = recursion(walk, start=lambda x: start(x), step=lambda h, y: walk(h) * move(y, h))
return_sum = recursion(returns, start=lambda x: 0, step=lambda h, y: returns(h) + f(y))


def two_steps() -> World:
    prefixes = [(x, *rest) for x in range(2) for rest in ((), (0,), (1,))]
    table = {(k, prefix): (third if k else 2 * third) for k in range(2) for prefix in prefixes}
    return world(
        {X: 2, Y: 2},
        {start: [quarter, 3 * quarter], move: table, f: [1, -2]},
        lengths={H: 2},
        recursions=[walk_law, return_sum],
    )


def test_a_recursion_runs_down_to_its_start() -> None:
    assert two_steps()(walk(h), h=(1, 0, 1)) == 3 * quarter * 2 * third * third
    assert two_steps()(returns(h), h=(1, 0, 1)) == -1


def test_histories_are_summed_at_their_length() -> None:
    assert two_steps()(Sum(h, walk(h))) == 1
    assert two_steps()(E(walk(h), returns(h))) == 0
    assert two_steps()(Size(H)) == 8
    assert two_steps()(Length(H)) == 2
    assert two_steps().at_length(H, 0)(Size(H)) == 2


def test_a_history_that_is_written_out_is_one_step_longer() -> None:
    longer = Path(H, h, (y,))
    assert two_steps()(returns(longer), h=(0, 0, 0), y=1) == 0


def test_a_definition_on_histories_leaves_the_last_values_open() -> None:
    V = function("V", H)
    bellman = define(V(h), E(move(y, h), f(y) + V(Path(H, h, (y,)))))
    prefixes = [(x, *rest) for x in range(2) for rest in ((), (0,), (1,))]
    table = {(k, prefix): half for k in range(2) for prefix in prefixes}
    last = {((x, a, b),): 1 for x in range(2) for a in range(2) for b in range(2)}
    here = world({X: 2, Y: 2}, {move: table, f: [1, -2], V: last}, lengths={H: 2}, definitions=[bellman])
    assert here(V(h), h=(0, 0, 0)) == 1
    assert here.at_length(H, 1)(V(h), h=(0, 0)) == half
    assert here.at_length(H, 0)(V(h), h=(0,)) == 0


# --- what a world must be -------------------------------------------------------------------------------------------


def test_a_negative_probability_is_refused() -> None:
    with pytest.raises(BadInput, match="expected a value in"):
        world({Y: 2}, {p: [2, -1]})


def test_slopes_of_a_law_sum_to_zero() -> None:
    with pytest.raises(BadInput, match="slopes"):
        world({Y: 2}, {moving: [half, half]}, slopes={moving: [1, 1]})


def test_a_conditional_law_sums_to_one_for_each_condition() -> None:
    with pytest.raises(BadInput, match="given 1 sums to 3/2"):
        world({X: 2, Y: 2}, {kernel: [[half, 1], [half, half]]})


def test_a_table_has_an_entry_for_each_element() -> None:
    with pytest.raises(BadInput, match="has 1 entries; expected 2"):
        world({Y: 2}, {f: [1]})


def test_a_size_is_a_positive_integer() -> None:
    for size in (0, -1, True, 2.0):
        with pytest.raises(BadInput, match="expected a positive integer"):
            world({Y: size}, {})  # type: ignore[dict-item]


def test_a_missing_table_is_bad_input() -> None:
    with pytest.raises(BadInput, match="give its table"):
        world({Y: 2}, {})(f(y), y=0)


def test_a_world_that_breaks_a_declaration_refutes_nothing() -> None:
    """However it is built: a proposed counterexample is checked before it counts."""
    table = {(0,): (reals.real(3), reals.ZERO, reals.ZERO), (1,): (reals.real(3), reals.ZERO, reals.ZERO)}
    with pytest.raises(BadInput):
        judge(statement(Sum(y, p(y)), "=", 1), worlds=[World({Y: 2}, {p: table})])
    γ = parameter("γ", UNIT)
    with pytest.raises(BadInput):
        judge(statement(γ, "≤", 1), worlds=[World({}, {γ.function: {(): (reals.real(2),)}})])


def test_a_world_without_third_derivatives_refutes_nothing_about_them() -> None:
    given = statement(D(D(D(d))), "=", D(D(D(d + 0))))
    assert judge(given, worlds=[ALONE]).status == "proved"


# --- independence ---------------------------------------------------------------------------------------------------


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "derivations.checker":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.removeprefix("derivations.checker."))
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found - set(sys.stdlib_module_names)


def test_worlds_knows_nothing_of_proofs() -> None:
    """It imports the language, the real numbers, their arithmetic and the errors; printing only to show itself."""
    tree = ast.parse(FilePath(worlds.__file__).read_text(encoding="utf-8"))
    top = imported(tree.body) - {"collections.abc"}
    assert top == {"terms", "reals", "jets", "errors"}
    assert imported(ast.walk(tree)) - top <= {"collections.abc", "printing"}
    arithmetic = ast.parse(FilePath(jets.__file__).read_text(encoding="utf-8"))
    assert imported(ast.walk(arithmetic)) == {"terms", "reals"}


def test_an_index_and_its_namesake_of_another_sort_are_told_apart() -> None:
    twin = Index("x", Y)
    assert W.value(f(twin) * r(twin, x), {twin: 1, x: 0}) == reals.real(-12)


# --- large numbers ----------------------------------------------------------------------------------------------------

PRIMES = (2**89 - 1, 2**107 - 1)


@pytest.mark.parametrize("value", [2**300, 3**90 * 7, PRIMES[0], 2**40 * PRIMES[0]])
def test_the_logarithm_of_a_large_number_is_exact_where_its_factors_are_found_quickly(value: int) -> None:
    found = reals.log(reals.real(value))
    assert isinstance(found, reals.LogSum)
    assert reals.fraction(reals.exp(found)) == value


def test_the_logarithm_of_a_number_that_does_not_fall_apart_is_a_ball() -> None:
    value = PRIMES[0] * PRIMES[1]
    for number in (reals.real(value), reals.real(Fraction(1, value)), reals.real(2**4096 + 1)):
        found = reals.log(number)
        assert isinstance(found, arb)
        assert found.exp().contains(number)
        assert reals.compare(found, found) is None, "a ball never shows two numbers equal"
