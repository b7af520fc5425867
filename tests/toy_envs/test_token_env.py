"""A token MDP as a Gymnasium environment: it satisfies DEF.1, and Gymnasium's own checks."""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import gymnasium
import numpy as np
import pytest
from echo_mdp import ECHO_PROMPTS, echo_mdp, share_of_first
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from toy_envs import SORTING, BadInput, TokenEnv, TokenMDP


def finished_responses(mdp: TokenMDP) -> list[tuple[int, ...]]:
    """Those that stop at the first end token or at the horizon, picked from all sequences of tokens."""
    every = (y for length in range(1, mdp.horizon + 1) for y in product(range(mdp.size), repeat=length))
    return [y for y in every if mdp.end not in y[:-1] and (len(y) == mdp.horizon or y[-1] == mdp.end)]


@pytest.mark.filterwarnings("error")
def test_gymnasium_finds_nothing_to_warn_of(echo_id: str) -> None:
    for identifier in (SORTING.name, echo_id):
        check_env(gymnasium.make(identifier).unwrapped)


def test_gymnasium_would_warn() -> None:
    """The test above is not silent for want of listening: an environment without a registration is warned of."""
    with warnings.catch_warnings(), pytest.raises(UserWarning, match="not having a spec"):
        warnings.simplefilter("error")
        check_env(TokenEnv(SORTING))


@pytest.mark.parametrize(
    "mdp",
    [echo_mdp(), echo_mdp(end=None), echo_mdp(end=0, horizon=3)],
    ids=lambda mdp: f"end {mdp.end}, horizon {mdp.horizon}",
)
def test_every_episode_is_the_token_mdp(mdp: TokenMDP) -> None:
    """DEF.1: the state is prompt and tokens so far, the action is appended, the score arrives with the last token."""
    env = TokenEnv(mdp)
    responses = finished_responses(mdp)
    assert len(responses) * len(mdp.prompts) == mdp.responses()
    for (index, prompt), response in product(enumerate(mdp.prompts), responses):
        observation, info = env.reset(options={"prompt": index})
        for step, token in enumerate(response):
            assert not mdp.is_over(response[:step])
            assert info == {"prompt": prompt, "response": response[:step]}
            assert observation.tolist() == [*prompt, *response[:step]] + [mdp.size] * (mdp.horizon - step)
            assert observation in env.observation_space
            observation, reward, terminated, truncated, info = env.step(token)
            last = step == len(response) - 1
            assert (terminated, truncated) == (last, False)
            assert reward == (share_of_first(prompt, response) if last else 0)
        assert info == {"prompt": prompt, "response": response}
        assert observation.tolist() == [*prompt, *response] + [mdp.size] * (mdp.horizon - len(response))
        assert observation in env.observation_space


def test_spaces(env: TokenEnv) -> None:
    assert env.action_space == gymnasium.spaces.Discrete(3)
    assert env.observation_space == gymnasium.spaces.MultiDiscrete([4] * 6)


def test_prompts_come_with_their_probabilities(env: TokenEnv) -> None:
    env.reset(seed=7)
    drawn = [env.reset()[1]["prompt"] for _ in range(20_000)]
    observed = np.array([drawn.count(prompt) for prompt in ECHO_PROMPTS])
    expected = np.array([10_000, 5_000, 5_000])
    assert observed.sum() == 20_000
    # 13.8 is exceeded once in a thousand draws of χ² with two degrees of freedom; the seed is fixed.
    assert np.sum((observed - expected) ** 2 / expected) < 13.8


def episodes(env: TokenEnv, seed: int) -> list[list[int]]:
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    seen = [observation.tolist()]
    for _ in range(100):
        observation, _, terminated, _, _ = env.step(env.action_space.sample())
        seen.append(observation.tolist())
        if terminated:
            seen.append(env.reset()[0].tolist())
    return seen


def test_a_seed_decides_everything(echo: TokenMDP) -> None:
    assert episodes(TokenEnv(echo), seed=3) == episodes(TokenEnv(echo), seed=3)
    assert episodes(TokenEnv(echo), seed=3) != episodes(TokenEnv(echo), seed=4)


def test_two_environments_share_nothing(echo: TokenMDP) -> None:
    one, other = TokenEnv(echo), TokenEnv(echo)
    one.reset(options={"prompt": 0})
    other.reset(options={"prompt": 1})
    one.step(0)
    assert other.step(1)[0].tolist() == [1, 0, 1, 3, 3, 3]


def test_the_text_shows_what_is_written_and_what_can_be(env: TokenEnv) -> None:
    env.reset(options={"prompt": 1})
    assert env.render() == "ba → ····"
    env.step(0)
    assert env.render() == "ba → a···"
    env.step(2)
    assert env.render() == "ba → a."


def test_without_a_prompt_the_text_begins_with_the_arrow() -> None:
    env = TokenEnv(SORTING, render_mode="ansi")
    env.reset()
    env.step(np.int64(3))
    assert env.render() == "→ 3····"


def test_rendering_without_a_mode_warns_and_gives_nothing(echo: TokenMDP) -> None:
    env = TokenEnv(echo)
    env.reset()
    with pytest.warns(UserWarning, match=r"render\(\) without a render mode"):
        assert env.render() is None


@pytest.mark.parametrize("action", [3, -1, 0.5, None, np.array([0, 1])], ids=repr)
def test_an_action_that_is_no_token_is_refused_and_changes_nothing(env: TokenEnv, action: Any) -> None:
    env.reset(options={"prompt": 0})
    with pytest.raises(BadInput) as refused:
        env.step(action)
    assert str(refused.value) == f"action is {action!r}; expected a token, 0 to 2"
    assert env.step(1)[4]["response"] == (1,)


def test_a_step_before_reset_is_refused(env: TokenEnv) -> None:
    with pytest.raises(ResetNeeded, match=r"^step before the first reset; expected reset\(\) first$"):
        env.step(0)
    with pytest.raises(ResetNeeded, match=r"^render before the first reset; expected reset\(\) first$"):
        env.render()


@pytest.mark.parametrize("response", [(2,), (0, 1, 0, 1)], ids=["end token", "horizon"])
def test_a_step_after_the_end_is_refused(env: TokenEnv, response: tuple[int, ...]) -> None:
    env.reset()
    for token in response:
        env.step(token)
    with pytest.raises(ResetNeeded, match=r"^step after the end of the response; expected reset\(\) first$"):
        env.step(0)
    env.reset()
    assert env.step(0)[4]["response"] == (0,)


@pytest.mark.parametrize("index", [3, -1, 0.0, "0"], ids=repr)
def test_a_prompt_that_is_none_is_refused(env: TokenEnv, index: Any) -> None:
    with pytest.raises(BadInput) as refused:
        env.reset(options={"prompt": index})
    assert str(refused.value) == f'options["prompt"] is {index!r}; expected the index of a prompt, 0 to 2'


def test_an_unknown_option_is_refused(env: TokenEnv) -> None:
    with pytest.raises(BadInput) as refused:
        env.reset(options={"promt": 0, "prompt": 0})
    assert str(refused.value) == "options has 'promt'; expected at most \"prompt\""


def test_an_unknown_render_mode_is_refused(echo: TokenMDP) -> None:
    with pytest.raises(BadInput) as refused:
        TokenEnv(echo, render_mode="human")
    assert str(refused.value) == "render_mode is 'human'; expected None or \"ansi\""
