"""Section V: variance and advantage: causality, baselines, values, generalised advantage estimates.

Three kinds of histories are used. Where no value is spoken of, h = (s_0, a_0, …, s_{t−1}, a_{t−1}) as in section IV. Where
values are, k = (s_0, a_0, s_1, …, s_t) ends with a state, and V(k), π(·∣k), P(·∣k, a) may depend on all of it: the time is
in the state, and the Markov case is a special case. What is said of a step t, whatever came before it, is said of
j = (s_t, a_t, s_{t+1}, …), where s_t may hold the whole past. Everything holds for histories of every length.

A sum over the steps of a trajectory is a recursion, collected as the steps come. So Σ_t g_t Σ_{k≥t} r_k is collected reward
by reward: each r_k is multiplied by the scores of all steps up to k. E[f·X] = E[f·Y] for every f of (s, a) says that the
conditional expectations of X and Y given (s, a) are equal.
"""

from __future__ import annotations

from fractions import Fraction

from derivations.checker.proof import (
    ByCalculation,
    ByInduction,
    begin,
    differentiation,
    laws_sum_to_one,
    lemma,
)
from derivations.checker.statement import assume, statement
from derivations.checker.terms import (
    OPEN_UNIT,
    REAL,
    UNIT,
    Apply,
    D,
    E,
    Function,
    Index,
    Path,
    Recursion,
    Scalar,
    Sort,
    Sum,
    Term,
    define,
    function,
    histories,
    law,
    log,
    parameter,
    recursion,
)
from derivations.checker.worlds import World, world
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import A, H, S, a, actor, b, h, s, score
from derivations.sections.policy_gradient import free_rewards, return_sum, returns, reward, score_sum, scores
from derivations.sections.trajectories import trajectory, trajectory_law

gamma, lambda_ = parameter("γ", UNIT), parameter("λ", UNIT)

# --- AD.1: the score --------------------------------------------------------------------------------------------------

pi = law("π", A, given=[S], positive=True, depends=True)

# --- AD.2, AD.3: causality and reward-to-go ---------------------------------------------------------------------------

# One step t of a longer trajectory: o is all that came before it, l = (o, s_t, a_t, s_{t+1}, a_{t+1}, …).
B = Sort("B")
o = B.index("o")
L = histories("L", start=[B, S, A], step=[S, A])
l = L.index("l")
before, state_at_t = law("μ", B, depends=True), law("P_t", S, given=[B])
action_at_t = law("π_t", A, given=[B, S], positive=True, depends=True)
later_state, later_action = law("P", S, given=[L]), law("π", A, given=[L, S], depends=True)
long_run = law("q", L, depends=True)
long_law = recursion(
    long_run,
    start=lambda o, s, a: before(o) * state_at_t(s, o) * action_at_t(a, o, s),
    step=lambda l, s, a: long_run(l) * later_state(s, l) * later_action(a, l, s),
)
past = function("f", B, depends=True)
reward_at_t, later_reward = function("r_t", B, S, A, depends=True), function("r", L, S, A, depends=True)
kept_score, kept_past, to_go = (function(name, L, depends=True) for name in ("g_t", "f_t", "R̂_t"))
score_kept = recursion(
    kept_score, start=lambda o, s, a: score(action_at_t(a, o, s)), step=lambda l, s, a: kept_score(l)
)
past_kept = recursion(kept_past, start=lambda o, s, a: past(o), step=lambda l, s, a: kept_past(l))
to_go_sum = recursion(
    to_go, start=lambda o, s, a: reward_at_t(o, s, a), step=lambda l, s, a: to_go(l) + later_reward(l, s, a)
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
scores_centred = assume("E[g] = 0 (AD.1)", E(outcome_law(t), component(t, i)), "=", 0, for_all=[i])
norm_positive = assume("E‖g‖² > 0", square_norm, ">", 0)
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


def _one_fair_coin() -> World:
    """p = (½, ½), one component g = (1, −1): E[g] = 0, E‖g‖² = 1."""
    half = Fraction(1, 2)
    tables = {outcome_law: [half, half], component: [[1], [-1]], G: [1, 0], constant: 0}
    return world({R: 2, C: 1}, tables)


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
        quote="an action cannot affect rewards that came before it",
        reading=(
            "o is everything before s_t, f(o) any function of it, such as r_k with k < t; the trajectory goes on for any "
            "number of steps after a_t. The mean of ∇log π(a_t∣·) f(o) over whole trajectories is zero."
        ),
        main=Assertion(
            "AD.2",
            "E[∇log π(a_t∣s_t) r_k] = 0 for k < t",
            "proved",
            statement(
                E(long_run(l), kept_score(l) * kept_past(l)), "=", 0, recursions=[long_law, score_kept, past_kept]
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
        quote="rewards-to-go",
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
                "at each step by itself: E[g_t Σ_{k≥t} r_k] = E[g_t (f + Σ_{k≥t} r_k)], f the sum of the rewards before t",
                "proved",
                statement(
                    E(long_run(l), kept_score(l) * to_go(l)),
                    "=",
                    E(long_run(l), kept_score(l) * (kept_past(l) + to_go(l))),
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
        tag="V.II",
        quote="subtract a state-dependent baseline",
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
        quote="(ours) the best constant baseline",
        reading=(
            "g(τ) has components g(τ, i) of mean zero (AD.1); the estimate is g(τ)(G(τ) − b), its spread the trace of its "
            "covariance, and b* = E[‖g‖²G]/E[‖g‖²]."
        ),
        main=Assertion(
            "AD.9",
            "no constant baseline has a smaller trace of the covariance than b*",
            "proved",
            statement(
                covariance_trace(best_constant),
                "≤",
                covariance_trace(constant),
                standing=[scores_centred, norm_positive],
            ),
            worlds=(_one_fair_coin(),),
        ),
        parts=(
            Assertion(
                "AD.9.gap",
                "the trace at b exceeds that at b* by E[‖g‖²](b − b*)²",
                "proved",
                statement(
                    covariance_trace(constant),
                    "=",
                    covariance_trace(best_constant) + square_norm * (constant - best_constant) ** 2,
                    standing=[scores_centred, norm_positive],
                ),
                worlds=(_one_fair_coin(),),
            ),
            Assertion(
                "AD.9.unique",
                "every other constant is worse",
                "proved",
                statement(
                    covariance_trace(best_constant),
                    "<",
                    covariance_trace(constant),
                    standing=[scores_centred, norm_positive, assume("b ≠ b*", constant, "≠", best_constant)],
                ),
                worlds=(_one_fair_coin(),),
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
        quote="the rewards-to-go is estimated as Q",
        reading=(
            "ω is what follows (s, a), R̂ a function of it. Read as: Q is the best prediction of R̂ from (s, a) in mean square. "
            "True where Q is the conditional mean."
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
    ),
    Claim(
        section="V",
        tag="B V",
        quote="Generalized Advantage Estimation",
        reading=(
            "j = (s_t, a_t, s_{t+1}, …) of any length, Â_t = Σ_l (γλ)^l δ_{t+l}, Â_{t+1} the same from the next step on, up to "
            "the same end; V is any function of the history, so it may be zero at the end."
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
    ),
)

__all__ = ["CLAIMS"]
