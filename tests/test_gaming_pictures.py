"""The picture of over-optimisation: every point of the metrics, in its place."""

from __future__ import annotations

from math import sqrt

import matplotlib.pyplot as plt
import pytest

from derivations.laboratory.gaming_pictures import draw_best_policies, draw_ends, draw_gaming
from toy_envs.errors import BadInput

CURVES = {
    "β = 0": [
        {"update": 0, "kl": 0.0, "score": 0.0, "true_score": 2.1},
        {"update": 1, "kl": 4.0, "score": 1.0, "true_score": 3.0},
        {"update": 2, "kl": 25.0, "score": 1.5, "true_score": -4.0},
    ],
    "β = 0.1": [
        {"update": 0, "kl": -1e-9, "score": 0.0, "true_score": 2.1},
        {"update": 1, "kl": 5.0, "score": 1.3, "true_score": 3.5},
    ],
}


def test_both_rewards_stand_over_the_root_of_the_kl() -> None:
    figure = draw_gaming(CURVES)
    for axes, metric in zip(figure.axes, ("score", "true_score"), strict=True):
        drawn = {str(line.get_label()): line for line in axes.lines}
        for name, curve in CURVES.items():
            assert list(drawn[name].get_xdata()) == [sqrt(max(0.0, step["kl"])) for step in curve]
            assert list(drawn[name].get_ydata()) == [step[metric] for step in curve]
    assert [axes.get_ylabel() for axes in figure.axes] == ["learned reward (log-odds)", "true reward (log-odds)"]
    assert "√nat" in figure.axes[1].get_xlabel()
    plt.close(figure)


def test_runs_can_be_told_apart_without_colour() -> None:
    figure = draw_gaming(CURVES)
    markers = [line.get_marker() for line in figure.axes[0].lines if not str(line.get_label()).startswith("_")]
    assert len(set(markers)) == len(CURVES)
    plt.close(figure)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(BadInput, match="curves has 7 runs; expected at most 6"):
        draw_gaming({str(n): CURVES["β = 0"] for n in range(7)})
    with pytest.raises(BadInput, match="curves: exact has no 'true_score'; expected score, true_score and kl"):
        draw_gaming({"exact": [{"kl": 1.0, "score": 1.0}]})


def test_the_ends_of_many_seeds_are_points() -> None:
    figure = draw_ends(CURVES)
    for axes, metric in zip(figure.axes, ("score", "true_score"), strict=True):
        for line, (name, ends) in zip(axes.lines, CURVES.items(), strict=True):
            assert (line.get_label(), line.get_linestyle()) == (name, "None")
            assert list(line.get_xdata()) == [sqrt(max(0.0, end["kl"])) for end in ends]
            assert list(line.get_ydata()) == [end[metric] for end in ends]
    plt.close(figure)
    with pytest.raises(BadInput, match="ends: none has no 'kl'"):
        draw_ends({"none": []})


def test_the_best_policies_and_what_one_of_them_writes() -> None:
    best = CURVES["β = 0"]
    figure = draw_best_policies(best, {**best[1], "beta": 0.5}, {"abc.": 0.5, "aaaaa": 0.25})
    left, right = figure.axes
    drawn = {str(line.get_label()): line for line in left.lines}
    for words, metric in (("proxy, what is optimised", "score"), ("truth", "true_score")):
        assert list(drawn[words].get_xdata()) == [0.0, 4.0, 25.0]
        assert list(drawn[words].get_ydata()) == [one[metric] for one in best]
    assert left.get_title() == "β = 0.5: proxy 1.00, truth 3.00"
    assert [bar.get_width() for bar in right.patches] == [0.5, 0.25]
    assert [label.get_text() for label in right.get_yticklabels()] == ["abc.", "aaaaa"]
    plt.close(figure)
    for best, likely, name in (([], {"a": 1.0}, "best"), (CURVES["β = 0"], {}, "likely")):
        with pytest.raises(BadInput, match=f"{name} is empty"):
            draw_best_policies(best, {"kl": 0.0, "beta": 1.0}, likely)
