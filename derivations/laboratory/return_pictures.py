"""Pictures of what a discount does: how it weighs the rewards to come, and which policy is best; readable without colour.

The weight of the reward k steps ahead is γ^k, all weights together 1/(1 − γ), those of the first n steps 1 − γⁿ of that.
Claims TR.4, TR.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import e, floor

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from toy_envs.errors import BadInput
from toy_envs.line_styles import check_told_apart, curve_style

STEPS = 60  # as many as are drawn of the weights


def draw_horizon(gamma: float) -> Figure:
    """Draws the weights of the rewards to come, and beside them the share of all weight that the first n steps have.

    The weights before 1/(1 − γ) are filled, those from there on open; the first have 1 − 1/e of the whole or a little
    more. Raises BadInput unless 0 < γ < 1.
    """
    if not 0 < gamma < 1:
        raise BadInput(f"gamma is {gamma}; expected a number between 0 and 1")
    ahead, horizon = np.arange(STEPS), 1 / (1 - gamma)
    weights, near = gamma**ahead, ahead < round(horizon, 9)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
    for chosen, shade, label in ((near, "0.35", "before 1/(1 − γ)"), (~near, "white", "from there on")):
        left.bar(
            ahead[chosen], weights[chosen], width=0.8, facecolor=shade, edgecolor="0.35", linewidth=0.8, label=label
        )
    left.set(xlabel="steps ahead, k", ylabel="weight γᵏ", ylim=(0, 1.05))
    left.set_title(f"γ = {gamma:g}: 1/(1 − γ) = {horizon:.3g}")
    left.legend(fontsize="small")
    counts = np.arange(STEPS + 1)
    right.plot(counts, 1 - gamma**counts, "k-", linewidth=1.8, label="share 1 − γⁿ")
    right.axhline(1 - 1 / e, color="0.5", linestyle=":", linewidth=1.4, label="1 − 1/e")
    if horizon <= STEPS:
        right.plot(horizon, 1 - gamma**horizon, "ko", markersize=8, label="at n = 1/(1 − γ)")
    right.set(xlabel="steps counted, n", ylabel="share of all weight", ylim=(-0.03, 1.05))
    right.set_title(f"beyond {STEPS} steps: {gamma**STEPS:.1%}")
    right.legend(fontsize="small", loc="lower right")
    return figure


def draw_cut_returns(shares: Mapping[float, Sequence[float]]) -> Figure:
    """Draws, for each discount, the share of a value that the return of the first n steps has, over n.

    A large marker stands at n = 1/(1 − γ).

    Arguments: `shares` by γ, of n = 1, 2, … steps. Raises BadInput where there are more than can be told apart, or a
    horizon is longer than its row.
    """
    check_told_apart("shares", shares)
    for gamma, row in shares.items():
        if not 1 <= floor(round(1 / (1 - gamma), 9)) <= len(row):
            raise BadInput(f"shares[{gamma:g}] has {len(row)} steps; expected at least 1/(1 − γ) of them")
    figure, axes = plt.subplots(figsize=(6.8, 4), layout="constrained")
    for place, (gamma, row) in enumerate(shares.items()):
        style, at = curve_style(place), floor(round(1 / (1 - gamma), 9))
        axes.plot(
            range(1, len(row) + 1),
            row,
            markevery=[at - 1],
            markersize=9,
            linewidth=1.6,
            label=f"γ = {gamma:g}",
            **style,
        )
    axes.axhline(1, color="0.5", linewidth=0.8)
    axes.set(xscale="log", xlabel="steps until the cut, n", ylabel="share of the value", ylim=(0, 1.08))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.legend(fontsize="small", loc="lower right")
    return figure


def draw_best_actions(forward: Mapping[float, Sequence[bool]], names: tuple[str, str] = ("forward", "back")) -> Figure:
    """Draws the best action in each state of a row of states, for each discount: a filled triangle, or an open one.

    Arguments: `forward` by γ, for each state whether the first of the two `names` is best. Raises BadInput where there is
    none, or the rows differ in length.
    """
    if not forward or len({len(row) for row in forward.values()}) != 1:
        raise BadInput("forward has no rows, or rows of several lengths; expected one for each state, at each discount")
    figure, axes = plt.subplots(figsize=(7.2, 3.2), layout="constrained")
    found = np.array([list(row) for row in forward.values()])  # [discounts, states]
    for chosen, marker, face, name in ((found, ">", "black", names[0]), (~found, "<", "white", names[1])):
        column, state = np.nonzero(chosen)
        axes.plot(
            column, state, marker, color="black", markerfacecolor=face, markersize=10, linestyle="none", label=name
        )
    axes.set_xticks(range(len(forward)), [f"{gamma:g}" for gamma in forward])
    axes.set_yticks(range(found.shape[1]))
    axes.set(xlabel="discount γ", ylabel="place in the chain")
    axes.margins(x=0.04, y=0.12)
    figure.legend(loc="outside upper center", ncols=2, fontsize="small")
    return figure
