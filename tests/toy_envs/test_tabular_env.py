"""Tabular MDPs as Gymnasium environments, one episode at a time and many at once: the same law, and Gymnasium's rules."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from math import log, sqrt
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from tabular_worlds import for_ever, random_mdp, random_policy

from toy_envs import BANDIT, CHAIN, CORRIDOR, GRID, BadInput, TabularEnv, TabularMDP, TabularVectorEnv, with_time
from toy_envs.tabular_oracle import evaluate, state_distribution

REGISTERED = [BANDIT, CHAIN, GRID]
by_name = pytest.mark.parametrize("mdp", REGISTERED, ids=lambda mdp: mdp.name)
RANDOM = random_mdp(3, Fraction(9, 10))
IMPROBABLE = 1e-12
"""The probability with which a bound by Hoeffding's inequality is left; the seeds are fixed besides."""


def hoeffding(count: int, width: float = 1.0) -> float:
    """P(|mean of `count` − expectation| ≥ this) ≤ IMPROBABLE, for independent values in an interval of this width."""
    return width * sqrt(log(2 / IMPROBABLE) / (2 * count))


def law(mdp: TabularMDP, state: int, action: int) -> dict[tuple[int, float, bool], float]:
    return {(following, reward, end): p for p, following, reward, end in mdp.P[state][action]}


def vector(name: str, count: int, **arguments: Any) -> TabularVectorEnv:
    made = gymnasium.make_vec(name, num_envs=count, vectorization_mode="vector_entry_point", **arguments)
    assert isinstance(made, TabularVectorEnv)
    return made


# --- what Gymnasium asks for ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@by_name
def test_gymnasium_finds_nothing_to_warn_of(mdp: TabularMDP) -> None:
    check_env(gymnasium.make(mdp.name).unwrapped)


def test_gymnasium_would_warn() -> None:
    with warnings.catch_warnings(), pytest.raises(UserWarning, match="not having a spec"):
        warnings.simplefilter("error")
        check_env(TabularEnv(GRID))


@pytest.mark.filterwarnings("error")
@by_name
def test_made_by_name_alone_and_many_at_once(mdp: TabularMDP) -> None:
    env = gymnasium.make(mdp.name, render_mode="ansi")
    assert isinstance(env.unwrapped, TabularEnv)
    assert env.unwrapped.mdp is mdp and env.unwrapped.P == mdp.P
    assert env.observation_space == gymnasium.spaces.Discrete(len(mdp.states))
    assert env.action_space == gymnasium.spaces.Discrete(len(mdp.actions))
    envs = vector(mdp.name, 7, render_mode="ansi")
    assert envs.mdp is mdp and envs.P == mdp.P and envs.num_envs == 7
    assert envs.single_observation_space == env.observation_space and envs.single_action_space == env.action_space
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observations, infos = envs.reset(seed=0)
    assert observations in envs.observation_space and infos == {}
    observations, rewards, terminated, truncated, infos = envs.step(envs.action_space.sample())
    assert observations in envs.observation_space and infos == {}
    assert [array.dtype for array in (rewards, terminated, truncated)] == [float, bool, bool]
    assert {array.shape for array in (observations, rewards, terminated, truncated)} == {(7,)}
    assert env.spec is not None
    assert json.loads(env.spec.to_json())["id"] == mdp.name  # nothing in it that is no text


@by_name
def test_the_docstring_has_gymnasiums_headings(mdp: TabularMDP) -> None:
    described = type(gymnasium.make(mdp.name).unwrapped).__doc__ or ""
    for heading in ("Description", "Action Space", "Observation Space", "Starting State", "Rewards", "Episode End"):
        assert f"## {heading}" in described
    for heading in ("Information", "Arguments", "Version History"):
        assert f"## {heading}" in described


# --- the law --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mdp", [*REGISTERED, CORRIDOR, RANDOM, with_time(RANDOM, 2)], ids=lambda mdp: mdp.name)
def test_both_forms_have_the_transitions_of_the_table(mdp: TabularMDP) -> None:
    single_count, count = 60, 4000
    env, envs = TabularEnv(mdp), TabularVectorEnv(mdp, count)
    env.reset(seed=1), envs.reset(seed=2)
    for state in range(len(mdp.states)):
        for action in range(len(mdp.actions)):
            expected = law(mdp, state, action)
            seen: list[tuple[int, float, bool]] = []
            for _ in range(single_count):
                env.reset(options={"state": state})
                following, reward, terminated, truncated, _ = env.step(action)
                assert not truncated
                seen.append((int(following), reward, terminated))
            envs.reset(options={"state": state})
            observations, rewards, ends, _, _ = envs.step(np.full(count, action))
            many = list(zip(observations.tolist(), rewards.tolist(), ends.tolist(), strict=True))
            for found in (seen, many):
                assert set(found) <= set(expected)  # nothing else happens
                for outcome, p in expected.items():
                    assert abs(found.count(outcome) / len(found) - p) <= hoeffding(len(found))


@pytest.mark.parametrize("mdp", [BANDIT, RANDOM], ids=lambda mdp: mdp.name)
def test_both_forms_begin_with_the_initial_law(mdp: TabularMDP) -> None:
    env, envs = TabularEnv(mdp), TabularVectorEnv(mdp, 40_000)
    env.reset(seed=5)
    single = [int(env.reset()[0]) for _ in range(2000)]
    many = envs.reset(seed=6)[0].tolist()
    for found in (single, many):
        for state, p in enumerate(mdp.initial):
            assert abs(found.count(state) / len(found) - p) <= hoeffding(len(found))
            assert p or state not in found


def test_the_last_outcome_is_not_passed_by_rounding() -> None:
    """Ten tenths have the sum 1 − 2⁻⁵³ in floats: a draw above it must still be one of the ten."""

    class Highest:
        def random(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
            return np.full(shape, np.nextafter(1.0, 0.0))

    tenth = Fraction(1, 10)
    states = tuple(str(state) for state in range(11))
    row = tuple((tenth, state, Fraction(0), False) for state in range(10))
    mdp = TabularMDP("tenths", states, ("a",), (*(tenth,) * 10, Fraction(0)), ((row,),) * 11)
    assert sum([0.1] * 10) < 1
    envs = TabularVectorEnv(mdp, 3)
    envs.reset()
    envs.np_random = Highest()  # type: ignore[assignment]
    assert envs.reset()[0].tolist() == [9] * 3
    assert envs.step(np.zeros(3, dtype=np.int64))[0].tolist() == [9] * 3


def run(envs: TabularVectorEnv, policy: Any, steps: int, seed: int) -> list[tuple[NDArray[Any], ...]]:
    """(states before, actions, rewards, terminated, truncated) of each step, actions drawn from the policy."""
    generator = np.random.default_rng([seed, 1])  # not the environment's own stream, or actions would foretell states
    cumulative = np.cumsum(np.array(policy, dtype=float), axis=1)[:, :-1]
    states, _ = envs.reset(seed=seed)
    seen = []
    for _ in range(steps):
        actions = np.sum(generator.random((envs.num_envs, 1)) >= cumulative[states], axis=1)
        following, rewards, terminated, truncated, _ = envs.step(actions)
        seen.append((states, actions, rewards, terminated, truncated))
        states = following
    return seen


@pytest.mark.parametrize("mdp", [GRID, RANDOM], ids=lambda mdp: mdp.name)
def test_whole_episodes_have_the_states_and_the_return_of_the_oracle(mdp: TabularMDP) -> None:
    count, steps = 40_000, 12
    policy = random_policy(1, mdp)
    exact = evaluate(mdp, policy, steps, exact=False)
    where = state_distribution(mdp, policy, steps, exact=False)
    going, returns = np.ones(count, dtype=bool), np.zeros(count)
    for time, (states, _, rewards, terminated, _) in enumerate(run(TabularVectorEnv(mdp, count), policy, steps, 3)):
        for state in range(len(mdp.states)):
            assert abs(np.mean(going & (states == state)) - where[time, state]) <= hoeffding(count)
        returns += float(mdp.discount) ** time * rewards * going
        going &= ~terminated
    largest = max(abs(reward) for rows in mdp.transitions for row in rows for _, _, reward, _ in row)
    width = 2 * float(largest) * (1 - 0.9**steps) / (1 - 0.9)
    assert abs(returns.mean() - exact.objective) <= hoeffding(count, width)
    assert hoeffding(count, width) < width / 50  # so the bound says something


def test_a_seed_decides_everything() -> None:
    def episodes(env: TabularEnv, seed: int) -> list[Any]:
        seen = [env.reset(seed=seed)[0]]
        for time in range(100):
            following, reward, terminated, _, _ = env.step(time % 4)
            seen += [following, reward, terminated, env.reset()[0] if terminated else None]
        return seen

    assert episodes(TabularEnv(GRID), 3) == episodes(TabularEnv(GRID), 3) != episodes(TabularEnv(GRID), 4)
    policy = random_policy(0, GRID)
    one, again, other = (run(vector(GRID.name, 50), policy, 30, seed) for seed in (3, 3, 4))
    same = [[np.array_equal(*pair) for pair in zip(a, b, strict=True)] for a, b in zip(one, again, strict=True)]
    assert all(map(all, same))
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(one, other, strict=True))


@by_name
def test_one_of_many_is_the_single_form_draw_for_draw(mdp: TabularMDP) -> None:
    for seed in range(20):
        env, envs = gymnasium.make(mdp.name), vector(mdp.name, 1)
        state, _ = env.reset(seed=seed)
        assert envs.reset(seed=seed)[0].tolist() == [state]
        terminated = truncated = False
        while not (terminated or truncated):
            action = (seed + int(state)) % len(mdp.actions)
            state, reward, terminated, truncated, _ = env.step(action)
            followed = envs.step(np.array([action]))
            assert [array.tolist() for array in followed[:4]] == [[state], [reward], [terminated], [truncated]]


# --- how episodes end -----------------------------------------------------------------------------------------------


def test_a_limit_truncates_and_an_end_terminates() -> None:
    env = gymnasium.make(CHAIN.name)
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(100)]
    assert ends == [(False, False)] * 99 + [(False, True)]
    short = gymnasium.make(CHAIN.name, max_episode_steps=3)
    short.reset(seed=0)
    assert [short.step(0)[2:4] for _ in range(3)] == [(False, False)] * 2 + [(False, True)]
    bandit = gymnasium.make(BANDIT.name)
    bandit.reset(seed=0)
    assert bandit.step(0)[2:4] == (True, False)
    timed = TabularEnv(with_time(CHAIN, 3))  # the limit is part of this MDP
    timed.reset(seed=0)
    assert [timed.step(0)[2:4] for _ in range(3)] == [(False, False)] * 2 + [(True, False)]


def test_many_are_truncated_and_begin_anew_with_the_next_step() -> None:
    envs = vector(CHAIN.name, 4, max_episode_steps=3)
    envs.reset(seed=0, options={"state": np.array([4, 3, 2, 1])})
    for period in range(3):
        for step in range(3):
            _, rewards, terminated, truncated, _ = envs.step(np.ones(4, dtype=np.int64))
            assert not terminated.any() and truncated.tolist() == [step == 2] * 4
            assert period == 0 or (rewards >= 0).all()
        before, rewards, terminated, truncated, _ = envs.step(np.ones(4, dtype=np.int64))
        assert before.tolist() == [0] * 4 and not rewards.any()  # turning back would have earned 2, or slipped forward
        assert not terminated.any() and not truncated.any()
    assert vector(CHAIN.name, 1).max_episode_steps == 100


def test_each_of_many_begins_anew_for_itself() -> None:
    """Two cells before the goal go different ways; only those that are over are reset, in the step after."""
    count = 3000
    envs = vector(GRID.name, count)
    states, _ = envs.reset(seed=1, options={"state": 2})
    over = np.zeros(count, dtype=bool)
    for _ in range(40):
        following, rewards, terminated, truncated, _ = envs.step(np.full(count, 2))
        assert not truncated.any()
        assert (following[over] == 7).all() and not rewards[over].any() and not terminated[over].any()
        assert (rewards[~over] != 0).all()  # a step earns something in this world, a reset does not
        possible = [{s for _, s, _, _ in GRID.P[state][2]} for state in range(11)]
        assert all(after in possible[before] for before, after in zip(states[~over], following[~over], strict=True))
        assert (terminated[~over] == np.isin(following[~over], [3, 6])).all()
        states, over = following, terminated
    assert terminated.any() and not terminated.all()


def test_at_once_at_the_end_and_at_the_limit_is_both_as_in_gymnasium() -> None:
    single = gymnasium.make(BANDIT.name, max_episode_steps=1)
    single.reset(seed=0)
    envs = vector(BANDIT.name, 2, max_episode_steps=1)
    envs.reset(seed=0)
    assert single.step(0)[2:4] == (True, True)
    assert [array.tolist() for array in envs.step(np.zeros(2, dtype=np.int64))[2:4]] == [[True] * 2] * 2


def test_a_reset_begins_all_episodes_and_their_limit_anew() -> None:
    envs = vector(CHAIN.name, 2, max_episode_steps=3)
    for taken in (2, 3, 3):  # once in the middle of an episode, then at its end
        envs.reset(seed=0)
        ends = [envs.step(np.zeros(2, dtype=np.int64))[3].all() for _ in range(taken)]
        assert ends == [step == 3 for step in range(1, taken + 1)]


def test_what_is_given_out_is_the_callers_own() -> None:
    """Neither do arrays that were given out change later, nor does the environment when the caller changes them."""
    envs, untouched = (TabularVectorEnv(RANDOM, 50, max_episode_steps=2) for _ in range(2))
    asked = np.zeros(50, dtype=np.int64)
    for options in (None, {"state": asked}):
        given, _ = envs.reset(seed=0, options=options)
        assert np.array_equal(given, untouched.reset(seed=0, options=options)[0])
        given[:] = 1
        for _ in range(4):  # with a reset among them
            step, other = (each.step(np.zeros(50, dtype=np.int64))[:4] for each in (envs, untouched))
            assert all(np.array_equal(*pair) for pair in zip(step, other, strict=True))
            for array in step:
                array[:] = 1
    assert not asked.any()
    first = envs.step(np.zeros(50, dtype=np.int64))[:4]
    kept = [array.copy() for array in first]
    envs.step(np.zeros(50, dtype=np.int64))
    assert all(np.array_equal(*pair) for pair in zip(first, kept, strict=True))


def test_a_constant_reward_for_ever_cut_by_a_limit() -> None:
    """1/(1 − γ) = 10 is what the last state is still worth; to take the truncation for an end makes it 1 − γ^T of it."""
    mdp, gamma, limit = for_ever(Fraction(9, 10)), 0.9, 5
    envs = TabularVectorEnv(mdp, 2, max_episode_steps=limit)
    envs.reset(seed=0)
    steps = [envs.step(np.zeros(2, dtype=np.int64)) for _ in range(limit)]
    assert steps[-1][3].all() and not steps[-1][2].any()
    rewards = [step[1] for step in steps]
    value = float(evaluate(mdp, [[1]]).objective)
    cut = sum(gamma**t * reward for t, reward in enumerate(rewards))
    assert value == 10
    assert cut == pytest.approx([4.0951] * 2)  # wrong
    assert cut + gamma**limit * value == pytest.approx([10] * 2)  # with the value of the last state, right


# --- text and bad input ---------------------------------------------------------------------------------------------


def test_the_text_is_that_of_the_state() -> None:
    env = TabularEnv(GRID, render_mode="ansi")
    env.reset(seed=0)
    assert env.render() == "...+\n.#.-\no..."
    envs = vector(GRID.name, 2, render_mode="ansi")
    envs.reset(options={"state": np.array([0, 9])})
    assert envs.render() == ("o..+\n.#.-\n....", "...+\n.#.-\n..o.")


@pytest.mark.parametrize("env", [TabularEnv(GRID), TabularVectorEnv(GRID)], ids=["one", "many"])
def test_rendering_without_a_mode_warns_and_gives_nothing(env: TabularEnv | TabularVectorEnv) -> None:
    env.reset()
    with pytest.warns(UserWarning, match=r"render\(\) without a render mode"):
        assert env.render() is None


@pytest.mark.parametrize("action", [4, -1, 0.5, None, np.array([0, 1])], ids=repr)
def test_an_action_that_is_none_is_refused_and_changes_nothing(action: Any) -> None:
    env, untouched = TabularEnv(GRID), TabularEnv(GRID)
    assert env.reset(seed=0)[0] == untouched.reset(seed=0)[0]
    with pytest.raises(BadInput) as refused:
        env.step(action)
    assert str(refused.value) == f"action is {action!r}; expected an action, 0 to 3"
    assert env.step(1) == untouched.step(1)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.array([0, 4, 1]), "actions[1] is np.int64(4); expected an action, 0 to 3"),
        (np.array([-1, 0, 1]), "actions[0] is np.int64(-1); expected an action, 0 to 3"),
        (np.array([0.0, 1.0, 1.0]), "actions[0] is np.float64(0.0); expected an action, 0 to 3"),
        (np.array([0, 1]), "actions has the shape (2,); expected (3,)"),
        (2, "actions has the shape (); expected (3,)"),
    ],
    ids=["large", "negative", "float", "short", "scalar"],
)
def test_actions_that_are_none_are_refused_and_change_nothing(actions: Any, message: str) -> None:
    envs, untouched = TabularVectorEnv(GRID, 3), TabularVectorEnv(GRID, 3)
    envs.reset(seed=0), untouched.reset(seed=0)
    with pytest.raises(BadInput) as refused:
        envs.step(actions)
    assert str(refused.value) == message
    right = np.array([0, 1, 2])
    assert all(np.array_equal(*pair) for pair in zip(envs.step(right)[:4], untouched.step(right)[:4], strict=True))


def test_actions_may_be_a_list_of_integers() -> None:
    envs, other = TabularVectorEnv(GRID, 3), TabularVectorEnv(GRID, 3)
    envs.reset(seed=0), other.reset(seed=0)
    assert envs.step([0, 1, 2])[0].tolist() == other.step(np.array([0, 1, 2]))[0].tolist()  # type: ignore[arg-type]


def test_a_step_before_reset_or_after_the_end_is_refused() -> None:
    env = TabularEnv(BANDIT, render_mode="ansi")
    for what, call in (("step", lambda: env.step(0)), ("render", env.render)):
        with pytest.raises(ResetNeeded) as refused:
            call()
        assert str(refused.value) == f"{what} before the first reset; expected reset() first"
    env.reset()
    env.step(0)
    with pytest.raises(ResetNeeded, match=r"^step after the end of the episode; expected reset\(\) first$"):
        env.step(0)
    env.reset()
    assert env.step(0)[2]
    envs = TabularVectorEnv(BANDIT, 2)
    with pytest.raises(ResetNeeded, match=r"^step before the first reset; expected reset\(\) first$"):
        envs.step(np.array([0, 0]))


@pytest.mark.parametrize("state", [11, -1, 0.0, "0", True, np.array([1, 2, 3])], ids=repr)
def test_a_first_state_that_is_none_is_refused(state: Any) -> None:
    for env in (TabularEnv(GRID), TabularVectorEnv(GRID, 2)):
        with pytest.raises(BadInput) as refused:
            env.reset(options={"state": state})
        assert str(refused.value) == f'options["state"] is {state!r}; expected a state, 0 to 10'


def test_an_unknown_option_is_refused() -> None:
    for env in (TabularEnv(GRID), TabularVectorEnv(GRID)):
        with pytest.raises(BadInput) as refused:
            env.reset(options={"stat": 0, "state": 0})
        assert str(refused.value) == "options has 'stat'; expected at most \"state\""


def test_arguments_that_are_none_are_refused() -> None:
    for make in (TabularEnv, TabularVectorEnv):
        with pytest.raises(BadInput) as refused:
            make(GRID, render_mode="human")
        assert str(refused.value) == "render_mode is 'human'; expected None or \"ansi\""
    for name, wrong in (("num_envs", 0), ("num_envs", 1.5), ("max_episode_steps", 0), ("max_episode_steps", True)):
        with pytest.raises(BadInput) as refused:
            TabularVectorEnv(GRID, **{name: wrong})  # type: ignore[arg-type]
        assert str(refused.value) == f"{name} is {wrong!r}; expected a number, 1 or more"
