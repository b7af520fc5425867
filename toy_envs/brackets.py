"""Brackets-v0: up to six brackets of two kinds, the more the better, if all of them match."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from toy_envs.demonstrations import Writer
from toy_envs.token_env import TokenEnv
from toy_envs.token_mdp import TokenMDP, Tokens
from toy_envs.token_vector_env import TokenVectorEnv

VOCABULARY = ("(", ")", "[", "]", ".")
END = 4
CLOSING = {0: 1, 2: 3}  # the bracket that closes each opening one
MOST = 6  # brackets; the seventh token can only be the end

# A careless writer looks at the last token only, and so forgets what else is open: he opens, closes what he has just
# opened, and goes on in either way. Nothing is impossible, so the reference policy has full support.
FIRST = tuple(Fraction(weight, 16) for weight in (7, 1, 6, 1, 1))
NEXT = {
    0: tuple(Fraction(weight, 16) for weight in (3, 9, 2, 1, 1)),
    1: tuple(Fraction(weight, 16) for weight in (2, 5, 1, 2, 6)),
    2: tuple(Fraction(weight, 16) for weight in (2, 1, 3, 9, 1)),
    3: tuple(Fraction(weight, 16) for weight in (2, 2, 1, 5, 6)),
}


def pairs(response: Tokens) -> int | None:
    """How many pairs of brackets stand before the end token; None where they do not match or there is no end token."""
    if END not in response:
        return None
    unclosed: list[int] = []
    written = response[: response.index(END)]
    for token in written:
        if token in CLOSING:
            unclosed.append(CLOSING[token])
        elif not unclosed or unclosed.pop() != token:
            return None
    return None if unclosed else len(written) // 2


def matched_share(prompt: Tokens, response: Tokens) -> float:
    """How many pairs of matching brackets there are, as a share of the greatest possible; the prompt plays no part.

    r(x, y) = pairs(y)/3 if all brackets match and the response ends, else 0: one of 0, 1/3, 2/3, 1.
    """
    return (pairs(response) or 0) / (MOST // 2)


def careless(prompt: Tokens, tokens: Tokens) -> tuple[Fraction, ...]:
    """The careless writer's law of the next token: a Markov chain with the laws FIRST and NEXT."""
    return NEXT[tokens[-1]] if tokens else FIRST


BRACKETS = TokenMDP(
    name="toy_envs/Brackets-v0",
    vocabulary=VOCABULARY,
    horizon=MOST + 1,
    reward=matched_share,
    beta=0.1,
    end=END,
    demonstrations=Writer(careless, MOST + 1, END),
    reference=Path(__file__).parent / "data" / "brackets-v0.safetensors",
)


class BracketsEnv(TokenEnv):
    """
    Brackets of two kinds are written and ended; if all of them match, each pair earns a third.

    ## Description
    A token MDP (claim DEF.1; source B I) without prompt and with an end token, so that lengths vary: 21845 responses on
    5461 prefixes. The reference policy is pretrained on a careless writer, who looks at the last token only; what is
    open must be remembered to match it. β is 0.1.

    ## Action Space
    `Discrete(5)`: the next token, `(`, `)`, `[`, `]` or the end token, which is written `.`.

    ## Observation Space
    `MultiDiscrete([6, 6, 6, 6, 6, 6, 6])`: the tokens so far; the places after them hold 5.

    ## Starting State
    No token is written: `[5, 5, 5, 5, 5, 5, 5]`.

    ## Rewards
    With the last token, where that is the end token and every bracket is closed by its own kind in the right order:
    a third for each pair, so 0 for no bracket, 1/3 for `().`, 2/3 for `([]).` and 1 for `([])().`. Else 0. Of the 51
    responses that match, 40 have the score 1.

    ## Episode End
    The episode terminates with the end token, or with the seventh token. It is never truncated.

    ## Information
    `step()` and `reset()` return a dict with the following keys:
    - "prompt" - the empty tuple.
    - "response" - the tokens so far, a tuple.

    ## Arguments

    ```python
    import gymnasium
    import toy_envs

    gymnasium.make("toy_envs/Brackets-v0", render_mode="ansi")
    ```

    `render_mode` is None, or "ansi" for a line of text such as `→ ([]····`.

    ## Version History
    - v0: Initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(BRACKETS, render_mode)


class BracketsVectorEnv(TokenVectorEnv):
    """`num_envs` episodes of Brackets-v0 at once, with the arguments of TokenVectorEnv."""

    def __init__(self, num_envs: int = 1, render_mode: str | None = None) -> None:
        super().__init__(BRACKETS, num_envs, render_mode)
