"""What an imperfect reward and the truth say of a policy as it leaves π_ref, in one style that can be read without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_envs.errors import BadInput
from toy_envs.line_styles import check_told_apart, marker_style

Curve = Sequence[Mapping[str, float]]

WORDS = {"score": "learned reward", "true_score": "true reward"}


def draw_gaming(curves: Mapping[str, Curve]) -> Figure:
    """Draws the learned reward and, below it, the true one over the square root of the KL, a path for each run.

    `curves` are the metrics of each run, from before its first update on: score, true_score and kl, the last in nats. The
    root of the KL is what the learned reward first grows with in proportion. A path is marked every few updates and ends in
    a large marker. Raises BadInput where there are more runs than markers, or one lacks a metric.
    """
    check_told_apart("curves", curves, "runs")
    for name, curve in curves.items():
        missing = {"kl", *WORDS} - set(curve[0] if curve else ())
        if missing:
            raise BadInput(f"curves: {name} has no {min(missing)!r}; expected score, true_score and kl at each step")
    figure, panels = plt.subplots(2, sharex=True, figsize=(6.4, 5.6), layout="constrained")
    for axes, (metric, words) in zip(panels, WORDS.items(), strict=True):
        for rank, (name, curve) in enumerate(curves.items()):
            _path(axes, rank, name, curve, metric)
        axes.set(ylabel=f"{words} (log-odds)")
        axes.margins(x=0.04, y=0.12)
    panels[0].legend(fontsize="small")
    panels[1].set(xlabel="√D(π‖π_ref) (√nat)")
    return figure


def _path(axes: Axes, rank: int, name: str, curve: Curve, metric: str) -> None:
    roots = [sqrt(max(0.0, step["kl"])) for step in curve]
    values = [step[metric] for step in curve]
    axes.plot(
        roots,
        values,
        label=name,
        linewidth=1.1,
        markersize=3.5,
        markevery=max(1, len(curve) // 20),
        **marker_style(rank),
    )
    end = {**marker_style(rank), "markerfacecolor": None}  # filled in every path
    axes.plot(roots[-1], values[-1], **end, markersize=9, linestyle="none")
