"""How the importance weight of a whole trajectory grows with the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from derivations.laboratory.estimators import importance_weights
from derivations.laboratory.worlds import World, expectation
from toy_envs.tabular_oracle import Trajectory


@dataclass(frozen=True)
class WeightMoments:
    """The mean E[w], the second moment E[w²] and the largest value of an importance weight w; all without a unit."""

    mean: Any
    second_moment: Any
    largest: Any

    @property
    def variance(self) -> Any:
        """E[w²] − E[w]²."""
        return self.second_moment - self.mean**2

    @property
    def effective_share(self) -> Any:
        """E[w]²/E[w²]: the effective sample size of N trajectories, over N, for large N."""
        return self.mean**2 / self.second_moment


def weight_moments(world: World) -> WeightMoments:
    """The moments of w(τ) = Π_t π(a_t∣s_t)/π_old(a_t∣s_t) under the policy that draws.

    E[w] = 1 where π_old > 0 wherever π > 0. Over T independent steps E[w²] = (1 + χ²(π‖π_old))^T. Claims IS.2, IS.3.
    """
    target, drawn = world.table, world.drawing_table

    def weight(trajectory: Trajectory) -> Any:
        return importance_weights(trajectory, target, drawn, "trajectory")[-1]

    return WeightMoments(
        expectation(world, weight),
        expectation(world, lambda trajectory: weight(trajectory) ** 2),
        max(weight(trajectory) for trajectory in world.trajectories()),
    )
