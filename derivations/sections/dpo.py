"""Section XI: direct preference optimisation, which source A announces.

The optimal policy of section X is solved for the reward: r = β log(π*/π_ref) + β log z. A policy π so has the implicit
reward r̂ = β log(π/π_ref), and the loss of DPO is that of a reward model (section II) at r̂. σ(u) = 1/(1 + exp(−u)).
"""

from __future__ import annotations

from fractions import Fraction

from derivations.checker.proof import (
    ByCalculation,
    begin,
    lemma,
)
from derivations.checker.statement import assume, statement
from derivations.checker.terms import (
    POSITIVE,
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
    function,
    law,
    log,
    parameter,
)
from derivations.checker.worlds import World, world
from derivations.sections import reward_model as ii
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import OPTIMUM, X, Y, beta, reference, reward, score, star, v, x, y, z
from derivations.sections.reward_model import (
    better,
    bradley_terry,
    comparisons,
    label_loss,
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
                        -log(
                            bradley_terry(
                                implicit(respond(better, x), better), implicit(respond(worse, x), worse)
                            )
                        ),
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
)

__all__ = ["CLAIMS"]
