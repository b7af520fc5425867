"""What an imperfect reward and the truth say of a policy as it leaves π_ref, in one style that can be read without colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_envs.errors import BadInput
from toy_envs.line_styles import check_told_apart, curve_style, marker_style

Curve = Sequence[Mapping[str, float]]

WORDS = {"score": "learned reward", "true_score": "true reward"}


def draw_gaming(curves: Mapping[str, Curve]) -> Figure:
    """Draws the learned reward and, below it, the true one over the square root of the KL, a path for each run.

    `curves` are the metrics of each run, from before its first update on: score, true_score and kl, the last in nats. The
    root of the KL is what the learned reward first grows with in proportion. A path is marked every few updates and ends in
    a large marker. Raises BadInput where there are more runs than markers, or one lacks a metric.
    """
    return _over_the_root("curves", curves, _path)


def draw_ends(ends: Mapping[str, Curve]) -> Figure:
    """Draws where runs of many seeds ended: the learned reward and, below it, the true one over the square root of the KL.

    `ends` are the last metrics of each seed, by what was run: score, true_score and kl. Raises BadInput where there are more
    of them than markers, or one lacks a metric.
    """
    return _over_the_root("ends", ends, _points)


def draw_best_policies(best: Curve, at: Mapping[str, float], likely: Mapping[str, float]) -> Figure:
    """Draws proxy and truth of the best policies π*_β over the KL, and the likeliest responses of one of them.

    `best` are score, true_score and kl of π*_β, the KL rising; `at` the same of the one that is shown, with its `beta`;
    `likely` the probabilities of some of its responses. Raises BadInput where there is no policy, or no response.
    """
    if not best or not likely:
        raise BadInput(f"{'likely' if best else 'best'} is empty; expected at least one")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained", width_ratios=(3, 2))
    kls = [one["kl"] for one in best]
    for rank, (metric, words) in enumerate((("score", "proxy, what is optimised"), ("true_score", "truth"))):
        style = curve_style(rank)
        left.plot(kls, [one[metric] for one in best], label=words, markevery=max(1, len(best) // 12), **style)
        left.plot(at["kl"], at[metric], **{**marker_style(rank), "markersize": 13})
    left.axvline(at["kl"], color="black", linewidth=0.8, linestyle=":")
    left.set(xlabel="D(π*‖π_ref) (nats)", ylabel="mean reward", ylim=(-0.04, 1.08))
    left.set_title(f"β = {at['beta']:g}: proxy {at['score']:.2f}, truth {at['true_score']:.2f}")
    left.legend(fontsize="small", loc="center right")
    bars = right.barh(list(likely), list(likely.values()), facecolor="0.8", edgecolor="black")
    right.bar_label(bars, fmt="%.2f", padding=3)
    right.set(xlabel="probability under π*", xlim=(0, 1.15 * max(likely.values())))
    right.set_yticks(range(len(likely)), list(likely), family="monospace")
    right.invert_yaxis()
    return figure


Drawing = Callable[[Axes, int, str, Curve, str], None]


def _over_the_root(what: str, given: Mapping[str, Curve], draw: Drawing) -> Figure:
    """Two panels over the root of the KL, in which `draw` puts what was given under each name."""
    check_told_apart(what, given, "runs")
    for name, curve in given.items():
        missing = {"kl", *WORDS} - set(curve[0] if curve else ())
        if missing:
            raise BadInput(f"{what}: {name} has no {min(missing)!r}; expected score, true_score and kl at each step")
    figure, panels = plt.subplots(2, sharex=True, figsize=(6.4, 5.6), layout="constrained")
    for axes, (metric, words) in zip(panels, WORDS.items(), strict=True):
        for rank, (name, curve) in enumerate(given.items()):
            draw(axes, rank, name, curve, metric)
        axes.set(ylabel=f"{words} (log-odds)")
        axes.margins(x=0.04, y=0.12)
    panels[1].set(xlabel="√D(π‖π_ref) (√nat)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize="small")
    return figure


def _points(axes: Axes, rank: int, name: str, ends: Curve, metric: str) -> None:
    roots = [sqrt(max(0.0, end["kl"])) for end in ends]
    values = [end[metric] for end in ends]
    axes.plot(roots, values, label=name, markersize=7, linestyle="none", **marker_style(rank))


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
