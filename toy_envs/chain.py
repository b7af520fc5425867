"""Chain-v0: five states in a row, a large reward at the far end and a small one for turning back."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from toy_envs.tabular_env import TabularEnv, TabularVectorEnv
from toy_envs.tabular_mdp import TabularMDP, Transition

LENGTH = 5
SLIP = Fraction(1, 5)
SMALL, LARGE = Fraction(2), Fraction(10)


def _moved(state: int, forward: bool) -> tuple[int, Fraction]:
    """The next state and the reward of a move that does not slip."""
    if not forward:
        return 0, SMALL
    return (state + 1, Fraction(0)) if state < LENGTH - 1 else (state, LARGE)


def _row(state: int, forward: bool) -> tuple[Transition, ...]:
    return (1 - SLIP, *_moved(state, forward), False), (SLIP, *_moved(state, not forward), False)


CHAIN = TabularMDP(
    name="toy_envs/Chain-v0",
    states=tuple(str(state) for state in range(LENGTH)),
    actions=("forward", "back"),
    initial=(Fraction(1), *(Fraction(0),) * (LENGTH - 1)),
    transitions=tuple((_row(state, True), _row(state, False)) for state in range(LENGTH)),
    discount=Fraction(99, 100),
)


class ChainEnv(TabularEnv):
    """
    Going forward pays at the far end only, turning back pays a little at once, and one move in five does the other.

    ## Description
    The chain of Strens (2000), after Dearden, Friedman and Russell (1998): a task without an end, so that every episode
    is truncated and a value at its last state still counts. To go forward always is best, and earns 3.6768 a step in
    the long run; γ is 99/100.

    ## Action Space
    `Discrete(2)`: 0 forward, 1 back.

    ## Observation Space
    `Discrete(5)`: the place in the chain.

    ## Starting State
    The place 0; `reset(options={"state": s})` begins in s instead.

    ## Rewards
    A move forward leads one place on and earns 0, and at the place 4 stays there and earns 10. A move back leads to the
    place 0 and earns 2. With probability 1/5 the move made is not the one that was chosen.

    ## Episode End
    The episode never terminates. It is truncated after 100 steps, a limit that is no part of the MDP.

    ## Information
    `step()` and `reset()` return an empty dict. `P[s][a]` is the table.

    ## Arguments

    ```python
    import gymnasium
    import toy_envs

    gymnasium.make("toy_envs/Chain-v0", render_mode="ansi")
    gymnasium.make_vec("toy_envs/Chain-v0", num_envs=1000, vectorization_mode="vector_entry_point")
    ```

    `render_mode` is None, or "ansi" for the number of the place.

    ## References
    Strens, M. (2000). A Bayesian framework for reinforcement learning. ICML.
    Dearden, R., Friedman, N. and Russell, S. (1998). Bayesian Q-learning. AAAI.

    ## Version History
    - v0: Initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(CHAIN, render_mode)


class ChainVectorEnv(TabularVectorEnv):
    """Many episodes of Chain-v0 at once: see `ChainEnv` for what they are, `TabularVectorEnv` for how they are run."""

    def __init__(self, num_envs: int = 1, **arguments: Any) -> None:
        super().__init__(CHAIN, num_envs, **arguments)
