"""The pictures of the laboratory show the numbers that they are given."""

from __future__ import annotations

from fractions import Fraction

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from small_worlds import ENDING, policy_for
from tabular_worlds import HALF, arms, random_mdp, random_policy

from derivations.algorithms.settings import settings_for
from derivations.algorithms.trainer import Trainer
from derivations.laboratory import (
    CELLS,
    TabularWorld,
    WeightMoments,
    discounted,
    gae,
    kl_table,
)
from derivations.laboratory.pictures import (
    draw_bias_and_variance,
    draw_collapse,
    draw_importance_weights,
    draw_kl_table,
)
from toy_envs.errors import BadInput

matplotlib.use("Agg")


def test_a_point_is_the_bias_and_the_deviation_of_its_lambda() -> None:
    mdp = random_mdp(1, Fraction(3, 4), states=2)
    here = TabularWorld(mdp, random_policy(1, mdp), 2)
    critics = {"right": here.critic, "wrong": here.critic + np.array([0, 5, 1])}
    lams = (Fraction(1), Fraction(0), HALF)
    curves = {
        name: {lam: here.moments(discounted(gae(critic, mdp.discount, lam), mdp.discount)) for lam in lams}
        for name, critic in critics.items()
    }
    figure = draw_bias_and_variance(curves)
    [axes] = figure.axes
    right, wrong = axes.lines
    assert [line.get_label() for line in axes.lines] == ["right", "wrong"]
    assert right.get_xdata().tolist() == [0, 0, 0] and wrong.get_xdata()[-1] == 0 < wrong.get_xdata()[0]
    for line, curve in zip(axes.lines, curves.values(), strict=True):
        errors = line.get_xdata() ** 2 + line.get_ydata() ** 2
        assert errors == pytest.approx([float(curve[lam].squared_error) for lam in sorted(lams)], rel=1e-12)
    assert [text.get_text() for text in axes.texts] == ["λ = 0", "λ = 0", "λ = 1"]
    assert "bias" in axes.get_xlabel() and "(reward)" in axes.get_ylabel()
    plt.close(figure)


def test_importance_weights_over_the_horizon() -> None:
    weights = {"q": {1: WeightMoments(1, Fraction(4), 9), 2: WeightMoments(1, Fraction(16), 81)}}
    figure = draw_importance_weights(weights, {"whole": {1: 3.0, 2: 30.0}, "step": {1: 3.0, 2: 5.0}})
    left, right = figure.axes
    assert left.lines[0].get_ydata().tolist() == [1 / 4, 1 / 16] and left.lines[0].get_xdata().tolist() == [1, 2]
    assert [line.get_ydata().tolist() for line in right.lines] == [[3.0, 30.0], [3.0, 5.0]]
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    assert len({line.get_marker() for line in right.lines}) == 2  # told apart without colour
    plt.close(figure)


def test_the_cells_of_the_table_beside_the_truth() -> None:
    here = TabularWorld(arms(0, 0, 0), np.array([[0.2, 0.2, 0.6]]), 1, exact=False)
    reference = [[0.5, 0.3, 0.2]]
    table = kl_table(here, reference, here.kl_gradient(reference))
    figure = draw_kl_table(table, {"a": 0, "c": 2})
    assert len(figure.axes) == 6
    titles = {axes.get_title() for axes in figure.axes}
    assert titles == {
        "k1 in the reward: right",
        "k2 in the reward: wrong",
        "k3 in the reward: wrong",
        "k1 in the loss: wrong",
        "k2 in the loss: right",
        "k3 in the loss: wrong",
    }
    for axes in figure.axes:
        [name] = [cell for cell in CELLS if axes.get_title().startswith(f"{cell[0]} in the {cell[1]}")]
        heights = [bar.get_height() for bar in axes.patches]
        stated = [*table[name].target[[0, 2]], *table[name].mean[[0, 2]]]
        assert heights == pytest.approx(stated, rel=1e-12, abs=1e-15)
        assert [bool(bar.get_hatch()) for bar in axes.patches] == [True, True, False, False]
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == ["a", "c"]
    plt.close(figure)


def run_of(algorithm: str) -> list[dict[str, float]]:
    settings = settings_for(algorithm, updates=4, episodes=24, learning_rate=0.05)
    return list(Trainer(ENDING, policy_for(ENDING, 8, torch.float32), settings).run())


def test_what_is_missing_stands_above_the_ratios_of_the_same_update() -> None:
    curves = {name: run_of(name.lower()) for name in ("CPI", "PPO")}
    figure = draw_collapse(curves)
    above, below = figure.axes
    for place, curve in enumerate(curves.values()):
        shares, ratios = (axes.lines[place] for axes in (above, below))
        assert shares.get_xdata().tolist() == [0, 1, 2, 3, 4]
        assert shares.get_ydata().tolist() == [step["regret_share"] for step in curve]
        assert shares.get_ydata()[0] == pytest.approx(1, rel=1e-6), "the first policy is π_ref"
        assert ratios.get_xdata().tolist() == [1, 2, 3, 4], "before the first update there is no ratio"
        assert ratios.get_ydata().tolist() == [step["ratio_most"] for step in curve[1:]]
        assert ratios.get_ydata().min() > 1
    assert above.get_xlim() == below.get_xlim()
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    assert [text.get_text() for text in above.get_legend().get_texts()] == ["CPI", "PPO"]
    for axes in figure.axes:  # told apart without colour
        assert len({(line.get_marker(), line.get_linestyle()) for line in axes.lines[:2]}) == 2
    assert "J(π*) − J(π_ref)" in above.get_ylabel() and "ratio" in below.get_ylabel() and below.get_xlabel() == "update"
    plt.close(figure)


def test_a_run_without_ratios_is_refused() -> None:
    with pytest.raises(BadInput, match=r"curves\['REINFORCE'\] has no ratio_most"):
        draw_collapse({"REINFORCE": run_of("reinforce")})
    assert not plt.get_fignums()
    with pytest.raises(BadInput, match="curves has 7 curves; expected at most 6"):
        draw_collapse({str(n): [{"update": 1, "regret_share": 1, "ratio_most": 1}] for n in range(7)})


def test_more_curves_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(BadInput, match="weights has 7 curves; expected at most 6"):
        draw_importance_weights({str(n): {1: WeightMoments(1, 1, 1)} for n in range(7)}, {})
