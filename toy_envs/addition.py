"""Addition-v0: the sum of two digits, right or wrong."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path

from toy_envs.demonstrations import Writer
from toy_envs.token_env import TokenEnv
from toy_envs.token_mdp import TokenMDP, Tokens
from toy_envs.token_vector_env import TokenVectorEnv

DIGITS = 10
PLUS, EQUALS, END = 10, 11, 12
VOCABULARY = (*map(str, range(DIGITS)), "+", "=", ".")
PLACES = 2  # two digits, or one and the end token
PROMPTS = tuple((first, PLUS, second, EQUALS) for first, second in product(range(DIGITS), repeat=2))

SLIP = Fraction(1, 10)  # of a careless writer: he then writes any token at all


def number(value: int) -> Tokens:
    """How a number of one or two digits is written: 7 as `7.`, 12 as `12`."""
    return (value, END) if value < DIGITS else (value // DIGITS, value % DIGITS)


def correct(prompt: Tokens, response: Tokens) -> float:
    """Whether the response is the sum of the two digits of the prompt.

    r(x, y) = [y = a + b] for the prompt a+b=, a verifiable reward. One response in 157 to each prompt earns it.
    """
    first, _, second, _ = prompt
    return float(response == number(first + second))


def attempts(prompt: Tokens) -> dict[Tokens, Fraction]:
    """What a careless writer means to write: the sum, the sum without its carry, or a number one off."""
    first, _, second, _ = prompt
    total = first + second
    found: dict[Tokens, Fraction] = {}
    for value, chance in (
        (total, Fraction(1, 2)),
        (total % DIGITS, Fraction(1, 4)),
        (total + 1, Fraction(1, 8)),
        (abs(total - 1), Fraction(1, 8)),
    ):
        found[number(value)] = found.get(number(value), Fraction(0)) + chance
    return found


def careless(prompt: Tokens, tokens: Tokens) -> tuple[Fraction, ...]:
    """The careless writer's law of the next token: `attempts`, with a slip at each token. Nothing is impossible."""
    meant = {answer: chance for answer, chance in attempts(prompt).items() if answer[: len(tokens)] == tokens}
    if not meant:  # after a slip, any token follows
        return (Fraction(1, len(VOCABULARY)),) * len(VOCABULARY)
    total = sum(meant.values())
    return tuple(
        SLIP / len(VOCABULARY)
        + (1 - SLIP) * sum((c for answer, c in meant.items() if answer[len(tokens)] == token), Fraction(0)) / total
        for token in range(len(VOCABULARY))
    )


ADDITION = TokenMDP(
    name="toy_envs/Addition-v0",
    vocabulary=VOCABULARY,
    horizon=PLACES,
    reward=correct,
    beta=0.2,
    prompts=PROMPTS,
    end=END,
    demonstrations=Writer(careless, PLACES, END, PROMPTS),
    reference=Path(__file__).parent / "data" / "addition-v0.safetensors",
)


class AdditionEnv(TokenEnv):
    """
    A prompt asks for the sum of two digits, and the right answer earns 1.

    ## Description
    A token MDP (claim DEF.1; source B I) with 100 prompts and a verifiable reward: 15700 responses on 1300 prefixes.
    The reference policy is pretrained on a careless writer, who forgets the carry, is one off, and slips; β is 0.2.

    ## Action Space
    `Discrete(13)`: the next token: a digit 0 to 9, `+` (10), `=` (11), or the end token (12), which is written `.`.

    ## Observation Space
    `MultiDiscrete([14, 14, 14, 14, 14, 14])`: the prompt and the tokens so far; the places after them hold 13.

    ## Starting State
    A prompt `a+b=`, all 100 with the same probability, and an empty response. `reset(options={"prompt": 10 * a + b})`
    begins with that prompt.

    ## Rewards
    With the last token 1 if the response is the sum, else 0. A sum below ten is one digit and the end token, as `7.`;
    any other is two digits, as `12`, and no end token follows them, for there is no place left.

    ## Episode End
    The episode terminates with the end token, or with the second token. It is never truncated.

    ## Information
    `step()` and `reset()` return a dict with the following keys:
    - "prompt" - the tokens of the prompt, a tuple.
    - "response" - the tokens so far, a tuple.

    ## Arguments

    ```python
    import gymnasium
    import toy_envs

    gymnasium.make("toy_envs/Addition-v0", render_mode="ansi")
    ```

    `render_mode` is None, or "ansi" for a line of text such as `7+5= → 1·`.

    ## Version History
    - v0: Initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(ADDITION, render_mode)


class AdditionVectorEnv(TokenVectorEnv):
    """`num_envs` episodes of Addition-v0 at once, with the arguments of TokenVectorEnv."""

    def __init__(self, num_envs: int = 1, render_mode: str | None = None) -> None:
        super().__init__(ADDITION, num_envs, render_mode)
