"""The refuter: smallest counterexamples by hand, the order of worlds, and what a counterexample must respect."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice, pairwise

import pytest
import sympy

from derivations.checker import reals
from derivations.checker.calculus import Instance, Range
from derivations.checker.candidates import in_order, measure, sizes_in_order, slots
from derivations.checker.question import Question
from derivations.checker.refute import Effort, fails_in, refute
from derivations.checker.statement import (
    Statement,
    assume,
    covers,
    first_order,
    point,
    same_maximiser,
    statement,
)
from derivations.checker.terms import (
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    Apply,
    D,
    E,
    Indicator,
    Length,
    Size,
    Sort,
    Sum,
    define,
    exp,
    function,
    histories,
    kl,
    law,
    log,
    parameter,
    recursion,
    term,
)
from derivations.checker.verdict import judge
from derivations.checker.worlds import World, holds, world

X, Y = Sort("X"), Sort("Y")
H = histories("H", step=[Y])
x = X.index("x")
y, z = Y.indices("y z")
h = H.index("h")
p, q = law("p", Y), law("q", Y)
full, full2 = law("p₊", Y, positive=True), law("q₊", Y, positive=True)
moving = law("p_θ", Y, depends=True)
f, g = function("f", Y), function("g", Y)
c, d = parameter("c", REAL), parameter("d", REAL, depends=True)
half = Fraction(1, 2)


# --- smallest by hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "smallest"),
    [
        # |Y| = 1 and f = 1: one element, one nonzero number, 1 + 1.
        (statement(f(y), "=", 0), (1, 1, 2)),
        # 0 and 1 satisfy it, −1 does not.
        (statement(c**2, "=", c), (0, 1, 2)),
        # A coin that always shows the other side: p = (1, 0), weights 2 and 1.
        (statement(p(y), "=", 1), (2, 1, 3)),
        # Positive: (½, ½) has weights 3 and 3.
        (statement(full(y), "=", 1), (2, 2, 6)),
        # p = (½, ½) against q = (⅓, ⅔): 3 + 3 + 4 + 5.
        (statement(kl(full, full2, y), "=", kl(full2, full, z)), (2, 4, 15)),
        # f = 1, g = 0.
        (statement(Sum(y, f(y)), "=", Sum(y, g(y))), (1, 1, 3)),
        # (½, ½), f = (1, 0).
        (statement(E(p(y), f(y)) ** 2, "=", E(p(z), f(z) ** 2)), (2, 3, 9)),
        # Two elements, nothing else.
        (statement(Size(Y), "=", 1), (2, 0, 0)),
        (statement(Size(Y) * (Size(Y) - 3), "<", 0), (3, 0, 0)),
        # One step of one kind.
        (statement(Length(H), "=", 0), (2, 0, 0)),
        # d = 0, ∇d = 1: the value costs 1, the slope 2.
        (statement(D(d), "=", 0), (0, 1, 3)),
    ],
)
def test_smallest_counterexample(given: Statement, smallest: tuple[int, int, int]) -> None:
    found = refute(given)
    assert found is not None
    assert found.measure == smallest


@pytest.mark.parametrize(
    "given",
    [
        statement(E(p(y), f(y)) ** 2, "=", E(p(z), f(z) ** 2)),
        statement(Sum(y, p(y) * q(y)), ">", 0),
        statement(c * d, "≤", 1),
        statement(E(q(y), Indicator(p(y), "≠", term(0))), "=", 1),
    ],
)
def test_nothing_smaller_fails(given: Statement) -> None:
    """All smaller worlds, one after the other, by the order of the search but by an evaluation of our own."""
    found = refute(given)
    assert found is not None
    question = Question(given)
    for sizes, lengths in sizes_in_order(question, 3):
        parts = slots(question, sizes, lengths)
        for ranks in islice(in_order(parts), 20_000):
            chosen = [(slot, slot.options[rank]) for slot, rank in zip(parts, ranks, strict=True)]
            if measure(sizes, lengths, chosen) >= found.measure:
                break
            tables = {slot.symbol: {} for slot in parts}
            for slot, option in chosen:
                tables[slot.symbol] |= dict(zip(slot.keys, (jet[0] for jet in option.entries), strict=True))
            assert satisfied(given, sizes, tables), tables


def satisfied(given: Statement, sizes: dict, tables: dict) -> bool:
    jets = {f: {at: (v, reals.ZERO, reals.ZERO) for at, v in table.items()} for f, table in tables.items()}
    here = World(sizes, jets)
    return holds(here.value(given.left), str(given.relation), here.value(given.right)) is True


def test_worlds_come_in_the_order_of_their_measure() -> None:
    question = Question(statement(E(p(y), f(y)), "=", 0))
    sizes, lengths = {Y: 2}, {}
    parts = slots(question, sizes, lengths)
    costs = [
        measure(sizes, lengths, [(s, s.options[r]) for s, r in zip(parts, ranks, strict=True)])
        for ranks in islice(in_order(parts), 500)
    ]
    assert all(a <= b for a, b in pairwise(costs))
    assert len(set(islice(in_order(parts), 500))) == 500


def test_sizes_come_by_their_total() -> None:
    question = Question(statement(Sum(y, f(y)), "=", Sum(x, function("k", X)(x)) + Length(H)))
    totals = [sum(s.values()) + sum(n.values()) for s, n in islice(sizes_in_order(question, 4), 40)]
    assert totals == sorted(totals)


def test_zeros_and_ties_are_among_the_worlds() -> None:
    tie = statement(Indicator(c, "=", d), "=", 0)
    assert refute(tie) is not None
    assert refute(statement(Sum(y, Indicator(p(y), "=", term(0))), "=", 0)) is not None
    assert refute(statement(kl(full, full2, y), ">", 0)) is not None


# --- re-evaluated by hand -------------------------------------------------------------------------------------------


def table(found: World, symbol: object, size: int) -> list[Fraction]:
    values = [found(symbol(y), y=k) for k in range(size)]  # type: ignore[operator]
    assert all(isinstance(value, Fraction) for value in values)
    return values  # type: ignore[return-value]


def test_a_counterexample_fails_in_plain_fractions() -> None:
    found = refute(statement(E(p(y), f(y)) ** 2, "=", E(p(z), f(z) ** 2)))
    assert found is not None
    n = found.world.sizes[Y]
    weights, values = table(found.world, p, n), table(found.world, f, n)
    assert sum(weights) == 1
    mean = sum(w * v for w, v in zip(weights, values, strict=True))
    square = sum(w * v * v for w, v in zip(weights, values, strict=True))
    assert mean**2 != square
    assert (found.left, found.right) == (str(mean**2), str(square))


def test_a_counterexample_to_an_importance_weight_fails_in_plain_fractions() -> None:
    found = refute(statement(E(q(y), p(y) / q(y)), "=", 1))
    assert found is not None
    n = found.world.sizes[Y]
    target, sampler = table(found.world, p, n), table(found.world, q, n)
    assert sum(a for a, b in zip(target, sampler, strict=True) if b) != 1


def test_a_counterexample_with_logarithms_fails_in_sympy() -> None:
    found = refute(statement(kl(full, full2, y), "=", kl(full2, full, z)))
    assert found is not None
    n = found.world.sizes[Y]
    a, b = ([sympy.Rational(v) for v in table(found.world, law_, n)] for law_ in (full, full2))

    def divergence(s, t):  # type: ignore[no-untyped-def]
        return sum(u * sympy.log(u / v) for u, v in zip(s, t, strict=True))

    assert sympy.N(divergence(a, b) - divergence(b, a), 30) != 0


def test_a_counterexample_names_its_free_indices() -> None:
    found = refute(statement(p(y), "=", p(z)))
    assert found is not None
    assert found.world.indices[y] != found.world.indices[z]
    assert found.world(p(y)) != found.world(p(z))


# --- assumptions ----------------------------------------------------------------------------------------------------


def test_assumptions_are_respected() -> None:
    given = statement(
        E(q(y), p(y) / q(y) * f(y)),
        "=",
        E(p(y), f(y) ** 2),
        standing=[covers(q(y), p(y)), assume("mean", Sum(y, p(y) * f(y)), "=", 1)],
    )
    found = refute(given)
    assert found is not None
    n = found.world.sizes[Y]
    target, sampler, values = (table(found.world, s, n) for s in (p, q, f))
    assert all(b > 0 for a, b in zip(target, sampler, strict=True) if a)
    assert sum(a * v for a, v in zip(target, values, strict=True)) == 1


def test_an_assumption_on_histories_holds_at_every_length() -> None:
    R = function("R", H)
    returns = recursion(R, start=lambda: 0, step=lambda h, y: R(h) + f(y))
    calm = assume("R ≥ 0", R(h), "≥", 0, for_all=[h])
    found = refute(statement(R(h), "=", 0, standing=[calm], recursions=[returns]))
    assert found is not None
    for steps in range(found.world.lengths[H] + 1):
        here = found.world.at_length(H, steps)
        assert all(here(R(h), h=element) >= 0 for element in here.elements(H))


def test_a_contradiction_among_the_assumptions_leaves_no_counterexample() -> None:
    assert refute(statement(0, "=", 1, standing=[assume("c < c", c, "<", c)])) is None


def test_an_equation_is_solved_whichever_side_names_the_function() -> None:
    mean, noise = function("m", X), function("ν", Y, X)
    average = E(p(y), noise(y, x))
    for left, right in ((mean(x), average), (average, mean(x))):
        unbiased = assume("m is the mean of ν", left, "=", right, for_all=[x])
        false = statement(mean(x), "=", E(p(y), noise(y, x)) ** 2, standing=[unbiased])
        found = refute(false, Effort(sizes=1, ordered=6, random=0, late=0, minimise=0, again=0))
        assert found is not None
        assert fails_in(false, found.world) is not None


def test_an_equation_that_speaks_of_another_index_is_not_solved() -> None:
    same = assume("f(z) = f(y)", f(y), "=", f(z), for_all=[y])
    assert refute(statement(f(y), "=", f(z), standing=[same])) is None


def test_a_law_stays_a_law_under_an_equation() -> None:
    """p = f for a function f in [0, 1]: f sums to one then."""
    chance = function("u", Y, domain=UNIT)
    same = assume("p = u", p(y), "=", chance(y), for_all=[y])
    assert judge(statement(Sum(y, p(y)), "=", 1, standing=[same])).status != "refuted"
    assert judge(statement(Sum(y, chance(y)), "=", 1, standing=[same])).status != "refuted"


def test_the_slopes_of_a_law_sum_to_zero_under_an_equation() -> None:
    slope = assume("∇p = g", D(moving(y)), "=", g(y), for_all=[y])
    assert judge(statement(Sum(y, D(moving(y))), "=", 0, standing=[slope])).status != "refuted"
    assert judge(statement(Sum(y, g(y)), "=", 0, standing=[slope])).status != "refuted"


def test_what_is_free_of_theta_keeps_no_slope() -> None:
    assert judge(statement(D(c), "=", 0, standing=[assume("c = d", c, "=", d)])).status != "refuted"


def test_a_law_on_histories_sums_to_one_at_each_length() -> None:
    free = law("u", H)
    assert judge(statement(Sum(h, free(h)), "=", 1)).status == "proved"


def test_a_domain_is_respected() -> None:
    assert refute(statement(parameter("ε", OPEN_UNIT) ** 2, "<", parameter("ε", OPEN_UNIT))) is None
    assert refute(statement(parameter("β", POSITIVE), ">", 0)) is None
    found = refute(statement(parameter("n", NONNEGATIVE), ">", 0))
    assert found is not None
    assert (found.left, found.right) == ("0", "0")


def test_a_positive_law_has_no_zero() -> None:
    assert refute(statement(Sum(y, Indicator(full(y), "=", term(0))), "=", 0)) is None


def test_slopes_stay_on_the_support() -> None:
    assert refute(statement(Indicator(moving(y), "=", term(0)) * D(moving(y)), "=", 0)) is None


def test_an_assumed_slope_says_nothing_of_the_next() -> None:
    """An assumption holds at this θ; an equation for every θ is a definition."""
    chance = parameter("p", OPEN_UNIT, depends=True)
    logistic = assume("logistic", D(chance), "=", chance * (1 - chance))
    assert refute(statement(D(chance), "=", chance - chance**2, standing=[logistic])) is None
    assert refute(statement(D(D(chance)), "=", D(chance) * (1 - 2 * chance), standing=[logistic])) is not None
    assert refute(statement(D(D(chance)), "=", D(chance), standing=[logistic])) is not None


def test_balls_refute_only_what_they_separate() -> None:
    assert refute(statement(exp(c) * exp(-c), "=", 1)) is None
    assert refute(statement(exp(c), "=", 1 + c)) is not None


# --- existence, first order, same maximiser -------------------------------------------------------------------------


def test_the_smallest_example_of_an_existence() -> None:
    found = refute(statement(E(p(y), f(y)), "=", 2, exists=True))
    assert found is not None
    assert found.left == found.right == "2"
    assert found.measure == (1, 2, 5)


def test_nothing_exists_where_nothing_does() -> None:
    verdict = judge(statement(c**2, "=", -1, exists=True))
    assert verdict.status == "unknown"


def test_an_instance_in_which_it_fails_is_no_example() -> None:
    T = Sort("T", infinite=True)
    tau = T.index("τ")
    tail = law("p_T", T)
    geometric = Instance(
        "geometric", {T: Range(0, sympy.oo)}, {tail: lambda t: sympy.Rational(1, 2) ** (t + 1)}
    ).witness()
    assert judge(statement(Sum(tau, tail(tau)), "=", 2, exists=True), instances=[geometric]).status != "proved"


def test_an_instance_outside_a_domain_is_no_counterexample() -> None:
    β = parameter("β", POSITIVE)
    assert isinstance(β, Apply)
    below = Instance("β = −1", {}, {β.function: lambda: sympy.Integer(-1)}).witness()
    try:
        verdict = judge(statement(β, ">", 0), instances=[below])
    except ValueError:
        return
    assert verdict.status == "proved"


new, old = law("π_θ", Y, positive=True, depends=True), law("π_old", Y, positive=True)
at_old = first_order(point("θ_old", {new: old}))


def test_worlds_at_first_order_are_at_the_point() -> None:
    found = refute(statement(new(y) ** 2, at_old, old(y) ** 2))
    assert found is not None
    assert found.world(new(y)) == found.world(old(y))


def test_a_world_away_from_the_point_refutes_nothing_at_it() -> None:
    tangent = statement(new(y) ** 2, at_old, 2 * new(y) * old(y) - old(y) ** 2)
    away = world({Y: 2}, {new: [half, half], old: [Fraction(1, 3), Fraction(2, 3)]}, slopes={new: [1, -1]})
    assert judge(tangent, worlds=[away]).status == "proved"


def test_policies_are_compared_in_definitions_too() -> None:
    value = parameter("J", REAL)
    named = define(value, E(p(y), f(y)))  # type: ignore[arg-type]
    assert refute(statement(value, same_maximiser(p), -value, definitions=[named])) is not None
    assert refute(statement(value - E(p(z), f(z)), same_maximiser(p), 0, definitions=[named])) is None


# --- proposals ------------------------------------------------------------------------------------------------------


def test_a_proposed_world_is_evaluated_and_not_believed() -> None:
    true = statement(E(p(y), f(y)), "=", Sum(y, p(y) * f(y)))
    here = world({Y: 2}, {p: [half, half], f: [1, 2]})
    assert fails_in(true, here) is None
    false = statement(E(p(y), f(y)), "=", 1)
    found = fails_in(false, here)
    assert found is not None
    assert (found.left, found.right) == ("3/2", "1")


def test_a_proposed_world_in_which_an_assumption_fails_does_not_count() -> None:
    given = statement(E(p(y), f(y)), "=", 1, standing=[assume("f = 1", f(y), "=", 1, for_all=[y])])
    assert fails_in(given, world({Y: 2}, {p: [half, half], f: [1, 2]})) is None


def test_a_smaller_world_is_preferred_to_the_proposed_one() -> None:
    large = world({Y: 3}, {p: [half, half, 0], f: [5, 7, 9]})
    verdict = judge(statement(E(p(y), f(y)), "=", 0), worlds=[large])
    assert verdict.status == "refuted"
    assert verdict.counterexample.sizes[Y] == 1


def test_an_undefined_side_is_a_counterexample() -> None:
    assert refute(statement(log(parameter("n", NONNEGATIVE)), "=", log(parameter("n", NONNEGATIVE)))) is not None
