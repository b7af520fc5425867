"""Section IX: the KL penalty, its estimators, and the complete objective.

Three settings, each the one in which its claims are general. One step: a law π over Y; Y may be the set of whole
sequences, and then an estimator is one of the sequence's log-ratio. Histories h = (s_0, a_0, …, s_{t−1}, a_{t−1}), as in
section IV: policies, rewards and the dynamics may depend on all of it. Prompts x, as in section X, for what is best.

Sums over the steps of a history are functions given by recursion: Z(h) of the scores, G(h) of the rewards, L(h) of the
log-ratios log π − log π_ref at the actions taken, K(h) of the exact divergences D_t = D(π(·∣s_t)‖π_ref(·∣s_t)), C(h) of
their gradients ∇D_t with the states held fixed, M(h) = Σ_k D_k Σ_{t<k} ∇log π(a_t∣s_t) of what that leaves out.
The estimators are k1 = log π − log π_ref, k2 = ½ k1², k3 = ρ − 1 − log ρ with ρ = π_ref/π.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from derivations.checker.proof import (
    ByCalculation,
    ByInduction,
    algebra,
    begin,
    differentiation,
    hypothesis,
    laws_sum_to_one,
    lemma,
    logarithms,
    pointwise,
)
from derivations.checker.statement import assume, covers, first_order, point, statement
from derivations.checker.terms import (
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    Apply,
    D,
    Delta,
    E,
    Function,
    Index,
    Indicator,
    Size,
    Sort,
    Sum,
    Term,
    clip,
    define,
    exp,
    function,
    histories,
    kl,
    law,
    log,
    maximum,
    minimum,
    parameter,
    recursion,
)
from derivations.checker.worlds import World, world
from derivations.sections import optimal_policy
from derivations.sections.claim import Assertion, Claim, Measured
from derivations.sections.objects import (
    OPTIMUM,
    A,
    H,
    S,
    X,
    Y,
    a,
    actor,
    b,
    beta,
    dynamics,
    h,
    objective,
    policy,
    reference,
    reward,
    s,
    score,
    star,
    v,
    w,
    x,
    y,
    y0,
)
from derivations.sections.policy_gradient import score_sum, scores
from derivations.sections.trajectories import trajectory, trajectory_law

HALF = Fraction(1, 2)

# --- one step -------------------------------------------------------------------------------------------------------

pi = law("π", Y, positive=True, depends=True)
still = law("π", Y, positive=True)
anchor = law("π_ref", Y, positive=True)
behind = law("π_old", Y, positive=True)
sampler = law("q", Y)
pay = function("r", Y)
at_old = assume("θ = θ_old", pi(y), "=", behind(y), for_all=[y])
ratio = pi(y) / behind(y)


def log_ratio(probability: Function, of: Index = y) -> Term:
    """log π − log π_ref at a response: k1."""
    return log(probability(of)) - log(anchor(of))


def k3_of(rho: Term) -> Term:
    """ρ − 1 − log ρ."""
    return rho - 1 - log(rho)


drawn = assume("a is drawn from π", sampler(y), "=", still(y), for_all=[y])
temperature = parameter("T", POSITIVE)
tempered = law("q", Y, positive=True)
tempering = define(tempered(y), exp(log(still(y)) / temperature) / Sum(w, exp(log(still(w)) / temperature)))

# --- KL.2: laws that may have zeros, and a path through π_ref -------------------------------------------------------

closed, closed_anchor = law("π", Y), law("π_ref", Y)
closed_rho = closed_anchor(y) / closed(y)
drawn_closed = assume("a is drawn from π", sampler(y), "=", closed(y), for_all=[y])
positive_rho = anchor(y) / still(y)
K2 = E(pi(y), log_ratio(pi) ** 2 / 2)
KL = kl(pi, anchor, v)
at_reference = assume("π = π_ref", pi(y), "=", anchor(y), for_all=[y])

along = parameter("t", REAL, slope=1)
direction = function("g", Y)
path = define(pi(y), anchor(y) * exp(along * direction(y)) / Sum(w, anchor(w) * exp(along * direction(w))))
start = assume("t = 0, where π = π_ref", along, "=", 0)
third_moment = E(anchor(y), (direction(y) - E(anchor(v), direction(v))) ** 3)


def third(of: Term) -> Term:
    """The third derivative along the path."""
    return D(D(D(of)))


# --- KL.3: sequences of tokens --------------------------------------------------------------------------------------

V = Sort("V")
prefixes = histories("Y", step=[V])
prefix = prefixes.index("y")
token = V.index("v")
token_policy = law("π", V, given=[prefixes], positive=True)
token_anchor = law("π_ref", V, given=[prefixes], positive=True)
sequence = law("p", prefixes, positive=True)
sequence_anchor = law("p_ref", prefixes, positive=True)
token_kls = function("K", prefixes)
SEQUENCES = (
    recursion(sequence, start=lambda: 1, step=lambda y, v: sequence(y) * token_policy(v, y)),
    recursion(sequence_anchor, start=lambda: 1, step=lambda y, v: sequence_anchor(y) * token_anchor(v, y)),
    recursion(
        token_kls,
        start=lambda: 0,
        step=lambda y, v: token_kls(y) + kl(lambda u: token_policy(u, y), lambda u: token_anchor(u, y), token),
    ),
)

# --- histories ------------------------------------------------------------------------------------------------------

actor_anchor = law("π_ref", A, given=[H, S], positive=True)
step_reward = function("r", H, S, A)


def step_ratio(a: Index, h: Index, s: Index) -> Term:
    """log π − log π_ref at the action taken."""
    return log(actor(a, h, s)) - log(actor_anchor(a, h, s))


def divergence(h: Index, s: Index) -> Term:
    """D(π(·∣s)‖π_ref(·∣s))."""
    return E(actor(b, h, s), step_ratio(b, h, s))


log_ratios = function("L", H, depends=True)
divergences = function("K", H, depends=True)
fixed = function("C", H, depends=True)
missing = function("M", H, depends=True)
squares = function("Q", H, depends=True)
returns = function("G", H)
penalised = function("G_β", H, depends=True)
seen = function("N", H, depends=True)

ratio_sum = recursion(log_ratios, start=lambda: 0, step=lambda h, s, a: log_ratios(h) + step_ratio(a, h, s))
divergence_sum = recursion(divergences, start=lambda: 0, step=lambda h, s, a: divergences(h) + divergence(h, s))
fixed_sum = recursion(fixed, start=lambda: 0, step=lambda h, s, a: fixed(h) + D(divergence(h, s)))
missing_sum = recursion(missing, start=lambda: 0, step=lambda h, s, a: missing(h) + scores(h) * divergence(h, s))
seen_sum = recursion(
    seen,
    start=lambda: 0,
    step=lambda h, s, a: seen(h) + score(actor(a, h, s)) * (divergences(h) + divergence(h, s)),
)
square_sum = recursion(squares, start=lambda: 0, step=lambda h, s, a: squares(h) + step_ratio(a, h, s) ** 2 / 2)
return_sum = recursion(returns, start=lambda: 0, step=lambda h, s, a: returns(h) + step_reward(h, s, a))
penalised_sum = recursion(
    penalised,
    start=lambda: 0,
    step=lambda h, s, a: penalised(h) + step_reward(h, s, a) - beta * step_ratio(a, h, s),
)


def mean(body: Term) -> Term:
    """The expectation over the trajectories of π."""
    return E(trajectory(h), body)


SEQUENCE_KL = mean(log_ratios(h))
RATIOS = (trajectory_law, ratio_sum, score_sum)
mix = parameter("κ", UNIT)

# --- KL.4: discounting, with the last step written out --------------------------------------------------------------

gamma = parameter("γ", UNIT)
power = function("γᵗ", H, domain=UNIT)
penalties = function("B", H, depends=True)
discounted = function("K_γ", H, depends=True)
last_score = function("r_φ", H, S, A)
undiscounted = assume("γ = 1", gamma, "=", 1)
power_law = recursion(power, start=lambda: 1, step=lambda h, s, a: power(h) * gamma)
penalty_sum = recursion(
    penalties, start=lambda: 0, step=lambda h, s, a: penalties(h) - beta * power(h) * step_ratio(a, h, s)
)
discounted_sum = recursion(
    discounted, start=lambda: 0, step=lambda h, s, a: discounted(h) + power(h) * divergence(h, s)
)
DISCOUNTING = (trajectory_law, power_law, penalty_sum, discounted_sum)


def to_the_end(body: Term) -> Term:
    """The expectation over the history h before the last step, the last state s, and the last action a."""
    return E(trajectory(h), E(dynamics(s, h), E(actor(a, h, s), body)))


RETURN_WITH_SCORE = to_the_end(penalties(h) + power(h) * (last_score(h, s, a) - beta * step_ratio(a, h, s)))
DISCOUNTED_VALUE = to_the_end(power(h) * last_score(h, s, a)) - beta * to_the_end(
    discounted(h) + power(h) * divergence(h, s)
)
FULL_VALUE = to_the_end(last_score(h, s, a)) - beta * to_the_end(divergences(h) + divergence(h, s))

# --- old samples ----------------------------------------------------------------------------------------------------

actor_old = law("π_old", A, given=[H, S], positive=True)
old_trajectory = law("p_old", H)
old_law = recursion(
    old_trajectory, start=lambda: 1, step=lambda h, s, a: old_trajectory(h) * dynamics(s, h) * actor_old(a, h, s)
)
steps_at_old = assume("θ = θ_old", actor(a, h, s), "=", actor_old(a, h, s), for_all=[a, h, s])


def old_mean(body: Term) -> Term:
    """The expectation over the trajectories of π_old."""
    return E(old_trajectory(h), body)


def probability_ratio(a: Index, h: Index, s: Index) -> Term:
    """π/π_old at the action taken."""
    return actor(a, h, s) / actor_old(a, h, s)


def penalised_reward(h: Index, s: Index, a: Index) -> Term:
    """r − β (log π − log π_ref)."""
    return step_reward(h, s, a) - beta * step_ratio(a, h, s)


# Σ_t ratio_t Σ_{k≥t} r_k is Σ_k r_k Σ_{t≤k} ratio_t: with W = Σ_{t≤k} ratio_t it is a sum over the steps.
weights = function("W", H, depends=True)
attached, detached, plain = (function(name, H, depends=True) for name in ("U", "U₀", "U_r"))
weight_sum = recursion(weights, start=lambda: 0, step=lambda h, s, a: weights(h) + probability_ratio(a, h, s))
attached_sum = recursion(
    attached,
    start=lambda: 0,
    step=lambda h, s, a: attached(h) + (weights(h) + probability_ratio(a, h, s)) * penalised_reward(h, s, a),
)
detached_sum = recursion(
    detached,
    start=lambda: 0,
    step=lambda h, s, a: detached(h) + D(weights(h) + probability_ratio(a, h, s)) * penalised_reward(h, s, a),
)
plain_sum = recursion(
    plain,
    start=lambda: 0,
    step=lambda h, s, a: plain(h) + (weights(h) + probability_ratio(a, h, s)) * step_reward(h, s, a),
)

# Worlds of two steps with two actions and one state: tables by what came before.

Before = tuple[int, ...]
BEGINNING: Before = ()
AFTER: tuple[Before, Before] = ((0, 0), (0, 1))


def two_steps(first: Fraction, after: tuple[Fraction, Fraction]) -> dict[tuple[int, Before, int], Fraction]:
    """A policy of two steps by its probabilities of action 1: at first, and after either first action."""
    chances = dict(zip((BEGINNING, *AFTER), (first, *after), strict=True))
    return {(a, h, 0): chance if a else 1 - chance for h, chance in chances.items() for a in (0, 1)}


def steps_world(tables: dict[Function | Apply, object], slopes: dict[Function | Apply, object]) -> World:
    """The world of two steps with the given tables; the one state is certain, no reward is given, β = 1."""
    histories_seen = (BEGINNING, *AFTER)
    given: dict[Function | Apply, object] = {
        dynamics: {(0, h): 1 for h in histories_seen},
        step_reward: {(h, 0, a): 0 for h in histories_seen for a in (0, 1)},
        beta: 1,
    }
    return world({S: 1, A: 2}, given | tables, slopes=slopes, lengths={H: 2})


def two_slopes(first: Fraction | int, second: Fraction | int) -> dict[tuple[int, Before, int], Fraction | int]:
    """The slopes of a policy of two steps by those of its probabilities of action 1, at first and in the second step."""
    slope = {BEGINNING: first, **dict.fromkeys(AFTER, second)}
    return {(a, h, 0): value if a else -value for h, value in slope.items() for a in (0, 1)}


FAIR = two_steps(HALF, (HALF, HALF))
AT_FIRST = {(0, BEGINNING, 0): 1, (1, BEGINNING, 0): -1}
AFTER_ONE = {(0, AFTER[1], 0): 1, (1, AFTER[1], 0): -1}
TWO_THIRDS = Fraction(2, 3)


def second_step(second: Fraction) -> World:
    """A fair first action, its slope on the logit of action 1; the second step is fair after 0, and not after 1."""
    moving = two_steps(HALF, (HALF, second))
    return steps_world({actor: moving, actor_anchor: FAIR}, {actor: two_slopes(Fraction(1, 4), 0)})


def _reference_differs_after_one(more: dict[Function | Apply, object]) -> World:
    """A fair policy that moves at first; π_ref is another only in the second step, after action 1."""
    return steps_world({actor: FAIR, actor_anchor: two_steps(HALF, (HALF, TWO_THIRDS)), **more}, {actor: AT_FIRST})


def _old_differs_after_one() -> World:
    """A fair policy that moves in the second step after action 1, where π_old is another."""
    tables: dict[Function | Apply, object] = {
        actor: FAIR,
        actor_old: two_steps(HALF, (HALF, TWO_THIRDS)),
        actor_anchor: FAIR,
    }
    return steps_world(tables, {actor: AFTER_ONE})


def independent_tokens(second: Fraction, old_second: Fraction) -> World:
    """A fair first token and an independent second one, of probability p and formerly q; the slope is on its logit."""
    return steps_world(
        {
            actor: two_steps(HALF, (second, second)),
            actor_old: two_steps(HALF, (old_second, old_second)),
            actor_anchor: FAIR,
        },
        {actor: two_slopes(0, second * (1 - second))},
    )


def _paid_after_one() -> World:
    """A fair policy that moves in the second step after action 1, where action 1 is paid; π_old differs at first."""
    tables: dict[Function | Apply, object] = {
        actor: FAIR,
        actor_old: two_steps(TWO_THIRDS, (HALF, HALF)),
        step_reward: {(h, 0, a): int(h == AFTER[1] and a == 1) for h in (BEGINNING, *AFTER) for a in (0, 1)},
    }
    return steps_world(tables, {actor: AFTER_ONE})


# --- KL.7: the table ------------------------------------------------------------------------------------------------

TRUTH = D(KL)
ESTIMATORS = {
    "k1": log_ratio(pi),
    "k2": log_ratio(pi) ** 2 / 2,
    "k3": k3_of(anchor(y) / pi(y)),
}


def in_reward(estimate: Term) -> Term:
    """The expected gradient of an estimator in the reward: E_π[∇log π · estimate], nothing flowing through it."""
    return E(pi(y), score(pi(y)) * estimate)


def in_loss(estimate: Term) -> Term:
    """The expected gradient of an estimator in the loss: E_π[∇ estimate], the sample held fixed."""
    return E(pi(y), D(estimate))


PLACEMENTS = {"reward": in_reward, "loss": in_loss}


@dataclass(frozen=True)
class Cell:
    """One cell of the table: an estimator of the KL, where it is put, and its expected gradient in a world.

    `relative` is the gradient in units of the true one, where that is not zero.
    """

    estimator: str
    placement: str
    gradient: Term
    value: Fraction | str
    truth: Fraction | str
    relative: Fraction | str | None

    @property
    def right(self) -> bool:
        """Whether the value is seen to be that of ∇D(π‖π_ref) in this world."""
        return self.value == self.truth and not str(self.value).startswith("≈")


def one_step(
    probabilities: Sequence[Fraction], references: Sequence[Fraction], slopes: Sequence[Fraction | int]
) -> World:
    """The world of a policy with the given probabilities, its reference, and a direction of change ∇π."""
    return world({Y: len(probabilities)}, {pi: probabilities, anchor: references}, slopes={pi: slopes})


def estimator_table(
    probabilities: Sequence[Fraction], references: Sequence[Fraction], slopes: Sequence[Fraction | int]
) -> tuple[Cell, ...]:
    """The six cells of estimators (k1, k2, k3) × placements (reward, loss), evaluated exactly.

    `probabilities` of π and `references` of π_ref are positive and sum to one, `slopes` of π sum to zero: the gradient is
    taken along that direction. Values are Fractions, or texts such as (1/2)·log 3 where they are irrational.
    """
    here = one_step(probabilities, references, slopes)
    truth = here(TRUTH)
    return tuple(
        Cell(
            name,
            placement,
            gradient(estimate),
            here(gradient(estimate)),
            truth,
            here(gradient(estimate) / TRUTH) if truth != 0 else None,
        )
        for name, estimate in ESTIMATORS.items()
        for placement, gradient in PLACEMENTS.items()
    )


def _is_right(name: str, placement: str, stated: str, words: str) -> Assertion:
    """A cell as an assertion: its expected gradient is ∇D(π‖π_ref)."""
    return Assertion(
        f"KL.7.{name}.{placement}",
        words,
        stated,
        statement(PLACEMENTS[placement](ESTIMATORS[name]), "=", TRUTH),
    )


# --- KL.8, KL.10: surrogates ----------------------------------------------------------------------------------------

epsilon = parameter("ε", OPEN_UNIT)
penalised_pay = pay(y) - beta * log_ratio(pi)
off_the_cap = assume("no ratio is 1 + ε", ratio, "≠", 1 + epsilon, for_all=[y])
off_the_floor = assume("no ratio is 1 − ε", ratio, "≠", 1 - epsilon, for_all=[y])
ENTROPY = -E(pi(y), log(pi(y)))

capped, floored = minimum(ratio, 1 + epsilon), maximum(ratio, 1 - epsilon)


def by_sign(of: Term) -> Term:
    """The clipped surrogate of a sample by the sign of its advantage: min(ratio, 1 + ε) A, or max(ratio, 1 − ε) A."""
    return capped * maximum(of, 0) - floored * maximum(-of, 0)


DETACHED_SLOPE = D(capped) * maximum(penalised_pay, 0) - D(floored) * maximum(-penalised_pay, 0)

chance = parameter("p", OPEN_UNIT, depends=True)
old_chance = parameter("q", OPEN_UNIT)
logit = assume("p is the logistic function of θ", D(chance), "=", chance * (1 - chance))

old_value = parameter("V", REAL)
value_of_old = assume("V is the value of π_old", old_value, "=", E(behind(w), pay(w)))
advantage = pay(y) - old_value
EXPECTED = E(pi(y), pay(y))
CLIPPED = E(behind(y), minimum(ratio * advantage, clip(ratio, 1 - epsilon, 1 + epsilon) * advantage))
BY_SIGN = E(behind(y), by_sign(advantage))
UNCLIPPED = E(behind(y), ratio * advantage)
distance = maximum(ratio - 1, 1 - ratio)
unclipped = assume("no ratio is clipped", distance, "≤", epsilon, for_all=[y])
inside = assume("no ratio is clipped", distance, "<", epsilon, for_all=[y])


BY_SIGN_GRADIENT = (
    begin(D(BY_SIGN))
    .then("=", E(behind(y), D(ratio) * advantage), differentiation, pointwise)
    .then("=", D(EXPECTED), differentiation, laws_sum_to_one)
)


def clipped_arm() -> World:
    """π = (⅕, ⅘), π_old = (½, ½), ε = ½, r = (−1, 0): the ratio of arm 0 is below 1 − ε, and its advantage negative."""
    fifth = Fraction(1, 5)
    tables: dict[Function | Apply, object] = {
        pi: [fifth, 1 - fifth],
        behind: [HALF, HALF],
        anchor: [HALF, HALF],
        pay: [-1, 0],
        old_value: 0,
        epsilon: HALF,
        beta: 1,
    }
    return world({Y: 2}, tables, slopes={pi: [-1, 1]})


# --- KL.9: a batch --------------------------------------------------------------------------------------------------

I = Sort("I")  # noqa: E741
i = I.index("i")
batch = law("w", I)
behaviour = law("b", A, given=[I])
batch_policy = law("π", A, given=[I], positive=True, depends=True)
batch_old = law("π_old", A, given=[I], positive=True)
batch_anchor = law("π_ref", A, given=[I], positive=True)
estimate = function("Â", A, I)
moving_estimate = function("Â", A, I, depends=True)
critic = function("V_φ", I, depends=True)
target = function("R̂", I)
c1, c2 = parameter("c₁", POSITIVE), parameter("c₂", POSITIVE)

batch_ratio = batch_policy(a, i) / batch_old(a, i)
clipped_sample = E(
    behaviour(a, i),
    minimum(batch_ratio, 1 + epsilon) * maximum(estimate(a, i), 0)
    - maximum(batch_ratio, 1 - epsilon) * maximum(-estimate(a, i), 0),
)
clipped_slope = E(
    behaviour(a, i),
    (
        Indicator(batch_ratio, "<", 1 + epsilon) * maximum(estimate(a, i), 0)
        - Indicator(batch_ratio, ">", 1 - epsilon) * maximum(-estimate(a, i), 0)
    )
    * batch_ratio
    * score(batch_policy(a, i)),
)
kinks = [
    assume("no ratio is 1 + ε", batch_ratio, "≠", 1 + epsilon, for_all=[a, i]),
    assume("no ratio is 1 − ε", batch_ratio, "≠", 1 - epsilon, for_all=[a, i]),
]
batch_k1 = log(batch_policy(a, i)) - log(batch_anchor(a, i))
L_CLIP = E(batch(i), clipped_sample)
L_VF = E(batch(i), (critic(i) - target(i)) ** 2)
BATCH_ENTROPY = E(batch(i), -E(batch_policy(a, i), log(batch_policy(a, i))))
BATCH_KL = E(batch(i), E(batch_policy(a, i), batch_k1))
TERMS = (
    D(L_CLIP)
    - c1 * E(batch(i), 2 * (critic(i) - target(i)) * D(critic(i)))
    + c2 * E(batch(i), -Sum(a, D(batch_policy(a, i)) * log(batch_policy(a, i))))
    - beta * E(batch(i), Sum(a, D(batch_policy(a, i)) * batch_k1))
)

# --- KL.11, KL.12, KL.17: what is best ------------------------------------------------------------------------------

J = objective(policy)
temperature_sum = parameter("b", POSITIVE)
named = assume("b = β + c₂", c2, "=", temperature_sum - beta)
flat = law("π_c", Y, given=[X], positive=True)
flat_z = function("z_c", X, domain=POSITIVE)


def with_entropy(of: Function) -> Term:
    """J(π) + c₂ H(π)."""
    return objective(of) + c2 * -E(of(y, x), log(of(y, x)))


def flat_weight(of: Index) -> Term:
    """exp((r + β log π_ref)/b): π_ref^{β/b} exp(r/b)."""
    return exp((reward(of, x) + beta * log(reference(of, x))) / temperature_sum)


FLAT = (define(flat_z(x), Sum(w, flat_weight(w))), define(flat(y, x), flat_weight(y) / flat_z(x)))


def flat_product(of: Index) -> Term:
    """π_ref^{β/b} exp(r/b)."""
    return exp(beta / temperature_sum * log(reference(of, x))) * exp(reward(of, x) / temperature_sum)


def against(other: Function) -> dict[Function, Callable[..., Term]]:
    """OP.3 for D(π‖other)."""
    return {optimal_policy.p: lambda u: policy(u, x), optimal_policy.q: lambda u: other(u, x)}


hot = 1 + c2 / beta
y1 = Y.index("y1")
any_star, any_flat = law("π*", Y, positive=True), law("π_c", Y, positive=True)
any_flat_z = Sum(w, exp(log(any_star(w)) / hot))
any_flattening = define(any_flat(y), exp(log(any_star(y)) / hot) / any_flat_z)
flat_is_star = assume("π_c = π*", any_flat(y), "=", any_star(y), for_all=[y])
star_is_uniform = assume("π* is uniform", any_star(y), "=", 1 / Size(Y), for_all=[y])

DRIFT = kl(lambda u: policy(u, x), lambda u: reference(u, x), v)
GAIN = (E(policy(y, x), reward(y, x)) - E(reference(y, x), reward(y, x))) / beta
no_worse = assume("J(π) ≥ J(π_ref)", J, "≥", objective(reference))
low, high = parameter("r_min", REAL), parameter("r_max", REAL)
above_low = assume("r ≥ r_min", reward(y, x), "≥", low, for_all=[y])
below_high = assume("r ≤ r_max", reward(y, x), "≤", high, for_all=[y])
level = parameter("c", OPEN_UNIT)
boost = parameter("λ", POSITIVE)


def boosted(of: Index) -> Term:
    """π_ref exp(r/β) for the reward that is β log λ at y0 and 0 elsewhere."""
    hack = Delta(of, y0)
    return reference(of, x) * exp(beta * log(1 - hack + hack * boost) / beta)


def _hacked() -> World:
    """π_ref(hack) = 2^−10, exp(r/β) = 2^20 there and 1 elsewhere."""
    rare = Fraction(1, 1024)
    return world(
        {X: 1, Y: 2},
        {
            reference: {(0, 0): rare, (1, 0): 1 - rare},
            reward: {(0, 0): 20 * log(2), (1, 0): 0},
            beta: 1,
        },
        indices={x: 0, y0: 0},
    )


def both(of: Function) -> Term:
    """E_π[r − β k1] − β D(π‖π_ref): the penalty in the reward, and again in the loss."""
    in_the_reward = E(of(y, x), reward(y, x) - beta * (log(of(y, x)) - log(reference(y, x))))
    return in_the_reward - beta * kl(lambda u: of(u, x), lambda u: reference(u, x), v)


twice_z = function("z₂", X, domain=POSITIVE)
twice_star = law("π₂", Y, given=[X], positive=True)


def twice_weight(of: Index) -> Term:
    """π_ref exp(r/2β)."""
    return reference(of, x) * exp(reward(of, x) / (2 * beta))


TWICE = (define(twice_z(x), Sum(w, twice_weight(w))), define(twice_star(y, x), twice_weight(y) / twice_z(x)))
DOUBLED: dict[Function, Callable[..., Term]] = {beta.function: lambda: 2 * beta}

CLAIMS = (
    Claim(
        section="IX",
        tag="B IX",
        quote="we estimate this expectation with the sampled token",
        reading="q is the law of the sampled action: E_q[log π − log π_ref] = D(π‖π_ref), for positive π and π_ref.",
        main=Assertion(
            "KL.1",
            "the sampled log-ratio (k1) is an unbiased estimate of D(π‖π_ref)",
            "conditional",
            statement(E(sampler(y), log_ratio(still)), "=", kl(still, anchor, v), assuming=[drawn]),
        ),
        parts=(
            Assertion(
                "KL.1.temperature",
                "the same with a drawn at temperature T: q ∝ π^{1/T}",
                "conditional",
                statement(
                    E(tempered(y), log_ratio(still)),
                    "=",
                    kl(still, anchor, v),
                    assuming=[assume("T = 1", temperature, "=", 1)],
                    definitions=[tempering],
                ),
            ),
            Assertion(
                "KL.1.old",
                "the same with a drawn from π_old",
                "refuted",
                statement(E(behind(y), log_ratio(still)), "=", kl(still, anchor, v)),
            ),
            Assertion(
                "KL.1.weighted",
                "drawn from π_old it is unbiased with the weight π/π_old",
                "proved",
                statement(E(behind(y), still(y) / behind(y) * log_ratio(still)), "=", kl(still, anchor, v)),
            ),
        ),
        believe="log π − log π_ref estimates the KL without bias only at actions that π itself has drawn.",
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="(ours) the estimators k2 and k3",
        reading=(
            "ρ = π_ref/π at an action drawn from q, π and π_ref on the closed simplex, π_ref > 0 wherever π > 0 (else the "
            "KL is ∞), π > 0 wherever q > 0 (else ρ is not defined)."
        ),
        main=Assertion(
            "KL.2",
            "k3 = ρ − 1 − log ρ is an unbiased estimate of D(π‖π_ref)",
            "conditional",
            statement(
                E(sampler(y), k3_of(closed_rho)),
                "=",
                kl(closed, closed_anchor, v),
                assuming=[drawn_closed, covers(closed(y), closed_anchor(y))],
                standing=[covers(closed_anchor(y), closed(y)), covers(closed(y), sampler(y))],
            ),
        ),
        parts=(
            Assertion(
                "KL.2.sign",
                "k3 is never negative, whatever the action",
                "proved",
                statement(k3_of(positive_rho), "≥", 0),
            ),
            Assertion(
                "KL.2.k2.sign",
                "k2 = ½(log ρ)² is never negative",
                "proved",
                statement(log(positive_rho) ** 2 / 2, "≥", 0),
            ),
            Assertion(
                "KL.2.k2",
                "k2 is unbiased",
                "refuted",
                statement(E(still(y), log(positive_rho) ** 2 / 2), "=", kl(still, anchor, v)),
            ),
            Assertion(
                "KL.2.k2.first",
                "at π = π_ref the mean of k2 has the value and the gradient of the KL",
                "proved",
                statement(K2, first_order(point("π_ref", {pi: anchor})), KL),
            ),
            Assertion(
                "KL.2.k2.second",
                "there it has the second derivative of the KL, too, along every path",
                "proved",
                statement(D(D(K2)), "=", D(D(KL)), standing=[at_reference]),
            ),
            Assertion(
                "KL.2.k2.coefficient",
                "along π ∝ π_ref exp(t g), l = g − E[g], the term of t³ of k2 is ½ E[l³]",
                "proved",
                statement(third(K2) / 6, "=", third_moment / 2, standing=[start], definitions=[path]),
            ),
            Assertion(
                "KL.2.coefficient",
                "and that of the KL is ⅓ E[l³]",
                "proved",
                statement(third(KL) / 6, "=", third_moment / 3, standing=[start], definitions=[path]),
            ),
        ),
        believe="k3 is unbiased where π leaves out nothing that π_ref does; k2 is right to second order around π_ref.",
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="(ours) the chain rule",
        reading=(
            "y is a sequence of t tokens at a prompt, p(y) and p_ref(y) the products of the token probabilities, K(y) the "
            "sum of the exact divergences of the tokens at the prefixes of y: D(p‖p_ref) = E_p[K], for every t."
        ),
        main=Assertion(
            "KL.3",
            "the KL of sequences is the expected sum of the KLs of their tokens",
            "proved",
            statement(
                kl(sequence, sequence_anchor, prefix),
                "=",
                E(sequence(prefix), token_kls(prefix)),
                recursions=SEQUENCES,
            ),
            ByInduction(),
        ),
        parts=(
            Assertion(
                "KL.3.states",
                "with random states, too: the sum L of the log-ratios has the expectation of the sum K of the divergences",
                "proved",
                statement(
                    SEQUENCE_KL,
                    "=",
                    mean(divergences(h)),
                    recursions=[trajectory_law, ratio_sum, divergence_sum],
                ),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="IX",
        tag="IX.I",
        quote="per token −β d̂_t for t < T and r_φ(x, y) − β d̂_T at t = T",
        reading=(
            "h is the history before the last step T, s and a the last state and action, B(h) = −β Σ_{t<T} γᵗ d̂_t: the "
            "expected return is E[score] − β E[Σ_t D_t], the second being the KL of the sequence (KL.3)."
        ),
        main=Assertion(
            "KL.4",
            "−β log-ratio on every token and the score on the last: the expected return is E[score] − β KL",
            "conditional",
            statement(
                RETURN_WITH_SCORE,
                "=",
                FULL_VALUE,
                assuming=[undiscounted],
                recursions=[*DISCOUNTING, divergence_sum],
            ),
            begin(RETURN_WITH_SCORE)
            .then("=", DISCOUNTED_VALUE, lemma("KL.4.discounted"))
            .then("=", FULL_VALUE, lemma("KL.4.power"), lemma("KL.4.same")),
        ),
        parts=(
            Assertion(
                "KL.4.discounted",
                "for every γ it is E[γ^T score] − β Σ γᵗ E[D_t]",
                "proved",
                statement(RETURN_WITH_SCORE, "=", DISCOUNTED_VALUE, recursions=DISCOUNTING),
                ByCalculation((lemma("KL.4.sum"),)),
            ),
            Assertion(
                "KL.4.sum",
                "before the last step the penalties have the expectation −β Σ γᵗ E[D_t]",
                "proved",
                statement(mean(penalties(h)), "=", -beta * mean(discounted(h)), recursions=DISCOUNTING),
                ByInduction(),
            ),
            Assertion(
                "KL.4.power",
                "γ = 1 weighs every step by 1",
                "conditional",
                statement(power(h), "=", 1, assuming=[undiscounted], recursions=[power_law]),
                ByInduction(),
            ),
            Assertion(
                "KL.4.same",
                "for γ = 1 the discounted sum of the divergences is their sum",
                "conditional",
                statement(
                    discounted(h),
                    "=",
                    divergences(h),
                    assuming=[undiscounted],
                    recursions=[power_law, discounted_sum, divergence_sum],
                ),
                ByInduction((lemma("KL.4.power"),)),
            ),
        ),
        believe="With γ < 1 the score counts γ^T and the KL at step t counts γᵗ: use γ = 1.",
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="mathematically equivalent … to add the KL term directly to the objective",
        reading=(
            "As values, on samples of π: with the penalty in the reward, G_β = Σ_t (r_t − β d̂_t), the objective is "
            "E[G] − β E[Σ_t D_t]."
        ),
        main=Assertion(
            "KL.5",
            "the penalty in the reward and the penalty beside it give one value",
            "proved",
            statement(
                mean(penalised(h)),
                "=",
                mean(returns(h)) - beta * mean(divergences(h)),
                recursions=[trajectory_law, penalised_sum, return_sum, ratio_sum, divergence_sum],
            ),
            begin(mean(penalised(h)))
            .then("=", mean(returns(h)) - beta * SEQUENCE_KL, lemma("KL.5.split"))
            .then("=", mean(returns(h)) - beta * mean(divergences(h)), lemma("KL.3.states")),
        ),
        parts=(
            Assertion(
                "KL.5.split",
                "G_β = G − β L on every trajectory",
                "proved",
                statement(
                    penalised(h),
                    "=",
                    returns(h) - beta * log_ratios(h),
                    recursions=[penalised_sum, return_sum, ratio_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "KL.5.old",
                "on samples of π_old the two values are one, too",
                "conditional",
                statement(
                    old_mean(penalised(h)),
                    "=",
                    old_mean(returns(h)) - beta * old_mean(divergences(h)),
                    assuming=[steps_at_old],
                    recursions=[old_law, penalised_sum, return_sum, divergence_sum],
                ),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="mathematically equivalent … to add the KL term directly to the objective",
        reading=(
            "As gradients at θ_old: PPO with the penalty in the reward follows E[Z·G_β]; with the penalty beside it, at the "
            "states of the batch, E[Z·G] − β E[C], C = Σ_t ∇D_t with the states held fixed."
        ),
        main=Assertion(
            "KL.6",
            "the penalty in the reward and the penalty beside it give one gradient",
            "refuted",
            statement(
                mean(scores(h) * penalised(h)),
                "=",
                mean(scores(h) * returns(h)) - beta * mean(fixed(h)),
                recursions=[trajectory_law, score_sum, penalised_sum, return_sum, fixed_sum],
            ),
            worlds=(_reference_differs_after_one({}),),
        ),
        parts=(
            Assertion(
                "KL.6.reward",
                "the penalty in the reward gives the true gradient, that of E[G] − β E[L]",
                "proved",
                statement(
                    mean(scores(h) * penalised(h)),
                    "=",
                    D(mean(returns(h)) - beta * SEQUENCE_KL),
                    recursions=[trajectory_law, score_sum, penalised_sum, return_sum, ratio_sum],
                ),
                begin(mean(scores(h) * penalised(h)))
                .then("=", mean(scores(h) * (returns(h) - beta * log_ratios(h))), lemma("KL.5.split"))
                .then("=", mean(scores(h) * returns(h)) - beta * D(SEQUENCE_KL), lemma("KL.7.truth"))
                .then("=", D(mean(returns(h)) - beta * SEQUENCE_KL), differentiation, lemma("PG.3.product")),
            ),
            Assertion(
                "KL.6.step",
                "for one step on samples of π_old the two gradients are one",
                "conditional",
                statement(
                    E(behind(y), D(ratio) * (pay(y) - beta * log_ratio(behind))),
                    "=",
                    E(behind(y), D(ratio) * pay(y)) - beta * D(KL),
                    assuming=[at_old],
                ),
            ),
        ),
        correction=Assertion(
            "KL.6.corrected",
            "what is missing is −β E[M], M = Σ_t ∇log π(a_t∣s_t) Σ_{k>t} D_k",
            "proved",
            statement(
                mean(scores(h) * penalised(h)),
                "=",
                mean(scores(h) * returns(h)) - beta * (mean(fixed(h)) + mean(missing(h))),
                recursions=[
                    trajectory_law,
                    score_sum,
                    penalised_sum,
                    return_sum,
                    ratio_sum,
                    fixed_sum,
                    missing_sum,
                ],
            ),
            begin(mean(scores(h) * penalised(h)))
            .then("=", mean(scores(h) * (returns(h) - beta * log_ratios(h))), lemma("KL.5.split"))
            .then("=", mean(scores(h) * returns(h)) - beta * D(SEQUENCE_KL), lemma("KL.7.truth"))
            .then(
                "=",
                mean(scores(h) * returns(h)) - beta * (mean(fixed(h)) + mean(missing(h))),
                lemma("KL.16", times=-beta),
            ),
        ),
        believe="Beside the reward the penalty forgets that an action also leads to states where the KL is larger.",
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="(ours) estimators and placements",
        reading=(
            "k2 in the loss, on samples of π, against ∇E[L], the gradient of the sequence KL: the sequence's ½L² at κ = 1, "
            "Σ_t ½ d̂_t² token by token at κ = 0. The cells of the table are for one step, or for whole sequences as Y."
        ),
        main=Assertion(
            "KL.7",
            "k2 in the loss gives the gradient of the KL",
            "conditional",
            statement(
                mean(D((1 - mix) * squares(h) + mix * log_ratios(h) ** 2 / 2)),
                "=",
                D(SEQUENCE_KL),
                assuming=[assume("κ = 1: the log-ratio is that of the whole sequence", mix, "=", 1)],
                recursions=[trajectory_law, ratio_sum, score_sum, square_sum],
            ),
            ByCalculation((lemma("KL.7.truth"), lemma("KL.7.slope"))),
            worlds=(_reference_differs_after_one({mix: 0}),),
        ),
        parts=(
            _is_right("k1", "reward", "proved", "k1 in the reward gives ∇D(π‖π_ref)"),
            _is_right("k1", "loss", "refuted", "k1 in the loss gives ∇D(π‖π_ref)"),
            _is_right("k2", "reward", "refuted", "k2 in the reward gives ∇D(π‖π_ref)"),
            _is_right("k2", "loss", "proved", "k2 in the loss gives ∇D(π‖π_ref)"),
            _is_right("k3", "reward", "refuted", "k3 in the reward gives ∇D(π‖π_ref)"),
            _is_right("k3", "loss", "refuted", "k3 in the loss gives ∇D(π‖π_ref)"),
            Assertion(
                "KL.7.k1.loss.zero",
                "k1 in the loss gives 0",
                "proved",
                statement(in_loss(ESTIMATORS["k1"]), "=", 0),
            ),
            Assertion(
                "KL.7.k3.loss.reverse",
                "k3 in the loss gives ∇D(π_ref‖π)",
                "proved",
                statement(in_loss(ESTIMATORS["k3"]), "=", D(kl(anchor, pi, v))),
            ),
            Assertion(
                "KL.7.k3.reward.both",
                "k3 in the reward gives ∇D(π‖π_ref) − ∇D(π_ref‖π)",
                "proved",
                statement(in_reward(ESTIMATORS["k3"]), "=", TRUTH - D(kl(anchor, pi, v))),
            ),
            Assertion(
                "KL.7.k2.reward.sign",
                "k2 in the reward at least has the sign of ∇D(π‖π_ref)",
                "refuted",
                statement(in_reward(ESTIMATORS["k2"]) * TRUTH, "≥", 0),
            ),
            Assertion(
                "KL.7.k3.reward.sign",
                "k3 in the reward at least has the sign of ∇D(π‖π_ref)",
                "refuted",
                statement(in_reward(ESTIMATORS["k3"]) * TRUTH, "≥", 0),
            ),
            Assertion(
                "KL.7.truth",
                "k1 of every token in the reward of a sequence gives ∇E[L]",
                "proved",
                statement(mean(scores(h) * log_ratios(h)), "=", D(SEQUENCE_KL), recursions=RATIOS),
                ByCalculation((lemma("PG.3.product"), lemma("KL.7.slope"), lemma("KL.7.mean"))),
            ),
            Assertion(
                "KL.7.tokens",
                "k2 of every token in the loss of a sequence gives ∇E[L]",
                "refuted",
                statement(mean(D(squares(h))), "=", D(SEQUENCE_KL), recursions=[trajectory_law, ratio_sum, square_sum]),
                worlds=(_reference_differs_after_one({}),),
            ),
            Assertion(
                "KL.7.tokens.fixed",
                "it gives E[C] and misses E[M], the term of KL.6",
                "proved",
                statement(mean(D(squares(h))), "=", mean(fixed(h)), recursions=[trajectory_law, square_sum, fixed_sum]),
                ByInduction(),
            ),
            Assertion(
                "KL.7.slope",
                "∇L = Z on every trajectory",
                "proved",
                statement(D(log_ratios(h)), "=", scores(h), recursions=[ratio_sum, score_sum]),
                ByInduction(),
            ),
            Assertion(
                "KL.7.mean",
                "E[Z] = 0",
                "proved",
                statement(mean(scores(h)), "=", 0, recursions=[trajectory_law, score_sum]),
                ByInduction(),
            ),
        ),
        believe="Put k1 in the reward, or k2 in the loss; k3 in the loss pulls towards π_ref by the other KL.",
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="(ours) a gradient through the log-ratio",
        reading=(
            "L_CPI with the reward-to-go of r − β d̂, Σ_k (r_k − β d̂_k) Σ_{t≤k} ratio_t = U, on samples of π_old: its "
            "gradient with and without the one through d̂ (U₀ sums ∇ratio alone)."
        ),
        main=Assertion(
            "KL.8",
            "in L_CPI the gradient through the log-ratio makes no difference in expectation",
            "conditional",
            statement(
                old_mean(D(attached(h))),
                "=",
                old_mean(detached(h)),
                assuming=[steps_at_old],
                recursions=[old_law, weight_sum, attached_sum, detached_sum],
            ),
            ByInduction(),
            worlds=(_old_differs_after_one(),),
        ),
        parts=(
            Assertion(
                "KL.8.step",
                "for one step it makes none at any θ",
                "proved",
                statement(
                    D(E(behind(y), ratio * penalised_pay)),
                    "=",
                    E(behind(y), D(ratio) * penalised_pay),
                ),
            ),
            Assertion(
                "KL.8.tokens",
                "two independent tokens, the second with probability p, old q: the extra term on its logit is −β(q − p)",
                "proved",
                statement(
                    old_chance * D(-beta * log(chance)) + (1 - old_chance) * D(-beta * log(1 - chance)),
                    "=",
                    -beta * (old_chance - chance),
                    standing=[logit],
                ),
            ),
            Assertion(
                "KL.8.log",
                "with log π in the place of the ratio, on samples of π, it makes none",
                "refuted",
                statement(
                    E(pi(y), D(log(pi(y)) * penalised_pay)),
                    "=",
                    E(pi(y), score(pi(y)) * penalised_pay),
                ),
            ),
            Assertion(
                "KL.8.log.extra",
                "there it adds β∇H",
                "proved",
                statement(
                    E(pi(y), D(log(pi(y)) * penalised_pay)),
                    "=",
                    E(pi(y), score(pi(y)) * penalised_pay) + beta * D(ENTROPY),
                ),
            ),
            Assertion(
                "KL.8.clipped",
                "in the clipped surrogate for one step it makes none",
                "conditional",
                statement(
                    E(behind(y), D(by_sign(penalised_pay))),
                    "=",
                    E(behind(y), DETACHED_SLOPE),
                    assuming=[inside],
                    standing=[
                        assume("no r − β d̂ is 0", penalised_pay, "≠", 0, for_all=[y]),
                        off_the_cap,
                        off_the_floor,
                    ],
                ),
                begin(E(behind(y), D(by_sign(penalised_pay))))
                .then(
                    "=",
                    E(behind(y), DETACHED_SLOPE) - beta * E(behind(y), ratio * score(pi(y))),
                    differentiation,
                    pointwise,
                )
                .then("=", E(behind(y), DETACHED_SLOPE), differentiation, laws_sum_to_one),
                worlds=(clipped_arm(),),
            ),
        ),
        believe="Detach the log-ratio: its gradient averages to zero only at θ_old, or for one step with no ratio clipped.",
    ),
    Claim(
        section="IX",
        tag="IX.II",
        quote="Combining all components, the complete PPO objective",
        reading=(
            "On a batch of samples i with weights w(i), b(a∣i) all on the action taken (or π_old itself), Â, targets and "
            "π_old free of θ; policy and critic may share parameters. L_CLIP is written by the sign of Â (KL.9.form); no "
            "ratio is at 1 ± ε, where it has no slope."
        ),
        main=Assertion(
            "KL.9",
            "∇L_RLHF = ∇L_CLIP − c₁∇L_VF + c₂∇H − β∇D, the last three written out",
            "proved",
            statement(D(L_CLIP - c1 * L_VF + c2 * BATCH_ENTROPY - beta * BATCH_KL), "=", TERMS, standing=kinks),
        ),
        parts=(
            Assertion(
                "KL.9.clip",
                "∇L_CLIP of a sample is ratio ∇log π Â, and 0 where Â > 0 and ratio > 1 + ε, or Â < 0 and ratio < 1 − ε",
                "proved",
                statement(D(clipped_sample), "=", clipped_slope, standing=kinks),
            ),
            Assertion(
                "KL.9.form",
                "L_CLIP by the sign of Â is E[min(ratio Â, clip(ratio) Â)]",
                "proved",
                statement(
                    clipped_sample,
                    "=",
                    E(
                        behaviour(a, i),
                        minimum(
                            batch_ratio * estimate(a, i),
                            clip(batch_ratio, 1 - epsilon, 1 + epsilon) * estimate(a, i),
                        ),
                    ),
                ),
            ),
            Assertion(
                "KL.9.loss",
                "the loss to be minimised, −L_CLIP + c₁L_VF − c₂H + βD, has minus that gradient",
                "proved",
                statement(D(-L_CLIP + c1 * L_VF - c2 * BATCH_ENTROPY + beta * BATCH_KL), "=", -TERMS, standing=kinks),
            ),
            Assertion(
                "KL.9.moving",
                "the surrogate has the gradient E[∇ratio Â] where Â moves with θ, too",
                "refuted",
                statement(
                    D(E(batch(i), E(behaviour(a, i), batch_ratio * moving_estimate(a, i)))),
                    "=",
                    E(batch(i), E(behaviour(a, i), D(batch_ratio) * moving_estimate(a, i))),
                ),
            ),
        ),
    ),
    Claim(
        section="IX",
        tag="IX.II",
        quote="The first term is exactly what vanilla PPO optimizes",
        reading="One step, Â = r − V with the exact V = E_old[r]: E_π[r] is the clipped surrogate.",
        main=Assertion(
            "KL.10",
            "E[r] and the clipped surrogate are the same",
            "refuted",
            statement(EXPECTED, "=", CLIPPED, standing=[value_of_old]),
        ),
        parts=(
            Assertion(
                "KL.10.gradient",
                "for one step they have the same gradient, for any constant V",
                "conditional",
                statement(
                    D(BY_SIGN),
                    "=",
                    D(EXPECTED),
                    assuming=[inside],
                    standing=[off_the_cap, off_the_floor],
                ),
                BY_SIGN_GRADIENT,
                worlds=(clipped_arm(),),
            ),
            Assertion(
                "KL.10.old",
                "and at θ_old",
                "conditional",
                statement(
                    D(BY_SIGN),
                    "=",
                    D(EXPECTED),
                    assuming=[at_old],
                    standing=[off_the_cap, off_the_floor],
                ),
                BY_SIGN_GRADIENT,
                worlds=(clipped_arm(),),
            ),
            Assertion(
                "KL.10.form",
                "the surrogate written by the sign of Â is the clipped one",
                "proved",
                statement(BY_SIGN, "=", CLIPPED),
            ),
            Assertion(
                "KL.10.steps",
                "for sequences L_CPI with the reward-to-go, Σ_k r_k Σ_{t≤k} ratio_t, has the gradient of E[G]",
                "conditional",
                statement(
                    old_mean(D(plain(h))),
                    "=",
                    D(mean(returns(h))),
                    assuming=[steps_at_old],
                    recursions=[trajectory_law, old_law, weight_sum, plain_sum, score_sum, return_sum],
                ),
                begin(old_mean(D(plain(h))))
                .then("=", old_mean(scores(h) * returns(h)), lemma("KL.10.scores"))
                .then("=", mean(scores(h) * returns(h)), lemma("KL.10.same"))
                .then("=", D(mean(returns(h))), lemma("PG.3.product"), differentiation),
                worlds=(_paid_after_one(),),
            ),
            Assertion(
                "KL.10.scores",
                "there ∇L_CPI = E_old[Z·G]",
                "conditional",
                statement(
                    old_mean(D(plain(h))),
                    "=",
                    old_mean(scores(h) * returns(h)),
                    assuming=[steps_at_old],
                    recursions=[old_law, weight_sum, plain_sum, score_sum, return_sum],
                ),
                ByInduction((lemma("KL.10.weights"),)),
            ),
            Assertion(
                "KL.10.weights",
                "there the gradient of the sum of the ratios is Z",
                "conditional",
                statement(
                    D(weights(h)),
                    "=",
                    scores(h),
                    assuming=[steps_at_old],
                    recursions=[weight_sum, score_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "KL.10.same",
                "there the trajectories have one law",
                "conditional",
                statement(
                    trajectory(h),
                    "=",
                    old_trajectory(h),
                    assuming=[steps_at_old],
                    recursions=[trajectory_law, old_law],
                ),
                ByInduction(),
            ),
        ),
        correction=Assertion(
            "KL.10.corrected",
            "as long as no ratio is clipped, and for one step, E[r] − V is the clipped surrogate, for any constant V",
            "conditional",
            statement(EXPECTED - old_value, "=", CLIPPED, assuming=[unclipped]),
            begin(EXPECTED - old_value).then("=", UNCLIPPED, algebra, laws_sum_to_one).then("=", CLIPPED, pointwise),
        ),
        believe="The surrogate has the gradient of E[r] at θ_old; away from it only for one step, with no ratio clipped.",
    ),
    Claim(
        section="IX",
        tag="IX.II",
        quote="the complete PPO objective with KL penalty",
        reading=(
            "At every prompt J(π) + c₂H(π) has one maximiser among all policies, π_c (KL.11.corrected, attained, unique): it "
            "is π*."
        ),
        main=Assertion(
            "KL.11",
            "with the entropy bonus and the KL together the optimum is still π*",
            "refuted",
            statement(flat(y, x), "=", star(y, x), standing=[named], definitions=(*FLAT, *OPTIMUM)),
        ),
        parts=(
            Assertion(
                "KL.11.attained",
                "π_c attains it",
                "proved",
                statement(
                    with_entropy(flat),
                    "=",
                    temperature_sum * log(flat_z(x)),
                    standing=[named],
                    definitions=FLAT,
                ),
            ),
            Assertion(
                "KL.11.unique",
                "any other policy stays below",
                "proved",
                statement(
                    with_entropy(policy),
                    "<",
                    temperature_sum * log(flat_z(x)),
                    standing=[named, assume("π ≠ π_c", policy(y0, x), "≠", flat(y0, x))],
                    definitions=FLAT,
                ),
                ByCalculation((lemma("OP.3.zero", against(flat), times=temperature_sum, at={y0: y0}),)),
            ),
            Assertion(
                "KL.11.form",
                "π_c ∝ π_ref^{β/b} exp(r/b)",
                "proved",
                statement(
                    flat(y, x),
                    "=",
                    flat_product(y) / Sum(v, flat_product(v)),
                    definitions=FLAT,
                ),
            ),
            Assertion(
                "KL.11.temperature",
                "π_c is π* at temperature 1 + c₂/β",
                "proved",
                statement(
                    flat(y, x),
                    "=",
                    exp(log(star(y, x)) / hot) / Sum(v, exp(log(star(v, x)) / hot)),
                    standing=[named],
                    definitions=(*FLAT, *OPTIMUM),
                ),
            ),
            Assertion(
                "KL.11.equal",
                "a positive π* is itself at temperature 1 + c₂/β",
                "conditional",
                statement(
                    any_flat(y0),
                    "=",
                    any_star(y0),
                    assuming=[star_is_uniform],
                    definitions=[any_flattening],
                ),
            ),
            Assertion(
                "KL.11.uniform",
                "and only then: what is itself at temperature 1 + c₂/β has one probability everywhere",
                "conditional",
                statement(
                    any_star(y0),
                    "=",
                    any_star(y1),
                    assuming=[flat_is_star],
                    definitions=[any_flattening],
                ),
                ByCalculation((lemma("KL.11.logarithm"),)),
            ),
            Assertion(
                "KL.11.logarithm",
                "there log π* = log π*/(1 + c₂/β) − a constant",
                "proved",
                statement(
                    log(any_star(y0)),
                    "=",
                    log(any_star(y0)) / hot - log(any_flat_z),
                    standing=[flat_is_star],
                    definitions=[any_flattening],
                ),
                begin(log(any_star(y0)))
                .then("=", log(any_flat(y0)), hypothesis("π_c = π*"))
                .then("=", log(any_star(y0)) / hot - log(any_flat_z), hypothesis("π_c"), logarithms),
            ),
        ),
        correction=Assertion(
            "KL.11.corrected",
            "the optimum is b log z_c, b = β + c₂, where π_c = exp((r + β log π_ref)/b)/z_c is",
            "proved",
            statement(
                with_entropy(policy),
                "≤",
                temperature_sum * log(flat_z(x)),
                standing=[named],
                definitions=FLAT,
            ),
            ByCalculation((lemma("OP.3", against(flat), times=temperature_sum),)),
        ),
        believe="An entropy bonus heats the optimum: it is π* at temperature 1 + c₂/β, and less tied to π_ref.",
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="Prevents reward hacking: the policy cannot drift arbitrarily far",
        reading=(
            "Hacking: whatever the reward, π* gives no more than 999/1000 to a response to which π_ref gives at most 1/1000."
        ),
        main=Assertion(
            "KL.12",
            "the penalty keeps the optimum from a response that the reference hardly ever gives",
            "refuted",
            statement(
                star(y0, x),
                "≤",
                Fraction(999, 1000),
                standing=[assume("π_ref(hack) ≤ 1/1000", reference(y0, x), "≤", Fraction(1, 1000))],
                definitions=OPTIMUM,
            ),
            worlds=(_hacked(),),
        ),
        parts=(
            Assertion(
                "KL.12.any",
                "whatever π_ref(hack) > 0, for every c < 1 some reward gives π*(hack) = c: β log λ there, 0 elsewhere",
                "proved",
                statement(
                    boosted(y0) / Sum(w, boosted(w)),
                    "=",
                    level,
                    standing=[
                        assume("π_ref(hack) < 1", reference(y0, x), "<", 1),
                        assume(
                            "λ = c(1 − π_ref(hack))/((1 − c)π_ref(hack))",
                            boost * reference(y0, x) * (1 - level),
                            "=",
                            level * (1 - reference(y0, x)),
                        ),
                    ],
                ),
            ),
            Assertion(
                "KL.12.bounded",
                "drift: a policy that is no worse than π_ref has D(π‖π_ref) ≤ (r_max − r_min)/β",
                "conditional",
                statement(
                    DRIFT,
                    "≤",
                    (high - low) / beta,
                    assuming=[no_worse, below_high, above_low],
                ),
                ByCalculation(
                    (
                        lemma("KL.12.corrected", at={x: x}),
                        lemma("KL.12.high", at={x: x}),
                        lemma("KL.12.low", at={x: x}),
                    )
                ),
            ),
            Assertion(
                "KL.12.high",
                "an expected reward is at most r_max",
                "proved",
                statement(E(policy(y, x), reward(y, x)), "≤", high, standing=[below_high]),
            ),
            Assertion(
                "KL.12.low",
                "and at least r_min",
                "proved",
                statement(E(reference(y, x), reward(y, x)), "≥", low, standing=[above_low]),
            ),
        ),
        correction=Assertion(
            "KL.12.corrected",
            "a policy with J(π) ≥ J(π_ref) has D(π‖π_ref) ≤ (E_π[r] − E_ref[r])/β",
            "conditional",
            statement(DRIFT, "≤", GAIN, assuming=[no_worse]),
        ),
        believe="The penalty bounds the drift by the reward gained over β; a large enough wrong reward still wins.",
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="clipping … a short-term anchor … the KL penalty is a long-term anchor",
        reading="Clipping alone lets the policy go any distance over many updates; the penalty holds it for the whole run.",
        main=Measured(
            "KL.13",
            "clipping anchors each update, the penalty anchors the whole run",
            "PPO on the token MDP from π_ref, with β = 0 and with β > 0: the exact D(π‖π_ref) after each update",
            (
                "with β = 0 it keeps climbing, towards that of a deterministic policy; with β > 0 it levels off at "
                "D(π*‖π_ref)"
            ),
        ),
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="Without constraints, the policy may discover adversarial outputs",
        reading="Trained without the penalty on a reward model that is wrong somewhere, the policy goes there.",
        main=Measured(
            "KL.14",
            "without the penalty the policy games an imperfect reward",
            "PPO with β = 0 and with β > 0 on a learned reward: that and the true one, on fresh samples",
            "with β = 0 the learned reward rises while the true reward falls",
        ),
    ),
    Claim(
        section="IX",
        tag="IX.I",
        quote="In practice we estimate this expectation with the sampled token",
        reading=(
            "The sums K of the exact KLs and L of the sampled log-ratios as penalties: at κ = 0 their expectations, at κ = 1 "
            "what they give to the score-function gradient, E[Z·K] and E[Z·L], detached."
        ),
        main=Assertion(
            "KL.15",
            "the exact KL of the state and its sample are interchangeable in the reward",
            "conditional",
            statement(
                mean((1 - mix + mix * scores(h)) * log_ratios(h)),
                "=",
                mean((1 - mix + mix * scores(h)) * divergences(h)),
                assuming=[assume("κ = 0: as expected returns", mix, "=", 0)],
                recursions=[*RATIOS, divergence_sum],
            ),
            ByCalculation((lemma("KL.3.states"),)),
        ),
        parts=(
            Assertion(
                "KL.15.return",
                "they give one expected return",
                "proved",
                statement(
                    mean(returns(h) - beta * log_ratios(h)),
                    "=",
                    mean(returns(h) - beta * divergences(h)),
                    recursions=[trajectory_law, return_sum, ratio_sum, divergence_sum],
                ),
                ByCalculation((lemma("KL.3.states"),)),
            ),
            Assertion(
                "KL.15.gradient",
                "they give one score-function gradient",
                "refuted",
                statement(
                    mean(scores(h) * log_ratios(h)),
                    "=",
                    mean(scores(h) * divergences(h)),
                    recursions=[*RATIOS, divergence_sum],
                ),
            ),
            Assertion(
                "KL.15.bandit",
                "in a bandit the exact KL is a constant, and what it gives is 0",
                "proved",
                statement(E(pi(y), score(pi(y)) * KL), "=", 0),
            ),
            Assertion(
                "KL.15.fixed",
                "what is missing is E[C]: E[Z·L] = E[Z·K] + E[C]",
                "proved",
                statement(
                    mean(scores(h) * log_ratios(h)),
                    "=",
                    mean(scores(h) * divergences(h)) + mean(fixed(h)),
                    recursions=[*RATIOS, divergence_sum, fixed_sum],
                ),
                ByInduction((lemma("KL.3.states"),)),
            ),
        ),
        believe="Use the sample in the reward; the exact KL there needs its own gradient in the loss beside it.",
    ),
    Claim(
        section="IX",
        tag="B IX",
        quote="(ours) the gradient of the KL of sequences",
        reading="For every horizon, with the KL of sequences as E[L] (KL.3): ∇E[L] = E[C] + E[M].",
        main=Assertion(
            "KL.16",
            "∇KL = E[Σ_t ∇D_t, states fixed] + E[Σ_t ∇log π(a_t∣s_t) Σ_{k>t} D_k]",
            "proved",
            statement(
                D(SEQUENCE_KL),
                "=",
                mean(fixed(h)) + mean(missing(h)),
                recursions=[*RATIOS, fixed_sum, missing_sum],
            ),
            ByInduction((lemma("PG.3.product"),)),
        ),
        parts=(
            Assertion(
                "KL.16.reward",
                "the second term is what the exact KL in the reward gives: E[Z·K]",
                "proved",
                statement(
                    mean(scores(h) * divergences(h)),
                    "=",
                    mean(missing(h)),
                    recursions=[trajectory_law, score_sum, divergence_sum, missing_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "KL.16.order",
                "M = Σ_k D_k Σ_{t<k} ∇log π(a_t∣s_t) is Σ_t ∇log π(a_t∣s_t) (K − Σ_{k≤t} D_k)",
                "proved",
                statement(
                    missing(h),
                    "=",
                    scores(h) * divergences(h) - seen(h),
                    recursions=[score_sum, divergence_sum, missing_sum, seen_sum],
                ),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="IX",
        tag="IX.I, IX.II",
        quote="the KL penalty appears as a separate additive component",
        reading=(
            "At every prompt E_π[r − β k1] − β D(π‖π_ref) has one maximiser among all policies, π₂ (KL.17.corrected, "
            "attained, unique): it is π*, that of J(π) = E_π[r] − β D(π‖π_ref)."
        ),
        main=Assertion(
            "KL.17",
            "the KL in the reward and the KL in the loss together are one penalty",
            "refuted",
            statement(twice_star(y, x), "=", star(y, x), definitions=(*TWICE, *OPTIMUM)),
        ),
        parts=(
            Assertion(
                "KL.17.twice",
                "they count it twice: E[r] − 2β D(π‖π_ref)",
                "proved",
                statement(both(policy), "=", E(policy(y, x), reward(y, x)) - 2 * beta * DRIFT),
            ),
            Assertion(
                "KL.17.attained",
                "π₂ attains it",
                "proved",
                statement(both(twice_star), "=", 2 * beta * log(twice_z(x)), definitions=TWICE),
            ),
            Assertion(
                "KL.17.unique",
                "any other policy stays below",
                "proved",
                statement(
                    both(policy),
                    "<",
                    2 * beta * log(twice_z(x)),
                    standing=[assume("π ≠ π₂", policy(y0, x), "≠", twice_star(y0, x))],
                    definitions=TWICE,
                ),
                ByCalculation((lemma("OP.3.zero", against(twice_star), times=2 * beta, at={y0: y0}),)),
            ),
        ),
        correction=Assertion(
            "KL.17.corrected",
            "the optimum is 2β log z₂, where π₂ = π_ref exp(r/2β)/z₂ is",
            "proved",
            statement(both(policy), "≤", 2 * beta * log(twice_z(x)), definitions=TWICE),
            ByCalculation((lemma("OP.8", DOUBLED, at={x: x}),)),
        ),
        believe="Penalise once: in the reward, or in the loss.",
    ),
)

__all__ = ["CLAIMS", "Cell", "estimator_table", "one_step"]
