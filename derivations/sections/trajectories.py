"""Section III: trajectories and returns.

A history of t steps is h = (s_0, a_0, …, s_{t−1}, a_{t−1}). The law of the next state given the history is P(s∣h): the
initial law ρ at the empty history, the dynamics after it. Source B's trajectory of last index T is one of T + 1 steps.

Returns are sums over the steps of one trajectory: there a history k of K_n holds a step u and the n steps that follow it, or
one of N_n any n steps, and the factor γⁿ is a quantity of histories too. What holds at every length n holds in the limit.
"""

from __future__ import annotations

from functools import cache

from derivations.checker.calculus import Instance, deferred
from derivations.checker.proof import ByCalculation, ByInduction, lemma
from derivations.checker.statement import assume, same_maximiser, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    UNIT,
    Cases,
    E,
    Indicator,
    Infinity,
    Length,
    Size,
    Sort,
    Sum,
    function,
    histories,
    law,
    limit,
    maximum,
    parameter,
    recursion,
    term,
    total,
)
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import A, H, a, actor, dynamics, h, s

trajectory = law("p", H, depends=True)
trajectory_law = recursion(
    trajectory,
    start=lambda: 1,
    step=lambda h, s, a: trajectory(h) * dynamics(s, h) * actor(a, h, s),
)

# --- TR.2: deterministic dynamics ---------------------------------------------------------------------------------------

policy_product = function("W", H, domain=NONNEGATIVE, depends=True)
dynamics_product = function("C", H, domain=NONNEGATIVE)
policy_factors = recursion(policy_product, start=lambda: 1, step=lambda h, s, a: policy_product(h) * actor(a, h, s))
dynamics_factors = recursion(
    dynamics_product, start=lambda: 1, step=lambda h, s, a: dynamics_product(h) * dynamics(s, h)
)
FACTORS = (trajectory_law, policy_factors, dynamics_factors)
appends = assume("the next state is certain: P is 0 or 1", dynamics(s, h) ** 2, "=", dynamics(s, h), for_all=[s, h])
reached = assume("the states are those that the tokens lead to", dynamics_product(h), "≠", 0)

V = Sort("V")
prefixes = histories("Y", step=[V])
prefix = prefixes.index("y")
next_token = law("π", V, given=[prefixes])
response = law("p", prefixes)
response_law = recursion(response, start=lambda: 1, step=lambda y, v: response(y) * next_token(v, y))

# --- TR.3 to TR.6: discounted sums --------------------------------------------------------------------------------------

U = Sort("U")
u = U.index("u")
gain = function("r", U)
gamma = parameter("γ", UNIT)
bound = parameter("M", NONNEGATIVE)

K = histories("K", start=[U], step=[U])
k = K.index("k")
whole, first_gain, tail = function("G", K), function("r₀", K), function("G′", K)
whole_weight, tail_weight = function("w", K), function("w′", K)
FROM_A_STEP = (
    recursion(whole, start=lambda u: gain(u), step=lambda k, u: whole(k) + whole_weight(k) * gain(u)),
    recursion(first_gain, start=lambda u: gain(u), step=lambda k, u: first_gain(k)),
    recursion(tail, start=lambda u: 0, step=lambda k, u: tail(k) + tail_weight(k) * gain(u)),
    recursion(whole_weight, start=lambda u: gamma, step=lambda k, u: gamma * whole_weight(k)),
    recursion(tail_weight, start=lambda u: 1, step=lambda k, u: gamma * tail_weight(k)),
)

L = histories("N", step=[U])
n = L.index("n")
weight = function("w", L, domain=NONNEGATIVE)
next_weight = function("w₊", L, domain=NONNEGATIVE)
returns = function("G", L)
weight_law = recursion(weight, start=lambda: 1, step=lambda n, u: gamma * weight(n))
next_weight_law = recursion(next_weight, start=lambda: gamma, step=lambda n, u: gamma * next_weight(n))
return_law = recursion(returns, start=lambda: 0, step=lambda n, u: returns(n) + weight(n) * gain(u))
size_of_return = maximum(returns(n), -returns(n))
anything = parameter("B", NONNEGATIVE)
bounded = assume("∣r∣ ≤ M", maximum(gain(u), -gain(u)), "≤", bound, for_all=[u])

positive_gamma = parameter("γ", POSITIVE)
inverse_weight = function("w", L, domain=POSITIVE)
count_one, count_growing = function("G", L), function("G", L)
inverse_weight_law = recursion(inverse_weight, start=lambda: 1, step=lambda n, u: positive_gamma * inverse_weight(n))
ones = recursion(count_one, start=lambda: 0, step=lambda n, u: count_one(n) + weight(n) * 1)
growing = recursion(
    count_growing,
    start=lambda: 0,
    step=lambda n, u: count_growing(n) + inverse_weight(n) * (1 / inverse_weight(n)),
)
undiscounted = assume("γ = 1", gamma, "=", 1)
steps = parameter("n", POSITIVE)


@cache
def _ever_longer() -> Instance:
    """The number of steps n, which a return of n steps equals where every step adds one."""
    import sympy

    return Instance(
        "a return of n steps, each adding 1",
        ranges={},
        functions={},
        parameters={steps: sympy.Symbol("n", integer=True, positive=True)},
    )


First, Second = Sort("I"), Sort("J")
i, j = First.index("i"), Second.index("j")
short, long = function("r", First), function("r′", Second)
other = function("r′", First)
step_weight = function("w", First)
constant = parameter("c", REAL)
now, later = parameter("r₀", REAL), parameter("r₁", REAL)

T = Sort("T")
tau = T.index("τ")
chance = law("p", T)
outcome = function("G", T)

CLAIMS = (
    Claim(
        section="III",
        tag="III.I",
        quote="P(τ∣π) = ρ(s_0) ∏_{t=0}^{T−1} π(a_t∣s_t) P(s_{t+1}∣s_t, a_t)",
        reading=(
            "The product over t < T, with τ ending in a_T, is the law of the trajectory: it sums to one over all τ. "
            "The history h holds the steps before T, s is s_T and a is a_T."
        ),
        main=Assertion(
            "TR.1",
            "the product without the last action's factor sums to one over all trajectories",
            "refuted",
            statement(total(h, s, a, of=trajectory(h) * dynamics(s, h)), "=", 1, recursions=[trajectory_law]),
        ),
        parts=(
            Assertion(
                "TR.1.count",
                "the sum of that product over all trajectories is the number of actions",
                "proved",
                statement(total(h, s, a, of=trajectory(h) * dynamics(s, h)), "=", Size(A), recursions=[trajectory_law]),
            ),
        ),
        correction=Assertion(
            "TR.1.corrected",
            "with every action's factor the law sums to one, for every horizon",
            "proved",
            statement(Sum(h, trajectory(h)), "=", 1, recursions=[trajectory_law]),
            ByInduction(),
        ),
        believe="The law of a trajectory has a factor π(a_t∣s_t) for each action in it, the last one included.",
    ),
    Claim(
        section="III",
        tag="B III",
        quote="the probability of a trajectory is the product",
        reading=(
            "In a token MDP the prompt is the first state and each state is the last one with its token appended, so that P "
            "is 0 or 1; W is the product of the π(a_t∣h_t, s_t) and C that of the P(s_t∣h_t)."
        ),
        main=Assertion(
            "TR.2",
            "p(τ∣x) = Π π(y_t∣x, y_<t) for every response, its states being those that its tokens lead to",
            "proved",
            statement(trajectory(h), "=", policy_product(h), standing=[appends, reached], recursions=FACTORS),
            ByCalculation((lemma("TR.2.split"), lemma("TR.2.certain"))),
        ),
        parts=(
            Assertion(
                "TR.2.split",
                "in every MDP p(τ) = C(τ) W(τ)",
                "proved",
                statement(trajectory(h), "=", dynamics_product(h) * policy_product(h), recursions=FACTORS),
                ByInduction(),
            ),
            Assertion(
                "TR.2.certain",
                "with certain next states C is 0 or 1",
                "proved",
                statement(
                    dynamics_product(h) ** 2,
                    "=",
                    dynamics_product(h),
                    standing=[appends],
                    recursions=[dynamics_factors],
                ),
                ByInduction(),
            ),
            Assertion(
                "TR.2.sum",
                "the products Π π(y_t∣y_<t) sum to one over all responses of t tokens, for every t",
                "proved",
                statement(Sum(prefix, response(prefix)), "=", 1, recursions=[response_law]),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="III",
        tag="III.II",
        quote="the discounted return",
        reading=(
            "For any number of steps after the first: G is the discounted sum of all rewards, r₀ the first of them, and G′ "
            "the discounted sum of those after it, whose factors begin anew at 1."
        ),
        main=Assertion(
            "TR.3",
            "G_t = r_t + γ G_{t+1}",
            "proved",
            statement(whole(k), "=", first_gain(k) + gamma * tail(k), recursions=FROM_A_STEP),
            ByInduction((lemma("TR.3.factor"),)),
        ),
        parts=(
            Assertion(
                "TR.3.factor",
                "seen from one step earlier every factor holds one γ more",
                "proved",
                statement(whole_weight(k), "=", gamma * tail_weight(k), recursions=FROM_A_STEP),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="III",
        tag="B III",
        quote="it ensures the return is finite",
        reading=(
            "One bound holds for the returns of every number of steps, for all rewards with ∣r∣ ≤ M: M/(1 − γ) for γ < 1, "
            "and for γ = 1 some number B."
        ),
        main=Assertion(
            "TR.4",
            "∣G∣ ≤ M/(1 − γ), however many steps there are",
            "conditional",
            statement(
                size_of_return,
                "≤",
                Cases(Indicator(gamma, "<", term(1)), bound / (1 - gamma), anything),
                assuming=[assume("γ < 1", gamma, "<", 1), bounded],
                recursions=[weight_law, return_law],
            ),
            ByCalculation((lemma("TR.4.partial"),)),
        ),
        parts=(
            Assertion(
                "TR.4.partial",
                "(1 − γ)∣G∣ ≤ M(1 − γⁿ) after n steps",
                "proved",
                statement(
                    (1 - gamma) * size_of_return,
                    "≤",
                    bound * (1 - weight(n)),
                    standing=[bounded],
                    recursions=[weight_law, return_law],
                ),
                ByInduction(),
            ),
            Assertion(
                "TR.4.one",
                "for γ = 1 and r = 1 the return of n steps is n",
                "proved",
                statement(count_one(n), "=", Length(L), standing=[undiscounted], recursions=[weight_law, ones]),
                ByInduction((lemma("TR.6.alike"),)),
            ),
            Assertion(
                "TR.4.growing",
                "for r_t = γ^−t it is n, too, whatever γ is",
                "proved",
                statement(count_growing(n), "=", Length(L), recursions=[inverse_weight_law, growing]),
                ByInduction(),
            ),
            Assertion(
                "TR.4.infinite",
                "a return that is n after n steps has a finite limit",
                "refuted",
                statement(limit(steps, steps, "∞"), "<", Infinity()),
                instances=(deferred(_ever_longer),),
            ),
        ),
        believe="The return is at most r_max/(1 − γ) if γ < 1 and the rewards are bounded; both are needed.",
    ),
    Claim(
        section="III",
        tag="B II–III",
        quote="invariant to adding a constant to all rewards",
        reading="Read per step: if an episode has the higher return, it still has when c is added to each reward of both.",
        main=Assertion(
            "TR.5",
            "a constant added to every step's reward changes no preference between episodes",
            "refuted",
            statement(
                Sum(i, short(i) + constant),
                ">",
                Sum(j, long(j) + constant),
                standing=[assume("the first has the higher return", Sum(i, short(i)), ">", Sum(j, long(j)))],
            ),
        ),
        parts=(
            Assertion(
                "TR.5.return",
                "a constant added to the return changes none",
                "proved",
                statement(
                    E(chance(tau), outcome(tau) + constant), same_maximiser(over=chance), E(chance(tau), outcome(tau))
                ),
            ),
            Assertion(
                "TR.5.last",
                "nor does one added to the last reward, one step later in one episode than in the other",
                "refuted",
                statement(
                    now + constant,
                    "<",
                    gamma * (later + constant),
                    standing=[assume("the longer one has the higher return", now, "<", gamma * later)],
                ),
            ),
        ),
        correction=Assertion(
            "TR.5.corrected",
            "between episodes of equal lengths it changes nothing, discounted or not",
            "proved",
            statement(
                Sum(i, step_weight(i) * (short(i) + constant)),
                ">",
                Sum(i, step_weight(i) * (other(i) + constant)),
                standing=[
                    assume(
                        "the first has the higher return",
                        Sum(i, step_weight(i) * short(i)),
                        ">",
                        Sum(i, step_weight(i) * other(i)),
                    )
                ],
            ),
        ),
        believe="A constant on every step pays for long episodes; it is harmless on the return, or where lengths are equal.",
    ),
    Claim(
        section="III",
        tag="III.II",
        quote="prioritizes immediate rewards over distant ones",
        reading="The weight γ^(t+1) of the next reward is below the weight γᵗ of this one, at every t.",
        main=Assertion(
            "TR.6",
            "γ weighs a reward the less the later it comes",
            "conditional",
            statement(
                next_weight(n),
                "<",
                weight(n),
                assuming=[assume("γ > 0", gamma, ">", 0), assume("γ < 1", gamma, "<", 1)],
                recursions=[weight_law, next_weight_law],
            ),
            ByInduction(),
        ),
        parts=(
            Assertion(
                "TR.6.alike",
                "γ = 1 weighs all rewards alike",
                "proved",
                statement(weight(n), "=", 1, standing=[undiscounted], recursions=[weight_law]),
                ByInduction(),
            ),
            Assertion(
                "TR.6.order",
                "and changes nothing else: the larger of two rewards, one now and one a step later, stays the better",
                "refuted",
                statement(
                    now,
                    "<",
                    gamma * later,
                    standing=[assume("the later one is larger", now, "<", later), assume("γ > 0", gamma, ">", 0)],
                ),
            ),
        ),
        believe="With 0 < γ < 1 later rewards weigh less, and that changes which policy is best.",
    ),
)

__all__ = ["CLAIMS", "trajectory", "trajectory_law"]
