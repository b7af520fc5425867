"""Many episodes of a token MDP at once, as arrays."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from toy_envs.checks import check_render_mode
from toy_envs.errors import BadInput
from toy_envs.token_env import line, refuse_unknown
from toy_envs.token_mdp import TokenMDP, Tokens


class TokenVectorEnv(VectorEnv[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]):
    """
    Many responses are written at once, token by token, and each is scored when it is finished.

    ## Description
    `num_envs` independent copies of TokenEnv as arrays. A step is a few operations on arrays, whatever their number;
    only the scores of responses that are finished are worked out one by one, since the reward is a function of one.

    ## Action Space
    `MultiDiscrete([V] * num_envs)`: the next token of each response. Where a response is over, its action is ignored.

    ## Observation Space
    `MultiDiscrete`, [num_envs, prompt_length + horizon]: the observation of TokenEnv in each row.

    ## Starting State
    Each row begins with a prompt, drawn with its probability, or with those of `reset(options={"prompt": i})`, where i
    is an index or one for each row.

    ## Rewards
    [num_envs], float64: the score with the last token of a response, 0 before.

    ## Episode End
    As in TokenEnv: never truncated. Autoreset is Gymnasium's `NEXT_STEP`, as in its own vector environments: the step
    that ends an episode returns its last observation; the next one begins a new episode in that row, with reward 0.

    ## Information
    `step()` and `reset()` return a dict of arrays, each the part of the observation that has its name:
    - "prompt" - [num_envs, prompt_length], and "_prompt" - [num_envs], True.
    - "response" - [num_envs, horizon], with V behind the tokens so far, and "_response" - [num_envs], True.

    ## Arguments
    - `mdp`: the token MDP.
    - `num_envs`: how many, at least 1.
    - `render_mode`: None, or "ansi" for a tuple of lines of text, those of TokenEnv.

    Raises BadInput where an argument, an action or an option is not as said here, and Gymnasium's ResetNeeded where
    there is a step before `reset`.

    ## Version History
    The version is that of the registered token MDP.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's own declaration)
        "render_modes": ["ansi"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(self, mdp: TokenMDP, num_envs: int = 1, render_mode: str | None = None) -> None:
        if num_envs < 1:
            raise BadInput(f"num_envs is {num_envs}; expected a number of environments, 1 or more")
        check_render_mode(render_mode, self.metadata["render_modes"])
        self.mdp, self.num_envs, self.render_mode = mdp, num_envs, render_mode
        self.single_action_space = spaces.Discrete(mdp.size)
        self.single_observation_space = spaces.MultiDiscrete([mdp.size + 1] * (mdp.prompt_length + mdp.horizon))
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._prompts = np.array(mdp.prompts, dtype=np.int64).reshape(len(mdp.prompts), mdp.prompt_length)
        self._observations = np.full((num_envs, mdp.prompt_length + mdp.horizon), mdp.size, dtype=np.int64)
        self._lengths = np.zeros(num_envs, dtype=np.int64)  # tokens written so far
        self._over: NDArray[np.bool_] | None = None  # None until reset

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Begins a response in every row, to drawn prompts or to those of options["prompt"]."""
        super().reset(seed=seed)
        chosen = self._chosen(options or {})
        every = np.arange(self.num_envs)
        self._begin(every, self._drawn(self.num_envs) if chosen is None else chosen)
        self._over = np.zeros(self.num_envs, dtype=np.bool_)
        return self._observations.copy(), self._info()

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Appends a token to each response that is not over, and begins a new one where it is."""
        if self._over is None:
            raise ResetNeeded("step before the first reset; expected reset() first")
        tokens = self._tokens(actions)
        going, over = np.flatnonzero(~self._over), np.flatnonzero(self._over)
        self._observations[going, self.mdp.prompt_length + self._lengths[going]] = tokens[going]
        self._lengths[going] += 1
        terminated = np.zeros(self.num_envs, dtype=np.bool_)
        terminated[going] = (self._lengths[going] == self.mdp.horizon) | self._ends(tokens[going])
        rewards = np.zeros(self.num_envs)
        for row in np.flatnonzero(terminated).tolist():
            rewards[row] = self.mdp.reward(*self._written(row))
        self._begin(over, self._drawn(len(over)))
        self._over = terminated
        return self._observations.copy(), rewards, terminated.copy(), np.zeros_like(terminated), self._info()

    def render(self) -> tuple[str, ...] | None:
        """The line of text of each row, where render_mode is "ansi"."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() without a render mode; expected render_mode="ansi" when it was made')
            return None
        if self._over is None:
            raise ResetNeeded("render before the first reset; expected reset() first")
        return tuple(line(self.mdp, *self._written(row)) for row in range(self.num_envs))

    def _begin(self, rows: NDArray[np.int64], prompts: NDArray[np.int64]) -> None:
        self._observations[rows] = self.mdp.size
        self._observations[rows, : self.mdp.prompt_length] = self._prompts[prompts]
        self._lengths[rows] = 0

    def _drawn(self, count: int) -> NDArray[np.int64]:
        """The indices of so many prompts."""
        return self.np_random.choice(len(self.mdp.prompts), size=count, p=self.mdp.prompt_law)

    def _ends(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.zeros(len(tokens), dtype=np.bool_) if self.mdp.end is None else tokens == self.mdp.end

    def _written(self, row: int) -> tuple[Tokens, Tokens]:
        """The prompt and the response of a row."""
        length = self.mdp.prompt_length
        whole = self._observations[row, : length + self._lengths[row]].tolist()
        return tuple(whole[:length]), tuple(whole[length:])

    def _tokens(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        given = np.asarray(actions)
        if given.shape != (self.num_envs,) or not np.issubdtype(given.dtype, np.integer):
            raise BadInput(
                f"actions has the shape {given.shape} and the type {given.dtype}; "
                f"expected one integer for each of the {self.num_envs} environments"
            )
        wrong = np.flatnonzero((given < 0) | (given >= self.mdp.size))
        if len(wrong):
            raise BadInput(f"actions[{wrong[0]}] is {given[wrong[0]]}; expected a token, 0 to {self.mdp.size - 1}")
        return given

    def _chosen(self, options: dict[str, Any]) -> NDArray[np.int64] | None:
        """The indices [num_envs] of the prompts that the options ask for."""
        refuse_unknown(options)
        if "prompt" not in options:
            return None
        given, count = np.asarray(options["prompt"]), len(self.mdp.prompts)
        right = np.issubdtype(given.dtype, np.integer) and given.shape in ((), (self.num_envs,))
        if not right or ((given < 0) | (given >= count)).any():
            raise BadInput(
                f'options["prompt"] is {options["prompt"]!r}; expected the index of a prompt, 0 to {count - 1}, '
                f"or one for each of the {self.num_envs} environments"
            )
        return np.broadcast_to(given, (self.num_envs,))

    def _info(self) -> dict[str, Any]:
        prompts, responses = np.split(self._observations.copy(), [self.mdp.prompt_length], axis=1)
        every = np.ones(self.num_envs, dtype=np.bool_)
        return {"prompt": prompts, "_prompt": every, "response": responses, "_response": every.copy()}
