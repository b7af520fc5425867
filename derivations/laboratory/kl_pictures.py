"""Pictures of the estimators of D(π‖π_ref): their values, and where each pushes a policy over three actions.

Both are exact: a value has the probability of what it is the value of, and an arrow is an expected gradient. They can be
read without colour. Claims KL.1, KL.2, KL.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from derivations.laboratory.kl_table import CELLS, ESTIMATORS, Placement
from derivations.laboratory.pictures import PLACEMENT_NAMES
from toy_envs.errors import BadInput

Floats = NDArray[np.float64]

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])  # of the triangle, one for each action
RARE = 0.005  # of the probability of each estimator, at either end, may lie outside of what is drawn
PARTS = 7  # into which a side of the triangle is cut; an arrow stands at each inner crossing


def draw_estimates(values: Mapping[str, ArrayLike], chances: ArrayLike, truth: float, bins: int = 30) -> Figure:
    """Draws the law of each estimator as a histogram, a panel each; their mean is dashed, and the divergence is solid.

    The axis leaves out the rarest values at both ends; what stands above a panel is of all.

    Arguments: `values` of each estimator by its name, in nats; `chances` the probability of each value, of sum 1; `truth`
    D(π‖π_ref). Raises BadInput where there is no estimator, or its values are not as many as the probabilities.
    """
    weights = np.asarray(chances, dtype=np.float64)
    found = {name: np.asarray(given, dtype=np.float64) for name, given in values.items()}
    if not found:
        raise BadInput("values is empty; expected the values of at least one estimator")
    for name, each in found.items():
        if each.shape != weights.shape:
            raise BadInput(
                f"values[{name!r}] has {each.size} values; expected {weights.size}, one for each probability"
            )
    least = min(_quantile(each, weights, RARE) for each in found.values())
    most = max(_quantile(each, weights, 1 - RARE) for each in found.values())
    edges = np.linspace(least, most, bins + 1)
    figure, panels = plt.subplots(len(found), sharex=True, figsize=(7, 2 * len(found) + 0.6), squeeze=False)
    figure.set_layout_engine("constrained")
    for axes, (name, each) in zip(panels[:, 0], found.items(), strict=True):
        axes.hist(each, bins=edges.tolist(), weights=weights, facecolor="0.85", edgecolor="0.3", linewidth=0.6)
        mean = float(each @ weights)
        spread = float(((each - mean) ** 2 @ weights) ** 0.5)
        axes.axvline(truth, color="black", linewidth=2.2, label="D(π‖π_ref)")
        axes.axvline(mean, color="black", linewidth=1.6, linestyle="--", dashes=(4, 3), label=f"mean of {name}")
        axes.set(ylabel="probability", title=f"{name}: mean {mean:.2f}, standard deviation {spread:.2f} nats")
        axes.legend(fontsize="small", loc="upper right")
    panels[-1, 0].set_xlabel("value of the estimator (nats)")
    return figure


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    """The least value that at least this share of the probability does not exceed."""
    order = values.argsort()
    place = np.searchsorted(weights[order].cumsum(), share * weights.sum())
    return float(values[order][min(int(place), len(order) - 1)])


def expected_push(name: str, placement: Placement, policy: ArrayLike, reference: ArrayLike) -> Floats:
    """Minus the expected gradient of one cell in the logits, at one step: where its penalty moves them.

    In the reward −E[k ∇log π], in the loss −E[k' ∇log π], k and its slope at x = log π − log π_ref.

    Arguments: `name` k1, k2 or k3; `placement` "reward" or "loss"; `policy`, `reference` positive laws [actions].
    Raises BadInput where there is no such cell. Claim KL.7.
    """
    if (name, placement) not in CELLS:
        raise BadInput(f"({name!r}, {placement!r}) is no cell of the table; expected one of {CELLS}")
    law, other = np.asarray(policy, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    chosen = ESTIMATORS[name]
    function = chosen.value if placement == "reward" else chosen.slope
    weights = np.array([function(ratio) for ratio in np.log(law) - np.log(other)], dtype=np.float64)
    return np.asarray(-law * (weights - law @ weights))


def draw_pushes(reference: ArrayLike, marked: Sequence[ArrayLike] = ()) -> Figure:
    """Draws where the penalty of each of the six cells pushes a policy over three actions, beside where it should.

    The triangle is that of all policies, a corner for each action that is always taken. At each crossing stand two
    arrows for a small step in the logits: wide and light along −∇D(π‖π_ref), thin and black along the expected push of the
    cell, in one scale in all panels; a dot where that is 0. The cross is π_ref.

    Arguments: `reference` π_ref, a positive law over three actions; `marked` policies beside the crossings that get
    arrows too. Raises BadInput where π_ref is none.
    """
    other = np.asarray(reference, dtype=np.float64)
    if other.shape != (3,) or not (other > 0).all() or abs(other.sum() - 1) > 1e-9:
        raise BadInput(f"reference is {other.tolist()}; expected three positive probabilities of sum 1")
    inner = [(i, j, PARTS - i - j) for i in range(1, PARTS) for j in range(1, PARTS - i)]
    policies = [np.array(each) / PARTS for each in inner] + [np.asarray(each, dtype=np.float64) for each in marked]
    figure, panels = plt.subplots(2, len(ESTIMATORS), figsize=(9.6, 6.2), squeeze=False, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.1)  # type: ignore[union-attr, call-arg]
    rows = list(PLACEMENT_NAMES)
    for name, placement in CELLS:
        axes = panels[rows.index(placement), list(ESTIMATORS).index(name)]
        axes.set_title(f"{name} {PLACEMENT_NAMES[placement]}", fontsize="medium")
        _triangle(axes, other)
        _arrows(axes, policies, [expected_push("k1", "reward", law, other) for law in policies], wide=True)
        _arrows(axes, policies, [expected_push(name, placement, law, other) for law in policies], wide=False)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _triangle(axes: Axes, reference: Floats) -> None:
    axes.plot(*np.vstack([CORNERS, CORNERS[:1]]).T, color="black", linewidth=0.9)
    for action, corner in enumerate(CORNERS):
        axes.annotate(
            f"always {action}", corner, (0, 4 if action == 2 else -12), textcoords="offset points", ha="center"
        )
    axes.plot(*(reference @ CORNERS), "x", color="black", markersize=9, markeredgewidth=2, label="π_ref")
    axes.set(xlim=(-0.14, 1.14), ylim=(-0.12, 1.0), aspect="equal")
    axes.axis("off")


def _arrows(axes: Axes, policies: Sequence[Floats], pushes: Sequence[Floats], wide: bool) -> None:
    """The change π∘(g − E_π g) of the policies, where g is that of the logits."""
    places = np.array(policies) @ CORNERS
    moves = np.array([law * (push - law @ push) for law, push in zip(policies, pushes, strict=True)]) @ CORNERS
    style: dict[str, Any] = {"color": "0.72", "width": 0.022} if wide else {"color": "black", "width": 0.007}
    label = "−∇D(π‖π_ref)" if wide else "expected push of the penalty"
    axes.quiver(*places.T, *moves.T, angles="xy", scale_units="xy", scale=0.42, label=label, **style)
