"""The picture of the two orders of a divergence: both curves are divergences, and touch 0 at the policy that is held."""

from __future__ import annotations

from math import inf, log

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from derivations.algorithms.kl import exact_kl
from derivations.laboratory.divergence_pictures import divergence, draw_divergences
from toy_envs.errors import BadInput


def test_a_divergence_is_that_of_the_package() -> None:
    laws = [torch.tensor([[[p, 1 - p]]], dtype=torch.float64).log() for p in (0.2, 0.7)]
    assert divergence(0.2, 0.7) == pytest.approx(exact_kl(*laws).item())
    assert divergence(1.0, 0.5) == pytest.approx(log(2))
    assert (divergence(0.5, 1.0), divergence(1.0, 1.0)) == (inf, 0.0)


def test_the_two_curves_are_the_two_orders() -> None:
    figure = draw_divergences(0.3)
    first, second, dot = figure.axes[0].lines[:3]
    for line, wanted in ((first, lambda p: divergence(p, 0.3)), (second, lambda p: divergence(0.3, p))):
        across, heights = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        assert heights == pytest.approx([wanted(p) for p in across])
    assert np.ravel(dot.get_xdata()) == pytest.approx([0.3])
    assert first.get_linestyle() != second.get_linestyle()
    plt.close(figure)


def test_a_policy_without_one_of_the_actions_is_refused() -> None:
    with pytest.raises(BadInput, match="still is 0; expected a probability between 0 and 1"):
        draw_divergences(0)
