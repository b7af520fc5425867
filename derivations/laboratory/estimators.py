"""Estimators of the policy gradient, each as what it multiplies the score of a step with.

    ĝ(τ) = Σ_t ψ_t(τ) ∇log π(a_t∣s_t)

An estimator is its weights ψ: a function of a trajectory, which gives one number a step and is free of θ. The functions
here make such functions, or change one into another, and work on exact rationals as on floats. `score_estimate` is the
sum itself, for a softmax table.

A table of states is [S], or [T, S] where it depends on the time; a policy is π(a∣s), [S, A] or [T, S, A]. Time is counted
from 0, and γ^t stands where the function says so and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from operator import mul
from typing import Any, Literal, get_args

import numpy as np

from toy_envs.errors import BadInput
from toy_envs.tabular_oracle import Array, Trajectory

Weights = Callable[[Trajectory], Sequence[Any]]
"""ψ_t of each step of a trajectory."""

Baseline = Callable[[Trajectory, int], Any]
"""What is subtracted from ψ_t at the step t; it is given the whole trajectory, so that wrong ones can be written too."""

Estimator = Callable[[Trajectory], Array]
"""ĝ(τ) itself, in the shape of the policy."""

Product = Literal["step", "prefix", "trajectory"]
"""Which steps' ratios an importance weight multiplies: that of t, those up to t, all of them."""


def score_estimate(weights: Weights, policy: Any) -> Estimator:
    """The general estimator, in the logits φ of a softmax table.

    ĝ(τ) = Σ_t ψ_t(τ) ∂log π(a_t∣s_t)/∂φ

    Claims PG.3, PG.4. Source B, IV.IV.
    """

    laws = np.asarray(policy)

    def estimate(trajectory: Trajectory) -> Array:
        found = np.zeros(laws.shape, dtype=laws.dtype)
        taken = zip(trajectory.states[:-1], trajectory.actions, strict=True)
        for time, (weight, (state, action)) in enumerate(zip(weights(trajectory), taken, strict=True)):
            place = state if laws.ndim == 2 else (time, state)
            score = -laws[place]  # zero in the rows of all other states, which most of them are
            score[action] += 1
            found[place] = found[place] + weight * score
        return found

    return estimate


def expected_score_estimate(table: Any, policy: Any) -> Estimator:
    """The same sum over all actions in the place of the one taken, in the logits of a softmax table.

    ĝ(τ) = Σ_t Σ_a π(a∣s_t) f(s_t, a) ∂log π(a∣s_t)/∂φ

    It is what repairs a baseline f of the action (AD.7). With f = log π − log π_ref it is Σ_t ∇D(π(·∣s_t)‖π_ref(·∣s_t)), the
    exact KL in the loss (KL.16). Arguments: `table` f [S, A] or [T, S, A].
    """
    laws, values = as_array(policy), as_array(table)

    def estimate(trajectory: Trajectory) -> Array:
        found = np.zeros(laws.shape, dtype=np.result_type(laws, values))
        for t, state in enumerate(trajectory.states[:-1]):
            law, value = (row(of, t, state) for of in (laws, values))
            found[state if laws.ndim == 2 else (t, state)] += law * (value - law @ value)
        return found

    return estimate


# --- returns --------------------------------------------------------------------------------------------------------


def reward_to_go(gamma: Any = 1) -> Weights:
    """ψ_t = R̂_t = Σ_{k≥t} γ^{k−t} r_k. Claims TR.3, AD.3. Source B, V.I; its V.V prints γ^k, see `discounted`."""
    return lambda trajectory: backward_sums(trajectory.rewards, gamma)


def reinforce(gamma: Any = 1) -> Weights:
    """ψ_t = G(τ) = Σ_k γ^k r_k at every step. Claims PG.4, PG.5. Source B, IV.V."""

    def weights(trajectory: Trajectory) -> list[Any]:
        return [backward_sums(trajectory.rewards, gamma)[0]] * len(trajectory.rewards)

    return weights


def of_table(table: Any) -> Weights:
    """ψ_t = f(s_t, a_t): the exact A^π or Q^π, say. `table` [S, A] or [T, S, A]. Claim AD.13. Source B, V.IV."""
    values = as_array(table)

    def weights(trajectory: Trajectory) -> list[Any]:
        pairs = zip(trajectory.states, trajectory.actions, strict=False)  # the last state has no action
        return [entry(values, t, state, action) for t, (state, action) in enumerate(pairs)]

    return weights


def gae(critic: Any, gamma: Any, lam: Any, *, truncates: bool = False) -> Weights:
    """ψ_t = Â_t, generalised advantage estimates with any critic V.

    δ_t = r_t + γ V(s_{t+1}) − V(s_t),  Â_t = δ_t + γλ Â_{t+1},  V = 0 behind a terminated step

    Arguments: `critic` V [S], or [T, S], or [T + 1, S] where V of the time T is asked for; `truncates`: whether the horizon
    cuts an episode off, so that V of the state that was reached counts, or ends it (the default, as in
    `tabular_oracle.evaluate`). Claims AD.16 to AD.20. Source B, section V.
    """
    values = as_array(critic)

    def weights(trajectory: Trajectory) -> list[Any]:
        *now, last = trajectory.states
        here = [entry(values, t, state) for t, state in enumerate(now)]
        beyond = entry(values, len(now), last) if truncates and not trajectory.terminated else 0
        steps = zip(trajectory.rewards, here, [*here[1:], beyond], strict=True)
        return backward_sums([reward + gamma * following - value for reward, value, following in steps], gamma * lam)

    return weights


# --- baselines ------------------------------------------------------------------------------------------------------


def with_baseline(weights: Weights, baseline: Baseline) -> Weights:
    """ψ_t − b_t. Claims AD.5 (of the state: unbiased), AD.6, AD.7 (of the action: not). Source B, V.II."""
    return lambda trajectory: [weight - baseline(trajectory, t) for t, weight in enumerate(weights(trajectory))]


def constant(value: Any) -> Baseline:
    """b_t = b."""
    return lambda trajectory, t: value


def of_state(table: Any) -> Baseline:
    """b_t = b(s_t), or b(t, s_t). `table` [S] or [T, S]."""
    values = as_array(table)
    return lambda trajectory, t: entry(values, t, trajectory.states[t])


def of_action(table: Any) -> Baseline:
    """b_t = b(s_t, a_t), or b(t, s_t, a_t). `table` [S, A] or [T, S, A]. Claim AD.7."""
    values = as_array(table)
    return lambda trajectory, t: entry(values, t, trajectory.states[t], trajectory.actions[t])


# --- discounting and averaging --------------------------------------------------------------------------------------


def discounted(weights: Weights, gamma: Any, power: int = 1) -> Weights:
    """γ^{power·t} ψ_t.

    With R̂_t or an advantage as ψ_t the power 1 gives the gradient of the discounted J. The power 0 forgets the weight, as
    most code does (AD.13). With R̂_t = Σ γ^k r_k, source B's V.V, γ^t is there already (AD.12); who puts it before that
    once more has the power 2.
    """
    return lambda trajectory: [gamma ** (power * t) * weight for t, weight in enumerate(weights(trajectory))]


def mean_over_steps(weights: Weights) -> Weights:
    """ψ_t/(number of steps): the mean over the time steps of one trajectory in the place of the sum. Claim IS.9."""

    def averaged(trajectory: Trajectory) -> list[Any]:
        return [weight / len(trajectory.actions) for weight in weights(trajectory)]

    return averaged


# --- importance weights ---------------------------------------------------------------------------------------------


def ratios(trajectory: Trajectory, policy: Any, behaviour: Any) -> list[Any]:
    """r_t = π(a_t∣s_t)/π_old(a_t∣s_t) of each step. Claim IS.4. Source B, VI.II."""
    target, drawn = of_table(policy)(trajectory), of_table(behaviour)(trajectory)
    return [one / other for one, other in zip(target, drawn, strict=True)]


def importance_weights(trajectory: Trajectory, policy: Any, behaviour: Any, product: Product) -> list[Any]:
    """r_t ("step"), Π_{k≤t} r_k ("prefix") or Π_k r_k ("trajectory") at each step.

    Raises BadInput for another `product`. Claims IS.3, IS.7.
    """
    if product not in get_args(Product):
        raise BadInput(f"product is {product!r}; expected {', '.join(map(repr, get_args(Product)))}")
    each = ratios(trajectory, policy, behaviour)
    if product == "step":
        return each
    products = list(accumulate(each, mul))
    return products if product == "prefix" else products[-1:] * len(each)


def importance_weighted(weights: Weights, policy: Any, behaviour: Any, product: Product) -> Weights:
    """ψ_t times an importance weight, for trajectories that the behaviour policy drew.

    "trajectory" keeps the mean of every unbiased ψ; "prefix" that of the exact A^π (IS.7), not that of R̂_t, for which see
    `per_decision`; "step" is ∇L_CPI (IS.5), right at π = π_old. Claims IS.1, IS.5 to IS.7. Source B, VI.
    """

    def weighted(trajectory: Trajectory) -> list[Any]:
        each = importance_weights(trajectory, policy, behaviour, product)
        return [ratio * weight for ratio, weight in zip(each, weights(trajectory), strict=True)]

    return weighted


def clipped(weights: Weights, policy: Any, behaviour: Any, epsilon: Any) -> Weights:
    """The gradient of PPO's clipped surrogate: r_t ψ_t where neither cap holds, else 0; ψ is the advantage.

    ∇ min(r_t ψ_t, clip(r_t, 1 − ε, 1 + ε) ψ_t): 0 where ψ_t > 0 and r_t > 1 + ε, or ψ_t < 0 and r_t < 1 − ε. On a cap itself,
    where there is no derivative, that from inside is taken. At π = π_old, and as long as no ratio is clipped, it is that of
    the surrogate L_CPI. Claims PPO.3, PPO.7, KL.10. Source B, VIII.I.
    """

    def weighted(trajectory: Trajectory) -> list[Any]:
        found = []
        for ratio, weight in zip(ratios(trajectory, policy, behaviour), weights(trajectory), strict=True):
            held = ratio > 1 + epsilon if weight > 0 else ratio < 1 - epsilon
            found.append(0 * weight if held else ratio * weight)
        return found

    return weighted


def per_decision(weights: Weights, policy: Any, behaviour: Any) -> Weights:
    """ψ of the trajectory whose rewards are (Π_{j≤k} r_j) r_k: each reward is weighted with what led to it, no more.

    It keeps the mean of `reward_to_go`. It does not keep that of `reinforce`, where the score of a later step meets an
    earlier reward, whose weight lacks that step's ratio. Claims IS.1, IS.7. Source: Precup, Sutton and Singh (2000).
    """

    def weighted(trajectory: Trajectory) -> Sequence[Any]:
        each = importance_weights(trajectory, policy, behaviour, "prefix")
        rewards = tuple(ratio * reward for ratio, reward in zip(each, trajectory.rewards, strict=True))
        return weights(replace(trajectory, rewards=rewards))

    return weighted


# --- what they are made of ------------------------------------------------------------------------------------------


def as_array(table: Any) -> Array:
    """A table as an array; integers become Fractions, which numpy's own are not, and whose quotients are exact."""
    found = np.asarray(table)
    return found.astype(object) * Fraction(1) if found.dtype.kind in "iu" else found


def entry(table: Array, t: int, *place: int) -> Any:
    """The number of a state, or of a state and an action, whether or not the time is the table's first axis."""
    return table[(t, *place)] if table.ndim > len(place) else table[place]


def row(table: Array, t: int, state: int) -> Array:
    """The numbers of all actions in a state, whether or not the time is the table's first axis."""
    return np.asarray(table[t, state] if table.ndim == 3 else table[state])


def backward_sums(terms: Sequence[Any], factor: Any) -> list[Any]:
    """x_t = terms_t + factor · x_{t+1}, x = 0 behind the last step."""
    found: list[Any] = []
    total: Any = 0
    for term in reversed(terms):
        total = term + factor * total
        found.append(total)
    return found[::-1]
