"""The bound of TRPO along a line of policies: how much of it is kept, and where it stops to promise anything.

On the line π_α = (1 − α)π_old + απ′, in every state,
    J(π_α)                                        the return, of which one wants to know
    L(α) = J(π_old) + α Σ_s d(s) Σ_a (π′ − π_old)(a∣s) A(s,a)    the surrogate, a straight line (TP.2)
    M(α) = L(α) − C max_s D(π_old‖π_α)            the bound, C = 4 ε_A γ/(1 − γ)², ε_A = max∣A∣ (TP.3)
with d and A of π_old. M ≤ J; at α = 0 all three have one value and one slope, since the divergence begins with α².
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from toy_envs.errors import BadInput
from toy_envs.tabular_mdp import TabularMDP
from toy_envs.tabular_oracle import evaluate

Floats = NDArray[np.float64]
Table = Sequence[Sequence[Fraction]]


@dataclass(frozen=True)
class Line:
    """What is known on the line, at each α of `shares`.

    `objective` J and `surrogate` L are Fractions, `slope` that of both at α = 0; `divergence` is max_s D(π_old‖π_α) in nats
    and `bound` M, both in floats; `penalty` is C, in units of reward per nat.
    """

    shares: tuple[Fraction, ...]
    objective: tuple[Fraction, ...]
    surrogate: tuple[Fraction, ...]
    divergence: Floats
    bound: Floats
    slope: Fraction
    penalty: Fraction

    @property
    def best(self) -> int:
        """The place where the bound is highest: what the theory of TRPO would step to."""
        return int(self.bound.argmax())


def policy_line(mdp: TabularMDP, old: Table, new: Table, shares: Sequence[Fraction]) -> Line:
    """J, L and M on the line from one stationary policy to another, without a horizon.

    Arguments: `old` positive, `new`: π(a∣s) [S, A], in ints and Fractions; `shares` the α, from 0 to 1. Where π_α is 0 the
    divergence is infinite, and the bound −inf. Raises BadInput where γ = 1, an α is out of its range, `old` is 0
    somewhere, and as `evaluate`. Claims TP.1, TP.2, TP.3.
    """
    gamma = Fraction(mdp.discount)
    if gamma == 1:
        raise BadInput("discount is 1; expected less, for the bound has the factor 1/(1 − γ)²")
    for share in shares:
        if not 0 <= share <= 1:
            raise BadInput(f"shares has {share}; expected numbers from 0 to 1")
    start, end = np.array(old, dtype=object), np.array(new, dtype=object)
    if not (start > 0).all():
        raise BadInput("old is 0 somewhere; expected positive probabilities")
    found = evaluate(mdp, start)
    slope = found.derivative(end - start)
    policies = [(1 - share) * start + share * end for share in shares]
    surrogate = tuple(found.objective + share * slope for share in shares)
    penalty = 4 * abs(found.advantages).max() * gamma / (1 - gamma) ** 2
    divergence = np.array([_largest_divergence(start, policy) for policy in policies])
    bound = np.array([float(each) for each in surrogate]) - (float(penalty) * divergence if penalty else 0)
    objective = tuple(evaluate(mdp, policy).objective for policy in policies)
    return Line(tuple(shares), objective, surrogate, divergence, bound, slope, penalty)


def _largest_divergence(old: NDArray[Any], new: NDArray[Any]) -> float:
    """max_s D(π_old(·∣s)‖π(·∣s)), inf where π is 0 and π_old is not."""
    if (new == 0).any():
        return float("inf")
    ratio = (old / new).astype(float)
    return float((old.astype(float) * np.log(ratio)).sum(-1).max())


def draw_bounds(lines: Mapping[str, Line]) -> Figure:
    """Draws J, L and M over α, a panel for each line with its name; a dot where M is highest, the shade below M.

    Each panel is as high as J and L need it, so that a bound that falls faster leaves it at the bottom. Raises BadInput
    where there is no line.
    """
    if not lines:
        raise BadInput("lines is empty; expected at least one")
    figure, panels = plt.subplots(
        1, len(lines), figsize=(0.8 + 4.4 * len(lines), 4.2), squeeze=False, layout="constrained"
    )
    for axes, (name, line) in zip(panels[0], lines.items(), strict=True):
        _draw_line(axes, line)
        axes.set(xlabel="share α of the new policy", title=name)
    panels[0, 0].set_ylabel("expected return (reward)")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_line(axes: Axes, line: Line) -> None:
    shares = np.array([float(share) for share in line.shares])
    objective, surrogate = (np.array([float(each) for each in part]) for part in (line.objective, line.surrogate))
    low, high = (pick([pick(objective), pick(surrogate)]) for pick in (min, max))
    room = (high - low) or 1.0
    bottom, top = low - 0.5 * room, high + 0.12 * room
    axes.plot(shares, surrogate, color="0.35", linestyle="--", linewidth=1.6, label="surrogate L")
    axes.plot(shares, objective, color="black", linewidth=2.2, label="true return J")
    inside = np.isfinite(line.bound)
    axes.plot(shares[inside], line.bound[inside], color="black", linestyle=":", linewidth=2, label="bound L − C max D")
    axes.fill_between(
        shares[inside],
        line.bound[inside].clip(bottom),
        bottom,
        facecolor="none",
        edgecolor="0.8",
        hatch="////",
        linewidth=0,
    )
    best = line.best
    axes.plot(shares[best], line.bound[best], "o", color="black", markersize=8, label="the bound's best α")
    axes.set(xlim=(shares[0], shares[-1]), ylim=(bottom, top))
