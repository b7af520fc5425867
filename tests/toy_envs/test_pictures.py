"""The picture of a prefix tree: what is drawn is as wide as it is likely, and stands below what it continues."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import matplotlib
import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from toy_envs import SORTING
from toy_envs.pictures import draw_prefix_tree, draw_prefix_trees, prefix_probabilities
from toy_envs.token_mdp import Tokens

matplotlib.use("Agg")
LAW = {(0, 1, 2, 3, 4): 0.5, (0, 1, 2, 3, 5): 0.2, (3, 0, 0, 0, 0): 0.3}


@pytest.fixture
def axes() -> Iterator[Axes]:
    figure, made = plt.subplots()
    yield made
    plt.close(figure)


def blocks(axes: Axes) -> set[tuple[float, float, float]]:
    """(left, row, width) of each block."""
    found = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return {(round(b.get_x(), 9), b.get_y(), round(b.get_width(), 9)) for b in found}


def test_the_probability_of_a_prefix_is_the_sum_over_what_continues_it() -> None:
    found = prefix_probabilities(LAW)
    assert found[0,] == pytest.approx(0.7)
    assert found[0, 1, 2, 3, 5] == 0.2
    assert (1,) not in found


def test_blocks_are_as_wide_as_likely_and_stand_below_what_they_continue(axes: Axes) -> None:
    draw_prefix_tree(axes, SORTING, LAW)
    upper = {(0.0, row, 0.7) for row in range(4)} | {(0.7, row, 0.3) for row in range(5)}
    assert blocks(axes) == upper | {(0.0, 4, 0.5), (0.5, 4, 0.2)}


def test_each_block_says_its_last_symbol(axes: Axes) -> None:
    draw_prefix_tree(axes, SORTING, LAW)
    row = {round(text.get_position()[0], 9): text.get_text() for text in axes.texts if text.get_position()[1] == 4.5}
    assert row == {0.25: "4", 0.6: "5", 0.85: "0"}


def test_blocks_too_thin_to_be_seen_are_left_out_and_leave_their_place(axes: Axes) -> None:
    law: dict[Tokens, float] = {(0, 0, 0, 0, 0): 1e-4, (1, 0, 0, 0, 0): 1 - 1e-4}
    draw_prefix_tree(axes, SORTING, law)
    assert {left for left, _, _ in blocks(axes)} == {1e-4}


def test_a_row_of_all_responses_fills_the_width(axes: Axes) -> None:
    everything = {response: 6.0**-2 for response in product(range(6), repeat=2)}
    draw_prefix_tree(axes, SORTING, everything)
    for row in (0, 1):
        assert sum(width for _, y, width in blocks(axes) if y == row) == pytest.approx(1)


def test_several_policies_stand_one_above_the_other_with_their_names() -> None:
    figure = draw_prefix_trees(SORTING, {"one": LAW, "other": LAW})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["one", "other"]
    plt.close(figure)
