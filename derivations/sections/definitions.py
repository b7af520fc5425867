"""Section I: what general reinforcement learning and language models call by the same names.

The token MDP: its state is the prompt with the tokens so far, its action the next token, its dynamics append it, and the
score of the response arrives with the last token. P(s′∣s, a) is the law of the next state.
"""

from __future__ import annotations

from fractions import Fraction

from derivations.checker.proof import ByCalculation, ByInduction, begin, lemma, strictly
from derivations.checker.statement import assume, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    UNIT,
    Apply,
    Delta,
    E,
    Index,
    Sort,
    Sum,
    Term,
    function,
    histories,
    law,
    log,
    parameter,
    recursion,
)
from derivations.checker.worlds import World, world
from derivations.sections.claim import Assertion, Claim, Definition
from derivations.sections.objects import A, S, a, s

# --- DEF.1: the score at the end ------------------------------------------------------------------------------------

V = Sort("V")
prefixes = histories("Y", step=[V])
prefix, token = prefixes.index("y"), V.index("v")
gamma = parameter("γ", UNIT)
weight, returns = function("w", prefixes, domain=NONNEGATIVE), function("G", prefixes)
early, score = function("r", prefixes, V), function("score", prefixes, V)
weight_law = recursion(weight, start=lambda: 1, step=lambda y, v: gamma * weight(y))
return_law = recursion(returns, start=lambda: 0, step=lambda y, v: returns(y) + weight(y) * early(y, v))
silent = assume("no reward before the last token", early(prefix, token), "=", 0, for_all=[prefix, token])

# --- DEF.2: the law of the next state -------------------------------------------------------------------------------

u, image = S.indices("s′ s1")
kernel = law("P", S, given=[S, A])
policy = law("π", A, given=[S])
value = function("f", S)


def next_state(state: Index) -> Apply:
    """P(s′∣s, a)."""
    return kernel(state, s, a)


def entropy_of_next_state() -> Term:
    """−Σ_s′ P(s′∣s, a) log P(s′∣s, a): how random the next state is, given s and a."""
    return E(next_state(u), -log(next_state(u)))


certain = assume("P is 0 or 1", next_state(u) ** 2, "=", next_state(u), for_all=[u, s, a])
MARGINAL = E(policy(a, s), next_state(image))


def _a_coin_decides(first: Fraction = Fraction(1, 2)) -> World:
    """Two states, two actions: the action is the next state, and a coin chooses it."""
    moves = {(k, at, c): int(k == c) for k in (0, 1) for at in (0, 1) for c in (0, 1)}
    coin = {(c, at): 1 - first if c else first for c in (0, 1) for at in (0, 1)}
    return world({S: 2, A: 2}, {kernel: moves, policy: coin}, indices={s: 0, image: 0})


CLAIMS = (
    Claim(
        section="I",
        tag="B I",
        quote="the table of general RL against LLM: environment, agent, action, state, reward, policy, goal",
        reading="One object has all of its rows: a token MDP.",
        main=Definition(
            "DEF.1",
            "the token MDP: states are prompts with the tokens so far, actions tokens, dynamics append, the score ends it",
            "toy_envs.token_mdp:TokenMDP",
        ),
        parts=(
            Assertion(
                "DEF.1.return",
                "its return is γᵗ times the score, t the number of tokens before the last: at γ = 1 the goal is the score",
                "proved",
                statement(
                    returns(prefix) + weight(prefix) * score(prefix, token),
                    "=",
                    weight(prefix) * score(prefix, token),
                    standing=[silent],
                    recursions=[weight_law, return_law],
                ),
                ByCalculation((lemma("DEF.1.before"),)),
            ),
            Assertion(
                "DEF.1.before",
                "nothing is earned before the last token",
                "proved",
                statement(returns(prefix), "=", 0, standing=[silent], recursions=[weight_law, return_law]),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="I",
        tag="B III",
        quote="the states are always stochastically modeled",
        reading=(
            "Main statement: the next state is random, given s and a: the entropy of P(·∣s, a) is positive. As “a kernel "
            "P(s′∣s, a) describes them” it is true of every MDP: a deterministic map is the Dirac kernel."
        ),
        main=Assertion(
            "DEF.2",
            "the next state is random, given state and action",
            "conditional",
            statement(
                entropy_of_next_state(),
                ">",
                0,
                assuming=[
                    assume("0 < P(s1∣s, a) < 1 for some s1", next_state(image) * (1 - next_state(image)), ">", 0)
                ],
            ),
            begin(entropy_of_next_state()).then(">", 0, strictly(image)),
        ),
        parts=(
            Assertion(
                "DEF.2.kernel",
                "the kernel of a map that takes s and a to s1 sums to one",
                "proved",
                statement(Sum(u, Delta(u, image)), "=", 1),
            ),
            Assertion(
                "DEF.2.dirac",
                "and the expectation under it is the value at s1",
                "proved",
                statement(Sum(u, Delta(u, image) * value(u)), "=", value(image)),
            ),
            Assertion(
                "DEF.2.token",
                "in a token MDP, where P is 0 or 1, the next state is random given s and a",
                "refuted",
                statement(entropy_of_next_state(), ">", 0, standing=[certain]),
            ),
            Assertion(
                "DEF.2.certain",
                "there it has no entropy at all",
                "proved",
                statement(entropy_of_next_state(), "=", 0, standing=[certain]),
            ),
            Assertion(
                "DEF.2.actions",
                "states are random there through the actions only: some state has a probability strictly between 0 and 1",
                "proved",
                statement(MARGINAL * (1 - MARGINAL), ">", 0, standing=[certain], exists=True),
                worlds=(_a_coin_decides(), _a_coin_decides(Fraction(1, 3))),
            ),
        ),
        believe=(
            "A transition is a law of the next state, a deterministic one a Dirac law. In the token MDP only the "
            "actions are random."
        ),
    ),
)

__all__ = ["CLAIMS"]
