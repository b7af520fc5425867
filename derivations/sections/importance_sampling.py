"""Section VI: importance sampling, and the surrogate L_CPI.

π_old draws the samples, π is the policy that is trained, ratio = π/π_old. A history h of t steps is as in section III;
policies, rewards and advantages may depend on all of it. V(h) is the value of what follows h, before the next state is drawn:
V(h) = Σ_s P(s∣h) Σ_a π(a∣h, s)(r(h, s, a) + γ V(h·s·a)); at a horizon it ends at 0. w(h) = γᵗ.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from derivations.checker.proof import ByCalculation, ByInduction, begin, lemma, strictly
from derivations.checker.statement import assume, covers, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    POSITIVE,
    UNIT,
    D,
    Delta,
    Domain,
    E,
    Function,
    Indicator,
    Length,
    Path,
    Sort,
    Sum,
    Term,
    define,
    exp,
    function,
    histories,
    law,
    parameter,
    recursion,
    term,
)
from derivations.checker.worlds import World, world
from derivations.sections.claim import Assertion, Claim, Measured
from derivations.sections.objects import A, H, S, Y, a, actor, b, dynamics, h, s, score, w, y
from derivations.sections.trajectories import trajectory, trajectory_law

p, q = law("p", Y), law("q", Y)
f = function("f", Y)
zero = term(0)

# --- IS.2, IS.3: moments of the weights -----------------------------------------------------------------------------

covered = covers(q(y), p(y))
everywhere = law("q", Y, positive=True)
CHI_SQUARE = E(everywhere(w), (p(w) / everywhere(w) - 1) ** 2)
K = histories("K", step=[Y])
k, k0 = K.indices("k k0")
samples, trajectory_weight = law("u", K), function("W", K)
power = function("(1 + χ²)ᵗ", K)
MOMENTS = (
    recursion(samples, start=lambda: 1, step=lambda k, y: samples(k) * everywhere(y)),
    recursion(trajectory_weight, start=lambda: 1, step=lambda k, y: trajectory_weight(k) * (p(y) / everywhere(y))),
    recursion(power, start=lambda: 1, step=lambda k, y: power(k) * (1 + CHI_SQUARE)),
)

# --- IS.4, IS.5, IS.8: the ratio at one state -----------------------------------------------------------------------

policy = law("π", A, given=[S], positive=True, depends=True)
old = law("π_old", A, given=[S], positive=True)
visited = law("d", S)
estimated = function("Â", S, A)
ratio = policy(a, s) / old(a, s)
SURROGATE = E(visited(s), E(old(a, s), ratio * estimated(s, a)))
Z = Sort("Z")
z = Z.index("z")
noise, noisy = law("ν", Z, given=[S, A]), function("Â_z", Z, S, A)
s0 = S.index("s0")
at_state, excess = function("f", S), parameter("c", POSITIVE)
logit = function("z", A)
temperature = parameter("T", POSITIVE)
M = Sort("M")
m, m2 = M.indices("m m′")
dropped_out = law("π", A, given=[M], positive=True)
level = parameter("K", POSITIVE)
small = parameter("ε", POSITIVE)


def softmax(scale: Term) -> Term:
    """exp(z(a)/T) / Σ_b exp(z(b)/T)."""
    return exp(logit(a) / scale) / Sum(b, exp(logit(b) / scale))


# --- IS.6, IS.7, IS.10: trajectories --------------------------------------------------------------------------------

gamma, discount = parameter("γ", UNIT), parameter("κ", UNIT)
old_actor = law("π_old", A, given=[H, S], positive=True)
old_trajectory = law("p_old", H)
reward = function("r", H, S, A)
value = function("V", H, depends=True)
advantage = function("Â", H, S, A)
weight, own_weight = function("w", H, domain=NONNEGATIVE), function("w′", H, domain=NONNEGATIVE)
surrogate = function("L", H, depends=True)
ROOT = Path(H, None, ())


def continued(value_of: Function, action) -> Term:  # type: ignore[no-untyped-def]
    """Q(h, s, a) = r(h, s, a) + γ V(h·s·a)."""
    return reward(h, s, action) + gamma * value_of(Path(H, h, (s, action)))


def exact_advantage(value_of: Function, pi: Function) -> Term:
    """A(h, s, a) = Q(h, s, a) − Σ_b π(b∣h, s) Q(h, s, b)."""
    return continued(value_of, a) - Sum(b, pi(b, h, s) * continued(value_of, b))


def bellman(value_of: Function, pi: Function) -> Term:
    """V(h) = Σ_s P(s∣h) Σ_b π(b∣h, s) Q(h, s, b)."""
    return Sum(s, dynamics(s, h) * Sum(b, pi(b, h, s) * continued(value_of, b)))


value_is = define(value(h), bellman(value, actor))
weight_law = recursion(weight, start=lambda: 1, step=lambda h, s, a: gamma * weight(h))
own_weight_law = recursion(own_weight, start=lambda: 1, step=lambda h, s, a: discount * own_weight(h))
old_law = recursion(
    old_trajectory, start=lambda: 1, step=lambda h, s, a: old_trajectory(h) * dynamics(s, h) * old_actor(a, h, s)
)
surrogate_sum = recursion(
    surrogate,
    start=lambda: 0,
    step=lambda h, s, a: surrogate(h) + own_weight(h) * (actor(a, h, s) / old_actor(a, h, s)) * advantage(h, s, a),
)
at_old = assume("θ = θ_old", actor(a, h, s), "=", old_actor(a, h, s), for_all=[a, h, s])
exact = assume("Â is the advantage", advantage(h, s, a), "=", exact_advantage(value, actor), for_all=[h, s, a])
weighted = assume("γ = 1, or a weight γᵗ on the term at t", discount, "=", gamma)
REMAINING = Sum(h, old_trajectory(h) * weight(h) * D(value(h)))

cumulative = function("W", H, depends=True)
corrected_sum = function("M", H, depends=True)
CORRECTED = (
    recursion(cumulative, start=lambda: 1, step=lambda h, s, a: cumulative(h) * (actor(a, h, s) / old_actor(a, h, s))),
    recursion(
        corrected_sum,
        start=lambda: 0,
        step=lambda h, s, a: (
            corrected_sum(h)
            + weight(h)
            * cumulative(h)
            * (actor(a, h, s) / old_actor(a, h, s))
            * score(actor(a, h, s))
            * exact_advantage(value, actor)
        ),
    ),
)

# --- IS.7: two steps ------------------------------------------------------------------------------------------------

B = Sort("B")
i, j = B.indices("i j")
first, first_old = law("π₀", B, positive=True, depends=True), law("π_old,0", B, positive=True)
second, second_old = (
    law("π₁", A, given=[B], positive=True, depends=True),
    law("π_old,1", A, given=[B], positive=True),
)
pay = function("r", B, A)


def after(second_policy: Function, action) -> Term:  # type: ignore[no-untyped-def]
    """Q(b): what the second step is worth after the first action."""
    return E(second_policy(b, action), pay(action, b))


def two_step_gradient(first_policy: Function, second_policy: Function) -> Term:
    """E_old[Σ_t ratio_t ∇log π A], with the advantages of the given policies."""
    start = E(first_policy(j), after(second_policy, j))
    at_first = first(i) / first_old(i) * score(first(i)) * (after(second_policy, i) - start)
    at_second = second(a, i) / second_old(a, i) * score(second(a, i)) * (pay(i, a) - after(second_policy, i))
    return E(first_old(i), at_first) + E(first_old(i), E(second_old(a, i), at_second))


TWO_STEP_RETURN = E(first(i), E(second(a, i), pay(i, a)))
at_old_first = assume("θ = θ_old at the first step", first(i), "=", first_old(i), for_all=[i])
at_old_second = assume("θ = θ_old at the second step", second(a, i), "=", second_old(a, i), for_all=[a, i])
go, succeed = (parameter(name, UNIT, depends=True) for name in "uv")
old_go, old_succeed = parameter("u_old", UNIT), parameter("v_old", UNIT)
state_reward = function("r", S, A)

# --- IS.9: which mean -----------------------------------------------------------------------------------------------

R = Sort("R")
t = R.index("τ")
draw = law("p", R)
steps = function("ℓ", R, domain=Domain(lower=Fraction(1)))
of_trajectory = function("F", R)
one_gradient, other_gradient = function("g₁", R), function("g₂", R)
batches = histories("N", start=[R], step=[R])
n = batches.index("n")
batch = law("u", batches)
batch_sum, batch_steps = function("ΣF", batches), function("Σℓ", batches, domain=POSITIVE)
batch_law = recursion(batch, start=lambda τ: draw(τ), step=lambda n, τ: batch(n) * draw(τ))
batch_sum_law = recursion(
    batch_sum, start=lambda τ: of_trajectory(τ), step=lambda n, τ: batch_sum(n) + of_trajectory(τ)
)
batch_steps_law = recursion(batch_steps, start=lambda τ: steps(τ), step=lambda n, τ: batch_steps(n) + steps(τ))
T = parameter("T", NONNEGATIVE)
same_length = assume("all trajectories have T + 1 steps", steps(t), "=", T + 1, for_all=[t])


# --- IS.10: the maximiser -------------------------------------------------------------------------------------------

new, fixed = law("π", A), law("π_old", A, positive=True)
guess, gain = function("Â", A), function("r", A)
a0, b0 = A.indices("a0 b0")
maximises = assume("π maximises E_old[ratio · Â]", E(new(a), guess(a)), "≥", guess(b), for_all=[b])
best = assume("a0 has the largest Â", guess(b), "≤", guess(a0), for_all=[b])
unique = assume("the best Â is unique", guess(b0), "<", guess(a0))
elsewhere = assume("b0 is another action", Delta(b0, a0), "=", 0)

new_actor = law("π′", A, given=[H, S])
new_trajectory = law("p′", H)
returns = function("G", H)
old_value, old_advantage = function("V", H), function("A", H, S, A)
advantages = function("B", H)
improvement = function("g", H, S, domain=NONNEGATIVE)
new_law = recursion(
    new_trajectory, start=lambda: 1, step=lambda h, s, a: new_trajectory(h) * dynamics(s, h) * new_actor(a, h, s)
)
return_sum = recursion(returns, start=lambda: 0, step=lambda h, s, a: returns(h) + weight(h) * reward(h, s, a))
advantage_sum = recursion(
    advantages, start=lambda: 0, step=lambda h, s, a: advantages(h) + weight(h) * old_advantage(h, s, a)
)
old_value_is = define(old_value(h), bellman(old_value, old_actor))
old_advantage_is = define(old_advantage(h, s, a), exact_advantage(old_value, old_actor))
improves = assume(
    "π′ is at no state worse on the surrogate: g = Σ_a π′(a)A(s, a) ≥ 0",
    Sum(a, new_actor(a, h, s) * old_advantage(h, s, a)),
    "=",
    improvement(h, s),
    for_all=[h, s],
)
EXACT = (old_value_is, old_advantage_is)
DIFFERENCE = (new_law, weight_law, return_sum, advantage_sum)


def _of_length(steps: int) -> list[tuple[int, ...]]:
    """The histories of that many steps, with one state and two actions."""
    return [tuple(part for c in actions for part in (0, c)) for actions in product((0, 1), repeat=steps)]


def _second_step_only() -> World:
    """γ = 0, so that the second step counts for nothing, and its reward [a = 0] with a weight κ = 1 all the same."""
    half = Fraction(1, 2)
    before = [g for steps in range(3) for g in _of_length(steps)]
    rewards = {(g, 0, c): int(len(g) == 2 and c == 0) for g in before for c in (0, 1)}
    fair = {(c, g, 0): half for g in before for c in (0, 1)}
    tables: dict[object, object] = {
        dynamics: {(0, g): 1 for g in before},
        actor: fair,
        old_actor: fair,
        reward: rewards,
        advantage: {at: gained - half if len(at[0]) == 2 else 0 for at, gained in rewards.items()},
        value: {(g,): 0 for steps in (2, 3) for g in _of_length(steps)},
        gamma: 0,
        discount: 1,
    }
    moves = {(c, g, 0): 1 - 2 * c for g in _of_length(1) for c in (0, 1)}
    return world({S: 1, A: 2}, tables, lengths={H: 2}, slopes={actor: moves})


CLAIMS = (
    Claim(
        section="VI",
        tag="VI.I",
        quote="E_{x∼p}[f] = E_{x∼q}[(p/q) f], q > 0 wherever p > 0",
        reading="For all distributions p, q on a finite set and every f, where q > 0 wherever p > 0.",
        main=Assertion(
            "IS.1",
            "importance weights turn an expectation under p into one under q",
            "proved",
            statement(E(p(y), f(y)), "=", E(q(w), p(w) / q(w) * f(w)), standing=[covers(q(y), p(y))]),
        ),
        parts=(
            Assertion(
                "IS.1.weaker",
                "q > 0 wherever p·f ≠ 0 suffices",
                "proved",
                statement(
                    E(p(y), f(y)),
                    "=",
                    E(q(w), p(w) / q(w) * f(w)),
                    standing=[
                        assume(
                            "q > 0 wherever p·f ≠ 0",
                            p(y) * f(y) * Indicator(q(y), "=", term(0)),
                            "=",
                            0,
                            for_all=[y],
                        )
                    ],
                ),
            ),
            Assertion(
                "IS.1.without",
                "the same with no condition on q",
                "refuted",
                statement(E(p(y), f(y)), "=", E(q(w), p(w) / q(w) * f(w))),
            ),
        ),
    ),
    Claim(
        section="VI",
        tag="B VI",
        quote="(ours) the moments of the weights",
        reading="For all distributions p, q on a finite set; χ²(p‖q) = E_q[(p/q − 1)²].",
        main=Assertion(
            "IS.2",
            "the weights have mean one: E_q[p/q] = 1",
            "conditional",
            statement(E(q(w), p(w) / q(w)), "=", 1, assuming=[covered]),
        ),
        parts=(
            Assertion(
                "IS.2.second",
                "their second moment is 1 + χ²(p‖q)",
                "conditional",
                statement(E(q(w), (p(w) / q(w)) ** 2), "=", 1 + E(q(y), (p(y) / q(y) - 1) ** 2), assuming=[covered]),
            ),
        ),
        believe="The weights p/q have the mean 1 and the second moment 1 + χ² if q covers p.",
    ),
    Claim(
        section="VI",
        tag="B VI",
        quote="(ours) weights of whole trajectories",
        reading="T independent steps, each drawn from q and weighted by p/q; Y is what q can draw. T is the length of K.",
        main=Assertion(
            "IS.3",
            "the second moment of the product of T weights is (1 + χ²)^T",
            "proved",
            statement(E(samples(k), trajectory_weight(k) ** 2), "=", power(k0), recursions=MOMENTS),
            ByInduction(),
        ),
        parts=(
            Assertion(
                "IS.3.grows",
                "which is at least 1 + Tχ²",
                "proved",
                statement(power(k0), "≥", 1 + Length(K) * CHI_SQUARE, recursions=MOMENTS),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="VI",
        tag="VI.II",
        quote="r_t(θ_old) = 1",
        reading="At every state and action; at θ_old the policy that is scored is the one that sampled.",
        main=Assertion(
            "IS.4",
            "the ratio is 1 at θ_old",
            "proved",
            statement(ratio, "=", 1, standing=[assume("θ = θ_old", policy(a, s), "=", old(a, s), for_all=[a, s])]),
        ),
        parts=(
            Assertion(
                "IS.4.gradient",
                "∇ratio = ratio · ∇log π, at every θ",
                "proved",
                statement(D(ratio), "=", ratio * score(policy(a, s))),
            ),
            Assertion(
                "IS.4.temperature",
                "it is 1, too, if the samples were drawn at a temperature and are scored without it",
                "refuted",
                statement(softmax(term(1)) / softmax(temperature), "=", 1),
            ),
            Assertion(
                "IS.4.dropout",
                "or if they were drawn under one dropout mask and are scored under another",
                "refuted",
                statement(dropped_out(a, m2) / dropped_out(a, m), "=", 1),
            ),
        ),
    ),
    Claim(
        section="VI",
        tag="B VI",
        quote="the gradient of L_CPI",
        reading="L_CPI = E_old[ratio · Â] over the states that π_old visits; Â does not move with θ.",
        main=Assertion(
            "IS.5",
            "∇L_CPI = E_old[ratio · ∇log π · Â]",
            "proved",
            statement(D(SURROGATE), "=", E(visited(s), E(old(a, s), ratio * score(policy(a, s)) * estimated(s, a)))),
        ),
    ),
    Claim(
        section="VI",
        tag="B VI",
        quote="at θ_old it is the policy gradient",
        reading=(
            "L is the sum of κᵗ ratio·Â over the steps of a trajectory from π_old. For every horizon: ∇E_old[L] is ∇V(∅), "
            "but for E_old[γᵗ∇V] after the last step, where V is 0."
        ),
        main=Assertion(
            "IS.6",
            "at θ_old, ∇L_CPI is the policy gradient",
            "conditional",
            statement(
                D(E(old_trajectory(h), surrogate(h))) + REMAINING,
                "=",
                D(value(ROOT)),
                assuming=[exact, weighted],
                standing=[at_old],
                definitions=[value_is],
                recursions=[old_law, weight_law, own_weight_law, surrogate_sum],
            ),
            ByInduction((lemma("IS.6.weights"),)),
            worlds=(_second_step_only(),),
        ),
        parts=(
            Assertion(
                "IS.6.unbiased",
                "an Â that is the advantage in conditional mean has the same expected gradient",
                "proved",
                statement(
                    E(visited(s), E(old(a, s), E(noise(z, s, a), ratio * score(policy(a, s)) * noisy(z, s, a)))),
                    "=",
                    E(visited(s), E(old(a, s), ratio * score(policy(a, s)) * estimated(s, a))),
                    standing=[
                        assume(
                            "E[Â∣s, a] = A(s, a)",
                            E(noise(z, s, a), noisy(z, s, a)),
                            "=",
                            estimated(s, a),
                            for_all=[s, a],
                        )
                    ],
                ),
            ),
            Assertion(
                "IS.6.weights",
                "the weights κᵗ are the γᵗ of the objective",
                "conditional",
                statement(own_weight(h), "=", weight(h), assuming=[weighted], recursions=[weight_law, own_weight_law]),
                ByInduction(),
            ),
        ),
        believe=(
            "∇L_CPI at θ_old is the policy gradient with exact advantages, sums over the steps, and γ = 1 or "
            "weights γᵗ."
        ),
    ),
    Claim(
        section="VI",
        tag="B VI",
        quote="the chain of equalities from ∇J to ∇L_CPI",
        reading=(
            "Two steps, action i and then action a, with reward r(i, a): ∇η = E_old[Σ_t ratio_t ∇log π A_old], where A_old "
            "are the advantages of π_old."
        ),
        main=Assertion(
            "IS.7",
            "∇L_CPI is ∇η",
            "conditional",
            statement(
                D(TWO_STEP_RETURN),
                "=",
                two_step_gradient(first_old, second_old),
                assuming=[at_old_first, at_old_second],
            ),
        ),
        parts=(
            Assertion(
                "IS.7.one",
                "for one step it is, at every θ",
                "proved",
                statement(
                    D(E(visited(s), E(policy(a, s), state_reward(s, a)))),
                    "=",
                    E(
                        visited(s),
                        E(
                            old(a, s),
                            ratio * score(policy(a, s)) * (state_reward(s, a) - E(old(b, s), state_reward(s, b))),
                        ),
                    ),
                ),
            ),
            Assertion(
                "IS.7.own",
                "for two steps it is with the advantages of π itself",
                "refuted",
                statement(D(TWO_STEP_RETURN), "=", two_step_gradient(first, second)),
            ),
            Assertion(
                "IS.7.error",
                "go on with probability u, then succeed with v: ∇(uv) misses v_old∇u + u_old∇v by an error of first order",
                "proved",
                statement(
                    D(go * succeed) - (old_succeed * D(go) + old_go * D(succeed)),
                    "=",
                    (succeed - old_succeed) * D(go) + (go - old_go) * D(succeed),
                ),
            ),
            Assertion(
                "IS.7.true",
                "what is exact at every θ: E_old[Σ_t γᵗ (Π_{k≤t} ratio_k) ∇log π A^π] = ∇V(∅), for every horizon",
                "proved",
                statement(
                    E(old_trajectory(h), corrected_sum(h))
                    + Sum(h, old_trajectory(h) * weight(h) * cumulative(h) * D(value(h))),
                    "=",
                    D(value(ROOT)),
                    definitions=[value_is],
                    recursions=[old_law, weight_law, *CORRECTED],
                ),
                ByInduction(),
            ),
            Assertion(
                "IS.7.value",
                "V(∅) is η: the discounted return, and V after the last step",
                "proved",
                statement(
                    E(trajectory(h), returns(h) + weight(h) * value(h)),
                    "=",
                    value(ROOT),
                    definitions=[value_is],
                    recursions=[trajectory_law, weight_law, return_sum],
                ),
                ByInduction(),
            ),
        ),
        believe=(
            "L_CPI has the policy gradient at θ_old, and for one step everywhere. Elsewhere the ratios of all "
            "earlier steps and the new policy's advantages are needed."
        ),
    ),
    Claim(
        section="VI",
        tag="B VI",
        quote="the ratio can become arbitrarily large or small",
        reading="Large: for every action and every K, the policy that always takes the action has a ratio above K.",
        main=Assertion(
            "IS.8",
            "the ratio can become arbitrarily large",
            "conditional",
            statement(
                new(a) / fixed(a),
                ">",
                level,
                assuming=[assume("π_old(a) < 1/K: π_old is free as well", fixed(a) * level, "<", 1)],
                standing=[assume("π always takes a", new(a), "=", 1)],
            ),
        ),
        parts=(
            Assertion(
                "IS.8.bound",
                "for a fixed π_old it never exceeds 1/π_old(a)",
                "proved",
                statement(new(a) / fixed(a), "≤", 1 / fixed(a)),
            ),
            Assertion(
                "IS.8.small",
                "it is below any ε > 0 where π takes the action with probability ½ε π_old(a)",
                "proved",
                statement(
                    new(a) / fixed(a),
                    "<",
                    small,
                    standing=[assume("π(a) = ½ε π_old(a)", new(a), "=", small * fixed(a) / 2)],
                ),
            ),
        ),
        believe=(
            "For a fixed π_old the ratio is at most 1/π_old(a∣s); over all π_old it has no bound, and it can "
            "always be small."
        ),
    ),
    Claim(
        section="VI",
        tag="VI.III, VI.IV",
        quote="E_t, the empirical mean over time steps",
        reading=(
            "A batch n of N ≥ 1 trajectories; F(τ) is the sum of ratio·Â over a trajectory, ℓ(τ) its number of steps. ΣF/Σℓ, "
            "the mean over time steps, times the mean number of steps E[Σℓ], has the expectation of ΣF, N times that of F."
        ),
        main=Assertion(
            "IS.9",
            "the mean over time steps and the sum over the steps of a trajectory are one objective, up to a factor",
            "conditional",
            statement(
                E(batch(n), batch_sum(n) / batch_steps(n)) * E(batch(n), batch_steps(n)),
                "=",
                E(batch(n), batch_sum(n)),
                assuming=[same_length],
                recursions=[batch_law, batch_sum_law, batch_steps_law],
            ),
            ByCalculation((lemma("IS.9.steps"),)),
        ),
        parts=(
            Assertion(
                "IS.9.steps",
                "a batch has N(T + 1) steps",
                "conditional",
                statement(
                    batch_steps(n),
                    "=",
                    (Length(batches) + 1) * (T + 1),
                    assuming=[same_length],
                    recursions=[batch_steps_law],
                ),
                ByInduction(),
            ),
            Assertion(
                "IS.9.parallel",
                "whatever the lengths, the two expected gradients (g₁, g₂) are parallel: one trajectory a batch",
                "refuted",
                statement(
                    E(draw(t), one_gradient(t)) * E(draw(t), other_gradient(t) / steps(t)),
                    "=",
                    E(draw(t), other_gradient(t)) * E(draw(t), one_gradient(t) / steps(t)),
                ),
            ),
            Assertion(
                "IS.9.sequence",
                "the mean of the means of the sequences has the sign of the mean of their sums",
                "refuted",
                statement(
                    E(draw(t), one_gradient(t) / steps(t)),
                    "<",
                    0,
                    standing=[assume("the mean of the sums is negative", E(draw(t), one_gradient(t)), "<", 0)],
                ),
            ),
        ),
        believe=(
            "The two means are one objective, up to a factor, where all trajectories have one length; elsewhere "
            "a loss has to say which it takes."
        ),
    ),
    Claim(
        section="VI",
        tag="B VI",
        quote="Unconstrained maximisation collapses",
        reading="In a table, at a state: a policy that maximises E_old[ratio·Â] takes one action only, and no other b0.",
        main=Assertion(
            "IS.10",
            "a maximiser of the unconstrained surrogate is deterministic",
            "conditional",
            statement(new(b0), "=", 0, assuming=[unique], standing=[maximises, best, elsewhere]),
            ByCalculation((lemma("IS.10.less", at={a0: a0, b0: b0}),)),
        ),
        parts=(
            Assertion(
                "IS.10.surrogate",
                "E_old[ratio·Â] is E_π[Â]",
                "proved",
                statement(E(fixed(a), new(a) / fixed(a) * guess(a)), "=", E(new(a), guess(a))),
            ),
            Assertion(
                "IS.10.weighted",
                "over several states, what a policy gains at one of positive weight is gained in all: it maximises at each",
                "proved",
                statement(
                    E(visited(s), at_state(s) + excess * Delta(s, s0)),
                    ">",
                    E(visited(s), at_state(s)),
                    standing=[assume("s0 is weighted", visited(s0), ">", 0)],
                ),
            ),
            Assertion(
                "IS.10.less",
                "a policy that takes another action falls short of the best Â, if that is unique",
                "proved",
                statement(
                    E(new(a), guess(a)),
                    "<",
                    guess(a0),
                    standing=[best, unique, assume("π takes b0", new(b0), ">", 0)],
                ),
                begin(E(new(a), guess(a))).then("<", guess(a0), strictly(b0)),
            ),
            Assertion(
                "IS.10.some",
                "whatever Â is, some maximiser is deterministic: the one that takes the best action",
                "proved",
                statement(
                    E(new(a), guess(a)),
                    "≤",
                    guess(a0),
                    standing=[best],
                ),
            ),
            Assertion(
                "IS.10.zero",
                "π_old itself has Σ_a π_old(a)A(s, a) = 0, so that a maximiser has g ≥ 0 at each state",
                "proved",
                statement(Sum(a, old_actor(a, h, s) * exact_advantage(old_value, old_actor)), "=", 0),
            ),
            Assertion(
                "IS.10.difference",
                "E_π′[G] and E_π′[γᵗV] after the last step are V(∅) and the advantages of π_old that π′ collects",
                "proved",
                statement(
                    E(new_trajectory(h), returns(h) + weight(h) * old_value(h) - advantages(h)),
                    "=",
                    old_value(ROOT),
                    definitions=EXACT,
                    recursions=DIFFERENCE,
                ),
                ByInduction(),
            ),
            Assertion(
                "IS.10.collected",
                "which are not negative in sum, if they are not at any state",
                "proved",
                statement(
                    E(new_trajectory(h), advantages(h)),
                    "≥",
                    0,
                    standing=[improves],
                    recursions=[new_law, weight_law, advantage_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "IS.10.iteration",
                "with the exact A and all states weighted it is policy iteration, which never lowers η = V(∅)",
                "proved",
                statement(
                    E(new_trajectory(h), returns(h) + weight(h) * old_value(h)),
                    "≥",
                    old_value(ROOT),
                    standing=[improves],
                    definitions=EXACT,
                    recursions=DIFFERENCE,
                ),
                ByCalculation((lemma("IS.10.difference"), lemma("IS.10.collected"))),
            ),
            Assertion(
                "IS.10.wrong",
                "the same with any Â",
                "refuted",
                statement(E(new(a), gain(a)), "≥", E(fixed(a), gain(a)), standing=[maximises]),
            ),
            Measured(
                "IS.10.measured",
                "many epochs of unclipped ascent of L_CPI on one batch, with estimated advantages, collapse the policy",
                "the tiny GPT, one batch, L_CPI maximised without clip or penalty, against PPO on the same batch",
                "entropy falls towards 0, and the exact return ends below that of π_old, while PPO's does not",
            ),
        ),
        believe=(
            "In a table some maximiser of L_CPI is deterministic. With exact advantages that is policy "
            "iteration, which never lowers η; with wrong ones it can collapse."
        ),
    ),
)

__all__ = ["CLAIMS"]
