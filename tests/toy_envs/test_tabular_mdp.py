"""A tabular MDP is what it says, the four worlds are the ones of the literature, and what is none is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tabular_worlds import HALF, random_mdp

import toy_envs
from toy_envs import BANDIT, CHAIN, CORRIDOR, GRID, BadInput, TabularMDP, with_time
from toy_envs.bandit import contextual_bandit
from toy_envs.grid import GOAL, LAYOUT, PIT, cells, grid_mdp
from toy_envs.tabular_mdp import ended, merged

WORLDS = [BANDIT, CHAIN, GRID, CORRIDOR]
by_name = pytest.mark.parametrize("mdp", WORLDS, ids=lambda mdp: mdp.name)


@by_name
def test_the_floats_are_those_of_the_exact_table(mdp: TabularMDP) -> None:
    assert list(mdp.P) == list(range(len(mdp.states)))
    for state, rows in mdp.P.items():
        assert list(rows) == list(range(len(mdp.actions)))
        for action, row in rows.items():
            exact = mdp.transitions[state][action]
            assert row == [(float(p), following, float(reward), end) for p, following, reward, end in exact]
            assert [type(entry) for entry in row[0]] == [float, int, float, bool]


def test_the_bandit_is_one_step_of_source_a() -> None:
    assert BANDIT.beta == Fraction(1, 4) and BANDIT.reference is not None
    assert (len(BANDIT.states), len(BANDIT.actions), BANDIT.discount) == (3, 4, 1)
    assert all(len(row) == 1 and row[0][3] for rows in BANDIT.transitions for row in rows)
    # The reference policy is likely to write what scores badly, so that there is something to be learned.
    best = [max(range(4), key=lambda a, rows=rows: rows[a][0][2]) for rows in BANDIT.transitions]
    assert all(law[action] <= Fraction(1, 5) for law, action in zip(BANDIT.reference, best, strict=True))


def test_the_chain_by_hand() -> None:
    slips = (Fraction(4, 5), Fraction(1, 5))
    assert CHAIN.transitions[0][0] == ((slips[0], 1, 0, False), (slips[1], 0, 2, False))
    assert CHAIN.transitions[4][0] == ((slips[0], 4, 10, False), (slips[1], 0, 2, False))
    assert CHAIN.transitions[4][1] == ((slips[0], 0, 2, False), (slips[1], 4, 10, False))
    assert not any(end for rows in CHAIN.transitions for row in rows for *_, end in row)


def test_the_grid_by_hand() -> None:
    step, start = Fraction(-1, 25), 7
    assert [cells(LAYOUT)[state] for state in (0, 3, 4, 5, 6, start)] == [
        (0, 0),
        (0, 3),
        (1, 0),
        (1, 2),
        (1, 3),
        (2, 0),
    ]
    assert GRID.initial.index(Fraction(1)) == start
    by_state = {following: p for p, following, *_ in GRID.transitions[start][3]}  # up; left is the border
    assert by_state == {4: Fraction(8, 10), 7: Fraction(1, 10), 8: Fraction(1, 10)}
    beside_the_pit = {(following, reward, end): p for p, following, reward, end in GRID.transitions[5][3]}
    assert beside_the_pit == {
        (2, step, False): Fraction(8, 10),
        (5, step, False): Fraction(1, 10),  # the wall
        (6, step - 1, True): Fraction(1, 10),
    }
    into_the_goal = next(row for row in GRID.transitions[2][2] if row[1] == 3)
    assert into_the_goal == (Fraction(8, 10), 3, step + 1, True)
    for symbol, state in ((GOAL, 3), (PIT, 6)):
        row, column = cells(LAYOUT)[state]
        assert LAYOUT[row][column] == symbol
        assert set(GRID.transitions[state]) == {ended(state)}


def test_the_grid_is_drawn_with_the_agent_in_it() -> None:
    assert GRID.text(7) == "...+\n.#.-\no..."
    assert GRID.text(5) == "...+\n.#o-\n...."
    assert GRID.states[5] == "row 1, column 2"
    assert CHAIN.text(3) == "3"


def test_the_corridor_swaps_its_actions_in_the_middle() -> None:
    following = [[row[0][1] for row in rows] for rows in CORRIDOR.transitions]
    assert following == [[0, 1], [2, 0], [1, 3], [3, 3]]
    assert CORRIDOR.transitions[2][1] == ((1, 3, -1, True),)


def test_equal_outcomes_are_merged_and_impossible_ones_dropped() -> None:
    one, other = (HALF, 0, Fraction(1), False), (Fraction(1, 4), 0, Fraction(1), True)
    assert merged([one, other, (Fraction(1, 4), 0, Fraction(1), False), (Fraction(0), 1, Fraction(0), False)]) == (
        (Fraction(3, 4), 0, 1, False),
        other,
    )


def test_the_time_is_put_into_the_state() -> None:
    mdp = random_mdp(0, Fraction(1, 2))
    timed, size = with_time(mdp, 3), len(mdp.states)
    assert timed.states[size + 2] == "2 at 1" == timed.text(size + 2)
    assert timed.initial == mdp.initial + (0,) * (3 * size)
    for state in range(size):
        for action, row in enumerate(mdp.transitions[state]):
            for time in range(3):
                expected = [(p, (time + 1) * size + s, r, end or time == 2) for p, s, r, end in row]
                assert list(timed.transitions[time * size + state][action]) == expected
            assert timed.transitions[3 * size + state][action] == ended(3 * size + state)
    assert len(timed.states) == 4 * size
    assert with_time(BANDIT, 2).reference == (BANDIT.reference or ()) * 3


def sound(**changes: Any) -> TabularMDP:
    fields: dict[str, Any] = {
        "name": "sound",
        "states": ("s", "t"),
        "actions": ("a",),
        "initial": (Fraction(1), Fraction(0)),
        "transitions": (
            (((HALF, 0, Fraction(1), False), (HALF, 1, Fraction(0), True)),),
            (ended(1),),
        ),
        "beta": HALF,
        "reference": ((Fraction(1),), (Fraction(1),)),
    }
    return TabularMDP(**(fields | changes))


def first_row(*row: tuple[Any, ...]) -> dict[str, Any]:
    return {"transitions": ((row,), (ended(1),))}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"states": ()}, "states is (); expected one text or more"),
    ({"actions": ("a", "b", "a")}, "actions has 'a' 2 times; expected different texts"),
    ({"initial": (Fraction(1),)}, "initial has 1 entries; expected 2"),
    ({"initial": (HALF, 0.5)}, "initial[1] is 0.5; expected an int or a Fraction"),
    ({"initial": (Fraction(3, 2), -HALF)}, "initial[1] is -1/2; expected a probability, 0 or more"),
    ({"initial": (HALF, Fraction(1, 3))}, "initial has the sum 5/6; expected 1"),
    ({"transitions": ()}, "transitions has 0 entries; expected one for each of the 2 states"),
    ({"transitions": ((), ())}, "transitions[0] has 0 entries; expected one for each of 1 actions"),
    (first_row((HALF, 0, 1, False)), "transitions[0][0]: the probabilities have the sum 1/2; expected 1"),
    (first_row(), "transitions[0][0]: the probabilities have the sum 0; expected 1"),
    (first_row((1, 2, 1, False)), "transitions[0][0][0]: next_state is 2; expected a state, 0 to 1"),
    (first_row((1, True, 1, False)), "transitions[0][0][0]: next_state is True; expected a state, 0 to 1"),
    (first_row((0, 0, 1, False)), "transitions[0][0][0]: probability is 0; expected a positive number"),
    (first_row((1.0, 0, 1, False)), "transitions[0][0][0]: probability is 1.0; expected an int or a Fraction"),
    (first_row((1, 0, 0.1, False)), "transitions[0][0][0]: reward is 0.1; expected an int or a Fraction"),
    (first_row((1, 0, 1, 0)), "transitions[0][0][0]: terminated is 0; expected True or False"),
    (
        first_row((HALF, 0, 1, False), (HALF, 0, 1, False)),
        "transitions[0][0][1] is there twice; expected different outcomes, as `merged` makes them",
    ),
    ({"discount": Fraction(3, 2)}, "discount is 3/2; expected a number from 0 to 1"),
    ({"discount": -1}, "discount is -1; expected a number from 0 to 1"),
    ({"discount": 0.9}, "discount is 0.9; expected an int or a Fraction"),
    ({"beta": None}, "beta is None; expected beta and reference, both or neither"),
    ({"reference": None}, "reference is None; expected beta and reference, both or neither"),
    ({"beta": Fraction(0)}, "beta is 0; expected a positive number"),
    ({"beta": 0.5}, "beta is 0.5; expected an int or a Fraction"),
    ({"reference": ((1,),)}, "reference has 1 entries; expected one for each of the 2 states"),
    ({"reference": ((1,), (HALF,))}, "reference[1] has the sum 1/2; expected 1"),
    (
        {"actions": ("a", "b"), "transitions": ((ended(0),) * 2, (ended(1),) * 2), "reference": ((0, 1), (HALF, HALF))},
        "reference[0][0] is 0; expected a positive number",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[message[:50] for _, message in BAD])
def test_what_is_no_tabular_mdp_is_refused(changes: dict[str, Any], message: str) -> None:
    assert sound().states == ("s", "t")
    with pytest.raises(BadInput) as refused:
        sound(**changes)
    assert str(refused.value) == message


@pytest.mark.parametrize("state", [11, -1, 1.0, True], ids=repr)
def test_a_state_that_is_none_has_no_text(state: Any) -> None:
    with pytest.raises(BadInput) as refused:
        GRID.text(state)
    assert str(refused.value) == f"state is {state!r}; expected a state, 0 to 10"
    assert GRID.text(np.int64(10)) == GRID.text(10)  # type: ignore[arg-type]


@pytest.mark.parametrize("horizon", [0, -1, 1.0, True], ids=repr)
def test_a_horizon_that_is_none_is_refused(horizon: Any) -> None:
    with pytest.raises(BadInput) as refused:
        with_time(CHAIN, horizon)
    assert str(refused.value) == f"horizon is {horizon!r}; expected a number of steps, 1 or more"


@pytest.mark.parametrize(
    ("layout", "slip", "message"),
    [
        (("S.", "+"), HALF, "layout has lines of the lengths [1, 2]; expected one line or more, all of one length"),
        ((), HALF, "layout has lines of the lengths []; expected one line or more, all of one length"),
        (("S.", "+x"), HALF, "layout[1][1] is 'x'; expected one of + - # S ."),
        (("..", "+."), HALF, "layout has no S; expected a start"),
        (("S+",), Fraction(2, 3), "slip is 2/3; expected a probability, 0 to 1/2"),
    ],
    ids=["ragged", "empty", "symbol", "start", "slip"],
)
def test_what_is_no_grid_is_refused(layout: tuple[str, ...], slip: Fraction, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        grid_mdp("grid", layout, slip, Fraction(0), Fraction(1), HALF)
    assert str(refused.value) == message


def test_a_bandit_whose_rewards_do_not_fit_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        contextual_bandit("bandit", ["x"], ["y", "z"], (Fraction(1),), ((Fraction(1),),))
    assert str(refused.value) == "rewards has the shape [1]; expected [2]"


def test_the_names_are_there() -> None:
    assert {"BANDIT", "CHAIN", "GRID", "CORRIDOR", "TabularMDP", "TabularEnv", "with_time"} <= set(toy_envs.__all__)
    assert replace(GRID, discount=Fraction(1)).discount == 1  # a world can be changed, and is checked again
    with pytest.raises(BadInput, match="discount"):
        replace(GRID, discount=Fraction(2))
