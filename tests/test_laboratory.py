"""The exact mean of each estimator is what claims.md says of it: ∇J, or ∇J and the stated bias, to the last digit."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from tabular_worlds import HALF, arms, coins, random_law, random_mdp, random_policies, random_policy

from derivations.laboratory import (
    Moments,
    TabularWorld,
    Weights,
    best_constant_baseline,
    clipped,
    constant,
    discounted,
    expectation,
    gae,
    importance_weighted,
    importance_weights,
    mean_over_steps,
    of_action,
    of_state,
    of_table,
    per_decision,
    reinforce,
    reward_to_go,
    weight_moments,
    with_baseline,
)
from toy_envs import CHAIN, BadInput, TabularMDP
from toy_envs.tabular_mdp import with_time
from toy_envs.tabular_oracle import Trajectory, evaluate, scores, state_distribution

GAMMA = Fraction(3, 4)
LAMBDAS = (Fraction(0), Fraction(2, 5), Fraction(1))
HORIZON = 3
LASTING = random_mdp(0, GAMMA, states=2, ends=False)
ENDING = random_mdp(1, GAMMA, states=2)
UNDISCOUNTED = random_mdp(2, Fraction(1), states=2)


def world(mdp: TabularMDP, *, timed: bool = False, behaviour: bool = False) -> TabularWorld:
    policy: Any = random_policies(1, mdp, HORIZON) if timed else random_policy(1, mdp)
    return TabularWorld(mdp, policy, HORIZON, random_policy(5, mdp) if behaviour else None)


WORLDS = {
    "lasting": world(LASTING),
    "ending": world(ENDING),
    "undiscounted": world(UNDISCOUNTED),
    "timed": world(ENDING, timed=True),
    "chain": TabularWorld(CHAIN, random_policy(3, CHAIN), HORIZON),
    "shared": replace(world(ENDING), features=[[[0, 1], [0, 2], [0, 0]], [[3, 0], [0, 1], [1, 1]]]),
}
in_each = pytest.mark.parametrize("name", WORLDS)


def wrong_critic(here: TabularWorld) -> Any:
    """V^π and an error that is different for every time and state."""
    errors = np.arange(here.critic.size).reshape(here.critic.shape) % 5 * Fraction(1, 3) - 1
    return here.critic + errors


def same(found: Any, stated: Any) -> bool:
    """Exactly, and not because both are zero."""
    assert all(isinstance(entry, Fraction | int) for entry in found) and any(found)
    return bool((np.asarray(found) == np.asarray(stated)).all())


# --- unbiased: AD.3, AD.5, AD.13, AD.16 to AD.18 -----------------------------------------------------------------------


def unbiased(here: TabularWorld) -> dict[str, Weights]:
    gamma, critic = here.mdp.discount, here.critic
    to_go = reward_to_go(gamma)
    once: dict[str, Weights] = {
        "reward-to-go": to_go,
        "V": with_baseline(to_go, of_state(critic)),
        "any function of state and time": with_baseline(to_go, of_state(wrong_critic(here))),
        "A": of_table(here.advantages),
        "Q": of_table(here.values.q),
        "GAE, any critic, λ = 1": gae(wrong_critic(here), gamma, 1),
        **{f"GAE, V, λ = {lam}": gae(critic, gamma, lam) for lam in LAMBDAS},
    }
    return {
        "REINFORCE": reinforce(gamma),
        "REINFORCE less a constant": with_baseline(reinforce(gamma), constant(Fraction(7, 3))),
        **{name: discounted(weights, gamma) for name, weights in once.items()},
    }


@in_each
@pytest.mark.parametrize("estimator", unbiased(WORLDS["ending"]))
def test_what_is_unbiased_has_the_mean_of_the_gradient(name: str, estimator: str) -> None:
    """PG.4, PG.5, AD.3, AD.5, AD.13, AD.18: λ = 1 or V = V^π."""
    here = WORLDS[name]
    found = here.moments(unbiased(here)[estimator])
    assert same(found.mean, here.gradient) and not any(found.bias)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_an_error_of_the_critic_that_depends_on_the_time_alone_is_harmless(lam: Fraction) -> None:
    """AD.18, where no action ends the episode: after an end the error is 0, and so depends on the action."""
    for name, harmless in (("lasting", True), ("ending", lam == 1)):
        here = WORLDS[name]
        critic = here.critic + np.array([[5], [-2], [3]])
        found = here.moments(discounted(gae(critic, GAMMA, lam), GAMMA))
        assert same(found.mean, here.gradient) == harmless


# --- biased, by the number that is stated ------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", LAMBDAS)
@pytest.mark.parametrize("mdp", [LASTING, ENDING, UNDISCOUNTED], ids=lambda mdp: mdp.name)
def test_the_bias_of_gae_with_a_wrong_critic(mdp: TabularMDP, lam: Fraction) -> None:
    """AD.18: with e = V − V^π the bias is γ(1 − λ) E[Σ_t γ^t ∇log π(a_t∣s_t) Σ_l (γλ)^l e(s_{t+l+1})].

    The sum over l is a return with the discount γλ and the reward e of the state that is entered: the oracle of that other
    world gives its Q, and no trajectory is looked at.
    """
    timed = with_time(mdp, HORIZON)
    policy = random_policy(1, timed)
    here = TabularWorld(timed, policy, HORIZON)
    errors = [Fraction(s * s % 7 - 2, 3) for s in range(len(timed.states))]
    found = here.moments(discounted(gae(evaluate(timed, policy).v + np.array(errors), mdp.discount, lam), mdp.discount))
    entered = tuple(
        tuple(tuple((p, s, Fraction(0) if over else errors[s], over) for p, s, _, over in _once(row)) for row in rows)
        for rows in timed.transitions
    )
    other = evaluate(replace(timed, transitions=entered, discount=mdp.discount * lam), policy)
    reached = evaluate(timed, policy).occupancy
    bias = mdp.discount * (1 - lam) * reached[:, np.newaxis] * np.array(policy) * other.advantages
    assert (found.bias == bias.ravel()).all() and any(found.bias) == (lam < 1)


def _once(row: Sequence[tuple[Fraction, int, Fraction, bool]]) -> list[tuple[Fraction, int, Fraction, bool]]:
    """Without rewards, by which alone two outcomes may differ."""
    seen: dict[tuple[int, bool], Fraction] = {}
    for p, following, _, over in row:
        seen[following, over] = seen.get((following, over), Fraction(0)) + p
    return [(p, following, Fraction(0), over) for (following, over), p in seen.items()]


@pytest.mark.parametrize("power", [0, 1, 2])
@pytest.mark.parametrize("name", ["lasting", "ending", "timed"])
def test_the_weight_of_the_discount(name: str, power: int) -> None:
    """AD.12, AD.13: without γ^t, and with γ^{2t}, states are weighted as often as another discount would."""
    here = WORLDS[name]
    reached = state_distribution(here.mdp, here.policy, HORIZON)  # P(s_t = s), not discounted
    weights = np.array([GAMMA ** (power * t) for t in range(HORIZON)])[:, np.newaxis, np.newaxis]
    stated = weights * reached[..., np.newaxis] * np.array(here.policy) * here.advantages  # [T, S, A]
    stated = stated if here.table.ndim == 3 else stated.sum(0)
    for weight in (reward_to_go(GAMMA), of_table(here.advantages)):
        found = here.moments(discounted(weight, GAMMA, power))
        assert same(found.mean, stated.ravel())
        assert any(found.bias) == (power != 1)


def test_the_source_s_discount_is_the_weight_of_the_discount() -> None:
    """AD.12: Σ_{k≥t} γ^k r_k = γ^t R̂_t, and the mean of Σ_t ∇log π Σ_{k≥t} γ^k r_k is ∇J."""
    here = WORLDS["ending"]

    def printed(one: Trajectory) -> list[Any]:
        return [sum(GAMMA**k * r for k, r in enumerate(one.rewards) if k >= t) for t in range(len(one.rewards))]

    for one in here.trajectories():
        assert printed(one) == discounted(reward_to_go(GAMMA), GAMMA)(one)
    assert same(here.moments(printed).mean, here.gradient)


def test_the_two_gradients_of_a_discount_are_not_parallel() -> None:
    """AD.13: with γ^t forgotten even the direction is another."""
    here = WORLDS["lasting"]
    found = here.moments(reward_to_go(GAMMA))
    one, other = found.mean, found.target
    assert (one @ other) ** 2 != (one @ one) * (other @ other)


@pytest.mark.parametrize("name", ["lasting", "ending", "undiscounted", "timed"])
def test_a_baseline_of_the_action_and_what_repairs_it(name: str) -> None:
    """AD.7: the bias is −E[Σ_t γ^t Σ_a ∇π(a∣s_t) b(s_t, a)], here from the occupancy of the states."""
    here = WORLDS[name]
    gamma = here.mdp.discount
    table = np.array([[Fraction(s + 1), Fraction(3 - 2 * s)] for s in range(len(here.mdp.states))])
    weights = discounted(with_baseline(reward_to_go(gamma), of_action(table)), gamma)
    policy = np.array(here.policy)
    centred = table - (policy * table).sum(-1, keepdims=True)
    pushed = here.values.occupancy[..., np.newaxis] * policy * centred  # [T, S, A]
    pushed = pushed if here.table.ndim == 3 else pushed.sum(0)
    assert same(here.moments(weights).bias, -pushed.ravel())
    if gamma == 1:
        repair = here.expected_scores(table)
        repaired = here.moments_of(lambda one: here.estimate(weights)(one) + repair(one))
        assert same(repaired.mean, here.gradient)


@pytest.mark.parametrize("size", [2, 3])
def test_the_mean_of_the_batch_as_a_baseline(size: int) -> None:
    """AD.6: it scales the gradient by 1 − 1/N, in a world of two steps as well; leave-one-out does not."""
    mdp = coins(2, -3)
    here = TabularWorld(mdp, ((HALF, HALF), (Fraction(1, 4), Fraction(3, 4))), 2)

    def estimator(own: bool) -> Callable[[tuple[Trajectory, ...]], Any]:
        def estimate(batch: tuple[Trajectory, ...]) -> Any:
            returns = [reinforce()(one)[0] for one in batch]
            total = np.zeros(4, dtype=object)
            for i, one in enumerate(batch):
                kept = returns if own else returns[:i] + returns[i + 1 :]
                baseline = constant(Fraction(sum(kept), len(kept)))
                total = total + here.estimate(with_baseline(reinforce(), baseline))(one)
            return total / Fraction(size)

        return estimate

    assert same(here.batch_moments_of(estimator(own=True), size).mean, here.gradient * (1 - Fraction(1, size)))
    assert same(here.batch_moments_of(estimator(own=False), size).mean, here.gradient)


def test_a_baseline_of_what_comes_later_is_biased() -> None:
    """AD.6: it does not depend on the action, and yet it knows of it."""
    here = WORLDS["ending"]

    def next_state(one: Trajectory, t: int) -> int:
        return one.states[t + 1]

    assert any(here.moments(discounted(with_baseline(reward_to_go(GAMMA), next_state), GAMMA)).bias)


# --- importance weights ------------------------------------------------------------------------------------------------


OFF = {"lasting": world(LASTING, behaviour=True), "ending": world(ENDING, behaviour=True)}


def corrected(here: TabularWorld) -> dict[str, Weights]:
    gamma, pair = here.mdp.discount, (here.policy, here.behaviour)
    to_go = reward_to_go(gamma)
    return {
        "REINFORCE, trajectory": importance_weighted(reinforce(gamma), *pair, "trajectory"),
        "reward-to-go, trajectory": importance_weighted(discounted(to_go, gamma), *pair, "trajectory"),
        "any critic, λ = 1, trajectory": importance_weighted(
            discounted(gae(wrong_critic(here), gamma, 1), gamma), *pair, "trajectory"
        ),
        "A, prefix": importance_weighted(discounted(of_table(here.advantages), gamma), *pair, "prefix"),
        "V, λ = 0, prefix": importance_weighted(discounted(gae(here.critic, gamma, 0), gamma), *pair, "prefix"),
        "reward-to-go, per decision": discounted(per_decision(to_go, *pair), gamma),
    }


@pytest.mark.parametrize("name", OFF)
@pytest.mark.parametrize("estimator", corrected(OFF["ending"]))
def test_samples_of_another_policy_with_their_weights(name: str, estimator: str) -> None:
    """IS.1, IS.7: whole trajectories always; up to t for what is unbiased given s_t and a_t; rewards one by one."""
    here = OFF[name]
    assert same(here.moments(corrected(here)[estimator]).mean, here.gradient)


@pytest.mark.parametrize("name", OFF)
def test_samples_of_another_policy_without_enough_weights(name: str) -> None:
    """PG.7, IS.7: no weight, the ratio of the step alone, prefixes with R̂_t, and `per_decision` of the whole return."""
    here = OFF[name]
    pair = here.policy, here.behaviour
    for weights in (
        reinforce(GAMMA),
        importance_weighted(discounted(of_table(here.advantages), GAMMA), *pair, "step"),
        importance_weighted(discounted(reward_to_go(GAMMA), GAMMA), *pair, "prefix"),
        per_decision(reinforce(GAMMA), *pair),
    ):
        assert any(here.moments(weights).bias)


@pytest.mark.parametrize("name", OFF)
def test_the_ratio_of_the_step_alone_is_the_gradient_of_the_surrogate(name: str) -> None:
    """IS.5: Σ_t γ^t Σ_s P_old(s_t = s) Σ_a ∇π(a∣s) A_old(s, a), from the oracle of π_old; at π = π_old it is ∇J (IS.6)."""
    here = OFF[name]
    old = evaluate(here.mdp, here.behaviour, HORIZON)
    weights = importance_weighted(discounted(of_table(old.advantages), GAMMA), here.policy, here.behaviour, "step")
    policy = np.array(here.policy)
    centred = old.advantages - (policy * old.advantages).sum(-1, keepdims=True)
    stated = (old.occupancy[..., np.newaxis] * policy * centred).sum(0)
    assert same(here.moments(weights).mean, stated.ravel())
    at_old = replace(here, policy=here.behaviour)
    weights = importance_weighted(discounted(of_table(old.advantages), GAMMA), here.behaviour, here.behaviour, "step")
    assert same(at_old.moments(weights).mean, at_old.gradient)


def test_the_clipped_surrogate_has_the_gradient_of_the_other_until_a_ratio_is_clipped() -> None:
    """PPO.7 at π = π_old; KL.10: in one step it is ∇J as long as no ratio is clipped, and not beyond."""
    at_old = WORLDS["ending"]
    advantages = discounted(of_table(at_old.advantages), GAMMA)
    weights = clipped(advantages, at_old.policy, at_old.policy, Fraction(1, 10))
    assert same(at_old.moments(weights).mean, at_old.gradient)
    for moved, inside in ((Fraction(11, 20), True), (Fraction(3, 5), True), (Fraction(13, 20), False)):
        here = TabularWorld(arms(1, 4), ((1 - moved, moved),), 1, ((HALF, HALF),))
        weights = clipped(of_table(here.advantages), here.policy, here.behaviour, Fraction(1, 5))
        found = here.moments(weights)
        assert bool((found.mean == found.target).all()) == inside
        assert inside or not found.mean.any()  # both arms are held: the one at 13/10, the other at 7/10


def test_a_mistake_is_undone_although_its_ratio_is_outside() -> None:
    """PPO.6: A > 0 below 1 − ε, and A < 0 above 1 + ε, keep their gradients."""
    policy, old = ((Fraction(9, 10), Fraction(1, 10)),), ((HALF, HALF),)  # the ratios 9/5 and 1/5
    for action, weight, kept in ((0, 3, False), (0, -3, True), (1, 3, True), (1, -3, False)):
        one = Trajectory(Fraction(1), (0, 0), (action,), (0,), True)
        [found] = clipped(lambda _, weight=weight: [weight], policy, old, Fraction(1, 5))(one)  # type: ignore[misc]
        assert found == (policy[0][action] / HALF * weight if kept else 0)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_the_weight_of_a_trajectory_grows_exponentially(horizon: int) -> None:
    """IS.2, IS.3: over independent steps E[w] = 1, E[w²] = (1 + χ²)^T, and the largest is the largest ratio to the T."""
    stay = ((Fraction(1), 0, Fraction(0), False),)
    one_state = TabularMDP("one state", ("s",), ("0", "1", "2"), (Fraction(1),), ((stay,) * 3,))
    law, old = random_law(random.Random(1), 3), random_law(random.Random(2), 3)
    found = weight_moments(TabularWorld(one_state, (law,), horizon, (old,)))
    chi = sum((p - q) ** 2 / q for p, q in zip(law, old, strict=True))
    largest = max(p / q for p, q in zip(law, old, strict=True))
    assert found.mean == 1 and found.second_moment == (1 + chi) ** horizon and found.largest == largest**horizon
    assert found.variance == (1 + chi) ** horizon - 1 and found.effective_share == 1 / (1 + chi) ** horizon


def test_weights_that_miss_a_part_of_the_support_have_another_mean() -> None:
    """IS.2: p = (½, ½), q = (1, 0): the only weight is ½, it does not scatter, and every sample counts."""
    found = weight_moments(TabularWorld(arms(0, 0), ((HALF, HALF),), 1, ((1, 0),)))
    assert (found.mean, found.second_moment, found.variance, found.effective_share) == (HALF, HALF**2, 0, 1)


def test_the_products_of_ratios_by_hand() -> None:
    one = Trajectory(Fraction(1), (0, 0, 0), (1, 0), (0, 0), False)
    policy, old = ((Fraction(1, 4), Fraction(3, 4)),), ((HALF, HALF),)
    by_hand = {
        "step": [Fraction(3, 2), HALF],
        "prefix": [Fraction(3, 2), Fraction(3, 4)],
        "trajectory": [Fraction(3, 4)] * 2,
    }
    for product_of, stated in by_hand.items():
        assert importance_weights(one, policy, old, product_of) == stated  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="product is 'all'; expected 'step', 'prefix', 'trajectory'"):
        importance_weights(one, policy, old, "all")  # type: ignore[arg-type]


# --- variances ---------------------------------------------------------------------------------------------------------


def test_the_covariance_of_a_mean_of_independent_trajectories_is_one_over_n() -> None:
    """PG.6; copies of one trajectory keep the whole of it."""
    here = TabularWorld(arms(2, 5), ((Fraction(1, 3), Fraction(2, 3)),), 1)
    one = here.estimate(reinforce())
    found = here.moments(reinforce())
    mean = here.batch_moments_of(lambda batch: (one(batch[0]) + one(batch[1]) + one(batch[2])) / Fraction(3), 3)
    copies = here.batch_moments_of(lambda batch: (one(batch[0]) + one(batch[0])) / Fraction(2), 2)
    assert (mean.mean == found.mean).all() and (mean.covariance * 3 == found.covariance).all()
    assert (copies.covariance == found.covariance).all() and found.variance > 0


@in_each
def test_the_best_constant_baseline(name: str) -> None:
    """AD.9: E[‖g‖²G]/E[‖g‖²], from the trajectories one by one, and no other constant has less variance."""
    here = WORLDS[name]
    gamma = here.mdp.discount
    ones = here.estimate(lambda one: [1] * len(one.actions))

    def square(one: Trajectory) -> Any:
        return ones(one) @ ones(one)

    best = best_constant_baseline(here, reinforce(gamma))
    weighted = expectation(here, lambda one: square(one) * reinforce(gamma)(one)[0])
    assert best == weighted / expectation(here, square)
    least, more, less = (
        here.moments(with_baseline(reinforce(gamma), constant(best + step))).variance for step in (0, HALF, -HALF)
    )
    assert more - least == less - least == expectation(here, square) / 4 > 0


def test_the_best_baseline_of_a_policy_that_does_not_choose_is_refused() -> None:
    here = TabularWorld(arms(1, 2), ((0, 1),), 1)
    with pytest.raises(BadInput, match="the score is 0 in every trajectory"):
        best_constant_baseline(here, reinforce())


def test_past_rewards_are_noise_where_steps_share_no_parameter_and_rewards_have_one_sign() -> None:
    """AD.4: the dropped part lowers the variance by E‖X‖² + 2E[X·ĝ], here not negative."""
    here = TabularWorld(coins(2, 3, 1), (random_law(random.Random(2), 2),) * 3, 3)
    every, to_go = here.estimate(reinforce()), here.estimate(reward_to_go())

    def dropped(one: Trajectory) -> Any:
        past = every(one) - to_go(one)
        return past @ past + 2 * past @ to_go(one)

    gain = here.moments(reinforce()).variance - here.moments(reward_to_go()).variance
    assert gain == expectation(here, dropped) > 0


def test_moments_of_a_bandit_by_hand() -> None:
    """ĝ₁ = r (a − p) with p = ½ and r = (2, 4) is −1 or 2, in one logit."""
    here = TabularWorld(arms(2, 4), ((HALF, HALF),), 1, features=[[[0, 1]]])
    found = here.moments(reinforce(), target=np.array([Fraction(1, 4)]))
    assert found.mean.tolist() == [HALF] and found.covariance.tolist() == [[Fraction(9, 4)]]
    assert found.bias.tolist() == [Fraction(1, 4)] and found.variance == Fraction(9, 4)
    assert found.second_moment == Fraction(5, 2) and found.squared_error == Fraction(9, 4) + Fraction(1, 16)
    assert isinstance(found, Moments) and here.moments(reinforce()).target.tolist() == [HALF]


def test_floats_give_the_same() -> None:
    exact = WORLDS["ending"]
    floats = replace(exact, policy=np.array(exact.policy, dtype=float), exact=False)
    for weights in (reinforce(0.75), discounted(gae(floats.critic, 0.75, 0.4), 0.75)):
        found, stated = floats.moments(weights), exact.moments(reinforce(GAMMA))
        assert found.mean == pytest.approx(stated.mean.astype(float), rel=1e-10, abs=1e-12)
        assert found.mean.dtype == np.float64


# --- the weights themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", LAMBDAS)
@pytest.mark.parametrize("truncates", [False, True])
def test_gae_is_the_weighted_mean_of_advantages_of_n_steps(lam: Fraction, truncates: bool) -> None:
    """AD.16, AD.17, with the last weight of a finite horizon: λ^{n−1} where n reaches the end."""
    here = WORLDS["ending"]
    critic = np.array([Fraction(s * s + t, 3) for t, s in product(range(HORIZON + 1), range(3))]).reshape(-1, 3)

    def n_steps(one: Trajectory, t: int, n: int) -> Any:
        reached = t + n
        over = reached == len(one.actions) and (one.terminated or not truncates)
        value = 0 if over else critic[reached, one.states[reached]]
        rewards = sum(GAMMA**k * r for k, r in enumerate(one.rewards[t:reached]))
        return rewards + GAMMA**n * value - critic[t, one.states[t]]

    def mean(one: Trajectory, t: int) -> Any:
        left = len(one.actions) - t
        weights = [(1 - lam) * lam ** (n - 1) for n in range(1, left)] + [lam ** (left - 1)]
        return sum(weight * n_steps(one, t, n) for n, weight in enumerate(weights, 1))

    for one in here.trajectories():
        found = gae(critic, GAMMA, lam, truncates=truncates)(one)
        assert found == [mean(one, t) for t in range(len(one.actions))]


def test_a_truncation_bootstraps_and_an_end_does_not() -> None:
    """AD.20: with V^π of what goes on, E[Â ∣ s, a] = A, where the cut bootstraps; taken for an end it is not."""
    mdp = random_mdp(3, GAMMA, states=2)
    policy = random_policy(1, mdp)
    found = evaluate(mdp, policy)
    here = TabularWorld(mdp, policy, HORIZON)
    for truncates, right in ((True, True), (False, False)):
        weights = gae(found.v, GAMMA, Fraction(2, 5), truncates=truncates)

        def of_first(one: Trajectory, weights: Weights = weights) -> Any:
            total = np.zeros((len(mdp.states), 2), dtype=object)
            total[one.states[0], one.actions[0]] = weights(one)[0]
            return total

        stated = np.array(mdp.initial)[:, np.newaxis] * np.array(policy) * found.advantages
        assert bool((expectation(here, of_first) == stated).all()) == right


def test_a_mean_over_steps_divides_by_the_length() -> None:
    """IS.9: at equal lengths the direction stays, else not."""
    for name, parallel in (("lasting", True), ("ending", False)):
        here = WORLDS[name]
        weights = discounted(of_table(here.advantages), GAMMA)
        one, other = here.moments(weights).mean, here.moments(mean_over_steps(weights)).mean
        assert ((one @ other) ** 2 == (one @ one) * (other @ other)) == parallel
        if parallel:
            assert same(other * HORIZON, one)


def test_the_general_estimator_is_the_sum_over_the_steps() -> None:
    here = WORLDS["timed"]
    one = max(here.trajectories(), key=lambda one: len(one.actions))
    weights = [Fraction(2), Fraction(-1), Fraction(1, 3)]
    stated = sum(w * s for w, s in zip(weights, scores(one, here.policy), strict=True))
    assert (here.estimate(lambda _: weights)(one) == np.ravel(stated)).all() and stated.any()


def test_tables_of_integers_stay_exact() -> None:
    """numpy's integers are no exact numbers to the oracle, and their quotients are floats."""
    here = TabularWorld(arms(1, 4), ((0, 1),), 1, ((HALF, HALF),))
    for weights in (
        gae([3], 1, 1),
        of_table([[2, 5]]),
        with_baseline(reinforce(), of_action([[1, 2]])),
        importance_weighted(of_table([[2, 5]]), ((0, 1),), ((0, 1),), "step"),
    ):
        assert not any(replace(here, behaviour=None).moments(weights).mean)
    assert not any(here.moments_of(here.expected_scores([[2, 5]])).mean)
    floats = TabularWorld(arms(1, 4), np.array([[0.5, 0.5]]), 1, exact=False)
    assert floats.moments_of(floats.expected_scores([[2, 5]])).mean.tolist() == [-0.75, 0.75]


def test_too_many_batches_are_refused() -> None:
    with pytest.raises(BadInput, match="size is 9, which makes"):
        WORLDS["ending"].batch_moments_of(lambda batch: [0], 9)


def test_batches_are_as_likely_as_their_trajectories() -> None:
    here = TabularWorld(arms(1, 2), ((Fraction(1, 3), Fraction(2, 3)),), 1)
    found = here.batch_moments_of(lambda batch: [prod(one.rewards[0] for one in batch)], 2, target=np.array([0]))
    assert found.mean.tolist() == [Fraction(5, 3) ** 2]
