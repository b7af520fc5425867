"""A token MDP behind the interface of Gymnasium."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from toy_envs.checks import check_render_mode
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP, Tokens

UNWRITTEN = "·"  # how a place that has no token yet is drawn


def line(mdp: TokenMDP, prompt: Tokens, response: Tokens) -> str:
    """A prompt and a response as text, with a `·` at each place that can still be written."""
    left = 0 if mdp.is_over(response) else mdp.horizon - len(response)
    before = f"{mdp.text(prompt)} " if prompt else ""
    return f"{before}→ {mdp.text(response)}{UNWRITTEN * left}"


def refuse_unknown(options: dict[str, Any]) -> None:
    """Raises BadInput where the options of `reset` have another key than "prompt"."""
    unknown = sorted(set(options) - {"prompt"})
    if unknown:
        raise BadInput(f'options has {", ".join(map(repr, unknown))}; expected at most "prompt"')


class TokenEnv(gymnasium.Env[NDArray[np.int64], np.int64]):
    """
    A response is written token by token, and scored when it is finished.

    ## Description
    The environment of any token MDP (claim DEF.1; source B I): an action appends a token, and nothing else is random
    than the prompt.

    ## Action Space
    `Discrete(V)`: the next token, one of the V of the vocabulary.

    ## Observation Space
    `MultiDiscrete([V + 1] * (prompt_length + horizon))`: the prompt and the tokens so far; the places after them hold
    V, which is no token.

    ## Starting State
    A prompt, drawn with its probability, and an empty response. `reset(options={"prompt": i})` begins with the prompt
    of index i instead.

    ## Rewards
    The score of the response with its last token, 0 before. It is the task's reward alone: a KL penalty belongs to
    what is trained, and is added there.

    ## Episode End
    The episode terminates after the end token, if the token MDP has one, and after `horizon` tokens. The horizon is a
    part of this MDP, and the state tells the time, so an episode is never truncated.

    ## Information
    `step()` and `reset()` return a dict with the following keys:
    - "prompt" - the tokens of the prompt, a tuple.
    - "response" - the tokens so far, a tuple.

    ## Arguments
    - `mdp`: the token MDP.
    - `render_mode`: None, or "ansi" for a line of text with a `·` at each place that can still be written.

    Raises BadInput where an argument, an action or an option is not as said here, and Gymnasium's ResetNeeded where
    there is a step before `reset` or after the end.

    ## Version History
    The version is that of the registered token MDP.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(self, mdp: TokenMDP, render_mode: str | None = None) -> None:
        check_render_mode(render_mode, self.metadata["render_modes"])
        self.mdp = mdp
        self.render_mode = render_mode
        self.action_space = spaces.Discrete(mdp.size)
        self.observation_space = spaces.MultiDiscrete([mdp.size + 1] * (mdp.prompt_length + mdp.horizon))
        self._prompt: Tokens | None = None  # None until reset
        self._response: Tokens = ()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Begins a response to a prompt, a drawn one or the one of index options["prompt"]."""
        super().reset(seed=seed)
        chosen = self._chosen(options or {})
        drawn = int(self.np_random.choice(len(self.mdp.prompts), p=self.mdp.prompt_law)) if chosen is None else chosen
        self._prompt, self._response = self.mdp.prompts[drawn], ()
        return self._observation(self._prompt), self._info(self._prompt)

    def step(self, action: np.int64 | int) -> tuple[NDArray[np.int64], float, bool, bool, dict[str, Any]]:
        """Appends a token; the score comes with the last one."""
        prompt = self._begun("step")
        if self.mdp.is_over(self._response):
            raise ResetNeeded("step after the end of the response; expected reset() first")
        if not self.action_space.contains(action):
            raise BadInput(f"action is {action!r}; expected a token, 0 to {self.mdp.size - 1}")
        self._response = (*self._response, int(action))
        terminated = self.mdp.is_over(self._response)
        reward = float(self.mdp.reward(prompt, self._response)) if terminated else 0.0
        return self._observation(prompt), reward, terminated, False, self._info(prompt)

    def render(self) -> str | None:
        """The prompt and the response as a line of text, where render_mode is "ansi"."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() without a render mode; expected render_mode="ansi" when it was made')
            return None
        return line(self.mdp, self._begun("render"), self._response)

    def _chosen(self, options: dict[str, Any]) -> int | None:
        """The index of the prompt that the options ask for."""
        refuse_unknown(options)
        if "prompt" not in options:
            return None
        index, count = options["prompt"], len(self.mdp.prompts)
        if not spaces.Discrete(count).contains(index):
            raise BadInput(f'options["prompt"] is {index!r}; expected the index of a prompt, 0 to {count - 1}')
        return int(index)

    def _begun(self, what: str) -> Tokens:
        """The prompt, or an error where there is none yet."""
        if self._prompt is None:
            raise ResetNeeded(f"{what} before the first reset; expected reset() first")
        return self._prompt

    def _observation(self, prompt: Tokens) -> NDArray[np.int64]:
        observation = np.full(self.mdp.prompt_length + self.mdp.horizon, self.mdp.size, dtype=np.int64)
        observation[: len(prompt) + len(self._response)] = prompt + self._response
        return observation

    def _info(self, prompt: Tokens) -> dict[str, Any]:
        return {"prompt": prompt, "response": self._response}
