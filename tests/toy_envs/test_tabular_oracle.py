"""The oracle against closed forms, against a second route to each number, and against itself in the other numbers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from tabular_worlds import (
    HALF,
    arms,
    coins,
    for_ever,
    law_at,
    moved,
    random_mdp,
    random_policies,
    random_policy,
    tangent,
)

from toy_envs import BANDIT, CHAIN, CORRIDOR, GRID, BadInput, TabularMDP, with_time
from toy_envs.tabular_mdp import Policy, ended
from toy_envs.tabular_oracle import (
    Evaluation,
    evaluate,
    optimal_policy,
    regularised_optimum,
    state_distribution,
    trajectories,
)

GAMMA = Fraction(4, 5)
DISCOUNTED = [random_mdp(seed, GAMMA, ends=bool(seed % 2)) for seed in range(4)]
ENDING = [random_mdp(seed, Fraction(1)) for seed in range(4, 6)]
SMALL = [*DISCOUNTED, *ENDING]
WORLDS = [*SMALL, CHAIN, GRID, BANDIT]
by_name = pytest.mark.parametrize("mdp", WORLDS, ids=lambda mdp: mdp.name)
small = pytest.mark.parametrize("mdp", SMALL, ids=lambda mdp: mdp.name)


def uniform(mdp: TabularMDP) -> Policy:
    return ((Fraction(1, len(mdp.actions)),) * len(mdp.actions),) * len(mdp.states)


def always(action: int, mdp: TabularMDP) -> Policy:
    return (law_at(action, len(mdp.actions)),) * len(mdp.states)


def fields(found: Evaluation) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Evaluation.__dataclass_fields__}


# --- closed forms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [Fraction(0), HALF, Fraction(9, 10), Fraction(99, 100)], ids=str)
def test_a_constant_reward_for_ever(gamma: Fraction) -> None:
    found = evaluate(for_ever(gamma), [[1]])
    value = 1 / (1 - gamma)
    assert (found.objective, found.v[0], found.q[0, 0], found.occupancy[0]) == (value,) * 4
    assert found.advantages[0, 0] == found.gradient[0, 0] == 0


def test_a_truncation_taken_for_an_end_gives_a_wrong_value() -> None:
    """AD.20: reward 1 for ever, cut after one step. To bootstrap 0 instead of V is wrong by −γ/(1 − γ)."""
    for gamma in (HALF, Fraction(9, 10)):
        true, cut = evaluate(for_ever(gamma), [[1]]).v[0], evaluate(for_ever(gamma), [[1]], 1).v[0, 0]
        assert cut - true == -gamma / (1 - gamma)
        assert cut + gamma * true == true  # what a truncation should do
        for horizon in (2, 7):
            assert evaluate(for_ever(gamma), [[1]], horizon).objective == (1 - gamma**horizon) / (1 - gamma)


def test_the_short_corridor_for_every_p() -> None:
    """J(p) = −2(2 − p)/(p(1 − p)), and its derivative 2(p² − 4p + 2)/(p(1 − p))² in the one number that is chosen.

    Sutton and Barto (2018), example 13.1. Two rational functions of these degrees that agree at twenty places are one.
    """
    for p in (Fraction(k, 21) for k in range(1, 21)):
        found = evaluate(CORRIDOR, [[1 - p, p]] * 4)
        assert found.objective == -2 * (2 - p) / (p * (1 - p))
        # A larger p is worse beyond 2 − √2, and better before it.
        assert found.derivative([[-1, 1]] * 4) == 2 * (p * p - 4 * p + 2) / (p * (1 - p)) ** 2


def test_the_optimum_of_the_short_corridor() -> None:
    p = 2 - sqrt(2)
    found = evaluate(CORRIDOR, [[1 - p, p]] * 4, exact=False)
    assert found.objective == pytest.approx(-(6 + 4 * sqrt(2)), rel=1e-14)
    assert found.objective == pytest.approx(-11.66, abs=0.005)  # as printed in the book
    assert found.derivative([[-1, 1]] * 4) == pytest.approx(0, abs=1e-12)
    below, above = Fraction(29, 50), Fraction(59, 100)  # 2 − √2 = 0.5857…
    slopes = [evaluate(CORRIDOR, [[1 - p, p]] * 4).derivative([[-1, 1]] * 4) for p in (below, above)]
    assert slopes[0] > 0 > slopes[1]
    # The book's ε-greedy choices, ε = 0.1: about −44 and −82.
    assert [float(evaluate(CORRIDOR, [[1 - p, p]] * 4, exact=False).objective) for p in (0.05, 0.95)] == pytest.approx(
        [-82.105263, -44.210526]
    )
    # A policy that sees the state needs three steps.
    assert evaluate(CORRIDOR, optimal_policy(CORRIDOR)).objective == -3


def test_the_grid_of_russell_and_norvig() -> None:
    """The utilities and the policy printed in their figures 17.2 and 17.3, for γ = 1."""
    grid = replace(GRID, discount=Fraction(1))
    policy = optimal_policy(grid)
    printed = [0.812, 0.868, 0.918, 0, 0.762, 0.660, 0, 0.705, 0.655, 0.611, 0.388]
    assert [round(float(value), 3) for value in evaluate(grid, policy).v] == printed
    names = [grid.actions[action] for action in policy.argmax(-1)]
    assert names[:3] + names[4:6] + names[7:] == ["right"] * 3 + ["up"] * 3 + ["left"] * 3


def test_the_chain_earns_what_strens_says() -> None:
    """3677 in a thousand steps by going forward always: (4/5)⁴ is how often one is at the far end, after four steps."""
    forward = always(0, CHAIN)
    assert (optimal_policy(CHAIN) == np.array(forward)).all()
    at_the_end = state_distribution(CHAIN, forward, 7)[:, 4]
    assert at_the_end.tolist() == [0, 0, 0, 0] + [Fraction(4, 5) ** 4] * 3
    a_step = Fraction(4, 5) ** 5 * 10 + Fraction(1, 5) * 2
    assert a_step == Fraction("3.6768")
    nearly = replace(CHAIN, discount=1 - Fraction(1, 10**6))
    assert evaluate(nearly, forward).objective / 10**6 == pytest.approx(float(a_step), rel=1e-5)


def test_a_bandit_by_hand() -> None:
    mdp, policy = arms(3, 1, 2), [[HALF, Fraction(1, 3), Fraction(1, 6)]]
    found = evaluate(mdp, policy)
    assert found.objective == Fraction(13, 6)
    assert found.advantages.tolist() == [[Fraction(5, 6), Fraction(-7, 6), Fraction(-1, 6)]]
    assert found.gradient.tolist() == [[Fraction(5, 12), Fraction(-7, 18), Fraction(-1, 36)]]
    assert found.derivative([[1, 0, -1]]) == 1
    assert evaluate(BANDIT, BANDIT.reference).occupancy.tolist() == list(BANDIT.initial)


# --- a second route to each number ----------------------------------------------------------------------------------


@by_name
def test_bellmans_equations(mdp: TabularMDP) -> None:
    """AD.10, from the table one transition at a time."""
    policy = random_policy(2, mdp)
    found = evaluate(mdp, policy)
    for state, rows in enumerate(mdp.transitions):
        for action, row in enumerate(rows):
            q = sum(p * (r + mdp.discount * (0 if end else found.v[after])) for p, after, r, end in row)
            assert found.q[state, action] == q
            assert found.advantages[state, action] == q - found.v[state]
        assert found.v[state] == sum(p * q for p, q in zip(policy[state], found.q[state], strict=True))
    assert found.objective == sum(p * v for p, v in zip(mdp.initial, found.v, strict=True))


@by_name
def test_the_linear_solve_is_the_limit_of_the_power_series(mdp: TabularMDP) -> None:
    """J − J_T = γ^T Σ_s P(s_T = s, not ended) V(s): equal, not nearly, for every T; and that rest goes to zero."""
    policy, found = random_policy(5, mdp), evaluate(mdp, random_policy(5, mdp))
    for steps in (1, 2, 5):
        first = evaluate(mdp, policy, steps)
        where = state_distribution(mdp, policy, steps + 1)[steps]
        assert found.objective - first.objective == mdp.discount**steps * (where @ found.v)
    long = evaluate(mdp, policy, 3000, exact=False)
    assert long.objective == pytest.approx(float(found.objective), rel=1e-10)
    assert long.occupancy.sum(0) == pytest.approx(found.occupancy.astype(float), rel=1e-10)
    assert long.gradient == pytest.approx(found.gradient.astype(float), rel=1e-8, abs=1e-10)


@by_name
def test_the_objective_is_the_occupancy_times_the_reward(mdp: TabularMDP) -> None:
    """J = Σ_s d(s) Σ_a π(a∣s) r(s,a), and d flows: d(s') = ρ(s') + γ Σ d(s) π(a∣s) P(s'∣s,a)."""
    policy = random_policy(3, mdp)
    found = evaluate(mdp, policy)
    objective, flow = Fraction(0), [Fraction(p) for p in mdp.initial]
    for state, action in product(range(len(mdp.states)), range(len(mdp.actions))):
        for p, after, reward, end in mdp.transitions[state][action]:
            weight = found.occupancy[state] * policy[state][action] * p
            objective += weight * reward
            flow[after] += 0 if end else mdp.discount * weight
    assert found.objective == objective
    assert found.occupancy.tolist() == flow


@pytest.mark.parametrize("horizon", [1, 4])
@by_name
def test_rationals_and_floats_agree(mdp: TabularMDP, horizon: int) -> None:
    for steps, policy in ((None, random_policy(1, mdp)), (horizon, random_policies(1, mdp, horizon))):
        exact, floats = fields(evaluate(mdp, policy, steps)), fields(evaluate(mdp, policy, steps, exact=False))
        for name, value in exact.items():
            assert np.shape(value) == np.shape(floats[name])
            assert all(isinstance(entry, Fraction) for entry in np.ravel(value)), name
            assert np.asarray(floats[name]).dtype == np.float64
            scale = max(1.0, float(np.max(np.abs(value))))
            assert np.max(np.abs(np.asarray(value, dtype=float) - floats[name])) < 1e-12 * scale, name


@small
def test_everything_over_a_horizon_is_counted_off_the_trajectories(mdp: TabularMDP) -> None:
    """J, V, Q, A and d as means over all trajectories, with a policy that depends on the time."""
    horizon, gamma = 3, mdp.discount
    policy = random_policies(4, mdp, horizon)
    found = evaluate(mdp, policy, horizon)
    every = list(trajectories(mdp, policy, horizon))
    reached: dict[tuple[int, ...], Fraction] = {}
    earned: dict[tuple[int, ...], Fraction] = {}
    for trajectory in every:
        for time, (state, action) in enumerate(zip(trajectory.states[:-1], trajectory.actions, strict=True)):
            rest = sum(gamma**k * reward for k, reward in enumerate(trajectory.rewards[time:]))
            for key in ((time, state), (time, state, action)):
                reached[key] = reached.get(key, Fraction(0)) + trajectory.probability
                earned[key] = earned.get(key, Fraction(0)) + trajectory.probability * rest
    assert found.objective == sum(t.probability * sum(gamma**k * r for k, r in enumerate(t.rewards)) for t in every)
    states = [key for key in reached if len(key) == 2]
    assert len(states) >= 3 * horizon
    for time, state in states:
        assert found.occupancy[time, state] == gamma**time * reached[time, state]
        assert found.v[time, state] == earned[time, state] / reached[time, state]
        for action in range(len(mdp.actions)):
            q = earned[time, state, action] / reached[time, state, action]
            assert (found.q[time, state, action], found.advantages[time, state, action]) == (
                q,
                q - found.v[time, state],
            )
    for time, where in enumerate(state_distribution(mdp, policy, horizon)):
        assert (gamma**time * where == found.occupancy[time]).all()


@small
def test_a_horizon_is_the_time_in_the_state(mdp: TabularMDP) -> None:
    """AD.11: what depends on the time is a function of a state that tells the time."""
    horizon, size = 3, len(mdp.states)
    policy = random_policies(6, mdp, horizon)
    found, timed = evaluate(mdp, policy, horizon), with_time(mdp, horizon)
    other = evaluate(timed, [law for laws in (*policy, uniform(mdp)) for law in laws])
    assert found.objective == other.objective
    for name in ("v", "q", "advantages", "occupancy", "gradient"):
        value = getattr(other, name)
        assert (value[: horizon * size].reshape(getattr(found, name).shape) == getattr(found, name)).all(), name
    assert not other.v[horizon * size :].any()


# --- the gradient ---------------------------------------------------------------------------------------------------


def softmax(logits: Any) -> Any:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@pytest.mark.parametrize("timed", [False, True], ids=["stationary", "timed"])
@pytest.mark.parametrize("mdp", [DISCOUNTED[1], ENDING[0], BANDIT], ids=lambda mdp: mdp.name)
def test_the_gradient_is_autograds_through_the_enumerated_objective(mdp: TabularMDP, timed: bool) -> None:
    """Σ_τ p(τ) G(τ), every factor of every trajectory multiplied up by torch, and log-softmax differentiated by it."""
    horizon = 3
    laws = np.array(random_policies(2, mdp, horizon) if timed else random_policy(2, mdp), dtype=float)
    logits = torch.tensor(np.log(laws), requires_grad=True)
    logp = logits.log_softmax(-1)
    objective = torch.zeros((), dtype=torch.float64)
    for trajectory in trajectories(mdp, laws, horizon, exact=False):
        chance = trajectory.probability
        chosen = torch.zeros((), dtype=torch.float64)
        for time, (state, action) in enumerate(zip(trajectory.states[:-1], trajectory.actions, strict=True)):
            chosen = chosen + (logp[time, state, action] if timed else logp[state, action])
        # The dynamics' own factor is what is left of p(τ) without the policy's.
        dynamics = chance / float(chosen.detach().exp())
        value = sum(float(mdp.discount) ** k * reward for k, reward in enumerate(trajectory.rewards))
        objective = objective + dynamics * chosen.exp() * value
    objective.backward()
    found = evaluate(mdp, laws, horizon, exact=False)
    assert found.objective == pytest.approx(objective.item(), rel=1e-12)
    assert logits.grad is not None
    assert found.gradient == pytest.approx(logits.grad.numpy(), rel=1e-10, abs=1e-14)
    assert np.abs(found.gradient).max() > 0.01


@pytest.mark.parametrize("mdp", [CHAIN, GRID, *ENDING], ids=lambda mdp: mdp.name)
def test_the_gradient_for_ever_is_autograds_through_the_linear_solve(mdp: TabularMDP) -> None:
    rewards = torch.zeros(len(mdp.states), len(mdp.actions), dtype=torch.float64)
    kernel = torch.zeros(len(mdp.states), len(mdp.actions), len(mdp.states), dtype=torch.float64)
    for (state, rows), action in product(mdp.P.items(), range(len(mdp.actions))):
        for p, after, reward, end in rows[action]:
            rewards[state, action] += p * reward
            kernel[state, action, after] += 0 if end else float(mdp.discount) * p
    laws = np.array(random_policy(9, mdp), dtype=float)
    logits = torch.tensor(np.log(laws), requires_grad=True)
    policy = logits.softmax(-1)
    system = torch.eye(len(mdp.states), dtype=torch.float64) - torch.einsum("sa,sat->st", policy, kernel)
    v = torch.linalg.solve(system, (policy * rewards).sum(-1))
    (v @ torch.tensor([float(p) for p in mdp.initial], dtype=torch.float64)).backward()
    found = evaluate(mdp, laws, exact=False)
    assert logits.grad is not None
    assert found.v == pytest.approx(v.detach().numpy(), rel=1e-10)
    assert found.gradient == pytest.approx(logits.grad.numpy(), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("horizon", [None, 3])
@small
def test_the_gradient_is_a_central_difference_in_each_logit(mdp: TabularMDP, horizon: int | None) -> None:
    logits = np.log(np.array(random_policy(8, mdp), dtype=float))
    found, step = evaluate(mdp, softmax(logits), horizon, exact=False), 1e-5
    for place in np.ndindex(logits.shape):
        shift = np.zeros_like(logits)
        shift[place] = step
        up, down = (evaluate(mdp, softmax(logits + s), horizon, exact=False).objective for s in (shift, -shift))
        assert found.gradient[place] == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-8)


@small
def test_the_derivative_along_a_tangent_is_an_exact_difference_quotient(mdp: TabularMDP) -> None:
    """Over four steps J(π + h u) is a polynomial of degree 4 in h, of which five points give the slope exactly."""
    policy, direction, h = random_policy(1, mdp), tangent(1, mdp), Fraction(1, 1000)
    up2, up, down, down2 = (evaluate(mdp, moved(policy, direction, k * h), 4).objective for k in (2, 1, -1, -2))
    assert evaluate(mdp, policy, 4).derivative(direction) == (8 * (up - down) - (up2 - down2)) / (12 * h)
    # For ever it is a rational function, and the error of the same formula falls by 2⁴ when h is halved.
    slope = evaluate(mdp, policy).derivative(direction)

    def error(h: Fraction) -> Fraction:
        up2, up, down, down2 = (evaluate(mdp, moved(policy, direction, k * h)).objective for k in (2, 1, -1, -2))
        return (8 * (up - down) - (up2 - down2)) / (12 * h) - slope

    assert float(error(h) / error(h / 2)) == pytest.approx(16, rel=0.01)


@small
def test_the_softmax_gradient_is_the_derivative_along_what_a_logit_moves(mdp: TabularMDP) -> None:
    """∂π(b∣s)/∂φ(s,a) = π(b∣s)([a = b] − π(a∣s)), put into the derivative in π."""
    policy = random_policy(3, mdp)
    for horizon in (None, 3):
        found = evaluate(mdp, policy, horizon)
        for state, action in product(range(len(mdp.states)), range(len(mdp.actions))):
            direction = np.array(policy) * 0
            for other, p in enumerate(policy[state]):
                direction[state, other] = p * ((action == other) - policy[state][action])
            assert found.gradient[state, action] == found.derivative(direction)


def test_a_stationary_policys_gradient_is_the_sum_over_the_times_that_share_it() -> None:
    mdp, horizon = DISCOUNTED[0], 4
    policy = random_policy(0, mdp)
    together, apart = evaluate(mdp, policy, horizon), evaluate(mdp, (policy,) * horizon, horizon)
    assert apart.gradient.shape == (4, 3, 2) and together.gradient.shape == (3, 2)
    assert (together.gradient == apart.gradient.sum(0)).all() and (together.v == apart.v).all()
    direction = tangent(0, mdp)
    assert together.derivative(direction) == apart.derivative((direction,) * horizon)


def test_without_the_weight_of_the_discount_it_is_another_direction() -> None:
    """AD.13 needs γ^t: with P(s_t = s) in place of d the vector is not parallel to ∇J."""
    mdp, policy = DISCOUNTED[1], random_policy(2, DISCOUNTED[1])
    found = evaluate(mdp, policy, 3)
    unweighted = state_distribution(mdp, policy, 3)[..., None] * np.array(policy) * found.advantages
    one, other = found.gradient[:2, 0], unweighted.sum(0)[:2, 0]
    assert one[0] * other[1] != one[1] * other[0]


# --- the best policy ------------------------------------------------------------------------------------------------


@by_name
def test_the_best_policy_solves_bellmans_equation(mdp: TabularMDP) -> None:
    """V* = max_a Q* in every state, without rounding; so no policy is better anywhere."""
    policy = optimal_policy(mdp)
    found = evaluate(mdp, policy)
    assert (found.v == found.q.max(-1)).all()
    assert {entry for entry in policy.flat} == {0, 1} and (policy.sum(-1) == 1).all()
    assert (evaluate(mdp, random_policy(0, mdp)).v <= found.v).all()
    floats = optimal_policy(mdp, exact=False)
    assert evaluate(mdp, floats, exact=False).objective == pytest.approx(float(found.objective), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_equally_good_actions_do_no_harm_in_floats(seed: int) -> None:
    """Each action twice, γ near 1: all that is left to rounding is which of the two is taken."""
    once = random_mdp(seed, Fraction(9999, 10000), states=5, ends=False)
    twice = replace(once, actions=("0", "1", "0 again", "1 again"), transitions=tuple(r * 2 for r in once.transitions))
    best = float(evaluate(once, optimal_policy(once)).objective)
    assert evaluate(twice, optimal_policy(twice, exact=False), exact=False).objective == pytest.approx(best, rel=1e-10)


@small
def test_no_deterministic_policy_is_better(mdp: TabularMDP) -> None:
    best = evaluate(mdp, optimal_policy(mdp)).v
    values = [
        evaluate(mdp, [law_at(action, 2) for action in actions]).v
        for actions in product((0, 1), repeat=len(mdp.states))
    ]
    assert all((v <= best).all() for v in values)
    assert any((v == best).all() for v in values)
    assert any((v != best).any() for v in values)


@small
def test_the_best_policy_over_a_horizon_is_the_one_by_backward_induction(mdp: TabularMDP) -> None:
    horizon = 4
    found = evaluate(mdp, optimal_policy(mdp, horizon), horizon)
    following = [Fraction(0)] * len(mdp.states)
    for time in reversed(range(horizon)):
        following = [
            max(sum(p * (r + mdp.discount * (0 if end else following[s])) for p, s, r, end in row) for row in rows)
            for rows in mdp.transitions
        ]
        assert found.v[time].tolist() == following
    timed = with_time(mdp, horizon)
    assert evaluate(timed, optimal_policy(timed)).objective == found.objective


def test_what_is_best_depends_on_how_much_time_is_left() -> None:
    """In the chain, with five steps left at the place 0, the large reward could be had at most once: turn back."""
    policy = optimal_policy(CHAIN, 10).argmax(-1)
    assert policy[:, 0].tolist() == [0] * 5 + [1] * 5
    assert policy[:, 4].tolist() == [0] * 10
    assert policy[-1].tolist() == [1] * 4 + [0]


# --- with a KL penalty ----------------------------------------------------------------------------------------------


def test_the_regularised_optimum_of_the_bandit_is_the_closed_form() -> None:
    """OP.5, OP.8: π* = π_ref exp(r/β)/z, and J(π*) = β Σ_x P(x) log z(x)."""
    assert BANDIT.reference is not None and BANDIT.beta is not None
    for beta in (BANDIT.beta, 0.02, 5.0):
        policy, found = regularised_optimum(BANDIT, BANDIT.reference, beta)
        optimum = 0.0
        for state, (law, rows) in enumerate(zip(BANDIT.reference, BANDIT.transitions, strict=True)):
            weights = [float(p) * exp(row[0][2] / beta) for p, row in zip(law, rows, strict=True)]
            assert policy[state] == pytest.approx([weight / sum(weights) for weight in weights], rel=1e-12)
            assert found.v[state] == pytest.approx(float(beta) * log(sum(weights)), rel=1e-12)
            optimum += float(BANDIT.initial[state] * beta) * log(sum(weights))
        assert found.objective == pytest.approx(optimum, rel=1e-12)
        assert found.advantages == pytest.approx(np.zeros((3, 4)), abs=1e-12)


def test_regret_is_beta_times_the_divergence_from_the_optimum() -> None:
    """OP.11, in the bandit: J(π*) − J(π) = β E_x D(π‖π*)."""
    best, found = regularised_optimum(BANDIT, BANDIT.reference, 0.25)
    for seed in range(3):
        policy = np.array(random_policy(seed, BANDIT), dtype=float)
        value = evaluate(BANDIT, policy, exact=False, reference=BANDIT.reference, beta=0.25).objective
        apart = np.array(BANDIT.initial, dtype=float) @ (policy * np.log(policy / best)).sum(-1)
        assert found.objective - value == pytest.approx(0.25 * apart, rel=1e-10)


@pytest.mark.parametrize("mdp", [*SMALL, GRID], ids=lambda mdp: mdp.name)
def test_the_regularised_optimum_solves_the_soft_bellman_equation(mdp: TabularMDP) -> None:
    """OP.14: V* = β log Σ_a π_ref exp(Q*/β), π* = π_ref exp((Q* − V*)/β); and the gradient there is zero."""
    beta, reference = 0.3, np.array(random_policy(1, mdp), dtype=float)
    for horizon in (None, 3):
        policy, found = regularised_optimum(mdp, reference, beta, horizon)
        v = beta * np.log((reference * np.exp(found.q / beta)).sum(-1))
        assert found.v == pytest.approx(v, rel=1e-10, abs=1e-12)
        assert policy == pytest.approx(reference * np.exp((found.q - v[..., None]) / beta), rel=1e-8)
        assert found.gradient == pytest.approx(np.zeros_like(found.gradient), abs=1e-8)
        other = evaluate(mdp, random_policy(5, mdp), horizon, exact=False, reference=reference, beta=beta)
        assert (other.v <= found.v + 1e-12).all() and other.objective < found.objective


@pytest.mark.parametrize("horizon", [None, 3])
@pytest.mark.parametrize("mdp", [DISCOUNTED[0], ENDING[0]], ids=lambda mdp: mdp.name)
def test_the_gradient_of_the_penalised_objective_is_a_central_difference(mdp: TabularMDP, horizon: int | None) -> None:
    """PG.8: the penalty depends on θ, and its own derivative has the mean zero."""
    reference, beta, step = random_policy(1, mdp), 0.7, 1e-5
    logits = np.log(np.array(random_policy(8, mdp), dtype=float))

    def numbers(logits: Any) -> Evaluation:
        return evaluate(mdp, softmax(logits), horizon, exact=False, reference=reference, beta=beta)

    for place in np.ndindex(logits.shape):
        shift = np.zeros_like(logits)
        shift[place] = step
        slope = (numbers(logits + shift).objective - numbers(logits - shift).objective) / (2 * step)
        assert numbers(logits).gradient[place] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_an_impossible_action_costs_nothing_and_is_worth_any_price() -> None:
    """0 log 0 = 0, and the slope of −β p log p at p = 0 is infinite."""
    mdp, reference = arms(1, 5), [[HALF, HALF]]
    found = evaluate(mdp, [[1, 0]], exact=False, reference=reference, beta=2.0)
    assert found.objective == pytest.approx(1 - 2 * log(2))
    assert found.advantages.tolist() == [[pytest.approx(0), float("inf")]]
    assert found.gradient.tolist() == [[pytest.approx(0), 0]]
    assert found.derivative([[-1.0, 1.0]]) == float("inf")


def test_a_large_beta_keeps_the_reference_and_a_small_one_takes_the_best() -> None:
    """OP.13, at β = 1000 and 1/1000, in the grid."""
    reference = uniform(GRID)
    assert regularised_optimum(GRID, reference, 1000)[0] == pytest.approx(np.array(reference, dtype=float), abs=1e-3)
    policy, found = regularised_optimum(GRID, reference, 0.001)
    best = evaluate(GRID, optimal_policy(GRID))
    chosen = [state for state in range(11) if best.occupancy[state]]
    assert policy[chosen] == pytest.approx(optimal_policy(GRID, exact=False)[chosen], abs=1e-3)
    assert found.objective == pytest.approx(float(best.objective), abs=0.02)


# --- trajectories ---------------------------------------------------------------------------------------------------


@small
def test_the_probabilities_of_all_trajectories_are_those_of_their_factors_and_sum_to_one(mdp: TabularMDP) -> None:
    """TR.1."""
    policy = random_policies(1, mdp, 3)
    every = list(trajectories(mdp, policy, 3))
    assert sum(trajectory.probability for trajectory in every) == 1
    assert len({(t.states, t.actions, t.rewards, t.terminated) for t in every}) == len(every)
    for t in every:
        factor = mdp.initial[t.states[0]]
        for time, (before, after) in enumerate(pairwise(t.states)):
            end = t.terminated and time == len(t.actions) - 1
            rows = mdp.transitions[before][t.actions[time]]
            factor *= policy[time][before][t.actions[time]]
            factor *= sum(p for p, s, r, over in rows if (s, r, over) == (after, t.rewards[time], end))
        assert t.probability == factor
        assert len(t.actions) == len(t.rewards) == len(t.states) - 1
        assert len(t.actions) == 3 or t.terminated
    floats = list(trajectories(mdp, np.array(policy, dtype=float), 3, exact=False))
    assert [t.probability for t in floats] == pytest.approx([float(t.probability) for t in every])


def test_what_has_no_probability_is_no_trajectory() -> None:
    found = list(trajectories(coins(1, 1), [[1, 0], [HALF, HALF]], 5))
    assert [(t.actions, t.probability, t.terminated) for t in found] == [((0, 0), HALF, True), ((0, 1), HALF, True)]


def test_too_many_trajectories_are_refused_before_they_are_made() -> None:
    with pytest.raises(BadInput) as refused:
        next(trajectories(GRID, uniform(GRID), 30))
    assert str(refused.value).startswith("horizon is 30, which makes ")
    assert str(refused.value).endswith(" trajectories; expected at most 1000000 of them")
    counted = int(str(refused.value).split()[5])
    assert 10**20 < counted < 12**30


def test_the_number_of_trajectories_is_counted_right(monkeypatch: pytest.MonkeyPatch) -> None:
    for mdp, chosen in product((*SMALL, GRID), (uniform, lambda mdp: always(1, mdp))):
        policy = chosen(mdp)
        number = sum(1 for _ in trajectories(mdp, policy, 3))
        monkeypatch.setattr("toy_envs.tabular_oracle.LIMIT", number)
        assert sum(1 for _ in trajectories(mdp, policy, 3)) == number
        monkeypatch.setattr("toy_envs.tabular_oracle.LIMIT", number - 1)
        with pytest.raises(BadInput, match=f"which makes {number} trajectories"):
            next(trajectories(mdp, policy, 3))
        monkeypatch.undo()


# --- bad input ------------------------------------------------------------------------------------------------------

FAIR = ((HALF, HALF),) * 3
NEARLY = Fraction(1, 10**12)  # nothing to floats, and wrong to rationals
BAD_POLICIES: list[tuple[Any, int | None, bool, str]] = [
    (((1, 0),), None, True, "policy has the shape (1, 2); expected (3, 2)"),
    (((1,), (1, 0), (1, 0)), None, True, "policy has the shape (3,); expected (3, 2)"),
    (((1,), (1, 0), (1, 0)), None, False, "policy has the shape (3,); expected (3, 2)"),
    ((FAIR, FAIR), 3, True, "policy has the shape (2, 3, 2); expected (3, 2) or (3, 3, 2)"),
    ((FAIR, FAIR), None, True, "policy has the shape (2, 3, 2); expected (3, 2)"),
    ((*FAIR[:2], (HALF, 0.5)), None, True, "policy[2][1] is 0.5; expected an int or a Fraction"),
    ((*FAIR[:2], (2, -1)), None, True, "policy[2][1] is -1; expected a probability, 0 or more"),
    ((*FAIR[:2], (1.5, -0.5)), None, False, "policy[2][1] is -0.5; expected a probability, 0 or more"),
    ((*FAIR[:2], (float("nan"), 1)), None, False, "policy[2][0] is nan; expected a probability, 0 or more"),
    ((*FAIR[:2], (HALF, 1)), None, True, "policy[2] has the sum 3/2; expected 1"),
    ((*FAIR[:2], (HALF, HALF + NEARLY)), None, True, "policy[2] has the sum 1000000000001/1000000000000; expected 1"),
    ((*FAIR[:2], (0.5, 0.4)), None, False, "policy[2] has the sum 0.9; expected 1"),
    ((FAIR, (*FAIR[:2], (HALF, 1))), 2, True, "policy[1][2] has the sum 3/2; expected 1"),
    (FAIR, 0, True, "horizon is 0; expected a number of steps, 1 or more"),
    (FAIR, 2.0, True, "horizon is 2.0; expected a number of steps, 1 or more"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(
    ("policy", "horizon", "exact", "message"), BAD_POLICIES, ids=[f"{bad[3][:40]} {bad[2]}" for bad in BAD_POLICIES]
)
def test_what_is_no_policy_is_refused(policy: Any, horizon: int | None, exact: bool, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        evaluate(DISCOUNTED[0], policy, horizon, exact=exact)
    assert str(refused.value) == message


@pytest.mark.parametrize("exact", [True, False])
def test_an_episode_that_need_not_end_is_refused_without_a_discount(exact: bool) -> None:
    with pytest.raises(BadInput) as refused:
        evaluate(CORRIDOR, [[0, 1]] * 4, exact=exact)
    assert str(refused.value) == (
        "policy never terminates from state 0 (0), and discount is 1; "
        "expected a policy that terminates with probability one, a discount below 1 or a horizon"
    )
    assert evaluate(CORRIDOR, [[0, 1]] * 4, 7, exact=exact).objective == -7
    assert evaluate(replace(CORRIDOR, discount=HALF), [[0, 1]] * 4, exact=exact).objective == -2
    with pytest.raises(BadInput, match="never terminates from state 0"):
        optimal_policy(for_ever(Fraction(1)))


def test_one_state_that_never_ends_is_enough_to_be_refused() -> None:
    trap = ((Fraction(1), 1, Fraction(0), False),)
    mdp = TabularMDP("trap", ("start", "trap"), ("end", "fall"), law_at(0, 2), ((ended(0), trap), (trap, trap)))
    with pytest.raises(BadInput, match=r"never terminates from state 1 \(trap\)"):
        evaluate(mdp, [[HALF, HALF], [HALF, HALF]])


def test_a_tangent_that_leaves_the_laws_is_refused() -> None:
    found = evaluate(DISCOUNTED[0], FAIR)
    with pytest.raises(BadInput) as refused:
        found.derivative([[1, -1], [0, 0], [1, 0]])
    assert str(refused.value) == "tangent has the sums [0, 0, 1]; expected 0 in each state"
    with pytest.raises(BadInput) as refused:
        found.derivative([1, -1])
    assert str(refused.value) == "tangent has the shape (2,); expected that of the policy, (3, 2)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exact": True}, "exact is True with beta 0.5; expected exact=False, for a logarithm is no rational"),
        ({"beta": -1.0}, "beta is -1.0; expected 0 or a positive number"),
        ({"reference": [[1.0]]}, "reference has the shape (1, 1); expected (3, 2)"),
        ({"reference": [[1, 0]] * 3}, "reference is not positive everywhere; expected that where beta is not 0"),
    ],
    ids=["exact", "beta", "shape", "reference"],
)
def test_a_penalty_that_is_none_is_refused(changes: dict[str, Any], message: str) -> None:
    arguments = {"policy": FAIR, "reference": FAIR, "beta": 0.5, "exact": False} | changes
    with pytest.raises(BadInput) as refused:
        evaluate(DISCOUNTED[0], **arguments)
    assert str(refused.value) == message


def test_a_regularised_optimum_without_a_penalty_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        regularised_optimum(BANDIT, BANDIT.reference, 0.0)
    assert str(refused.value) == "beta is 0.0; expected a positive number"
    with pytest.raises(BadInput, match=r"^reference is not positive everywhere"):
        regularised_optimum(DISCOUNTED[0], [[1, 0]] * 3, 1.0)


def test_an_optimum_over_what_is_no_horizon_is_refused() -> None:
    for find in (optimal_policy, lambda mdp, horizon: regularised_optimum(mdp, FAIR, 1.0, horizon)):
        with pytest.raises(BadInput, match=r"^horizon is 2\.0; expected a number of steps, 1 or more$"):
            find(DISCOUNTED[0], 2.0)
