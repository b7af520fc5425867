"""Section XI: direct preference optimisation, which source A announces.

The optimal policy of section X is solved for the reward: r = β log(π*/π_ref) + β log z. A policy π so has the implicit
reward r̂ = β log(π/π_ref), and the loss of DPO is that of a reward model (section II) at r̂. σ(u) = 1/(1 + exp(−u)).
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from derivations.checker.proof import (
    ByCalculation,
    begin,
    laws_sum_to_one,
    lemma,
    pointwise,
)
from derivations.checker.statement import assume, statement
from derivations.checker.terms import (
    REAL,
    UNIT,
    Apply,
    D,
    Delta,
    E,
    Index,
    Sort,
    Sum,
    Term,
    exp,
    function,
    law,
    log,
    parameter,
)
from derivations.checker.worlds import World, world
from derivations.sections import reward_model as ii
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import OPTIMUM, X, Y, beta, reference, reward, score, star, v, x, y, y0, z
from derivations.sections.reward_model import (
    better,
    bradley_terry,
    comparisons,
    pair_loss,
    respond,
    sigma,
    worse,
)


def implicit(probability: Apply, response: Index) -> Term:
    """r̂ = β log(π/π_ref) at a response to x."""
    return beta * log(probability / reference(response, x))


# --- DPO.3: the loss --------------------------------------------------------------------------------------------------


def margin_of(policy) -> Term:  # type: ignore[no-untyped-def]
    """r̂_w − r̂_l."""
    return implicit(policy(better, x), better) - implicit(policy(worse, x), worse)


def loss_of(policy) -> Term:  # type: ignore[no-untyped-def]
    """L_DPO(π) = −E_D[log σ(r̂_w − r̂_l)]."""
    return E(comparisons(x, better, worse), pair_loss(margin_of(policy)))


PULL = sigma(-margin_of(respond))
SCORES = score(respond(better, x)) - score(respond(worse, x))

# --- DPO.4: the minimiser ---------------------------------------------------------------------------------------------

F = Sort("F")
i, i0, j = F.indices("i i0 j")
a, b, y1 = Y.indices("a b y1")
pairs = law("κ", Y, Y, given=[X])
chance = function("P", Y, Y, X, domain=UNIT)
policies = law("π", Y, given=[X, F], positive=True)
flow, net_flow = function("ψ", Y, Y, Y, Y), function("n", Y, Y, Y)


def rewards_of(member: Index):  # type: ignore[no-untyped-def]
    """The implicit rewards of a policy of the class, at x."""
    return lambda response: beta * (log(policies(response, x, member)) - log(reference(response, x)))


def rewards_of_star(response: Index) -> Term:
    """The implicit rewards of π*, at x."""
    return beta * (log(star(response, x)) - log(reference(response, x)))


def population_loss(member: Index) -> Term:
    """−E_κ[P(a ≻ b) log σ(r̂_a − r̂_b) + P(b ≻ a) log σ(r̂_b − r̂_a)] at x."""
    rewards = rewards_of(member)
    margin = rewards(a) - rewards(b)
    preferred = chance(a, b, x)
    return E(pairs(a, b, x), preferred * pair_loss(margin) + (1 - preferred) * pair_loss(-margin))


minimises = assume("π_i has the least loss of its class", population_loss(i), "≤", population_loss(j), for_all=[j])
follows = assume(
    "the labels follow Bradley–Terry with r",
    chance(a, b, x),
    "=",
    sigma(reward(a, x) - reward(b, x)),
    for_all=[a, b],
)
contained = assume("the class contains π*", policies(a, x, i0), "=", star(a, x), for_all=[a])
joined = assume(
    "compared pairs join each two responses: they carry a unit of flow from u to v",
    Sum(b, pairs(a, b, x) * flow(a, b, y1, v) - pairs(b, a, x) * flow(b, a, y1, v)),
    "=",
    Delta(a, y1) - Delta(a, v),
    for_all=[a, y1, v],
)
each_compared = assume(
    "each response is compared with another",
    Sum(b, (1 - Delta(a, b)) * (pairs(a, b, x) + pairs(b, a, x))),
    ">",
    0,
    for_all=[a],
)
SAME_MARGIN = rewards_of(i)(y) - rewards_of(i)(v), rewards_of_star(y) - rewards_of_star(v)
never_compared = assume("y0 is never compared", Sum(b, pairs(y0, b, x) + pairs(b, y0, x)), "=", 0)
AS_REWARD_MODEL = lemma(
    "RM.6",
    {
        ii.models: lambda response, member: rewards_of(member)(response),
        ii.truth: rewards_of_star,
        ii.pairs: lambda first, second: pairs(first, second, x),
        ii.frequency: lambda first, second: chance(first, second, x),
        ii.chance: lambda first, second: chance(first, second, x),
        ii.flow: lambda first, second: flow(first, second, y, v),
    },
    at={ii.y1: y, ii.y2: v, ii.i: i, ii.i0: i0},
)
l1, l2, m1, m2 = (parameter(name, REAL) for name in ("l₁", "l₂", "m₁", "m₂"))
LOGS = {
    l1.function: lambda: log(policies(y, x, i)),
    l2.function: lambda: log(policies(v, x, i)),
    m1.function: lambda: log(star(y, x)),
    m2.function: lambda: log(star(v, x)),
}


def _policies(chosen, star_, compared, **changed: object) -> World:  # type: ignore[no-untyped-def]
    """A class of two policies, the chosen one and π* unless `changed`; π_ref uniform, β = 1, no flow."""
    size = len(chosen)
    uniform = Fraction(1, size)
    rewards = [log(Fraction(weight) * size) for weight in star_]
    preferred = {(k, m, 0): star_[k] / (star_[k] + star_[m]) for k in range(size) for m in range(size)}
    found = {(k, m, 0): compared.get((k, m), 0) for k in range(size) for m in range(size)}
    members = {
        (k, 0, f): policy[k] for f, policy in enumerate((chosen, changed.get("other", star_))) for k in range(size)
    }
    along = {cell: 0 for cell in product(range(size), repeat=4)} | dict(changed.get("along", {}))  # type: ignore[call-overload]
    tables = {
        beta: 1,
        reference: {(k, 0): uniform for k in range(size)},
        reward: {(k, 0): rewards[k] for k in range(size)},
        chance: changed.get("preferred", preferred),
        pairs: found,
        policies: members,
        flow: along,
    }
    return world({X: 1, Y: size, F: 2}, tables, indices={x: 0, y: 0, y0: size - 1, i: 0, i0: 1})


_HALF, _THIRD = Fraction(1, 2), Fraction(1, 3)
_TIE, _TRUE = (_HALF, _HALF), (2 * _THIRD, _THIRD)
_ALONG = {(0, 1, 0, 1): 1, (0, 1, 1, 0): -1}
_LACKING = (
    _policies(_TIE, _TRUE, {(0, 1): 1}, along=_ALONG, preferred={(k, m, 0): _HALF for k in (0, 1) for m in (0, 1)}),
    _policies(_TIE, _TRUE, {(0, 1): 1}, along=_ALONG, other=_TIE),
    _policies(_TIE, _TRUE, {(0, 0): 1}),
)
# Everything else holds, and the chosen policy has not the least loss of the class; and it has.
_NOT_LEAST, _LEAST = (_policies(chosen, _TRUE, {(0, 1): 1}, along=_ALONG) for chosen in (_TIE, _TRUE))
_NEVER = _policies((Fraction(1, 4), Fraction(1, 4), _HALF), (_THIRD,) * 3, {(0, 1): 1})
_ISLANDS = _policies(
    (Fraction(1, 8), Fraction(1, 8), Fraction(3, 8), Fraction(3, 8)),
    (Fraction(1, 4),) * 4,
    {(0, 1): _HALF, (2, 3): _HALF},
)

CLAIMS = (
    Claim(
        section="XI",
        tag="beyond",
        quote="(ours) the reward that a policy is optimal for",
        reading="For every prompt and response; π* = π_ref exp(r/β)/z as in section X.",
        main=Assertion(
            "DPO.1",
            "r = β log(π*/π_ref) + β log z(x)",
            "proved",
            statement(reward(y, x), "=", implicit(star(y, x), y) + beta * log(z(x)), definitions=OPTIMUM),
        ),
    ),
    Claim(
        section="XI",
        tag="beyond",
        quote="(ours) z cancels in a comparison",
        reading="For every prompt and pair of responses: a comparison of two responses to the same prompt.",
        main=Assertion(
            "DPO.2",
            "in Bradley–Terry z(x) cancels: p(y_w ≻ y_l) = σ(β log π*_w/π_ref,w − β log π*_l/π_ref,l)",
            "proved",
            statement(
                bradley_terry(reward(better, x), reward(worse, x)), "=", sigma(margin_of(star)), definitions=OPTIMUM
            ),
        ),
    ),
    Claim(
        section="XI",
        tag="beyond",
        quote="(ours) the loss and its gradient",
        reading=(
            "For every law D of prompts and pairs and every positive policy: ∇L = −β E_D[σ(r̂_l − r̂_w)(∇log π_w − ∇log π_l)]."
        ),
        main=Assertion(
            "DPO.3",
            "the gradient of the DPO loss weighs each pair by σ(r̂_l − r̂_w)",
            "proved",
            statement(D(loss_of(respond)), "=", -beta * E(comparisons(x, better, worse), PULL * SCORES)),
        ),
        parts=(
            Assertion(
                "DPO.3.likelihood",
                "the loss is −log of the Bradley–Terry probability at the rewards r̂",
                "proved",
                statement(
                    loss_of(respond),
                    "=",
                    E(
                        comparisons(x, better, worse),
                        -log(bradley_terry(implicit(respond(better, x), better), implicit(respond(worse, x), worse))),
                    ),
                ),
            ),
            Assertion(
                "DPO.3.start",
                "at π = π_ref it is log 2",
                "proved",
                statement(loss_of(reference), "=", log(2)),
            ),
            Assertion(
                "DPO.3.half",
                "where π = π_ref every pair has the weight ½",
                "proved",
                statement(sigma(-margin_of(reference)), "=", Fraction(1, 2)),
            ),
            Assertion(
                "DPO.3.wrong",
                "the pair whose implicit rewards are further in the wrong order has the larger weight",
                "proved",
                statement(
                    sigma(-ii.small), ">", sigma(-ii.large), standing=[assume("m < m′", ii.small, "<", ii.large)]
                ),
            ),
        ),
    ),
    Claim(
        section="XI",
        tag="beyond",
        quote="(ours) the minimiser of the population loss",
        reading=(
            "At each prompt (OP.2), where κ says how often a pair is compared and P how often its first response wins: a "
            "policy π_i that has the least loss of a class of positive policies is π*. Every policy is in the class of all."
        ),
        main=Assertion(
            "DPO.4",
            "the minimiser of the population DPO loss is π*",
            "conditional",
            statement(
                policies(y, x, i),
                "=",
                star(y, x),
                assuming=[follows, contained, joined],
                standing=[minimises],
                definitions=OPTIMUM,
            ),
            begin(policies(y, x, i))
            .then("=", Sum(v, policies(y, x, i) * star(v, x)), laws_sum_to_one)
            .then(
                "=", Sum(v, policies(v, x, i) * star(y, x)), lemma("DPO.4.ratios", at={x: x, i: i, i0: i0}), pointwise
            )
            .then("=", star(y, x), laws_sum_to_one),
            worlds=(*_LACKING, _NOT_LEAST),
        ),
        parts=(
            Assertion(
                "DPO.4.margins",
                "its implicit rewards have the margins of those of π*: it is a reward model that minimises its loss (RM.6)",
                "proved",
                statement(
                    SAME_MARGIN[0],
                    "=",
                    SAME_MARGIN[1],
                    standing=[follows, contained, joined, minimises],
                    definitions=OPTIMUM,
                ),
                begin(SAME_MARGIN[0]).then("=", SAME_MARGIN[1], AS_REWARD_MODEL),
                worlds=(_NOT_LEAST, _LEAST),
            ),
            Assertion(
                "DPO.4.ratios",
                "so its ratios are those of π*",
                "proved",
                statement(
                    policies(y, x, i) * star(v, x),
                    "=",
                    policies(v, x, i) * star(y, x),
                    standing=[follows, contained, joined, minimises],
                    definitions=OPTIMUM,
                ),
                ByCalculation((lemma("DPO.4.logs", LOGS), lemma("DPO.4.margins", at={y: y, v: v, x: x, i: i, i0: i0}))),
                worlds=(_NOT_LEAST, _LEAST),
            ),
            Assertion(
                "DPO.4.logs",
                "equal differences of logarithms are equal ratios",
                "proved",
                statement(
                    exp(l1) * exp(m2),
                    "=",
                    exp(l2) * exp(m1),
                    standing=[assume("l₁ − l₂ = m₁ − m₂", l1, "=", l2 + m1 - m2)],
                ),
            ),
            Assertion(
                "DPO.4.never",
                "so it is where a response y0 is never compared",
                "refuted",
                statement(
                    policies(y, x, i),
                    "=",
                    star(y, x),
                    standing=[follows, contained, never_compared, minimises],
                    definitions=OPTIMUM,
                ),
                worlds=(_NEVER,),
            ),
            Assertion(
                "DPO.4.each",
                "it is enough that each response is compared with another",
                "refuted",
                statement(
                    policies(y, x, i),
                    "=",
                    star(y, x),
                    standing=[follows, contained, each_compared, minimises],
                    definitions=OPTIMUM,
                ),
                worlds=(_ISLANDS,),
            ),
        ),
        believe=(
            "It is if the labels follow the Bradley–Terry model of the reward, the class of policies contains π*, and the "
            "comparisons join all responses of a prompt, if need be over others. With other labels, a smaller class or "
            "responses that nothing joins, the loss has other minimisers."
        ),
    ),
)

__all__ = ["CLAIMS"]
