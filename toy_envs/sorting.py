"""Sorting-v0: five digits, the better the more of them ascend."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from toy_envs.demonstrations import Writer
from toy_envs.token_env import TokenEnv
from toy_envs.token_mdp import TokenMDP, Tokens
from toy_envs.token_vector_env import TokenVectorEnv

DIGITS, LENGTH = 6, 5

# A careless writer begins low and then stays near the last digit, up or down alike: the first digit is i with
# probability (6 − i)/21, and the next is j with weight 4, 8, 4, 2, 1, 1 at the distance 0 … 5 from i. Nothing is
# impossible, so the reference policy has full support, and π* is about 3.9 nats away.
FIRST = tuple(Fraction(DIGITS - digit, 21) for digit in range(DIGITS))
_WEIGHTS = tuple(tuple((4, 8, 4, 2, 1, 1)[abs(i - j)] for j in range(DIGITS)) for i in range(DIGITS))
NEXT = tuple(tuple(Fraction(weight, sum(row)) for weight in row) for row in _WEIGHTS)


def ascending_share(prompt: Tokens, response: Tokens) -> float:
    """The share of neighbouring pairs of the response that ascend strictly; the prompt plays no part.

    r(x, y) = (1/4) Σ_{t<4} [y_t < y_{t+1}], one of 0, 1/4, …, 1.
    """
    return sum(first < second for first, second in pairwise(response)) / (LENGTH - 1)


def careless(prompt: Tokens, tokens: Tokens) -> tuple[Fraction, ...]:
    """The careless writer's law of the next digit: a Markov chain with the laws FIRST and NEXT."""
    return NEXT[tokens[-1]] if tokens else FIRST


SORTING = TokenMDP(
    name="toy_envs/Sorting-v0",
    vocabulary=tuple(str(digit) for digit in range(DIGITS)),
    horizon=LENGTH,
    reward=ascending_share,
    beta=0.05,
    demonstrations=Writer(careless, LENGTH),
    reference=Path(__file__).parent / "data" / "sorting-v0.safetensors",
)


class SortingEnv(TokenEnv):
    """
    Five digits are written one after the other, and each neighbouring pair that ascends earns a quarter.

    ## Description
    A token MDP (claim DEF.1; source B I) without prompt or end token, small enough that the objective, its gradient
    and the optimal policy are computed exactly: 7776 responses on 1555 prefixes. The reference policy is pretrained on
    a careless writer, who begins low and stays near the last digit, up or down alike; β is 0.05.

    ## Action Space
    `Discrete(6)`: the next digit, 0 to 5.

    ## Observation Space
    `MultiDiscrete([7, 7, 7, 7, 7])`: the digits so far; the places after them hold 6.

    ## Starting State
    No digit is written: `[6, 6, 6, 6, 6]`.

    ## Rewards
    With the fifth digit the share of the four neighbouring pairs that ascend strictly: 0, 1/4, 1/2, 3/4 or 1. Before
    it 0. Six responses have the score 1, one for each digit that is left out.

    ## Episode End
    The episode terminates with the fifth digit. It is never truncated.

    ## Information
    `step()` and `reset()` return a dict with the following keys:
    - "prompt" - the empty tuple.
    - "response" - the digits so far, a tuple.

    ## Arguments

    ```python
    import gymnasium
    import toy_envs

    gymnasium.make("toy_envs/Sorting-v0", render_mode="ansi")
    ```

    `render_mode` is None, or "ansi" for a line of text such as `→ 013··`.

    ## Version History
    - v0: Initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(SORTING, render_mode)


class SortingVectorEnv(TokenVectorEnv):
    """`num_envs` episodes of Sorting-v0 at once, with the arguments of TokenVectorEnv."""

    def __init__(self, num_envs: int = 1, render_mode: str | None = None) -> None:
        super().__init__(SORTING, num_envs, render_mode)
