"""Pictures of what the laboratory measures, in one style that can be read without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from derivations.laboratory.importance import WeightMoments
from derivations.laboratory.kl_table import CELLS, ESTIMATORS
from derivations.laboratory.worlds import Moments
from toy_envs.errors import BadInput
from toy_envs.line_styles import check_told_apart, curve_style

PLACEMENT_NAMES = {"reward": "in the reward", "loss": "in the loss"}


def draw_bias_and_variance(curves: Mapping[str, Mapping[float, Moments]]) -> Figure:
    """Draws the standard deviation of an estimator over its bias: a curve for each name, a point for each λ.

    Both axes have the unit of the gradient, so that the distance from the corner (0, 0) is the root mean squared error of
    one trajectory. Each curve begins at its least λ, which stands beside it; the greatest, where curves meet if it is 1,
    stands beside the highest one. Raises BadInput where there are more curves than markers.
    """
    check_told_apart("curves", curves)
    figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    last = []
    for place, (name, curve) in enumerate(curves.items()):
        lams = sorted(curve)
        biases = [float(np.linalg.norm(curve[lam].bias.astype(float))) for lam in lams]
        spreads = [float(curve[lam].variance) ** 0.5 for lam in lams]
        axes.plot(biases, spreads, label=name, markersize=5, **curve_style(place))
        _name_lambda(axes, lams[0], (biases[0], spreads[0]), to_the="right")
        last.append((spreads[-1], biases[-1], lams[-1]))
    height, bias, lam = max(last)
    _name_lambda(axes, lam, (bias, height), to_the="left")
    axes.set(xlabel="bias ‖E[ĝ] − ∇J‖ (reward)", ylabel="standard deviation (E‖ĝ − E[ĝ]‖²)^½ (reward)")
    axes.margins(x=0.15, y=0.12)
    axes.legend()
    return figure


def _name_lambda(axes: Axes, lam: float, point: tuple[float, float], to_the: Literal["left", "right"]) -> None:
    away, anchor = (8, "left") if to_the == "right" else (-8, "right")
    axes.annotate(
        f"λ = {float(lam):g}", point, (away, 0), textcoords="offset points", ha=anchor, va="center", fontsize="small"
    )


def draw_importance_weights(
    weights: Mapping[str, Mapping[int, WeightMoments]], variances: Mapping[str, Mapping[int, Any]]
) -> Figure:
    """Draws what importance sampling costs over the horizon, on logarithmic axes; a curve for each name.

    Left: the effective share E[w]²/E[w²] of the samples, for the weights of whole trajectories of several behaviour
    policies. Right: the variance of several estimators of the gradient. Raises BadInput where there are more curves than
    markers.
    """
    check_told_apart("weights", weights)
    check_told_apart("variances", variances)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for place, (name, of_horizon) in enumerate(weights.items()):
        shares = [float(found.effective_share) for found in of_horizon.values()]
        left.semilogy(list(of_horizon), shares, label=name, markersize=5, **curve_style(place))
    for place, (name, by_horizon) in enumerate(variances.items()):
        values = [float(value) for value in by_horizon.values()]
        right.semilogy(list(by_horizon), values, label=name, markersize=5, **curve_style(place))
    left.set(xlabel="horizon T (steps)", ylabel="effective share of the samples E[w]²/E[w²]")
    right.set(xlabel="horizon T (steps)", ylabel="variance E‖ĝ − E[ĝ]‖² (reward²)")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize="small")
    return figure


def draw_collapse(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Draws what is missing of J(π*) − J(π_ref) over the updates, and below it how large the ratios became.

    Above: (J(π*) − J(π))/(J(π*) − J(π_ref)) of each policy, 1 where it is no better than π_ref. Below: the largest ratio
    π(a∣s)/π_old(a∣s) at which a step of the update was taken. Both axes are logarithmic. Claims IS.5, PPO.1.

    Arguments: `curves` the metrics of runs by their names, as `Trainer.run` gives them: before the first update, and after
    each. Raises BadInput where there are more curves than markers, or a run has no ratios.
    """
    check_told_apart("curves", curves)
    for name, curve in curves.items():
        if not any("ratio_most" in step for step in curve):
            raise BadInput(
                f"curves[{name!r}] has no ratio_most; expected an algorithm that uses a batch more than once"
            )
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(6.4, 5.6), sharex=True, height_ratios=(3, 2), layout="constrained"
    )
    for place, (name, curve) in enumerate(curves.items()):
        style = {**curve_style(place), "markersize": 5, "markevery": (place, max(1, len(curve) // 10))}
        for axes, metric in ((above, "regret_share"), (below, "ratio_most")):
            steps = [step for step in curve if metric in step]
            axes.semilogy([step["update"] for step in steps], [step[metric] for step in steps], label=name, **style)
    for axes in (above, below):
        axes.axhline(1, color="black", linewidth=0.8)
    line = above.get_yaxis_transform()  # the whole width, at the height 1
    above.annotate("π_ref", (1, 1), (-4, 3), line, textcoords="offset points", ha="right")
    above.set_ylabel("share missing of J(π*) − J(π_ref)")
    below.set(xlabel="update", ylabel="largest ratio π/π_old")
    below.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    above.legend()
    return figure


def draw_kl_table(table: Mapping[tuple[str, str], Moments], parameters: Mapping[str, int]) -> Figure:
    """Draws the expected gradient of each of the six cells beside the true ∇D(π‖π_ref), as bars.

    A row for each placement, a column for each estimator; in a panel two bars for each parameter, the true one hatched.
    Above a panel stands whether it is right: whether its bias is less than a millionth of the truth.

    Arguments: `table` as `kl_table` gives it; `parameters` the names of those to be shown, and their places in the gradient.
    """
    figure, panels = plt.subplots(
        2, len(ESTIMATORS), figsize=(9.6, 5), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    rows = list(PLACEMENT_NAMES)
    for name, placement in CELLS:
        axes = panels[rows.index(placement), list(ESTIMATORS).index(name)]
        found = table[name, placement]
        _draw_cell(axes, found, list(parameters.values()))
        right = float(np.linalg.norm(found.bias)) <= 1e-6 * float(np.linalg.norm(found.target))
        axes.set_title(f"{name} {PLACEMENT_NAMES[placement]}: {'right' if right else 'wrong'}", fontsize="medium")
        axes.set_xticks(range(len(parameters)), list(parameters))
    for axes in panels[:, 0]:
        axes.set_ylabel("gradient (nats per unit)")
    for axes in panels[-1]:
        axes.set_xlabel("logit of")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _draw_cell(axes: Axes, found: Moments, places: list[int]) -> None:
    where = np.arange(len(places))
    truth = [float(found.target[place]) for place in places]
    mean = [float(found.mean[place]) for place in places]
    axes.bar(where - 0.2, truth, 0.38, label="∇D(π‖π_ref)", facecolor="white", edgecolor="black", hatch="////")
    axes.bar(where + 0.2, mean, 0.38, label="expected gradient of the estimator", facecolor="0.35", edgecolor="black")
    axes.axhline(0, color="black", linewidth=0.8)
