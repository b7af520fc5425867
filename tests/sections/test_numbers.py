"""The numbers that the claims name, evaluated in the very statements that are judged."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement
from derivations.checker.terms import Function, log, term
from derivations.checker.worlds import world
from derivations.ledger import Ledger
from derivations.sections import importance_sampling as vi
from derivations.sections import optimal_policy as x
from derivations.sections import policy_gradient as iv


def formal(ledger: Ledger, identifier: str) -> Statement:
    return ledger.assertions[identifier].formal


def test_is1_one_of_two_outcomes_is_never_drawn(ledger: Ledger) -> None:
    halves = world({vi.Y: 2}, {vi.p: [Fraction(1, 2), Fraction(1, 2)], vi.q: [1, 0], vi.f: [1, 1]})
    found = fails_in(formal(ledger, "IS.1.without"), halves)
    assert found is not None and (found.left, found.right) == ("1", "1/2")


def test_pg1_the_two_sides_differ_by_one_for_the_uniform_law(ledger: Ledger) -> None:
    instance = iv._uniform_on_zero_to_theta()
    assert instance(iv.PG1_LEFT) == Fraction(1, 2)
    assert instance(iv.PG1_RIGHT) == Fraction(-1, 2)


def test_pg7_no_bias_for_opposite_rewards_and_a_fair_coin(ledger: Ledger) -> None:
    for q in (Fraction(1, 3), Fraction(1, 5), Fraction(4, 5)):
        fair = world(
            {},
            {iv.chance: Fraction(1, 2), iv.old_chance: q, iv.r0: 1, iv.r1: -1},
            slopes={iv.chance: Fraction(1, 4)},
        )
        assert fails_in(formal(ledger, "PG.7.always"), fair) is not None


@pytest.mark.parametrize(
    ("p", "q", "r0", "r1"), [(Fraction(1, 3), Fraction(3, 4), 2, 5), (Fraction(2, 5), Fraction(1, 7), -1, 3)]
)
def test_pg7_the_bias_is_what_its_formula_says(p: Fraction, q: Fraction, r0: int, r1: int) -> None:
    at = world({}, {iv.chance: p, iv.old_chance: q, iv.r0: r0, iv.r1: r1}, slopes={iv.chance: p * (1 - p)})
    by_hand = q * (1 - p) * r0 - (1 - q) * p * r1 - p * (1 - p) * (r0 - r1)
    assert at(iv.bias) == by_hand == (q - p) * ((1 - p) * r0 + p * r1)


def test_pg10_a_step_of_two_from_a_fifth_falls_to_four_hundredths(ledger: Ledger) -> None:
    at = world({}, {iv.arm_chance: Fraction(1, 5), iv.alpha: 2})
    assert at(iv.arm_step) == Fraction(2, 5)
    found = fails_in(formal(ledger, "PG.10.any"), at)
    assert found is not None and (found.left, found.right) == ("1/25", "3/50")


def test_pg11_two_fair_coins(ledger: Ledger) -> None:
    half = Fraction(1, 2)
    coins = world(
        {iv.A: 2, iv.B: 2},
        {iv.first_policy: [half, half], iv.first_reward: [0, 1], iv.second_reward: [0, -3]},
        indices={iv.a: 1, iv.bb: 1},
    )
    assert coins(iv.better.left) == half
    assert coins(iv.first_reward(iv.a) + iv.second_reward(iv.bb)) == -2
    assert fails_in(formal(ledger, "PG.11"), coins) is not None


def test_op4_the_binomial_of_nine_tenths_is_nearer_in_reverse(ledger: Ledger) -> None:
    found = fails_in(formal(ledger, "OP.4.reverse"), world({}, {x.share: Fraction(9, 10)}))
    assert found is not None


def test_op4_a_family_of_two_is_ranked_differently(ledger: Ledger) -> None:
    given = formal(ledger, "OP.4")
    assert fails_in(given, x._two_candidates()) is None
    dropped = given.without(x.contains)
    assert fails_in(dropped, x._two_candidates()) is not None


def test_op9_the_series_of_the_claims() -> None:
    assert x._geometric("3/2")(x.far_z) == 2
    assert x._geometric("2")(x.far_z).is_infinite


def test_op9_the_uniform_policy_is_worth_log_of_half_n() -> None:
    import sympy

    instance = x._geometric("2", uniform_on=True)
    n = instance.parameters[x.count]
    value = instance(_uniform_value())
    assert sympy.simplify(sympy.expand_log(value - sympy.log(n / 2), force=True)) == 0


def _uniform_value() -> object:
    (part,) = [p for c in x.CLAIMS for p in c.parts if p.id == "OP.9.infinite"]
    return part.formal.left.body  # type: ignore[attr-defined]


def test_op11_the_regret_of_the_reference_in_a_world(ledger: Ledger) -> None:
    # π_ref = (½, ½), r = (0, log 2), β = 1: z = 3/2, π* = (⅓, ⅔); J(π*) = log 3/2, J(π_ref) = ½ log 2.
    half = Fraction(1, 2)
    tables: dict[object, object] = {
        x.policy: {(0, 0): half, (1, 0): half},
        x.reference: {(0, 0): half, (1, 0): half},
        x.reward: {(0, 0): term(0), (1, 0): log(2)},
        x.beta: 1,
    }
    at = world({x.X: 1, x.Y: 2}, tables, indices={x.x: 0}, definitions=x.OPTIMUM)
    star = [at(x.star(x.y, x.x), y=k) for k in (0, 1)]
    assert star == [Fraction(1, 3), Fraction(2, 3)]
    expected = at(log(term(Fraction(3, 2))) - log(2) / 2)
    assert at(x.objective(x.star) - x.J) == expected == at(x.beta * x.DIVERGENCE)


def test_op13_limits_are_what_small_and_large_beta_approach() -> None:
    """The limit's own engine is SymPy on terms; here the terms are evaluated at β = 1/200 and β = 10⁶."""
    from derivations.checker import reals

    third, two_thirds = Fraction(1, 3), Fraction(2, 3)
    for scale, limit in ((Fraction(1, 200), (0, 1)), (Fraction(10**6), (third, two_thirds))):
        tables: dict[Function, object] = {x.base_reference: [third, two_thirds], x.base_reward: [0, 1]}
        at = world({x.Y: 2}, {**tables, x.beta: scale})
        for k in (0, 1):
            value = reals.ball(at.value(x.tempered(x.base_reward, x.w), {x.y: k}))
            assert abs(float(value.mid()) - limit[k]) < 1e-5
