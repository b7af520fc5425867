"""The picture of a grid: each cell says its value, and its arrows are as long as the actions are likely."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrow, Rectangle

from toy_envs import GRID
from toy_envs.grid import DIRECTIONS, LAYOUT, cells
from toy_envs.pictures import LONGEST_ARROW, draw_grid, draw_grids
from toy_envs.tabular_oracle import evaluate, optimal_policy

matplotlib.use("Agg")
GOES = [[0.0, 0.0, 1.0, 0.0]] * 10 + [[0.5, 0.25, 0.24, 0.01]]
VALUES = [k / 8 - 0.5 for k in range(11)]
CELLS = cells(LAYOUT)
ENDS = (3, 6)


@pytest.fixture
def axes() -> Iterator[Axes]:
    figure, made = plt.subplots()
    draw_grid(made, LAYOUT, VALUES, GOES)
    yield made
    plt.close(figure)


def arrows(axes: Axes) -> dict[tuple[int, int], list[tuple[float, float]]]:
    """(down, right) of each arrow, by cell: how far its points reach from the middle it starts in."""
    found: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for arrow in axes.patches:
        if isinstance(arrow, FancyArrow):
            points = arrow.get_xy()
            tail = points[np.argsort(np.linalg.norm(points - points[0], axis=1))[-2:]].mean(0)
            reach = points[0] - tail
            cell = int(tail[1]), int(tail[0])
            found.setdefault(cell, []).append((round(reach[1], 6), round(reach[0], 6)))
    return found


def test_each_cell_says_its_value(axes: Axes) -> None:
    said = {(int(y), int(x)): text.get_text() for text in axes.texts for x, y in [text.get_position()]}
    assert said == {
        cell: {3: "+", 6: "−"}.get(state, f"{VALUES[state]:.2f}".replace("-", "−")) for state, cell in enumerate(CELLS)
    }


def test_arrows_are_as_long_as_the_actions_are_likely(axes: Axes) -> None:
    found = arrows(axes)
    assert set(found) == {cell for state, cell in enumerate(CELLS) if state not in ENDS}
    assert found[CELLS[0]] == [(0, LONGEST_ARROW)]
    likely = zip(GOES[10][:3], DIRECTIONS[:3], strict=True)  # one in a hundred has no arrow
    shown = [(p * LONGEST_ARROW * down, p * LONGEST_ARROW * right) for p, (down, right) in likely]
    assert np.allclose(sorted(found[CELLS[10]]), sorted(shown), atol=1e-6)


def test_lower_values_are_darker_and_no_cell_is_too_dark_to_be_written_on(axes: Axes) -> None:
    squares = {
        (round(p.get_y()), round(p.get_x())): p for p in axes.patches if isinstance(p, Rectangle) and p.get_fill()
    }
    greys = [squares[cell].get_facecolor()[0] for state, cell in enumerate(CELLS) if state not in ENDS]
    assert greys == sorted(greys) and greys[0] < greys[-1] == 1
    assert min(greys) > 0.5


def test_the_start_has_a_border_of_its_own_and_the_wall_is_hatched(axes: Axes) -> None:
    outlines = [p for p in axes.patches if isinstance(p, Rectangle) and not p.get_fill()]
    assert [(int(p.get_y()), int(p.get_x())) for p in outlines] == [(2, 0)]
    assert sum(bool(p.get_hatch()) for p in axes.patches) == 1
    assert axes.get_xlim() == (0, 4) and axes.get_ylim() == (3, 0)  # the first row on top


def test_several_policies_stand_side_by_side_with_their_names_exact_or_not() -> None:
    policy = optimal_policy(GRID)
    v = evaluate(GRID, policy).v
    figure = draw_grids(LAYOUT, {"one": (v, policy), "other": (VALUES, GOES)})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["one", "other"]
    assert "0.35" in {text.get_text() for text in figure.axes[0].texts}
    plt.close(figure)


def test_values_that_are_all_alike_can_be_drawn() -> None:
    figure = draw_grids(LAYOUT, {"zero": ([0.0] * 11, GOES)})
    assert {text.get_text() for text in figure.axes[0].texts} == {"0.00", "+", "−"}
    plt.close(figure)
