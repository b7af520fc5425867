"""Many episodes at once: each row is the token environment, row for row and step for step."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from echo_mdp import ECHO_PROMPTS, echo_mdp
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from toy_envs import ADDITION, BRACKETS, COPY, NAMES, SORTING, BadInput, TokenEnv, TokenMDP, TokenVectorEnv

WORLDS = (SORTING, BRACKETS, ADDITION, COPY, NAMES, echo_mdp(), echo_mdp(end=0, horizon=2), echo_mdp(end=None))


@pytest.fixture
def envs(echo: TokenMDP) -> TokenVectorEnv:
    return TokenVectorEnv(echo, num_envs=4, render_mode="ansi")


@pytest.mark.parametrize("mdp", WORLDS, ids=lambda mdp: f"{mdp.name} {mdp.end} {mdp.horizon}")
def test_each_row_is_the_token_environment(mdp: TokenMDP) -> None:
    """Observations, rewards, ends, prompts and texts, with a new episode in the step after each end."""
    rows = 12
    envs = TokenVectorEnv(mdp, rows, render_mode="ansi")
    envs.action_space.seed(1)
    singles = [TokenEnv(mdp, render_mode="ansi") for _ in range(rows)]
    observations, infos = envs.reset(seed=1)

    def begin(row: int) -> list[int]:
        """The single environment of a row begins with the prompt that the row was given."""
        prompt = tuple(infos["prompt"][row].tolist())
        observation: list[int] = singles[row].reset(options={"prompt": mdp.prompts.index(prompt)})[0].tolist()
        return observation

    assert observations.tolist() == [begin(row) for row in range(rows)]
    over = [False] * rows
    finished = 0
    for _ in range(4 * mdp.horizon):
        actions = envs.action_space.sample()
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        assert observations in envs.observation_space
        assert not truncated.any()
        for row in range(rows):
            if over[row]:
                assert (rewards[row], terminated[row]) == (0, False)
                expected = begin(row)
            else:
                observation, reward, ended, _, info = singles[row].step(actions[row])
                expected = observation.tolist()
                assert (rewards[row], terminated[row]) == (reward, ended)
                assert tuple(infos["prompt"][row].tolist()) == info["prompt"]
                filled = [*info["response"]] + [mdp.size] * (mdp.horizon - len(info["response"]))
                assert infos["response"][row].tolist() == filled
            assert observations[row].tolist() == expected
        assert envs.render() == tuple(single.render() for single in singles)
        over = terminated.tolist()
        finished += sum(over)
    assert finished > rows


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mdp", [SORTING, BRACKETS, NAMES], ids=lambda mdp: mdp.name)
def test_gymnasiums_own_loop_over_environments_says_the_same(mdp: TokenMDP) -> None:
    """Worlds without prompts, where nothing is drawn: with SyncVectorEnv, whose autoreset is in the next step, too."""
    ours = gymnasium.make_vec(mdp.name, num_envs=7, vectorization_mode="vector_entry_point")
    theirs = gymnasium.make_vec(mdp.name, num_envs=7, vectorization_mode="sync")
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    for name in ("action_space", "observation_space", "single_action_space", "single_observation_space"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert np.array_equal(ours.reset(seed=0)[0], theirs.reset(seed=0)[0])
    ours.action_space.seed(0)
    for _ in range(30):
        actions = ours.action_space.sample()
        for found, expected in zip(ours.step(actions)[:4], theirs.step(actions)[:4], strict=True):
            assert np.array_equal(found, expected) and found.dtype == expected.dtype


def test_thousands_of_episodes_in_one_step() -> None:
    envs = gymnasium.make_vec("toy_envs/Addition-v0", num_envs=5000)
    _, infos = envs.reset(seed=0)
    first, second = infos["prompt"][:, 0], infos["prompt"][:, 2]
    total = first + second
    envs.step(np.where(total < 10, total, total // 10))
    _, rewards, terminated, _, _ = envs.step(np.where(total < 10, 12, total % 10))
    assert terminated.all() and (rewards == 1).all()


def test_prompts_come_with_their_probabilities(echo: TokenMDP) -> None:
    envs = TokenVectorEnv(echo, num_envs=20_000)
    _, infos = envs.reset(seed=7)
    observed = [
        np.array([np.all(found == prompt, axis=1).sum() for prompt in ECHO_PROMPTS]) for found in (infos["prompt"],)
    ]
    # All of them end with the end token at once, and begin anew.
    envs.step(np.full(20_000, 2))
    _, _, _, _, infos = envs.step(np.zeros(20_000, dtype=np.int64))
    observed.append(np.array([np.all(infos["prompt"] == prompt, axis=1).sum() for prompt in ECHO_PROMPTS]))
    expected = np.array([10_000, 5_000, 5_000])
    for counts in observed:
        assert counts.sum() == 20_000
        # 13.8 is exceeded once in a thousand draws of χ² with two degrees of freedom; the seed is fixed.
        assert np.sum((counts - expected) ** 2 / expected) < 13.8


def test_a_seed_decides_everything(echo: TokenMDP) -> None:
    def prompts(seed: int) -> list[list[int]]:
        envs = TokenVectorEnv(echo, num_envs=20)
        found = [envs.reset(seed=seed)[0]]
        for _ in range(6):
            found.append(envs.step(np.full(20, 2))[0])
        return np.concatenate(found).tolist()

    assert prompts(3) == prompts(3) != prompts(4)


def test_the_prompts_that_are_asked_for(envs: TokenVectorEnv) -> None:
    assert envs.reset(options={"prompt": 1})[1]["prompt"].tolist() == [[1, 0]] * 4
    assert envs.reset(options={"prompt": [0, 1, 2, 1]})[1]["prompt"].tolist() == [[0, 1], [1, 0], [1, 1], [1, 0]]


def test_reset_begins_anew_in_the_middle_of_a_response(envs: TokenVectorEnv) -> None:
    envs.reset(options={"prompt": 0})
    envs.step(np.array([2, 0, 1, 2]))
    observations, _ = envs.reset(options={"prompt": 0})
    assert observations.tolist() == [[0, 1, 3, 3, 3, 3]] * 4
    assert envs.step(np.array([2, 0, 1, 2]))[0].tolist() == [[0, 1, token, 3, 3, 3] for token in (2, 0, 1, 2)]


def test_what_is_handed_out_is_not_what_is_kept(envs: TokenVectorEnv) -> None:
    observations, infos = envs.reset(options={"prompt": 0})
    observations[:], infos["prompt"][:] = 0, 0
    observations, _, terminated, _, infos = envs.step(np.array([0, 0, 1, 1]))
    observations[:], infos["response"][:], terminated[:] = 0, 0, True
    assert envs.step(np.array([0, 1, 0, 1]))[0].tolist() == [
        [0, 1, a, b, 3, 3] for a, b in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]


def test_rendering_without_a_mode_warns_and_gives_nothing(echo: TokenMDP) -> None:
    envs = TokenVectorEnv(echo)
    envs.reset()
    with pytest.warns(UserWarning, match=r"render\(\) without a render mode"):
        assert envs.render() is None


def test_before_reset_there_is_nothing(envs: TokenVectorEnv) -> None:
    for method, call in (("step", lambda: envs.step(np.zeros(4, dtype=np.int64))), ("render", envs.render)):
        with pytest.raises(ResetNeeded, match=rf"^{method} before the first reset; expected reset\(\) first$"):
            call()


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 1, 3, 0], "actions[2] is 3; expected a token, 0 to 2"),
        ([0, -1, 5, 0], "actions[1] is -1; expected a token, 0 to 2"),
        (
            [0, 1, 1],
            "actions has the shape (3,) and the type int64; expected one integer for each of the 4 environments",
        ),
        (
            [0.0, 1.0, 1.0, 0.0],
            "actions has the shape (4,) and the type float64; expected one integer for each of the 4 environments",
        ),
    ],
    ids=repr,
)
def test_actions_that_are_no_tokens_are_refused_and_change_nothing(
    envs: TokenVectorEnv, actions: list[Any], message: str
) -> None:
    envs.reset(options={"prompt": 0})
    with pytest.raises(BadInput) as refused:
        envs.step(np.array(actions))
    assert str(refused.value) == message
    assert envs.step(np.array([0, 0, 0, 0]))[0].tolist() == [[0, 1, 0, 3, 3, 3]] * 4


@pytest.mark.parametrize("prompt", [3, -1, 0.0, [0, 1], [0, 1, 2, 3], "0"], ids=repr)
def test_prompts_that_are_none_are_refused(envs: TokenVectorEnv, prompt: Any) -> None:
    with pytest.raises(BadInput) as refused:
        envs.reset(options={"prompt": prompt})
    assert str(refused.value) == (
        f'options["prompt"] is {prompt!r}; expected the index of a prompt, 0 to 2, or one for each of the 4 environments'
    )


def test_other_arguments_that_are_not_as_said_are_refused(echo: TokenMDP) -> None:
    with pytest.raises(BadInput, match="num_envs is 0; expected a number of environments, 1 or more"):
        TokenVectorEnv(echo, num_envs=0)
    with pytest.raises(BadInput, match="render_mode is 'human'; expected None or \"ansi\""):
        TokenVectorEnv(echo, render_mode="human")
    with pytest.raises(BadInput, match="options has 'promt'; expected at most \"prompt\""):
        TokenVectorEnv(echo).reset(options={"promt": 0})


def test_no_step_warns() -> None:
    """What Gymnasium would warn of in a vector environment: that it does not say when it resets."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        envs = gymnasium.make_vec("toy_envs/Copy-v0", num_envs=2, render_mode="ansi")
        envs.reset(seed=0)
        envs.step(np.array([0, 3]))
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
