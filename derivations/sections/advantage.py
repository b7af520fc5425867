"""Section V: variance and advantage: causality, baselines, values, generalised advantage estimates.

Four kinds of histories are used. Where no value is spoken of, h = (s_0, a_0, …, s_{t−1}, a_{t−1}) as in section IV. Where
values are, k = (s_0, a_0, s_1, …, s_t) ends with a state, and V(k), π(·∣k), P(·∣k, a) may depend on all of it: the time is
in the state, and the Markov case is a special case. What is said of a step t, whatever came before it, is said of
j = (s_t, a_t, s_{t+1}, …), where s_t may hold the whole past, or of m = (o, s_t, a_t, s_{t+1}, …), where o is the past.
Everything holds for histories of every length.

A sum over the steps of a trajectory is a recursion, collected as the steps come. So Σ_t g_t Σ_{k≥t} r_k is collected reward
by reward: each r_k is multiplied by the scores of all steps up to k. E[f·X] = E[f·Y] for every f of (s, a) says that the
conditional expectations of X and Y given (s, a) are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

from derivations.checker.calculus import prove_limit
from derivations.checker.proof import (
    ByCalculation,
    ByInduction,
    begin,
    differentiation,
    laws_sum_to_one,
    lemma,
    pointwise,
)
from derivations.checker.statement import Summable, assume, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    Apply,
    D,
    Definition,
    Domain,
    E,
    Function,
    Index,
    Length,
    Path,
    Recursion,
    Scalar,
    Sort,
    Sum,
    Term,
    define,
    exp,
    function,
    histories,
    law,
    limit,
    log,
    maximum,
    parameter,
    recursion,
    term,
)
from derivations.checker.worlds import World, world
from derivations.sections import policy_gradient as iv
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import A, H, S, a, actor, b, h, s, score
from derivations.sections.policy_gradient import free_rewards, return_sum, returns, reward, score_sum, scores
from derivations.sections.trajectories import trajectory, trajectory_law

gamma, lambda_ = parameter("γ", UNIT), parameter("λ", UNIT)

# --- AD.1: the score --------------------------------------------------------------------------------------------------

pi = law("π", A, given=[S], positive=True, depends=True)

# --- AD.2, AD.3: causality and reward-to-go ---------------------------------------------------------------------------

# One step t of a longer trajectory: o is all that came before it, m = (o, s_t, a_t, s_{t+1}, a_{t+1}, …).
B = Sort("B")
o = B.index("o")
L = histories("L", start=[B, S, A], step=[S, A])
m = L.index("m")
before, state_at_t = law("μ", B, depends=True), law("P_t", S, given=[B])
action_at_t = law("π_t", A, given=[B, S], positive=True, depends=True)
later_state, later_action = law("P", S, given=[L]), law("π", A, given=[L, S], depends=True)
long_run = law("q", L, depends=True)
long_law = recursion(
    long_run,
    start=lambda o, s, a: before(o) * state_at_t(s, o) * action_at_t(a, o, s),
    step=lambda m, s, a: long_run(m) * later_state(s, m) * later_action(a, m, s),
)
past = function("f", B, depends=True)
reward_at_t, later_reward = function("r_t", B, S, A, depends=True), function("r", L, S, A, depends=True)
kept_score, kept_past, to_go = (function(name, L, depends=True) for name in ("g_t", "f_t", "R̂_t"))
score_kept = recursion(
    kept_score, start=lambda o, s, a: score(action_at_t(a, o, s)), step=lambda m, s, a: kept_score(m)
)
past_kept = recursion(kept_past, start=lambda o, s, a: past(o), step=lambda m, s, a: kept_past(m))
to_go_sum = recursion(
    to_go, start=lambda o, s, a: reward_at_t(o, s, a), step=lambda m, s, a: to_go(m) + later_reward(m, s, a)
)

# All steps at once: M = Σ_t g_t Σ_{k≥t} r_k is the reward-to-go estimate, N = Σ_t g_t Σ_{k<t} r_k what it drops.
to_go_estimate, dropped = function("M", H, depends=True), function("N", H, depends=True)
to_go_estimates = recursion(
    to_go_estimate,
    start=lambda: 0,
    step=lambda h, s, a: to_go_estimate(h) + (scores(h) + score(actor(a, h, s))) * reward(h, s, a),
)
dropped_sum = recursion(dropped, start=lambda: 0, step=lambda h, s, a: dropped(h) + score(actor(a, h, s)) * returns(h))

# --- AD.5, AD.7: baselines ----------------------------------------------------------------------------------------------

baseline = function("b", H, S, depends=True)
baselines = function("B", H, depends=True)
baseline_sum = recursion(
    baselines, start=lambda: 0, step=lambda h, s, a: baselines(h) + score(actor(a, h, s)) * baseline(h, s)
)

acting = function("b", H, S, A, depends=True)
acting_sum = recursion(
    baselines, start=lambda: 0, step=lambda h, s, a: baselines(h) + score(actor(a, h, s)) * acting(h, s, a)
)
corrections = function("C", H, depends=True)
correction_sum = recursion(
    corrections,
    start=lambda: 0,
    step=lambda h, s, a: corrections(h) + Sum(b, D(actor(b, h, s)) * acting(h, s, b)),
)
ESTIMATE = (trajectory_law, score_sum, return_sum, to_go_estimates)

one_chance = parameter("p", OPEN_UNIT, depends=True)
logit = assume("p is the logistic function of θ", D(one_chance), "=", one_chance * (1 - one_chance))
b0, b1 = parameter("b₀", REAL), parameter("b₁", REAL)

# --- AD.9: the best constant baseline ---------------------------------------------------------------------------------

C, R = Sort("C"), Sort("R")
i, i2 = C.indices("i j")
t, t2, t3 = R.indices("τ σ υ")
outcome_law, moving_law = law("p", R), law("p", R, positive=True, depends=True)
component, G = function("g", R, C), function("G", R)
constant = parameter("b", REAL)
square_norm = E(outcome_law(t3), Sum(i2, component(t3, i2) ** 2))
best_constant = E(outcome_law(t3), Sum(i2, component(t3, i2) ** 2) * G(t3)) / square_norm
raw = function("f", R, C)
t4 = R.index("ρ")
scores_centred = define(component(t, i), raw(t, i) - E(outcome_law(t4), raw(t4, i)))
norm_positive = assume("E‖g‖² > 0", square_norm, ">", 0)
loss_of_variance = square_norm * (constant - best_constant) ** 2
one_norm = E(moving_law(t3), score(moving_law(t3)) ** 2)
one_best = E(moving_law(t3), score(moving_law(t3)) ** 2 * G(t3)) / one_norm


def variance(distribution: Apply, again: Apply, value: Term, value_again: Term) -> Term:
    """E[X²] − E[X]², X written once for each of the two expectations, which bind different indices."""
    return E(distribution, value**2) - E(again, value_again) ** 2


def covariance_trace(shift: Term) -> Term:
    """The trace of the covariance of g(τ)(G(τ) − b)."""
    return Sum(
        i,
        variance(outcome_law(t), outcome_law(t2), component(t, i) * (G(t) - shift), component(t2, i) * (G(t2) - shift)),
    )


def score_variance(shift: Term) -> Term:
    """The variance of ∇log p(τ) (G(τ) − b) along one parameter."""
    return variance(
        moving_law(t), moving_law(t2), score(moving_law(t)) * (G(t) - shift), score(moving_law(t2)) * (G(t2) - shift)
    )


# --- AD.10, AD.11, AD.15, AD.21: values -------------------------------------------------------------------------------

# What follows a state or an action: ω, with its return.
Omega = Sort("Ω")
omega = Omega.index("ω")
s2 = S.index("s2")
move = law("P", S, given=[S, A])
pay = function("r", S, A)
from_state = law("κ", Omega, given=[S])
rest_return = function("G", Omega)
first_steps = law("u", A, S, Omega, given=[S], depends=True)
first_steps_law = define(first_steps(a, s2, omega, s), pi(a, s) * move(s2, s, a) * from_state(omega, s2))
second_steps = law("w", S, Omega, given=[S, A])
second_steps_law = define(second_steps(s2, omega, s, a), move(s2, s, a) * from_state(omega, s2))
FIRST_STEPS = (first_steps_law, second_steps_law)
state_value = E(first_steps(a, s2, omega, s), pay(s, a) + gamma * rest_return(omega))


def action_value(action: Index) -> Term:
    """Q(s, a), the expected return after an action: r(s, a) and γ times that of what follows."""
    return E(second_steps(s2, omega, s, action), pay(s, action) + gamma * rest_return(omega))


# What follows step t: R̂ is a function of it, Q its conditional mean.
follows = law("κ", Omega, given=[S, A])
rewards_to_go = function("R̂", Omega)
Q = function("Q", S, A)
Q_is_mean = assume(
    "Q is the conditional mean", Q(s, a), "=", E(follows(omega, s, a), rewards_to_go(omega)), for_all=[s, a]
)
pairs = law("d", S, A)
predictor = function("f", S, A)


def squared_error(prediction: Function) -> Term:
    """The mean square of R̂ − prediction."""
    return E(pairs(s, a), E(follows(omega, s, a), (rewards_to_go(omega) - prediction(s, a)) ** 2))


distance = E(pairs(s, a), (Q(s, a) - predictor(s, a)) ** 2)
critic = function("V_φ", S)
true_value = function("V", S)
V_is_mean = assume("V = E_a[Q]", true_value(s), "=", E(pi(b, s), Q(s, b)), for_all=[s])

# --- values along histories that end with a state -----------------------------------------------------------------------

K = histories("K", start=[S], step=[A, S])
k = K.index("k")
first_law = law("ρ", S)
play = law("π", A, given=[K], positive=True, depends=True)
turn = law("P", S, given=[K, A])
path = law("p", K, depends=True)
path_law = recursion(path, start=lambda s: first_law(s), step=lambda k, a, s: path(k) * play(a, k) * turn(s, k, a))
gain = function("r", K, A, S)
discount = function("γᵗ", K, domain=UNIT)
discounts = recursion(discount, start=lambda s: 1, step=lambda k, a, s: gamma * discount(k))
gains = function("G", K)
gain_sum = recursion(gains, start=lambda s: 0, step=lambda k, a, s: gains(k) + discount(k) * gain(k, a, s))
value = function("V", K, depends=True)


def extended(history: Index, action: Index, state: Index) -> Path:
    """The history with one more action and state."""
    return Path(K, history, (action, state))


def look_ahead(worth: Function) -> Term:
    """E[r + γ V] over the next action and state, after k."""
    return E(play(a, k), E(turn(s, k, a), gain(k, a, s) + gamma * worth(extended(k, a, s))))


bellman = define(value(k), look_ahead(value))
test, kept_test = function("f", S), function("F", K)
test_kept = recursion(kept_test, start=lambda s: test(s), step=lambda k, a, s: kept_test(k))

# --- from a step t on: j = (s_t, a_t, s_{t+1}, …) ------------------------------------------------------------------------

N = histories("J", start=[S, A, S], step=[A, S])
j = N.index("j")
start_policy, start_move = law("π_t", A, given=[S]), law("P_t", S, given=[S, A])
start_gain, start_value = function("r_t", S, A, S), function("V_t", S)
play_on, turn_on = law("π", A, given=[N]), law("P", S, given=[N, A])
gain_on, value_on = function("r", N, A, S), function("V", N)
tail = law("p", N)
tail_law = recursion(
    tail,
    start=lambda s, a, s2: first_law(s) * start_policy(a, s) * start_move(s2, s, a),
    step=lambda j, a, s: tail(j) * play_on(a, j) * turn_on(s, j, a),
)


def onward(history: Index, action: Index, state: Index) -> Path:
    """The history from t on with one more action and state."""
    return Path(N, history, (action, state))


def opening(state: Index, action: Index, following: Index) -> Path:
    """The history (s_t, a_t, s_{t+1})."""
    return Path(N, None, (state, action, following))


def first_error(state: Index, action: Index, following: Index) -> Term:
    """δ_t = r_t + γ V(s_{t+1}) − V(s_t)."""
    return (
        start_gain(state, action, following) + gamma * value_on(opening(state, action, following)) - start_value(state)
    )


def error(history: Index, action: Index, state: Index) -> Term:
    """δ = r + γ V(next) − V(now), at a later step."""
    return gain_on(history, action, state) + gamma * value_on(onward(history, action, state)) - value_on(history)


weight, weight_after, discount_on = function("(γλ)ˡ", N), function("(γλ)ˡ⁻¹", N), function("γˡ", N, domain=UNIT)
gae, gae_after, kept_error = function("Â_t", N), function("Â_{t+1}", N), function("δ_t", N)
return_on, kept_value = function("R̂_t", N), function("V₀", N)


def weights(lam: Scalar) -> Recursion:
    """(γλ)ˡ for the l-th step after t."""
    return recursion(weight, start=lambda s, a, s2: gamma * lam, step=lambda j, a, s: gamma * lam * weight(j))


weights_after = recursion(
    weight_after, start=lambda s, a, s2: 1, step=lambda j, a, s: gamma * lambda_ * weight_after(j)
)
gae_sum = recursion(gae, start=first_error, step=lambda j, a, s: gae(j) + weight(j) * error(j, a, s))
gae_after_sum = recursion(
    gae_after, start=lambda s, a, s2: 0, step=lambda j, a, s: gae_after(j) + weight_after(j) * error(j, a, s)
)
error_kept = recursion(kept_error, start=first_error, step=lambda j, a, s: kept_error(j))
discounts_on = recursion(discount_on, start=lambda s, a, s2: gamma, step=lambda j, a, s: gamma * discount_on(j))
return_on_sum = recursion(
    return_on,
    start=lambda s, a, s2: start_gain(s, a, s2),
    step=lambda j, a, s: return_on(j) + discount_on(j) * gain_on(j, a, s),
)
value_kept = recursion(kept_value, start=lambda s, a, s2: start_value(s), step=lambda j, a, s: kept_value(j))

# --- AD.4: the variance of what is dropped ------------------------------------------------------------------------------

h2 = H.index("h2")


def spread(estimate: Callable[[Index], Term]) -> Term:
    """The variance of an estimate over trajectories."""
    return variance(trajectory(h), trajectory(h2), estimate(h), estimate(h2))


def whole_estimate(at: Index) -> Term:
    """Z·G."""
    return scores(at) * returns(at)


# Two steps with the same coin, thrown anew at each.
a2, a3, a4 = A.indices("a2 a3 a4")
coin = law("π", A, positive=True, depends=True)
first_pay, second_pay = function("r₀", A, domain=NONNEGATIVE), function("r₁", A, A, domain=NONNEGATIVE)


def two_coins(estimate: Callable[[Index, Index], Term]) -> Term:
    """The variance of an estimate over two throws."""
    square = E(coin(a), E(coin(a2), estimate(a, a2) ** 2))
    return square - E(coin(a3), E(coin(a4), estimate(a3, a4))) ** 2


def all_rewards(one: Index, two: Index) -> Term:
    """(g_0 + g_1)(r_0 + r_1)."""
    return (score(coin(one)) + score(coin(two))) * (first_pay(one) + second_pay(one, two))


def rewards_ahead(one: Index, two: Index) -> Term:
    """g_0 (r_0 + r_1) + g_1 r_1."""
    return score(coin(one)) * (first_pay(one) + second_pay(one, two)) + score(coin(two)) * second_pay(one, two)


def _one_in_ten() -> World:
    """P(1) = 1/10, θ its logit; r₀ = a₀, and r₁ = 1 only for a₀a₁ = 10."""
    tables = {coin: [Fraction(9, 10), Fraction(1, 10)], first_pay: [0, 1], second_pay: [[0, 0], [1, 0]]}
    return world({A: 2}, tables, slopes={coin: [Fraction(-9, 100), Fraction(9, 100)]})


kept_part, dropped_part = function("ĝ", R, C), function("X", R, C)
dropped_centred = define(dropped_part(t, i), raw(t, i) - E(outcome_law(t4), raw(t4, i)))


def component_variance(estimate: Callable[[Index, Index], Term]) -> Term:
    """The trace of the covariance of an estimate with components."""
    return Sum(i, variance(outcome_law(t), outcome_law(t2), estimate(t, i), estimate(t2, i)))


# Every step has its own parameters: ‖Σ_t g_t X_t‖² = Σ_t ‖g_t‖² X_t². All rewards have the sign of c.
score_norm, size_of_reward = (function(name, H, S, A, domain=NONNEGATIVE) for name in ("‖g‖²", "m"))
sign = parameter("c", REAL)
norms, signed_return = function("n", H, domain=NONNEGATIVE), function("G", H)
norm_to_go, norm_to_go_squared = function("M₁", H), function("M₂", H)
norm_sum = recursion(norms, start=lambda: 0, step=lambda h, s, a: norms(h) + score_norm(h, s, a))
signed_sum = recursion(
    signed_return, start=lambda: 0, step=lambda h, s, a: signed_return(h) + sign * size_of_reward(h, s, a)
)
norm_to_go_sum = recursion(
    norm_to_go,
    start=lambda: 0,
    step=lambda h, s, a: norm_to_go(h) + (norms(h) + score_norm(h, s, a)) * sign * size_of_reward(h, s, a),
)
norm_to_go_squared_sum = recursion(
    norm_to_go_squared,
    start=lambda: 0,
    step=lambda h, s, a: (
        norm_to_go_squared(h)
        + 2 * sign * size_of_reward(h, s, a) * norm_to_go(h)
        + (norms(h) + score_norm(h, s, a)) * (sign * size_of_reward(h, s, a)) ** 2
    ),
)
OWN = (norm_sum, signed_sum, norm_to_go_sum)

# --- AD.6: functions that do not name the action ------------------------------------------------------------------------

later = function("b", Omega)
apart = law("μ", Omega, given=[S])
independent = assume(
    "ω is independent of a, given s", follows(omega, s, a), "=", apart(omega, s), for_all=[omega, s, a]
)
batch_scores, batch_returns = function("Z", iv.K, depends=True), function("ΣG", iv.K)
batch_score_sum = recursion(batch_scores, start=lambda: 0, step=lambda k, τ: batch_scores(k) + score(iv.draw(τ)))
batch_return_sum = recursion(batch_returns, start=lambda: 0, step=lambda k, τ: batch_returns(k) + iv.outcome(τ))
BATCH = (iv.sample_law, iv.estimate_sum, batch_score_sum, batch_return_sum)
batch_gradient = D(E(iv.draw(iv.t), iv.outcome(iv.t)))
# Σ_i g_i (G_i − mean of all G) / N, and Σ_i g_i (G_i − mean of the other G) / N.
with_batch_mean = (iv.estimates(iv.k) - batch_scores(iv.k) * batch_returns(iv.k) / iv.N) / iv.N
with_others = (iv.estimates(iv.k) - (batch_scores(iv.k) * batch_returns(iv.k) - iv.estimates(iv.k)) / (iv.N - 1)) / iv.N

# --- AD.8: the value as a baseline --------------------------------------------------------------------------------------


def arm_variance(shift: Callable[[Index], Term]) -> Term:
    """The variance of ∇log π(a) (r(a) − b)."""

    def estimate(arm: Index, over: Index) -> Term:
        return score(iv.arm(arm)) * (iv.pay(arm) - shift(over))

    return variance(iv.arm(a), iv.arm(a2), estimate(a, a3), estimate(a2, a4))


def no_baseline(over: Index) -> Term:
    """b = 0."""
    return term(0)


def arm_value(over: Index) -> Term:
    """b = V."""
    return E(iv.arm(over), iv.pay(over))


# --- AD.11, AD.12: reward-to-go and Q -----------------------------------------------------------------------------------

Time = Sort("T")
time = Time.index("t")
follows_at = law("κ_t", Omega, given=[Time, S, A])
same_law = assume(
    "what remains has the same law at every step",
    follows_at(omega, time, s, a),
    "=",
    follows(omega, s, a),
    for_all=[omega, time, s, a],
)
bounded = parameter("c", NONNEGATIVE)
pair_test, kept_pair = function("f", S, A, domain=UNIT), function("F", N, domain=UNIT)
pair_kept = recursion(kept_pair, start=lambda s, a, s2: pair_test(s, a), step=lambda j, a, s: kept_pair(j))


def bellman_on(keep: Callable[[Path], Scalar]) -> Definition:
    """V(j) = E[r + γ · keep · V(next)], keep being 1 where nothing ends."""
    ahead = gain_on(j, a, s) + gamma * keep(onward(j, a, s)) * value_on(onward(j, a, s))
    return define(value_on(j), E(play_on(a, j), E(turn_on(s, j, a), ahead)))


def q_on(state: Index, action: Index, keep: Callable[[Path], Scalar]) -> Term:
    """Q(s_t, a_t) = E[r_t + γ · keep · V(s_t, a_t, s_{t+1})]."""
    following = opening(state, action, s2)
    return E(
        start_move(s2, state, action), start_gain(state, action, s2) + gamma * keep(following) * value_on(following)
    )


def nothing_ends(history: Path) -> Scalar:
    """Every value counts in full."""
    return 1


REWARDS_AFTER = (tail_law, discounts_on, return_on_sum, pair_kept)
mean_Q = E(first_law(s), E(start_policy(a, s), pair_test(s, a) * q_on(s, a, nothing_ends)))
mean_to_go = E(tail(j), kept_pair(j) * return_on(j))
rest_of_value = E(tail(j), kept_pair(j) * discount_on(j))
value_of_rest = E(tail(j), kept_pair(j) * discount_on(j) * value_on(j))
value_below = assume("V ≤ c", value_on(j), "≤", bounded, for_all=[j])
value_above = assume("V ≥ −c", value_on(j), "≥", -bounded, for_all=[j])

step_discount = parameter("γᵗ", UNIT)
printed = function("R̂ᵖ", N)
printed_sum = recursion(
    printed,
    start=lambda s, a, s2: step_discount * start_gain(s, a, s2),
    step=lambda j, a, s: printed(j) + step_discount * discount_on(j) * gain_on(j, a, s),
)
powers = function("γᵏ", H, domain=UNIT)
power_law = recursion(powers, start=lambda: 1, step=lambda h, s, a: gamma * powers(h))
discounted_sum = recursion(returns, start=lambda: 0, step=lambda h, s, a: returns(h) + powers(h) * reward(h, s, a))
discounted_to_go = recursion(
    to_go_estimate,
    start=lambda: 0,
    step=lambda h, s, a: to_go_estimate(h) + (scores(h) + score(actor(a, h, s))) * powers(h) * reward(h, s, a),
)
DISCOUNTED = (trajectory_law, score_sum, power_law, discounted_sum)

# --- AD.13: the advantage in the gradient of the discounted return -------------------------------------------------------

advantages = function("M", K, depends=True)


def advantage_at(history: Index, action: Index) -> Term:
    """A(k, a) = E[r + γ V(next)] − V(k)."""
    ahead = gain(history, action, s2) + gamma * value(extended(history, action, s2))
    return E(turn(s2, history, action), ahead) - value(history)


def advantage_sum(weighted: bool) -> Recursion:
    """Σ_t g_t A_t, or Σ_t γᵗ g_t A_t."""
    return recursion(
        advantages,
        start=lambda s: 0,
        step=lambda k, a, s: advantages(k) + (discount(k) if weighted else 1) * score(play(a, k)) * advantage_at(k, a),
    )


start_objective = D(E(first_law(s), value(Path(K, None, (s,)))))
advantage_gradient = E(path(k), advantages(k)) + E(path(k), discount(k) * D(value(k)))

_HALF = Fraction(1, 2)


def _walks(lengths: int) -> list[tuple[int, ...]]:
    """The histories of up to so many steps where there is one state and there are two actions."""
    steps = [product(*[range(1), *[range(2), range(1)] * t]) for t in range(lengths)]
    return [history for level in steps for history in level]


def _coins_thrown(tables: dict[Any, object], steps: int = 2) -> World:
    """One or two steps in one state, a fair coin at each, θ its logit at every step."""
    moves = [(history, a) for history in _walks(3) for a in range(2)]
    law_of_moves = {
        first_law: [1],
        play: {(a, history): _HALF for history, a in moves},
        turn: {(0, history, a): 1 for history, a in moves},
    }
    slopes = {play: {(a, history): Fraction(2 * a - 1, 4) for history, a in moves}}
    return world({S: 1, A: 2}, {**law_of_moves, **tables}, slopes=slopes, lengths={K: steps})


def _paid_late() -> World:
    """γ = ½, and only the second throw is paid for: its share of ∇J is half of what the sum without weights says."""
    paid = {(history, a, 0): int(len(history) == 3 and a == 1) for history in _walks(3) for a in range(2)}
    return _coins_thrown({gamma: _HALF, gain: paid, value: {(history,): 0 for history in _walks(4)}})


# Two steps, each with a parameter of its own: along one the second policy is held fixed, along the other the first.
A2 = Sort("A₁")
c2, c3 = A2.indices("c d")
first_choice = law("π₀", A, positive=True, depends=True)
second_choice = law("π₁", A2, given=[A], positive=True, depends=True)
first_held, second_held = law("π₀′", A, positive=True), law("π₁′", A2, given=[A], positive=True)
early, late = function("r₀", A), function("r₁", A, A2)
HELD = [
    assume("π₀′ = π₀", first_held(a), "=", first_choice(a), for_all=[a]),
    assume("π₁′ = π₁", second_held(c2, a), "=", second_choice(c2, a), for_all=[c2, a]),
]
inner_gamma = parameter("γ", OPEN_UNIT)
along_first = D(E(first_choice(a), early(a) + inner_gamma * E(second_held(c2, a), late(a, c2))))
along_second = D(E(first_held(a), early(a) + inner_gamma * E(second_choice(c2, a), late(a, c2))))
second_value = E(second_choice(c3, a), late(a, c3))
first_value = E(first_choice(a2), early(a2) + inner_gamma * E(second_choice(c3, a2), late(a2, c3)))
sum_first = E(first_choice(a), score(first_choice(a)) * (early(a) + inner_gamma * second_value - first_value))
sum_second = E(first_choice(a), E(second_choice(c2, a), score(second_choice(c2, a)) * (late(a, c2) - second_value)))

# --- AD.14: a step along the gradient -----------------------------------------------------------------------------------


def arm_advantage(arm: Index, over: Index) -> Term:
    """A(a) = r(a) − E[r]."""
    return iv.pay(arm) - E(iv.arm(over), iv.pay(over))


softmax_ascent = assume(
    "θ moves along the gradient of J in the logits",
    D(iv.arm(a)),
    "=",
    iv.arm(a) * (iv.arm(a) * arm_advantage(a, a2) - Sum(a3, iv.arm(a3) ** 2 * arm_advantage(a3, a4))),
    for_all=[a],
)
arm_is_better = assume("A(a) > 0", arm_advantage(a, a2), ">", 0)
# The sampled action has probability p, the others (1 − p)ν; a step α along ∇log π·A
# moves its logit by αA(1 − p) and theirs by −αA(1 − p)ν.
Others = Sort("O")
other = Others.index("o")
chance, others = parameter("p", OPEN_UNIT), law("ν", Others)
push = parameter("αA", REAL)
others_after = Sum(other, (1 - chance) * others(other) * exp(-push * (1 - chance) * others(other)))
chosen_after = chance * exp(push * (1 - chance))
slope = function("g", C)
step_size, sampled_advantage = parameter("α", POSITIVE), parameter("A", REAL)

# --- AD.16: the weighted mean of n-step advantages ----------------------------------------------------------------------

an_error = function("δ", K, A, S)
lambdas, lambdas_before = function("λⁿ", K, domain=UNIT), function("λⁿ⁻¹", K)
n_step, mean_of, mean_before, sum_of = (function(name, K) for name in ("A⁽ⁿ⁾", "W", "W₋", "Σ"))
total_weight = function("w", K)
lambda_powers = recursion(lambdas, start=lambda s: 1, step=lambda k, a, s: lambda_ * lambdas(k))
n_step_sum = recursion(n_step, start=lambda s: 0, step=lambda k, a, s: n_step(k) + discount(k) * an_error(k, a, s))
weighted_sum = recursion(
    mean_of,
    start=lambda s: 0,
    step=lambda k, a, s: mean_of(k) + (1 - lambda_) * lambdas(k) * (n_step(k) + discount(k) * an_error(k, a, s)),
)
error_sum = recursion(
    sum_of, start=lambda s: 0, step=lambda k, a, s: sum_of(k) + discount(k) * lambdas(k) * an_error(k, a, s)
)
weighted_before = recursion(mean_before, start=lambda s: 0, step=lambda k, a, s: mean_of(k))
lambda_before = recursion(lambdas_before, start=lambda s: 0, step=lambda k, a, s: lambdas(k))
size_sum = function("Σ∣δ∣", K)
sizes_summed = recursion(
    size_sum,
    start=lambda s: 0,
    step=lambda k, a, s: size_sum(k) + discount(k) * lambdas(k) * maximum(an_error(k, a, s), -an_error(k, a, s)),
)
weight_sum = recursion(
    total_weight, start=lambda s: 0, step=lambda k, a, s: total_weight(k) + (1 - lambda_) * lambdas(k)
)
GAE_MEANS = (discounts, lambda_powers, n_step_sum, weighted_sum, error_sum)
error_bound = parameter("c", NONNEGATIVE)
errors_bounded = [
    assume("δ ≤ c", an_error(k, a, s), "≤", error_bound, for_all=[k, a, s]),
    assume("δ ≥ −c", an_error(k, a, s), "≥", -error_bound, for_all=[k, a, s]),
]

Naturals = Sort("ℕ", infinite=True)
n = Naturals.index("n")
lambda_power = function("λⁿ", Naturals, domain=UNIT)
advantage_next, advantage_now = function("A⁽ⁿ⁺¹⁾", Naturals), function("A⁽ⁿ⁾", Naturals)
discounted_error = function("γⁿδ", Naturals)
steps_count, rate = parameter("N", POSITIVE), parameter("κ", POSITIVE)

# --- AD.18: GAE in the policy gradient ----------------------------------------------------------------------------------

estimated = function("V_φ", K)
eligibility, trace_sums, all_scores, gae_estimate, excess = (
    function(name, K, depends=True) for name in ("e", "Y", "Z", "M", "X")
)
eligibility_law = recursion(
    eligibility, start=lambda s: 0, step=lambda k, a, s: lambda_ * eligibility(k) + score(play(a, k))
)
trace_sum = recursion(trace_sums, start=lambda s: 0, step=lambda k, a, s: trace_sums(k) + eligibility(k))
all_score_sum = recursion(all_scores, start=lambda s: 0, step=lambda k, a, s: all_scores(k) + score(play(a, k)))


def td_error(history: Index, action: Index, state: Index) -> Term:
    """r + γ V_φ(next) − V_φ(now)."""
    return gain(history, action, state) + gamma * estimated(extended(history, action, state)) - estimated(history)


gae_estimates = recursion(
    gae_estimate,
    start=lambda s: 0,
    step=lambda k, a, s: (
        gae_estimate(k) + discount(k) * (lambda_ * eligibility(k) + score(play(a, k))) * td_error(k, a, s)
    ),
)
excess_sum = recursion(
    excess,
    start=lambda s: 0,
    step=lambda k, a, s: excess(k) + discount(k) * (trace_sums(k) + eligibility(k)) * td_error(k, a, s),
)
ended_objective = E(path(k), gains(k) + discount(k) * estimated(k))
bellman_error = function("ε", K)
error_of_critic = assume(
    "ε is the Bellman error of V_φ", bellman_error(k), "=", look_ahead(estimated) - estimated(k), for_all=[k]
)
exact = assume("λ = 1, or V_φ = V", (1 - lambda_) * bellman_error(k), "=", 0, for_all=[k])
GAE_GRADIENT = (path_law, discounts, gain_sum, eligibility_law, gae_estimates)
number = parameter("c", REAL)


def _two_next_states(steps: int = 2) -> World:
    """λ = 0, γ = 1, a fair coin whose sides lead to states where V_φ is wrong by 0 and by 1; nothing is paid."""
    wrong = {history: int(len(history) == 3 and history[1] == 1) for history in _walks(4)}
    tables = {
        lambda_: 0,
        gamma: 1,
        gain: {(history, a, 0): 0 for history in _walks(3) for a in range(2)},
        estimated: {(history,): number for history, number in wrong.items()},
        bellman_error: {(history,): _HALF if len(history) == 1 else -wrong[history] for history in _walks(3)},
    }
    return _coins_thrown(tables, steps)


# --- AD.19: variance and λ ----------------------------------------------------------------------------------------------

next_law, after = law("P", S), law("κ", Omega, given=[S])
s3, s4 = S.indices("s3 s4")
omega2 = Omega.index("υ")
td_now, td_next, next_pay = function("δ₀", S), function("δ₁", S, Omega), function("r₁", S, Omega)
next_exact = define(td_next(s, omega), next_pay(s, omega) - E(after(omega2, s), next_pay(s, omega2)))
low, high = parameter("λ₁", UNIT), parameter("λ₂", UNIT)
ordered = assume("λ₁ < λ₂", low, "<", high)


def gae_variance(lam: Term) -> Term:
    """The variance of δ_0 + γλ δ_1."""
    square = E(next_law(s), E(after(omega, s), (td_now(s) + gamma * lam * td_next(s, omega)) ** 2))
    mean = E(next_law(s3), E(after(omega2, s3), td_now(s3) + gamma * lam * td_next(s3, omega2)))
    return square - mean**2


later_square = E(next_law(s2), E(after(omega, s2), td_next(s2, omega) ** 2))

# --- AD.20: ends --------------------------------------------------------------------------------------------------------

ended = function("d", N, domain=UNIT)
alive = function("m", N, domain=UNIT)


def goes_on(history: Path) -> Term:
    """1 − d: nothing is worth anything after a terminal state."""
    return 1 - ended(history)


alive_law = recursion(
    alive,
    start=lambda s, a, s2: goes_on(opening(s, a, s2)),
    step=lambda j, a, s: alive(j) * goes_on(onward(j, a, s)),
)
masked_gae = recursion(
    gae,
    start=lambda s, a, s2: (
        start_gain(s, a, s2) + gamma * goes_on(opening(s, a, s2)) * value_on(opening(s, a, s2)) - start_value(s)
    ),
    step=lambda j, a, s: (
        gae(j)
        + alive(j)
        * weight(j)
        * (gain_on(j, a, s) + gamma * goes_on(onward(j, a, s)) * value_on(onward(j, a, s)) - value_on(j))
    ),
)
ENDS = statement(
    E(tail(j), kept_pair(j) * gae(j)),
    "=",
    E(first_law(s), E(start_policy(a, s), pair_test(s, a) * (q_on(s, a, goes_on) - start_value(s)))),
    definitions=[bellman_on(goes_on)],
    recursions=[tail_law, weights(lambda_), alive_law, masked_gae, pair_kept],
)
below_one = parameter("γ", Domain(Fraction(0), Fraction(1), upper_open=True))


CLAIMS = (
    Claim(
        section="V",
        tag="B V",
        quote="(ours) the mean of the score",
        reading="At every state, for every positive differentiable policy on a finite set of actions.",
        main=Assertion(
            "AD.1",
            "E_{a∼π}[∇log π(a∣s)] = 0",
            "proved",
            statement(E(pi(a, s), score(pi(a, s))), "=", 0),
            begin(E(pi(a, s), score(pi(a, s))))
            .then("=", Sum(a, D(pi(a, s))), differentiation)
            .then("=", 0, laws_sum_to_one),
        ),
    ),
    Claim(
        section="V",
        tag="B V",
        quote="cannot influence rewards that were received before",
        reading=(
            "o is everything before s_t, f(o) any function of it, such as r_k with k < t; the trajectory goes on for any "
            "number of steps after a_t. The mean of ∇log π(a_t∣·) f(o) over whole trajectories is zero."
        ),
        main=Assertion(
            "AD.2",
            "E[∇log π(a_t∣s_t) r_k] = 0 for k < t",
            "proved",
            statement(
                E(long_run(m), kept_score(m) * kept_past(m)), "=", 0, recursions=[long_law, score_kept, past_kept]
            ),
            ByInduction(),
        ),
        parts=(
            Assertion(
                "AD.2.step",
                "after every history h, for every function of h and s_t",
                "proved",
                statement(E(actor(a, h, s), score(actor(a, h, s)) * baseline(h, s)), "=", 0),
            ),
            Assertion(
                "AD.2.all",
                "summed over t: E[Σ_t ∇log π(a_t∣s_t) Σ_{k<t} r_k] = 0, for every horizon",
                "proved",
                statement(E(trajectory(h), dropped(h)), "=", 0, recursions=[trajectory_law, return_sum, dropped_sum]),
                ByInduction(),
            ),
            Assertion(
                "AD.2.now",
                "the same for the reward at t itself",
                "refuted",
                statement(E(actor(a, h, s), score(actor(a, h, s)) * reward(h, s, a)), "=", 0),
            ),
        ),
    ),
    Claim(
        section="V",
        tag="V.I",
        quote="consider only the rewards-to-go",
        reading=(
            "Z·G = Σ_t g_t G(τ) and M = Σ_t g_t Σ_{k≥t} r_k, g_t the score of step t, have the same expectation, for every "
            "horizon. Rewards may depend on everything, so they may hold a factor γᵏ."
        ),
        main=Assertion(
            "AD.3",
            "reward-to-go keeps the expectation",
            "proved",
            statement(
                E(trajectory(h), to_go_estimate(h)), "=", E(trajectory(h), scores(h) * returns(h)), recursions=ESTIMATE
            ),
            ByInduction(),
        ),
        parts=(
            Assertion(
                "AD.3.step",
                "at each step t: E[g_t Σ_{k≥t} r_k] = E[g_t (f + Σ_{k≥t} r_k)], f the sum of the rewards before t",
                "proved",
                statement(
                    E(long_run(m), kept_score(m) * to_go(m)),
                    "=",
                    E(long_run(m), kept_score(m) * (kept_past(m) + to_go(m))),
                    recursions=[long_law, score_kept, past_kept, to_go_sum],
                ),
                ByCalculation((lemma("AD.2"),)),
            ),
            Assertion(
                "AD.3.split",
                "on every trajectory Z·G = M + N, where N = Σ_t g_t Σ_{k<t} r_k is what is dropped",
                "proved",
                statement(
                    scores(h) * returns(h),
                    "=",
                    to_go_estimate(h) + dropped(h),
                    recursions=[score_sum, return_sum, to_go_estimates, dropped_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.3.gradient",
                "it is the policy gradient: E[M] = ∇J",
                "proved",
                statement(
                    E(trajectory(h), to_go_estimate(h)),
                    "=",
                    D(E(trajectory(h), returns(h))),
                    standing=[free_rewards],
                    recursions=ESTIMATE,
                ),
                begin(E(trajectory(h), to_go_estimate(h)))
                .then("=", E(trajectory(h), scores(h) * returns(h)), lemma("AD.3"))
                .then("=", D(E(trajectory(h), returns(h))), lemma("PG.4")),
            ),
        ),
    ),
    Claim(
        section="V",
        tag="V.I",
        quote="contribute only noise … a lower-variance estimator",
        reading=(
            "Over whole trajectories the variance of M, the reward-to-go estimate, is at most that of Z·G, along one "
            "parameter that all steps may share. The means are equal (AD.3)."
        ),
        main=Assertion(
            "AD.4",
            "reward-to-go has the lower variance",
            "refuted",
            statement(spread(to_go_estimate), "≤", spread(whole_estimate), recursions=ESTIMATE),
            begin(spread(to_go_estimate)).then("≤", spread(whole_estimate), lemma("AD.3")),
        ),
        parts=(
            Assertion(
                "AD.4.nonnegative",
                "no reward is negative, two throws of one coin: reward-to-go has the lower variance",
                "refuted",
                statement(two_coins(rewards_ahead), "≤", two_coins(all_rewards)),
                worlds=(_one_in_ten(),),
            ),
            Assertion(
                "AD.4.own",
                "every step has its own parameters and all rewards have one sign: E[Σ_t ‖g_t‖² R̂_t²] ≤ E[Σ_t ‖g_t‖² G²], "
                "the mean squares of the two estimates",
                "proved",
                statement(
                    E(trajectory(h), norm_to_go_squared(h)),
                    "≤",
                    E(trajectory(h), norms(h) * signed_return(h) ** 2),
                    recursions=[trajectory_law, *OWN, norm_to_go_squared_sum],
                ),
                begin(E(trajectory(h), norm_to_go_squared(h))).then(
                    "≤", E(trajectory(h), norms(h) * signed_return(h) ** 2), lemma("AD.4.each"), pointwise
                ),
            ),
            Assertion(
                "AD.4.each",
                "then Σ_t ‖g_t‖² R̂_t² ≤ Σ_t ‖g_t‖² G² on every trajectory",
                "proved",
                statement(
                    norm_to_go_squared(h),
                    "≤",
                    norms(h) * signed_return(h) ** 2,
                    recursions=[*OWN, norm_to_go_squared_sum],
                ),
                ByInduction((lemma("AD.4.first"), lemma("AD.4.sign"))),
            ),
            Assertion(
                "AD.4.first",
                "then Σ_t ‖g_t‖² R̂_t has no larger size than Σ_t ‖g_t‖² G",
                "proved",
                statement(sign * norm_to_go(h), "≤", sign * norms(h) * signed_return(h), recursions=OWN),
                ByInduction((lemma("AD.4.sign"),)),
            ),
            Assertion(
                "AD.4.sign",
                "the return has the sign of the rewards",
                "proved",
                statement(sign * signed_return(h), "≥", 0, recursions=[signed_sum]),
                ByInduction(),
            ),
        ),
        correction=Assertion(
            "AD.4.corrected",
            "dropping a part X of mean zero (X = f − E[f], f any function) lowers the variance by E‖X‖² + 2E[X·ĝ]: "
            "it does not raise it if and only if this is not negative",
            "proved",
            statement(
                component_variance(lambda at, of: kept_part(at, of) + dropped_part(at, of))
                - component_variance(kept_part),
                "=",
                E(outcome_law(t3), Sum(i2, dropped_part(t3, i2) ** 2))
                + 2 * E(outcome_law(t3), Sum(i2, dropped_part(t3, i2) * kept_part(t3, i2))),
                definitions=[dropped_centred],
            ),
        ),
        believe="Reward-to-go lowers the variance only if E‖X‖² + 2E[X·ĝ] ≥ 0, X the dropped part.",
    ),
    Claim(
        section="V",
        tag="V.II",
        quote="subtract a state-dependent baseline from our rewards-to-go",
        reading=(
            "B = Σ_t g_t b(h_t, s_t): the baseline may depend on the state, on everything before it, and on θ. M is the "
            "reward-to-go estimate."
        ),
        main=Assertion(
            "AD.5",
            "subtracting a baseline b(s_t) keeps the expectation",
            "proved",
            statement(
                E(trajectory(h), to_go_estimate(h) - baselines(h)),
                "=",
                E(trajectory(h), to_go_estimate(h)),
                recursions=[*ESTIMATE, baseline_sum],
            ),
            ByCalculation((lemma("AD.5.sum"),)),
        ),
        parts=(
            Assertion(
                "AD.5.sum",
                "E[Σ_t ∇log π(a_t∣s_t) b(s_t)] = 0",
                "proved",
                statement(E(trajectory(h), baselines(h)), "=", 0, recursions=[trajectory_law, baseline_sum]),
                ByInduction(),
            ),
            Assertion(
                "AD.5.gradient",
                "it is the policy gradient: E[M − B] = ∇J",
                "proved",
                statement(
                    E(trajectory(h), to_go_estimate(h) - baselines(h)),
                    "=",
                    D(E(trajectory(h), returns(h))),
                    standing=[free_rewards],
                    recursions=[*ESTIMATE, baseline_sum],
                ),
                begin(E(trajectory(h), to_go_estimate(h) - baselines(h)))
                .then("=", E(trajectory(h), to_go_estimate(h)), lemma("AD.5.sum"))
                .then("=", D(E(trajectory(h), returns(h))), lemma("AD.3.gradient")),
            ),
        ),
    ),
    Claim(
        section="V",
        tag="B V",
        quote="any function that does not depend on the action",
        reading=(
            "b is a function of ω, which comes after a_t and is no function of a_t: a later state or reward. "
            "E[∇log π(a∣s) b(ω)] = 0."
        ),
        main=Assertion(
            "AD.6",
            "any function that does not name the action may be subtracted",
            "refuted",
            statement(E(pi(a, s), E(follows(omega, s, a), score(pi(a, s)) * later(omega))), "=", 0),
        ),
        parts=(
            Assertion(
                "AD.6.batch",
                "the mean return of the batch, the sample itself in it, keeps the expectation",
                "refuted",
                statement(
                    E(iv.sample(iv.k), with_batch_mean), "=", batch_gradient, standing=[iv.some], recursions=BATCH
                ),
            ),
            Assertion(
                "AD.6.scaled",
                "it scales the gradient by 1 − 1/N",
                "proved",
                statement(
                    E(iv.sample(iv.k), with_batch_mean),
                    "=",
                    (1 - 1 / iv.N) * batch_gradient,
                    standing=[iv.some],
                    recursions=BATCH,
                ),
                ByCalculation((lemma("PG.5.sum"), lemma("AD.6.product"))),
            ),
            Assertion(
                "AD.6.product",
                "E[Σ_i g_i Σ_j G_j] = N ∇J",
                "proved",
                statement(
                    E(iv.sample(iv.k), batch_scores(iv.k) * batch_returns(iv.k)),
                    "=",
                    iv.N * batch_gradient,
                    recursions=[iv.sample_law, batch_score_sum, batch_return_sum],
                ),
                ByInduction((lemma("AD.6.scores"),)),
            ),
            Assertion(
                "AD.6.scores",
                "E[Σ_i g_i] = 0",
                "proved",
                statement(E(iv.sample(iv.k), batch_scores(iv.k)), "=", 0, recursions=[iv.sample_law, batch_score_sum]),
                ByInduction(),
            ),
            Assertion(
                "AD.6.others",
                "the mean of the other returns (leave-one-out) repairs it, for every N ≥ 2",
                "proved",
                statement(
                    E(iv.sample(iv.k), with_others),
                    "=",
                    batch_gradient,
                    standing=[assume("at least two trajectories", iv.N, "≥", 2)],
                    recursions=BATCH,
                ),
                ByCalculation((lemma("PG.5.sum"), lemma("AD.6.product"))),
            ),
        ),
        correction=Assertion(
            "AD.6.corrected",
            "a function of what is independent of the action, given the state, may be subtracted",
            "conditional",
            statement(
                E(pi(a, s), E(follows(omega, s, a), score(pi(a, s)) * later(omega))), "=", 0, assuming=[independent]
            ),
        ),
        believe="A baseline may depend on what is independent of the action given the state: on all that came before.",
    ),
    Claim(
        section="V",
        tag="beyond",
        quote="(ours) a baseline that sees the action",
        reading="B = Σ_t g_t b(h_t, s_t, a_t) is subtracted from the reward-to-go estimate M.",
        main=Assertion(
            "AD.7",
            "a baseline b(s, a) that depends on the action keeps the expectation",
            "refuted",
            statement(
                E(trajectory(h), to_go_estimate(h) - baselines(h)),
                "=",
                E(trajectory(h), to_go_estimate(h)),
                recursions=[*ESTIMATE, acting_sum],
            ),
        ),
        parts=(
            Assertion(
                "AD.7.bias",
                "the bias is −E[Σ_t Σ_a ∇π(a∣s_t) b(s_t, a)]",
                "proved",
                statement(
                    E(trajectory(h), to_go_estimate(h) - baselines(h)) - E(trajectory(h), to_go_estimate(h)),
                    "=",
                    -E(trajectory(h), corrections(h)),
                    recursions=[*ESTIMATE, acting_sum, correction_sum],
                ),
                ByCalculation((lemma("AD.7.sum"),)),
            ),
            Assertion(
                "AD.7.sum",
                "E[Σ_t g_t b(s_t, a_t)] = E[Σ_t Σ_a ∇π(a∣s_t) b(s_t, a)]",
                "proved",
                statement(
                    E(trajectory(h), baselines(h)),
                    "=",
                    E(trajectory(h), corrections(h)),
                    recursions=[trajectory_law, acting_sum, correction_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.7.arms",
                "two arms, p the probability of arm 1, θ its logit: the bias is −p(1 − p)(b₁ − b₀)",
                "proved",
                statement(
                    -((1 - one_chance) * D(log(1 - one_chance)) * b0 + one_chance * D(log(one_chance)) * b1),
                    "=",
                    -one_chance * (1 - one_chance) * (b1 - b0),
                    standing=[logit],
                ),
            ),
        ),
        correction=Assertion(
            "AD.7.corrected",
            "adding E[Σ_t Σ_a ∇π(a∣s_t) b(s_t, a)] repairs it",
            "proved",
            statement(
                E(trajectory(h), to_go_estimate(h) - baselines(h)) + E(trajectory(h), corrections(h)),
                "=",
                E(trajectory(h), to_go_estimate(h)),
                recursions=[*ESTIMATE, acting_sum, correction_sum],
            ),
            ByCalculation((lemma("AD.7.sum"),)),
        ),
        believe="A baseline may depend on the action only if Σ_a ∇π(a∣s) b(s, a) is added back.",
    ),
    Claim(
        section="V",
        tag="B V",
        quote="variance reduction is to subtract a baseline … used as a baseline",
        reading="One step: the variance of ∇log π(a) (r(a) − V), V = E[r], is at most that of ∇log π(a) r(a).",
        main=Assertion(
            "AD.8",
            "the baseline b = V reduces the variance",
            "refuted",
            statement(arm_variance(arm_value), "≤", arm_variance(no_baseline)),
        ),
        correction=Assertion(
            "AD.8.corrected",
            "a constant b changes the variance by b²E[g²] − 2b E[g²r]: it reduces it only between 0 and 2b* (AD.9)",
            "proved",
            statement(
                arm_variance(lambda over: constant) - arm_variance(no_baseline),
                "=",
                constant**2 * E(iv.arm(b), score(iv.arm(b)) ** 2)
                - 2 * constant * E(iv.arm(b), score(iv.arm(b)) ** 2 * iv.pay(b)),
            ),
        ),
        believe="A baseline keeps the mean; it reduces the variance only between 0 and 2b*, and V need not be there.",
    ),
    Claim(
        section="V",
        tag="B V",
        quote="(ours) the best constant baseline",
        reading=(
            "g(τ) has components of mean zero (AD.1): g = f − E[f], f any function of τ; the estimate is g(τ)(G(τ) − b), "
            "its spread the trace of its covariance, and b* = E[‖g‖²G]/E[‖g‖²]."
        ),
        main=Assertion(
            "AD.9",
            "no constant baseline has a smaller trace of the covariance than b*",
            "proved",
            statement(
                covariance_trace(best_constant),
                "≤",
                covariance_trace(constant),
                standing=[norm_positive],
                definitions=[scores_centred],
            ),
            begin(covariance_trace(best_constant))
            .then("≤", covariance_trace(best_constant) + loss_of_variance, lemma("AD.9.square"))
            .then("=", covariance_trace(constant), lemma("AD.9.gap")),
        ),
        parts=(
            Assertion(
                "AD.9.gap",
                "the trace at b exceeds that at b* by E[‖g‖²](b − b*)²",
                "proved",
                statement(
                    covariance_trace(constant),
                    "=",
                    covariance_trace(best_constant) + loss_of_variance,
                    standing=[norm_positive],
                    definitions=[scores_centred],
                ),
            ),
            Assertion(
                "AD.9.square",
                "which is not negative",
                "proved",
                statement(loss_of_variance, "≥", 0, standing=[norm_positive], definitions=[scores_centred]),
            ),
            Assertion(
                "AD.9.more",
                "and positive for b ≠ b*: every other constant is worse",
                "proved",
                statement(
                    loss_of_variance,
                    ">",
                    0,
                    standing=[norm_positive, assume("b ≠ b*", constant, "≠", best_constant)],
                ),
            ),
            Assertion(
                "AD.9.one",
                "for one parameter and g = ∇log p(τ) it is E[g²G]/E[g²], and nothing need be assumed of the mean of g",
                "proved",
                statement(
                    score_variance(one_best),
                    "≤",
                    score_variance(constant),
                    standing=[assume("E[g²] > 0", one_norm, ">", 0)],
                ),
            ),
            Assertion(
                "AD.9.mean",
                "the mean return E[G] is as good",
                "refuted",
                statement(
                    score_variance(E(moving_law(t3), G(t3))),
                    "≤",
                    score_variance(constant),
                    standing=[assume("E[g²] > 0", one_norm, ">", 0)],
                ),
            ),
        ),
    ),
    Claim(
        section="V",
        tag="V.III",
        quote="V^π(s), Q^π(s, a), A^π(s, a)",
        reading=(
            "A trajectory from s is an action a ∼ π, a state s′ ∼ P and what follows s′, ω ∼ κ(·∣s′), with return "
            "r(s, a) + γ G(ω); V(s) is its expected return, Q(s, a) the same after a. V(s′) = E[G(ω)]."
        ),
        main=Assertion(
            "AD.10",
            "V(s) = E_a[Q(s, a)]",
            "proved",
            statement(state_value, "=", E(pi(b, s), action_value(b)), definitions=FIRST_STEPS),
        ),
        parts=(
            Assertion(
                "AD.10.bellman",
                "Q(s, a) = r(s, a) + γ E[V(s′)]",
                "proved",
                statement(
                    action_value(a),
                    "=",
                    pay(s, a) + gamma * E(move(s2, s, a), E(from_state(omega, s2), rest_return(omega))),
                    definitions=[second_steps_law],
                ),
            ),
            Assertion(
                "AD.10.advantage",
                "E_a[A(s, a)] = 0 with A = Q − V",
                "proved",
                statement(E(pi(b, s), action_value(b) - state_value), "=", 0, definitions=FIRST_STEPS),
            ),
            Assertion(
                "AD.10.return",
                "V given backwards by V(k) = E[r + γ V(next)] is the expected return: E[f·(G + γᵀV(k_T))] = E[f·V(s_0)] for "
                "every function f of s_0, every horizon T and every value at the end",
                "proved",
                statement(
                    E(path(k), kept_test(k) * (gains(k) + discount(k) * value(k))),
                    "=",
                    E(first_law(s), test(s) * value(Path(K, None, (s,)))),
                    definitions=[bellman],
                    recursions=[path_law, discounts, gain_sum, test_kept],
                ),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="V",
        tag="B V",
        quote="the rewards-to-go provides an unbiased … estimate",
        reading=(
            "κ_t(·∣s, a) is the law of what remains after (s_t, a_t) = (s, a), κ that of what follows (s_0, a_0) = (s, a). "
            "R̂ = Σ_{k≥t} γ^{k−t} r_k is a function of it, and Q(s, a), as the source has it, the mean of R̂ under κ. An "
            "infinite horizon, or a state that determines the steps that remain, makes the laws the same."
        ),
        main=Assertion(
            "AD.11",
            "E[R̂_t ∣ s_t, a_t] = Q(s_t, a_t)",
            "conditional",
            statement(
                E(follows_at(omega, time, s, a), rewards_to_go(omega)),
                "=",
                E(follows(omega, s, a), rewards_to_go(omega)),
                assuming=[same_law],
            ),
        ),
        parts=(
            Assertion(
                "AD.11.time",
                "finite horizon, the time in the state: E[f·(R̂ + γⁿV(end))] = E[f·Q] for every f of (s_t, a_t), Q and V "
                "by Bellman's equation; V(end) = 0 where nothing remains",
                "proved",
                statement(
                    E(tail(j), kept_pair(j) * (return_on(j) + discount_on(j) * value_on(j))),
                    "=",
                    mean_Q,
                    definitions=[bellman_on(nothing_ends)],
                    recursions=REWARDS_AFTER,
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.11.above",
                "infinite horizon: the rewards of n steps exceed Q by at most cγⁿ if V ≥ −c",
                "proved",
                statement(
                    mean_to_go,
                    "≤",
                    mean_Q + bounded * rest_of_value,
                    standing=[value_above],
                    definitions=[bellman_on(nothing_ends)],
                    recursions=REWARDS_AFTER,
                ),
                begin(mean_to_go)
                .then("=", mean_Q - value_of_rest, lemma("AD.11.time"))
                .then("≤", mean_Q + bounded * rest_of_value, pointwise),
            ),
            Assertion(
                "AD.11.below",
                "and fall short of it by at most cγⁿ if V ≤ c",
                "proved",
                statement(
                    mean_to_go,
                    "≥",
                    mean_Q - bounded * rest_of_value,
                    standing=[value_below],
                    definitions=[bellman_on(nothing_ends)],
                    recursions=REWARDS_AFTER,
                ),
                begin(mean_to_go)
                .then("=", mean_Q - value_of_rest, lemma("AD.11.time"))
                .then("≥", mean_Q - bounded * rest_of_value, pointwise),
            ),
            Assertion(
                "AD.11.last",
                "two steps, T = 1, Q without a time index: E[R̂_1 ∣ s, a] = r(s, a) is Q(s, a) = r(s, a) + γE[r(s′, a′)]",
                "refuted",
                statement(pay(s, a), "=", pay(s, a) + gamma * E(move(s2, s, a), E(pi(b, s2), pay(s2, b)))),
            ),
        ),
        believe=(
            "The reward-to-go has the conditional mean Q where what remains has the same law at every step: an "
            "infinite horizon, or the time in the state, as in a token prefix."
        ),
    ),
    Claim(
        section="V",
        tag="V.V",
        quote="R̂_t = Σ_{t′=t}^{T} γ^{t′} r_{t′}",
        reading="R̂ as printed is γᵗ times Σ_{k≥t} γ^{k−t} r_k; its mean given (s, a) is Q(s, a).",
        main=Assertion(
            "AD.12",
            "with γ^k in place of γ^{k−t} the expectation is Q",
            "refuted",
            statement(
                E(follows(omega, s, a), step_discount * rewards_to_go(omega)), "=", Q(s, a), standing=[Q_is_mean]
            ),
        ),
        parts=(
            Assertion(
                "AD.12.factor",
                "on every trajectory the printed form is γᵗ Σ_{k≥t} γ^{k−t} r_k",
                "proved",
                statement(
                    printed(j),
                    "=",
                    step_discount * return_on(j),
                    recursions=[discounts_on, return_on_sum, printed_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.12.gradient",
                "with the printed form reward-to-go is the exact discounted gradient: "
                "E[Σ_t g_t Σ_{k≥t} γᵏ r_k] = ∇E[Σ_k γᵏ r_k]",
                "proved",
                statement(
                    E(trajectory(h), to_go_estimate(h)),
                    "=",
                    D(E(trajectory(h), returns(h))),
                    standing=[free_rewards],
                    recursions=[*DISCOUNTED, discounted_to_go],
                ),
                ByInduction((lemma("PG.3.product"), lemma("AD.12.return"))),
            ),
            Assertion(
                "AD.12.return",
                "the discounted return does not depend on θ",
                "proved",
                statement(D(returns(h)), "=", 0, standing=[free_rewards], recursions=[power_law, discounted_sum]),
                ByInduction(),
            ),
        ),
        correction=Assertion(
            "AD.12.corrected",
            "the expectation is γᵗ Q(s, a)",
            "proved",
            statement(
                E(follows(omega, s, a), step_discount * rewards_to_go(omega)),
                "=",
                step_discount * Q(s, a),
                standing=[Q_is_mean],
            ),
        ),
        believe="Σ_{k≥t} γᵏ r_k estimates γᵗ Q, which is the right weight in the gradient of the discounted J (AD.13).",
    ),
    Claim(
        section="V",
        tag="V.IV",
        quote="∇J(θ) = E[Σ_t ∇log π(a_t∣s_t) A(s_t, a_t)]",
        reading=(
            "J = E[V(s_0)], the discounted expected return, V by Bellman's equation and A = Q − V; T steps are written "
            "out, and E[γᵀ∇V(s_T)] is what remains: zero where the episode has ended, vanishing for γ < 1 as T grows."
        ),
        main=Assertion(
            "AD.13",
            "∇J = E[Σ_t ∇log π A(s_t, a_t)] for the discounted J",
            "conditional",
            statement(
                start_objective,
                "=",
                advantage_gradient,
                assuming=[assume("γ = 1", gamma, "=", 1)],
                definitions=[bellman],
                recursions=[path_law, discounts, advantage_sum(weighted=False)],
            ),
            ByInduction((lemma("AD.13.one"),)),
            worlds=(_paid_late(),),
        ),
        parts=(
            Assertion(
                "AD.13.one",
                "γᵗ = 1 where γ = 1",
                "conditional",
                statement(discount(k), "=", 1, assuming=[assume("γ = 1", gamma, "=", 1)], recursions=[discounts]),
                ByInduction(),
            ),
            Assertion(
                "AD.13.weighted",
                "with a weight γᵗ on the term at t, for every γ",
                "proved",
                statement(
                    start_objective,
                    "=",
                    advantage_gradient,
                    definitions=[bellman],
                    recursions=[path_law, discounts, advantage_sum(weighted=True)],
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.13.parallel",
                "without the weights the sum has at least the direction of ∇J (two steps, a parameter for each)",
                "refuted",
                statement(along_first * sum_second, "=", along_second * sum_first, standing=HELD),
            ),
            Assertion(
                "AD.13.angle",
                "∂₀J·m₁ − ∂₁J·m₀ = (1 − γ)m₀m₁, m the sum without weights: parallel only if an entry of m is 0",
                "proved",
                statement(
                    along_first * sum_second - along_second * sum_first,
                    "=",
                    (1 - inner_gamma) * sum_first * sum_second,
                    standing=HELD,
                ),
            ),
        ),
        believe=(
            "The gradient of the discounted J has γᵗ on the term at t; without it the direction is another one, "
            "unless γ = 1."
        ),
    ),
    Claim(
        section="V",
        tag="B V",
        quote="precisely the signal we want",
        reading=(
            "A softmax table: θ moves along the exact gradient of J in the logits, so that the logit of a moves by π(a)A(a). "
            "Then π(a) rises wherever A(a) > 0."
        ),
        main=Assertion(
            "AD.14",
            "probability rises where the advantage is positive",
            "refuted",
            statement(D(iv.arm(a)), ">", 0, standing=[softmax_ascent, arm_is_better]),
        ),
        parts=(
            Assertion(
                "AD.14.negative",
                "for a single sampled action with A < 0 its probability falls, for every step size",
                "proved",
                statement(
                    chosen_after / (chosen_after + others_after),
                    "<",
                    chance,
                    standing=[assume("A < 0", push, "<", 0)],
                ),
                ByCalculation((lemma("AD.14.more"),)),
            ),
            Assertion(
                "AD.14.less",
                "where A > 0, the weights of the other actions do not grow",
                "proved",
                statement(others_after, "≤", 1 - chance, standing=[assume("A > 0", push, ">", 0)]),
            ),
            Assertion(
                "AD.14.more",
                "where A < 0, they do not shrink",
                "proved",
                statement(others_after, "≥", 1 - chance, standing=[assume("A < 0", push, "<", 0)]),
            ),
            Assertion(
                "AD.14.model",
                "any model, to first order: the step αA∇log π(a) changes log π(a) by αA‖∇log π(a)‖² > 0",
                "proved",
                statement(
                    Sum(i, slope(i) * (step_size * sampled_advantage * slope(i))),
                    ">",
                    0,
                    standing=[
                        assume("A > 0", sampled_advantage, ">", 0),
                        assume("∇log π(a) ≠ 0", Sum(i2, slope(i2) ** 2), ">", 0),
                    ],
                ),
            ),
        ),
        correction=Assertion(
            "AD.14.corrected",
            "for a single sampled action of a softmax table with A > 0 its probability rises, for every step size",
            "proved",
            statement(
                chosen_after / (chosen_after + others_after),
                ">",
                chance,
                standing=[assume("A > 0", push, ">", 0)],
            ),
            ByCalculation((lemma("AD.14.less"),)),
        ),
        believe="The update of one sampled action raises it if A > 0; the exact gradient may lower it in favour of others.",
    ),
    Claim(
        section="V",
        tag="B V",
        quote="in RL, the rewards-to-go is estimated as Q",
        reading=(
            "ω is what follows (s, a), R̂ a function of it. Read as: Q is the best prediction of R̂ from (s, a) in mean "
            "square. True where Q is the conditional mean."
        ),
        main=Assertion(
            "AD.15",
            "no function of (s, a) predicts R̂ better in mean square than Q",
            "conditional",
            statement(squared_error(Q), "≤", squared_error(predictor), assuming=[Q_is_mean]),
            begin(squared_error(Q))
            .then("≤", squared_error(Q) + distance, lemma("AD.15.square"))
            .then("=", squared_error(predictor), lemma("AD.15.gap")),
        ),
        parts=(
            Assertion("AD.15.square", "E[(Q − f)²] ≥ 0", "proved", statement(distance, "≥", 0)),
            Assertion(
                "AD.15.gap",
                "any other prediction f is worse by E[(Q − f)²]",
                "conditional",
                statement(
                    squared_error(predictor),
                    "=",
                    squared_error(Q) + distance,
                    assuming=[Q_is_mean],
                ),
            ),
            Assertion(
                "AD.15.equal",
                "as an equality: R̂ = Q(s, a) for everything that can follow",
                "refuted",
                statement(
                    rewards_to_go(omega),
                    "=",
                    Q(s, a),
                    standing=[Q_is_mean, assume("ω can follow", follows(omega, s, a), ">", 0)],
                ),
            ),
        ),
        believe=(
            "Q is the conditional mean of the reward-to-go and its best predictor; a single reward-to-go is not Q."
        ),
    ),
    Claim(
        section="V",
        tag="B V",
        quote="a weighted combination of multi-step returns",
        reading=(
            "A⁽ⁿ⁾ = Σ_{l<n} γ^l δ_{t+l}. For λ < 1, γλ < 1 and bounded δ the two series converge; A⁽⁰⁾ = 0, so that "
            "Σ_n λ·λⁿA⁽ⁿ⁺¹⁾ = Σ_n λⁿA⁽ⁿ⁾, which is the sum over n from 1 on."
        ),
        main=Assertion(
            "AD.16",
            "infinite: Σ_{n≥1} (1 − λ)λ^{n−1} A⁽ⁿ⁾ = Σ_l (γλ)^l δ_{t+l}",
            "proved",
            statement(
                (1 - lambda_) * Sum(n, lambda_power(n) * advantage_next(n)),
                "=",
                Sum(n, lambda_power(n) * discounted_error(n)),
                standing=[
                    assume(
                        "γⁿδ_{t+n} = A⁽ⁿ⁺¹⁾ − A⁽ⁿ⁾",
                        discounted_error(n),
                        "=",
                        advantage_next(n) - advantage_now(n),
                        for_all=[n],
                    ),
                    assume(
                        "A⁽⁰⁾ = 0: the first term of the series may be left out",
                        Sum(n, lambda_power(n) * advantage_now(n)),
                        "=",
                        lambda_ * Sum(n, lambda_power(n) * advantage_next(n)),
                    ),
                    Summable(n, lambda_power(n) * advantage_next(n), "Σ λⁿ∣A⁽ⁿ⁺¹⁾∣ < ∞"),
                    Summable(n, lambda_power(n) * advantage_now(n), "Σ λⁿ∣A⁽ⁿ⁾∣ < ∞"),
                ],
            ),
        ),
        parts=(
            Assertion(
                "AD.16.finite",
                "N steps: with the last weight λ^{N−1} in place of (1 − λ)λ^{N−1}",
                "proved",
                statement(
                    mean_before(k) + lambdas_before(k) * n_step(k),
                    "=",
                    sum_of(k),
                    recursions=[*GAE_MEANS, weighted_before, lambda_before],
                ),
                ByInduction((lemma("AD.16.partial"),)),
            ),
            Assertion(
                "AD.16.weights",
                "the weights, with the last one, sum to one",
                "proved",
                statement(total_weight(k) + lambdas(k), "=", 1, recursions=[lambda_powers, weight_sum]),
                ByInduction(),
            ),
            Assertion(
                "AD.16.partial",
                "after N terms the two series differ by λᴺA⁽ᴺ⁾",
                "proved",
                statement(sum_of(k) - mean_of(k), "=", lambdas(k) * n_step(k), recursions=GAE_MEANS),
                ByInduction(),
            ),
            Assertion(
                "AD.16.above",
                "if ∣δ∣ ≤ c then A⁽ᴺ⁾ ≤ cN",
                "proved",
                statement(
                    n_step(k),
                    "≤",
                    error_bound * Length(K),
                    standing=errors_bounded,
                    recursions=[discounts, n_step_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.16.below",
                "and A⁽ᴺ⁾ ≥ −cN",
                "proved",
                statement(
                    n_step(k),
                    "≥",
                    -error_bound * Length(K),
                    standing=errors_bounded,
                    recursions=[discounts, n_step_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.16.converges",
                "if ∣δ∣ ≤ c then (1 − γλ) Σ_{l<N} (γλ)^l ∣δ_{t+l}∣ ≤ c(1 − (γλ)ᴺ): for γλ < 1 the series converges",
                "proved",
                statement(
                    (1 - gamma * lambda_) * size_sum(k),
                    "≤",
                    error_bound * (1 - discount(k) * lambdas(k)),
                    standing=errors_bounded,
                    recursions=[discounts, lambda_powers, sizes_summed],
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.16.vanishes",
                "Nλᴺ → 0 for λ = exp(−κ) < 1: their difference λᴺA⁽ᴺ⁾ vanishes, and the two series have the same sum",
                "proved",
                statement(limit(steps_count * exp(-rate * steps_count), steps_count, "∞"), "=", 0),
                prover=prove_limit,
            ),
        ),
    ),
    Claim(
        section="V",
        tag="B V",
        quote="Generalized Advantage Estimation",
        reading=(
            "j = (s_t, a_t, s_{t+1}, …) of any length, Â_t = Σ_l (γλ)^l δ_{t+l}, Â_{t+1} the same from the next step on, "
            "up to the same end; V is any function of the history, so it may be zero at the end."
        ),
        main=Assertion(
            "AD.17",
            "Â_t = δ_t + γλ Â_{t+1}",
            "proved",
            statement(
                gae(j),
                "=",
                kept_error(j) + gamma * lambda_ * gae_after(j),
                recursions=[weights(lambda_), weights_after, gae_sum, gae_after_sum, error_kept],
            ),
            ByInduction((lemma("AD.17.weights"),)),
        ),
        parts=(
            Assertion(
                "AD.17.weights",
                "(γλ)^l = γλ (γλ)^{l−1}",
                "proved",
                statement(
                    weight(j), "=", gamma * lambda_ * weight_after(j), recursions=[weights(lambda_), weights_after]
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.17.zero",
                "at λ = 0 it is the TD error δ_t",
                "proved",
                statement(gae(j), "=", kept_error(j), recursions=[weights(0), gae_sum, error_kept]),
                ByInduction((lemma("AD.17.none"),)),
            ),
            Assertion(
                "AD.17.none",
                "at λ = 0 no later error has a weight",
                "proved",
                statement(weight(j), "=", 0, recursions=[weights(0)]),
                ByInduction(),
            ),
            Assertion(
                "AD.17.one",
                "at λ = 1 it is R̂_t + γⁿV(end) − V(s_t), n the number of steps: R̂_t − V(s_t) where V(end) = 0",
                "proved",
                statement(
                    gae(j),
                    "=",
                    return_on(j) + discount_on(j) * value_on(j) - kept_value(j),
                    recursions=[weights(1), gae_sum, discounts_on, return_on_sum, value_kept],
                ),
                ByInduction((lemma("AD.17.full"),)),
            ),
            Assertion(
                "AD.17.full",
                "at λ = 1 the weights are γ^l",
                "proved",
                statement(weight(j), "=", discount_on(j), recursions=[weights(1), discounts_on]),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="V",
        tag="B V",
        quote="(ours) GAE in the policy gradient",
        reading=(
            "M = Σ_t γᵗ g_t Σ_l (γλ)^l δ_{t+l} over T steps, δ with a critic V_φ that does not depend on θ; ∇J is the "
            "gradient of E[G + γᵀV_φ(s_T)], which is J where V_φ(end) = 0. ε = E[r + γV_φ(next)] − V_φ is zero at every "
            "state if V_φ = V."
        ),
        main=Assertion(
            "AD.18",
            "GAE is unbiased for the policy gradient",
            "conditional",
            statement(
                E(path(k), gae_estimate(k)),
                "=",
                D(ended_objective),
                assuming=[exact],
                standing=[error_of_critic],
                recursions=[*GAE_GRADIENT, trace_sum, all_score_sum, excess_sum],
            ),
            begin(E(path(k), gae_estimate(k)))
            .then("=", D(ended_objective) - (1 - lambda_) * E(path(k), excess(k)), lemma("AD.18.bias"))
            .then("=", D(ended_objective), lemma("AD.18.none")),
            worlds=(_two_next_states(),),
        ),
        parts=(
            Assertion(
                "AD.18.bias",
                "its bias is −(1 − λ)E[Σ_t γᵗ (Y_t + e_t) δ_t], e_t = Σ_{i<t} λ^{t−1−i} g_i and Y_t = Σ_{i<t} e_i",
                "proved",
                statement(
                    E(path(k), gae_estimate(k)),
                    "=",
                    D(ended_objective) - (1 - lambda_) * E(path(k), excess(k)),
                    recursions=[*GAE_GRADIENT, trace_sum, all_score_sum, excess_sum],
                ),
                ByInduction((lemma("AD.18.product"), lemma("AD.18.trace"))),
            ),
            Assertion(
                "AD.18.product",
                "∇p = p·Z",
                "proved",
                statement(D(path(k)), "=", path(k) * all_scores(k), recursions=[path_law, all_score_sum]),
                ByInduction(),
            ),
            Assertion(
                "AD.18.trace",
                "Z = e + (1 − λ)Y",
                "proved",
                statement(
                    all_scores(k),
                    "=",
                    eligibility(k) + (1 - lambda_) * trace_sums(k),
                    recursions=[all_score_sum, eligibility_law, trace_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.18.none",
                "the bias is zero if λ = 1 or V_φ = V",
                "conditional",
                statement(
                    (1 - lambda_) * E(path(k), excess(k)),
                    "=",
                    0,
                    assuming=[exact],
                    standing=[error_of_critic],
                    recursions=[path_law, discounts, eligibility_law, trace_sum, excess_sum],
                ),
                ByInduction((lemma("AD.18.each"),)),
                worlds=(_two_next_states(),),
            ),
            Assertion(
                "AD.18.each",
                "the part of it that step t brings is zero",
                "conditional",
                statement(
                    (1 - lambda_) * E(path(k), discount(k) * (trace_sums(k) + eligibility(k)) * bellman_error(k)),
                    "=",
                    0,
                    assuming=[exact],
                    standing=[error_of_critic],
                    recursions=[path_law, discounts, eligibility_law, trace_sum],
                ),
                worlds=(_two_next_states(steps=1),),
            ),
            Assertion(
                "AD.18.time",
                "not necessary: a Bellman error c that is the same for all states of step t contributes nothing, for every t",
                "proved",
                statement(
                    E(path(k), discount(k) * (trace_sums(k) + eligibility(k)) * number),
                    "=",
                    0,
                    recursions=[path_law, discounts, eligibility_law, trace_sum],
                ),
                ByInduction((lemma("AD.18.centred"),)),
            ),
            Assertion(
                "AD.18.centred",
                "E[γᵗ e_t] = 0",
                "proved",
                statement(
                    E(path(k), discount(k) * eligibility(k)),
                    "=",
                    0,
                    recursions=[path_law, discounts, eligibility_law],
                ),
                ByInduction(),
            ),
            Assertion(
                "AD.18.arms",
                "λ = 0, γ = 1, two arms that lead to states with errors e₀, e₁ of V_φ: the bias is p(1 − p)(e₁ − e₀)",
                "proved",
                statement(
                    (1 - one_chance) * D(log(1 - one_chance)) * b0 + one_chance * D(log(one_chance)) * b1,
                    "=",
                    one_chance * (1 - one_chance) * (b1 - b0),
                    standing=[logit],
                ),
            ),
        ),
        believe=(
            "GAE is unbiased for λ = 1 or an exact critic. Otherwise the critic's error is in the gradient, "
            "unless that error depends on the time alone."
        ),
    ),
    Claim(
        section="V",
        tag="B V",
        quote="between high-variance, low-bias … and low-variance, high-bias",
        reading="Two errors, δ_0 and δ_1: the variance of δ_0 + γλδ_1 does not fall as λ grows.",
        main=Assertion(
            "AD.19",
            "a larger λ has the larger variance",
            "refuted",
            statement(gae_variance(low), "≤", gae_variance(high), standing=[ordered]),
        ),
        parts=(
            Assertion("AD.19.square", "E[δ_1²] ≥ 0", "proved", statement(later_square, "≥", 0)),
            Assertion(
                "AD.19.exact",
                "with the exact V(s) = E[r_1 ∣ s], so that δ_1 = r_1 − V(s), the variance is Var(δ_0) + γ²λ²E[δ_1²]",
                "proved",
                statement(
                    gae_variance(lambda_),
                    "=",
                    variance(next_law(s), next_law(s3), td_now(s), td_now(s3)) + (gamma * lambda_) ** 2 * later_square,
                    definitions=[next_exact],
                ),
            ),
        ),
        correction=Assertion(
            "AD.19.corrected",
            "with the exact V at the next state it does not fall",
            "proved",
            statement(gae_variance(low), "≤", gae_variance(high), standing=[ordered], definitions=[next_exact]),
            ByCalculation((lemma("AD.19.square"),)),
        ),
        believe="The variance rises with λ where the critic is exact; a bad critic can have its largest variance at λ = 0.",
    ),
    Claim(
        section="V",
        tag="B V",
        quote="(ours) GAE at the end of an episode",
        reading=(
            "d = 1 in a terminal state, after which nothing is worth anything: V(j) = E[r + γ(1 − d)V(next)]. Each δ "
            "bootstraps (1 − d)V, errors after a terminal state are masked out, and the sum is cut after any number of "
            "steps. E[f·Â] = E[f·A] for every f of (s, a)."
        ),
        main=Assertion(
            "AD.20",
            "terminated bootstraps 0, truncated bootstraps V: then E[Â ∣ s, a] = A(s, a), for every λ",
            "proved",
            ENDS,
            ByInduction(),
        ),
        parts=(
            Assertion(
                "AD.20.cut",
                "truncated after one step, bootstraps 0: r(s, a) − V(s) is A(s, a)",
                "refuted",
                statement(
                    pay(s, a) - true_value(s),
                    "=",
                    pay(s, a) + gamma * E(move(s2, s, a), true_value(s2)) - true_value(s),
                ),
            ),
            Assertion(
                "AD.20.over",
                "terminated after one step, bootstraps V: r(s, a) + γE[V(s′)] − V(s) is A(s, a) = r(s, a) − V(s)",
                "refuted",
                statement(
                    pay(s, a) + gamma * E(move(s2, s, a), true_value(s2)) - true_value(s),
                    "=",
                    pay(s, a) - true_value(s),
                ),
            ),
            Assertion(
                "AD.20.forever",
                "reward 1 for ever, V = 1/(1 − γ), cut after one step with 0: the advantage comes out as −γ/(1 − γ)",
                "proved",
                statement(1 - 1 / (1 - below_one), "=", -below_one / (1 - below_one)),
            ),
            Assertion(
                "AD.20.zero",
                "with V it comes out as 0, which it is",
                "proved",
                statement(1 + below_one / (1 - below_one) - 1 / (1 - below_one), "=", 0),
            ),
        ),
    ),
    Claim(
        section="V",
        tag="V.V",
        quote="Compute advantage estimates",
        reading="E[R̂ − V_φ(s) ∣ s, a] = A(s, a) = Q(s, a) − V(s), where Q is the conditional mean of R̂ and V(s) = E_a[Q].",
        main=Assertion(
            "AD.21",
            "Â = R̂ − V_φ(s) is unbiased for the advantage",
            "conditional",
            statement(
                E(follows(omega, s, a), rewards_to_go(omega) - critic(s)),
                "=",
                Q(s, a) - true_value(s),
                assuming=[assume("V_φ = V", critic(s), "=", true_value(s), for_all=[s])],
                standing=[Q_is_mean, V_is_mean],
            ),
        ),
        parts=(
            Assertion(
                "AD.21.bias",
                "its bias is V(s) − V_φ(s), so it is unbiased only if V_φ = V",
                "proved",
                statement(
                    E(follows(omega, s, a), rewards_to_go(omega) - critic(s)) - (Q(s, a) - true_value(s)),
                    "=",
                    true_value(s) - critic(s),
                    standing=[Q_is_mean, V_is_mean],
                ),
            ),
            Assertion(
                "AD.21.gradient",
                "for the policy gradient every V_φ will do: E[Σ_t g_t (R̂_t − b(s_t))] = ∇J, b = V_φ",
                "proved",
                statement(
                    E(trajectory(h), to_go_estimate(h) - baselines(h)),
                    "=",
                    D(E(trajectory(h), returns(h))),
                    standing=[free_rewards],
                    recursions=[*ESTIMATE, baseline_sum],
                ),
                ByCalculation((lemma("AD.5.gradient"),)),
            ),
        ),
        believe=(
            "R̂ − V_φ estimates A without bias only for V_φ = V^π; the policy gradient that it gives is unbiased "
            "for every V_φ."
        ),
    ),
)

__all__ = ["CLAIMS"]
