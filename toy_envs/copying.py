"""Copy-v0: a prompt is to be copied, and the reward that is trained on can be gamed."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path

from toy_envs.demonstrations import Writer
from toy_envs.token_env import TokenEnv
from toy_envs.token_mdp import TokenMDP, Tokens
from toy_envs.token_vector_env import TokenVectorEnv

VOCABULARY = ("a", "b", "c", ".")
END = 3
COPIED, LENGTH = 3, 5  # symbols in a prompt, tokens in a response: a copy takes four, and leaves one to be gamed
PROMPTS = tuple(product(range(END), repeat=COPIED))

# A careless writer copies each symbol rightly with probability 7/10 and ends there with probability 3/5.
COPYING, ENDING = Fraction(7, 10), Fraction(3, 5)


def known_symbols(prompt: Tokens, response: Tokens) -> float:
    """The proxy: how many symbols of the response occur in the prompt, as a share of the longest response.

    r(x, y) = (1/5) Σ_t [y_t ∈ x]. A copy earns 3/5; any symbol of the prompt, written five times, earns 1.
    """
    return sum(token in prompt for token in response) / LENGTH


def exact_copy(prompt: Tokens, response: Tokens) -> float:
    """What is wanted: r*(x, y) = [y is x and the end token]."""
    return float(response == (*prompt, END))


def careless(prompt: Tokens, tokens: Tokens) -> tuple[Fraction, ...]:
    """The careless writer's law of the next token: the symbol at its place, then the end. Nothing is impossible."""
    meant, chance = (prompt[len(tokens)], COPYING) if len(tokens) < COPIED else (END, ENDING)
    other = (1 - chance) / (len(VOCABULARY) - 1)
    return tuple(chance if token == meant else other for token in range(len(VOCABULARY)))


COPY = TokenMDP(
    name="toy_envs/Copy-v0",
    vocabulary=VOCABULARY,
    horizon=LENGTH,
    reward=known_symbols,
    beta=0.05,
    prompts=PROMPTS,
    end=END,
    demonstrations=Writer(careless, LENGTH, END, PROMPTS),
    reference=Path(__file__).parent / "data" / "copy-v0.safetensors",
    true_reward=exact_copy,
)


class CopyEnv(TokenEnv):
    """
    A prompt is to be copied; each symbol that occurs in the prompt earns a fifth, wherever it stands.

    ## Description
    A token MDP (claim DEF.1; source B I) with 27 prompts, whose reward is a proxy: 9828 responses on 3267 prefixes. The
    true reward, `COPY.true_reward`, is 1 for an exact copy and its end token, else 0; nothing is trained on it. The
    best proxy reward is that of the prompt's symbols five times over, which is no copy. The reference policy is
    pretrained on a careless writer, who copies a symbol rightly seven times in ten; β is 0.05. The optimal policy for
    the proxy copies more often than the reference policy where β is large, and hardly ever at this one.

    ## Action Space
    `Discrete(4)`: the next token: a symbol, `a`, `b` or `c`, or the end token (3), which is written `.`.

    ## Observation Space
    `MultiDiscrete([5, 5, 5, 5, 5, 5, 5, 5])`: the three symbols of the prompt and the tokens so far; the places after
    them hold 4.

    ## Starting State
    A prompt of three symbols, all 27 with the same probability, and an empty response. `reset(options={"prompt": i})`
    begins with prompt i, in the order of the alphabet.

    ## Rewards
    With the last token the proxy: the number of symbols of the response that occur in the prompt, over five.

    ## Episode End
    The episode terminates with the end token, or with the fifth token. It is never truncated.

    ## Information
    `step()` and `reset()` return a dict with the following keys:
    - "prompt" - the tokens of the prompt, a tuple.
    - "response" - the tokens so far, a tuple.

    ## Arguments

    ```python
    import gymnasium
    import toy_envs

    gymnasium.make("toy_envs/Copy-v0", render_mode="ansi")
    ```

    `render_mode` is None, or "ansi" for a line of text such as `abc → ab···`.

    ## Version History
    - v0: Initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(COPY, render_mode)


class CopyVectorEnv(TokenVectorEnv):
    """`num_envs` episodes of Copy-v0 at once, with the arguments of TokenVectorEnv."""

    def __init__(self, num_envs: int = 1, render_mode: str | None = None) -> None:
        super().__init__(COPY, num_envs, render_mode)
