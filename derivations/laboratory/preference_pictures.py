"""Pictures of the loss of a reward model and of what it recovers, in one style that can be read without colour.

The loss of one comparison is −log σ(m), m = r(x, y_w) − r(x, y_l) its margin; its slope is −σ(−m). Claims RM.4, RM.6.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from toy_envs.errors import BadInput
from toy_envs.line_styles import check_told_apart, marker_style

Floats = NDArray[np.float64]

MARGINS = (-6.0, 6.0)  # what is drawn of the axis
TANGENT = 2.2  # how far a tangent goes to both sides
APART = 0.0125  # of the range of true rewards: how far the groups of one reward stand apart


def pair_loss(margins: ArrayLike) -> Floats:
    """−log σ(m), without overflow."""
    return np.asarray(np.logaddexp(0.0, -np.asarray(margins, dtype=np.float64)))


def pull(margins: ArrayLike) -> Floats:
    """σ(−m), minus the slope of the loss: the chance that Bradley–Terry gives to the other label."""
    return np.asarray(np.exp(-np.logaddexp(0.0, np.asarray(margins, dtype=np.float64))))


def draw_preference_loss(margin: float) -> Figure:
    """Draws the loss of a comparison over its margin, with the tangent at one margin, and beside it minus its slope.

    Raises BadInput where the margin is not within what is drawn.
    """
    least, most = MARGINS
    if not least <= margin <= most:
        raise BadInput(f"margin is {margin}; expected a number from {least:g} to {most:g}")
    across = np.linspace(least, most, 241)
    loss, slope = float(pair_loss(margin)), -float(pull(margin))
    near = np.array([max(least, margin - TANGENT), min(most, margin + TANGENT)])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
    left.plot(across, pair_loss(across), "k-", linewidth=1.8, label="−log σ(m)")
    left.plot(across, np.maximum(0, -across), color="0.55", linestyle=":", linewidth=1.8, label="max(0, −m)")
    left.plot(near, loss + slope * (near - margin), "k--", linewidth=1.2, label="tangent")
    left.set(
        ylabel="loss (nats)", title=f"m = {margin:g}: loss {loss:.2f}".replace("-", "−"), ylim=(-0.4, -least + 0.6)
    )
    right.plot(across, pull(across), "k-", linewidth=1.8, label="σ(−m)")
    right.axhline(0.5, color="0.55", linestyle=":", linewidth=1.2, label="½, at a tie")
    right.set(ylabel="pull: minus the slope", title=f"pull {-slope:.2f}", ylim=(-0.06, 1.06))
    for axes, height in ((left, loss), (right, -slope)):
        axes.plot(margin, height, "ko", markersize=8)
        axes.set(xlabel="margin m = r(y_w) − r(y_l)", xlim=MARGINS)
        axes.legend(fontsize="small", loc="upper right")
    return figure


def draw_learned_rewards(learned: Mapping[str, ArrayLike], truth: ArrayLike, groups: Mapping[str, ArrayLike]) -> Figure:
    """Draws learned rewards over the true ones, a panel for each model, shifted so that both have the same mean.

    On the line the learned reward is the true one up to that shift. In the corner stands how far off the points are, as
    the root of the mean square. Groups stand a little beside each other.

    Arguments: `learned` the rewards of all responses by the name of the model; `truth` the true ones; `groups` which
    responses have a marker in common, by its name. Raises BadInput where there is no model, a shape differs, or there are
    more groups than markers.
    """
    true = np.asarray(truth, dtype=np.float64)
    check_told_apart("groups", groups, "groups")
    if not learned:
        raise BadInput("learned is empty; expected the rewards of one model at least")
    for name, given in learned.items():
        if np.shape(given) != true.shape:
            raise BadInput(
                f"learned[{name!r}] has {np.size(given)} rewards; expected {true.size}, as there are true ones"
            )
    width = 3.5 * len(learned) + 0.6
    figure, panels = plt.subplots(1, len(learned), figsize=(width, 4.2), sharex=True, sharey=True, squeeze=False)
    figure.set_layout_engine("constrained")
    for axes, (name, given) in zip(panels[0], learned.items(), strict=True):
        rewards = np.asarray(given, dtype=np.float64)
        _one_model(axes, rewards - rewards.mean() + true.mean(), true, groups)
        axes.set_title(name, fontsize="medium")
        axes.set_xlabel("true reward r*")
    panels[0, 0].set_ylabel("learned reward, shifted")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=1 + len(groups))
    return figure


def _one_model(axes: Axes, shifted: Floats, true: Floats, groups: Mapping[str, ArrayLike]) -> None:
    ends = np.array([true.min(), true.max()])
    axes.plot(ends, ends, color="0.55", linewidth=1.2, label="r* itself")
    for place, (name, rows) in enumerate(groups.items()):
        chosen = np.asarray(rows)
        aside = (place - (len(groups) - 1) / 2) * APART * np.ptp(true)
        axes.plot(
            true[chosen] + aside,
            shifted[chosen],
            linestyle="none",
            markersize=5,
            label=name,
            **marker_style(place),
        )
    off = float(np.sqrt(np.mean((shifted - true) ** 2)))
    axes.annotate(f"off by {off:.2f}", (0.04, 0.93), xycoords="axes fraction")
