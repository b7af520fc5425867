"""Copy-v0: what is scored and what is wanted, and how far apart they are."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import exp

import pytest
from walking import finished

from toy_envs import COPY
from toy_envs.copying import careless
from toy_envs.token_mdp import Tokens

PAIRS = list(finished(COPY))
assert COPY.true_reward is not None
TRUE = {pair: Fraction(COPY.true_reward(*pair)) for pair in PAIRS}
PROXY = {pair: Fraction(COPY.reward(*pair)).limit_denominator(5) for pair in PAIRS}


def written(x: Tokens, y: Tokens) -> Fraction:
    """The probability of a response under the careless writer."""
    found = Fraction(1)
    for place, token in enumerate(y):
        found *= careless(x, y[:place])[token]
    return found


WRITTEN = {pair: written(*pair) for pair in PAIRS}


def optimal_true_reward(beta: float) -> float:
    """E_{π*}[r*] for π* ∝ π_ref exp(r/β), π_ref the careless writer: the proxy's optimal policy, and what it is worth."""
    weights = {pair: float(p) * exp(float(PROXY[pair]) / beta) for pair, p in WRITTEN.items()}
    z: dict[Tokens, float] = dict.fromkeys(COPY.prompts, 0.0)
    for (x, _), weight in weights.items():
        z[x] += weight
    return sum(weight / z[pair[0]] * float(TRUE[pair]) for pair, weight in weights.items()) / len(COPY.prompts)


@pytest.mark.parametrize(
    ("prompt", "response", "proxy", "true"),
    [
        ("abc", "abc.", 3 / 5, 1),
        ("abc", "abcab", 1, 0),
        ("abc", "aaaaa", 1, 0),
        ("aab", "aab.", 3 / 5, 1),
        ("aab", "cccc.", 0, 0),
        ("aab", "aacc.", 2 / 5, 0),
        ("aab", ".", 0, 0),
        ("aab", "aabb.", 4 / 5, 0),
    ],
)
def test_both_rewards_by_hand(prompt: str, response: str, proxy: float, true: float) -> None:
    pair = COPY.encode(prompt), COPY.encode(response)
    assert COPY.is_over(pair[1])
    assert COPY.reward(*pair) == pytest.approx(proxy)
    assert COPY.true_reward is not None and COPY.true_reward(*pair) == true


def test_one_response_to_each_prompt_is_a_copy() -> None:
    assert len(PAIRS) == COPY.responses()
    assert [(COPY.text(x), COPY.text(y)) for (x, y), score in TRUE.items() if score] == [
        (text, f"{text}.") for text in reversed(["".join(symbols) for symbols in product("abc", repeat=3)])
    ]


def test_no_copy_has_the_best_proxy_reward() -> None:
    """The best are the symbols of the prompt five times over: 1, 2 or 3 to the power of 5 for each prompt."""
    best = [pair for pair in PAIRS if PROXY[pair] == 1]
    assert max(PROXY.values()) == 1 and not any(TRUE[pair] for pair in best)
    assert len(best) == sum(len(set(x)) ** 5 for x in COPY.prompts) == 3 * 1 + 18 * 2**5 + 6 * 3**5
    assert {PROXY[pair] for pair in PAIRS if TRUE[pair]} == {Fraction(3, 5)}


def test_what_the_careless_writer_is_worth_exactly() -> None:
    share = Fraction(1, len(COPY.prompts))
    assert sum(WRITTEN.values()) * share == 1
    copies = sum(WRITTEN[pair] * TRUE[pair] for pair in PAIRS) * share
    assert copies == Fraction(7, 10) ** 3 * Fraction(3, 5) == Fraction(1029, 5000)


def test_the_proxy_helps_at_first_and_then_ruins() -> None:
    """Over-optimisation: the less the penalty, the better the proxy; the true reward rises, and falls below the start."""
    start = float(Fraction(1029, 5000))
    betas = (5.0, 2.0, 1.0, 0.5, 0.3, 0.2, 0.1, COPY.beta)
    worth = [optimal_true_reward(beta) for beta in betas]
    assert worth == pytest.approx(
        [0.209812, 0.214968, 0.221192, 0.224796, 0.213322, 0.180824, 0.066264, 0.002366], abs=1e-6
    )
    top = worth.index(max(worth))
    assert worth[: top + 1] == sorted(worth[: top + 1]) and worth[top:] == sorted(worth[top:], reverse=True)
    assert worth[0] > start > worth[-1]
    assert optimal_true_reward(1e6) == pytest.approx(start, abs=1e-5)
