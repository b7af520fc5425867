"""What a sweep says: for each combination of settings the ends of its runs, with intervals over the seeds."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from math import isfinite

from derivations.sweeps.grid import Run, Value
from derivations.sweeps.intervals import Interval, t_interval
from derivations.sweeps.work import Metrics, Result

SHOWN = ("regret_share", "score", "true_score", "kl")
"""What is shown where nothing is asked for, as far as it is there."""


@dataclass(frozen=True)
class Cell:
    """The runs that differ in the seed alone.

    `labels` are the settings in which cells differ, `curves` the metrics of every step of the runs that finished, in the
    order of the seeds, `diverged` says of the others where.
    """

    labels: Mapping[str, Value]
    curves: tuple[list[Metrics], ...]
    diverged: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its labels in one line: the algorithm, and what else differs."""
        rest = (f"{name} {value}" for name, value in self.labels.items() if name != "algorithm")
        return ", ".join([str(self.labels["algorithm"]), *rest])

    @property
    def metrics(self) -> list[str]:
        """The metrics that every run has at its end."""
        ends = [curve[-1] for curve in self.curves]
        return [name for name in ends[0] if name != "update" and all(name in end for end in ends)] if ends else []

    def end(self, metric: str) -> Interval:
        """The mean of a metric at the end of the runs that finished, and its interval."""
        return t_interval([curve[-1][metric] for curve in self.curves])


def cells(runs: Sequence[Run], results: Mapping[str, Result]) -> list[Cell]:
    """The cells of a sweep, in the order of its runs, whatever the order in which these ended."""
    groups: dict[tuple[tuple[str, Value], ...], list[Result]] = {}
    for run in runs:
        groups.setdefault(run.without_seed, []).append(results[run.key])
    names = dict.fromkeys(name for group in groups for name, _ in group)
    # What only the algorithm decides tells no two cells of it apart.
    told = [name for name in names if name == "algorithm" or _differs_within_an_algorithm(name, list(groups))]
    return [
        Cell(
            {name: value for name, value in group if name in told},
            tuple(result.metrics for result in found if result.finished),
            tuple(result.status for result in found if not result.finished),
        )
        for group, found in groups.items()
    ]


def _differs_within_an_algorithm(name: str, groups: Sequence[tuple[tuple[str, Value], ...]]) -> bool:
    seen: dict[Value, set[Value]] = {}
    for group in map(dict, groups):
        seen.setdefault(group["algorithm"], set()).add(group.get(name))
    return any(len(values) > 1 for values in seen.values())


def shown_metrics(found: Sequence[Cell]) -> list[str]:
    """Those of SHOWN that some cell has."""
    return [name for name in SHOWN if any(name in cell.metrics for cell in found)]


def as_csv(found: Sequence[Cell]) -> str:
    """A line for each cell and metric, in full precision; an interval of one seed is empty."""
    labels = list(dict.fromkeys(name for cell in found for name in cell.labels))
    written = StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow([*labels, "finished", "diverged", "metric", "mean", "low", "high"])
    for cell in found:
        head = [*(cell.labels.get(name, "") for name in labels), len(cell.curves), len(cell.diverged)]
        for name in cell.metrics:
            end = cell.end(name)
            table.writerow(
                [*head, name, repr(end.mean), *(repr(x) if isfinite(x) else "" for x in (end.low, end.high))]
            )
        if not cell.curves:
            table.writerow([*head, "", "", "", ""])
    return written.getvalue()


def in_words(interval: Interval) -> str:
    """A mean with half the width of its interval."""
    half = interval.high - interval.mean
    return f"{interval.mean:.4g}" if not isfinite(half) else f"{interval.mean:.4g} ± {half:.2g}"
