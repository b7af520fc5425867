"""Section VIII: proximal policy optimisation, its clipped surrogate and the complete loss.

A batch is a set T of time steps of unknown size; its mean is Σ_t …/|T|. π(t) is the probability of the action taken at
step t, which depends on θ, π_old(t) the one it was drawn with, which does not. Where a claim is about all actions of a
state, π(y) and π_old(y) are laws over them. The derivative of the clipped surrogate is taken where it has one: off the
kinks, which a claim names as hypotheses. Values of states are those of π_old, and advantages are exact, where a claim
compares the surrogate with the true objective η.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from derivations.checker.proof import (
    ByCalculation,
    ByInduction,
    arithmetics,
    begin,
    hypothesis,
    laws_sum_to_one,
    lemma,
    logarithms,
    pointwise,
    strictly,
)
from derivations.checker.statement import Hypothesis, assume, same_maximiser, statement
from derivations.checker.terms import (
    HALF_OPEN_UNIT,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    Cases,
    D,
    Delta,
    E,
    Function,
    Index,
    Indicator,
    Path,
    Scalar,
    Size,
    Sort,
    Sum,
    Term,
    clip,
    define,
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
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import A, H, S, Y, a, b, dynamics, h, s, v, w, y, y0
from derivations.sections.optimal_policy import p as p_law
from derivations.sections.optimal_policy import q as q_law

# --- PPO.1: the surrogates ------------------------------------------------------------------------------------------

STEPS = Sort("T")
t = STEPS.index("t")
probability = function("π", STEPS, domain=HALF_OPEN_UNIT, depends=True)
probability_old = function("π_old", STEPS, domain=HALF_OPEN_UNIT)
advantages = function("Â", STEPS)
epsilon = parameter("ε", OPEN_UNIT)
LOW, HIGH = 1 - epsilon, 1 + epsilon

ratio = probability(t) / probability_old(t)


Step = Callable[[Term, Term], Term]


def clipped(value: Term, factor: Term) -> Term:
    """min(rÂ, clip(r, 1 − ε, 1 + ε)Â), the clipped surrogate of one step."""
    return minimum(value * factor, clip(value, LOW, HIGH) * factor)


def unclipped(value: Term, factor: Term) -> Term:
    """rÂ, the surrogate of one step."""
    return value * factor


def positive(value: Term) -> Indicator:
    """[value > 0]."""
    return Indicator(value, ">", term(0))


def passes(value: Term, factor: Term) -> Term:
    """1 where the clipped surrogate still follows the ratio, 0 where it is flat."""
    return 1 - positive(factor) * Indicator(value, ">", HIGH) - positive(-factor) * Indicator(value, "<", LOW)


SURROGATE = Sum(t, ratio * advantages(t)) / Size(STEPS)
CLIPPED = Sum(t, clipped(ratio, advantages(t))) / Size(STEPS)

# --- PPO.3, PPO.6: regions and kinks --------------------------------------------------------------------------------

r = parameter("ratio", POSITIVE, slope=1)
other_r = parameter("ratio′", POSITIVE)
advantage = parameter("Â", REAL)
width = parameter("h", POSITIVE)

good, bad = assume("Â > 0", advantage, ">", 0), assume("Â < 0", advantage, "<", 0)
below, above = assume("ratio < 1 − ε", r, "<", LOW), assume("ratio > 1 + ε", r, ">", HIGH)
inside = (assume("ratio > 1 − ε", r, ">", LOW), assume("ratio < 1 + ε", r, "<", HIGH))
OFF_KINKS = (assume("ratio ≠ 1 − ε", r, "≠", LOW), assume("ratio ≠ 1 + ε", r, "≠", HIGH))
BATCH_OFF_KINKS = (
    assume("no ratio is 1 − ε", ratio, "≠", LOW, for_all=[t]),
    assume("no ratio is 1 + ε", ratio, "≠", HIGH, for_all=[t]),
)


def region(name: str, words: str, slope: Scalar, *where: Hypothesis) -> Assertion:
    """The derivative of the clipped surrogate in the ratio, in one of its six regions."""
    formal = statement(D(clipped(r, advantage)), "=", slope, standing=where)
    return Assertion(f"PPO.3.{name}", words, "proved", formal)


def bend(at: Term) -> Term:
    """f(at + h) − 2f(at) + f(at − h) for the clipped surrogate f: zero where f is straight between."""
    return clipped(at + width, advantage) - 2 * clipped(at, advantage) + clipped(at - width, advantage)


out_of_range = assume("∣ratio − 1∣ > ε", (r - 1) ** 2, ">", epsilon**2)
mistaken = assume("Â·(ratio − 1) < 0", advantage * (r - 1), "<", 0)

# --- PPO.4, PPO.9: the ratio itself ---------------------------------------------------------------------------------

old = law("π_old", Y, positive=True)
new = law("π", Y)
gain = function("A", Y)
L_CLIP = E(old(y), clipped(new(y) / old(y), gain(y)))
CEILING = E(old(y), gain(y) + epsilon * maximum(gain(y), -gain(y)))
at_ceiling = assume("π reaches the ceiling of L_CLIP", L_CLIP, "=", CEILING)

chance = parameter("p", OPEN_UNIT, slope=1)
old_chance = parameter("q", OPEN_UNIT)
alpha = parameter("α", POSITIVE)
one_step = old_chance + alpha * D(clipped(chance / old_chance, advantage))
at_start = assume("the step starts at θ_old", chance, "=", old_chance)
stays = (assume("0 < p + αg", one_step, ">", 0), assume("p + αg < 1", one_step, "<", 1))

moved_chance = parameter("p", OPEN_UNIT)
held = assume("the first state's ratio is at most 1 + ε", moved_chance / old_chance, "≤", HIGH)


def doubled(probability: Term) -> Term:
    """The probability with twice the logit: p²/(p² + (1 − p)²)."""
    return probability**2 / (probability**2 + (1 - probability) ** 2)


# --- PPO.7: the start -----------------------------------------------------------------------------------------------

at_theta_old = assume("θ = θ_old: π = π_old", probability(t), "=", probability_old(t), for_all=[t])
unclipped_batch = assume("no ratio is out of the range", (ratio - 1) ** 2, "≤", epsilon**2, for_all=[t])

# --- PPO.8: two tokens ----------------------------------------------------------------------------------------------

c, d, e = A.indices("c d e")
first_old, second_old = law("π_old", A, positive=True), law("π₂_old", A, given=[A], positive=True)
first_new, second_new = law("π", A), law("π₂", A, given=[A])
outcome = function("r", A, A)
first_gain, second_gain = function("A", A), function("A₂", A, A)
EXACT = (
    define(first_gain(a), E(second_old(c, a), outcome(a, c)) - E(first_old(d), E(second_old(e, d), outcome(d, e)))),
    define(second_gain(a, b), outcome(a, b) - E(second_old(c, a), outcome(a, c))),
)


def first_token(step: Step) -> Term:
    """E_old of a surrogate of one step, for the first token."""
    return E(first_old(a), step(first_new(a) / first_old(a), first_gain(a)))


def second_token(step: Step) -> Term:
    """E_old of a surrogate of one step, for the second token after the first, a."""
    return E(second_old(b, a), step(second_new(b, a) / second_old(b, a), second_gain(a, b)))


def eta(first: Function, second: Function) -> Term:
    """η: the expected reward of two tokens."""
    return E(first(a), E(second(b, a), outcome(a, b)))


TOKENS_CLIPPED = first_token(clipped) + E(first_old(a), second_token(clipped))
TOKENS_HALFWAY = first_token(unclipped) + E(first_old(a), second_token(clipped))
TOKENS_SURROGATE = first_token(unclipped) + E(first_old(a), second_token(unclipped))
IMPROVEMENT = eta(first_new, second_new) - eta(first_old, second_old)
mix = parameter("κ", UNIT)
BOUNDED = (1 - mix) * TOKENS_SURROGATE + mix * IMPROVEMENT

# --- PPO.10: two states that share a probability --------------------------------------------------------------------

shared_old, shared_new = parameter("p", OPEN_UNIT), parameter("q", OPEN_UNIT)
BEST = HIGH * shared_old
rising = assume("p < ¼", shared_old, "<", Fraction(1, 4))


def shared_eta(p: Term) -> Term:
    """η = p(½ − p): action 0 earns ½ and leads to a state where it costs 1; its probability is p at both."""
    return p * (Fraction(1, 2) - p)


def shared_surrogate(q: Term, step: Step) -> Term:
    """The surrogate of that problem at q, with the exact advantages at p; the second state is visited with chance p."""
    p = shared_old
    second_value = -p
    first_q = Fraction(1, 2) + second_value
    first_value = p * first_q
    up, down = q / p, (1 - q) / (1 - p)
    first = p * step(up, first_q - first_value) + (1 - p) * step(down, -first_value)
    second = p * step(up, -1 - second_value) + (1 - p) * step(down, -second_value)
    return first + p * second


maximal = assume(
    "q is no worse than the maximiser (1 + ε)p of L_CLIP",
    shared_surrogate(shared_new, clipped),
    "≥",
    shared_surrogate(BEST, clipped),
)

# --- PPO.10: what is true in a table --------------------------------------------------------------------------------

table, table_old = law("π", A, given=[H, S]), law("π_old", A, given=[H, S], positive=True)
occupancy = law("p", H)
reward = function("r", H, S, A)
value, exact = function("V", H), function("A", H, S, A)
returns, total_gain = function("G", H), function("K", H)


def q_value(action: Index) -> Term:
    """Q_old(h, s, a) = r(h, s, a) + V(h·s·a)."""
    return reward(h, s, action) + value(Path(H, h, (s, action)))


STATE_VALUE = E(table_old(b, h, s), q_value(b))
BELLMAN = (define(value(h), E(dynamics(s, h), STATE_VALUE)), define(exact(h, s, a), q_value(a) - STATE_VALUE))
occupancy_law = recursion(
    occupancy, start=lambda: 1, step=lambda h, s, a: occupancy(h) * dynamics(s, h) * table(a, h, s)
)
return_sum = recursion(returns, start=lambda: 0, step=lambda h, s, a: returns(h) + reward(h, s, a))
gain_sum = recursion(total_gain, start=lambda: 0, step=lambda h, s, a: total_gain(h) + exact(h, s, a))
SUMS = (occupancy_law, return_sum, gain_sum)
TABLE_CLIPPED = E(table_old(a, h, s), clipped(table(a, h, s) / table_old(a, h, s), exact(h, s, a)))
TABLE_GAIN = E(table(a, h, s), exact(h, s, a))
no_worse = assume(
    "at each state L_CLIP is no lower than at π_old, where it is 0", TABLE_CLIPPED, "≥", 0, for_all=[h, s]
)
LEFT_TO_GO = E(occupancy(h), returns(h) + value(h))
START = value(Path(H, None, ()))

s0 = S.index("s0")
visits = law("d", S)
row, rival, row_old = law("π", A, given=[S]), law("μ", A, given=[S]), law("π_old", A, given=[S], positive=True)
row_gain = function("A", S, A)


def at_state(pi: Function, state: Index) -> Term:
    """L_CLIP at one state."""
    return E(row_old(a, state), clipped(pi(a, state) / row_old(a, state), row_gain(state, a)))


# --- PPO.11: the reference ------------------------------------------------------------------------------------------

probability_ref = function("π_ref", STEPS, domain=HALF_OPEN_UNIT)

# --- PPO.12: the value loss -----------------------------------------------------------------------------------------

OUTCOMES = Sort("O")
o, i = OUTCOMES.indices("o i")
draws = law("q", OUTCOMES, given=[S])
target = function("V_target", S, OUTCOMES)
guess, guess_old, mean = function("V", S), function("V_old", S), function("m", S)
allowed = parameter("c", POSITIVE)
mean_target = define(mean(s), E(draws(i, s), target(s, i)))
EXCESS = E(visits(s), (guess(s) - mean(s)) ** 2)


def squared_error(prediction: Function) -> Term:
    """E[(prediction(s) − target)²] over states and targets."""
    return E(visits(s), E(draws(o, s), (prediction(s) - target(s, o)) ** 2))


def clipped_error(prediction: Function) -> Term:
    """E[max((V − target)², (clip(V, V_old − c, V_old + c) − target)²)], the value loss with clipping."""
    near = clip(prediction(s), guess_old(s) - allowed, guess_old(s) + allowed)
    return E(visits(s), E(draws(o, s), maximum((prediction(s) - target(s, o)) ** 2, (near - target(s, o)) ** 2)))


# --- PPO.13, PPO.15: entropy ----------------------------------------------------------------------------------------

uniform_at = 1 / Size(Y)
FROM_UNIFORM = E(new(v), log(new(v)) - log(uniform_at))
c2 = parameter("c₂", POSITIVE)
soft = law("π*", Y, positive=True)
SOFTMAX_SUM = Sum(w, exp(gain(w) / c2))
softmax = define(soft(y), exp(gain(y) / c2) / SOFTMAX_SUM)


def entropy(pi: Function) -> Term:
    """H(π) = E_π[−log π]."""
    return E(pi(y), -log(pi(y)))


def with_bonus(pi: Function) -> Term:
    """E_π[A] + c₂ H(π)."""
    return E(pi(y), gain(y)) + c2 * entropy(pi)


# --- PPO.14: the complete objective ---------------------------------------------------------------------------------

step_policy, step_policy_old = law("π", A, given=[STEPS]), law("π_old", A, given=[STEPS], positive=True)
taken = law("n", A, given=[STEPS])
step_value, step_target = function("V", STEPS), function("V_target", STEPS)
c1, bonus = parameter("c₁", POSITIVE), parameter("c₂", POSITIVE)
POLICY_PART = Sum(t, E(taken(a, t), clipped(step_policy(a, t) / step_policy_old(a, t), advantages(t)))) / Size(STEPS)
VALUE_LOSS = Sum(t, (step_value(t) - step_target(t)) ** 2) / Size(STEPS)
ENTROPY = Sum(t, E(step_policy(b, t), -log(step_policy(b, t)))) / Size(STEPS)
OBJECTIVE = POLICY_PART - c1 * VALUE_LOSS + bonus * ENTROPY
LOSS = -POLICY_PART + c1 * VALUE_LOSS - bonus * ENTROPY

# --- PPO.16: shared parameters --------------------------------------------------------------------------------------

moving_value = function("V", STEPS, depends=True)
MOVING_VALUE_LOSS = Sum(t, (moving_value(t) - step_target(t)) ** 2) / Size(STEPS)
apart = assume("V does not depend on the policy's parameters", D(moving_value(t)), "=", 0, for_all=[t])

CLAIMS = (
    Claim(
        section="VIII",
        tag="VIII.I",
        quote="min(rÂ, clip(r, 1 − ε, 1 + ε)Â) ≤ rÂ",
        reading="At every step of a batch of any size, whatever the ratio π/π_old > 0, the advantage Â and ε.",
        main=Assertion(
            "PPO.1",
            "at each step the clipped surrogate is at most the ratio times the advantage",
            "proved",
            statement(clipped(ratio, advantages(t)), "≤", ratio * advantages(t)),
        ),
        parts=(
            Assertion(
                "PPO.1.batch",
                "L_CLIP ≤ L_CPI for a batch of any size",
                "proved",
                statement(CLIPPED, "≤", SURROGATE),
            ),
        ),
    ),
    Claim(
        section="VIII",
        tag="B VIII",
        quote="different behavior depending on the sign of the advantage",
        reading="At every step; for Â = 0 all forms are zero.",
        main=Assertion(
            "PPO.2",
            "the clipped surrogate is min(ratio, 1 + ε)Â for Â > 0 and max(ratio, 1 − ε)Â otherwise",
            "proved",
            statement(
                clipped(ratio, advantages(t)),
                "=",
                Cases(
                    positive(advantages(t)),
                    minimum(ratio, HIGH) * advantages(t),
                    maximum(ratio, LOW) * advantages(t),
                ),
            ),
        ),
        parts=(
            Assertion(
                "PPO.2.exchanged",
                "with the two signs exchanged",
                "refuted",
                statement(
                    clipped(ratio, advantages(t)),
                    "=",
                    Cases(
                        positive(advantages(t)),
                        maximum(ratio, LOW) * advantages(t),
                        minimum(ratio, HIGH) * advantages(t),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        section="VIII",
        tag="B VIII",
        quote="The clipping removes the incentive to increase … beyond",
        reading=(
            "The derivative in the ratio. Off 1 − ε and 1 + ε it is Â, but 0 where Â > 0 and ratio > 1 + ε and where "
            "Â < 0 and ratio < 1 − ε. The kinks are at 1 + ε for Â > 0 and at 1 − ε for Â < 0, and nowhere else."
        ),
        main=Assertion(
            "PPO.3",
            "the derivative of the clipped surrogate in the ratio, off 1 ± ε",
            "proved",
            statement(D(clipped(r, advantage)), "=", advantage * passes(r, advantage), standing=OFF_KINKS),
        ),
        parts=(
            region("positive-below", "Â > 0, ratio < 1 − ε: Â", advantage, good, below),
            region("positive-inside", "Â > 0, 1 − ε < ratio < 1 + ε: Â", advantage, good, *inside),
            region("positive-above", "Â > 0, ratio > 1 + ε: 0", 0, good, above),
            region("negative-below", "Â < 0, ratio < 1 − ε: 0", 0, bad, below),
            region("negative-inside", "Â < 0, 1 − ε < ratio < 1 + ε: Â", advantage, bad, *inside),
            region("negative-above", "Â < 0, ratio > 1 + ε: Â", advantage, bad, above),
            Assertion(
                "PPO.3.positive-kink",
                "Â > 0: at 1 + ε the slope jumps by −Â: f(1 + ε + h) − 2f(1 + ε) + f(1 + ε − h) = −Âh",
                "proved",
                statement(
                    bend(HIGH),
                    "=",
                    -advantage * width,
                    standing=[good, assume("h ≤ 2ε", width, "≤", 2 * epsilon)],
                ),
            ),
            Assertion(
                "PPO.3.negative-kink",
                "Â < 0: at 1 − ε the slope jumps by Â: f(1 − ε + h) − 2f(1 − ε) + f(1 − ε − h) = Âh",
                "proved",
                statement(bend(LOW), "=", advantage * width, standing=[bad, assume("h ≤ 2ε", width, "≤", 2 * epsilon)]),
            ),
            Assertion(
                "PPO.3.positive-straight",
                "Â > 0: up to 1 + ε, through 1 − ε, it is the straight line ratio·Â",
                "proved",
                statement(
                    clipped(r, advantage), "=", r * advantage, standing=[good, assume("ratio ≤ 1 + ε", r, "≤", HIGH)]
                ),
            ),
            Assertion(
                "PPO.3.negative-straight",
                "Â < 0: from 1 − ε on, through 1 + ε, it is the straight line ratio·Â",
                "proved",
                statement(
                    clipped(r, advantage), "=", r * advantage, standing=[bad, assume("ratio ≥ 1 − ε", r, "≥", LOW)]
                ),
            ),
            Assertion(
                "PPO.3.gradient",
                "∇L_CLIP of a batch of any size, off the kinks: a flat step adds nothing",
                "proved",
                statement(
                    D(CLIPPED),
                    "=",
                    Sum(t, passes(ratio, advantages(t)) * advantages(t) * D(probability(t)) / probability_old(t))
                    / Size(STEPS),
                    standing=BATCH_OFF_KINKS,
                ),
            ),
        ),
    ),
    Claim(
        section="VIII",
        tag="VIII.I",
        quote="clipping the probability ratio to stay within [1 − ε, 1 + ε]",
        reading=(
            "A policy that maximises L_CLIP = E_old[min(…)] over all distributions, because it reaches its ceiling "
            "E_old[A + ε∣A∣] (OP.15.ceiling), has no ratio above 1 + ε."
        ),
        main=Assertion(
            "PPO.4",
            "the ratio of a policy that maximises L_CLIP stays below 1 + ε",
            "refuted",
            statement(new(y0) / old(y0), "≤", HIGH, standing=[at_ceiling]),
        ),
        parts=(
            Assertion(
                "PPO.4.below",
                "and above 1 − ε",
                "refuted",
                statement(new(y0) / old(y0), "≥", LOW, standing=[at_ceiling]),
            ),
            Assertion(
                "PPO.4.flat",
                "beyond 1 + ε, for Â > 0, all ratios count the same: nothing pulls the ratio back",
                "proved",
                statement(
                    clipped(r, advantage),
                    "=",
                    clipped(other_r, advantage),
                    standing=[
                        good,
                        assume("ratio ≥ 1 + ε", r, "≥", HIGH),
                        assume("ratio′ ≥ 1 + ε", other_r, "≥", HIGH),
                    ],
                ),
            ),
        ),
        correction=Assertion(
            "PPO.4.corrected",
            "the copy of the ratio in the objective stays within: ∣clip(ratio) − 1∣ ≤ ε",
            "proved",
            statement(maximum(clip(ratio, LOW, HIGH) - 1, 1 - clip(ratio, LOW, HIGH)), "≤", epsilon),
        ),
        believe="Only the objective's copy of the ratio is clipped; the ratio itself is free.",
    ),
    Claim(
        section="VIII",
        tag="VIII.I",
        quote="(ours) clip alone, without min, is a lower bound as well",
        reading="clip(ratio, 1 − ε, 1 + ε)Â ≤ ratio·Â at every step.",
        main=Assertion(
            "PPO.5",
            "clip alone is a lower bound of ratio·Â",
            "refuted",
            statement(clip(ratio, LOW, HIGH) * advantages(t), "≤", ratio * advantages(t)),
        ),
        correction=Assertion(
            "PPO.5.corrected",
            "it exceeds ratio·Â exactly where Â > 0 and ratio < 1 − ε, or Â < 0 and ratio > 1 + ε",
            "proved",
            statement(
                Indicator(clip(ratio, LOW, HIGH) * advantages(t), ">", ratio * advantages(t)),
                "=",
                positive(advantages(t)) * Indicator(ratio, "<", LOW)
                + positive(-advantages(t)) * Indicator(ratio, ">", HIGH),
            ),
        ),
        believe="Only with min is the clipped surrogate a lower bound of L_CPI.",
    ),
    Claim(
        section="VIII",
        tag="VIII.I",
        quote="the more pessimistic (lower) estimate",
        reading=(
            "A mistake: the ratio moved out of the range against its advantage, Â·(ratio − 1) < 0. There clip alone is "
            "flat, so that no gradient undoes it."
        ),
        main=Assertion(
            "PPO.6",
            "with clip alone the gradient vanishes where a mistake needs undoing",
            "proved",
            statement(D(clip(r, LOW, HIGH) * advantage), "=", 0, standing=[out_of_range, mistaken]),
        ),
        parts=(
            Assertion(
                "PPO.6.min",
                "with min it is Â there",
                "proved",
                statement(D(clipped(r, advantage)), "=", advantage, standing=[out_of_range, mistaken]),
            ),
        ),
    ),
    Claim(
        section="VIII",
        tag="VIII.I",
        quote="(ours) at θ_old the clipped surrogate is L_CPI to first order",
        reading=(
            "At θ = θ_old, where π = π_old at every step of a batch of any size. There every ratio is 1, which no clip "
            "range puts at a kink."
        ),
        main=Assertion(
            "PPO.7",
            "at θ_old the gradient of L_CLIP is that of L_CPI",
            "proved",
            statement(D(CLIPPED), "=", D(SURROGATE), standing=[at_theta_old]),
        ),
        parts=(
            Assertion(
                "PPO.7.value",
                "and so is its value",
                "proved",
                statement(CLIPPED, "=", SURROGATE, standing=[at_theta_old]),
            ),
            Assertion(
                "PPO.7.inside",
                "the gradients are equal as long as no ratio leaves the range",
                "conditional",
                statement(D(CLIPPED), "=", D(SURROGATE), assuming=[unclipped_batch], standing=BATCH_OFF_KINKS),
            ),
        ),
    ),
    Claim(
        section="VIII",
        tag="B VIII",
        quote="a pessimistic lower bound",
        reading=(
            "Two tokens, any vocabulary, any reward, exact advantages: L_CLIP ≤ (1 − κ)·L_CPI + κ·(η(π) − η(π_old)), a "
            "bound of L_CPI at κ = 0 (which is what PPO's authors claim) and of the true improvement at κ = 1."
        ),
        main=Assertion(
            "PPO.8",
            "L_CLIP is a lower bound",
            "conditional",
            statement(
                TOKENS_CLIPPED,
                "≤",
                BOUNDED,
                assuming=[assume("κ = 0: what is bounded is L_CPI", mix, "=", 0)],
                definitions=EXACT,
            ),
            begin(TOKENS_CLIPPED)
            .then("≤", TOKENS_SURROGATE, lemma("PPO.8.surrogate"))
            .then("=", BOUNDED, hypothesis("κ = 0: what is bounded is L_CPI")),
        ),
        parts=(
            Assertion(
                "PPO.8.second",
                "L_CLIP ≤ L_CPI for the second token, after each first one, whatever the advantages",
                "proved",
                statement(second_token(clipped), "≤", second_token(unclipped)),
            ),
            Assertion(
                "PPO.8.surrogate",
                "L_CLIP ≤ L_CPI for both tokens, whatever the advantages",
                "proved",
                statement(TOKENS_CLIPPED, "≤", TOKENS_SURROGATE),
                begin(TOKENS_CLIPPED)
                .then("≤", TOKENS_HALFWAY, pointwise)
                .then("≤", TOKENS_SURROGATE, lemma("PPO.8.second"), pointwise),
            ),
            Assertion(
                "PPO.8.truth",
                "η(π_old) + L_CLIP ≤ η(π)",
                "refuted",
                statement(
                    eta(first_old, second_old) + TOKENS_CLIPPED, "≤", eta(first_new, second_new), definitions=EXACT
                ),
            ),
        ),
        believe="L_CLIP is a lower bound of L_CPI, not of the true objective.",
    ),
    Claim(
        section="VIII",
        tag="B VIII",
        quote="no single token's probability can change by more than a factor of 1 ± ε in a single update",
        reading=(
            "One step of gradient ascent from θ_old on L_CLIP of a batch of one token, the parameter being its probability "
            "p, so that g = ∂L_CLIP/∂p: the new probability p + αg is at most (1 + ε) times the old one, q."
        ),
        main=Assertion(
            "PPO.9",
            "one gradient step changes a probability by a factor of at most 1 + ε",
            "refuted",
            statement(one_step / old_chance, "≤", HIGH, standing=[at_start, *stays]),
        ),
        parts=(
            Assertion(
                "PPO.9.unsampled",
                "if the sampled token's ratio is held within the range, so is that of every other",
                "refuted",
                statement(
                    new(y0) / old(y0),
                    "≤",
                    HIGH,
                    standing=[
                        assume("the sampled token's ratio is at least 1 − ε", new(y) / old(y), "≥", LOW),
                        assume("and at most 1 + ε", new(y) / old(y), "≤", HIGH),
                    ],
                ),
            ),
            Assertion(
                "PPO.9.shared",
                "if the ratio at the sampled state stays below 1 + ε, so does that of a state with twice the logit",
                "refuted",
                statement(doubled(moved_chance) / doubled(old_chance), "≤", HIGH, standing=[held]),
            ),
        ),
        correction=Assertion(
            "PPO.9.corrected",
            "no ratio out of the range does better in the objective than the nearest one in it",
            "proved",
            statement(clipped(ratio, advantages(t)), "≤", clipped(clip(ratio, LOW, HIGH), advantages(t))),
        ),
        believe="Clipping removes the gain from leaving the range, for sampled tokens; it does not keep a step within it.",
    ),
    Claim(
        section="VIII",
        tag="B VIII",
        quote="achieves TRPO's stability guarantees",
        reading=(
            "The maximiser of L_CLIP does not lower η. Two states share one probability p of action 0, which earns ½ at "
            "the first and leads to the second, where it costs 1: η = p(½ − p). The advantages are exact; for p < ¼ the "
            "maximiser is q = (1 + ε)p, and no other q reaches its L_CLIP (PPO.10.maximiser)."
        ),
        main=Assertion(
            "PPO.10",
            "the maximiser of L_CLIP does not lower η",
            "refuted",
            statement(shared_eta(shared_new), "≥", shared_eta(shared_old), standing=[rising, maximal]),
        ),
        parts=(
            Assertion(
                "PPO.10.maximiser",
                "L_CLIP of that problem is maximal at q = (1 + ε)p only",
                "proved",
                statement(
                    shared_surrogate(shared_new, clipped),
                    "<",
                    shared_surrogate(BEST, clipped),
                    standing=[rising, assume("q ≠ (1 + ε)p", shared_new, "≠", BEST)],
                ),
            ),
            Assertion(
                "PPO.10.slope",
                "L_CPI of that problem is (q − p)(½ − 2p), the slope of η at p times the step",
                "proved",
                statement(
                    shared_surrogate(shared_new, unclipped),
                    "=",
                    (shared_new - shared_old) * (Fraction(1, 2) - 2 * shared_old),
                ),
            ),
            Assertion(
                "PPO.10.zero",
                "with exact advantages, E_old[A] = 0, L_CLIP is 0 at π_old",
                "proved",
                statement(
                    E(old(y), clipped(old(y) / old(y), gain(y))),
                    "=",
                    0,
                    standing=[assume("E_old[A] = 0", E(old(v), gain(v)), "=", 0)],
                ),
                begin(E(old(y), clipped(old(y) / old(y), gain(y))))
                .then("=", E(old(y), gain(y)), pointwise)
                .then("=", 0, hypothesis("E_old[A] = 0")),
            ),
            Assertion(
                "PPO.10.weighted",
                "in a table, what is better at one state of positive weight is better in all: the maximiser is best at each",
                "proved",
                statement(
                    E(visits(s), (1 - Delta(s, s0)) * at_state(row, s) + Delta(s, s0) * at_state(rival, s)),
                    ">",
                    E(visits(s), at_state(row, s)),
                    standing=[
                        assume("μ is better at s0", at_state(rival, s0), ">", at_state(row, s0)),
                        assume("d(s0) > 0", visits(s0), ">", 0),
                    ],
                ),
            ),
            Assertion(
                "PPO.10.state",
                "at each state E_π[A] is at least L_CLIP",
                "proved",
                statement(TABLE_GAIN, "≥", TABLE_CLIPPED),
            ),
            Assertion(
                "PPO.10.better",
                "so that E_π[A] is not negative there",
                "proved",
                statement(TABLE_GAIN, "≥", 0, standing=[no_worse]),
                begin(TABLE_GAIN)
                .then("≥", TABLE_CLIPPED, lemma("PPO.10.state", at={h: h, s: s}))
                .then("≥", 0, arithmetics),
            ),
            Assertion(
                "PPO.10.step",
                "nor is it after any history, on average over the next state",
                "proved",
                statement(E(dynamics(s, h), TABLE_GAIN), "≥", 0, standing=[no_worse]),
                ByCalculation((lemma("PPO.10.better"),)),
            ),
            Assertion(
                "PPO.10.next",
                "nor is it on average over all histories of one length",
                "proved",
                statement(E(occupancy(h), E(dynamics(s, h), TABLE_GAIN)), "≥", 0, standing=[no_worse]),
                ByCalculation((lemma("PPO.10.step"),)),
            ),
            Assertion(
                "PPO.10.gains",
                "nor is that of its sum along a trajectory, for every horizon",
                "proved",
                statement(
                    E(occupancy(h), total_gain(h)),
                    "≥",
                    0,
                    standing=[no_worse],
                    recursions=[occupancy_law, gain_sum],
                ),
                ByInduction((lemma("PPO.10.next"),)),
            ),
            Assertion(
                "PPO.10.difference",
                "what π earns by any step, and π_old after it, is V plus the expected sum of advantages",
                "proved",
                statement(
                    LEFT_TO_GO,
                    "=",
                    START + E(occupancy(h), total_gain(h)),
                    definitions=BELLMAN,
                    recursions=SUMS,
                ),
                ByInduction(),
            ),
        ),
        correction=Assertion(
            "PPO.10.corrected",
            "in a table with exact advantages, a policy whose L_CLIP is at no state lower than that of π_old, such as the "
            "maximiser where every state is weighted, earns at least V(∅) = η(π_old), for every horizon; V is 0 at the end",
            "proved",
            statement(LEFT_TO_GO, "≥", START, standing=[no_worse], definitions=BELLMAN, recursions=SUMS),
            begin(LEFT_TO_GO)
            .then("=", START + E(occupancy(h), total_gain(h)), lemma("PPO.10.difference"))
            .then("≥", START, lemma("PPO.10.gains")),
        ),
        believe=(
            "Where policies at different states share parameters, the maximiser of L_CLIP can lower η; in a table with "
            "exact advantages and every state weighted it cannot."
        ),
    ),
    Claim(
        section="VIII",
        tag="B VIII",
        quote="compared to the reference model",
        reading="The ratio of PPO, π/π_old, is π/π_ref at every step of every batch.",
        main=Assertion(
            "PPO.11",
            "the ratio compares with the reference policy",
            "refuted",
            statement(ratio, "=", probability(t) / probability_ref(t)),
        ),
        parts=(
            Assertion(
                "PPO.11.first",
                "it does as long as π_old is still π_ref",
                "conditional",
                statement(
                    ratio,
                    "=",
                    probability(t) / probability_ref(t),
                    assuming=[assume("π_old = π_ref", probability_old(t), "=", probability_ref(t), for_all=[t])],
                ),
            ),
        ),
        correction=Assertion(
            "PPO.11.corrected",
            "it compares with π_old: it is 1 where π = π_old, whatever π_ref is",
            "proved",
            statement(ratio, "=", 1, standing=[at_theta_old]),
        ),
        believe="The ratio compares with the policy that sampled the batch; the reference enters by the KL penalty only.",
    ),
    Claim(
        section="VIII",
        tag="VIII.II",
        quote="L_VF = (V_θ(s_t) − V_target)²",
        reading=(
            "The expected loss over states and targets, whose law q(·∣s) may depend on the state; V is any function of "
            "the state, m(s) = E[target∣s]."
        ),
        main=Assertion(
            "PPO.12",
            "m minimises the value loss over all functions of the state",
            "proved",
            statement(squared_error(guess), "≥", squared_error(mean), definitions=[mean_target]),
            begin(squared_error(guess))
            .then("=", squared_error(mean) + EXCESS, lemma("PPO.12.excess"))
            .then("≥", squared_error(mean), pointwise),
        ),
        parts=(
            Assertion(
                "PPO.12.excess",
                "the excess of any other function is E[(V − m)²]",
                "proved",
                statement(squared_error(guess), "=", squared_error(mean) + EXCESS, definitions=[mean_target]),
            ),
            Assertion(
                "PPO.12.only",
                "which is positive where V ≠ m at a state that is visited",
                "proved",
                statement(
                    squared_error(guess),
                    ">",
                    squared_error(mean),
                    standing=[
                        assume("V(s0) ≠ m(s0)", guess(s0), "≠", mean(s0)),
                        assume("d(s0) > 0", visits(s0), ">", 0),
                    ],
                    definitions=[mean_target],
                ),
                begin(squared_error(guess))
                .then("=", squared_error(mean) + EXCESS, lemma("PPO.12.excess"))
                .then(">", squared_error(mean), strictly(s0)),
            ),
            Assertion(
                "PPO.12.clipped",
                "m minimises the value loss with clipping",
                "refuted",
                statement(clipped_error(guess), "≥", clipped_error(mean), definitions=[mean_target]),
            ),
        ),
    ),
    Claim(
        section="VIII",
        tag="VIII.II",
        quote="S[π] = −Σ π log π",
        reading="For every distribution on a set of n elements, H = E_π[−log π].",
        main=Assertion(
            "PPO.13",
            "H ≤ log n",
            "proved",
            statement(entropy(new), "≤", log(Size(Y))),
            begin(entropy(new))
            .then("=", log(Size(Y)) - FROM_UNIFORM, logarithms, laws_sum_to_one)
            .then("≤", log(Size(Y)), lemma("OP.3", {p_law: new, q_law: lambda u: uniform_at})),
        ),
        parts=(
            Assertion("PPO.13.nonnegative", "0 ≤ H", "proved", statement(entropy(new), "≥", 0)),
            Assertion(
                "PPO.13.uniform",
                "the uniform distribution attains log n",
                "proved",
                statement(Sum(y, uniform_at * -log(uniform_at)), "=", log(Size(Y))),
            ),
            Assertion(
                "PPO.13.only",
                "no other does",
                "proved",
                statement(
                    entropy(new),
                    "<",
                    log(Size(Y)),
                    standing=[assume("π is not uniform", new(y0), "≠", uniform_at)],
                ),
                begin(entropy(new))
                .then("=", log(Size(Y)) - FROM_UNIFORM, logarithms, laws_sum_to_one)
                .then("<", log(Size(Y)), lemma("OP.3.zero", {p_law: new, q_law: lambda u: uniform_at}, at={y0: y0})),
            ),
        ),
    ),
    Claim(
        section="VIII",
        tag="VIII.II",
        quote="L_PPO = L_CLIP − c₁L_VF + c₂S … adds an entropy loss",
        reading=(
            "Over every class of policies, for a batch of any size; n(·∣t) puts all weight on the action taken at step t."
        ),
        main=Assertion(
            "PPO.14",
            "maximising L_CLIP − c₁L_VF + c₂H is minimising −L_CLIP + c₁L_VF − c₂H",
            "proved",
            statement(OBJECTIVE, same_maximiser(over=step_policy), -LOSS),
        ),
        parts=(
            Assertion("PPO.14.equal", "each is minus the other", "proved", statement(OBJECTIVE, "=", -LOSS)),
            Assertion(
                "PPO.14.entropy",
                "it is minimising −L_CLIP + c₁L_VF + c₂H: the entropy is a loss",
                "refuted",
                statement(
                    OBJECTIVE,
                    same_maximiser(over=step_policy),
                    -(-POLICY_PART + c1 * VALUE_LOSS + bonus * ENTROPY),
                ),
            ),
        ),
        believe="What is added to the objective is a bonus for entropy; in the loss it stands with a minus.",
    ),
    Claim(
        section="VIII",
        tag="VIII.II",
        quote="prevent premature convergence to deterministic policies",
        reading=(
            "At one state with any finite set of actions, over all distributions: E_π[A] + c₂H(π), c₂ > 0, has one "
            "maximiser, π* ∝ exp(A/c₂), which gives every action a positive probability."
        ),
        main=Assertion(
            "PPO.15",
            "E_π[A] + c₂H(π) ≤ c₂ log Σ exp(A/c₂)",
            "proved",
            statement(with_bonus(new), "≤", c2 * log(SOFTMAX_SUM), definitions=[softmax]),
            begin(with_bonus(new))
            .then(
                "=",
                c2 * log(SOFTMAX_SUM) - c2 * kl(new, soft, v),
                hypothesis("π*"),
                logarithms,
                laws_sum_to_one,
            )
            .then("≤", c2 * log(SOFTMAX_SUM), lemma("OP.3", {p_law: new, q_law: soft}, times=c2)),
        ),
        parts=(
            Assertion(
                "PPO.15.attained",
                "π* attains it",
                "proved",
                statement(with_bonus(soft), "=", c2 * log(SOFTMAX_SUM), definitions=[softmax]),
            ),
            Assertion(
                "PPO.15.unique",
                "every other policy stays below",
                "proved",
                statement(
                    with_bonus(new),
                    "<",
                    c2 * log(SOFTMAX_SUM),
                    standing=[assume("π ≠ π*", new(y0), "≠", soft(y0))],
                    definitions=[softmax],
                ),
                begin(with_bonus(new))
                .then(
                    "=",
                    c2 * log(SOFTMAX_SUM) - c2 * kl(new, soft, v),
                    hypothesis("π*"),
                    logarithms,
                    laws_sum_to_one,
                )
                .then(
                    "<",
                    c2 * log(SOFTMAX_SUM),
                    lemma("OP.3.zero", {p_law: new, q_law: soft}, times=c2, at={y0: y0}),
                ),
            ),
            Assertion(
                "PPO.15.support",
                "exp(A/c₂)/Σ exp(A/c₂) is nowhere zero",
                "proved",
                statement(exp(gain(y) / c2) / SOFTMAX_SUM, ">", 0),
            ),
            Assertion(
                "PPO.15.deterministic",
                "for c₂ = 0 the policy that always takes an action of highest advantage is a maximiser",
                "proved",
                statement(
                    E(new(y), gain(y)),
                    "≤",
                    Sum(w, Delta(w, y0) * gain(w)),
                    standing=[assume("no advantage is above A(y0)", gain(y), "≤", gain(y0), for_all=[y])],
                ),
            ),
        ),
    ),
    Claim(
        section="VIII",
        tag="VIII.II",
        quote="L_CLIP − c₁L_VF",
        reading="∇(L_CLIP − c₁L_VF) = ∇L_CLIP for a batch of any size, off the kinks, ∇ in the policy's parameters.",
        main=Assertion(
            "PPO.16",
            "the value loss leaves the policy's gradient alone",
            "conditional",
            statement(D(CLIPPED - c1 * MOVING_VALUE_LOSS), "=", D(CLIPPED), assuming=[apart], standing=BATCH_OFF_KINKS),
        ),
        parts=(
            Assertion(
                "PPO.16.shared",
                "a shared parameter moves along −2c₁ times the mean of (V − target)∇V as well",
                "proved",
                statement(
                    D(CLIPPED - c1 * MOVING_VALUE_LOSS),
                    "=",
                    D(CLIPPED) - 2 * c1 * Sum(t, (moving_value(t) - step_target(t)) * D(moving_value(t))) / Size(STEPS),
                    standing=BATCH_OFF_KINKS,
                ),
            ),
        ),
        believe="With one network for both, the value loss moves the policy too, and c₁ is part of the trade.",
    ),
)

__all__ = ["CLAIMS"]
