"""A token MDP with everything that Sorting-v0 lacks: several prompts, and an end token."""

from __future__ import annotations

from typing import Any

from toy_envs import TokenMDP

ECHO_ID = "toy_envs_tests/Echo-v0"
ECHO_PROMPTS = ((0, 1), (1, 0), (1, 1))


def share_of_first(prompt: tuple[int, ...], response: tuple[int, ...]) -> float:
    return response.count(prompt[0]) / len(response)


def echo_mdp(**changes: Any) -> TokenMDP:
    fields: dict[str, Any] = {
        "name": ECHO_ID,
        "vocabulary": ("a", "b", "."),
        "horizon": 4,
        "reward": share_of_first,
        "beta": 0.1,
        "prompts": ECHO_PROMPTS,
        "prompt_probabilities": (0.5, 0.25, 0.25),
        "end": 2,
    }
    return TokenMDP(**(fields | changes))
