"""The oracle of a tabular MDP: every number of a policy, exactly, and the best policy.

One routine serves exact rationals and floats: an array holds Fractions (dtype object) where `exact`, else float64. With
    R(s,a) = E[r ∣ s, a]        K(s'∣s,a) = γ P(s', and the episode goes on ∣ s, a)        c = β log(π/π_ref), or 0
the numbers of a policy π over `horizon` steps are
    Q_t = R + K V_{t+1}         V_t = Σ_a π_t (Q_t − c_t),  V_horizon = 0        A_t = Q_t − c_t − V_t
    d_0 = ρ                     d_{t+1} = d_t Σ_a π_t K
and those of a stationary policy that goes on until the episode terminates are the fixed point V = V_t = V_{t+1} and the
sum d = Σ_t d_t, each one linear system. β = 0 gives the plain ones.

Shapes: S states, A actions, T = horizon. A policy is [S, A], or [T, S, A] where it depends on the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from toy_envs.errors import BadInput
from toy_envs.tabular_mdp import TabularMDP, check_exact, check_horizon

Array = NDArray[Any]
"""Fractions where exact, float64 where not."""

LIMIT = 1_000_000  # trajectories; half a minute or so
ROUNDING = 1e-9  # how far from 1 the floats of a law may sum
SETTLED = 1e-14  # what no longer counts as a gain in floats, relative to the values


@dataclass(frozen=True)
class Evaluation:
    """The numbers of a policy; where a horizon was given, those that depend on the time have it as their first axis.

    `v` is V [S], `q` is Q [S, A], `advantages` is A [S, A]; `occupancy` [S] is d(s) = Σ_t γ^t P(s_t = s, not ended
    before), with a horizon γ^t P(s_t = s, …) of each t; `objective` is J. `gradient` has the shape of the policy that
    was given: ∂J/∂φ(s,a) = d(s) π(a∣s) A(s,a), φ being the logits of a softmax table.
    """

    v: Array
    q: Array
    advantages: Array
    occupancy: Array
    objective: Any
    gradient: Array

    def derivative(self, tangent: Any) -> Any:
        """dJ along a change of the policy itself: Σ_{t,s} d_t(s) Σ_a tangent(a∣s) Q_t(s,a).

        `tangent` has the shape of a policy and the sum 0 in each state, else π would not stay a law: BadInput. (So A
        may stand in the place of Q.) No logits are needed, so π may be 0 somewhere.
        """
        change = np.asarray(tangent)
        wanted = self.advantages.shape
        if change.shape not in (wanted, wanted[-2:]):
            raise BadInput(f"tangent has the shape {change.shape}; expected that of the policy, {wanted}")
        if np.any(np.abs(change.sum(-1)) > (0 if change.dtype == object else ROUNDING)):
            raise BadInput(f"tangent has the sums {change.sum(-1).tolist()}; expected 0 in each state")
        return _weighted(self.occupancy[..., np.newaxis] * change, self.advantages).sum()


def evaluate(
    mdp: TabularMDP,
    policy: Any,
    horizon: int | None = None,
    *,
    exact: bool = True,
    reference: Any = None,
    beta: float | Fraction = 0,
) -> Evaluation:
    """V, Q, A, d, J and ∇J of a policy.

    Arguments:
        policy: π(a∣s) [S, A], or [T, S, A] with a horizon; ints and Fractions where exact.
        horizon: the number of steps T after which everything stops, or None for as long as the episode goes on.
        exact: whether in rationals or in float64.
        reference, beta: π_ref [S, A] and β, for the objective J(π) = E[Σ_t γ^t (r_t − β log(π/π_ref))]; in floats only.

    Raises BadInput where an argument is not as said here; where γ = 1, there is no horizon and an episode need not
    terminate, for then V need not be finite; and where β > 0 and π_ref is 0 somewhere. Where π is 0 and β > 0 the
    advantage is infinite, as the derivative of J is along a tangent that makes such an action possible.

    Claims AD.10, AD.13, PG.8, OP.11. Source: A; B V. Sutton and Barto (2018), equations 3.14, 9.3 and 13.5, whose μ is
    our d up to its sum.
    """
    given = _as_policy(mdp, policy, horizon, exact)
    costs = _costs(given, reference, beta, exact)
    rewards, kernel, initial = _tables(mdp, exact)
    if horizon is None:
        _check_end(mdp, given)
        moves = _moves(given, kernel)
        system = np.eye(len(moves), dtype=int) - moves
        v = _solve(system, _weighted(given, rewards - costs).sum(-1))
        q = rewards + kernel @ v
        occupancy = _solve(system.T, initial)
        objective = initial @ v
    else:
        laws = np.broadcast_to(given, (horizon, *rewards.shape))
        steps = np.broadcast_to(costs, laws.shape)
        v, q = _backward(rewards, kernel, laws, steps)
        occupancy = _forward(kernel, laws, initial)
        objective = initial @ v[0]
    advantages = q - costs - v[..., np.newaxis]
    gradient = occupancy[..., np.newaxis] * _weighted(given, advantages)
    over_time = gradient.ndim > given.ndim  # a stationary policy, which all times share
    return Evaluation(v, q, advantages, occupancy, objective, gradient.sum(0) if over_time else gradient)


def state_distribution(mdp: TabularMDP, policy: Any, horizon: int, *, exact: bool = True) -> Array:
    """P(s_t = s, and the episode has not ended before) for t = 0 … horizon − 1, [T, S]; not discounted."""
    return evaluate(replace(mdp, discount=Fraction(1)), policy, horizon, exact=exact).occupancy


def optimal_policy(mdp: TabularMDP, horizon: int | None = None, *, exact: bool = True) -> Array:
    """A deterministic policy of largest V in every state, [S, A], or [T, S, A] with a horizon; by policy iteration.

    π ← argmax_a Q^π(s,a), beginning with the uniform one, an action kept until another is better, until V rises no more.
    In rationals the last one solves Bellman's equation V* = max_a Q* without rounding; V* and J(π*) are those of
    `evaluate`.

    Raises BadInput where γ = 1, there is no horizon, and one of the policies on the way need not terminate.

    Source: Sutton and Barto (2018), section 4.3.
    """
    table = len(mdp.states), len(mdp.actions)
    if horizon is not None:
        check_horizon(horizon)
    policy = _uniform(table if horizon is None else (horizon, *table), exact)
    found = evaluate(mdp, policy, horizon, exact=exact)
    while True:
        gains = found.q.max(-1) - found.v > (0 if exact else SETTLED * (1 + np.abs(found.v)))
        kept = (policy == 1).any(-1) & ~gains  # the uniform policy is replaced everywhere
        policy = _indicator(np.where(kept, policy.argmax(-1), found.q.argmax(-1)), table[-1], exact)
        before, found = found, evaluate(mdp, policy, horizon, exact=exact)
        # The sum over the states must rise: in floats two equally good policies might else follow each other for ever.
        if found.v.sum() <= before.v.sum():
            return policy


def regularised_optimum(
    mdp: TabularMDP, reference: Any, beta: float | Fraction, horizon: int | None = None
) -> tuple[Array, Evaluation]:
    """The policy of largest E[Σ_t γ^t (r_t − β log(π/π_ref))], and its numbers, in floats; by soft policy iteration.

    π ← π_ref exp(Q^π/β) / Σ_a π_ref exp(Q^π/β), beginning with π_ref. In a bandit the first one is π*: Q is r. With a
    horizon it is done after as many rounds as there are steps, and else when V rises no more.

    Raises BadInput unless β > 0 and π_ref is positive, and as `evaluate`. Claims OP.5, OP.8, OP.14. Source: A.
    """
    if not beta > 0:
        raise BadInput(f"beta is {beta}; expected a positive number")
    law = _as_policy(mdp, reference, None, False)
    found = evaluate(mdp, law, horizon, exact=False, reference=law, beta=beta)
    log_ref = np.log(law)
    while True:
        logits = log_ref + found.q / float(beta)
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        policy = weights / weights.sum(-1, keepdims=True)
        before, found = found, evaluate(mdp, policy, horizon, exact=False, reference=law, beta=beta)
        if found.v.sum() - before.v.sum() <= SETTLED * (1 + np.abs(found.v).sum()):
            return policy, found


# --- every trajectory, and any estimator ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Trajectory:
    """One of the things that can happen: s_0, a_0, r_0, s_1, …, and its probability.

    `states` has one entry more than `actions` and `rewards`: the last is the state after the last action. `terminated`
    is False where the horizon cut it off; whether that is the end of the MDP or a truncation, the estimator decides.
    """

    probability: Any
    states: tuple[int, ...]
    actions: tuple[int, ...]
    rewards: tuple[Any, ...]
    terminated: bool


def trajectories(mdp: TabularMDP, policy: Any, horizon: int, *, exact: bool = True) -> Iterator[Trajectory]:
    """All trajectories of positive probability of at most `horizon` steps; their probabilities have the sum 1.

    p(τ) = ρ(s_0) Π_t π(a_t∣s_t) P(s_{t+1}, r_t ∣ s_t, a_t), every action with its factor (TR.1).

    Raises BadInput where an argument is not as `evaluate` wants it, or the trajectories are more than LIMIT.
    """
    laws = np.broadcast_to(_as_policy(mdp, policy, horizon, exact), (horizon, len(mdp.states), len(mdp.actions)))
    count = _number_of_trajectories(mdp, laws)
    if count > LIMIT:
        raise BadInput(f"horizon is {horizon}, which makes {count} trajectories; expected at most {LIMIT} of them")
    number = Fraction if exact else float

    def continued(start: Trajectory) -> Iterator[Trajectory]:
        time, state = len(start.actions), start.states[-1]
        if start.terminated or time == horizon:
            yield start
            return
        for action, chance in enumerate(laws[time, state]):
            if not chance:
                continue
            for probability, following, reward, terminated in mdp.transitions[state][action]:
                yield from continued(
                    Trajectory(
                        start.probability * chance * number(probability),
                        (*start.states, following),
                        (*start.actions, action),
                        (*start.rewards, number(reward)),
                        terminated,
                    )
                )

    for state, probability in enumerate(mdp.initial):
        if probability:
            yield from continued(Trajectory(number(probability), (state,), (), (), False))


def scores(trajectory: Trajectory, policy: Any) -> Array:
    """∂ log π(a_t∣s_t)/∂φ for each step of a trajectory, [steps, *shape of the policy], φ the logits of a softmax table.

    Its entries in the row of s_t are [a = a_t] − π(a∣s_t), the others 0; with them an estimator needs no dynamics.
    """
    laws = np.asarray(policy)
    found = np.zeros((len(trajectory.actions), *laws.shape), dtype=laws.dtype)
    for time, (state, action) in enumerate(zip(trajectory.states[:-1], trajectory.actions, strict=True)):
        row = (time, state) if laws.ndim == 2 else (time, time, state)
        found[row] = -laws[row[1:]]
        found[(*row, action)] += 1
    return found


def mean_and_covariance(
    estimator: Callable[[Trajectory], Any], mdp: TabularMDP, policy: Any, horizon: int, *, exact: bool = True
) -> tuple[Array, Array]:
    """E[ĝ] [n] and Cov[ĝ] [n, n] of any estimator ĝ(τ), over all trajectories of the policy.

    Cov[ĝ] = Σ_τ p(τ) (ĝ(τ) − E[ĝ])(ĝ(τ) − E[ĝ])ᵀ; the trace is the usual variance.

    Arguments:
        estimator: a trajectory ↦ its estimate, an array, flattened here to n numbers.

    Raises BadInput as `trajectories`. Claims PG.4, PG.5, AD.3 to AD.8. Source: B IV.
    """
    every = list(trajectories(mdp, policy, horizon, exact=exact))
    kind = object if exact else np.float64
    estimates = np.array([np.ravel(estimator(trajectory)) for trajectory in every], dtype=kind)  # [trajectories, n]
    probabilities = np.array([trajectory.probability for trajectory in every], dtype=kind)
    if exact:
        for entry in estimates.flat:
            check_exact("estimator: one of its numbers", entry)
    mean = probabilities @ estimates
    apart = estimates - mean
    return mean, _product((probabilities[:, np.newaxis] * apart).T, apart)


def _number_of_trajectories(mdp: TabularMDP, laws: Array) -> int:
    """How many there are, counted backwards without making them: those that go on from each state."""
    ways = [1] * len(mdp.states)
    for law in laws[::-1]:
        ways = [
            sum(
                1 if terminated else ways[following]
                for action, row in enumerate(rows)
                if law[state, action]
                for _, following, _, terminated in row
            )
            for state, rows in enumerate(mdp.transitions)
        ]
    return sum(number for number, probability in zip(ways, mdp.initial, strict=True) if probability)


# --- what the routine is made of ------------------------------------------------------------------------------------


def _tables(mdp: TabularMDP, exact: bool) -> tuple[Array, Array, Array]:
    """R [S, A], K [S, A, S] and ρ [S]."""
    states, actions = len(mdp.states), len(mdp.actions)
    rewards = _filled((states, actions), Fraction(0))
    kernel = _filled((states, actions, states), Fraction(0))
    for state, rows in enumerate(mdp.transitions):
        for action, row in enumerate(rows):
            for probability, following, reward, terminated in row:
                rewards[state, action] += probability * reward
                if not terminated:
                    kernel[state, action, following] += mdp.discount * probability
    initial = np.array([Fraction(probability) for probability in mdp.initial], dtype=object)
    kind = object if exact else np.float64
    return rewards.astype(kind), kernel.astype(kind), initial.astype(kind)


def _weighted(weights: Array, numbers: Array) -> Array:
    """weights · numbers, where a weight of zero makes an infinite number nothing: 0 log 0 = 0."""
    return weights * np.where(weights == 0, 0, numbers)


def _moves(policy: Array, kernel: Array) -> Array:
    """Σ_a π(a∣s) K(s'∣s,a), [S, S]."""
    return (policy[:, :, np.newaxis] * kernel).sum(1)


def _backward(rewards: Array, kernel: Array, laws: Array, costs: Array) -> tuple[Array, Array]:
    """V_t [T, S] and Q_t [T, S, A], from the last step to the first."""
    following = np.zeros_like(rewards[:, 0])
    v, q = [], []
    for law, cost in zip(laws[::-1], costs[::-1], strict=True):
        q.append(rewards + kernel @ following)
        following = _weighted(law, q[-1] - cost).sum(-1)
        v.append(following)
    return np.array(v[::-1]), np.array(q[::-1])


def _forward(kernel: Array, laws: Array, initial: Array) -> Array:
    """d_t [T, S]: γ^t P(s_t = s, and the episode goes on)."""
    found = [initial]
    for law in laws[:-1]:
        found.append(found[-1] @ _moves(law, kernel))
    return np.array(found)


def _solve(system: Array, right: Array) -> Array:
    """x of system · x = right; in rationals by elimination without rounding."""
    if system.dtype != object:
        return np.linalg.solve(system, right)
    return _array(_matrix(system).solve(_matrix(right[:, np.newaxis])))[:, 0]


def _product(left: Array, right: Array) -> Array:
    """left · right of matrices; a hundred times faster in flint than by numpy on Fractions."""
    return _array(_matrix(left) * _matrix(right)) if left.dtype == object else left @ right


def _matrix(array: Array) -> flint.fmpq_mat:
    rows, columns = array.shape
    return flint.fmpq_mat(rows, columns, [flint.fmpq(entry.numerator, entry.denominator) for entry in array.flat])


def _array(matrix: flint.fmpq_mat) -> Array:
    entries = [Fraction(int(entry.p), int(entry.q)) for entry in matrix.entries()]
    return np.array(entries, dtype=object).reshape(matrix.nrows(), matrix.ncols())


def _filled(shape: tuple[int, ...], number: Any) -> Array:
    return np.full(shape, number, dtype=object)


def _uniform(shape: tuple[int, ...], exact: bool) -> Array:
    return _filled(shape, Fraction(1, shape[-1])) if exact else np.full(shape, 1 / shape[-1])


def _indicator(actions: NDArray[np.int64], count: int, exact: bool) -> Array:
    """[a = actions] in a new last axis."""
    found = actions[..., np.newaxis] == np.arange(count)
    return found.astype(int).astype(object) * Fraction(1) if exact else found.astype(np.float64)


def _costs(policy: Array, reference: Any, beta: float | Fraction, exact: bool) -> Array:
    """β log(π/π_ref), in the shape of the policy, −∞ where π is 0; zeros where β is 0."""
    if beta == 0:
        return np.zeros_like(policy)
    if exact:
        raise BadInput(f"exact is True with beta {beta}; expected exact=False, for a logarithm is no rational")
    if not beta > 0:
        raise BadInput(f"beta is {beta}; expected 0 or a positive number")
    laws = np.asarray(reference, dtype=np.float64)
    if laws.shape != policy.shape[-2:]:
        raise BadInput(f"reference has the shape {laws.shape}; expected {policy.shape[-2:]}")
    if not np.all(laws > 0):
        raise BadInput("reference is not positive everywhere; expected that where beta is not 0")
    with np.errstate(divide="ignore"):
        return np.asarray(float(beta) * (np.log(policy) - np.log(laws)))


def _as_policy(mdp: TabularMDP, policy: Any, horizon: int | None, exact: bool) -> Array:
    """A policy as an array [S, A] or [T, S, A] of Fractions or floats."""
    if horizon is not None:
        check_horizon(horizon)
    laws = np.array(policy, dtype=object)  # so that one of unequal rows has a shape as well
    table = len(mdp.states), len(mdp.actions)
    wanted = [table] if horizon is None else [table, (horizon, *table)]
    if laws.shape not in wanted:
        raise BadInput(f"policy has the shape {laws.shape}; expected {' or '.join(map(str, wanted))}")
    if exact:
        for place, probability in np.ndenumerate(laws):
            check_exact(f"policy{_brackets(place)}", probability)
    laws = laws * Fraction(1) if exact else laws.astype(np.float64)
    for place, probability in np.ndenumerate(laws):
        if not probability >= 0:  # so that a NaN is refused as well
            raise BadInput(f"policy{_brackets(place)} is {probability}; expected a probability, 0 or more")
    for place, total in np.ndenumerate(laws.sum(-1)):
        if abs(total - 1) > (0 if exact else ROUNDING):
            raise BadInput(f"policy{_brackets(place)} has the sum {total}; expected 1")
    return laws


def _brackets(place: Sequence[int]) -> str:
    return "".join(f"[{index}]" for index in place)


def _check_end(mdp: TabularMDP, policy: Array) -> None:
    """With γ = 1 refuses a policy under which an episode that begins somewhere may go on for ever.

    In a finite MDP an episode ends with probability one exactly if from every state an end can be reached.
    """
    if mdp.discount < 1:
        return
    ends: set[int] = set()
    while True:
        more = {
            state
            for state, rows in enumerate(mdp.transitions)
            for action, row in enumerate(rows)
            if policy[state, action] > 0 and any(terminated or following in ends for _, following, _, terminated in row)
        }
        if more == ends:
            break
        ends = more
    if len(ends) < len(mdp.states):
        state = next(state for state in range(len(mdp.states)) if state not in ends)
        raise BadInput(
            f"policy never terminates from state {state} ({mdp.states[state]}), and discount is 1; "
            "expected a policy that terminates with probability one, a discount below 1 or a horizon"
        )
