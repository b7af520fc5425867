"""The reward–KL frontier, and the paths of algorithms under it, in one style that can be read without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from derivations.laboratory.frontier import Frontier, Point
from toy_envs.errors import BadInput
from toy_envs.line_styles import check_told_apart, curve_style

MARKED = 10  # places of a path that carry a marker


def draw_frontier(
    found: Frontier, paths: Mapping[str, Sequence[Point]], named: Sequence[float] = (), beta: float | None = None
) -> Figure:
    """Draws the score of π*_β over its KL, which no policy is above, and a path for each algorithm.

    What is above the frontier is hatched. `named` are those β of the frontier that stand beside it; `beta` is that of the
    world, whose π* is a star. A path begins at its first point and has a marker every few updates. Raises BadInput where
    there are more paths than markers, or a β is not one of the frontier.
    """
    check_told_apart("paths", paths, "paths")
    for one in (*named, *(() if beta is None else (beta,))):
        if one not in found.betas:
            raise BadInput(f"beta is {one}; expected one of the frontier's: {', '.join(f'{b:g}' for b in found.betas)}")
    figure, axes = plt.subplots(figsize=(7.2, 4.8), layout="constrained")
    kls, scores = [p.kl for p in found.points], [p.score for p in found.points]
    right = 1.05 * max([*kls, *(p.kl for path in paths.values() for p in path)])
    top = max(scores) + 0.1 * (max(scores) - min(scores))
    # From its last point on the frontier is flat up to what a still smaller β adds.
    axes.fill_between(
        [*kls, right], [*scores, scores[-1]], top, facecolor="none", edgecolor="0.75", hatch="////", linewidth=0
    )
    axes.plot([*kls, right], [*scores, scores[-1]], color="black", linewidth=2.2, label="π* for every β: the frontier")
    for rank, (name, path) in enumerate(paths.items()):
        axes.plot(
            [p.kl for p in path],
            [p.score for p in path],
            label=name,
            markersize=4.5,
            linewidth=1.1,
            **curve_style(rank),
            markevery=max(1, len(path) // MARKED),
        )
    at = dict(zip(found.betas, found.points, strict=True))
    for one in named:
        axes.annotate(
            f"β = {one:g}",
            (at[one].kl, at[one].score),
            (-6, 5),
            textcoords="offset points",
            ha="right",
            fontsize="small",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
        axes.plot(at[one].kl, at[one].score, marker="|", color="black", markersize=10)
    if beta is not None:
        axes.plot(
            *(at[beta].kl, at[beta].score),
            marker="*",
            markersize=15,
            color="white",
            markeredgecolor="black",
            linestyle="none",
            label=f"π* of the world, β = {beta:g}",
            zorder=3,
        )
    axes.set(xlabel="D(π‖π_ref) (nats)", ylabel="score E[r] (reward)", xlim=(0, right), ylim=(None, top))
    axes.legend(loc="lower right", fontsize="small")
    return figure
