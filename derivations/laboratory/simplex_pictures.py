"""Pictures on the triangle of all policies over three arms: the paths of algorithms to π*, and what comparisons determine.

The policy is a softmax of three logits, π = softmax(θ), and begins at π_ref. The objective is J(π) = E_π[r] − β D(π‖π_ref),
of which every gradient is taken exactly, over all three arms: nothing is sampled. With the advantage
    A_π(a) = r(a) − β log(π(a)/π_ref(a)) − J(π),
in which the penalty is part of the reward, an update of each algorithm from π_old is:

    pg      K times θ ← θ + η ∇J(π_θ), the advantage taken anew at each step: ∇J = π∘A_π
    cpi     K times θ ← θ + η ∇ E_old[ratio·A_old], with A_old kept. Nothing holds the ratio = π/π_old: there is no clip
            and no penalty on the distance from π_old, so that the K steps run towards the arm where A_old is largest
    ppo     K times θ ← θ + η ∇ E_old[min(ratio·A_old, clip(ratio, 1 − ε, 1 + ε)·A_old)], with A_old kept
    trpo    once θ ← θ + d, d = A_old √(2δ/E_old[A_old²]): the natural step, F⁺∇J being A_old up to a shift of all logits
            (TP.7); halved until D(π_old‖π) ≤ δ and E_π[A_old] is at least a tenth of what its slope promises

As in a run, η falls linearly to zero over the updates, and δ with its square. Claims OP.8, OP.11, IS.10, PPO.1, TP.7, TP.11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from derivations.laboratory.kl_pictures import CORNERS
from toy_envs.errors import BadInput
from toy_envs.line_styles import check_told_apart, curve_style

Floats = NDArray[np.float64]
Algorithm = Literal["pg", "cpi", "trpo", "ppo"]
ALGORITHMS: tuple[Algorithm, ...] = ("pg", "cpi", "trpo", "ppo")

PARTS = 60  # into which a side of the triangle is cut for the contours
APART = 0.07  # of the diagonal, from a marker of a path to the next
REGRETS = (0.01, 0.03, 0.06, 0.12, 0.2, 0.3, 0.45)
EXCESSES = (0.001, 0.004, 0.01, 0.025, 0.06, 0.12)
HALVINGS, SHARE = 10, 0.1  # of the line search


@dataclass(frozen=True)
class Arms:
    """Three arms: π_ref, positive; the rewards r; and β, positive, in units of reward per nat.

    Raises BadInput where they are not so.
    """

    reference: tuple[float, float, float]
    rewards: tuple[float, float, float]
    beta: float

    def __post_init__(self) -> None:
        law = np.array(self.reference)
        if law.shape != (3,) or not (law > 0).all() or abs(law.sum() - 1) > 1e-9:
            raise BadInput(f"reference is {list(self.reference)}; expected three positive probabilities of sum 1")
        if len(self.rewards) != 3:
            raise BadInput(f"rewards is {list(self.rewards)}; expected three")
        if not self.beta > 0:
            raise BadInput(f"beta is {self.beta}; expected a positive number")

    @property
    def best(self) -> Floats:
        """π* = π_ref exp(r/β)/z."""
        return _softmax(np.log(self.reference) + np.array(self.rewards) / self.beta)

    def regret(self, policies: ArrayLike) -> Floats:
        """J(π*) − J(π) = β D(π‖π*) of each policy [..., 3], in units of reward; 0 log 0 = 0."""
        laws = np.asarray(policies, dtype=np.float64)
        logs = np.log(np.where(laws > 0, laws, 1.0))
        return np.asarray(self.beta * (laws * (logs - np.log(self.best))).sum(-1))

    def advantages(self, policy: Floats) -> Floats:
        """A_π, of mean 0 under π."""
        worth = np.array(self.rewards) - self.beta * np.log(policy / np.array(self.reference))
        return np.asarray(worth - policy @ worth)


@dataclass(frozen=True)
class Pace:
    """How far an algorithm goes: `updates` of K = `epochs` steps of the first size η; the clip range ε; TRPO's first δ."""

    updates: int = 30
    epochs: int = 40
    learning_rate: float = 0.6
    epsilon: float = 0.2
    delta: float = 0.02


PACE = Pace()


def path(arms: Arms, algorithm: Algorithm, pace: Pace = PACE) -> Floats:
    """The policies [points, 3] of an algorithm from π_ref: after each update, and for "pg" after each step.

    Raises BadInput where there is no such algorithm.
    """
    if algorithm not in ALGORITHMS:
        raise BadInput(f"algorithm is {algorithm!r}; expected one of {', '.join(ALGORITHMS)}")
    theta = np.log(np.array(arms.reference))
    found = [_softmax(theta)]
    for update in range(pace.updates):
        left = 1 - update / pace.updates
        if algorithm == "trpo":
            theta = theta + natural_step(arms, found[-1], pace.delta * left**2)
            found.append(_softmax(theta))
            continue
        steps = list(_steps(arms, algorithm, theta, pace, left))
        theta = steps[-1]
        found += [_softmax(each) for each in (steps if algorithm == "pg" else steps[-1:])]
    return np.array(found)


def _steps(arms: Arms, algorithm: Algorithm, theta: Floats, pace: Pace, left: float) -> Iterator[Floats]:
    """θ after each of the K steps of an update."""
    old = _softmax(theta)
    for _ in range(pace.epochs):
        theta = theta + pace.learning_rate * left * gradient(arms, algorithm, old, _softmax(theta), pace.epsilon)
        yield theta


def gradient(arms: Arms, algorithm: Algorithm, old: Floats, policy: Floats, epsilon: float) -> Floats:
    """What is ascended by a step of "pg", "cpi" or "ppo", in the logits [3]: Σ_a π(a) w(a) (e_a − π).

    w is A_π, or A_old, or A_old where the clip lets it through and else 0.
    """
    if algorithm == "pg":
        weights = arms.advantages(policy)
    else:
        weights = arms.advantages(old)
        if algorithm == "ppo":
            ratio = policy / old
            flat = ((weights > 0) & (ratio > 1 + epsilon)) | ((weights < 0) & (ratio < 1 - epsilon))
            weights = np.where(flat, 0.0, weights)
    pushed = policy * weights
    return np.asarray(pushed - policy * pushed.sum())


def natural_step(arms: Arms, old: Floats, delta: float) -> Floats:
    """The step of TRPO in the logits [3], after its line search; 0 where no part of it will do."""
    gains = arms.advantages(old)
    square = float(old @ gains**2)
    if not square > 0:
        return np.zeros(3)
    step = gains * (2 * delta / square) ** 0.5
    for halving in range(HALVINGS + 1):
        part = 0.5**halving * step
        policy = _softmax(np.log(old) + part)
        divergence = float(old @ np.log(old / policy))
        if divergence <= delta and policy @ gains >= SHARE * float((old * gains) @ part):
            return part
    return np.zeros(3)


def _softmax(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


# --- pictures -------------------------------------------------------------------------------------------------------


def draw_paths(arms: Arms, panels: Mapping[str, Mapping[str, ArrayLike]], names: Sequence[str] = "012") -> Figure:
    """Draws paths in the triangle of all policies, a panel for each group of them with its title.

    Grey lines join policies of equal regret β D(π‖π*), which stands on them, in units of reward. π_ref is a cross, π* a star;
    the markers of a path stand at equal distances.

    Arguments: `panels` the paths [points, 3] by their names, by the title of their panel; `names` of the three arms. Raises
    BadInput where there is no panel, or a panel has more paths than markers.
    """
    if not panels:
        raise BadInput("panels is empty; expected at least one")
    for title, paths in panels.items():
        check_told_apart(f"panels[{title!r}]", paths, "paths")
    figure, row = plt.subplots(1, len(panels), figsize=(5.4 * len(panels), 5), squeeze=False, layout="constrained")
    grid = _grid()
    for axes, (title, paths) in zip(row[0], panels.items(), strict=True):
        _contours(axes, grid, arms.regret(grid), REGRETS)
        for place, (name, found) in enumerate(paths.items()):
            points = np.asarray(found, dtype=np.float64) @ CORNERS
            style = {**curve_style(place), "markersize": 5.5, "linewidth": 1.3, "markevery": APART}
            axes.plot(*points.T, label=name, **style)
        _triangle(axes, arms, names)
        axes.set_title(title)
        axes.legend(loc="upper left", fontsize="small")
    return figure


def excess(arms: Arms, compared: ArrayLike, policies: ArrayLike) -> Floats:
    """By how much the population loss of DPO at each policy [..., 3] exceeds that at π*.

    Σ_{a,b} κ(a,b) D(P_ab‖σ(r̂_a − r̂_b)), with P_ab = σ(r_a − r_b) and r̂ = β log(π/π_ref): a mean of divergences of two
    coins, 0 exactly where all compared margins are right. Positive policies only.

    Arguments: `compared` κ [3, 3], of sum 1. Raises BadInput where it is no such law. Claims DPO.3, DPO.4.
    """
    pairs = np.asarray(compared, dtype=np.float64)
    if pairs.shape != (3, 3) or (pairs < 0).any() or abs(pairs.sum() - 1) > 1e-9:
        raise BadInput(f"compared is {pairs.tolist()}; expected a law [3, 3] of sum 1")
    truth = np.array(arms.rewards)
    implicit = arms.beta * (np.log(np.asarray(policies, dtype=np.float64)) - np.log(arms.reference))
    margins = implicit[..., :, np.newaxis] - implicit[..., np.newaxis, :]
    chances = 1 / (1 + np.exp(truth[np.newaxis, :] - truth[:, np.newaxis]))  # P_ab
    # −P log σ(m) − (1 − P) log σ(−m), less the same at the true margin.
    at_truth = _coin_loss(chances, truth[:, np.newaxis] - truth[np.newaxis, :])
    return np.asarray((pairs * (_coin_loss(chances, margins) - at_truth)).sum((-2, -1)))


def _coin_loss(chances: Floats, margins: Floats) -> Floats:
    return np.asarray(chances * np.logaddexp(0, -margins) + (1 - chances) * np.logaddexp(0, margins))


def draw_preference_losses(arms: Arms, panels: Mapping[str, ArrayLike], names: Sequence[str] = "012") -> Figure:
    """Draws the population loss of DPO over the triangle, a panel for each law of comparisons.

    Grey lines join policies of equal excess over the loss at π*, which stands on them, in nats. The dashed black line is
    where all compared margins are right, so that the loss is least; there is one where a single pair is compared, and else
    only the star has the least loss.

    Arguments: `panels` the laws κ [3, 3] by their titles; `names` of the three arms. Raises BadInput where there is no panel,
    or a law is none.
    """
    if not panels:
        raise BadInput("panels is empty; expected at least one")
    found = {title: excess(arms, compared, arms.best) for title, compared in panels.items()}  # refuses before it draws
    figure, row = plt.subplots(1, len(found), figsize=(5.4 * len(found), 5), squeeze=False, layout="constrained")
    grid = _grid(inner=True)
    for axes, (title, compared) in zip(row[0], panels.items(), strict=True):
        _contours(axes, grid, excess(arms, compared, grid), EXCESSES)
        alone = _only_pair(np.asarray(compared, dtype=np.float64))
        if alone is not None:
            shares = np.linspace(0, 1, 101)[:, np.newaxis]
            third = np.eye(3)[3 - sum(alone)]
            among = np.where(third > 0, 0, arms.best)
            points = (shares * third + (1 - shares) * among / among.sum()) @ CORNERS
            axes.plot(*points.T, color="black", linestyle="--", linewidth=2, label="least loss")
        _triangle(axes, arms, names)
        axes.set_title(title)
        axes.legend(loc="upper left", fontsize="small")
    return figure


def _only_pair(pairs: Floats) -> tuple[int, int] | None:
    """The one pair of arms that is compared, if there is only one."""
    both = pairs + pairs.T
    found = [(a, b) for a in range(3) for b in range(a + 1, 3) if both[a, b] > 0]
    return found[0] if len(found) == 1 else None


def _grid(inner: bool = False) -> Floats:
    """Policies that cover the triangle [points, 3], with its border or, `inner`, a little inside of it."""
    cuts = [(i, j, PARTS - i - j) for i in range(PARTS + 1) for j in range(PARTS + 1 - i)]
    laws = np.array(cuts, dtype=np.float64) / PARTS
    return (laws + 1e-3) / (1 + 3e-3) if inner else laws


def _contours(axes: Axes, grid: Floats, heights: Floats, levels: Sequence[float]) -> None:
    across, up = (grid @ CORNERS).T
    lines = axes.tricontour(across, up, heights, levels=list(levels), colors="0.7", linewidths=0.8)
    # The smallest ring has no room for its number.
    axes.clabel(lines, levels[1:], fontsize="x-small", fmt="%g", colors="0.4")


def _triangle(axes: Axes, arms: Arms, names: Sequence[str]) -> None:
    axes.plot(*np.vstack([CORNERS, CORNERS[:1]]).T, color="black", linewidth=0.9)
    for name, corner in zip(names, CORNERS, strict=True):
        above = corner[1] > 0.5
        axes.annotate(f"always {name}", corner, (0, 5 if above else -13), textcoords="offset points", ha="center")
    style: dict[str, Any] = {"color": "black", "linestyle": "none"}
    axes.plot(
        *(np.array(arms.reference) @ CORNERS), marker="x", markersize=10, markeredgewidth=2.2, label="π_ref", **style
    )
    star: dict[str, Any] = {"marker": "*", "markersize": 15, "markerfacecolor": "white", "zorder": 5}
    axes.plot(*(arms.best @ CORNERS), label="π*", **style, **star)
    axes.set(xlim=(-0.14, 1.14), ylim=(-0.1, 0.98), aspect="equal")
    axes.axis("off")
