"""Section X: the optimal policy of the KL-regularised objective (source A).

At a prompt x the objective is J(π) = E_π[r − β log π + β log π_ref] = E_π[r] − β D(π‖π_ref), z(x) = Σ π_ref exp(r/β) and
π* = π_ref exp(r/β) / z. Policies lie on the closed simplex; π_ref is positive, so that every divergence is finite. What
is shown at one prompt is shown at each; responses form a finite set unless a statement says otherwise.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from derivations.checker.calculus import Instance, Range, deferred, prove_limit
from derivations.checker.proof import (
    ByCalculation,
    ByInduction,
    begin,
    hypothesis,
    laws_sum_to_one,
    lemma,
    logarithms,
    pointwise,
)
from derivations.checker.statement import Summable, assume, covers, same_maximiser, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    D,
    Delta,
    E,
    Function,
    Indicator,
    Infinity,
    Path,
    Sort,
    Sum,
    Supremum,
    Term,
    clip,
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
from derivations.checker.worlds import World, world
from derivations.sections.claim import Assertion, Claim, Measured
from derivations.sections.objects import (
    OPTIMUM,
    X,
    Y,
    beta,
    objective,
    optimal,
    policy,
    prompts,
    reference,
    reward,
    star,
    v,
    w,
    x,
    y,
    y0,
    z,
)

J = objective(policy)
DIVERGENCE = kl(lambda u: policy(u, x), lambda u: star(u, x), v)
LOG_Z = log(z(x))

# --- OP.2: prompts --------------------------------------------------------------------------------------------------

other = law("μ", Y, given=[X])
x0 = X.index("x0")
gain = parameter("c", POSITIVE)
value = function("f", X)
tied, tied_other = law("π", Y), law("μ", Y)


def average(pi: Function) -> Term:
    """Σ_x P(x) E_π[r(·, x)] for a policy that is the same at every prompt."""
    return E(prompts(x), E(pi(y), reward(y, x)))


# --- OP.3, OP.4: divergence -----------------------------------------------------------------------------------------

p, q, s = law("p", Y), law("q", Y), law("s", Y)
pp, qq, ss = (law(name, Y, positive=True) for name in "pqs")
finite_divergence = covers(q(y), p(y))
DIFFERENT = assume("p ≠ q", p(y0), "≠", q(y0))

F = Sort("F")
i, j, i0 = F.indices("i j i0")
target = law("p", Y, positive=True)
family = law("q", Y, given=[F], positive=True)
forward = assume(
    "q_i minimises D(p‖q_j) over the family",
    kl(target, lambda u: family(u, i), y),
    "≤",
    kl(target, lambda u: family(u, j), y),
    for_all=[j],
)
contains = assume("the family contains p", family(y, i0), "=", target(y), for_all=[y])


def _two_candidates() -> World:
    """p = (2/5, 3/5) and a family of two: the forward KL prefers the first, the reverse KL the second."""
    rows = [[Fraction(2, 3), Fraction(1, 6)], [Fraction(1, 3), Fraction(5, 6)]]
    return world({Y: 2, F: 2}, {target: [Fraction(2, 5), Fraction(3, 5)], family: rows})


share = parameter("t", OPEN_UNIT)
MASSES = (term(99) / 200, term(1) / 100, term(99) / 200)


def binomial(t):  # type: ignore[no-untyped-def]
    """The binomial distribution of two trials."""
    return (t * t, 2 * t * (1 - t), (1 - t) * (1 - t))


def explicit_kl(first, second):  # type: ignore[no-untyped-def]
    """Σ_k first_k log(first_k / second_k), written out."""
    total = term(0)
    for ours, theirs in zip(first, second, strict=True):
        total = total + ours * (log(ours) - log(theirs))
    return total


HALF = term(1) / 2

# --- OP.5, OP.9: infinite sets of responses -------------------------------------------------------------------------

N = Sort("Y", infinite=True)
n, m = N.indices("y w")
far_reference = law("π_ref", N, positive=True)
far_reward = function("r", N)
far_z = Sum(m, far_reference(m) * exp(far_reward(m) / beta))
far_star = far_reference(n) * exp(far_reward(n) / beta) / far_z
converges = Summable(n, far_reference(n) * exp(far_reward(n) / beta), "z < ∞")
uniform = law("u", N)
count = parameter("n", POSITIVE)


@cache
def _geometric(ratio: str, *, uniform_on: bool = False) -> Instance:
    """π_ref = 2^{−(y+1)} on y = 0, 1, 2, …, exp(r/β) = ratio^y, β = 1; `uniform_on`: u uniform on n responses."""
    import sympy

    number = sympy.Rational(ratio)
    size = sympy.Symbol("n", integer=True, positive=True)
    return Instance(
        f"π_ref(y) = 2^−(y+1), exp(r(y)/β) = ({ratio})^y, y = 0, 1, 2, …"
        + (", u uniform on the first n" if uniform_on else ""),
        ranges={N: Range(0, sympy.oo)},
        functions={
            far_reference: lambda k: sympy.Rational(1, 2) ** (k + 1),
            far_reward: lambda k: k * sympy.log(number),
            uniform: lambda k: 1 / size,
        },
        supports={uniform: Range(0, size - 1)},
        parameters={beta: sympy.Integer(1), count: size},
    )


# OP.10: the objective as one expectation, E_π[j] with j = r − β log π + β log π_ref.
far_policy, far_optimum = law("π", N, positive=True), law("π*", N, positive=True)
joined = function("j", N)
FAR_LOG_Z = beta * log(far_z)
z_finite = Summable(m, far_reference(m) * exp(far_reward(m) / beta), "z < ∞")
j_exists = Summable(m, far_policy(m) * joined(m), "E_π[j] exists")
j_is = assume(
    "j = r − β log π + β log π_ref",
    joined(n),
    "=",
    far_reward(n) - beta * log(far_policy(n)) + beta * log(far_reference(n)),
    for_all=[n],
)
far_optimum_is = assume("π* = π_ref exp(r/β)/z", far_optimum(n), "=", far_star, for_all=[n])
at_optimum = far_star * (far_reward(n) - beta * log(far_star) + beta * log(far_reference(n)))
tangent_p, tangent_q = parameter("p", POSITIVE), parameter("q", POSITIVE)


@cache
def _infinite_mean() -> Instance:
    """π* = 1/(k(k + 1)) for the k-th response, k = 1, 2, …, exp(r/β) = 2^k, β = 1: z = 1/(1 − log 2), E_π*[r] = ∞."""
    import sympy

    def reference_at(k):  # type: ignore[no-untyped-def]
        return sympy.Rational(1, 2) ** (k + 1) / ((k + 1) * (k + 2) * (1 - sympy.log(2)))

    return Instance(
        "π_ref(y) = 2^−(y+1)/((y+1)(y+2)(1 − log 2)), exp(r(y)/β) = 2^(y+1), y = 0, 1, 2, …",
        ranges={N: Range(0, sympy.oo)},
        functions={far_reference: reference_at, far_reward: lambda k: (k + 1) * sympy.log(2)},
        parameters={beta: sympy.Integer(1)},
    )


bound = parameter("M", REAL)
part = function("m", Y, domain=UNIT)

# --- OP.12: a constant in the reward --------------------------------------------------------------------------------

shift = function("c", X)
shifted_z = Sum(w, reference(w, x) * exp((reward(w, x) + shift(x)) / beta))

# --- OP.13: limits in β ---------------------------------------------------------------------------------------------

best = parameter("m", REAL)
gap = function("g", Y, domain=NONNEGATIVE)
base_reference = law("π_ref", Y, positive=True)
base_reward = function("r", Y)


def tempered(reward_at, over):  # type: ignore[no-untyped-def]
    """π_ref exp(r/β) / z for a given reward, at y."""
    return base_reference(y) * exp(reward_at(y) / beta) / Sum(over, base_reference(over) * exp(reward_at(over) / beta))


is_best = Indicator(gap(y), "=", term(0))
is_best_w = Indicator(gap(w), "=", term(0))
attained = assume("some response is best", Sum(w, base_reference(w) * is_best_w), ">", 0)

# --- OP.14: tokens --------------------------------------------------------------------------------------------------

A = Sort("A")
H = histories("H", start=[X], step=[A])
h = H.index("h")
a, b = A.indices("a b")
token_reference = law("π_ref", A, given=[H], positive=True)
token_reward = function("r", H, A)
V = function("V*", H)


def extended(history, token):  # type: ignore[no-untyped-def]
    """The history with one more token."""
    return Path(H, history, (token,))


def q_star(history, token):  # type: ignore[no-untyped-def]
    """Q*(h, a) = r(h, a) + V*(h·a)."""
    return token_reward(history, token) + V(extended(history, token))


def soft_value(history, token):  # type: ignore[no-untyped-def]
    """β log Σ_a π_ref(a|h) exp(Q*(h, a)/β)."""
    return beta * log(Sum(token, token_reference(token, history) * exp(q_star(history, token) / beta)))


def token_policy(history, token):  # type: ignore[no-untyped-def]
    """π*(a|h) = π_ref(a|h) exp((Q*(h, a) − V*(h))/β)."""
    return token_reference(token, history) * exp((q_star(history, token) - V(history)) / beta)


soft_bellman = define(V(h), soft_value(h, a))
reference_product = function("F", H, domain=POSITIVE)
policy_product = function("W", H, domain=POSITIVE)
reward_sum = function("R", H)
root_value = function("V₀", H)
reference_law = recursion(
    reference_product, start=lambda x: 1, step=lambda h, a: reference_product(h) * token_reference(a, h)
)
policy_law = recursion(policy_product, start=lambda x: 1, step=lambda h, a: policy_product(h) * token_policy(h, a))
return_law = recursion(reward_sum, start=lambda x: 0, step=lambda h, a: reward_sum(h) + token_reward(h, a))
root_law = recursion(root_value, start=lambda x: V(Path(H, None, (x,))), step=lambda h, a: root_value(h))
# --- OP.15: the clipped surrogate -----------------------------------------------------------------------------------

old = law("π_old", Y, positive=True)
advantage = function("A", Y)
epsilon = parameter("ε", OPEN_UNIT)
mix = parameter("κ", UNIT)
one = law("π", Y)
two = law("μ", Y)
simple_reference = law("π_ref", Y, positive=True)
simple_reward = function("r", Y)
simple_star = law("π*", Y, positive=True)
simple_z = Sum(w, simple_reference(w) * exp(simple_reward(w) / beta))


def surrogate(pi):  # type: ignore[no-untyped-def]
    """L_CLIP(π) = E_old[min(ratio A, clip(ratio, 1 − ε, 1 + ε) A)]."""
    ratio = pi(y) / old(y)
    clipped = clip(ratio, 1 - epsilon, 1 + epsilon)
    return E(old(y), minimum(ratio * advantage(y), clipped * advantage(y)))


def regularised(pi):  # type: ignore[no-untyped-def]
    """E_π[r − β log π + β log π_ref]."""
    return E(pi(y), simple_reward(y) - beta * log(pi(y)) + beta * log(simple_reference(y)))


def mixed(pi):  # type: ignore[no-untyped-def]
    """(1 − κ) J + κ L_CLIP: the regularised objective at κ = 0, the clipped surrogate at κ = 1."""
    return (1 - mix) * regularised(pi) + mix * surrogate(pi)


star_is = define(simple_star(y), simple_reference(y) * exp(simple_reward(y) / beta) / simple_z)


def _two_at_the_ceiling() -> World:
    """π_old = (½, ½), A = (1, −1), ε = ½: every π with π(0) ≥ ¾ reaches the ceiling."""
    half = Fraction(1, 2)
    three, quarter = Fraction(3, 4), Fraction(1, 4)
    tables = {old: [half, half], one: [1, 0], two: [three, quarter], advantage: [1, -1], epsilon: half}
    return world({Y: 2}, tables, indices={y0: 0})


CEILING = E(old(y), advantage(y) + epsilon * maximum(advantage(y), -advantage(y)))

# --- OP.16: β against divergence ------------------------------------------------------------------------------------

low, high = parameter("β₁", POSITIVE), parameter("β₂", POSITIVE)
moving_beta = parameter("β", POSITIVE, slope=1)


def divergence_of_optimum(at_scale):  # type: ignore[no-untyped-def]
    """D(π*_β‖π_ref), with π*_β written out."""
    star = optimal(y, at_scale)
    return Sum(y, star * (log(star) - log(reference(y, x))))


def best_policy_of(at_scale, against):  # type: ignore[no-untyped-def]
    """OP.8 for one β, used on the optimal policy of another."""
    return lemma("OP.8", {policy: lambda u, at: optimal(u, against, at), beta.function: lambda: at_scale})


MEAN = Sum(v, optimal(v, moving_beta) * reward(v, x))
VARIANCE = Sum(y, optimal(y, moving_beta) * (reward(y, x) - MEAN) ** 2)

CLAIMS = (
    Claim(
        section="X",
        tag="A",
        quote="We can reformulate the above objective",
        reading="E[r] − β E[D(π‖π_ref)] and E[r − β log π + β log π_ref] are equal, for every π on the closed simplex.",
        main=Assertion(
            "OP.1",
            "E[r] − βD(π‖π_ref) = E[r − β log π + β log π_ref]",
            "proved",
            statement(
                E(prompts(x), E(policy(y, x), reward(y, x)))
                - beta * E(prompts(x), kl(lambda u: policy(u, x), lambda u: reference(u, x), y)),
                "=",
                E(prompts(x), J),
            ),
        ),
    ),
    Claim(
        section="X",
        tag="A",
        quote="we are now choosing a different probability distribution for each value of x",
        reading="Among all policies: one that is best at every prompt is best on average, and conversely where P(x) > 0.",
        main=Assertion(
            "OP.2",
            "the maximisation separates over prompts",
            "proved",
            statement(
                E(prompts(x), objective(other)),
                "≥",
                E(prompts(x), J),
                standing=[assume("μ is best at each prompt", objective(other), "≥", J, for_all=[x])],
            ),
        ),
        parts=(
            Assertion(
                "OP.2.converse",
                "an improvement c > 0 at one prompt of positive probability improves the average",
                "proved",
                statement(
                    E(prompts(x), value(x) + gain * Delta(x, x0)),
                    ">",
                    E(prompts(x), value(x)),
                    standing=[assume("P(x0) > 0", prompts(x0), ">", 0)],
                ),
            ),
            Assertion(
                "OP.2.free",
                "the policy is free at a prompt of probability zero",
                "proved",
                statement(
                    E(prompts(x), value(x) + gain * Delta(x, x0)),
                    "=",
                    E(prompts(x), value(x)),
                    standing=[assume("P(x0) = 0", prompts(x0), "=", 0)],
                ),
            ),
            Assertion(
                "OP.2.tied",
                "the same among two policies that do not see the prompt: the better on average is better at each",
                "refuted",
                statement(
                    E(tied(y), reward(y, x0)),
                    "≥",
                    E(tied_other(y), reward(y, x0)),
                    standing=[
                        assume("π is better on average", average(tied), "≥", average(tied_other)),
                        assume("P > 0", prompts(x), ">", 0, for_all=[x]),
                    ],
                ),
            ),
        ),
    ),
    Claim(
        section="X",
        tag="A",
        quote="KL minimizer of a distribution P is P itself",
        reading="D(p‖q) ≥ 0 for all distributions with q > 0 wherever p > 0 (else it is ∞), and zero only for p = q.",
        main=Assertion(
            "OP.3",
            "Gibbs: D(p‖q) ≥ 0",
            "proved",
            statement(kl(p, q, y), "≥", 0, standing=[finite_divergence]),
        ),
        parts=(
            Assertion(
                "OP.3.zero",
                "D(p‖q) > 0 wherever p ≠ q",
                "proved",
                statement(kl(p, q, y), ">", 0, standing=[DIFFERENT, finite_divergence]),
            ),
            Assertion("OP.3.same", "D(p‖p) = 0", "proved", statement(kl(p, p, y), "=", 0)),
            Assertion("OP.3.symmetric", "D is symmetric", "refuted", statement(kl(pp, qq, y), "=", kl(qq, pp, y))),
            Assertion(
                "OP.3.triangle",
                "D satisfies the triangle inequality",
                "refuted",
                statement(kl(pp, ss, y), "≤", kl(pp, qq, y) + kl(qq, ss, y)),
            ),
        ),
    ),
    Claim(
        section="X",
        tag="A",
        quote="forward or reverse … it's all the same",
        reading="If q_i minimises D(p‖·) over a family of distributions, then it minimises D(·‖p) over that family.",
        main=Assertion(
            "OP.4",
            "a minimiser of the forward KL minimises the reverse KL",
            "conditional",
            statement(
                kl(lambda u: family(u, i), target, y),
                "≤",
                kl(lambda u: family(u, j), target, y),
                assuming=[contains],
                standing=[forward],
            ),
            ByCalculation(
                (
                    lemma("OP.4.found", at={i: i, i0: i0}),
                    lemma("OP.3", {p: lambda u: family(u, j), q: target}),
                )
            ),
            worlds=(_two_candidates(),),
        ),
        parts=(
            Assertion(
                "OP.4.found",
                "over a family that contains p the forward minimiser is p",
                "conditional",
                statement(family(y0, i), "=", target(y0), assuming=[contains], standing=[forward]),
                ByCalculation((lemma("OP.3.zero", {p: target, q: lambda u: family(u, i)}, at={y0: y0}),)),
            ),
            Assertion(
                "OP.4.forward",
                "p = (99/200, 1/100, 99/200): among binomials of two trials the forward minimiser is t = ½",
                "proved",
                statement(explicit_kl(MASSES, binomial(HALF)), "≤", explicit_kl(MASSES, binomial(share))),
            ),
            Assertion(
                "OP.4.reverse",
                "and that is the reverse minimiser too",
                "refuted",
                statement(explicit_kl(binomial(HALF), MASSES), "≤", explicit_kl(binomial(share), MASSES)),
            ),
        ),
        believe="Over all distributions both directions have the minimiser P; over a restricted family they differ.",
    ),
    Claim(
        section="X",
        tag="A",
        quote="we can now define the probability distribution π* = π_ref exp(r/β)/z",
        reading="On a finite set of responses π* sums to one for every reward (r is then bounded), and is not negative.",
        main=Assertion(
            "OP.5",
            "π* is a distribution",
            "proved",
            statement(Sum(y, optimal(y)), "=", 1),
        ),
        parts=(
            Assertion("OP.5.positive", "π* is nowhere negative", "proved", statement(optimal(y), "≥", 0)),
            Assertion(
                "OP.5.bounded",
                "if r ≤ M then every partial sum of z is at most exp(M/β): z is finite",
                "proved",
                statement(
                    Sum(y, part(y) * exp(reward(y, x) / beta)),
                    "≤",
                    Sum(y, part(y) * exp(bound / beta)),
                    standing=[assume("r ≤ M", reward(y, x), "≤", bound, for_all=[y])],
                ),
            ),
            Assertion(
                "OP.5.infinite",
                "on an infinite set π* sums to one",
                "conditional",
                statement(Sum(n, far_star), "=", 1, assuming=[converges]),
                instances=(deferred(lambda: _geometric("2")),),
            ),
        ),
    ),
    Claim(
        section="X",
        tag="A",
        quote="We will also add a constant … log z(x)",
        reading="With + log z(x) added, the sum over y is −D(π‖π*), so that π* can be put in.",
        main=Assertion(
            "OP.6",
            "adding log z(x) makes the substitution of π* exact",
            "refuted",
            statement(
                E(
                    policy(y, x),
                    reward(y, x) / beta + log(reference(y, x)) + LOG_Z - log(policy(y, x)),
                ),
                "=",
                -DIVERGENCE,
                definitions=OPTIMUM,
            ),
        ),
        parts=(
            Assertion(
                "OP.6.printed",
                "as printed the sum is −D(π‖π*) + 2 log z",
                "proved",
                statement(
                    E(
                        policy(y, x),
                        reward(y, x) / beta + log(reference(y, x)) + LOG_Z - log(policy(y, x)),
                    ),
                    "=",
                    -DIVERGENCE + 2 * LOG_Z,
                    definitions=OPTIMUM,
                ),
            ),
        ),
        correction=Assertion(
            "OP.6.corrected",
            "the constant is −log z(x)",
            "proved",
            statement(
                E(
                    policy(y, x),
                    reward(y, x) / beta + log(reference(y, x)) - LOG_Z - log(policy(y, x)),
                ),
                "=",
                -DIVERGENCE,
                definitions=OPTIMUM,
            ),
        ),
        believe="The constant that turns the sum into −D(π‖π*) is −log z(x).",
    ),
    Claim(
        section="X",
        tag="A",
        quote="max β D(π‖π*) … picking π = π* maximizes this",
        reading="J and β D(π‖π*) have the same maximisers over every class of policies.",
        main=Assertion(
            "OP.7",
            "maximising J is maximising β D(π‖π*)",
            "refuted",
            statement(J, same_maximiser(over=policy), beta * DIVERGENCE, definitions=OPTIMUM),
        ),
        parts=(
            Assertion(
                "OP.7.picking",
                "π = π* maximises β D(π‖π*)",
                "refuted",
                statement(0, "≥", beta * DIVERGENCE, definitions=OPTIMUM),
            ),
            Assertion(
                "OP.7.minimises",
                "π = π* minimises D(π‖π*)",
                "proved",
                statement(DIVERGENCE, "≥", 0, definitions=OPTIMUM),
                begin(DIVERGENCE).then("≥", 0, lemma("OP.3", {p: lambda u: policy(u, x), q: lambda u: star(u, x)})),
            ),
            Assertion(
                "OP.7.survives",
                "J and −β D(π‖π*) have the same maximisers: the two slips cancel",
                "proved",
                statement(J, same_maximiser(over=policy), -beta * DIVERGENCE, definitions=OPTIMUM),
            ),
        ),
        correction=Assertion(
            "OP.7.corrected",
            "J = −β D(π‖π*) + β log z(x)",
            "proved",
            statement(J, "=", -beta * DIVERGENCE + beta * LOG_Z, definitions=OPTIMUM),
        ),
        believe="J(π) = β log z(x) − β D(π‖π*): π* maximises J because it minimises the divergence.",
    ),
    Claim(
        section="X",
        tag="A",
        quote="π* is the solution",
        reading="J(π) ≤ β log z(x) for every π; it is attained by π*, and by no other policy.",
        main=Assertion(
            "OP.8",
            "the optimum of J is β log z(x) (Donsker–Varadhan)",
            "proved",
            statement(J, "≤", beta * LOG_Z, definitions=OPTIMUM),
            begin(J)
            .then("=", beta * LOG_Z - beta * DIVERGENCE, hypothesis("π*"), logarithms, laws_sum_to_one)
            .then("≤", beta * LOG_Z, lemma("OP.3", {p: lambda u: policy(u, x), q: lambda u: star(u, x)}, times=beta)),
        ),
        parts=(
            Assertion(
                "OP.8.attained",
                "π* attains it",
                "proved",
                statement(objective(star), "=", beta * LOG_Z, definitions=OPTIMUM),
            ),
            Assertion(
                "OP.8.unique",
                "any other policy stays below",
                "proved",
                statement(
                    J,
                    "<",
                    beta * LOG_Z,
                    standing=[assume("π ≠ π*", policy(y0, x), "≠", star(y0, x))],
                    definitions=OPTIMUM,
                ),
                begin(J)
                .then("=", beta * LOG_Z - beta * DIVERGENCE, hypothesis("π*"), logarithms, laws_sum_to_one)
                .then(
                    "<",
                    beta * LOG_Z,
                    lemma("OP.3.zero", {p: lambda u: policy(u, x), q: lambda u: star(u, x)}, times=beta, at={y0: y0}),
                ),
            ),
        ),
    ),
    Claim(
        section="X",
        tag="A",
        quote="r is bounded (which I believe is necessary)",
        reading="On an infinite set of responses: if z < ∞, so that π* is a distribution, then r is bounded above.",
        main=Assertion(
            "OP.9",
            "the reward has to be bounded",
            "refuted",
            statement(Supremum(n, far_reward(n)), "<", Infinity(), standing=[converges]),
            instances=(deferred(lambda: _geometric("3/2")),),
        ),
        parts=(
            Assertion(
                "OP.9.infinite",
                "without z < ∞ the objective stays bounded: its values at u_n, uniform on n responses, have a finite limit",
                "refuted",
                statement(
                    limit(
                        E(
                            uniform(n),
                            far_reward(n) - beta * log(uniform(n)) + beta * log(far_reference(n)),
                        ),
                        count,
                        "∞",
                    ),
                    "<",
                    Infinity(),
                ),
                instances=(deferred(lambda: _geometric("2", uniform_on=True)),),
            ),
        ),
        correction=Assertion(
            "OP.9.corrected",
            "needed is z < ∞: then π* sums to one, whatever r is",
            "proved",
            statement(Sum(n, far_star), "=", 1, standing=[converges]),
        ),
        believe="What is needed is z(x) < ∞; a bounded reward is enough for it, and not necessary.",
    ),
    Claim(
        section="X",
        tag="A",
        quote="(ours) countably many responses",
        reading=(
            "Countably many responses, and the objective read as one expectation, of r − β log(π/π_ref): π* attains "
            "β log z, and no positive policy for which that expectation exists has more (OP.10.bound)."
        ),
        main=Assertion(
            "OP.10",
            "on a countable set E_π*[r − β log(π*/π_ref)] = β log z",
            "conditional",
            statement(Sum(n, at_optimum), "=", FAR_LOG_Z, assuming=[converges]),
            instances=(deferred(lambda: _geometric("2")),),
        ),
        parts=(
            Assertion(
                "OP.10.bound",
                "no positive policy has more",
                "proved",
                statement(
                    E(far_policy(n), joined(n)),
                    "≤",
                    FAR_LOG_Z,
                    standing=[z_finite, j_exists, j_is, far_optimum_is],
                ),
                begin(E(far_policy(n), joined(n)))
                .then(
                    "=",
                    Sum(n, far_policy(n) * joined(n) - beta * (far_optimum(n) - far_policy(n))),
                    laws_sum_to_one,
                )
                .then("≤", E(far_policy(n), FAR_LOG_Z), lemma("OP.10.each"), pointwise)
                .then("=", FAR_LOG_Z, laws_sum_to_one),
            ),
            Assertion(
                "OP.10.each",
                "at each response πj ≤ π β log z + β(π* − π)",
                "proved",
                statement(
                    far_policy(n) * joined(n),
                    "≤",
                    far_policy(n) * FAR_LOG_Z + beta * (far_optimum(n) - far_policy(n)),
                    standing=[z_finite, j_is, far_optimum_is],
                ),
                begin(far_policy(n) * joined(n))
                .then(
                    "=",
                    far_policy(n) * FAR_LOG_Z + beta * far_policy(n) * (log(far_optimum(n)) - log(far_policy(n))),
                    hypothesis(j_is.name),
                    hypothesis(far_optimum_is.name),
                    logarithms,
                )
                .then(
                    "≤",
                    far_policy(n) * FAR_LOG_Z + beta * (far_optimum(n) - far_policy(n)),
                    lemma(
                        "OP.10.tangent",
                        {tangent_p.function: lambda: far_policy(n), tangent_q.function: lambda: far_optimum(n)},
                        times=beta,
                    ),
                ),
            ),
            Assertion(
                "OP.10.tangent",
                "p log(q/p) ≤ q − p",
                "proved",
                statement(tangent_p * (log(tangent_q) - log(tangent_p)), "≤", tangent_q - tangent_p),
            ),
            Assertion(
                "OP.10.terms",
                "the two terms of E[r] − βD are finite at π*, so that it can be read term by term: E_π*[r] < ∞",
                "refuted",
                statement(Sum(n, far_star * far_reward(n)), "<", Infinity(), standing=[converges]),
                instances=(deferred(_infinite_mean),),
            ),
            Assertion(
                "OP.10.divergence",
                "where it is infinite D(π*‖π_ref) is, too: log(π*/π_ref) = r/β − log z at each response",
                "proved",
                statement(
                    log(far_star) - log(far_reference(n)), "=", far_reward(n) / beta - log(far_z), standing=[z_finite]
                ),
            ),
        ),
        believe="Keep r − β log(π/π_ref) together: with infinitely many responses E[r] and D may both be infinite.",
    ),
    Claim(
        section="X",
        tag="beyond",
        quote="(ours) the regret",
        reading="For every π on the closed simplex, at every prompt.",
        main=Assertion(
            "OP.11",
            "regret: J(π*) − J(π) = β D(π‖π*)",
            "proved",
            statement(objective(star) - J, "=", beta * DIVERGENCE, definitions=OPTIMUM),
        ),
    ),
    Claim(
        section="X",
        tag="beyond",
        quote="(ours) a constant in the reward",
        reading="At every prompt and response, for every c(x).",
        main=Assertion(
            "OP.12",
            "π* does not change when c(x) is added to the reward",
            "proved",
            statement(reference(y, x) * exp((reward(y, x) + shift(x)) / beta) / shifted_z, "=", optimal(y)),
        ),
    ),
    Claim(
        section="X",
        tag="beyond",
        quote="(ours) the limits in β",
        reading="At one prompt, for every response; on the support of π_ref, which is all of Y here.",
        main=Assertion(
            "OP.13",
            "β → ∞ gives π_ref",
            "proved",
            statement(limit(tempered(base_reward, w), beta, "∞"), "=", base_reference(y)),
            prover=prove_limit,
        ),
        parts=(
            Assertion(
                "OP.13.zero",
                "β → 0 gives π_ref restricted to the best responses; g = m − r is how far a response is from the best",
                "proved",
                statement(
                    limit(tempered(lambda u: best - gap(u), w), beta, "0⁺"),
                    "=",
                    base_reference(y) * is_best / Sum(w, base_reference(w) * is_best_w),
                    standing=[attained],
                ),
                prover=prove_limit,
            ),
        ),
    ),
    Claim(
        section="X",
        tag="beyond",
        quote="(ours) token by token",
        reading=(
            "Histories h = (x, a_0, …, a_{t−1}); V*(h) = β log Σ_a π_ref exp(Q*/β), Q*(h, a) = r(h, a) + V*(h·a). W is the "
            "product of π*(a∣h) = π_ref exp((Q* − V*)/β), F that of π_ref, R the sum of the rewards, V₀ = V*(x)."
        ),
        main=Assertion(
            "OP.14",
            "the product of the token policies is π_ref exp((R + V* − V*(x))/β)",
            "proved",
            statement(
                policy_product(h),
                "=",
                reference_product(h) * exp((reward_sum(h) + V(h) - root_value(h)) / beta),
                definitions=[soft_bellman],
                recursions=[reference_law, policy_law, return_law, root_law],
            ),
            ByInduction(),
        ),
        parts=(
            Assertion(
                "OP.14.law",
                "each π*(·∣h) sums to one",
                "proved",
                statement(
                    Sum(b, token_policy(h, b)),
                    "=",
                    1,
                    standing=[assume("the soft Bellman equation", V(h), "=", soft_value(h, a), for_all=[h])],
                ),
            ),
            Assertion(
                "OP.14.partition",
                "Σ F exp((R + V*)/β) stays Σ_x exp(V*(x)/β): where V* ends at 0, exp(V*(x)/β) is z(x)",
                "proved",
                statement(
                    Sum(h, reference_product(h) * exp((reward_sum(h) + V(h)) / beta)),
                    "=",
                    Sum(x, exp(V(Path(H, None, (x,))) / beta)),
                    definitions=[soft_bellman],
                    recursions=[reference_law, return_law],
                ),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="X",
        tag="A",
        quote="π* is the solution to PPO",
        reading="π* maximises (1 − κ)·J + κ·L_CLIP: the KL-regularised objective at κ = 0, PPO's clipped surrogate at κ = 1.",
        main=Assertion(
            "OP.15",
            "π* is the solution to PPO",
            "conditional",
            statement(
                mixed(one),
                "≤",
                mixed(simple_star),
                assuming=[assume("κ = 0: the objective is the KL-regularised one", mix, "=", 0)],
                definitions=[star_is],
            ),
            ByCalculation((lemma("OP.15.regularised"),)),
        ),
        parts=(
            Assertion(
                "OP.15.regularised",
                "J(π) ≤ J(π*)",
                "proved",
                statement(regularised(one), "≤", regularised(simple_star), definitions=[star_is]),
                begin(regularised(one))
                .then(
                    "=",
                    regularised(simple_star) - beta * kl(one, simple_star, v),
                    hypothesis("π*"),
                    logarithms,
                    laws_sum_to_one,
                )
                .then("≤", regularised(simple_star), lemma("OP.3", {p: one, q: simple_star}, times=beta)),
            ),
            Assertion(
                "OP.15.ceiling",
                "L_CLIP never exceeds E_old[A + ε∣A∣]",
                "proved",
                statement(surrogate(one), "≤", CEILING),
            ),
            Assertion(
                "OP.15.many",
                "two different policies reach that ceiling: the maximiser of L_CLIP is not unique",
                "proved",
                statement(
                    surrogate(one),
                    "=",
                    CEILING,
                    standing=[
                        assume("π ≠ μ", one(y0), "≠", two(y0)),
                        assume("μ reaches the ceiling", surrogate(two), "=", CEILING),
                        assume("A is not zero everywhere", advantage(y0), "≠", 0),
                    ],
                    exists=True,
                ),
                worlds=(_two_at_the_ceiling(),),
            ),
            Measured(
                "OP.15.measured",
                "PPO with the KL in the reward approaches π*",
                "PPO on the token MDP from π_ref, k1 in the reward, in runs of several lengths",
                "the exact gap β log z − J(π) = β D(π‖π*) after each update, which falls towards 0",
            ),
        ),
        believe="π* solves the KL-regularised objective; the clipped surrogate alone has many maximisers.",
    ),
    Claim(
        section="X",
        tag="beyond",
        quote="(ours) a larger β keeps closer to π_ref",
        reading="For all 0 < β₁ < β₂, at every prompt.",
        main=Assertion(
            "OP.16",
            "β ↦ D(π*_β‖π_ref) is non-increasing",
            "proved",
            statement(
                divergence_of_optimum(low),
                "≥",
                divergence_of_optimum(high),
                standing=[assume("β₁ < β₂", low, "<", high)],
            ),
            ByCalculation((best_policy_of(low, against=high), best_policy_of(high, against=low))),
        ),
        parts=(
            Assertion(
                "OP.16.slope",
                "its derivative is −Var_π*(r)/β³",
                "proved",
                statement(D(divergence_of_optimum(moving_beta)), "=", -VARIANCE / moving_beta**3),
            ),
            Assertion("OP.16.sign", "Var_π*(r) ≥ 0", "proved", statement(VARIANCE, "≥", 0)),
        ),
    ),
)

__all__ = ["CLAIMS"]
