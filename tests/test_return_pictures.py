"""The pictures of a discount: the weights and their sums, the marks at 1/(1 − γ), and the best actions in their places."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from derivations.laboratory.return_pictures import STEPS, draw_best_actions, draw_cut_returns, draw_horizon
from toy_envs.errors import BadInput


def test_the_bars_are_the_weights_and_the_filled_ones_stand_before_the_horizon() -> None:
    figure = draw_horizon(0.9)
    left, right = figure.axes
    heights = [bar.get_height() for container in left.containers for bar in container]
    assert heights == pytest.approx([0.9**k for k in range(STEPS)])
    assert [len(container) for container in left.containers] == [10, STEPS - 10]
    share = np.asarray(right.lines[0].get_ydata())
    assert share[10] == pytest.approx(sum(heights[:10]) / 10)
    mark = {str(line.get_label()): line for line in right.lines}["at n = 1/(1 − γ)"]
    assert np.ravel(mark.get_xdata()) == pytest.approx([10])
    assert np.ravel(mark.get_ydata()) == pytest.approx([share[10]])
    plt.close(figure)


def test_a_horizon_that_is_not_drawn_has_no_mark() -> None:
    figure = draw_horizon(0.99)
    assert "at n = 1/(1 − γ)" not in {str(line.get_label()) for line in figure.axes[1].lines}
    plt.close(figure)


def test_each_curve_is_marked_at_its_horizon() -> None:
    shares = {gamma: [1 - gamma**n for n in range(1, 101)] for gamma in (0.5, 0.9, 0.99)}
    figure = draw_cut_returns(shares)
    for line, (gamma, row), at in zip(figure.axes[0].lines, shares.items(), (2, 10, 100), strict=False):
        assert str(line.get_label()) == f"γ = {gamma:g}"
        assert np.asarray(line.get_ydata()) == pytest.approx(row)
        marked = line.get_markevery()
        assert isinstance(marked, list) and marked == [at - 1]
    plt.close(figure)


def test_the_best_actions_stand_where_they_belong() -> None:
    figure = draw_best_actions({0.0: [False, True], 0.5: [True, True]})
    forward, back = figure.axes[0].lines
    assert sorted(zip(*np.asarray(forward.get_data()), strict=True)) == [(0, 1), (1, 0), (1, 1)]
    assert list(zip(*np.asarray(back.get_data()), strict=True)) == [(0, 0)]
    assert forward.get_marker() != back.get_marker()
    plt.close(figure)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(BadInput, match=r"gamma is 1\.0; expected a number between 0 and 1"):
        draw_horizon(1.0)
    with pytest.raises(BadInput, match=r"shares\[0\.9\] has 3 steps"):
        draw_cut_returns({0.9: [0.1, 0.2, 0.3]})
    with pytest.raises(BadInput, match="forward has no rows"):
        draw_best_actions({})
    with pytest.raises(BadInput, match="rows of several lengths"):
        draw_best_actions({0.0: [True], 0.5: [True, False]})
