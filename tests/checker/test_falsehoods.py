"""What must never be proved: false statements, wrong proofs of true ones, and what has no meaning as written.

Each falsehood is put to the prover alone first, so that the refuter cannot hide a rule that is too generous.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path as FilePath

import pytest

import derivations
from derivations.checker import wellformed
from derivations.checker.calculus import prove_limit
from derivations.checker.errors import BadInput, StatementError
from derivations.checker.proof import (
    Argumentation,
    ByCalculation,
    ByInduction,
    Derivation,
    Lemmas,
    Unproved,
    algebra,
    arithmetics,
    begin,
    differentiation,
    hypothesis,
    laws_sum_to_one,
    lemma,
    logarithms,
    no_lemmas,
    pointwise,
    prove,
    strictly,
)
from derivations.checker.refute import refute
from derivations.checker.statement import (
    Dominated,
    Statement,
    Summable,
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
    Cases,
    D,
    Delta,
    Domain,
    E,
    Index,
    Indicator,
    Length,
    Size,
    Sort,
    Sum,
    Term,
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
)
from derivations.checker.verdict import Verdict, check, judge
from derivations.checker.worlds import world
from derivations.ledger import CircularLemmas, Ledger
from derivations.sections.claim import Assertion, Claim

X, Y = Sort("X"), Sort("Y")
T = Sort("T", infinite=True)
H = histories("H", step=[Y])
x = X.index("x")
y, z, v, a, b = Y.indices("y z v a b")
tau = T.index("τ")
h = H.index("h")

p, q, π = law("p", Y), law("q", Y), law("π", Y)
full, full2 = law("p₊", Y, positive=True), law("q₊", Y, positive=True)
moving = law("p_θ", Y, depends=True)
kernel = law("k", Y, given=[Y])
f, g = function("f", Y), function("g", Y)
F2, G2 = function("F₂", Y, Y), function("G₂", Y, Y)
c, d = parameter("c", REAL), parameter("d", REAL, depends=True)
n, m = parameter("n", NONNEGATIVE), parameter("m", NONNEGATIVE)
u, β = parameter("u", POSITIVE), parameter("β", POSITIVE)
half = Fraction(1, 2)


def unproved(given: Statement, argument: Argumentation | None = None, lemmas: Lemmas = no_lemmas) -> None:
    """The statement is refused as written, or the prover alone finds no proof."""
    try:
        wellformed.require(given)
    except StatementError:
        return
    with pytest.raises(Unproved):
        prove(given, argument, lemmas)


def refuted(given: Statement) -> None:
    unproved(given)
    assert judge(given).status == "refuted"


def known(**claims: Statement) -> Lemmas:
    return lambda name: claims[name]


# --- sizes ----------------------------------------------------------------------------------------------------------


def size_is_none_of(*sizes: int) -> Term:
    product: Term = c
    for size in sizes:
        product = product * (Size(Y) - size)
    return product


def test_true_for_two_actions_only() -> None:
    refuted(statement(Sum(y, f(y)) * (Size(Y) - 1), "=", Sum(y, f(y)) * (Size(Y) - 1) ** 2))


def test_the_second_of_two_arms_is_one_minus_the_first_but_not_of_three() -> None:
    refuted(statement((1 - Delta(y, z)) * p(z), "=", (1 - Delta(y, z)) * (1 - p(y))))


def test_true_below_four() -> None:
    refuted(statement(size_is_none_of(1, 2, 3), "=", 0))


def test_true_below_five() -> None:
    refuted(statement(size_is_none_of(1, 2, 3, 4), "=", 0))


def test_true_below_every_size_that_is_searched() -> None:
    unproved(statement(size_is_none_of(*range(1, 30)), "=", 0))


def test_true_on_one_element_only() -> None:
    refuted(statement(Sum(y, f(y)), "=", f(z)))


def test_a_history_is_longer_than_two_steps() -> None:
    refuted(statement(Length(H) * (Length(H) - 1), "=", 0))


# --- support --------------------------------------------------------------------------------------------------------


def test_true_on_full_support_only() -> None:
    refuted(statement(E(q(y), p(y) / q(y)), "=", 1))
    assert check(E(full(y), p(y) / full(y)), "=", 1).status == "proved"


def test_importance_weights_with_the_cover_the_wrong_way_round() -> None:
    refuted(statement(E(q(y), p(y) / q(y) * f(y)), "=", E(p(y), f(y)), standing=[covers(p(y), q(y))]))


def test_x_over_x_is_refused_where_x_may_be_zero() -> None:
    with pytest.raises(StatementError, match="division"):
        check(c / c, "=", 1)


def test_under_an_expectation_x_over_x_is_an_indicator() -> None:
    refuted(statement(E(p(y), p(y) / p(y)), "=", Size(Y)))
    assert check(E(p(y), p(y) / p(y)), "=", 1).status == "proved"
    refuted(statement(Sum(y, E(p(z), Delta(y, z) / p(z))), "=", Size(Y)))


def test_a_product_that_may_vanish_is_not_a_denominator() -> None:
    v_ = parameter("v", POSITIVE)
    with pytest.raises(StatementError):
        check((u * n + v_ * m) / (u * n + v_ * m), "=", 1)
    with pytest.raises(StatementError):
        check(log(u * n), "=", log(u) + log(n))


def test_a_cover_said_of_positive_values_says_nothing_of_negative_ones() -> None:
    cover = assume("q > 0 wherever f > 0", q(y), ">", 0, for_all=[y], given=Indicator(f(y), ">", term(0)))
    refuted(statement(f(y) * Indicator(q(y), "≠", term(0)), "=", f(y), standing=[cover]))


def test_the_derivative_of_a_sum_over_a_moving_support_has_no_guard() -> None:
    with pytest.raises(StatementError, match="logarithm"):
        check(D(E(moving(y), log(moving(y)))), "=", Sum(y, D(moving(y)) * log(moving(y))))


# --- laws -----------------------------------------------------------------------------------------------------------


def test_a_law_is_not_summed_over_another_set() -> None:
    with pytest.raises(StatementError, match="expected"):
        Sum(x, p(x))


def test_a_square_of_a_law_does_not_sum_to_one() -> None:
    refuted(statement(Sum(y, p(y) ** 2), "=", 1))


def test_a_product_of_two_laws_does_not_sum_to_one() -> None:
    refuted(statement(Sum(y, p(y) * q(y)), "=", 1))


def test_a_joint_law_does_not_sum_to_one_over_one_of_its_indices() -> None:
    joint = law("j", X, Y)
    refuted(statement(Sum(x, joint(x, y)), "=", 1))


def test_a_kernel_on_its_diagonal_does_not_sum_to_one() -> None:
    refuted(statement(Sum(y, kernel(y, y)), "=", 1))
    refuted(statement(Sum(y, kernel(y, y)), "≥", 1))


def test_a_kernel_does_not_sum_to_one_over_what_it_is_given() -> None:
    refuted(statement(Sum(z, kernel(y, z)), "=", 1))


def test_the_derivative_of_a_squared_law_does_not_sum_to_zero() -> None:
    refuted(statement(Sum(y, D(moving(y) ** 2)), "=", 0))


def test_an_expectation_keeps_its_index_when_its_law_is_known_to_equal_another() -> None:
    other = law("l", X, given=[Y])
    unproved(statement(E(p(y), f(y)), "=", f(z), standing=[assume("p = l", p(y), "=", other(x, y), for_all=[y])]))


# --- indices --------------------------------------------------------------------------------------------------------


def test_an_assumption_on_one_index_says_nothing_of_a_bound_one_of_that_name() -> None:
    try:
        given = statement(Sum(z, f(z)), "=", Size(Y), standing=[assume("f(z) = 1", f(z), "=", 1)])
    except StatementError:
        return
    refuted(given)


@pytest.mark.parametrize("name", ["#0.0", "#1.0", "·summed", "·1", "y·1"])
def test_no_name_is_taken_for_one_that_the_checker_makes_up(name: str) -> None:
    try:
        odd = Index(name, Y)
        given = statement(Sum(y, f(y) * g(odd)), "=", Sum(y, f(y) * g(y)))
    except StatementError:
        return
    refuted(given)


def test_a_delta_puts_both_factors_of_a_nested_product_at_one_index() -> None:
    refuted(statement(Sum(b, Delta(a, b) * exp(f(a) * f(b))), "=", exp(f(a))))


def test_a_delta_does_not_lose_the_factor_of_a_denominator() -> None:
    weight = function("w", Y, Y, domain=POSITIVE)
    denominator = Sum(z, weight(z, a)) + Sum(v, weight(v, b))
    refuted(statement(Sum(b, Delta(a, b) * (Sum(y, weight(y, a)) / denominator)), "=", 1))


def test_a_delta_between_free_indices_is_not_dropped() -> None:
    refuted(statement(Delta(a, b) * f(a), "=", f(b)))


def test_an_assumed_sum_of_products_is_not_an_assumed_sum() -> None:
    gram = assume("Σ F F = G", Sum(y, F2(y, a) * F2(y, b)), "=", G2(a, b), for_all=[a, b])
    unproved(statement(Sum(y, F2(y, a)), "=", G2(a, a), standing=[gram]))


def test_names_of_bound_indices_do_not_capture() -> None:
    refuted(statement(Sum(y, f(y) * Sum(z, g(z))), "=", Sum(y, f(y) * g(y))))
    refuted(statement(exp(Sum(y, f(y))) * g(z), "=", exp(Sum(y, g(z))) * g(z)))


# --- logarithms and inequalities ------------------------------------------------------------------------------------


def test_kl_is_not_symmetric() -> None:
    refuted(statement(kl(full, full2, y), "=", kl(full2, full, z)))


def test_gibbs_reversed() -> None:
    refuted(statement(kl(p, full, y), "≤", 0))


def test_gibbs_is_not_strict() -> None:
    refuted(statement(kl(full, full2, y), ">", 0))


def test_jensen_reversed() -> None:
    refuted(statement(log(E(full(y), exp(f(y)))), "≤", E(full(z), f(z))))


def test_cauchy_schwarz_reversed() -> None:
    refuted(statement(E(p(y), f(y)) ** 2, "≥", E(p(z), f(z) ** 2)))


def test_the_logarithm_of_a_sum_is_not_the_sum_of_logarithms() -> None:
    refuted(statement(log(u + β), "=", log(u) + log(β)))


def test_an_exponential_of_half_is_not_half_of_an_exponential() -> None:
    refuted(statement(exp(c / 2), "=", exp(c) / 2))


def test_the_logarithm_of_a_square_needs_a_sign() -> None:
    odd = assume("c ≠ 0", c, "≠", 0)
    refuted(statement(exp(log(c**2) / 2), "=", c, standing=[odd]))


def test_a_sum_is_strict_at_an_index_only_where_its_summand_is() -> None:
    large = function("f₃", Y, domain=Domain(lower=Fraction(3)))
    spread = statement(Sum(y, full(y) * (large(y) - large(z)) ** 2), ">", 0)
    refuted(spread)
    unproved(spread, begin(spread.left).then(">", 0, strictly(z)))


def test_the_entropy_bonus_with_the_wrong_sign() -> None:
    refuted(statement(E(p(y), log(p(y))), "≥", 0))


def test_the_minimum_is_not_above_the_mean() -> None:
    refuted(statement(minimum(c, d), "≥", (c + d) / 2))


# --- values with the wrong sign -------------------------------------------------------------------------------------

V = function("V", X)
Q = function("Q", Y, X)
policy = law("π", Y, given=[X])
value = define(V(x), E(policy(y, x), Q(y, x)))


def test_the_advantage_has_mean_zero_and_its_neighbour_has_not() -> None:
    assert check(E(policy(y, x), Q(y, x) - V(x)), "=", 0, definitions=[value]).status == "proved"
    refuted(statement(E(policy(y, x), Q(y, x) + V(x)), "=", 0, definitions=[value]))


def test_the_value_is_not_minus_the_expectation() -> None:
    refuted(statement(V(x), "=", -E(policy(y, x), Q(y, x)), definitions=[value]))


def test_the_value_is_no_plain_sum() -> None:
    refuted(statement(V(x), "=", Sum(y, Q(y, x)), definitions=[value]))


# --- derivatives ----------------------------------------------------------------------------------------------------


def test_a_definition_that_depends_on_theta_without_saying_so_is_refused() -> None:
    silent = define(V(x), E(law("π_θ", Y, given=[X], depends=True)(y, x), Q(y, x)))
    with pytest.raises(StatementError, match="depends=True"):
        check(D(V(x)), "=", 0, definitions=[silent])


def test_a_recursion_that_depends_on_theta_without_saying_so_is_refused() -> None:
    total_ = function("R", H)
    silent = recursion(total_, start=lambda: 0, step=lambda h, y: total_(h) + moving(y))
    with pytest.raises(StatementError, match="depends=True"):
        check(D(total_(h)), "=", 0, recursions=[silent])


def test_a_definition_that_says_so_has_a_derivative() -> None:
    V_ = function("V", X, depends=True)
    told = define(V_(x), E(law("π_θ", Y, given=[X], depends=True)(y, x), Q(y, x)))
    refuted(statement(D(V_(x)), "=", 0, definitions=[told]))


def test_what_is_free_of_theta_is_so_because_it_was_declared_so() -> None:
    assert check(D(c), "=", 0).status == "proved"
    refuted(statement(D(d), "=", 0))


def test_the_product_rule_without_its_second_half() -> None:
    refuted(statement(D(d * d), "=", d * D(d)))


def test_the_derivative_of_an_expectation_without_that_of_the_law() -> None:
    gain = function("G", Y, depends=True)
    refuted(statement(D(E(moving(y), gain(y))), "=", E(moving(y), D(gain(y)))))


def test_the_derivative_of_a_logarithm_without_its_denominator() -> None:
    e = parameter("e", POSITIVE, depends=True)
    refuted(statement(D(log(e)), "=", D(e)))


def test_a_kink_has_no_derivative() -> None:
    with pytest.raises(StatementError, match="where two terms meet"):
        check(D(maximum(d, 0)), "=", D(d) * Indicator(d, ">", term(0)))
    away = assume("d ≠ 0", d, "≠", 0)
    assert judge(statement(D(maximum(d, 0)), "=", D(maximum(0, d)), standing=[away])).status == "proved"
    unproved(statement(D(minimum(d, 0) + maximum(d, 0)), "=", D(d)))
    # Equal to itself only where it is defined, as with a logarithm.
    unproved(statement(D(maximum(d, 0)), "=", D(maximum(0, d))))


def test_an_equation_between_values_means_the_same_however_it_is_written() -> None:
    plain = judge(statement(D(d), "=", 0, assuming=[assume("d", d, "=", half)]))
    scaled = judge(statement(D(d), "=", 0, assuming=[assume("d", 2 * d, "=", 1)]))
    assert plain.status == scaled.status


def test_gradient_and_infinite_sum_do_not_exchange_for_nothing() -> None:
    law_, gain = law("p_T", T, depends=True), function("G", T)
    left, right = D(Sum(tau, law_(tau) * gain(tau))), Sum(tau, D(law_(tau)) * gain(tau))
    unproved(statement(left, "=", right))
    once = Dominated(tau, law_(tau) * gain(tau), "dominated")
    unproved(statement(D(left), "=", Sum(tau, D(D(law_(tau))) * gain(tau)), standing=[once]))


# --- infinite sets --------------------------------------------------------------------------------------------------


def test_a_divergent_sum_is_not_split() -> None:
    wild, tame = function("w", T), law("p_T", T)
    unproved(statement(Sum(tau, wild(tau) - wild(tau)), "=", 0))
    unproved(statement(Sum(tau, wild(tau) + tame(tau)), "=", Sum(tau, wild(tau)) + 1))


def test_a_constant_is_not_summed_over_an_infinite_set() -> None:
    unproved(statement(Sum(tau, c), "=", c * Size(T)))


def test_one_summable_function_does_not_make_another_summable() -> None:
    wild, tame = function("w", T), function("t", T)
    given = [Summable(tau, tame(tau), "tame")]
    unproved(statement(Sum(tau, wild(tau) + tame(tau)), "=", Sum(tau, wild(tau)) + Sum(tau, tame(tau)), standing=given))


def test_histories_of_infinitely_many_steps_are_an_infinite_set() -> None:
    for paths in (histories("G", step=[T]), histories("G", start=[T], step=[Y])):
        path, wild = paths.index("g"), function("w_G", paths)
        unproved(statement(Sum(path, wild(path) - wild(path)), "=", 0))
        unproved(statement(Sum(path, c), "=", c * Size(paths)))


def test_the_slopes_of_an_infinite_law_sum_to_zero_under_a_bound_only() -> None:
    law_ = law("p_T", T, depends=True)
    total_ = statement(Sum(tau, D(law_(tau))), "=", 0)
    unproved(replace(total_, standing=(Summable(tau, D(law_(tau)), "Σ∣∇p∣ < ∞"),)))
    prove(replace(total_, standing=(Dominated(tau, law_(tau), "dominated"),)))


def test_first_order_at_a_point_exchanges_no_infinite_sum_for_nothing() -> None:
    law_, old, gain = law("p_T", T, depends=True), law("p_old", T), function("G", T)
    converge = [Summable(tau, law_(tau) * gain(tau), "now"), Summable(tau, old(tau) * gain(tau), "old")]
    flat = assume("∇p = 0", D(law_(tau)), "=", 0, for_all=[tau])
    left, right = (Sum(tau, each(tau) * gain(tau)) for each in (law_, old))
    unproved(statement(left, first_order(point("θ_old", {law_: old})), right, standing=[*converge, flat]))


def test_one_bound_does_not_do_for_two_derivatives() -> None:
    law_, gain = law("p_T", T, depends=True), function("G", T)
    twice = Sum(tau, D(D(law_(tau))) * gain(tau))
    given = [
        Dominated(tau, law_(tau) * gain(tau), "dominated"),
        Summable(tau, D(D(law_(tau))) * gain(tau), "Σ∣∇²p·G∣ < ∞"),
    ]
    unproved(statement(D(D(Sum(tau, law_(tau) * gain(tau)))), "=", twice, standing=given))


# --- assumptions ----------------------------------------------------------------------------------------------------


def test_assumptions_that_contradict_each_other_prove_nothing() -> None:
    impossible = [assume("n < 0", n, "<", 0)]
    for given in (statement(0, "=", 1, standing=impossible), statement(0, "=", 1, assuming=impossible)):
        try:
            assert judge(given).status == "unknown"
        except StatementError:
            continue


def test_a_domain_without_a_number_in_it_is_refused() -> None:
    with pytest.raises(StatementError):
        check(parameter("e", Domain(lower=Fraction(2), upper=Fraction(1))), "=", 7)


def test_a_circle_of_equations_is_no_proof() -> None:
    circle = [assume("f = g", f(y), "=", g(y), for_all=[y]), assume("g = f + 1", g(y), "=", f(y) + 1, for_all=[y])]
    unproved(statement(f(y), "=", g(z), standing=circle))


def test_an_unneeded_hypothesis_is_removed() -> None:
    verdict = check(c + c, "=", 2 * c, assuming=[assume("c > 0", c, ">", 0)])
    assert verdict.status == "proved"
    assert "not needed" in verdict.note


def test_a_needed_hypothesis_is_kept() -> None:
    verdict = check(c**2, ">", 0, assuming=[assume("c ≠ 0", c, "≠", 0)])
    assert verdict.status == "conditional"
    assert [name for name, _ in verdict.needed] == ["c ≠ 0"]


# --- equations ------------------------------------------------------------------------------------------------------


def refused_or_unproved(make: Callable[[], Statement], argument: Argumentation | None = None) -> None:
    try:
        given = make()
    except StatementError:
        return
    unproved(given, argument)


def test_a_function_is_not_defined_twice() -> None:
    refused_or_unproved(lambda: statement(f(y), "=", 2, definitions=[define(f(y), 1), define(f(y), 2)]))


def test_a_recursion_is_not_given_twice() -> None:
    R = function("R", H)
    zero = recursion(R, start=lambda: 0, step=lambda h, y: R(h))
    one = recursion(R, start=lambda: 1, step=lambda h, y: R(h))
    refused_or_unproved(lambda: statement(R(h), "=", 1, recursions=[zero, one]))


def test_a_definition_in_a_circle_is_bad_input_or_unknown() -> None:
    try:
        verdict = check(f(y), "=", 1, definitions=[define(f(y), f(y) + 1)])
    except StatementError:
        return
    assert verdict.status == "unknown"


def test_a_recursion_names_no_index_of_its_own() -> None:
    R = function("R", H)
    refused_or_unproved(
        lambda: statement(
            R(h),
            "=",
            Length(H) * f(a),
            recursions=[recursion(R, start=lambda: 0, step=lambda h, y: R(h) + f(a))],
        )
    )


def test_a_law_by_definition_must_sum_to_one() -> None:
    with pytest.raises(StatementError, match="sum to one"):
        check(Sum(y, q(y)), "=", 1, definitions=[define(q(y), p(y) ** 2)])


def test_a_law_by_recursion_must_sum_to_one() -> None:
    walk = law("w", H)
    double = recursion(walk, start=lambda: 1, step=lambda h, y: walk(h) * p(y) * 2)
    with pytest.raises(StatementError, match="sum to one"):
        check(Sum(h, walk(h)), "=", 1, recursions=[double])


def test_a_definition_must_stay_in_its_domain() -> None:
    with pytest.raises(StatementError, match="stay in"):
        check(n, "≥", 0, definitions=[define(n, c)])  # type: ignore[arg-type]


# --- induction ------------------------------------------------------------------------------------------------------

R = function("R", H)
returns = recursion(R, start=lambda: 0, step=lambda h, y: R(h) + f(y))


def test_a_base_that_fails() -> None:
    refuted(statement(R(h) * 0 + Length(H), ">", 0, recursions=[returns]))


def test_a_step_that_fails() -> None:
    refuted(statement(R(h), "=", 0, recursions=[returns]))


def test_an_assumption_on_the_length_does_not_skip_the_first_length() -> None:
    some = assume("t ≥ 1", Length(H), "≥", 1)
    unproved(statement(Length(H), "=", 0, standing=[some]), ByInduction())


def test_an_assumption_on_one_history_is_not_carried_along() -> None:
    here = assume("R(h) = 0", R(h), "=", 0)
    unproved(statement(R(h) * f(y), "=", f(y), standing=[here], recursions=[returns]), ByInduction())


def test_the_length_inside_a_recursion_means_one_thing() -> None:
    count = function("N", H)
    # Read as the length of the shorter history this is t(t − 1)/2, read as that of the statement t².
    refused_or_unproved(
        lambda: statement(
            2 * count(h),
            "=",
            Length(H) * (Length(H) - 1),
            recursions=[recursion(count, start=lambda: 0, step=lambda h, y: count(h) + Length(H))],
        )
    )


def test_a_definition_is_not_used_at_the_horizon() -> None:
    W = function("W", H)
    bellman = define(W(h), 0)
    unproved(statement(W(h), "=", 0, definitions=[bellman]), ByInduction())


# --- first order, same maximiser ------------------------------------------------------------------------------------

new, old = law("π_θ", Y, positive=True, depends=True), law("π_old", Y, positive=True)
at_old = first_order(point("θ_old", {new: old}))


def test_equal_at_a_point_is_not_equal_to_first_order() -> None:
    refuted(statement(new(y), at_old, old(y)))


def test_a_minimum_is_not_constant_to_first_order() -> None:
    k = parameter("k", OPEN_UNIT)
    refuted(statement(minimum(new(y), k), at_old, minimum(old(y), k)))


def test_a_point_gives_a_law_for_a_law() -> None:
    weight = function("w", Y, domain=POSITIVE)
    refused_or_unproved(lambda: statement(E(new(y), f(y)), first_order(point("w", {new: weight})), E(new(y), f(y))))


def test_same_maximiser_sees_the_policy_inside_a_recursion() -> None:
    S_ = function("S", H)
    inside = recursion(S_, start=lambda: 0, step=lambda h, y: S_(h) + π(y) * f(y))
    aim = E(π(y), f(y))
    with pytest.raises(StatementError, match="depends on π"):
        statement(aim - 3 * Sum(h, S_(h)), same_maximiser(π), aim, recursions=[inside])


def test_same_maximiser_is_not_refuted_through_a_definition() -> None:
    W = parameter("W", REAL)
    named = define(W, E(π(y), f(y)))  # type: ignore[arg-type]
    given = statement(W - E(π(z), f(z)), same_maximiser(π), 0, definitions=[named])
    assert judge(given).status == "proved"


def test_minus_the_objective_has_other_maximisers() -> None:
    refuted(statement(E(π(y), f(y)), same_maximiser(π), -E(π(y), f(y))))


def test_an_assumption_on_the_policy_is_read_alike_by_both_engines() -> None:
    """As one on every policy of the class, or on one of the two that are compared: not the one here, the other there."""
    flat = assume("E[g] = 0", Sum(y, π(y) * g(y)), "=", 0)
    aim = E(π(y), f(y))
    given = statement(aim + E(π(z), g(z)), same_maximiser(π), aim, standing=[flat])
    found = refute(given)
    if found is None:
        prove(given)
    else:
        unproved(given)


# --- lemmas ---------------------------------------------------------------------------------------------------------


def test_a_lemma_is_not_used_where_its_condition_is_not_met() -> None:
    square = statement(c**2, ">", c, assuming=[assume("c > 1", c, ">", 1)])
    wanted = statement(c**2, ">", c)
    unproved(wanted, begin(c**2).then(">", c, lemma("square")), known(square=square))
    unproved(wanted, ByCalculation((lemma("square"),)), known(square=square))


def test_a_lemma_about_the_index_of_its_assumption_says_nothing_of_others() -> None:
    there = statement(f(z) ** 2, ">", 0, assuming=[assume("f(z) > 0", f(z), ">", 0)])
    wanted = statement(f(y) ** 2, ">", 0, standing=[assume("f(a) > 0", f(a), ">", 0)])
    for at in ({}, {z: y}, {z: a}):
        unproved(wanted, begin(wanted.left).then(">", 0, lemma("there", at=at)), known(there=there))
        unproved(wanted, ByCalculation((lemma("there", at=at),)), known(there=there))


def test_a_lemma_under_a_guard_of_another_kind_is_not_met() -> None:
    weak = assume("p > 0 where p ≥ 0", p(y), ">", 0, for_all=[y], given=Indicator(p(y), "≥", term(0)))
    support = statement(Indicator(p(z), "≠", term(0)), "=", 1, assuming=[weak])
    wanted = statement(Indicator(q(z), "≠", term(0)), "=", 1)
    argument = begin(wanted.left).then("=", 1, lemma("support", {p: q}, at={z: z}))
    unproved(wanted, argument, known(support=support))


def test_a_law_is_not_replaced_by_a_kernel_read_the_other_way() -> None:
    one = statement(Sum(y, p(y)), "=", 1)
    other = law("l", X, given=[Y])
    wanted = statement(Sum(y, other(x, y)), "=", 1)
    argument = begin(wanted.left).then("=", 1, lemma("one", {p: lambda i: other(x, i)}))
    unproved(wanted, argument, known(one=one))


def test_a_law_is_not_replaced_by_what_does_not_sum_to_one() -> None:
    one = statement(Sum(y, p(y)), "=", 1)
    wanted = statement(Sum(y, q(y) ** 2), "=", 1)
    unproved(wanted, ByCalculation((lemma("one", {p: lambda i: q(i) ** 2}),)), known(one=one))


def test_what_moves_with_theta_is_not_put_in_for_what_does_not() -> None:
    still = statement(D(c * d), "=", c * D(d))
    e = parameter("e", REAL, depends=True)
    wanted = statement(D(e * d), "=", e * D(d))
    unproved(wanted, ByCalculation((lemma("still", {c.function: lambda: e}),)), known(still=still))  # type: ignore[attr-defined]


def test_a_parameter_with_a_known_slope_is_not_replaced_by_one_without() -> None:
    θ = parameter("θ", REAL, slope=1)
    slope = statement(D(θ * θ), "=", 2 * θ)
    for other in (c, d):
        wanted = statement(D(other * other), "=", 2 * other)
        argument = begin(wanted.left).then("=", wanted.right, lemma("slope", {θ.function: other.function}))  # type: ignore[attr-defined]
        unproved(wanted, argument, known(slope=slope))


def test_a_function_with_a_sign_is_not_replaced_by_one_without() -> None:
    sign = statement(n * d**2, "≥", 0)
    wanted = statement(c * d**2, "≥", 0)
    argument = begin(wanted.left).then("≥", 0, lemma("sign", {n.function: c.function}))  # type: ignore[attr-defined]
    unproved(wanted, argument, known(sign=sign))


def test_the_parameter_of_a_limit_is_bound_in_a_lemma() -> None:
    vanishing = statement(limit(c / β, β, "∞"), "=", 0)
    captured = statement(limit(β / β, β, "∞"), "=", 0)
    argument = begin(captured.left).then("=", 0, lemma("vanishing", {c.function: lambda: β}))  # type: ignore[attr-defined]
    unproved(captured, argument, known(vanishing=vanishing))
    free = statement(limit(c / u, β, "∞"), "=", 0)
    argument = begin(free.left).then("=", 0, lemma("vanishing", {β.function: u.function}))  # type: ignore[attr-defined]
    unproved(free, argument, known(vanishing=vanishing))


def test_a_lemma_is_multiplied_by_what_is_not_negative_only() -> None:
    square = statement(c**2, "≥", 0)
    for factor in (-1, d):
        wanted = statement(factor * c**2, "≥", 0)
        unproved(wanted, begin(wanted.left).then("≥", 0, lemma("square", times=factor)), known(square=square))


def test_a_strict_lemma_times_zero_is_not_strict() -> None:
    strict = statement(c**2 + 1, ">", 0)
    wanted = statement(n * (c**2 + 1), ">", 0)
    unproved(wanted, begin(wanted.left).then(">", 0, lemma("strict", times=n)), known(strict=strict))


def test_an_inequality_is_no_equation() -> None:
    square = statement(c**2, "≥", 0)
    unproved(statement(c**2, "=", 0), begin(c**2).then("=", 0, lemma("square")), known(square=square))


def test_a_statement_of_existence_is_no_lemma() -> None:
    some = statement(c, "=", 1, exists=True)
    unproved(statement(c, "=", 1), begin(c).then("=", 1, lemma("some")), known(some=some))


def test_a_function_inside_an_equation_is_not_replaced() -> None:
    mean = statement(R(h), "=", Length(H) * c, standing=[assume("f", f(y), "=", c, for_all=[y])], recursions=[returns])
    wanted = statement(
        R(h), "=", Length(H) * c, standing=[assume("g", g(y), "=", c, for_all=[y])], recursions=[returns]
    )
    unproved(wanted, ByCalculation((lemma("mean", {f: g}),)), known(mean=mean))


def test_a_lemma_about_another_recursion_of_that_name_is_refused() -> None:
    zero = recursion(R, start=lambda: 0, step=lambda h, y: R(h))
    nothing = statement(R(h), "=", 0, recursions=[zero])
    unproved(statement(R(h), "=", 0, recursions=[returns]), ByCalculation((lemma("nothing"),)), known(nothing=nothing))


def test_domination_of_one_law_is_not_domination_of_another() -> None:
    one, two, gain = law("p_T", T, depends=True), law("q_T", T, depends=True), function("G", T)

    def exchange(law_: Callable[..., Term]) -> tuple[Term, Term]:
        return D(Sum(tau, law_(tau) * gain(tau))), Sum(tau, D(law_(tau)) * gain(tau))

    dominated = Dominated(tau, one(tau) * gain(tau), "dominated")
    left, right = exchange(two)
    wanted = statement(left, "=", right, standing=[dominated])
    argument = begin(left).then("=", right, lemma("exchange", {one: two}))
    unproved(wanted, argument, known(exchange=statement(*_infix(exchange(one)), standing=[dominated])))


def _infix(sides: tuple[Term, Term]) -> tuple[Term, str, Term]:
    return sides[0], "=", sides[1]


def claim(identifier: str, given: Statement, argument: Argumentation | None, stated: str = "proved") -> Claim:
    return Claim("IV", "test", "quote", "reading", Assertion(identifier, "words", stated, given, argument))


def test_two_claims_that_use_each_other_are_a_circle() -> None:
    wrong = statement(c, "=", d)
    ledger = Ledger(
        [
            claim("C.1", wrong, begin(c).then("=", d, lemma("C.2"))),
            claim("C.2", wrong, begin(c).then("=", d, lemma("C.1"))),
        ]
    )
    with pytest.raises(CircularLemmas, match=r"C\.1 → C\.2 → C\.1"):
        ledger.verdict("C.1")


def test_a_claim_that_uses_itself_is_a_circle() -> None:
    ledger = Ledger([claim("C.1", statement(c, "=", d), begin(c).then("=", d, lemma("C.1")))])
    with pytest.raises(CircularLemmas):
        ledger.verdict("C.1")


def test_a_refuted_claim_is_no_lemma() -> None:
    false = statement(c, "=", d)
    ledger = Ledger(
        [
            claim("C.1", statement(c + 1, "=", d + 1), begin(c + 1).then("=", d + 1, lemma("C.2"))),
            claim("C.2", false, None, "unknown"),
        ]
    )
    assert ledger.verdict("C.2").status == "refuted"
    with pytest.raises(Unproved, match=r"C\.2 is refuted"):
        ledger.lemma("C.2")
    assert ledger.verdict("C.1").status == "refuted"


def test_a_claim_that_nobody_knows_is_no_lemma() -> None:
    ledger = Ledger([claim("C.1", statement(c, "=", c), begin(c).then("=", c, lemma("C.9")))])
    with pytest.raises(BadInput, match=r"C\.9"):
        ledger.verdict("C.1")


# --- what holds at this θ, or at this index, only ---------------------------------------------------------------------

two = function("f_θ", Y, depends=True)
zero_here = assume("Σ f_θ = 0", Sum(y, two(y)), "=", 0)


def test_a_sum_that_is_zero_at_this_theta_does_not_stay_so() -> None:
    slope = statement(D(Sum(y, two(y))), "=", 0, standing=[zero_here])
    unproved(slope)
    unproved(slope, begin(slope.left).then("=", 0, hypothesis("Σ f_θ = 0")))
    switched = Cases(Indicator(d, ">", term(0)), Sum(y, two(y)), term(0))
    unproved(statement(D(switched), "=", 0, standing=[zero_here, assume("d ≠ 0", d, "≠", 0)]))


def test_a_slope_that_is_zero_at_this_theta_is_not_differentiated_in_a_case() -> None:
    switched = Cases(Indicator(c, ">", term(0)), D(d), term(0))
    moved = Cases(Indicator(d, ">", term(0)), d, term(0))
    flat = [assume("∇d = 0", D(d), "=", 0), assume("d ≠ 0", d, "≠", 0)]
    unproved(statement(D(switched), "=", 0, standing=flat))
    unproved(statement(D(D(moved)), "=", 0, standing=flat))


def test_equal_slopes_make_a_kink_smooth_once_only() -> None:
    larger = function("m_θ", depends=True)
    touching = [assume("d = 0", d, "=", 0), assume("∇d = 0", D(d), "=", 0)]
    defined = define(larger(), maximum(d, 2 * d))
    assert judge(statement(D(larger()), "=", 0, definitions=[defined], standing=touching)).holds
    unproved(statement(D(D(larger())), "=", 0, definitions=[defined], standing=touching))
    slope = function("s_θ", depends=True)
    through = [defined, define(slope(), D(larger()))]
    unproved(statement(D(slope()), "=", 0, definitions=through, standing=touching))


def test_a_law_that_moves_sums_to_one_at_every_theta() -> None:
    weight, path = function("w_θ", Y, domain=POSITIVE, depends=True), law("p_θ", H, depends=True)
    whole = function("w_H", H, domain=POSITIVE, depends=True)
    here = assume("Σ w = 1", Sum(y, weight(y)), "=", 1)
    slopes = statement(Sum(h, D(path(h))), "=", 0, standing=[here])
    walk = recursion(path, start=lambda: 1, step=lambda h, y: path(h) * weight(y))
    unproved(replace(slopes, recursions=(walk,)), ByCalculation())
    total_ = assume("Σ w_H = 1", Sum(h, whole(h)), "=", 1)
    unproved(replace(slopes, standing=(total_,), definitions=(define(path(h), whole(h)),)), ByCalculation())
    wanted = statement(Sum(y, D(weight(y))), "=", 0, standing=[here])
    argument = begin(wanted.left).then("=", 0, lemma("flat", {moving: weight}))
    unproved(wanted, argument, known(flat=statement(Sum(y, D(moving(y))), "=", 0)))


def test_a_jump_in_a_definition_has_no_slope() -> None:
    jump = function("j_θ", depends=True)
    for what in (Indicator(d, ">", term(0)), Cases(Indicator(d, ">", term(0)), d, 2 * d)):
        with pytest.raises(StatementError, match="a condition changes"):
            check(D(jump()), "=", D(jump()), definitions=[define(jump(), what)])


def test_what_is_assumed_of_one_index_is_not_assumed_of_that_of_a_definition() -> None:
    one = assume("f(y) > 0", f(y), ">", 0)
    high, entropy, sum_ = function("h₊", Y, domain=POSITIVE), function("l", Y), function("S₀", H, domain=NONNEGATIVE)
    unproved(statement(high(z), ">", 0, standing=[one], definitions=[define(high(y), f(y))]))
    unproved(statement(entropy(z), "=", entropy(z), standing=[one], definitions=[define(entropy(y), log(f(y)))]))
    inside = define(entropy(z), Sum(y, log(f(y))))
    unproved(statement(entropy(z), "=", entropy(z), standing=[one], definitions=[inside]))
    added = recursion(sum_, start=lambda: 0, step=lambda h, y: sum_(h) + f(y))
    unproved(statement(sum_(h), "≥", 0, standing=[one], recursions=[added]))
    everywhere = assume("log f > 0", log(f(y)), ">", 0, for_all=[y])
    unproved(statement(c, "=", c, standing=[one, everywhere]))


def test_what_is_assumed_of_one_index_is_not_assumed_of_that_of_a_replacement() -> None:
    high = function("h₊", Y, domain=POSITIVE)
    positive = statement(Sum(z, high(z)), ">", 0)
    wanted = statement(Sum(z, f(z)), ">", 0, standing=[assume("f(y) > 0", f(y), ">", 0)])
    argument = begin(wanted.left).then(">", 0, lemma("positive", {high: ((y,), f(y))}))
    unproved(wanted, argument, known(positive=positive))


def test_what_a_lemma_defines_is_meant_in_its_conditions_too() -> None:
    other = function("w", Y)
    where = assume("f ≥ 0 where w > 0", f(y), "≥", 0, for_all=[y], given=Indicator(other(y), ">", term(0)))
    kept = Sum(y, f(y) * Indicator(g(y), ">", term(0)))
    masked = statement(
        Sum(y, f(y) * Indicator(other(y), ">", term(0))), "≥", 0, standing=[where], definitions=[define(other(y), g(y))]
    )
    prove(masked)
    wanted = statement(kept, "≥", 0, standing=[where])
    unproved(wanted, begin(kept).then("≥", 0, lemma("masked")), known(masked=masked))


def test_a_value_on_histories_is_maximised_by_what_it_is_defined_by() -> None:
    choice, worth = law("π_H", Y, given=[H]), function("W", H)
    defined = define(worth(h), E(choice(y, h), f(y)))
    unproved(statement(worth(h), same_maximiser(over=choice), 0, definitions=[defined]))
    gathered = recursion(R, start=lambda: 0, step=lambda h, y: R(h) + worth(h))
    unproved(statement(R(h), same_maximiser(over=choice), 0, definitions=[defined], recursions=[gathered]))


def test_a_parameter_does_not_go_where_its_domain_does_not() -> None:
    share, many = parameter("s", OPEN_UNIT), parameter("N", Domain(lower=Fraction(1)))
    for given in (
        statement(limit(Indicator(term(2), "<", share), share, "∞"), "=", 0),
        statement(limit(Indicator(many, "<", term(half)), many, "0⁺"), "=", 0),
    ):
        with pytest.raises(Unproved, match="does not go to"):
            prove_limit(given)


# --- chains ---------------------------------------------------------------------------------------------------------

one = statement(Sum(y, p(y)), "=", 1)


def rejected(given: Statement, chain: Derivation, why: str) -> None:
    with pytest.raises(Unproved, match=why):
        prove(given, chain)


def test_a_true_line_with_a_wrong_reason() -> None:
    rejected(one, begin(one.left).then("=", 1, logarithms), "does not follow")


def test_a_true_line_with_algebra_for_a_law() -> None:
    rejected(one, begin(one.left).then("=", 1, algebra), "does not follow")


def test_a_true_line_with_a_reason_that_it_does_not_need() -> None:
    rejected(one, begin(one.left).then("=", 1, laws_sum_to_one, logarithms), "it holds without it")
    plain = statement(2 * c, "=", c + c)
    rejected(plain, begin(2 * c).then("=", c + c, differentiation), "it holds without it")


def test_a_false_line_between_true_ends() -> None:
    rejected(one, begin(one.left).then("=", 2, laws_sum_to_one).then("=", 1, algebra), "line 1")


def test_a_chain_without_lines() -> None:
    rejected(one, begin(one.left), "no lines")


def test_a_line_without_a_reason() -> None:
    with pytest.raises(StatementError, match="needs a reason"):
        begin(c).then("=", c)


def test_a_chain_that_ends_elsewhere() -> None:
    rejected(one, begin(one.left).then("=", Sum(z, p(z)) + 1, algebra), "ends at")


def test_a_chain_that_starts_elsewhere() -> None:
    rejected(one, begin(Sum(y, q(y))).then("=", 1, laws_sum_to_one), "starts at")


def test_at_most_does_not_prove_equal() -> None:
    given = statement(-(c**2), "=", 0)
    rejected(given, begin(-(c**2)).then("≤", 0, arithmetics), "the lines give ≤")


def test_relations_that_do_not_compose() -> None:
    given = statement(-(c**2), "=", c**2)
    chain = begin(-(c**2)).then("≤", 0, arithmetics).then("≥", -(d**2), arithmetics).then("≤", c**2, arithmetics)
    with pytest.raises((StatementError, Unproved), match="says nothing of its ends"):
        prove(given, chain)


def test_unequal_twice_says_nothing() -> None:
    chain = begin(term(0)).then("≠", 1, arithmetics).then("≠", 0, arithmetics)
    with pytest.raises((StatementError, Unproved), match="says nothing of its ends"):
        prove(statement(0, "≠", 0), chain)


def test_a_hypothesis_that_is_not_there() -> None:
    rejected(statement(c, "=", d), begin(c).then("=", d, hypothesis("c = d")), "no hypothesis")


def test_a_hypothesis_that_is_not_named_is_not_used() -> None:
    equal = assume("f = g", f(y), "=", g(y), for_all=[y])
    given = statement(Sum(y, f(y)), "=", Sum(y, g(y)), standing=[equal])
    rejected(given, begin(given.left).then("=", given.right, algebra), "does not follow")


def test_an_undefined_line_between_defined_ends() -> None:
    zero = assume("n = 0", n, "=", 0)
    given = statement(log(term(2)), "=", 0, standing=[zero])
    chain = begin(given.left).then("=", log(2 * n) - log(n), logarithms).then("=", 0, hypothesis("n = 0"))
    with pytest.raises((StatementError, Unproved)):
        prove(given, chain)


def test_pointwise_is_no_reason_for_equality_of_unequal_summands() -> None:
    given = statement(Sum(y, f(y)), "=", Sum(y, g(y)))
    rejected(given, begin(given.left).then("=", given.right, pointwise), "does not follow")


# --- what has no meaning as written ---------------------------------------------------------------------------------


def test_an_index_is_not_bound_twice() -> None:
    with pytest.raises(StatementError, match="bound twice"):
        Sum(y, Sum(y, f(y)))
    with pytest.raises(StatementError, match="bound twice"):
        E(kernel(y, y), f(y))


def test_an_index_is_not_bound_here_and_free_there() -> None:
    with pytest.raises(StatementError, match="bound in one place and free in another"):
        statement(Sum(y, f(y)) + f(y), "=", 0)


def test_one_name_has_one_sort() -> None:
    with pytest.raises(StatementError, match="two sorts"):
        Sum(Index("y", X), f(y))


def test_a_function_on_the_wrong_sort() -> None:
    with pytest.raises(StatementError, match="given indices over"):
        f(x)


def test_an_expectation_needs_a_law() -> None:
    with pytest.raises(StatementError, match="not a law"):
        E(f(y), g(y))


def test_a_parameter_needs_a_domain() -> None:
    with pytest.raises(StatementError, match="expected a Domain"):
        parameter("γ", "[0, 1]")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        parameter("γ")  # type: ignore[call-arg]


@pytest.mark.parametrize("number", [0.5, 1.0, float("nan"), True])
def test_a_float_is_no_exact_number(number: float) -> None:
    with pytest.raises(StatementError, match="expected"):
        check(c, "=", number)  # type: ignore[arg-type]
    with pytest.raises(StatementError, match="expected"):
        c * number  # type: ignore[operator]


def test_a_name_is_declared_once() -> None:
    with pytest.raises(StatementError, match="declared twice"):
        statement(parameter("c", REAL), "=", parameter("c", POSITIVE))


def test_a_probability_table_sums_to_one() -> None:
    with pytest.raises(BadInput, match=r"sums to 3/4; expected 1"):
        world({Y: 2}, {p: [half, Fraction(1, 4)]})


def test_a_discount_lies_in_its_interval() -> None:
    γ = parameter("γ", UNIT)
    with pytest.raises(BadInput, match=r"expected a value in \[0, 1\]"):
        world({}, {γ: Fraction(3, 2)})


def test_a_world_takes_no_floats() -> None:
    with pytest.raises(BadInput, match="expected an integer"):
        world({Y: 2}, {p: [0.5, 0.5]})


def test_nothing_keeps_this_denominator_from_zero() -> None:
    with pytest.raises(StatementError, match="nothing says that it is not zero"):
        check(1 / (c - d), "=", 1 / (c - d))


def test_nothing_keeps_this_logarithm_positive() -> None:
    with pytest.raises(StatementError, match="nothing says that it is positive"):
        check(E(q(y), log(p(y))), "≤", 0)


def test_an_unknown_relation() -> None:
    with pytest.raises(StatementError, match="expected one of"):
        check(c, "≈", c)


# --- what no engine decides is unknown, and nothing breaks ----------------------------------------------------------


def test_a_joint_law_of_histories_is_judged() -> None:
    joint = law("u", H, X)
    assert judge(statement(E(joint(h, x), R(h)), "=", 0, recursions=[returns])).status == "refuted"


def test_a_definition_by_an_infinite_sum_is_judged_or_refused() -> None:
    square = define(n, Sum(tau, function("G", T)(tau) ** 2))  # type: ignore[arg-type]
    try:
        assert judge(statement(n, "≥", 0, definitions=[square])).status in ("proved", "unknown")
    except StatementError:
        return


def test_an_assumption_on_an_infinite_sum_does_no_harm_elsewhere() -> None:
    finite_total = assume("Σ G = 1", Sum(tau, function("G", T)(tau)), "=", 1)
    assert judge(statement(log(β), "=", log(β), standing=[finite_total])).status in ("proved", "unknown")


def test_a_limit_that_hangs_on_a_sign_is_unproved() -> None:
    with pytest.raises(Unproved):
        prove_limit(statement(limit(exp(-c * β), β, "∞"), "=", 0))


def test_an_assumption_on_the_parameter_of_a_limit_is_not_put_inside() -> None:
    with pytest.raises((Unproved, StatementError)):
        prove_limit(statement(limit(c / β, β, "∞"), "=", c, standing=[assume("β = 1", β, "=", 1)]))


def test_a_very_long_line_is_judged_or_refused() -> None:
    long: Term = c
    for _ in range(1500):
        long = long + c
    try:
        assert check(long, "=", 1501 * c).status in ("proved", "unknown")
    except BadInput:
        return


# --- who makes a verdict --------------------------------------------------------------------------------------------

PACKAGE = FilePath(derivations.__file__).parent


def calls_of(name: str) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if (isinstance(called, ast.Name) and called.id == name) or (
                isinstance(called, ast.Attribute) and called.attr == name
            ):
                where = path.relative_to(PACKAGE).as_posix()
                found[where] = found.get(where, 0) + 1
    return found


def test_only_the_checker_makes_a_verdict() -> None:
    assert set(calls_of("Verdict")) == {"checker/verdict.py"}


def test_the_key_of_a_verdict_stays_in_its_module() -> None:
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "_KEY" not in names | used, path


def test_a_verdict_by_hand_is_refused() -> None:
    with pytest.raises(BadInput, match="made by the checker only"):
        Verdict("proved", one, "by hand")


def test_a_verdict_is_not_altered() -> None:
    verdict = check(c, "=", d)
    with pytest.raises(BadInput, match="made by the checker only"):
        replace(verdict, status="proved")
    with pytest.raises(AttributeError):
        verdict.status = "proved"  # type: ignore[misc]
