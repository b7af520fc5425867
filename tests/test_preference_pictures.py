"""The pictures of the reward model's loss: the curves are the loss and its slope, the points the rewards, shifted."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from derivations.algorithms.losses import reward_model
from derivations.laboratory.preference_pictures import draw_learned_rewards, draw_preference_loss, pair_loss, pull
from toy_envs.errors import BadInput

TRUTH = np.array([0.0, 1.0, 1.0, 2.0])
GROUPS = {"even": np.array([True, False, True, False]), "odd": np.array([False, True, False, True])}


def test_the_curves_are_the_loss_of_the_package_and_minus_its_slope() -> None:
    for margin in (-40.0, -1.5, 0.0, 3.0):
        chosen = torch.tensor([margin], dtype=torch.float64, requires_grad=True)
        loss, _ = reward_model(chosen, torch.zeros(1, dtype=torch.float64))
        (slope,) = torch.autograd.grad(loss, chosen)
        assert float(pair_loss(margin)) == pytest.approx(loss.item(), abs=1e-12)
        assert float(pull(margin)) == pytest.approx(-slope.item(), abs=1e-12)


def test_the_tangent_touches_the_loss_at_the_margin() -> None:
    figure = draw_preference_loss(-1.5)
    left, right = figure.axes
    drawn = {str(line.get_label()): line for line in left.lines}
    near, heights = (np.asarray(part) for part in drawn["tangent"].get_data())
    assert np.interp(-1.5, near, heights) == pytest.approx(float(pair_loss(-1.5)))
    assert np.diff(heights) / np.diff(near) == pytest.approx(-float(pull(-1.5)))
    assert (left.get_title(), right.get_title()) == ("m = −1.5: loss 1.70", "pull 0.82")
    plt.close(figure)


def test_learned_rewards_are_shifted_and_nothing_else() -> None:
    figure = draw_learned_rewards({"right": TRUTH + 7, "wrong": [0.0, 1.0, 1.0, 4.0]}, TRUTH, GROUPS)
    for axes, wanted, off in zip(figure.axes, (TRUTH, [-0.5, 0.5, 0.5, 3.5]), ("0.00", "0.87"), strict=True):
        for line, rows in zip(axes.lines[1:], GROUPS.values(), strict=True):
            assert np.asarray(line.get_ydata()) == pytest.approx(np.asarray(wanted)[rows])
            assert np.asarray(line.get_xdata()) == pytest.approx(TRUTH[rows], abs=0.05)
        assert axes.texts[0].get_text() == f"off by {off}"
    plt.close(figure)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(BadInput, match=r"margin is 7\.0; expected a number from -6 to 6"):
        draw_preference_loss(7.0)
    with pytest.raises(BadInput, match="learned is empty"):
        draw_learned_rewards({}, TRUTH, GROUPS)
    with pytest.raises(BadInput, match=r"learned\['short'\] has 3 rewards; expected 4"):
        draw_learned_rewards({"short": TRUTH[:3]}, TRUTH, GROUPS)
    with pytest.raises(BadInput, match="groups has 7 groups; expected at most 6"):
        draw_learned_rewards({"all": TRUTH}, TRUTH, {str(n): GROUPS["odd"] for n in range(7)})
