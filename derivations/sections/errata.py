"""Published slips outside the two sources: statements from other texts and programs, each refuted and put right.

They are written in the notation of the section that they belong to, whose objects are used here; a tag names the place
and the year of the version that was read. Where a correction is a claim of another section, it is that claim.
"""

from __future__ import annotations

from fractions import Fraction

from derivations.checker.proof import ByCalculation, ByInduction, lemma
from derivations.checker.statement import assume, statement
from derivations.checker.terms import (
    POSITIVE,
    REAL,
    UNIT,
    D,
    E,
    Indicator,
    Length,
    Term,
    clip,
    exp,
    function,
    kl,
    law,
    log,
    maximum,
    minimum,
    parameter,
    recursion,
    term,
)
from derivations.sections import advantage as v_
from derivations.sections import kl_penalty as ix
from derivations.sections import optimal_policy as x_
from derivations.sections import ppo as viii
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import (
    OPTIMUM,
    A,
    S,
    X,
    Y,
    a,
    b,
    beta,
    objective,
    policy,
    reference,
    reward,
    s,
    score,
    star,
    x,
    y,
    y0,
)
from derivations.sections.objects import v as other_y

LAST = (v_.gamma * v_.lambda_) ** 2

# --- the last term of the truncated estimate: exponent n + 1 where the n-th of n errors has n − 1 ---------------------

printed_sum = function("Σ̃", v_.K)
printed_sum_law = recursion(
    printed_sum,
    start=lambda s: 0,
    step=lambda k, a, s: v_.sum_of(k) + LAST * v_.discount(k) * v_.lambdas(k) * v_.an_error(k, a, s),
)
printed_gae = function("Ã_t", v_.N)
printed_gae_law = recursion(
    printed_gae,
    start=lambda s, a, s2: LAST * v_.first_error(s, a, s2),
    step=lambda j, a, s: v_.gae(j) + LAST * v_.weight(j) * v_.error(j, a, s),
)
N_STEP_MEAN = v_.mean_before(v_.k) + v_.lambdas_before(v_.k) * v_.n_step(v_.k)
N_STEPS = (*v_.GAE_MEANS, v_.weighted_before, v_.lambda_before)
BACKWARD = v_.kept_error(v_.j) + v_.gamma * v_.lambda_ * v_.gae_after(v_.j)
BACKWARD_SUMS = (v_.weights(v_.lambda_), v_.weights_after, v_.gae_sum, v_.gae_after_sum, v_.error_kept)

# --- three steps, and then a value -----------------------------------------------------------------------------------

r1, r2, r3, last_value = (parameter(name, REAL) for name in ("r₁", "r₂", "r₃", "v"))
g1, g2, g3 = (parameter(name, UNIT) for name in ("γ₁", "γ₂", "γ₃"))
THREE_STEPS = r1 + g1 * (r2 + g2 * (r3 + g3 * last_value))


def written_out(third: Term) -> Term:
    """r₁ + γ₁r₂ + γ₁γ₂·(third reward) + γ₁γ₂γ₃v."""
    return r1 + g1 * r2 + g1 * g2 * third + g1 * g2 * g3 * last_value


# --- estimators of the KL --------------------------------------------------------------------------------------------

drawn = ix.still(y)
difference = ix.log_ratio(ix.still)
KL = kl(ix.still, ix.anchor, other_y)
CHI_SQUARED = E(drawn, drawn / ix.anchor(y)) - 1

# --- the steps of DPO's derivation -----------------------------------------------------------------------------------

other = law("μ", Y, given=[X])


def to_minimise(pi) -> Term:  # type: ignore[no-untyped-def]
    """E_π[log π − log π_ref − r/β], which DPO's derivation minimises in the end."""
    weight = pi(y, x)
    return E(weight, log(weight) - log(reference(y, x)) - reward(y, x) / beta)


# --- the clipped surrogate -------------------------------------------------------------------------------------------

gain = function("A", Y)
L_PPO = E(ix.behind(y), minimum(ix.ratio * gain(y), clip(ix.ratio, viii.LOW, viii.HIGH) * gain(y)))
POLICY_GRADIENT = E(ix.pi(y), score(ix.pi(y)) * gain(y))
weighed = assume("A(y0) ≠ 0", viii.gain(y0), "≠", 0)
one_fifth = assume("ε = 1/5", viii.epsilon, "=", Fraction(1, 5))


def loss_at(ratio: Term) -> Term:
    """−min(ratio, clip(ratio, 0.8, 1.2)): the loss at an advantage of 1 and ε = 1/5."""
    return -minimum(ratio, clip(ratio, Fraction(4, 5), Fraction(6, 5)))


def distance(one: Term, other: Term) -> Term:
    """∣one − other∣."""
    return maximum(one - other, other - one)


# --- values ----------------------------------------------------------------------------------------------------------

best_value, action_values, numbered = function("V*", S), function("Q*", S, A), function("n", A)
b0 = A.index("b0")
OPTIMAL_VALUE = (
    assume("V* is at least every Q*", best_value(s), "≥", action_values(s, b), for_all=[b]),
    assume("it is attained, by b0", best_value(s), "=", action_values(s, b0)),
    assume("a is a best action", action_values(s, a), "≥", action_values(s, b), for_all=[b]),
)

# --- log-probabilities of responses, token by token ------------------------------------------------------------------

token_policy = law("π", x_.A, given=[x_.H], positive=True)
response_chance = function("p", x_.H, domain=POSITIVE)
log_sum = function("L", x_.H)
response_law = recursion(response_chance, start=lambda x: 1, step=lambda h, a: response_chance(h) * token_policy(a, h))
log_sum_law = recursion(log_sum, start=lambda x: 0, step=lambda h, a: log_sum(h) + log(token_policy(a, h)))

CLAIMS = (
    Claim(
        section="errata",
        tag="rlax 2026",
        quote="multistep.py, truncated GAE: the last term is (γλ)^(k−t+1) δ_{k−1}",
        reading=(
            "k − t = n errors, for every n, earlier terms as they should be: against the weighted mean of the m-step "
            "advantages, m ≤ n, which the estimate is (AD.16)."
        ),
        main=Assertion(
            "ERR.1",
            "the last term of truncated GAE is (γλ)^(k−t+1) δ_{k−1}",
            "refuted",
            statement(N_STEP_MEAN, "=", printed_sum(v_.k), recursions=[*N_STEPS, printed_sum_law]),
        ),
        correction=Assertion(
            "ERR.1.corrected",
            "its exponent is k − 1 − t",
            "proved",
            statement(N_STEP_MEAN, "=", v_.sum_of(v_.k), recursions=N_STEPS),
            ByCalculation((lemma("AD.16.finite"),)),
        ),
        believe="δ_{t+l} has the weight (γλ)^l, the last one too: (γλ)^(k−1−t) for δ_{k−1}.",
    ),
    Claim(
        section="errata",
        tag="rlax 2026",
        quote="multistep.py, the return of three steps: r₁ + γ₁r₂ + γ₁γ₂r₂",
        reading="For all rewards, discounts and the value v after the third step; the last term bootstraps with v.",
        main=Assertion(
            "ERR.2",
            "the third reward of a three-step return is r₂ again",
            "refuted",
            statement(THREE_STEPS, "=", written_out(r2)),
        ),
        correction=Assertion(
            "ERR.2.corrected",
            "the third reward is r₃",
            "proved",
            statement(THREE_STEPS, "=", written_out(r3)),
        ),
        believe="A return of three steps is r₁ + γ₁r₂ + γ₁γ₂r₃, and what is bootstrapped.",
    ),
    Claim(
        section="errata",
        tag="labml 2025",
        quote="annotated PPO, GAE: the last term is (γλ)^(T−t+1) δ_{T−1}",
        reading="For every number T − t of errors: against Â_t = δ_t + γλÂ_{t+1}, which the program computes (AD.17).",
        main=Assertion(
            "ERR.3",
            "the last term of GAE is (γλ)^(T−t+1) δ_{T−1}",
            "refuted",
            statement(printed_gae(v_.j), "=", BACKWARD, recursions=[*BACKWARD_SUMS, printed_gae_law]),
        ),
        correction=Assertion(
            "ERR.3.corrected",
            "its exponent is T − 1 − t",
            "proved",
            statement(v_.gae(v_.j), "=", BACKWARD, recursions=BACKWARD_SUMS),
            ByCalculation((lemma("AD.17"),)),
        ),
        believe="δ_{T−1} is T − 1 − t steps after t, and that is its exponent.",
    ),
    Claim(
        section="errata",
        tag="RLHF book 2026",
        quote="policy_gradients/loss.py: k1 = −(log π − log π_ref), k3 = e^d − 1 − d with d = log π − log π_ref",
        reading="Samples from π, both laws positive: the mean of the estimate is D(π‖π_ref).",
        main=Assertion(
            "ERR.4",
            "k1 = −(log π − log π_ref) estimates the KL",
            "refuted",
            statement(E(drawn, -difference), "=", KL),
        ),
        parts=(
            Assertion(
                "ERR.4.k3",
                "k3 = e^d − 1 − d with d = log π − log π_ref estimates the KL",
                "refuted",
                statement(E(drawn, exp(difference) - 1 - difference), "=", KL),
            ),
            Assertion(
                "ERR.4.chi",
                "the mean of that k3 is χ²(π‖π_ref) − D(π‖π_ref)",
                "proved",
                statement(E(drawn, exp(difference) - 1 - difference), "=", CHI_SQUARED - KL),
            ),
            Assertion(
                "ERR.4.ratio",
                "with the ratio turned round, d = log π_ref − log π, the mean of k3 is the KL",
                "proved",
                statement(E(drawn, exp(-difference) - 1 + difference), "=", KL),
            ),
        ),
        correction=Assertion(
            "ERR.4.corrected",
            "the mean of that k1 is −D(π‖π_ref)",
            "proved",
            statement(E(drawn, -difference), "=", -KL),
        ),
        believe="With samples from π, k1 is log π − log π_ref, and the d of k3 is log π_ref − log π.",
    ),
    Claim(
        section="errata",
        tag="RLHF book 2026",
        quote="chapter 8, the derivation of DPO: max … = max … = min …",
        reading=(
            "At a prompt: max_π E_π[r − β log π/π_ref] = min_π E_π[log π/π_ref − r/β]. Both are attained by π* (OP.8)."
        ),
        main=Assertion(
            "ERR.5",
            "the maximum and the minimum are equal",
            "refuted",
            statement(objective(star), "=", to_minimise(star), definitions=OPTIMUM),
        ),
        parts=(
            Assertion(
                "ERR.5.maximiser",
                "what maximises the one minimises the other: a policy with the larger J has the smaller mean",
                "proved",
                statement(
                    to_minimise(other),
                    "≤",
                    to_minimise(policy),
                    standing=[assume("J(μ) ≥ J(π)", objective(other), "≥", objective(policy))],
                ),
            ),
            Assertion(
                "ERR.5.maximum",
                "the maximum is β log z",
                "proved",
                statement(objective(star), "=", beta * x_.LOG_Z, definitions=OPTIMUM),
            ),
            Assertion(
                "ERR.5.minimum",
                "the minimum is −log z",
                "proved",
                statement(to_minimise(star), "=", -x_.LOG_Z, definitions=OPTIMUM),
            ),
        ),
        correction=Assertion(
            "ERR.5.corrected",
            "E_π[r − β log π/π_ref] = −β E_π[log π/π_ref − r/β] for every π",
            "proved",
            statement(objective(policy), "=", -beta * to_minimise(policy)),
        ),
        believe="Dividing by −β turns the maximum into a minimum; the maximiser stays, the value does not.",
    ),
    Claim(
        section="errata",
        tag="nano-aha-moment 2025",
        quote="the notebook: at ratio 1 the gradient of the PPO loss is twice that of the policy gradient",
        reading="Where π = π_old, for every advantage and clip range: ∇L_PPO = 2·E[∇log π·A].",
        main=Assertion(
            "ERR.6",
            "∇L_PPO = 2·E[∇log π·A] at ratio 1",
            "refuted",
            statement(D(L_PPO), "=", 2 * POLICY_GRADIENT, standing=[ix.at_old]),
        ),
        correction=Assertion(
            "ERR.6.corrected",
            "the factor is 1",
            "proved",
            statement(D(L_PPO), "=", POLICY_GRADIENT, standing=[ix.at_old]),
        ),
        believe="At ratio 1 the minimum of two equal terms has the gradient of one of them.",
    ),
    Claim(
        section="errata",
        tag="d2l 2026",
        quote="value-iter: V* = argmax_a {…}",
        reading="Actions are numbered, and argmax is the number of a best action, at every state.",
        main=Assertion(
            "ERR.7",
            "V*(s) is the argmax over actions",
            "refuted",
            statement(best_value(s), "=", numbered(a), standing=OPTIMAL_VALUE),
        ),
        correction=Assertion(
            "ERR.7.corrected",
            "V*(s) is the maximum: Q* at a best action",
            "proved",
            statement(best_value(s), "=", action_values(s, a), standing=OPTIMAL_VALUE),
        ),
        believe="V* is the maximum over the actions; argmax is the action.",
    ),
    Claim(
        section="errata",
        tag="LLMs-from-scratch 2026",
        quote="DPO notebook: a larger β increases the divergence (one cell), decreases it (another)",
        reading="For 0 < β₁ < β₂, at every prompt, of the optimal policies: D(π*_β₁‖π_ref) ≤ D(π*_β₂‖π_ref).",
        main=Assertion(
            "ERR.8",
            "a larger β increases the divergence from π_ref",
            "refuted",
            statement(
                x_.divergence_of_optimum(x_.low),
                "≤",
                x_.divergence_of_optimum(x_.high),
                standing=[assume("β₁ < β₂", x_.low, "<", x_.high)],
            ),
        ),
        parts=(
            Assertion(
                "ERR.8.slope",
                "dD(π*‖π_ref)/dβ = −Var_π*(r)/β³",
                "proved",
                statement(D(x_.divergence_of_optimum(x_.moving_beta)), "=", -x_.VARIANCE / x_.moving_beta**3),
                ByCalculation((lemma("OP.16.slope"),)),
            ),
        ),
        correction=Assertion(
            "ERR.8.corrected",
            "it decreases it, or leaves it",
            "proved",
            statement(
                x_.divergence_of_optimum(x_.low),
                "≥",
                x_.divergence_of_optimum(x_.high),
                standing=[assume("β₁ < β₂", x_.low, "<", x_.high)],
            ),
            ByCalculation((lemma("OP.16", at={x: x}),)),
        ),
        believe="β is the price of divergence: a larger one keeps the optimal policy closer to π_ref.",
    ),
    Claim(
        section="errata",
        tag="LLMs-from-scratch 2026",
        quote="DPO notebook: log π(y∣x) in DPO's equation 7 is the mean over tokens",
        reading=(
            "p(h) is the probability of a response, the product of those of its tokens, L(h) the sum of their logarithms: "
            "log p = L/T for responses of every length T."
        ),
        main=Assertion(
            "ERR.9",
            "log π(y∣x) is the mean of the tokens' log-probabilities",
            "refuted",
            statement(
                Length(x_.H) * log(response_chance(x_.h)), "=", log_sum(x_.h), recursions=[response_law, log_sum_law]
            ),
        ),
        correction=Assertion(
            "ERR.9.corrected",
            "it is their sum",
            "proved",
            statement(log(response_chance(x_.h)), "=", log_sum(x_.h), recursions=[response_law, log_sum_law]),
            ByInduction(),
        ),
        believe="DPO's log-probability of a response is the sum over its tokens; the mean is another objective.",
    ),
    Claim(
        section="errata",
        tag="HF deep RL course 2026",
        quote="PPO unit: the ratio can only vary from 0.8 to 1.2; outside, the gradient is 0",
        reading=(
            "ε = 1/5: a policy that maximises L_CLIP, because it reaches its ceiling (OP.15.ceiling), has a ratio of at "
            "most 1.2. The gradient: the derivative of min(ratio·Â, clip(ratio)·Â) in the ratio."
        ),
        main=Assertion(
            "ERR.10",
            "the ratio can only vary from 0.8 to 1.2",
            "refuted",
            statement(
                viii.new(y0) / viii.old(y0),
                "≤",
                Fraction(6, 5),
                standing=[viii.at_ceiling, one_fifth, weighed],
            ),
        ),
        parts=(
            Assertion(
                "ERR.10.gradient",
                "outside the range the gradient is 0",
                "refuted",
                statement(D(viii.clipped(viii.r, viii.advantage)), "=", 0, standing=[viii.out_of_range]),
            ),
        ),
        correction=Assertion(
            "ERR.10.corrected",
            "outside the range it is Â where Â·(ratio − 1) < 0, and 0 in the other cases, which are two of four",
            "proved",
            statement(
                D(viii.clipped(viii.r, viii.advantage)),
                "=",
                viii.advantage * Indicator(viii.advantage * (viii.r - 1), "<", term(0)),
                standing=[viii.out_of_range],
            ),
        ),
        believe="The ratio is free; the gradient is 0 only where the ratio has left the range in the direction of Â.",
    ),
    Claim(
        section="errata",
        tag="torchtune 2025",
        quote="test_ppo_loss.py: the expected losses are +0.8 and +1.1052, with a relative tolerance of 10⁶",
        reading="Â = 1, ε = 1/5, ratios 1/e and e^(1/10): the loss −min(ratio·Â, clip(ratio)·Â).",
        main=Assertion(
            "ERR.11",
            "at the ratio 1/e the loss is 0.8",
            "refuted",
            statement(loss_at(exp(-1)), "=", Fraction(4, 5)),
        ),
        parts=(
            Assertion(
                "ERR.11.inside",
                "at the ratio e^(1/10) = 1.1052 it is that",
                "refuted",
                statement(loss_at(exp(Fraction(1, 10))), "=", exp(Fraction(1, 10))),
            ),
            Assertion(
                "ERR.11.minus",
                "it is minus that",
                "proved",
                statement(loss_at(exp(Fraction(1, 10))), "=", -exp(Fraction(1, 10))),
            ),
            Assertion(
                "ERR.11.tolerance",
                "with the tolerance 10⁻⁴ + 10⁶·0.8 the test accepts the true loss all the same",
                "proved",
                statement(
                    distance(loss_at(exp(-1)), term(Fraction(4, 5))), "≤", Fraction(1, 10**4) + 10**6 * Fraction(4, 5)
                ),
            ),
        ),
        correction=Assertion(
            "ERR.11.corrected",
            "it is −1/e = −0.3679",
            "proved",
            statement(loss_at(exp(-1)), "=", -exp(-1)),
        ),
        believe="At Â = 1 the loss is minus the smaller of the ratio and its clipped copy: −1/e, and −e^(1/10).",
    ),
    Claim(
        section="errata",
        tag="CleanRL 2026",
        quote="ppo.py: done is terminated or truncated, and nothing is bootstrapped after either",
        reading=(
            "An episode that is truncated after one step: r(s, a) − V(s), without a bootstrapped value, is the advantage "
            "of an episode that would have gone on, with V the true value of its states."
        ),
        main=Assertion(
            "ERR.12",
            "a truncated episode bootstraps 0",
            "refuted",
            statement(
                v_.pay(s, a) - v_.true_value(s),
                "=",
                v_.pay(s, a) + v_.gamma * E(v_.move(v_.s2, s, a), v_.true_value(v_.s2)) - v_.true_value(s),
            ),
        ),
        correction=Assertion(
            "ERR.12.corrected",
            "truncated bootstraps V, terminated 0: then E[Â ∣ s, a] = A(s, a), after any number of steps",
            "proved",
            v_.ENDS,
            ByCalculation((lemma("AD.20"),)),
        ),
        believe="Only a terminal state is worth 0; where an episode is cut, its last state is worth V.",
    ),
)

__all__ = ["CLAIMS"]
