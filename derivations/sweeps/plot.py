"""The curves of a sweep, a mean with its interval over the seeds, in one style that can be read without colour."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING, Any

from derivations.sweeps.intervals import Interval, t_interval
from derivations.sweeps.table import Cell
from toy_envs.errors import BadInput
from toy_envs.line_styles import LINES, MARKERS, SHADES, marker_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKED = 8  # places of a curve that carry a marker and an interval
NAMES = {
    "regret_share": "missing share of J(π*) − J(π_ref)",
    "regret": "regret J(π*) − J(π) (reward)",
    "objective": "objective J(π) (reward)",
    "score": "score E[r] (reward)",
    "true_score": "true score (reward)",
    "kl": "D(π‖π_ref) (nats)",
}
FALLS_TO_ZERO = ("regret", "regret_share")


def draw_sweep(found: Sequence[Cell], metric: str) -> Figure:
    """Draws a metric over the updates: the mean over the seeds, and at some places its 95 % t-interval.

    One panel for all cells where they can be told apart, else one for each algorithm. Raises BadInput where a panel has
    more curves than markers, or no cell has the metric.
    """
    from matplotlib.figure import Figure

    drawn = [cell for cell in found if metric in cell.metrics]
    if not drawn:
        raise BadInput(f"metric is {metric!r}; no run that finished has it")
    panels = [drawn] if len(drawn) <= len(MARKERS) else _by_algorithm(drawn)
    for cells in panels:
        if len(cells) > len(MARKERS):
            raise BadInput(
                f"{cells[0].labels['algorithm']} has {len(cells)} curves; expected at most {len(MARKERS)}, which can be "
                "told apart"
            )
    figure = Figure(figsize=(6.4 * len(panels), 4.4), layout="constrained", facecolor="white")
    row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, cells in zip(row, panels, strict=True):
        for place, cell in enumerate(cells):
            _curve(axes, cell, metric, place)
        axes.set_xlabel("updates")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize="small")
    row[0].set_ylabel(NAMES.get(metric, metric))
    figure.suptitle("mean and 95 % interval over the seeds", fontsize="medium")
    if metric in FALLS_TO_ZERO:
        row[0].set_yscale("log", nonpositive="clip")
    return figure


def _by_algorithm(drawn: Sequence[Cell]) -> list[list[Cell]]:
    panels: dict[object, list[Cell]] = {}
    for cell in drawn:
        panels.setdefault(cell.labels["algorithm"], []).append(cell)
    return list(panels.values())


def _curve(axes: Axes, cell: Cell, metric: str, place: int) -> None:
    """One cell; its markers stand a little aside of those of the others, so that the intervals can be seen."""
    steps = [step["update"] for step in cell.curves[0]]
    found = [t_interval([curve[at][metric] for curve in cell.curves]) for at in range(len(steps))]
    line: dict[str, Any] = {"linestyle": LINES[place], "color": SHADES[place], "linewidth": 1.2}
    marker = {**marker_style(place), "markersize": 5}
    axes.plot(steps, [one.mean for one in found], **line)
    stride = max(1, len(steps) // MARKED)
    marked = sorted({*range(place * stride // len(MARKERS), len(steps), stride), len(steps) - 1})
    bars = [_half(found[at]) for at in marked]
    where, means = [steps[at] for at in marked], [found[at].mean for at in marked]
    axes.errorbar(where, means, bars, **marker, linestyle="none", elinewidth=0.8, capsize=2)
    axes.plot([], [], label=cell.name, **{**line, **marker})  # one entry for the line and its markers


def _half(found: Interval) -> float:
    half = found.high - found.mean
    return half if isfinite(half) else 0.0


def as_png(figure: Figure) -> bytes:
    """The picture in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    written = BytesIO()
    FigureCanvasAgg(figure).print_png(written, metadata={"Software": None})
    return written.getvalue()
