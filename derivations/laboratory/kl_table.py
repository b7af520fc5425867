"""The table of KL estimators: k1, k2, k3, in the reward or in the loss, each as an estimator of ∇D(π‖π_ref).

With x = log π − log π_ref at the action taken,
    k1 = x        k2 = ½x²        k3 = e^{−x} − 1 + x
In the reward a cell multiplies the score with k itself, in the loss with its slope k'(x), because ∇x = ∇log π:
    in the reward    ĝ = Σ_t ∇log π(a_t∣s_t) Σ_{k≥t} k_i(x_k)        in the loss    ĝ = Σ_t k_i'(x_t) ∇log π(a_t∣s_t)
and with the log-ratio X = Σ_t x_t of the whole trajectory ĝ = k_i(X) g or k_i'(X) g, g = Σ_t ∇log π(a_t∣s_t).

All cells point uphill in D: a loss has +β times them, an objective −β. Claims KL.1, KL.2, KL.5 to KL.7, KL.16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import exp
from typing import Any, Literal, get_args

import numpy as np

from derivations.laboratory.estimators import Weights, backward_sums, of_table
from derivations.laboratory.worlds import Moments, World
from toy_envs.errors import BadInput
from toy_envs.tabular_oracle import Array, Trajectory

Placement = Literal["reward", "loss"]


@dataclass(frozen=True)
class Divergence:
    """An estimator of D as a function of the log-ratio x (nats), and its derivative in x."""

    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]


ESTIMATORS: Mapping[str, Divergence] = {
    "k1": Divergence(lambda x: x, lambda x: 1),
    "k2": Divergence(lambda x: x**2 / 2, lambda x: x),
    "k3": Divergence(lambda x: exp(-x) - 1 + x, lambda x: 1 - exp(-x)),
}
CELLS: tuple[tuple[str, Placement], ...] = tuple(product(ESTIMATORS, get_args(Placement)))


def log_ratios(policy: Any, reference: Any) -> Array:
    """log π − log π_ref (nats) of every state and action, −∞ where π is 0. Claim KL.1."""
    with np.errstate(divide="ignore"):
        return np.asarray(
            np.log(np.asarray(policy, dtype=float)) - np.log(np.asarray(reference, dtype=float)), dtype=np.float64
        )


def kl_weights(name: str, placement: Placement, policy: Any, reference: Any, *, whole: bool = False) -> Weights:
    """One cell of the table.

    Arguments: `name` k1, k2 or k3; `placement` "reward" or "loss"; `policy`, `reference` tables; `whole`: whether of the
    log-ratio of the whole trajectory, or token by token (the default, as in code).
    Raises BadInput where there is no such cell. Claim KL.7.
    """
    if (name, placement) not in CELLS:
        raise BadInput(f"({name!r}, {placement!r}) is no cell of the table; expected one of {CELLS}")
    steps, chosen = of_table(log_ratios(policy, reference)), ESTIMATORS[name]
    function = chosen.value if placement == "reward" else chosen.slope

    def weights(trajectory: Trajectory) -> list[Any]:
        each = steps(trajectory)
        if whole:
            return [function(sum(each))] * len(each)
        found = [function(ratio) for ratio in each]
        return backward_sums(found, 1) if placement == "reward" else found

    return weights


def kl_in_rewards(weights: Weights, policy: Any, reference: Any, beta: float) -> Weights:
    """ψ of the trajectory whose rewards are r_t − β (log π − log π_ref), the log-ratio of the action taken.

    With ψ unbiased for ∇J it is unbiased for the gradient of E[Σ_t γ^t (r_t − β log(π/π_ref))]; a critic that is to be
    right has to know the penalty as well. `beta` β, in units of reward per nat. Claims KL.4, KL.5, PG.8. Source B, IX.I.
    """
    steps = of_table(log_ratios(policy, reference))

    def penalised(trajectory: Trajectory) -> Sequence[Any]:
        pairs = zip(trajectory.rewards, steps(trajectory), strict=True)
        return weights(replace(trajectory, rewards=tuple(reward - beta * ratio for reward, ratio in pairs)))

    return penalised


def exact_kl_weights(policy: Any, reference: Any) -> Weights:
    """The exact KL of the states to come in the reward: ψ_t = Σ_{k>t} D(π(·∣s_k)‖π_ref(·∣s_k)). Claims KL.15, KL.16.

    That of s_t itself is no consequence of a_t: it would be a baseline.
    """
    laws = np.asarray(policy, dtype=float)
    ratios = log_ratios(policy, reference)
    divergences = (laws * np.where(laws == 0, 0, ratios)).sum(-1)  # 0 log 0 = 0

    def weights(trajectory: Trajectory) -> list[Any]:
        states = trajectory.states[: len(trajectory.actions)]
        each = [divergences[(t, s) if laws.ndim == 3 else s] for t, s in enumerate(states)]
        return [*backward_sums(each, 1)[1:], 0]

    return weights


def kl_table(world: World, reference: Any, target: Array, *, whole: bool = False) -> dict[tuple[str, str], Moments]:
    """The moments of the six cells. Arguments: `reference` π_ref as a table; `target` ∇D(π‖π_ref), of `world.kl_gradient`."""
    return {
        (name, placement): world.moments(kl_weights(name, placement, world.table, reference, whole=whole), target)
        for name, placement in CELLS
    }
