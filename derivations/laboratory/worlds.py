"""The exact mean, bias and covariance of an estimator, in a world whose trajectories can be enumerated.

There are two worlds. In a tabular one the parameters are the logits of a softmax table, or fewer that move them, and all
numbers are exact rationals where that is asked for. In a token world a state is a prefix and the parameters are the weights
of a tiny GPT, or the logits of a table of prefixes. Both hand an estimator the same trajectories, with numbered states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, product
from math import prod
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.gpt import GPT
from derivations.algorithms.rollout import Responses, weighted_scores
from derivations.laboratory.batches import BatchWeights
from derivations.laboratory.estimators import Estimator, Weights, as_array, expected_score_estimate, score_estimate
from toy_envs.errors import BadInput
from toy_envs.tabular_mdp import TabularMDP, Transition, merged
from toy_envs.tabular_oracle import Array, Evaluation, Trajectory, evaluate, mean_and_covariance, scores, trajectories

LIMIT = 1_000_000  # batches of trajectories


@dataclass(frozen=True)
class Moments:
    """What an estimate is on average, what it should be, and how it scatters.

    `mean` E[ĝ] and `target` [n]; `covariance` [n, n], or [n] where only its diagonal was asked for. Exact rationals, or
    floats, in units of the reward per unit of the parameters.
    """

    mean: Array
    target: Array
    covariance: Array

    @property
    def bias(self) -> Array:
        """E[ĝ] less the target, [n]."""
        return np.asarray(self.mean - self.target)

    @property
    def variance(self) -> Any:
        """E‖ĝ − E[ĝ]‖², the trace of the covariance."""
        return self.covariance.sum() if self.covariance.ndim == 1 else self.covariance.trace()

    @property
    def second_moment(self) -> Any:
        """E‖ĝ‖²."""
        return self.variance + self.mean @ self.mean

    @property
    def squared_error(self) -> Any:
        """E‖ĝ − target‖², the variance and the squared length of the bias together."""
        return self.variance + self.bias @ self.bias


class World(Protocol):
    """What the two worlds have in common."""

    @property
    def table(self) -> Array:
        """The policy π(a∣s)."""

    @property
    def drawing_table(self) -> Array:
        """The policy that draws the trajectories: π_old(a∣s), or π itself."""

    @property
    def critic(self) -> Array:
        """V^π, without a KL penalty."""

    @property
    def advantages(self) -> Array:
        """A^π, without a KL penalty."""

    @property
    def gradient(self) -> Array:
        """∇J [n], without a KL penalty."""

    def kl_gradient(self, reference: Any) -> Array:
        """∇D(π‖π_ref) [n], of whole trajectories."""

    def trajectories(self) -> Sequence[Trajectory]:
        """All that can happen, under the policy that draws."""

    def step_scores(self) -> Sequence[Array]:
        """∇log π(a_t∣s_t) of each step of each trajectory, [steps, n]."""

    def moments(self, weights: Weights, target: Array | None = None) -> Moments:
        """The moments of Σ_t ψ_t ∇log π(a_t∣s_t); the target is ∇J where none is given."""

    def batch_moments(self, weights: BatchWeights, size: int, target: Array | None = None) -> Moments:
        """The moments of (1/N) Σ_i Σ_t ψ_{i,t} ∇log π(a_{i,t}∣s_{i,t}) over all batches of N = `size` trajectories.

        Raises BadInput where the batches are more than LIMIT, or `size` is less than 1. Claims PG.6, AD.6.
        """


def expectation(world: World, function: Callable[[Trajectory], Any]) -> Any:
    """E[f(τ)] under the policy that draws."""
    return sum(trajectory.probability * function(trajectory) for trajectory in world.trajectories())


def best_constant_baseline(world: World, weights: Weights) -> Any:
    """The constant b for which Σ_t ∇log π(a_t∣s_t) (ψ_t − b) has the least variance, where ψ is drawn on policy.

    b = E[g·ĝ]/E‖g‖², with g = Σ_t ∇log π(a_t∣s_t), whose mean is 0, and ĝ = Σ_t ψ_t ∇log π(a_t∣s_t)

    For REINFORCE it is E[‖g‖²G]/E[‖g‖²]. Raises BadInput where E‖g‖² = 0. Claim AD.9.
    """
    scores = world.moments(lambda trajectory: [1] * len(trajectory.actions)).second_moment
    if scores == 0:
        raise BadInput("the score is 0 in every trajectory; expected a policy that is not deterministic")
    # 2 E[g·ĝ] = E‖ĝ + g‖² − E‖ĝ‖² − E‖g‖²
    shifted = world.moments(lambda trajectory: [1 + weight for weight in weights(trajectory)]).second_moment
    return (shifted - world.moments(weights).second_moment - scores) / (2 * scores)


def _batches(world: World, size: int) -> Iterable[tuple[Any, tuple[int, ...]]]:
    """The probability of each batch of `size` independent trajectories, and the places of these."""
    chances = [one.probability for one in world.trajectories()]
    if size < 1:
        raise BadInput(f"size is {size}; expected at least 1")
    if len(chances) ** size > LIMIT:
        raise BadInput(f"size is {size}, which makes {len(chances) ** size} batches; expected at most {LIMIT} of them")
    return ((prod(chances[k] for k in batch), batch) for batch in product(range(len(chances)), repeat=size))


def _batch_moments(
    world: World, weights: BatchWeights, size: int, target: Array | None = None, diagonal: bool = False
) -> Moments:
    """The estimate is linear in the scores of all steps that there are: ĝ = Sᵀw, with w of the batch alone.

    E[ĝ] = Sᵀ E[w],  Cov[ĝ] = Sᵀ Cov[w] S
    """
    batches = _batches(world, size)
    every, rows = world.trajectories(), world.step_scores()
    table = np.concatenate(rows)  # S [steps, n]
    if not diagonal and table.shape[1] > exact.MOST_WEIGHTS:
        raise BadInput(f"n is {table.shape[1]}; expected at most {exact.MOST_WEIGHTS} for a whole covariance")
    first = [0, *accumulate(len(row) for row in rows)]
    mean, square = (np.zeros((len(table),) * axes, dtype=table.dtype) for axes in (1, 2))
    for chance, batch in batches:
        of_step: dict[int, Any] = {}
        for k, row in zip(batch, weights([every[k] for k in batch]), strict=True):
            for step, weight in enumerate(row, first[k]):
                of_step[step] = of_step.get(step, 0) + weight
        places, found = list(of_step), np.array(list(of_step.values()), dtype=table.dtype)
        mean[places] += chance * found
        square[np.ix_(places, places)] += chance * np.outer(found, found)
    share = Fraction(1, size) if table.dtype == object else 1 / size
    mean = share * mean
    spread = share**2 * square - np.outer(mean, mean)
    covariance = (table * (spread @ table)).sum(0) if diagonal else table.T @ spread @ table
    return Moments(mean @ table, world.gradient if target is None else target, covariance)


# --- tabular --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TabularWorld:
    """A tabular MDP of `horizon` steps, with a softmax policy, and perhaps another one that draws the trajectories.

    Arguments:
        policy: π(a∣s) [S, A] or [T, S, A], whose gradient is estimated.
        horizon: the number of steps T, after which everything stops.
        behaviour: π_old(a∣s), by which the trajectories are drawn; None for π itself.
        features: x [n, *shape of the policy]; the logits of π are Σ_i θ_i x_i up to a constant, and gradients are in θ,
            so that states can share a parameter. None: one logit for each entry of the policy.
        exact: whether in rationals or in float64.
    """

    mdp: TabularMDP
    policy: Any
    horizon: int
    behaviour: Any = None
    features: Any = None
    exact: bool = True

    @property
    def table(self) -> Array:
        return np.asarray(self.policy)

    @property
    def drawing_table(self) -> Array:
        return np.asarray(self._drawing)

    @cached_property
    def values(self) -> Evaluation:
        """V, Q, A, … of π, with the time as their first axis."""
        return evaluate(self.mdp, self.policy, self.horizon, exact=self.exact)

    @property
    def critic(self) -> Array:
        return self.values.v

    @property
    def advantages(self) -> Array:
        return self.values.advantages

    @cached_property
    def gradient(self) -> Array:
        return self.projected(self.values.gradient)

    def kl_gradient(self, reference: Any) -> Array:
        """∇D(π‖π_ref) [n], D the expected sum of log π − log π_ref over a trajectory, not discounted; in floats."""
        free = TabularMDP(
            "without rewards",
            self.mdp.states,
            self.mdp.actions,
            self.mdp.initial,
            tuple(tuple(_unrewarded(row) for row in rows) for rows in self.mdp.transitions),
        )
        found = evaluate(free, self.policy, self.horizon, exact=False, reference=reference, beta=1.0)
        return self.projected(-found.gradient)

    def trajectories(self) -> tuple[Trajectory, ...]:
        """All that can happen, under the policy that draws."""
        return tuple(trajectories(self.mdp, self._drawing, self.horizon, exact=self.exact))

    def projected(self, gradient: Array) -> Array:
        """A gradient in the logits, in the shape of the policy, as one in the parameters [n]."""
        if self.features is None:
            return np.ravel(gradient)
        columns = np.asarray(self.features)
        return columns.reshape(len(columns), -1) @ np.ravel(gradient)

    def estimate(self, weights: Weights) -> Estimator:
        """ĝ(τ) [n] of one trajectory."""
        in_logits = score_estimate(weights, self.policy)
        return lambda trajectory: self.projected(in_logits(trajectory))

    def expected_scores(self, table: Any) -> Estimator:
        """Σ_t Σ_a π(a∣s_t) f(s_t, a) ∇log π(a∣s_t) [n] of one trajectory: see `expected_score_estimate`."""
        in_logits = expected_score_estimate(table, self.policy)
        return lambda trajectory: self.projected(in_logits(trajectory))

    def moments(self, weights: Weights, target: Array | None = None) -> Moments:
        """The moments of Σ_t ψ_t ∇log π(a_t∣s_t); the target is ∇J where none is given."""
        return self.moments_of(self.estimate(weights), target)

    def moments_of(self, estimator: Estimator, target: Array | None = None) -> Moments:
        """The moments of any estimator of one trajectory."""
        mean, covariance = mean_and_covariance(estimator, self.mdp, self._drawing, self.horizon, exact=self.exact)
        return Moments(mean, self.gradient if target is None else target, covariance)

    def step_scores(self) -> list[Array]:
        """∇log π(a_t∣s_t) of each step of each trajectory, [steps, n]."""
        policy = as_array(self.policy)
        return [np.array([self.projected(score) for score in scores(one, policy)]) for one in self.trajectories()]

    def batch_moments(self, weights: BatchWeights, size: int, target: Array | None = None) -> Moments:
        """The moments of (1/N) Σ_i Σ_t ψ_{i,t} ∇log π(a_{i,t}∣s_{i,t}) over all batches of N = `size` trajectories."""
        return _batch_moments(self, weights, size, target)

    def batch_moments_of(
        self, estimator: Callable[[tuple[Trajectory, ...]], Any], size: int, target: Array | None = None
    ) -> Moments:
        """The moments of any estimator that sees `size` independent trajectories at once.

        Raises BadInput as `batch_moments` does. Claims PG.6, AD.6.
        """
        batches, every = list(_batches(self, size)), self.trajectories()
        kind = object if self.exact else np.float64
        rows = np.array([np.ravel(estimator(tuple(every[k] for k in batch))) for _, batch in batches], dtype=kind)
        chances = np.array([chance for chance, _ in batches], dtype=kind)
        mean = chances @ rows
        apart = rows - mean
        return Moments(mean, self.gradient if target is None else target, (chances[:, np.newaxis] * apart).T @ apart)

    @property
    def _drawing(self) -> Any:
        return self.policy if self.behaviour is None else self.behaviour


def _unrewarded(row: Iterable[Transition]) -> tuple[Transition, ...]:
    """The transitions of a state and an action without their rewards."""
    return merged((probability, following, Fraction(0), ended) for probability, following, _, ended in row)


# --- tokens ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenWorld:
    """A token MDP with a policy, and perhaps another one that draws the responses; in floats, γ = 1.

    The open prefixes are the states, numbered level by level as the tree has them; their number is that of what comes behind
    a response that is over. The reward of a step is 0 but for the last, which has the score.

    Arguments:
        tree: all prefixes.
        policy: the GPT whose weights θ are; or log π, one tensor [prefixes, vocabulary] a level, and then θ are the logits
            of a softmax table.
        behaviour: log π_old in the same form, by which the responses are drawn; None for π itself.
        diagonal: the variance of each weight alone, where the covariance would be too large.
    """

    tree: exact.Tree
    policy: GPT | exact.Levels
    behaviour: exact.Levels | None = None
    diagonal: bool = False

    @cached_property
    def logp(self) -> exact.Levels:
        """log π, one tensor [prefixes, vocabulary] a level."""
        if not isinstance(self.policy, GPT):
            return self.policy
        with torch.no_grad():
            return exact.tree_logp(self.policy, self.tree)

    @property
    def table(self) -> Array:
        return table_of(tuple(level.exp() for level in self.logp))

    @property
    def drawing_table(self) -> Array:
        return table_of(tuple(level.exp() for level in self._drawing))

    @cached_property
    def values(self) -> exact.Values:
        """V, Q, A and J of π, level by level."""
        return exact.evaluate(self.tree, self.logp, self.logp, 0.0)

    @property
    def critic(self) -> Array:
        return table_of(self.values.v)

    @property
    def advantages(self) -> Array:
        return table_of(self.values.advantages)

    @cached_property
    def gradient(self) -> Array:
        return self._derivative(lambda logp: exact.evaluate(self.tree, logp, logp, 0.0).objective)

    def kl_gradient(self, reference: exact.Levels) -> Array:
        """∇D(π‖π_ref) [n] of whole responses; `reference` is log π_ref, level by level."""
        return self._derivative(lambda logp: exact.kl(self.tree, logp, reference))

    def trajectories(self) -> tuple[Trajectory, ...]:
        """All responses, in the order of the tree, under the policy that draws."""
        return tuple(self._by_response.values())

    def moments(self, weights: Weights, target: Array | None = None) -> Moments:
        """The moments of Σ_t ψ_t ∇log π(a_t∣s_t); the target is ∇J where none is given."""

        def rows(batch: Responses) -> Tensor:
            return self._rows(batch, weights)

        found = exact.estimator_moments(self.tree, self._drawing, rows, self.diagonal)
        return Moments(found.mean.numpy(), self.gradient if target is None else target, found.covariance.numpy())

    def step_scores(self) -> list[Array]:
        """∇log π(a_t∣s_t) of each step of each response, [steps, n]."""
        every, responses = self.trajectories(), exact.all_responses(self.tree)

        def of_time(t: int) -> Tensor:
            return self._rows(responses, lambda one: [float(k == t) for k in range(len(one.actions))])

        rows = torch.stack([of_time(t) for t in range(responses.tokens.shape[1])], 1).numpy()  # [responses, time, n]
        return [row[: len(one.actions)] for row, one in zip(rows, every, strict=True)]

    def batch_moments(self, weights: BatchWeights, size: int, target: Array | None = None) -> Moments:
        """The moments of (1/N) Σ_i Σ_t ψ_{i,t} ∇log π(a_{i,t}∣s_{i,t}) over all batches of N = `size` responses."""
        return _batch_moments(self, weights, size, target, self.diagonal)

    @property
    def _drawing(self) -> exact.Levels:
        return self.logp if self.behaviour is None else self.behaviour

    @cached_property
    def _by_response(self) -> dict[tuple[Any, Any], Trajectory]:
        number = {
            prefix: place
            for place, prefix in enumerate(prefix for level in self.tree.levels for prefix in level.prefixes)
        }
        chances = exact.response_logp(self.tree, self._drawing).detach().double().exp().tolist()

        def trajectory(prompt: tuple[int, ...], tokens: tuple[int, ...], chance: float) -> Trajectory:
            states = (*(number[prompt, tokens[:t]] for t in range(len(tokens))), len(number))
            rewards = (*(0.0,) * (len(tokens) - 1), float(self.tree.mdp.reward(prompt, tokens)))
            return Trajectory(chance, states, tokens, rewards, True)

        pairs = zip(self.tree.responses, chances, strict=True)
        return {(prompt, tokens): trajectory(prompt, tokens, chance) for (prompt, tokens), chance in pairs}

    def _rows(self, batch: Responses, weights: Weights) -> Tensor:
        """The estimate of each response, [responses, n]."""
        lengths = batch.mask.sum(-1).tolist()
        found = [
            self._by_response[tuple(prompt), tuple(tokens[:length])]
            for prompt, tokens, length in zip(batch.prompts.tolist(), batch.tokens.tolist(), lengths, strict=True)
        ]
        if not isinstance(self.policy, GPT):
            estimate = score_estimate(weights, self.table)
            return torch.tensor(np.array([np.ravel(estimate(one)) for one in found]))
        factors = torch.zeros(batch.tokens.shape, dtype=torch.float64)
        for place, one in enumerate(found):
            factors[place, : len(one.actions)] = torch.tensor(list(weights(one)), dtype=torch.float64)
        return weighted_scores(self.policy, batch, factors)

    def _derivative(self, objective: Callable[[exact.Levels], Tensor]) -> Array:
        """∇ of a function of log π in the parameters [n]."""
        if isinstance(self.policy, GPT):
            value = objective(exact.tree_logp(self.policy, self.tree))
            parameters: list[Tensor] = list(self.policy.parameters())
        else:
            parameters = [level.detach().clone().requires_grad_() for level in self.logp]
            value = objective(tuple(level.log_softmax(-1) for level in parameters))
        found = torch.autograd.grad(value, parameters, materialize_grads=True)
        return torch.cat([part.flatten() for part in found]).double().numpy()


def table_of(levels: exact.Levels) -> Array:
    """What stands on the levels of a tree as one table with a row for each prefix."""
    return torch.cat(tuple(levels)).detach().double().numpy()
