"""Pictures of the clipped surrogate over the ratio and the advantage, in one style that can be read without colour.

f(ratio, A) = min(ratio·A, clip(ratio, 1 − ε, 1 + ε)·A),  ratio = π(a∣s)/π_old(a∣s)

Its slope in the ratio is A, or 0 where f is flat: for A > 0 beyond 1 + ε, for A < 0 below 1 − ε. Claims PPO.2, PPO.3, PPO.5.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from toy_envs.errors import BadInput

Floats = NDArray[np.float64]

RATIOS, ADVANTAGES = (0.0, 2.0), (-2.0, 2.0)  # what is drawn of the plane
HEIGHTS = (-3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2, 2.5, 3, 3.5)  # of which there are lines
SLOPES = (-1.5, -1, -0.5, 0.5, 1, 1.5)


def clipped(ratios: ArrayLike, advantages: ArrayLike, epsilon: float) -> Floats:
    """f of each pair. Raises BadInput unless 0 < ε < 1."""
    _check(epsilon)
    ratio, factor = np.asarray(ratios, dtype=np.float64), np.asarray(advantages, dtype=np.float64)
    return np.asarray(np.minimum(ratio * factor, ratio.clip(1 - epsilon, 1 + epsilon) * factor))


def is_flat(ratios: ArrayLike, advantages: ArrayLike, epsilon: float) -> NDArray[np.bool_]:
    """Whether f no longer follows the ratio. Raises BadInput unless 0 < ε < 1. Claim PPO.3."""
    _check(epsilon)
    ratio, factor = np.asarray(ratios, dtype=np.float64), np.asarray(advantages, dtype=np.float64)
    return np.asarray(((factor > 0) & (ratio > 1 + epsilon)) | ((factor < 0) & (ratio < 1 - epsilon)))


def draw_clip(epsilon: float) -> Figure:
    """Draws f over the plane of ratio and advantage, its slope beside it, and below both f at A = 1 and at A = −1.

    In the plane are lines of equal height, and of equal slope, dashed where negative; where f is flat it is hatched, and
    its kinks are thick. Below stand f, ratio·A and clip(ratio)·A alone, so that it shows which of the two f takes. Raises
    BadInput unless 0 < ε < 1.
    """
    ratios, advantages = np.meshgrid(np.linspace(*RATIOS, 201), np.linspace(*ADVANTAGES, 201))
    flat = is_flat(ratios, advantages, epsilon)
    figure, panels = plt.subplots(2, 2, figsize=(9.6, 7.2), sharex=True)
    # By hand: a layout that is worked out draws everything twice, and a slider is to follow at once.
    figure.subplots_adjust(left=0.08, right=0.985, bottom=0.075, top=0.95, wspace=0.18, hspace=0.16)
    for axes, title, found, levels in (
        (panels[0, 0], "the clipped surrogate f", clipped(ratios, advantages, epsilon), HEIGHTS),
        (panels[0, 1], "its slope in the ratio", np.where(flat, np.nan, advantages), SLOPES),
    ):
        lines = axes.contour(ratios, advantages, found, levels=levels, colors="black", linewidths=0.9)
        axes.clabel(lines, fontsize="small", fmt="%g")
        _flat_regions(axes, epsilon, named=levels is SLOPES)
        axes.set(xlim=RATIOS, ylim=ADVANTAGES, ylabel="advantage A", title=f"{title}, ε = {epsilon:g}")
    for axes, factor in zip(panels[1], (1, -1), strict=True):
        _cut(axes, epsilon, factor)
    return figure


def _flat_regions(axes: Axes, epsilon: float, named: bool) -> None:
    """Hatches where f is flat, says so where there is room, and draws the kinks that bound it."""
    bottom, top = ADVANTAGES
    for edge, side, height in ((1 + epsilon, RATIOS[1], top), (1 - epsilon, RATIOS[0], bottom)):
        axes.fill_between([edge, side], 0, height, facecolor="none", edgecolor="0.7", hatch="////", linewidth=0)
        axes.plot([edge, edge], [0, height], color="black", linewidth=2.4)
        if named:
            middle, box = ((edge + side) / 2, height / 2), {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.annotate("flat", middle, ha="center", va="center", bbox=box)
    axes.axhline(0, color="black", linewidth=0.8)


def _cut(axes: Axes, epsilon: float, factor: int) -> None:
    ratios = np.linspace(*RATIOS, 401)
    alone = ratios.clip(1 - epsilon, 1 + epsilon) * factor
    axes.plot(ratios, ratios * factor, color="0.45", linestyle=":", linewidth=1.8, label="ratio·A")
    axes.plot(ratios, alone, color="0.35", linestyle="--", linewidth=1.4, label="clip(ratio)·A alone")
    axes.plot(ratios, clipped(ratios, factor, epsilon), color="black", linewidth=2.4, label="f, the lower of the two")
    axes.plot(1, factor, "o", color="black", label="the start: ratio 1")
    axes.set(xlabel="ratio π/π_old", ylabel="surrogate", title=f"A = {factor}".replace("-", "−"))
    axes.legend(fontsize="small")


def draw_where_it_bites(batches: Mapping[str, tuple[ArrayLike, ArrayLike]], epsilon: float, most: int = 500) -> Figure:
    """Draws the tokens of batches in the plane of ratio and advantage, a panel for each batch.

    A token at which f is flat, so that it has no gradient, is a cross, any other a dot; the share of the crosses is in the
    title. At most `most` tokens of a batch are drawn, evenly chosen; the share is that of all.

    Arguments: `batches` the ratios and advantages of each by its name; `epsilon` ε. Raises BadInput where they are not as
    many, a batch is empty, there is none, or ε is not between 0 and 1.
    """
    if not batches:
        raise BadInput("batches is empty; expected at least one, as ratios and advantages")
    figure, panels = plt.subplots(
        1, len(batches), figsize=(3.8 * len(batches) + 0.6, 4), sharex=True, sharey=True, squeeze=False
    )
    figure.set_layout_engine("constrained")
    for axes, (name, pair) in zip(panels[0], batches.items(), strict=True):
        ratios, advantages = (np.asarray(part, dtype=np.float64).ravel() for part in pair)
        if not 0 < len(ratios) == len(advantages):
            plt.close(figure)
            raise BadInput(
                f"{name}: {len(ratios)} ratios, {len(advantages)} advantages; expected as many, and one at least"
            )
        flat = is_flat(ratios, advantages, epsilon)
        drawn = np.arange(len(ratios)) % -(-len(ratios) // most) == 0
        for chosen, mark, shade, label in (
            (drawn & ~flat, ".", "0.5", "follows the ratio"),
            (drawn & flat, "x", "black", "flat: no gradient"),
        ):
            axes.plot(ratios[chosen], advantages[chosen], mark, color=shade, markersize=5, label=label)
        for edge in (1 - epsilon, 1 + epsilon):
            axes.axvline(edge, color="black", linewidth=0.8, linestyle="--")
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set(xlabel="ratio π/π_old", title=f"{name}: {flat.mean():.0%} flat")
    panels[0, 0].set_ylabel("advantage Â (reward)")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _check(epsilon: float) -> None:
    if not 0 < epsilon < 1:
        raise BadInput(f"epsilon is {epsilon}; expected a number between 0 and 1")
