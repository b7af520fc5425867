"""Grid-v0: three rows and four columns, a goal, a pit, and a floor on which one slips."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

from toy_envs.errors import BadInput
from toy_envs.tabular_env import TabularEnv, TabularVectorEnv
from toy_envs.tabular_mdp import TabularMDP, Transition, ended, merged

Layout = tuple[str, ...]
"""The rows of a grid, top first: S start, + goal, - pit, # wall, . floor."""

LAYOUT = (
    "...+",
    ".#.-",
    "S...",
)
ACTIONS = ("left", "down", "right", "up")  # as in FrozenLake; the two at right angles to a are a − 1 and a + 1 mod 4
DIRECTIONS = ((0, -1), (1, 0), (0, 1), (-1, 0))  # (rows, columns) of each action
GOAL, PIT, WALL, START, FLOOR = "+-#S."
ENDS = (GOAL, PIT)
AGENT = "o"


def cells(layout: Layout) -> tuple[tuple[int, int], ...]:
    """(row, column) of each state, row by row; walls are no states."""
    return tuple(
        (row, column) for row, line in enumerate(layout) for column, symbol in enumerate(line) if symbol != WALL
    )


def grid_mdp(
    name: str, layout: Layout, slip: Fraction, step_reward: Fraction, end_reward: Fraction, discount: Fraction
) -> TabularMDP:
    """The MDP of a grid: a move goes where it should with probability 1 − 2 slip, and to each side with `slip`.

    A move against a wall or the border stays. Each move earns `step_reward`, and with it `end_reward` where it enters
    the goal, −`end_reward` where it enters the pit; both terminate. It begins on one of the starts, all equally likely.

    Raises BadInput where the layout is not a rectangle of the five symbols with a start, or `slip` not in 0 … 1/2.
    """
    _check_layout(layout)
    if not 0 <= slip <= Fraction(1, 2):
        raise BadInput(f"slip is {slip}; expected a probability, 0 to 1/2")
    places = cells(layout)
    number = {place: state for state, place in enumerate(places)}
    starts = sum(line.count(START) for line in layout)

    def entered(state: int, direction: int) -> tuple[int, Fraction, bool]:
        (row, column), (down, right) = places[state], DIRECTIONS[direction]
        following = number.get((row + down, column + right), state)
        symbol = _symbol(layout, places[following])
        extra = {GOAL: end_reward, PIT: -end_reward}.get(symbol, Fraction(0))
        return following, step_reward + extra, symbol in ENDS

    def left_by(state: int, action: int) -> tuple[Transition, ...]:
        if _symbol(layout, places[state]) in ENDS:
            return ended(state)
        chances = ((action - 1) % 4, slip), (action, 1 - 2 * slip), ((action + 1) % 4, slip)
        return merged((chance, *entered(state, direction)) for direction, chance in chances)

    return TabularMDP(
        name=name,
        states=tuple(f"row {row}, column {column}" for row, column in places),
        actions=ACTIONS,
        initial=tuple(Fraction(_symbol(layout, place) == START, starts) for place in places),
        transitions=tuple(tuple(left_by(state, action) for action in range(4)) for state in range(len(places))),
        discount=discount,
        draw=partial(_drawn, layout),
    )


def _symbol(layout: Layout, place: tuple[int, int]) -> str:
    return layout[place[0]][place[1]]


def _drawn(layout: Layout, state: int) -> str:
    """The map, with the agent at its place."""
    row, column = cells(layout)[state]
    lines = [line.replace(START, FLOOR) for line in layout]
    lines[row] = lines[row][:column] + AGENT + lines[row][column + 1 :]
    return "\n".join(lines)


def _check_layout(layout: Layout) -> None:
    widths = sorted({len(line) for line in layout})
    if len(widths) != 1:
        raise BadInput(f"layout has lines of the lengths {widths}; expected one line or more, all of one length")
    symbols = (GOAL, PIT, WALL, START, FLOOR)
    for (row, line), column in product(enumerate(layout), range(widths[0])):
        if line[column] not in symbols:
            raise BadInput(f"layout[{row}][{column}] is {line[column]!r}; expected one of {' '.join(symbols)}")
    if not any(START in line for line in layout):
        raise BadInput(f"layout has no {START}; expected a start")


GRID = grid_mdp(
    name="toy_envs/Grid-v0",
    layout=LAYOUT,
    slip=Fraction(1, 10),
    step_reward=Fraction(-1, 25),
    end_reward=Fraction(1),
    discount=Fraction(9, 10),
)


class GridEnv(TabularEnv):
    """
    A walk to a goal past a pit, on a floor where one move in five goes to the side.

    ## Description
    The grid of Russell and Norvig (2010), figure 17.1, with γ = 9/10 in place of 1: three rows, four columns, a wall.

    ```
    ...+
    .#.-
    S...
    ```

    ## Action Space
    `Discrete(4)`: 0 left, 1 down, 2 right, 3 up.

    ## Observation Space
    `Discrete(11)`: the cell, counted row by row from the top left, without the wall: 3 is the goal, 6 the pit.

    ## Starting State
    The bottom left cell, 7; `reset(options={"state": s})` begins in s instead.

    ## Rewards
    −1/25 for each move, and with it 1 where it enters the goal and −1 where it enters the pit. A move goes where it
    should with probability 8/10 and to each side with 1/10; against the wall or the border it stays where it is.

    ## Episode End
    The episode terminates in the goal and in the pit. It is truncated after 100 steps, a limit that is no part of the
    MDP.

    ## Information
    `step()` and `reset()` return an empty dict. `P[s][a]` is the table.

    ## Arguments

    ```python
    import gymnasium
    import toy_envs

    gymnasium.make("toy_envs/Grid-v0", render_mode="ansi")
    gymnasium.make_vec("toy_envs/Grid-v0", num_envs=1000, vectorization_mode="vector_entry_point")
    ```

    `render_mode` is None, or "ansi" for the map with an `o` where the agent is.

    ## References
    Russell, S. and Norvig, P. (2010). Artificial intelligence: a modern approach, third edition. Section 17.1.

    ## Version History
    - v0: Initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(GRID, render_mode)


class GridVectorEnv(TabularVectorEnv):
    """Many episodes of Grid-v0 at once: see `GridEnv` for what they are, `TabularVectorEnv` for how they are run."""

    def __init__(self, num_envs: int = 1, **arguments: Any) -> None:
        super().__init__(GRID, num_envs, **arguments)
