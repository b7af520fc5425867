"""The derivative of a minimum and a maximum: right where there is one, refused where two slopes meet."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from derivations.checker import reals
from derivations.checker.errors import StatementError
from derivations.checker.jets import Undefined
from derivations.checker.proof import ByCalculation, Unproved, algebra, begin, lemma, prove
from derivations.checker.statement import (
    Hypothesis,
    Obligation,
    Statement,
    assume,
    first_order,
    obligations,
    point,
    statement,
)
from derivations.checker.terms import (
    OPEN_UNIT,
    POSITIVE,
    REAL,
    D,
    Indicator,
    Size,
    Sort,
    Sum,
    Term,
    clip,
    define,
    differentiate,
    function,
    histories,
    maximum,
    minimum,
    parameter,
    recursion,
    term,
)
from derivations.checker.verdict import check, judge
from derivations.checker.wellformed import require
from derivations.checker.worlds import World, holds, world

d, e = parameter("d", REAL, depends=True), parameter("e", REAL, depends=True)
c = parameter("c", REAL)
positive = assume("d > 0", d, ">", 0)
at_zero = assume("d = 0", d, "=", 0)

T = Sort("T")
t = T.index("t")
new, old = function("π", T, domain=POSITIVE, depends=True), function("π_old", T, domain=POSITIVE)
gain, epsilon = function("Â", T), parameter("ε", OPEN_UNIT)
ratio = new(t) / old(t)
at_old = assume("θ = θ_old", new(t), "=", old(t), for_all=[t])
steps = minimum(ratio * gain(t), clip(ratio, 1 - epsilon, 1 + epsilon) * gain(t))
CLIPPED, PLAIN = Sum(t, steps) / Size(T), Sum(t, ratio * gain(t)) / Size(T)


def status(left: Term, right: Term | int, *standing: Hypothesis) -> str:
    return judge(statement(left, "=", right, standing=standing)).status


# --- what is true ---------------------------------------------------------------------------------------------------


def test_off_the_kink_it_is_the_slope_of_the_term_it_is() -> None:
    assert status(D(maximum(d, 0)), D(d), positive) == "proved"
    assert status(D(minimum(d, 0)), 0, positive) == "proved"
    between = (assume("1 < d", d, ">", 1), assume("d < 2", d, "<", 2))
    assert status(D(minimum(d * d, d, 5)), D(d), *between) == "proved"


def test_terms_that_meet_with_equal_slopes_make_no_kink() -> None:
    assert status(D(maximum(d**2, 0)), 0, at_zero) == "proved"
    assert status(D(minimum(d, d + e - e)), D(d)) == "proved"


def test_the_clipped_surrogate_has_the_gradient_of_the_plain_one_at_the_start() -> None:
    assert status(D(CLIPPED), D(PLAIN), at_old) == "proved"


# --- what is false --------------------------------------------------------------------------------------------------


def test_the_other_branch_is_refuted() -> None:
    assert status(D(maximum(d, 0)), 0, positive) == "refuted"
    assert status(D(minimum(d, 0)), D(d), positive) == "refuted"
    assert status(D(minimum(d, e)), D(e), assume("d < e", d, "<", e)) == "refuted"


@pytest.mark.parametrize("scale", [0, -1, 2])
def test_another_gradient_at_the_start_is_refuted(scale: int) -> None:
    assert status(D(CLIPPED), scale * D(PLAIN), at_old) == "refuted"


def test_away_from_the_start_the_gradients_differ() -> None:
    off = [assume(f"ratio ≠ {end!r}", ratio, "≠", end, for_all=[t]) for end in (1 - epsilon, 1 + epsilon)]
    assert status(D(CLIPPED), D(PLAIN), *off) == "refuted"


# --- what has no derivative -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "standing"),
    [
        (maximum(d, 0), ()),
        (maximum(d, 0), (at_zero,)),
        (minimum(d, e), (assume("d = e", d, "=", e),)),
        (minimum(d, 2 * d, 3), (at_zero,)),
        (maximum(d, 0) - maximum(d, 0), ()),
        (c * maximum(d, 0), (assume("c = 0", c, "=", 0),)),
        (maximum(d, 0) ** 2, ()),
        (clip(d, 0, 1), (assume("d ≥ 0", d, "≥", 0), assume("d < 1", d, "<", 1))),
    ],
)
def test_at_a_kink_it_is_refused(value: Term, standing: tuple[Hypothesis, ...]) -> None:
    with pytest.raises(StatementError, match="where two terms meet"):
        require(statement(D(value), "=", 0, standing=standing))


def test_the_clipped_surrogate_is_refused_where_a_ratio_may_be_at_the_end_of_the_range() -> None:
    with pytest.raises(StatementError, match="where two terms meet"):
        require(statement(D(CLIPPED), "=", D(PLAIN)))
    at_end = assume("ratio = 1 + ε", new(t), "=", (1 + epsilon) * old(t), for_all=[t])
    with pytest.raises(StatementError, match="where two terms meet"):
        require(statement(D(CLIPPED), "=", D(PLAIN), standing=[at_end]))


def test_equal_first_slopes_do_not_give_a_second_one() -> None:
    with pytest.raises(StatementError, match="where two terms meet"):
        require(statement(D(D(maximum(d**2, 2 * d**2))), "=", 0, standing=[at_zero]))
    require(statement(D(D(maximum(d**2, 2 * d**2))), "=", 0, standing=[positive]))


def test_a_kink_in_a_definition_is_seen() -> None:
    relu = function("V", T, depends=True)
    rule = define(relu(t), maximum(new(t) - 1, 0))
    with pytest.raises(StatementError, match="where two terms meet"):
        require(statement(D(relu(t)), "=", 0, definitions=[rule]))
    off = assume("π > 1", new(t), ">", 1, for_all=[t])
    assert judge(statement(D(relu(t)), "=", D(new(t)), standing=[off], definitions=[rule])).status == "proved"
    # Without a derivative a kink is no matter.
    assert judge(statement(relu(t), "≥", 0, definitions=[rule])).status == "proved"


def test_a_kink_in_a_recursion_is_seen() -> None:
    steps_taken = histories("H", step=[T])
    h = steps_taken.index("h")
    relu = function("V", steps_taken, depends=True)
    rule = recursion(relu, start=lambda: 0, step=lambda h, t: relu(h) + maximum(new(t) - old(t), 0))
    for standing in ([], [at_old]):
        with pytest.raises(StatementError, match="where two terms meet"):
            require(statement(D(relu(h)), "=", 0, standing=standing, recursions=[rule]))
    below = assume("π < π_old", new(t), "<", old(t), for_all=[t])
    assert judge(statement(D(relu(h)), "=", 0, standing=[below], recursions=[rule])).status == "proved"


def test_a_line_that_differentiates_a_kinked_definition_is_rejected() -> None:
    relu = function("V", T, depends=True)
    rule = define(relu(t), maximum(new(t) - 1, 0))
    given = statement(relu(t), "=", relu(t), definitions=[rule])
    detour = begin(relu(t)).then("=", relu(t) + 0 * D(relu(t)), algebra).then("=", relu(t), algebra)
    with pytest.raises(Unproved, match="where two terms meet"):
        prove(given, detour)


def test_a_lemma_on_derivatives_is_not_used_across_a_kink() -> None:
    square = statement(D(e * e), "=", 2 * e * D(e))
    kink = maximum(d, 0)

    def known(name: str) -> Statement:
        return square

    wanted = statement(d * d, "=", d * d)
    with pytest.raises(Unproved, match="where two terms meet"):
        prove(wanted, ByCalculation((lemma("square", {e.function: lambda: kink}),)), known)


def test_a_kink_at_the_point_of_a_first_order_statement_is_not_overlooked() -> None:
    at_point = first_order(at=point("θ_old", {new: old}))
    assert check(Sum(t, maximum(ratio, 1) * gain(t)), at_point, Sum(t, gain(t))).status != "proved"
    assert check(Sum(t, minimum(ratio, 1) * gain(t)), at_point, Sum(t, ratio * gain(t))).status != "proved"


# --- against exact evaluation ---------------------------------------------------------------------------------------


def drawn(draw: random.Random, depth: int) -> Term:
    """A random term with many minima and maxima."""
    if depth == 0:
        return draw.choice([d, e, c, term(0), term(1)])
    first, second = drawn(draw, depth - 1), drawn(draw, draw.randint(0, depth - 1))
    return draw.choice(
        [
            first + second,
            first - second,
            first * second,
            minimum(first, second),
            maximum(first, second),
            minimum(first, second, d),
            clip(first, second, e),
        ]
    )


def is_met(obligation: Obligation, here: World) -> bool:
    """Whether what an obligation asks for holds in a world, or its guards do not."""
    try:
        for guard in obligation.guards:
            assert isinstance(guard, Indicator)
            if not holds(here.value(guard.left), guard.relation, here.value(guard.right)):
                return True
    except Undefined:
        return False
    return bool(holds(here.value(obligation.what), "≠", reals.ZERO))


def test_worked_out_by_rule_or_from_the_tables_it_is_the_same() -> None:
    draw = random.Random(5)
    values = [Fraction(v) for v in ("0", "1", "-1", "2", "1/2")]
    compared = refused = 0
    for _ in range(1500):
        value = drawn(draw, draw.randint(1, 3))
        slopes = {symbol: draw.choice(values) for symbol in (d, e)}
        here = world({}, {symbol: draw.choice(values) for symbol in (c, d, e)}, slopes=slopes)
        if not all(is_met(obligation, here) for obligation in obligations(D(value))):
            refused += 1
            continue
        # What owes nothing has a value, and it is the one that the rule gives.
        assert reals.compare(here.value(D(value)), here.value(differentiate(value))) == 0, (value, here)
        compared += 1
    assert compared > 700 and refused > 200, (compared, refused)
