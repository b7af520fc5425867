"""The exact mean and covariance of estimators of the gradient: what is unbiased is so to the last digit, and what is not
is off by the number that the claim says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tabular_worlds import HALF, arms, coins, law_at, random_mdp, random_policies, random_policy

from toy_envs import BANDIT, CHAIN, GRID, BadInput, TabularMDP
from toy_envs.tabular_mdp import Policy, ended
from toy_envs.tabular_oracle import Trajectory, evaluate, mean_and_covariance, scores

GAMMA = Fraction(3, 4)
STOCHASTIC = [
    random_mdp(0, GAMMA, states=2, ends=False),
    random_mdp(1, GAMMA, states=2),
    random_mdp(2, Fraction(1), states=2),
]
BESIDE_THE_GOAL = replace(GRID, name="grid, beside the goal", initial=law_at(2, len(GRID.states)))
by_name = pytest.mark.parametrize("mdp", STOCHASTIC, ids=lambda mdp: mdp.name)
Estimator = Callable[[Trajectory], Any]


def weighted_scores(trajectory: Trajectory, policy: Any, weights: Sequence[Any]) -> Any:
    """Σ_t weights[t] ∂ log π(a_t∣s_t)/∂φ: it sees the policy and what happened, and no dynamics."""
    return sum(weight * score for weight, score in zip(weights, scores(trajectory, policy), strict=True))


def to_go(rewards: Sequence[Any], gamma: Fraction) -> list[Any]:
    """Σ_{k≥t} γ^k r_k for each t: with γ^k, not γ^{k−t}, as the gradient of the discounted J wants it (AD.12)."""
    discounted = [gamma**k * reward for k, reward in enumerate(rewards)]
    return [sum(discounted[t:]) for t in range(len(rewards))]


def reinforce(mdp: TabularMDP, policy: Any) -> Estimator:
    return lambda t: weighted_scores(t, policy, [to_go(t.rewards, mdp.discount)[0]] * len(t.rewards))


def reward_to_go(mdp: TabularMDP, policy: Any) -> Estimator:
    return lambda t: weighted_scores(t, policy, to_go(t.rewards, mdp.discount))


def with_baseline(mdp: TabularMDP, policy: Any, baseline: Callable[[int, int], Any]) -> Estimator:
    """Reward-to-go less a baseline of (state, time), both with the weight γ^t."""

    def estimator(t: Trajectory) -> Any:
        weights = to_go(t.rewards, mdp.discount)
        less = [mdp.discount**k * baseline(state, k) for k, state in enumerate(t.states[:-1])]
        return weighted_scores(t, policy, [weight - b for weight, b in zip(weights, less, strict=True)])

    return estimator


def variance(covariance: Any) -> Any:
    return np.trace(covariance)


# --- unbiased, exactly ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timed", [False, True], ids=["stationary", "timed"])
@by_name
def test_the_dynamics_drop_out(mdp: TabularMDP, timed: bool) -> None:
    """PG.3, PG.4, AD.3, AD.5: the mean of what knows ∇log π alone is ∇J, under dynamics that are no map but a law."""
    assert all(len(row) > 1 for rows in mdp.transitions[:2] for row in rows)
    policy = random_policies(1, mdp, 3) if timed else random_policy(1, mdp)
    found = evaluate(mdp, policy, 3)
    gradient = found.gradient.ravel()
    assert any(gradient)
    for estimator in (
        reinforce(mdp, policy),
        reward_to_go(mdp, policy),
        with_baseline(mdp, policy, lambda state, time: found.v[time, state]),
        with_baseline(mdp, policy, lambda state, time: Fraction(7, 3) * state - time),  # any function of both
    ):
        assert (mean_and_covariance(estimator, mdp, policy, 3)[0] == gradient).all()


@pytest.mark.parametrize(
    ("mdp", "horizon"), [(BESIDE_THE_GOAL, 2), (CHAIN, 3), (BANDIT, 1)], ids=["grid", "chain", "bandit"]
)
def test_in_the_registered_worlds_as_well(mdp: TabularMDP, horizon: int) -> None:
    policy = random_policy(3, mdp)
    found = evaluate(mdp, policy, horizon)
    assert any(found.gradient.ravel())
    for estimator in (reinforce(mdp, policy), reward_to_go(mdp, policy)):
        assert (mean_and_covariance(estimator, mdp, policy, horizon)[0] == found.gradient.ravel()).all()


@by_name
def test_floats_give_the_same_mean_and_covariance(mdp: TabularMDP) -> None:
    policy = random_policy(1, mdp)
    exact = mean_and_covariance(reward_to_go(mdp, policy), mdp, policy, 3)
    laws = np.array(policy, dtype=float)
    floats = mean_and_covariance(reward_to_go(mdp, laws), mdp, laws, 3, exact=False)
    for one, other in zip(exact, floats, strict=True):
        assert other.dtype == np.float64 and all(isinstance(entry, Fraction) for entry in one.flat)
        assert other == pytest.approx(one.astype(float), rel=1e-10, abs=1e-12)


@by_name
def test_the_covariance_is_the_second_moment_less_that_of_the_mean(mdp: TabularMDP) -> None:
    """Cov = E[ĝĝᵀ] − E[ĝ]E[ĝ]ᵀ, the second moment being the mean of another estimator; it is symmetric, none below 0."""
    policy = random_policy(2, mdp)
    estimator = reinforce(mdp, policy)
    mean, covariance = mean_and_covariance(estimator, mdp, policy, 2)
    moment, _ = mean_and_covariance(lambda t: np.outer(estimator(t), estimator(t)), mdp, policy, 2)
    assert (covariance == moment.reshape(covariance.shape) - np.outer(mean, mean)).all()
    assert (covariance == covariance.T).all() and (np.diag(covariance) >= 0).all()
    # The scores of a state have the sum 0 over its actions, and so has every row of the covariance.
    assert not covariance.reshape(-1, len(mdp.states), len(mdp.actions)).sum(-1).any()
    assert not mean_and_covariance(lambda t: [1, 2], mdp, policy, 2)[1].any()


@by_name
def test_the_score_has_the_mean_zero_at_each_time(mdp: TabularMDP) -> None:
    """AD.1; AD.2: nor does it correlate with an earlier reward."""
    policy = random_policy(1, mdp)
    for time in range(3):

        def score(t: Trajectory, time: int = time) -> Any:
            found = scores(t, policy)
            return found[time] if time < len(found) else 0 * np.array(policy)

        def with_earlier(t: Trajectory, time: int = time, score: Any = score) -> Any:
            return score(t) * sum(t.rewards[:time])

        assert not mean_and_covariance(score, mdp, policy, 3)[0].any()
        assert not mean_and_covariance(with_earlier, mdp, policy, 3)[0].any()


def test_scores_by_hand() -> None:
    policy = ((HALF, HALF), (Fraction(1, 4), Fraction(3, 4)))
    trajectory = Trajectory(Fraction(1), (1, 0, 1), (0, 1), (0, 0), False)
    quarters = Fraction(3, 4)
    assert scores(trajectory, policy).tolist() == [[[0, 0], [quarters, -quarters]], [[-HALF, HALF], [0, 0]]]
    timed = scores(trajectory, (policy, policy))
    assert timed.shape == (2, 2, 2, 2)
    assert timed[0, 0].tolist() == [[0, 0], [quarters, -quarters]] and not timed[0, 1].any()
    assert timed[1, 1].tolist() == [[-HALF, HALF], [0, 0]] and not timed[1, 0].any()


# --- biased, by the number that is claimed --------------------------------------------------------------------------


def test_a_baseline_of_the_action_is_biased() -> None:
    """AD.7: two arms, −p(1 − p)(b₁ − b₀) for the logit of arm 1."""
    p, b = Fraction(1, 3), (Fraction(2), Fraction(5))
    mdp, policy = arms(1, 4), ((1 - p, p),)

    def estimator(t: Trajectory) -> Any:
        return weighted_scores(t, policy, [t.rewards[0] - b[t.actions[0]]])

    bias = mean_and_covariance(estimator, mdp, policy, 1)[0] - evaluate(mdp, policy).gradient.ravel()
    assert bias[1] == -p * (1 - p) * (b[1] - b[0]) == -bias[0]


def test_old_samples_are_biased() -> None:
    """PG.7: samples of q, scores of p: (q − p)((1 − p) r₀ + p r₁) for the logit of arm 0; importance weights repair it."""
    p, q, rewards = Fraction(1, 3), Fraction(3, 5), (Fraction(2), Fraction(-1))
    mdp, policy, old = arms(*rewards), ((p, 1 - p),), ((q, 1 - q),)

    def estimator(t: Trajectory) -> Any:
        return weighted_scores(t, policy, t.rewards)

    def repaired(t: Trajectory) -> Any:
        return estimator(t) * policy[0][t.actions[0]] / old[0][t.actions[0]]

    true = evaluate(mdp, policy).gradient.ravel()
    bias = mean_and_covariance(estimator, mdp, old, 1)[0] - true
    assert bias[0] == (q - p) * ((1 - p) * rewards[0] + p * rewards[1])
    assert (mean_and_covariance(repaired, mdp, old, 1)[0] == true).all()


@by_name
def test_without_the_weight_of_the_discount_it_is_biased_unless_there_is_none(mdp: TabularMDP) -> None:
    """AD.13: Σ_t ∇log π A(s_t, a_t) is ∇J with the weight γ^t, or with γ = 1."""
    policy = random_policy(1, mdp)
    found = evaluate(mdp, policy, 3)

    def advantages(t: Trajectory) -> list[Any]:
        return [found.advantages[k, s, a] for k, (s, a) in enumerate(zip(t.states[:-1], t.actions, strict=True))]

    def unweighted(t: Trajectory) -> Any:
        return weighted_scores(t, policy, advantages(t))

    def weighted(t: Trajectory) -> Any:
        return weighted_scores(t, policy, [mdp.discount**k * a for k, a in enumerate(advantages(t))])

    gradient = found.gradient.ravel()
    assert (mean_and_covariance(weighted, mdp, policy, 3)[0] == gradient).all()
    assert (mean_and_covariance(unweighted, mdp, policy, 3)[0] == gradient).all() == (mdp.discount == 1)


def test_a_truncation_taken_for_an_end_is_biased_and_so_is_the_reverse() -> None:
    """AD.20: the return of two steps estimates Q(s_0, a_0) if γ² V(s_2) is added where it was cut, and there only."""
    mdp = STOCHASTIC[1]
    policy = random_policy(1, mdp)
    found = evaluate(mdp, policy)
    critic = found.v.copy()
    critic[-1] = Fraction(7)  # what is learned of the last state of an episode that ended is arbitrary

    def mean(bootstrap: Callable[[Trajectory], bool]) -> Any:
        def estimator(t: Trajectory) -> Any:
            value = to_go(t.rewards, mdp.discount)[0]
            if bootstrap(t):
                value += mdp.discount ** len(t.rewards) * critic[t.states[-1]]
            of_pair = np.array(policy) * 0
            of_pair[t.states[0], t.actions[0]] = value
            return of_pair

        return mean_and_covariance(estimator, mdp, policy, 2)[0]

    q = (np.array(mdp.initial)[:, None] * np.array(policy) * found.q).ravel()
    assert (mean(lambda t: not t.terminated) == q).all()
    assert (mean(lambda t: False) != q)[:-2].all()  # but for the end, in which no episode begins
    assert (mean(lambda t: True) != q)[:-2].all()


# --- variances that are claimed -------------------------------------------------------------------------------------


def test_a_baseline_of_v_can_multiply_the_variance_by_sixty_four() -> None:
    """AD.8: two arms, π = (9/10, 1/10), r = (1, 0)."""
    mdp, policy = arms(1, 0), ((Fraction(9, 10), Fraction(1, 10)),)
    value = evaluate(mdp, policy).objective
    plain = mean_and_covariance(reinforce(mdp, policy), mdp, policy, 1)
    less = mean_and_covariance(with_baseline(mdp, policy, lambda state, time: value), mdp, policy, 1)
    assert (plain[0] == less[0]).all()
    assert variance(less[1]) / variance(plain[1]) == 64


def test_past_rewards_can_lower_the_variance() -> None:
    """AD.4: two fair coins on one shared logit, r₀ = 1, r₁ = −1: 0 with all rewards, 1/4 with those to come."""
    last = ((Fraction(1), 1, Fraction(-1), True),)
    first = ((Fraction(1), 1, Fraction(1), False),)
    mdp = TabularMDP("shared", ("0", "1"), ("0", "1"), (Fraction(1), Fraction(0)), ((first,) * 2, (last,) * 2))
    policy = ((HALF, HALF),) * 2

    def shared(estimator: Estimator) -> Estimator:
        """The derivative in the one logit of action 1 that both states share."""
        return lambda t: np.reshape(estimator(t), (2, 2))[:, 1].sum()

    assert variance(mean_and_covariance(shared(reinforce(mdp, policy)), mdp, policy, 2)[1]) == 0
    assert variance(mean_and_covariance(shared(reward_to_go(mdp, policy)), mdp, policy, 2)[1]) == Fraction(1, 4)


def test_a_good_action_may_be_pushed_down_by_the_others() -> None:
    """PG.11: r₀ = a₀, r₁ = −3 a₁, fair coins; a = (1, 1) has A₀ = 1/2 and G = −2."""
    mdp = coins(1, -3)
    policy: Policy = ((HALF, HALF),) * 2
    assert evaluate(mdp, policy).advantages[0, 1] == HALF
    seen: dict[tuple[int, ...], Any] = {}

    def noted(t: Trajectory) -> Any:
        seen[t.actions] = reinforce(mdp, policy)(t)[0]
        return 0

    mean_and_covariance(noted, mdp, policy, 2)
    assert seen[1, 1].tolist() == [1, -1]  # logit of action 1 at the first coin: (1 − 1/2) · (−2)


def test_the_covariance_of_a_bandit_by_hand() -> None:
    """ĝ₁ = r (a − p): with p = 1/2 and r = (2, 4) it is −1 or 2."""
    mdp, policy = arms(2, 4), ((HALF, HALF),)
    mean, covariance = mean_and_covariance(reinforce(mdp, policy), mdp, policy, 1)
    assert mean.tolist() == [-HALF, HALF]
    assert covariance.tolist() == [[Fraction(9, 4), -Fraction(9, 4)], [-Fraction(9, 4), Fraction(9, 4)]]


def test_an_estimate_that_is_not_exact_is_refused() -> None:
    mdp, policy = arms(2, 4), ((HALF, HALF),)
    with pytest.raises(BadInput) as refused:
        mean_and_covariance(lambda t: [0.5], mdp, policy, 1)
    assert str(refused.value) == "estimator: one of its numbers is 0.5; expected an int or a Fraction"
    assert mean_and_covariance(lambda t: [0.5], mdp, policy, 1, exact=False)[0].tolist() == [0.5]


def test_after_an_end_nothing_is_counted() -> None:
    """A trajectory stops where it terminates, also in a world that has a row for what comes after."""
    mdp = TabularMDP("end", ("s",), ("a",), (Fraction(1),), ((ended(0),),))
    assert mean_and_covariance(lambda t: [len(t.actions)], mdp, ((1,),), 5)[0].tolist() == [1]
