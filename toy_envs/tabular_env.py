"""A tabular MDP behind the interface of Gymnasium: one episode at a time, or thousands at once."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from toy_envs.checks import check_render_mode, is_index
from toy_envs.errors import BadInput
from toy_envs.tabular_mdp import TabularMDP

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Sampler:
    """Draws from the laws of an MDP, for any number of episodes in one go.

    A draw is the inverse of the distribution function at one uniform number, so that K outcomes need no loop.
    """

    def __init__(self, mdp: TabularMDP) -> None:
        shape = len(mdp.states), len(mdp.actions), max(len(row) for rows in mdp.transitions for row in rows)
        # From its last outcome on a row's distribution function is infinite: no draw goes past it, be it that the row
        # is shorter than the longest, or that the sum of its probabilities was rounded to less than one.
        self.steps = np.full(shape, np.inf)
        self.next_state = np.zeros(shape, dtype=np.int64)
        self.reward = np.zeros(shape)
        self.terminated = np.zeros(shape, dtype=np.bool_)
        for state, rows in mdp.P.items():
            for action, row in rows.items():
                here, (probability, *outcome) = (state, action, slice(len(row))), zip(*row, strict=True)
                self.next_state[here], self.reward[here], self.terminated[here] = outcome
                self.steps[state, action, : len(row) - 1] = np.cumsum(probability)[:-1]
        initial = np.array(mdp.initial, dtype=np.float64)
        self.initial_steps = np.cumsum(initial)
        self.initial_steps[np.flatnonzero(initial)[-1] :] = np.inf

    def initial(self, generator: np.random.Generator, count: int) -> Integers:
        """So many first states [count]."""
        return _draw(generator, np.broadcast_to(self.initial_steps, (count, len(self.initial_steps))))

    def step(
        self, generator: np.random.Generator, states: Integers, actions: Integers
    ) -> tuple[Integers, Floats, Bools]:
        """What follows on states [count] and actions [count]: next states, rewards and terminated, [count] each."""
        here = states, actions, _draw(generator, self.steps[states, actions])
        return self.next_state[here], self.reward[here], self.terminated[here]


def _draw(generator: np.random.Generator, steps: Floats) -> Integers:
    """One place in each row of distribution functions, (count, outcomes) to (count,)."""
    return np.sum(generator.random((len(steps), 1)) >= steps, axis=1, dtype=np.int64)


class TabularEnv(gymnasium.Env[np.int64, np.int64]):
    """
    A state is left by an action, for a state and a reward that may be random.

    ## Description
    The environment of any `TabularMDP`. Its whole table is there as `P[s][a] = [(probability, next_state, reward,
    terminated)]` in floats, and exactly as `mdp.transitions`.

    ## Action Space
    `Discrete(A)`: one of the A actions of the MDP.

    ## Observation Space
    `Discrete(S)`: the state.

    ## Starting State
    A state drawn from ρ. `reset(options={"state": s})` begins in the state s instead.

    ## Rewards
    That of the transition. Returns are not discounted here: the γ of the MDP is for whoever adds rewards up.

    ## Episode End
    The episode terminates with a transition that terminates. It is never truncated by itself: a limit on its steps that
    is no part of the MDP is set by `gymnasium.make(…, max_episode_steps=…)`, whose wrapper truncates.

    ## Information
    `step()` and `reset()` return an empty dict.

    ## Arguments
    - `mdp`: the tabular MDP.
    - `render_mode`: None, or "ansi" for the state as text.

    Raises BadInput where an argument, an action or an option is not as said here, and Gymnasium's ResetNeeded where
    there is a step before `reset` or after the end.

    ## Version History
    The version is that of the registered tabular MDP.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(self, mdp: TabularMDP, render_mode: str | None = None) -> None:
        check_render_mode(render_mode, self.metadata["render_modes"])
        self.mdp = mdp
        self.P = mdp.P
        self.render_mode = render_mode
        self.action_space = spaces.Discrete(len(mdp.actions))
        self.observation_space = spaces.Discrete(len(mdp.states))
        self._sampler = Sampler(mdp)
        self._state: np.int64 | None = None  # None until reset
        self._over = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Begins an episode, in a state that is drawn or in options["state"]."""
        super().reset(seed=seed)
        state = _chosen(options or {}, len(self.mdp.states), 1)
        self._state, self._over = (self._sampler.initial(self.np_random, 1) if state is None else state)[0], False
        return self._state, {}

    def step(self, action: np.int64 | int) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Leaves the state by an action."""
        state = self._begun("step")
        if self._over:
            raise ResetNeeded("step after the end of the episode; expected reset() first")
        if not self.action_space.contains(action):
            raise BadInput(f"action is {action!r}; expected an action, 0 to {len(self.mdp.actions) - 1}")
        following = self._sampler.step(self.np_random, np.array([state]), np.array([action]))
        self._state, reward, self._over = (array[0] for array in following)
        return self._state, float(reward), bool(self._over), False, {}

    def render(self) -> str | None:
        """The state as text, where render_mode is "ansi"."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() without a render mode; expected render_mode="ansi" when it was made')
            return None
        return self.mdp.text(int(self._begun("render")))

    def _begun(self, what: str) -> np.int64:
        """The state, or an error where there is none yet."""
        if self._state is None:
            raise ResetNeeded(f"{what} before the first reset; expected reset() first")
        return self._state


class TabularVectorEnv(VectorEnv[Integers, Integers, NDArray[Any]]):
    """
    Many independent episodes of a tabular MDP, stepped together.

    ## Description
    As `TabularEnv`, on arrays with one entry for each of `num_envs` episodes and without a loop over them.

    ## Action Space
    `MultiDiscrete([A] * num_envs)`.

    ## Observation Space
    `MultiDiscrete([S] * num_envs)`.

    ## Starting State
    As in `TabularEnv`; options["state"] is one state for all or an array of one for each. One seed decides all episodes.

    ## Rewards
    As in `TabularEnv`.

    ## Episode End
    An episode terminates with a transition that terminates, and is truncated with the step of number
    `max_episode_steps`; it can be both at once, as with Gymnasium's own TimeLimit, and is then terminated to a learner.
    The observation that comes with the end is the last state. The step after it begins a new episode and ignores the
    action: reward 0, neither terminated nor truncated (`AutoresetMode.NEXT_STEP`). What is recorded of such a step is
    no transition and must not be learned from.

    ## Information
    `step()` and `reset()` return an empty dict.

    ## Arguments
    - `mdp`: the tabular MDP.
    - `num_envs`: the number of episodes, 1 or more.
    - `max_episode_steps`: the number of steps after which an episode is truncated; None is never.
    - `render_mode`: None, or "ansi" for a tuple with the text of each state.

    Raises BadInput where an argument, an action or an option is not as said here, and Gymnasium's ResetNeeded where
    there is a step before `reset`.

    ## Version History
    The version is that of the registered tabular MDP.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's own declaration)
        "render_modes": ["ansi"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        mdp: TabularMDP,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_render_mode(render_mode, self.metadata["render_modes"])
        for name, count in (("num_envs", num_envs), ("max_episode_steps", max_episode_steps)):
            if count is not None and not (is_index(count, count + 1) and count >= 1):
                raise BadInput(f"{name} is {count!r}; expected a number, 1 or more")
        self.mdp = mdp
        self.P = mdp.P
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        self.single_action_space = spaces.Discrete(len(mdp.actions))
        self.single_observation_space = spaces.Discrete(len(mdp.states))
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._sampler = Sampler(mdp)
        self._states: Integers | None = None  # None until reset
        self._taken = np.zeros(num_envs, dtype=np.int64)  # the steps of each episode so far
        self._over = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Integers, dict[str, Any]]:
        """Begins all episodes anew, in states that are drawn or in options["state"]."""
        super().reset(seed=seed)
        states = _chosen(options or {}, len(self.mdp.states), self.num_envs)
        self._states = self._sampler.initial(self.np_random, self.num_envs) if states is None else states
        self._taken = np.zeros(self.num_envs, dtype=np.int64)
        self._over = np.zeros(self.num_envs, dtype=np.bool_)
        return self._states.copy(), {}

    def step(self, actions: Integers) -> tuple[Integers, Floats, Bools, Bools, dict[str, Any]]:
        """Leaves each state by its action, or begins anew where the episode was over."""
        states = self._begun("step")
        self._check_actions(actions)
        over = self._over
        following, rewards, terminated = self._sampler.step(self.np_random, states, actions)
        following[over] = self._sampler.initial(self.np_random, int(over.sum()))
        rewards[over] = 0
        terminated &= ~over
        self._taken = np.where(over, 0, self._taken + 1)
        truncated = np.zeros(self.num_envs, dtype=np.bool_)
        if self.max_episode_steps is not None:
            truncated = self._taken >= self.max_episode_steps
        self._states, self._over = following, terminated | truncated
        return following.copy(), rewards, terminated, truncated, {}

    def render(self) -> tuple[str, ...] | None:
        """The state of each episode as text, where render_mode is "ansi"."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() without a render mode; expected render_mode="ansi" when it was made')
            return None
        return tuple(self.mdp.text(state) for state in self._begun("render").tolist())

    def _begun(self, what: str) -> Integers:
        """The states, or an error where there are none yet."""
        if self._states is None:
            raise ResetNeeded(f"{what} before the first reset; expected reset() first")
        return self._states

    def _check_actions(self, actions: Integers) -> None:
        if self.action_space.contains(actions):
            return
        count = len(self.mdp.actions)
        if np.shape(actions) != (self.num_envs,):
            raise BadInput(f"actions has the shape {np.shape(actions)}; expected ({self.num_envs},)")
        for place, action in enumerate(actions):
            if not is_index(action, count):
                raise BadInput(f"actions[{place}] is {action!r}; expected an action, 0 to {count - 1}")
        raise BadInput(f"actions is a {type(actions).__name__}; expected an array of integers")


def _chosen(options: dict[str, Any], states: int, count: int) -> Integers | None:
    """The states [count] that the options ask for."""
    unknown = sorted(set(options) - {"state"})
    if unknown:
        raise BadInput(f'options has {", ".join(map(repr, unknown))}; expected at most "state"')
    if "state" not in options:
        return None
    asked = np.asarray(options["state"])
    if asked.shape not in ((), (count,)) or not all(is_index(state, states) for state in asked.flat):
        raise BadInput(f'options["state"] is {options["state"]!r}; expected a state, 0 to {states - 1}')
    return np.broadcast_to(asked, (count,)).astype(np.int64)
