"""The table and the plot of a sweep show what its runs ended with."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from made_results import result_of, runs_of

from derivations.sweeps.intervals import t_interval
from derivations.sweeps.plot import as_png, draw_sweep
from derivations.sweeps.table import Cell, as_csv, cells, in_words, shown_metrics
from toy_envs.errors import BadInput

RUNS = runs_of("ppo", "reinforce", clip_range=["0.1", "0.2"])


def ends(place: int) -> float:
    return 0.01 * (1 + place * place)


def found() -> list[Cell]:
    results = {run.key: result_of(run, ends(place)) for place, run in enumerate(RUNS)}
    results[RUNS[4].key] = result_of(RUNS[4], 9.0, status="diverged at update 1, drawing: loss is nan")
    return cells(RUNS, dict(reversed(results.items())))


def test_a_cell_is_the_runs_that_differ_in_the_seed_alone() -> None:
    first, _, third, _ = found()
    assert [cell.name for cell in found()] == [
        f"{name}, clip_range {clip}" for name in ("ppo", "reinforce") for clip in (0.1, 0.2)
    ]
    assert [curve[-1]["regret_share"] for curve in first.curves] == [ends(0), ends(1), ends(2)], "by their seeds"
    assert first.end("regret_share") == t_interval([ends(0), ends(1), ends(2)])
    assert third.end("score") == t_interval([2 * ends(6), 2 * ends(7), 2 * ends(8)])
    assert first.metrics == ["regret_share", "score"] == shown_metrics(found())


def test_a_run_that_diverged_is_counted_and_is_no_part_of_a_mean() -> None:
    _, second, *_ = found()
    assert second.diverged == ("diverged at update 1, drawing: loss is nan",)
    assert second.end("regret_share") == t_interval([ends(3), ends(5)])


def test_what_the_algorithm_alone_decides_is_no_label() -> None:
    runs = runs_of("ppo", "trpo", seeds=1)
    some = cells(runs, {run.key: result_of(run, 0.1) for run in runs})
    assert [dict(cell.labels) for cell in some] == [{"algorithm": "ppo"}, {"algorithm": "trpo"}]


def test_the_file_has_every_number_in_full() -> None:
    rows = list(csv.DictReader(StringIO(as_csv(found()))))
    assert len(rows) == 4 * 2
    share = rows[2]
    assert (share["algorithm"], share["clip_range"], share["finished"], share["diverged"]) == ("ppo", "0.2", "2", "1")
    interval = t_interval([ends(3), ends(5)])
    assert [float(share[name]) for name in ("mean", "low", "high")] == [interval.mean, interval.low, interval.high]


def test_a_single_seed_has_no_interval_and_a_cell_without_an_end_has_no_number() -> None:
    runs = runs_of("ppo", "cpi", seeds=1)
    results = {run.key: result_of(run, 0.1, status) for run, status in zip(runs, ("finished", "diverged"), strict=True)}
    some = cells(runs, results)
    assert as_csv(some).splitlines()[1:] == [
        "ppo,1,0,regret_share,0.1,,",
        "ppo,1,0,score,0.2,,",
        "cpi,0,1,,,,",
    ]
    assert in_words(some[0].end("score")) == "0.2"
    assert in_words(t_interval([1.0, 2.0, 3.0])) == "2 ± 2.5"


def test_the_plot_has_the_mean_of_every_update_and_the_interval() -> None:
    figure = draw_sweep(found(), "regret_share")
    (axes,) = figure.axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linestyle() != "None"]
    assert [line.get_ydata()[0] for line in lines] == [1] * 4
    assert lines[1].get_ydata()[-1] == t_interval([ends(3), ends(5)]).mean
    legend = axes.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == [cell.name for cell in found()]
    assert len({(handle.get_marker(), handle.get_linestyle()) for handle in legend.legend_handles}) == 4
    bars = [bar.get_segments()[-1] for bar in axes.collections]
    interval = t_interval([ends(0), ends(1), ends(2)])
    assert bars[0][:, 1].tolist() == pytest.approx([interval.low, interval.high])
    assert as_png(figure).startswith(b"\x89PNG")


def test_too_many_curves_get_a_panel_for_each_algorithm_or_are_refused() -> None:
    runs = runs_of("ppo", "cpi", seeds=1, lam=["0.1", "0.2", "0.3", "0.4"])
    eight = cells(runs, {run.key: result_of(run, 0.1) for run in runs})
    assert len(draw_sweep(eight, "score").axes) == 2
    runs = runs_of("ppo", seeds=1, lam=[f"0.{n}" for n in range(1, 8)])
    seven = cells(runs, {run.key: result_of(run, 0.1) for run in runs})
    with pytest.raises(BadInput, match="ppo has 7 curves; expected at most 6"):
        draw_sweep(seven, "score")
    with pytest.raises(BadInput, match="metric is 'speed'; no run that finished has it"):
        draw_sweep(seven, "speed")
