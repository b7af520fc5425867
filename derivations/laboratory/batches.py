"""Estimators that look at a whole batch: baselines that are estimated from it, and whitening.

    ĝ = (1/N) Σ_i Σ_t ψ_{i,t}(τ_1, …, τ_N) ∇log π(a_{i,t}∣s_{i,t})

Such an estimator is its weights ψ, a function of the N trajectories of a batch; its exact moments, over all batches of N
independent trajectories, are those of `World.batch_moments`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import sqrt
from typing import Any

from derivations.laboratory.estimators import Weights, backward_sums
from toy_envs.errors import BadInput
from toy_envs.tabular_oracle import Trajectory

BatchWeights = Callable[[Sequence[Trajectory]], Sequence[Sequence[Any]]]
"""ψ_{i,t} of each step of each trajectory of a batch."""


def each_alone(weights: Weights) -> BatchWeights:
    """ψ_{i,t} = ψ_t(τ_i): the mean of N estimates that know nothing of each other. Claims PG.5, PG.6."""
    return lambda batch: [weights(one) for one in batch]


def leave_one_out(weights: Weights, gamma: Any = 1) -> BatchWeights:
    """ψ_t(τ_i) less the mean return of the others, a baseline that its own sample does not enter.

    ψ_{i,t} = ψ_t(τ_i) − (1/(N − 1)) Σ_{j≠i} G(τ_j),  G(τ) = Σ_k γ^k r_k

    The others are independent of τ_i: it keeps the mean. Raises BadInput for a batch of one. Claim AD.6.
    """

    def of_batch(batch: Sequence[Trajectory]) -> list[list[Any]]:
        if len(batch) < 2:
            raise BadInput("a batch of 1; expected at least 2, for a baseline of the others")
        returns = _returns(batch, gamma)
        total = sum(returns)
        share = Fraction(1, len(batch) - 1)
        return [
            [weight - share * (total - own) for weight in weights(one)] for one, own in zip(batch, returns, strict=True)
        ]

    return of_batch


def batch_mean(weights: Weights, gamma: Any = 1) -> BatchWeights:
    """ψ_t(τ_i) less the mean return of the batch, τ_i itself among it.

    ψ_{i,t} = ψ_t(τ_i) − (1/N) Σ_j G(τ_j),  G(τ) = Σ_k γ^k r_k

    Where E[Σ_t ψ_t ∇log π] = ∇J, the mean is (1 − 1/N) ∇J. Claim AD.6.
    """

    def of_batch(batch: Sequence[Trajectory]) -> list[list[Any]]:
        mean = Fraction(1, len(batch)) * sum(_returns(batch, gamma))
        return [[weight - mean for weight in weights(one)] for one in batch]

    return of_batch


def whitened(weights: BatchWeights) -> BatchWeights:
    """ψ with the mean 0 and the variance 1 over all steps of the batch, in floats.

    (ψ_{i,t} − μ)/σ,  μ and σ² the mean and the variance (divided by the number of steps) of all ψ of the batch

    Where all ψ of a batch are alike they become 0, as with code that adds a little to σ. σ belongs to the batch: what it
    divides is weighted anew from batch to batch, and the mean points in another direction than ∇J. Claims AD.5, AD.6.
    """

    def of_batch(batch: Sequence[Trajectory]) -> list[list[Any]]:
        given = [[float(weight) for weight in row] for row in weights(batch)]
        every = [weight for row in given for weight in row]
        mean = sum(every) / len(every)
        alike = max(every) == min(every)  # exactly: rounding alone gives σ > 0
        deviation = sqrt(sum((weight - mean) ** 2 for weight in every) / len(every))
        return [[0.0 if alike else (weight - mean) / deviation for weight in row] for row in given]

    return of_batch


def _returns(batch: Sequence[Trajectory], gamma: Any) -> list[Any]:
    return [backward_sums(one.rewards, gamma)[0] for one in batch]
