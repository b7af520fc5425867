"""The pictures of the estimators of the KL show their values and their expected gradients."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from tabular_worlds import arms

from derivations.laboratory import CELLS, TabularWorld, kl_table
from derivations.laboratory.kl_pictures import draw_estimates, draw_pushes, expected_push
from toy_envs.errors import BadInput

matplotlib.use("Agg")

POLICY, REFERENCE = np.array([0.2, 0.2, 0.6]), np.array([0.5, 0.3, 0.2])


def test_a_push_is_minus_the_mean_that_the_laboratory_finds() -> None:
    here = TabularWorld(arms(0, 0, 0), POLICY[None], 1, exact=False)
    table = kl_table(here, REFERENCE[None], here.kl_gradient(REFERENCE[None]))
    for name, placement in CELLS:
        found = expected_push(name, placement, POLICY, REFERENCE)
        assert found == pytest.approx(-table[name, placement].mean, rel=1e-12, abs=1e-15)


def test_the_histograms_have_the_means_of_what_they_show() -> None:
    values = {"k1": [-1.0, 0.0, 2.0], "k2": [0.5, 0.0, 2.0]}
    figure = draw_estimates(values, [0.25, 0.25, 0.5], 0.75, bins=4)
    for axes, (name, each) in zip(figure.axes, values.items(), strict=True):
        truth, mean = axes.lines
        assert truth.get_xdata()[0] == 0.75
        assert mean.get_xdata()[0] == pytest.approx(np.dot(each, [0.25, 0.25, 0.5]))
        assert truth.get_linestyle() != mean.get_linestyle()  # told apart without colour
        assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(1)
        assert axes.get_title().startswith(name) and axes.get_ylabel() == "probability"
    assert "nats" in figure.axes[-1].get_xlabel()
    plt.close(figure)


def test_rare_values_do_not_make_the_rest_narrow() -> None:
    values, chances = [0.0, 1.0, 1000.0], [0.5, 0.499, 0.001]
    figure = draw_estimates({"k1": values}, chances, 1.0)
    [axes] = figure.axes
    assert max(bar.get_x() + bar.get_width() for bar in axes.patches) == pytest.approx(1)
    assert "mean 1.50" in axes.get_title()
    plt.close(figure)


def test_right_cells_have_one_arrow_on_the_other() -> None:
    figure = draw_pushes(REFERENCE, [POLICY])
    right = {"k1 in the reward", "k2 in the loss"}
    for axes in figure.axes:
        wide, thin = axes.collections
        assert wide.width > thin.width and len(wide.U) == len(thin.U) == 16
        alike = np.allclose([wide.U, wide.V], [thin.U, thin.V], rtol=0, atol=1e-12)
        assert alike == (axes.get_title() in right)
        if axes.get_title() == "k1 in the loss":
            assert np.abs([thin.U, thin.V]).max() < 1e-15
    assert len(figure.axes) == 6
    plt.close(figure)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(BadInput, match="is no cell of the table"):
        expected_push("k4", "reward", POLICY, REFERENCE)
    for reference in ([0.5, 0.5], [0.5, 0.5, 0.0], [0.5, 0.3, 0.3]):
        with pytest.raises(BadInput, match="expected three positive probabilities of sum 1"):
            draw_pushes(reference)
    with pytest.raises(BadInput, match="values is empty"):
        draw_estimates({}, [], 0.0)
    with pytest.raises(BadInput, match="has 1 values; expected 2"):
        draw_estimates({"k1": [1.0]}, [0.5, 0.5], 0.0)
    assert not plt.get_fignums()
