"""Writing a response token by token, as a Markov decision process: what General RL and the LLM context share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

import numpy as np

from toy_envs.checks import is_index
from toy_envs.errors import BadInput

Tokens = tuple[int, ...]

Pair = tuple[Tokens, Tokens, Tokens]
"""A prompt, the response that was preferred, and the one that was not."""


@dataclass(frozen=True)
class TokenMDP:
    """A token MDP: a state is the prompt and the tokens so far, an action the next token, and the last one is scored.

    s_t = (x, y_0 … y_{t−1}),  a_t = y_t,  P(s_{t+1}∣s_t, a_t) = [s_{t+1} = (x, y_0 … y_t)],
    ρ(s_0) = P(x),  r_t = 0 but for the last token, where it is r(x, y).

    A token is its position in the vocabulary, V is the number of tokens, and steps are counted from 0.

    Arguments:
        name: what it is registered under, "toy_envs/Sorting-v0".
        vocabulary: V different symbols, one printable character each.
        horizon: the most tokens in a response, at least 1.
        reward: (prompt, response) ↦ the score r(x, y) of a finished response, on which a policy is trained.
        beta: the KL coefficient β > 0, in units of reward per nat.
        prompts: different ones, all of one length, which may be 0.
        prompt_probabilities: P(x) in the order of `prompts`, positive, of sum 1; None is uniform.
        end: the token that ends a response early and is its last one; None where every response has `horizon` tokens.
        demonstrations: (generator, n) ↦ n samples of (prompt, response) on which a reference policy is pretrained.
        pairs: (generator, n) ↦ n pairs of responses of which one was preferred, by someone who knows the true reward; None
            where no such are at hand.
        reference: the file of the pretrained reference policy's weights. It need not exist.
        true_reward: (prompt, response) ↦ what is really wanted, where `reward` is a proxy that can be gamed; nothing is
            trained on it. None where `reward` is what is wanted.

    Raises BadInput where an argument is not as said here.

    Claim DEF.1. Source: B, table of section I (B I). B's T is the index of the last step; `horizon` is the number of
    tokens, so that the last step of the longest response has the index horizon − 1.
    """

    name: str
    vocabulary: tuple[str, ...]
    horizon: int
    reward: Callable[[Tokens, Tokens], float]
    beta: float
    prompts: tuple[Tokens, ...] = ((),)
    prompt_probabilities: tuple[float, ...] | None = None
    end: int | None = None
    demonstrations: Callable[[np.random.Generator, int], list[tuple[Tokens, Tokens]]] | None = None
    pairs: Callable[[np.random.Generator, int], list[Pair]] | None = None
    reference: Path | None = None
    true_reward: Callable[[Tokens, Tokens], float] | None = None

    def __post_init__(self) -> None:
        _check_vocabulary(self.vocabulary)
        if not (_is_count(self.horizon) and self.horizon >= 1):
            raise BadInput(f"horizon is {self.horizon!r}; expected a number of tokens, 1 or more")
        if not (isfinite(self.beta) and self.beta > 0):
            raise BadInput(f"beta is {self.beta!r}; expected a positive number")
        _check_prompts(self.prompts, self.size)
        if self.prompt_probabilities is not None:
            _check_law(self.prompt_probabilities, len(self.prompts))
        if self.end is not None and not is_index(self.end, self.size):
            raise BadInput(f"end is {self.end!r}; expected None or {_a_token_of(self.size)}")

    def judged_by(self, learned: Callable[[Tokens, Tokens], float]) -> TokenMDP:
        """The world in which the reward is hidden: scored by a learned one, with its own as the true one."""
        return replace(self, reward=learned, true_reward=self.true_reward or self.reward)

    @property
    def size(self) -> int:
        """V, the number of tokens in the vocabulary."""
        return len(self.vocabulary)

    @property
    def prompt_length(self) -> int:
        """The number of tokens in each prompt."""
        return len(self.prompts[0])

    @property
    def prompt_law(self) -> tuple[float, ...]:
        """P(x) in the order of `prompts`, uniform where none was given."""
        return self.prompt_probabilities or (1 / len(self.prompts),) * len(self.prompts)

    def is_over(self, response: Tokens) -> bool:
        """Whether a response is finished: the end token was written, or there are `horizon` tokens."""
        return len(response) >= self.horizon or self.end in response

    def prefixes(self) -> int:
        """How many states can still be extended: as often a policy is evaluated to know every probability.

        |prompts| · Σ_{t<horizon} m^t, where m of the V tokens do not end the response: V, or V − 1 with an end token.
        """
        return len(self.prompts) * sum(self._unending**length for length in range(self.horizon))

    def responses(self) -> int:
        """How many finished responses there are, counted once for each prompt: the leaves, where prefixes are the forks.

        (V − m) · prefixes + |prompts| · m^horizon, with m as in `prefixes`: ended at a prefix, or by the horizon.
        """
        ended = (self.size - self._unending) * self.prefixes()
        return ended + len(self.prompts) * self._unending**self.horizon

    def text(self, tokens: Tokens) -> str:
        """The symbols of some tokens, written one after the other. Raises BadInput where one is no token."""
        for place, token in enumerate(tokens):
            if not is_index(token, self.size):
                raise BadInput(f"tokens[{place}] is {token!r}; expected {_a_token_of(self.size)}")
        return "".join(self.vocabulary[token] for token in tokens)

    def encode(self, text: str) -> Tokens:
        """The tokens of a text, one for each character. Raises BadInput where one is no symbol of the vocabulary."""
        for place, symbol in enumerate(text):
            if symbol not in self.vocabulary:
                raise BadInput(f"text[{place}] is {symbol!r}; expected one of {' '.join(map(repr, self.vocabulary))}")
        return tuple(self.vocabulary.index(symbol) for symbol in text)

    @property
    def _unending(self) -> int:
        """How many tokens do not end a response."""
        return self.size if self.end is None else self.size - 1


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _a_token_of(size: int) -> str:
    return f"a token, 0 to {size - 1}"


def _check_vocabulary(vocabulary: tuple[str, ...]) -> None:
    if len(vocabulary) < 2:
        raise BadInput(f"vocabulary is {vocabulary!r}; expected 2 symbols or more")
    for symbol in vocabulary:
        if not (len(symbol) == 1 and symbol.isprintable()):
            raise BadInput(f"vocabulary has {symbol!r}; expected symbols of one printable character each")
        if vocabulary.count(symbol) > 1:
            raise BadInput(f"vocabulary has {symbol!r} {vocabulary.count(symbol)} times; expected different symbols")


def _check_prompts(prompts: tuple[Tokens, ...], size: int) -> None:
    if not prompts:
        raise BadInput("prompts is empty; expected one prompt or more; the prompt without tokens is ()")
    lengths = sorted({len(prompt) for prompt in prompts})
    if len(lengths) > 1:
        raise BadInput(f"prompts have the lengths {', '.join(map(str, lengths))}; expected all of one length")
    for place, prompt in enumerate(prompts):
        if not all(is_index(token, size) for token in prompt):
            raise BadInput(f"prompts[{place}] is {prompt!r}; expected each entry to be {_a_token_of(size)}")
        first = prompts.index(prompt)
        if first < place:
            raise BadInput(f"prompts[{place}] is {prompt!r}, as is prompts[{first}]; expected different prompts")


def _check_law(law: tuple[float, ...], count: int) -> None:
    if len(law) != count:
        raise BadInput(f"prompt_probabilities has {len(law)} entries; expected one for each of the {count} prompts")
    for place, probability in enumerate(law):
        if not probability > 0:  # so that a NaN is refused as well
            raise BadInput(f"prompt_probabilities[{place}] is {probability!r}; expected a positive number")
    if abs(sum(law) - 1) > 1e-9:
        raise BadInput(f"prompt_probabilities sum to {sum(law)!r}; expected 1")
