"""Token MDPs: what a state, a finished response and a text are, how many there are, and what is no token MDP."""

from __future__ import annotations

import pickle
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from echo_mdp import echo_mdp

from toy_envs import BadInput, TokenMDP


def walk(mdp: TokenMDP) -> tuple[int, int]:
    """Prefixes and finished responses, counted by writing each of them from its prompt on."""
    extended, finished = 0, 0
    for _ in mdp.prompts:
        waiting: list[tuple[int, ...]] = [()]
        while waiting:
            response = waiting.pop()
            if len(response) == mdp.horizon or (mdp.end is not None and response and response[-1] == mdp.end):
                finished += 1
            else:
                extended += 1
                waiting += [(*response, token) for token in range(mdp.size)]
    return extended, finished


@pytest.mark.parametrize(
    ("size", "horizon", "end", "prompts"),
    [
        (size, horizon, end, prompts)
        for size, horizon in product((2, 3, 4), (1, 2, 5))
        for end in (None, 0, size - 1)
        for prompts in (((),), ((0, 1), (1, 0), (1, 1)))
    ],
)
def test_counts_are_those_of_the_written_tree(
    size: int, horizon: int, end: int | None, prompts: tuple[tuple[int, ...], ...]
) -> None:
    mdp = echo_mdp(
        vocabulary=tuple("abcd"[:size]), horizon=horizon, end=end, prompts=prompts, prompt_probabilities=None
    )
    assert (mdp.prefixes(), mdp.responses()) == walk(mdp)
    # Each extension is a prefix that is no prompt, or a finished response.
    assert mdp.prefixes() * mdp.size == mdp.prefixes() - len(prompts) + mdp.responses()


def test_a_tree_too_large_to_write_is_counted_exactly() -> None:
    mdp = echo_mdp(vocabulary=tuple("0123456789"), horizon=30, end=None, prompts=((),), prompt_probabilities=None)
    assert mdp.prefixes() == int("1" * 30)
    assert mdp.responses() == 10**30


@pytest.mark.parametrize("end", [None, 2])
def test_over_at_the_end_token_or_at_the_horizon(end: int | None) -> None:
    mdp = echo_mdp(end=end)
    for length in range(mdp.horizon + 1):
        for response in product(range(mdp.size), repeat=length):
            ended = end is not None and "2" in "".join(map(str, response))
            assert mdp.is_over(response) is (ended or length == 4)


def test_an_end_token_of_index_zero_ends() -> None:
    mdp = echo_mdp(end=0)
    assert mdp.is_over((1, 0)) and not mdp.is_over(()) and not mdp.is_over((1, 2))


def test_size_prompt_length_and_the_law_of_the_prompts(echo: TokenMDP) -> None:
    assert (echo.size, echo.prompt_length) == (3, 2)
    assert echo.prompt_law == (0.5, 0.25, 0.25)
    assert echo_mdp(prompt_probabilities=None).prompt_law == (1 / 3, 1 / 3, 1 / 3)
    assert echo_mdp(prompts=((),), prompt_probabilities=None).prompt_length == 0


def test_text_and_back(echo: TokenMDP) -> None:
    assert echo.text((0, 1, 1, 2)) == "abb."
    assert echo.text(()) == "" and echo.encode("") == ()
    assert echo.text(tuple(np.array([1, 2]))) == "b."
    for tokens in product(range(3), repeat=3):
        assert echo.encode(echo.text(tokens)) == tokens


def test_frozen_hashable_and_picklable(echo: TokenMDP) -> None:
    with pytest.raises(AttributeError):
        echo.horizon = 5  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(echo)) == echo and hash(echo) == hash(echo_mdp())


def test_the_file_of_the_reference_need_not_exist() -> None:
    nowhere = Path("nowhere") / "weights.safetensors"
    assert echo_mdp(reference=nowhere).reference == nowhere


BAD: list[tuple[dict[str, Any], str]] = [
    ({"vocabulary": ("a",)}, "vocabulary is ('a',); expected 2 symbols or more"),
    ({"vocabulary": ("a", "bc", ".")}, "vocabulary has 'bc'; expected symbols of one printable character each"),
    ({"vocabulary": ("a", "", ".")}, "vocabulary has ''; expected symbols of one printable character each"),
    ({"vocabulary": ("a", "\n", ".")}, "vocabulary has '\\n'; expected symbols of one printable character each"),
    ({"vocabulary": ("a", "b", "a")}, "vocabulary has 'a' 2 times; expected different symbols"),
    ({"horizon": 0}, "horizon is 0; expected a number of tokens, 1 or more"),
    ({"horizon": 2.5}, "horizon is 2.5; expected a number of tokens, 1 or more"),
    ({"horizon": True}, "horizon is True; expected a number of tokens, 1 or more"),
    ({"beta": 0.0}, "beta is 0.0; expected a positive number"),
    ({"beta": -0.1}, "beta is -0.1; expected a positive number"),
    ({"beta": float("nan")}, "beta is nan; expected a positive number"),
    ({"beta": float("inf")}, "beta is inf; expected a positive number"),
    ({"prompts": ()}, "prompts is empty; expected one prompt or more; the prompt without tokens is ()"),
    ({"prompts": ((0,), (0, 1), (1,))}, "prompts have the lengths 1, 2; expected all of one length"),
    ({"prompts": ((0,), (3,), (1,))}, "prompts[1] is (3,); expected each entry to be a token, 0 to 2"),
    ({"prompts": ((0,), (1,), (-1,))}, "prompts[2] is (-1,); expected each entry to be a token, 0 to 2"),
    ({"prompts": ((0,), (1.0,), (2,))}, "prompts[1] is (1.0,); expected each entry to be a token, 0 to 2"),
    ({"prompts": ((0,), (1,), (0,))}, "prompts[2] is (0,), as is prompts[0]; expected different prompts"),
    (
        {"prompt_probabilities": (0.5, 0.5)},
        "prompt_probabilities has 2 entries; expected one for each of the 3 prompts",
    ),
    (
        {"prompt_probabilities": (0.5, 0.5, 0.0)},
        "prompt_probabilities[2] is 0.0; expected a positive number",
    ),
    (
        {"prompt_probabilities": (1.5, -0.25, -0.25)},
        "prompt_probabilities[1] is -0.25; expected a positive number",
    ),
    (
        {"prompt_probabilities": (0.5, 0.25, float("nan"))},
        "prompt_probabilities[2] is nan; expected a positive number",
    ),
    ({"prompt_probabilities": (0.5, 0.25, 0.5)}, "prompt_probabilities sum to 1.25; expected 1"),
    ({"end": 3}, "end is 3; expected None or a token, 0 to 2"),
    ({"end": -1}, "end is -1; expected None or a token, 0 to 2"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_what_is_no_token_mdp_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        echo_mdp(**changes)
    assert str(refused.value) == message
    assert isinstance(refused.value, ValueError)


def test_probabilities_that_sum_to_one_but_for_rounding_are_accepted() -> None:
    thirds = (0.333333333333,) * 3
    assert echo_mdp(prompt_probabilities=thirds).prompt_law == thirds
    with pytest.raises(BadInput, match="sum to 0"):
        echo_mdp(prompt_probabilities=(0.333333,) * 3)


def test_a_token_that_is_none_has_no_text(echo: TokenMDP) -> None:
    for wrong in (3, -1, True, 0.0):
        with pytest.raises(BadInput) as refused:
            echo.text((0, wrong))  # type: ignore[arg-type]
        assert str(refused.value) == f"tokens[1] is {wrong!r}; expected a token, 0 to 2"


def test_an_unknown_symbol_is_no_token(echo: TokenMDP) -> None:
    with pytest.raises(BadInput) as refused:
        echo.encode("abc")
    assert str(refused.value) == "text[2] is 'c'; expected one of 'a' 'b' '.'"
