"""Section IV: the policy gradient and REINFORCE, line by line.

∇ is the derivative along an arbitrary direction of the parameters θ; what holds along every direction holds for the
gradient. A history of t steps is h = (s_0, a_0, …, s_{t−1}, a_{t−1}); policies and rewards may depend on all of it (a
reward can thus hold the factor γᵗ), and the law of the next state is P(s∣h), which is ρ at the empty history. The
Markov case is a special case. Z(h) = Σ_t ∇log π(a_t∣·) is the score of a history, G(h) its return.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from derivations.checker.calculus import Instance, Range, deferred
from derivations.checker.proof import (
    ByCalculation,
    ByInduction,
    algebra,
    begin,
    differentiation,
    laws_sum_to_one,
    lemma,
)
from derivations.checker.statement import Dominated, assume, finite, statement
from derivations.checker.terms import (
    HALF_OPEN_UNIT,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    D,
    E,
    Length,
    Size,
    Sort,
    Sum,
    function,
    histories,
    law,
    log,
    parameter,
    recursion,
    term,
)
from derivations.checker.worlds import World, world
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import A, H, S, Y, a, actor, b, dynamics, h, s, score
from derivations.sections.trajectories import trajectory, trajectory_law

# --- PG.1, PG.2: gradient and sum, log-derivative trick -------------------------------------------------------------

T = Sort("T", infinite=True)
tau = T.index("τ")
p = law("p", T, depends=True)
G = function("G", T)


@cache
def _uniform_on_zero_to_theta() -> Instance:
    """The uniform law on (0, θ), G(τ) = τ: its support moves with θ."""
    import sympy

    theta = sympy.Symbol("θ", positive=True)
    return Instance(
        "τ uniform on (0, θ), G(τ) = τ",
        ranges={T: Range(0, sympy.oo, integers=False)},
        functions={
            p: lambda t: sympy.Piecewise((1 / theta, t < theta), (0, True)),
            G: lambda t: t,
        },
        theta=theta,
    )


PG1_LEFT = D(Sum(tau, p(tau) * G(tau)))
PG1_RIGHT = Sum(tau, D(p(tau)) * G(tau))

q = law("p", Y, depends=True)
y = Y.index("y")

# --- PG.3, PG.4, PG.8: the gradient of the return -------------------------------------------------------------------

scores = function("Z", H, depends=True)
returns = function("G", H, depends=True)
reward = function("r", H, S, A, depends=True)

score_sum = recursion(scores, start=lambda: 0, step=lambda h, s, a: scores(h) + score(actor(a, h, s)))
return_sum = recursion(returns, start=lambda: 0, step=lambda h, s, a: returns(h) + reward(h, s, a))
GRADIENT = (trajectory_law, score_sum, return_sum)

positive_dynamics = law("P", *dynamics.sorts[:1], given=[H], positive=True)
possible = law("p", H, positive=True, depends=True)
possible_law = recursion(
    possible, start=lambda: 1, step=lambda h, s, a: possible(h) * positive_dynamics(s, h) * actor(a, h, s)
)
log_parts = function("L", H, depends=True)
log_sum = recursion(
    log_parts,
    start=lambda: 0,
    step=lambda h, s, a: log_parts(h) + log(positive_dynamics(s, h)) + log(actor(a, h, s)),
)

free_rewards = assume("the rewards do not depend on θ", D(reward(h, s, a)), "=", 0, for_all=[h, s, a])

# --- PG.5, PG.6: samples of N trajectories --------------------------------------------------------------------------

R = Sort("R")
t = R.index("τ")
draw = law("p", R, positive=True, depends=True)
outcome = function("G", R)
K = histories("K", step=[R])
k = K.index("k")
sample = law("u", K, depends=True)
sample_law = recursion(sample, start=lambda: 1, step=lambda k, τ: sample(k) * draw(τ))
estimates = function("ĝ", K, depends=True)
estimate_sum = recursion(estimates, start=lambda: 0, step=lambda k, τ: estimates(k) + score(draw(τ)) * outcome(τ))
N = Length(K)
some = assume("at least one trajectory", N, "≥", 1)

fixed = law("p", R)
first, second = function("f", R), function("g", R)
next_draw = law("q", R, given=[K])
joint = law("u", K)
joint_law = recursion(joint, start=lambda: 1, step=lambda k, τ: joint(k) * next_draw(τ, k))
first_sum_symbol, second_sum_symbol = function("F", K), function("M", K)
first_sum = recursion(first_sum_symbol, start=lambda: 0, step=lambda k, τ: first_sum_symbol(k) + first(τ))
second_sum = recursion(second_sum_symbol, start=lambda: 0, step=lambda k, τ: second_sum_symbol(k) + second(τ))
SAMPLES = (joint_law, first_sum, second_sum)
independent = assume(
    "the trajectories are independent, each with law p", next_draw(t, k), "=", fixed(t), for_all=[t, k]
)
t2 = R.index("σ")
mean_first, mean_second = E(fixed(t2), first(t2)), E(fixed(t2), second(t2))
covariance = E(fixed(t), (first(t) - mean_first) * (second(t) - mean_second))

# The batch as the code holds it: probabilities of the actions that were taken, and one return a trajectory.
BATCH, STEPS = Sort("N"), Sort("T")
i = BATCH.index("i")
step = STEPS.index("t")
taken = function("π", BATCH, STEPS, domain=HALF_OPEN_UNIT, depends=True)
gained = function("R", BATCH, depends=True)
free_return = assume("the returns do not depend on θ", D(gained(i)), "=", 0, for_all=[i])
ESTIMATE = Sum(i, Sum(step, score(taken(i, step))) * gained(i)) / Size(BATCH)
WEIGHTED_LIKELIHOOD = Sum(i, Sum(step, log(taken(i, step))) * gained(i)) / Size(BATCH)
MOVING_RETURN = Sum(i, Sum(step, log(taken(i, step))) * D(gained(i))) / Size(BATCH)

# --- PG.7: old trajectories -----------------------------------------------------------------------------------------

chance = parameter("p", OPEN_UNIT, depends=True)
old_chance = parameter("q", OPEN_UNIT)
r0, r1 = parameter("r₀", REAL), parameter("r₁", REAL)
logit = assume("p is the logistic function of θ", D(chance), "=", chance * (1 - chance))
bias = old_chance * score(chance) * r0 + (1 - old_chance) * D(log(1 - chance)) * r1 - D(chance * r0 + (1 - chance) * r1)
moved = assume("θ ≠ θ_old", old_chance, "≠", chance)
generic = assume("(1 − p)r₀ + p r₁ ≠ 0", (1 - chance) * r0 + chance * r1, "≠", 0)

arm = law("π", A, positive=True, depends=True)
old_arm = law("π_old", A, positive=True)
pay = function("r", A)
weight = function("w", A)


def _weighted() -> World:
    """π = (½, ½) on samples of π_old = (⅓, ⅔): the weights π/π_old = (3/2, 3/4) undo the difference."""
    half, third = Fraction(1, 2), Fraction(1, 3)
    return world(
        {A: 2},
        {arm: [half, half], old_arm: [third, 2 * third], pay: [0, 1], weight: [Fraction(3, 2), Fraction(3, 4)]},
        slopes={arm: [1, -1]},
    )


# --- PG.8: rewards that depend on θ ---------------------------------------------------------------------------------

beta = parameter("β", POSITIVE)
response = law("π", Y, positive=True, depends=True)
reference = law("π_ref", Y, positive=True)
ratio = reference(y) / response(y)

# --- PG.9: enumeration ----------------------------------------------------------------------------------------------

V = Sort("V")
prefixes = histories("Y", step=[V])
prefix = prefixes.index("y")
power = function("Vᵗ", prefixes)
power_law = recursion(power, start=lambda: 1, step=lambda y, v: power(y) * Size(V))

# --- PG.10: a step of gradient ascent -------------------------------------------------------------------------------

C = Sort("C")
c = C.index("i")
slope = function("g", C)
here, there = parameter("J(θ)", REAL), parameter("J(θ + αg)", REAL)
alpha, smoothness = parameter("α", POSITIVE), parameter("L", POSITIVE)
square = Sum(c, slope(c) ** 2)
ascent = [
    assume("∇J ≠ 0", square, ">", 0),
    assume("α < 2/L", alpha * smoothness, "<", 2),
    assume(
        "J is L-smooth", there, "≥", here + Sum(c, slope(c) * alpha * slope(c)) - smoothness / 2 * alpha**2 * square
    ),
]
arm_chance = parameter("p", UNIT)
arm_slope = term(1) / 2 - 2 * arm_chance
arm_step = arm_chance + alpha * arm_slope


def parabola(x):  # type: ignore[no-untyped-def]
    """J = p(½ − p)."""
    return x * (term(1) / 2 - x)


stays = [
    assume("p + αJ′(p) ≥ 0", arm_step, "≥", 0),
    assume("p + αJ′(p) ≤ 1", arm_step, "≤", 1),
    assume("J′(p) ≠ 0", arm_slope, "≠", 0),
]

# --- PG.11: a good action with a negative update --------------------------------------------------------------------

B = Sort("B")
bb = B.index("b")
first_policy = law("π₀", A)
first_reward, second_reward = function("r₀", A), function("r₁", B)
better = assume("A₀(a) > 0", first_reward(a) - E(first_policy(b), first_reward(b)), ">", 0)

CLAIMS = (
    Claim(
        section="IV",
        tag="B IV",
        quote="Bringing the gradient inside the integral",
        reading="∇Σ_τ p(τ)G(τ) = Σ_τ ∇p(τ) G(τ); the set of trajectories may be infinite, even a continuum.",
        main=Assertion(
            "PG.1",
            "gradient and sum exchange",
            "conditional",
            statement(PG1_LEFT, "=", PG1_RIGHT, assuming=[finite(T)]),
            instances=(deferred(_uniform_on_zero_to_theta),),
        ),
        parts=(
            Assertion(
                "PG.1.dominated",
                "on an infinite set: they exchange if the derivatives are dominated",
                "conditional",
                statement(
                    PG1_LEFT,
                    "=",
                    PG1_RIGHT,
                    assuming=[Dominated(tau, p(tau) * G(tau), "∇p·G has a summable bound near θ")],
                ),
                instances=(deferred(_uniform_on_zero_to_theta),),
            ),
        ),
        believe=(
            "For finite sets, or under domination, the gradient goes under the sum; where the support moves with "
            "θ it does not."
        ),
    ),
    Claim(
        section="IV",
        tag="B IV",
        quote="the log-derivative trick",
        reading="∇p(y) = p(y) ∇log p(y) for a distribution p that depends on θ; both sides have to be defined.",
        main=Assertion(
            "PG.2",
            "∇p = p ∇log p",
            "conditional",
            statement(D(q(y)), "=", q(y) * D(log(q(y))), assuming=[assume("p > 0", q(y), ">", 0, for_all=[y])]),
        ),
        believe="∇p = p ∇log p holds where p > 0, and a softmax policy is positive everywhere.",
    ),
    Claim(
        section="IV",
        tag="B IV",
        quote="only the policy term depends on θ",
        reading=(
            "For every history that can occur, log p(h) is the sum of the logarithms of its factors, and "
            "∇log p(h) = Σ_t ∇log π(a_t∣·), the last action included (see TR.1)."
        ),
        main=Assertion(
            "PG.3",
            "∇log p(τ) = Σ_t ∇log π(a_t∣s_t)",
            "proved",
            statement(D(log(possible(h))), "=", scores(h), recursions=[possible_law, score_sum]),
            ByInduction(),
        ),
        parts=(
            Assertion(
                "PG.3.split",
                "log p(τ) splits into ρ, π and P terms",
                "proved",
                statement(log(possible(h)), "=", log_parts(h), recursions=[possible_law, log_sum]),
                ByInduction(),
            ),
            Assertion(
                "PG.3.product",
                "∇p(τ) = p(τ) Σ_t ∇log π(a_t∣s_t), also where p(τ) = 0",
                "proved",
                statement(D(trajectory(h)), "=", trajectory(h) * scores(h), recursions=[trajectory_law, score_sum]),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="IV",
        tag="IV.III, IV.IV",
        quote="the policy gradient theorem",
        reading="∇E[G] = E[Z·G] for every horizon, Z the sum of the scores, G the sum of the rewards of a trajectory.",
        main=Assertion(
            "PG.4",
            "∇J = E[Σ_t ∇log π(a_t∣s_t) · G(τ)]",
            "conditional",
            statement(
                D(E(trajectory(h), returns(h))),
                "=",
                E(trajectory(h), scores(h) * returns(h)),
                assuming=[free_rewards],
                recursions=GRADIENT,
            ),
            begin(D(E(trajectory(h), returns(h))))
            .then("=", Sum(h, D(trajectory(h)) * returns(h)) + E(trajectory(h), D(returns(h))), differentiation)
            .then("=", Sum(h, D(trajectory(h)) * returns(h)), lemma("PG.4.return"))
            .then("=", E(trajectory(h), scores(h) * returns(h)), lemma("PG.3.product")),
        ),
        parts=(
            Assertion(
                "PG.4.return",
                "if no reward depends on θ, the return does not",
                "conditional",
                statement(D(returns(h)), "=", 0, assuming=[free_rewards], recursions=[return_sum]),
                ByInduction(),
            ),
        ),
        believe="The theorem holds if the rewards do not depend on θ; if they do, E[∇G] is added (PG.8).",
    ),
    Claim(
        section="IV",
        tag="IV.V",
        quote="we approximate it with a sample mean",
        reading="For every N ≥ 1: the mean of ∇log p(τ_i) G(τ_i) over N independent trajectories has expectation ∇J.",
        main=Assertion(
            "PG.5",
            "the sample mean over N trajectories (REINFORCE) is unbiased",
            "proved",
            statement(
                E(sample(k), estimates(k) / N),
                "=",
                D(E(draw(t), outcome(t))),
                standing=[some],
                recursions=[sample_law, estimate_sum],
            ),
            ByCalculation((lemma("PG.5.sum"),)),
        ),
        parts=(
            Assertion(
                "PG.5.sum",
                "the sum over N trajectories has expectation N·∇J",
                "proved",
                statement(
                    E(sample(k), estimates(k)),
                    "=",
                    N * D(E(draw(t), outcome(t))),
                    recursions=[sample_law, estimate_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "PG.5.loss",
                "ĝ is the gradient of (1/N) Σ_i (Σ_t log π) R(τ_i), minus the loss in code, if no return depends on θ",
                "conditional",
                statement(ESTIMATE, "=", D(WEIGHTED_LIKELIHOOD), assuming=[free_return]),
            ),
            Assertion(
                "PG.5.moving",
                "whatever the returns depend on: that gradient has (1/N) Σ_i (Σ_t log π) ∇R(τ_i) besides",
                "proved",
                statement(ESTIMATE + MOVING_RETURN, "=", D(WEIGHTED_LIKELIHOOD)),
            ),
        ),
    ),
    Claim(
        section="IV",
        tag="IV.V",
        quote="High variance … depending on the sampled trajectories",
        reading=(
            "For every N ≥ 1 and any two components f, g of the estimate: the covariance of the means over N "
            "trajectories is the covariance of one trajectory over N. F and M are the sums of f and g."
        ),
        main=Assertion(
            "PG.6",
            "the covariance of the mean over N trajectories is that of one over N",
            "conditional",
            statement(
                E(joint(k), (first_sum_symbol(k) / N - mean_first) * (second_sum_symbol(k) / N - mean_second)),
                "=",
                covariance / N,
                assuming=[independent],
                standing=[some],
                recursions=SAMPLES,
            ),
            ByCalculation((lemma("PG.6.sum"), lemma("PG.6.first"), lemma("PG.6.second"))),
        ),
        parts=(
            Assertion(
                "PG.6.first",
                "the expectation of the sum of f is N times that of f",
                "conditional",
                statement(
                    E(joint(k), first_sum_symbol(k)),
                    "=",
                    N * mean_first,
                    assuming=[independent],
                    recursions=[joint_law, first_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "PG.6.second",
                "the expectation of the sum of g is N times that of g",
                "conditional",
                statement(
                    E(joint(k), second_sum_symbol(k)),
                    "=",
                    N * mean_second,
                    assuming=[independent],
                    recursions=[joint_law, second_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "PG.6.sum",
                "the expectation of the product of the sums",
                "conditional",
                statement(
                    E(joint(k), first_sum_symbol(k) * second_sum_symbol(k)),
                    "=",
                    N * covariance + N**2 * mean_first * mean_second,
                    assuming=[independent],
                    recursions=SAMPLES,
                ),
                ByInduction((lemma("PG.6.first"), lemma("PG.6.second"))),
            ),
            Assertion(
                "PG.6.copies",
                "two copies of one trajectory halve the variance, too",
                "refuted",
                statement(
                    E(fixed(t), ((first(t) + first(t)) / 2 - mean_first) ** 2),
                    "=",
                    E(fixed(t), (first(t) - mean_first) ** 2) / 2,
                ),
            ),
        ),
        believe="Independent trajectories divide the covariance by N; copies of one do not.",
    ),
    Claim(
        section="IV",
        tag="B IV",
        quote="previously collected trajectories must be discarded",
        reading=(
            "One step, two arms, p = π(0), q = π_old(0), θ the logit of arm 0: the estimate ∇log π(a) r(a) with a drawn "
            "from π_old is biased."
        ),
        main=Assertion(
            "PG.7",
            "on samples of θ_old ≠ θ the same estimator is biased",
            "conditional",
            statement(bias, "≠", 0, assuming=[moved, generic], standing=[logit]),
        ),
        parts=(
            Assertion(
                "PG.7.bias",
                "the bias is (q − p)((1 − p)r₀ + p r₁)",
                "proved",
                statement(bias, "=", (old_chance - chance) * ((1 - chance) * r0 + chance * r1), standing=[logit]),
            ),
            Assertion(
                "PG.7.always",
                "biased for every θ ≠ θ_old, whatever the rewards",
                "refuted",
                statement(bias, "≠", 0, standing=[moved, logit]),
            ),
            Assertion(
                "PG.7.discarded",
                "they must be discarded: no weights on old samples give the gradient",
                "refuted",
                statement(
                    E(old_arm(a), weight(a) * score(arm(a)) * pay(a)),
                    "≠",
                    D(E(arm(a), pay(a))),
                    standing=[
                        assume("π ≠ π_old", arm(b), "≠", old_arm(b)),
                        assume("∇J ≠ 0", D(E(arm(a), pay(a))), "≠", 0),
                    ],
                ),
                worlds=(_weighted(),),
            ),
            Assertion(
                "PG.7.weighted",
                "the weights π/π_old do, for every number of actions and all rewards",
                "proved",
                statement(E(old_arm(a), arm(a) / old_arm(a) * score(arm(a)) * pay(a)), "=", D(E(arm(a), pay(a)))),
                begin(E(old_arm(a), arm(a) / old_arm(a) * score(arm(a)) * pay(a)))
                .then("=", E(arm(a), score(arm(a)) * pay(a)), algebra)
                .then("=", D(E(arm(a), pay(a))), differentiation),
            ),
        ),
        believe=(
            "On old samples the estimator is biased but for coincidences; with the weights π/π_old they can be "
            "used (IS.1)."
        ),
    ),
    Claim(
        section="IV",
        tag="B IX",
        quote="(ours) a reward that depends on θ",
        reading="∇E[G] = E[Z·G] + E[∇G] for every horizon, whatever the rewards depend on.",
        main=Assertion(
            "PG.8",
            "with a reward that depends on θ an extra term E[∇r] appears",
            "proved",
            statement(
                D(E(trajectory(h), returns(h))),
                "=",
                E(trajectory(h), scores(h) * returns(h)) + E(trajectory(h), D(returns(h))),
                recursions=GRADIENT,
            ),
            begin(D(E(trajectory(h), returns(h))))
            .then("=", Sum(h, D(trajectory(h)) * returns(h)) + E(trajectory(h), D(returns(h))), differentiation)
            .then(
                "=",
                E(trajectory(h), scores(h) * returns(h)) + E(trajectory(h), D(returns(h))),
                lemma("PG.3.product"),
            ),
        ),
        parts=(
            Assertion(
                "PG.8.k1",
                "the extra term is zero for r = −β(log π − log π_ref)",
                "proved",
                statement(E(response(y), D(-beta * (log(response(y)) - log(reference(y))))), "=", 0),
                begin(E(response(y), D(-beta * (log(response(y)) - log(reference(y))))))
                .then("=", -beta * Sum(y, D(response(y))), differentiation)
                .then("=", 0, laws_sum_to_one),
            ),
            Assertion(
                "PG.8.k3",
                "the extra term is zero for k3 = ρ − 1 − log ρ, ρ = π_ref/π",
                "refuted",
                statement(E(response(y), D(ratio - 1 - log(ratio))), "=", 0),
            ),
        ),
    ),
    Claim(
        section="IV",
        tag="B IV",
        quote="We can't simply enumerate all possible trajectories",
        reading="The responses of 5 tokens over a vocabulary of 6 are more than a million, too many to enumerate here.",
        main=Assertion(
            "PG.9",
            "the responses are too many to enumerate",
            "refuted",
            statement(term(6) ** 5, ">", 10**6),
        ),
        parts=(
            Assertion(
                "PG.9.count",
                "there are Vᵗ responses of t tokens, for every t",
                "proved",
                statement(power(prefix), "=", Size(prefixes), recursions=[power_law]),
                ByInduction(),
            ),
        ),
        correction=Assertion(
            "PG.9.corrected",
            "at this size they can be enumerated: there are 7776",
            "proved",
            statement(term(6) ** 5, "=", 7776),
        ),
        believe="Vᵗ grows fast, but small worlds can be enumerated, and there the true gradient is a number.",
    ),
    Claim(
        section="IV",
        tag="IV.II",
        quote="gradient ascent: θ_{k+1} = θ_k + α ∇J(θ_k)",
        reading=(
            "J(θ + αg) > J(θ), g = ∇J(θ) with components g(i). L-smooth is used at the two points: "
            "J(θ + d) ≥ J(θ) + g·d − (L/2)‖d‖²."
        ),
        main=Assertion(
            "PG.10",
            "a step of gradient ascent raises J",
            "conditional",
            statement(there, ">", here, assuming=ascent),
        ),
        parts=(
            Assertion(
                "PG.10.any",
                "a step of any size raises J = p(½ − p), p the parameter itself",
                "refuted",
                statement(parabola(arm_step), ">", parabola(arm_chance), standing=stays),
            ),
            Assertion(
                "PG.10.small",
                "a step below 1 = 2/L raises that J",
                "conditional",
                statement(
                    parabola(arm_step),
                    ">",
                    parabola(arm_chance),
                    assuming=[assume("α < 1", alpha, "<", 1)],
                    standing=stays,
                ),
            ),
        ),
        believe="A step raises J if ∇J ≠ 0 and the step is small, below 2/L for an L-smooth J.",
    ),
    Claim(
        section="IV",
        tag="B IV",
        quote="even if an action was good, it might receive a negative gradient update",
        reading="There are two steps with independent actions a, b such that A₀(a) > 0 and G = r₀(a) + r₁(b) < 0.",
        main=Assertion(
            "PG.11",
            "an action with positive advantage can be weighted by a negative return",
            "proved",
            statement(
                first_reward(a) + second_reward(bb),
                "<",
                0,
                standing=[better],
                exists=True,
            ),
        ),
    ),
)

__all__ = ["CLAIMS"]
