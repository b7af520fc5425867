"""The pictures of the clip show the surrogate of the losses, and where it is flat."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from derivations.algorithms.losses import ppo_clip
from derivations.laboratory.clip_pictures import clipped, draw_clip, draw_where_it_bites, is_flat
from toy_envs.errors import BadInput

matplotlib.use("Agg")

EPSILON = 0.2
RATIOS, ADVANTAGES = (part.ravel() for part in np.meshgrid(np.arange(0.05, 2, 0.1), np.arange(-2, 2.1, 0.5)))


def test_the_surrogate_and_where_it_is_flat_are_those_of_the_loss() -> None:
    logp = torch.tensor(RATIOS).log().unsqueeze(-1).requires_grad_()
    given = torch.tensor(ADVANTAGES).unsqueeze(-1)
    everywhere = torch.ones_like(given, dtype=torch.bool)
    loss, told = ppo_clip(logp, torch.zeros_like(logp), given, everywhere, EPSILON)
    (gradient,) = torch.autograd.grad(-loss * len(logp), logp)  # r·∂f/∂r
    assert clipped(RATIOS, ADVANTAGES, EPSILON).mean() == pytest.approx(-loss.item(), rel=1e-12)
    flat = is_flat(RATIOS, ADVANTAGES, EPSILON)
    assert flat.mean() == pytest.approx(told["clip_fraction"])
    expected = RATIOS * np.where(flat, 0, ADVANTAGES)
    assert gradient.squeeze(-1).numpy() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("epsilon", [0.05, 0.2, 0.9])
def test_the_cuts_show_the_lower_of_two_lines(epsilon: float) -> None:
    figure = draw_clip(epsilon)
    for axes, factor in zip(figure.axes[2:], (1, -1), strict=True):
        free, alone, lower, start = axes.lines
        assert np.minimum(free.get_ydata(), alone.get_ydata()).tolist() == lower.get_ydata().tolist()
        assert [*start.get_xdata(), *start.get_ydata()] == [1, factor]
        assert len({line.get_linestyle() for line in (free, alone, lower)}) == 3  # told apart without colour
    for axes in figure.axes[:2]:
        kinks = [line.get_xdata()[0] for line in axes.lines if line.get_linewidth() > 2]
        assert kinks == [1 + epsilon, 1 - epsilon]
        assert f"ε = {epsilon:g}" in axes.get_title() and axes.get_ylabel() == "advantage A"
    plt.close(figure)


def test_tokens_without_a_gradient_are_crosses() -> None:
    ratios, advantages = [1.0, 1.5, 1.5, 0.5, 0.5], [1.0, 1.0, -1.0, 1.0, -1.0]
    figure = draw_where_it_bites({"first": (ratios, advantages), "all alike": ([1.0], [2.0])}, EPSILON)
    first, second = figure.axes
    dots, crosses = first.lines[:2]
    assert list(zip(crosses.get_xdata(), crosses.get_ydata(), strict=True)) == [(1.5, 1.0), (0.5, -1.0)]
    assert len(dots.get_xdata()) == 3 and dots.get_marker() != crosses.get_marker()
    assert [axes.get_title() for axes in (first, second)] == ["first: 40% flat", "all alike: 0% flat"]
    assert "ratio" in first.get_xlabel() and "advantage" in first.get_ylabel()
    plt.close(figure)


def test_of_many_tokens_some_are_drawn_and_all_are_counted() -> None:
    ratios = np.repeat([1.0, 2.0], [750, 250])
    figure = draw_where_it_bites({"many": (ratios, np.ones(1000))}, EPSILON, most=100)
    dots, crosses = figure.axes[0].lines[:2]
    assert (len(dots.get_xdata()), len(crosses.get_xdata())) == (75, 25)
    assert figure.axes[0].get_title() == "many: 25% flat"
    plt.close(figure)


def test_what_cannot_be_drawn_is_refused() -> None:
    for epsilon in (0.0, 1.0, float("nan")):
        with pytest.raises(BadInput, match=r"epsilon is .*; expected a number between 0 and 1"):
            draw_clip(epsilon)
    with pytest.raises(BadInput, match="batches is empty"):
        draw_where_it_bites({}, EPSILON)
    with pytest.raises(BadInput, match="one: 2 ratios, 1 advantages; expected as many"):
        draw_where_it_bites({"one": ([1.0, 2.0], [1.0])}, EPSILON)
    assert not plt.get_fignums()
