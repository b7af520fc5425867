"""What a reference policy is pretrained on: a writer whose every probability is known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate

import numpy as np

from toy_envs.errors import BadInput
from toy_envs.token_mdp import Tokens

Law = Callable[[Tokens, Tokens], tuple[Fraction, ...]]
"""(prompt, tokens so far) ↦ the probability of each next token."""


@dataclass(frozen=True)
class Writer:
    """Writes responses token by token with the exact law w(a∣x, y_<t); called, it gives demonstrations.

    `law` gives w, `horizon` and `end` are those of the token MDP, and a prompt is drawn uniformly from `prompts`. A call
    raises BadInput where what `law` gives is no law.
    """

    law: Law
    horizon: int
    end: int | None = None
    prompts: tuple[Tokens, ...] = ((),)

    def __call__(self, generator: np.random.Generator, count: int) -> list[tuple[Tokens, Tokens]]:
        """So many independent samples (prompt, response)."""
        several = len(self.prompts) > 1
        drawn = generator.integers(len(self.prompts), size=count).tolist() if several else [0] * count
        written: list[list[int]] = [[] for _ in range(count)]
        for _ in range(self.horizon):
            # One number for each row, also for those that have ended: what is drawn depends on no other row.
            for prompt, tokens, uniform in zip(drawn, written, generator.random(count).tolist(), strict=True):
                if self.end is None or self.end not in tokens:
                    tokens.append(bisect_right(_steps(self.law, self.prompts[prompt], tuple(tokens)), uniform))
        return [(self.prompts[prompt], tuple(tokens)) for prompt, tokens in zip(drawn, written, strict=True)]


@lru_cache(maxsize=2**14)
def _steps(law: Law, prompt: Tokens, tokens: Tokens) -> tuple[float, ...]:
    """The distribution function of the next token, without its last value, which may be rounded to less than one."""
    found = law(prompt, tokens)
    if min(found) < 0 or sum(found) != 1:
        raise BadInput(
            f"law: {', '.join(map(str, found))} after the prompt {prompt} and the tokens {tokens}; "
            "expected probabilities, of sum 1"
        )
    return tuple(accumulate(map(float, found)))[:-1]
