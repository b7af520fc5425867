"""For each claim with a number in it that has a world, the oracles give that number.

A number is computed here by enumeration in a bandit, a chain or a token world; the proofs are elsewhere. Left out are the
claims whose number belongs to no world that can be enumerated: about a reward model's fit (RM.4, RM.5, RM.6) or a value
loss (PPO.12), about an infinite set (OP.9, OP.10), a family of laws without actions (OP.4, PG.1, the third order of KL.2) or
a quantity that is its own definition (PPO.11, DPO.3); and those that are measured (KL.13, KL.14).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from tabular_worlds import HALF, arms, coins, for_ever, law_at, random_mdp, random_policy

from derivations.algorithms import exact
from derivations.laboratory import (
    TabularWorld,
    exact_kl_weights,
    expectation,
    gae,
    importance_weighted,
    kl_table,
    kl_weights,
    log_ratios,
    mean_over_steps,
    of_table,
    ratios,
    reinforce,
    reward_to_go,
    weight_moments,
    with_baseline,
)
from derivations.laboratory.estimators import constant, of_action
from derivations.ledger import Ledger
from toy_envs import TabularMDP
from toy_envs.tabular_mdp import Policy, Transition
from toy_envs.tabular_oracle import Trajectory, evaluate, trajectories
from toy_envs.token_mdp import TokenMDP

QUARTER, FIFTH, TENTH = Fraction(1, 4), Fraction(1, 5), Fraction(1, 10)


def chances(*of_action_1: Fraction) -> Policy:
    """The policy of two actions that takes the action 1 with these probabilities."""
    return tuple((1 - p, p) for p in of_action_1)


def to(state: int, reward: Fraction | int = 0) -> tuple[Transition, ...]:
    return ((Fraction(1), state, Fraction(reward), False),)


def end(reward: Fraction | int) -> tuple[Transition, ...]:
    return ((Fraction(1), 0, Fraction(reward), True),)


def moves(*rows: tuple[tuple[Transition, ...], ...], discount: Fraction = Fraction(1)) -> TabularMDP:
    """The world with these rows, begun in the state 0."""
    names = tuple(str(state) for state in range(len(rows)))
    return TabularMDP("moves", names, ("0", "1"), law_at(0, len(rows)), rows, discount)


def one_logit(*states: int, of: int) -> list[list[list[int]]]:
    """The feature of the logit of action 1 that these of the states share."""
    return [[[0, int(state in states)] for state in range(of)]]


def each_logit(of: int) -> list[list[list[int]]]:
    """A logit of action 1 for each state."""
    return [one_logit(state, of=of)[0] for state in range(of)]


# --- III, IV ----------------------------------------------------------------------------------------------------------


def without_the_last_factor() -> Fraction:
    mdp = random_mdp(1, Fraction(1), states=2, ends=False)
    policy = random_policy(1, mdp)
    every = trajectories(mdp, policy, 3)
    return sum((one.probability / policy[one.states[-2]][one.actions[-1]] for one in every), Fraction(0))


def two_episodes(bonus: Fraction | int) -> list[Any]:
    """Q of a short episode (2) and of a long one (½, ½, ½), with a bonus a step."""
    mdp = moves((end(2 + bonus), to(1, HALF + bonus)), (to(2, HALF + bonus),) * 2, (end(HALF + bonus),) * 2)
    return list(evaluate(mdp, chances(HALF, HALF, HALF)).q[0])


def now_or_later(now: Fraction | int, later: Fraction | int, gamma: Fraction) -> list[Any]:
    """Q of a reward at once and of one a step later."""
    return list(evaluate(moves((end(now), to(1)), (end(later),) * 2, discount=gamma), chances(HALF, HALF)).q[0])


def bias_of_old_samples(p: Fraction, q: Fraction, rewards: tuple[int, int]) -> Fraction:
    """For the logit of arm 0, of which p is the probability."""
    world = TabularWorld(arms(*rewards), chances(1 - p), 1, behaviour=chances(1 - q))
    return world.moments(reinforce()).bias[0]


# η = p(½ − p): the action 1 leads to a second state, where 1 costs ½ and 0 earns ½; both have the probability p.
SHARED = moves((end(0), to(1)), (end(HALF), end(-HALF)))


def eta(p: Fraction) -> Any:
    return evaluate(SHARED, chances(p, p)).objective


def number_of_responses() -> int:
    mdp = TokenMDP("three", ("a", "b", "c"), 4, lambda prompt, response: 0.0, beta=1.0)
    return len(exact.prefix_tree(mdp).responses)


def a_good_action_and_its_return() -> list[Any]:
    mdp, policy = coins(1, -3), chances(HALF, HALF)
    [both] = [one for one in trajectories(mdp, policy, 2) if one.actions == (1, 1)]
    return [evaluate(mdp, policy).advantages[0, 1], reinforce()(both)[0]]


# --- V ----------------------------------------------------------------------------------------------------------------


def variances(world: TabularWorld) -> list[Any]:
    return [world.moments(weights()).variance for weights in (reinforce, reward_to_go)]


COINS_OF_BOTH_SIGNS = TabularWorld(
    moves((to(1, 1),) * 2, (end(-1),) * 2), chances(HALF, HALF), 2, None, one_logit(0, 1, of=2)
)
# r₀ = a₀, and r₁ = 1 only for a₀ a₁ = 1 0: the state 2 is that after a₀ = 1.
REWARDS_OF_ONE_SIGN = TabularWorld(
    moves((to(1), to(2, 1)), (end(0), end(0)), (end(1), end(0))),
    chances(TENTH, TENTH, TENTH),
    2,
    None,
    one_logit(0, 1, 2, of=3),
)


def less_the_mean_of_the_batch(size: int, *, own: bool) -> list[Any]:
    """E[ĝ]/∇J where the baseline is the mean return of the batch, with or without the sample itself."""
    world = TabularWorld(arms(2, 5), chances(Fraction(1, 3)), 1)

    def estimator(batch: tuple[Trajectory, ...]) -> Any:
        found = np.array([Fraction(0)] * 2)
        for i, one in enumerate(batch):
            others = [other.rewards[0] for j, other in enumerate(batch) if own or j != i]
            mean = Fraction(sum(others), len(others))
            found += world.estimate(with_baseline(reinforce(), constant(mean)))(one) / size
        return found

    return list(world.batch_moments_of(estimator, size).mean / world.gradient)


def bias_of_a_baseline_of_the_action() -> Fraction:
    world = TabularWorld(arms(1, 4), chances(Fraction(1, 3)), 1)
    return world.moments(with_baseline(reinforce(), of_action([[2, 5]]))).bias[1]


def ratio_of_variances_with_v() -> Fraction:
    world = TabularWorld(arms(1, 0), chances(TENTH), 1)
    less = world.moments(with_baseline(reinforce(), constant(world.critic[0, 0])))
    return less.variance / world.moments(reinforce()).variance


def to_go_at_the_last_step() -> list[Any]:
    """R̂₁, and the Q of the time 0 that stands for all times."""
    mdp = moves((to(0, 1),) * 2)
    one = next(iter(trajectories(mdp, chances(HALF), 2)))
    return [reward_to_go()(one)[1], evaluate(mdp, chances(HALF), 2).q[0, 0, 0]]


def with_the_discount_of_the_source(gamma: Fraction) -> Fraction:
    """E[Σ_{k≥1} γ^k r_k ∣ s₁, a₁]/Q(s₁, a₁), where s₁ and a₁ are the only ones."""
    mdp = replace(moves((to(1),) * 2, (to(2, 3),) * 2, (end(7),) * 2), discount=gamma)
    policy = chances(Fraction(1), Fraction(1), Fraction(1))
    [one] = trajectories(mdp, policy, 3)
    printed = sum(gamma**k * reward for k, reward in enumerate(one.rewards) if k >= 1)
    return printed / evaluate(mdp, policy).q[1, 1]


def an_advantage_and_what_the_gradient_does() -> list[Any]:
    """A₂, and the sign of dπ₂ along the exact gradient in the logits."""
    mdp, policy = arms(1, 0, 1), ((Fraction(3, 5), FIFTH, FIFTH),)
    found = evaluate(mdp, policy)
    step = found.gradient[0]
    moved = policy[0][2] * (step[2] - sum(p * g for p, g in zip(policy[0], step, strict=True)))
    return [found.advantages[0, 2], -1 if moved < 0 else 1]


def a_coin_for_a_reward() -> list[Any]:
    """The values of R̂, and Q."""
    row = ((HALF, 0, Fraction(0), True), (HALF, 0, Fraction(1), True))
    mdp = TabularMDP("coin", ("s",), ("a",), (Fraction(1),), ((row,),))
    seen = sorted(reward_to_go()(one)[0] for one in trajectories(mdp, ((1,),), 1))
    return [*seen, evaluate(mdp, ((1,),)).q[0, 0]]


def bias_of_a_wrong_critic(lam: Fraction | int) -> Fraction:
    """Two next states whose values are wrong by 2 and 7; the logit of action 1, p = 1/3."""
    mdp = moves((to(1), to(2)), (end(4),) * 2, (end(-1),) * 2)
    world = TabularWorld(mdp, chances(Fraction(1, 3), HALF, HALF), 2, None, one_logit(0, of=3))
    critic = world.critic + np.array([0, 2, 7])
    return world.moments(gae(critic, 1, lam)).bias[0]


def variance_of_gae(lam: int) -> Any:
    """Of Â₀, where V is ±10 and the truth is 0."""
    row = ((HALF, 1, Fraction(0), False), (HALF, 2, Fraction(0), False))
    names = ("0", "+", "-")
    mdp = TabularMDP("wrong", names, ("a",), law_at(0, 3), ((row,), (end(0),), (end(0),)))
    world = TabularWorld(mdp, ((1,),) * 3, 2)
    weights = gae([0, 10, -10], 1, lam)
    mean = expectation(world, lambda one: weights(one)[0])
    return expectation(world, lambda one: (weights(one)[0] - mean) ** 2)


def cut_after_one_step(*, truncates: bool) -> Any:
    gamma = Fraction(3, 4)
    world = TabularWorld(for_ever(gamma), ((1,),), 1)
    return expectation(world, lambda one: gae([1 / (1 - gamma)], gamma, 0, truncates=truncates)(one)[0])


# --- VI ---------------------------------------------------------------------------------------------------------------


def weights_of(p: Fraction, q: Fraction, horizon: int = 1) -> Any:
    """Importance weights over independent steps; p and q are the probabilities of action 1."""
    mdp = arms(0, 0) if horizon == 1 else moves((to(0),) * 2)
    return weight_moments(TabularWorld(mdp, chances(p), horizon, behaviour=chances(q)))


def chi_square(p: Fraction, q: Fraction) -> Fraction:
    return (p - q) ** 2 / q + (p - q) ** 2 / (1 - q)


U, V, U_OLD, V_OLD = Fraction(1, 3), Fraction(3, 4), Fraction(2, 5), Fraction(1, 7)
THEN = TabularWorld(
    moves((end(0), to(1)), (end(0), end(1))), chances(U, V), 2, behaviour=chances(U_OLD, V_OLD), features=each_logit(2)
)


def in_probabilities(gradient: Any) -> list[Any]:
    """A gradient in the two logits of action 1, as one in its probabilities u and v."""
    return [slope / (p * (1 - p)) for slope, p in zip(gradient, (U, V), strict=True)]


def gradient_of_cpi(table: Any, product: str = "step") -> list[Any]:
    weights = importance_weighted(of_table(table), THEN.policy, THEN.behaviour, product)  # type: ignore[arg-type]
    return in_probabilities(THEN.moments(weights).mean)


OLD_ADVANTAGES = TabularWorld(THEN.mdp, THEN.behaviour, 2).advantages

STOP_OR_GO = TabularWorld(moves((end(0), to(1)), (end(0), end(1))), chances(HALF, HALF), 2, None, each_logit(2))


def two_lengths() -> list[Any]:
    """The means over steps, of means, and of sums, of A = 1 (one step) and A = −½ (three steps)."""
    short, long = (Trajectory(1, (s,) * (n + 1), (0,) * n, (0,) * n, True) for s, n in ((0, 1), (1, 3)))
    weights = of_table([[Fraction(1)], [-HALF]])
    sums = [sum(weights(one)) for one in (short, long)]
    means = [sum(mean_over_steps(weights)(one)) for one in (short, long)]
    return [Fraction(sum(sums), 4), sum(means) / 2, sum(sums) / 2]


def greedy_on_a_wrong_advantage() -> list[Any]:
    mdp, wrong = arms(1, 0), (-1, 1)
    best = wrong.index(max(wrong))
    return [evaluate(mdp, policy).objective for policy in (chances(HALF), chances(Fraction(best)))]


# --- VII, VIII --------------------------------------------------------------------------------------------------------


def divergence(one: Any, other: Any) -> Any:
    """D(one‖other) in a bandit (nats), as the mean log-ratio over what is drawn."""
    world = TabularWorld(arms(*(0,) * len(one[0])), np.array(one, dtype=float), 1, exact=False)
    return expectation(world, lambda t: of_table(log_ratios(one, other))(t)[0])


def surrogate(p: Fraction, q: Fraction, epsilon: Fraction | None = None) -> Any:
    """Σ_t E_old[min(rA, clip(r, 1 − ε, 1 + ε)A)] of the step p → q in SHARED, with the exact A; ε None is infinite."""
    old = TabularWorld(SHARED, chances(p, p), 2)
    advantage_of = of_table(old.advantages)

    def clipped(one: Trajectory) -> Any:
        found = Fraction(0)
        pairs = zip(ratios(one, chances(q, q), old.policy), advantage_of(one), strict=True)
        for ratio, advantage in pairs:
            held = ratio if epsilon is None else min(max(ratio, 1 - epsilon), 1 + epsilon)
            found += min(ratio * advantage, held * advantage)
        return found

    return expectation(old, clipped)


def slope_of_the_surrogate(p: Fraction) -> Any:
    """Its derivative in p, at the old policy."""
    world = TabularWorld(SHARED, chances(p, p), 2, None, one_logit(0, 1, of=2))
    return world.moments(of_table(world.advantages)).mean[0] / (p * (1 - p))


def maximiser_of_the_clipped_surrogate(p: Fraction, epsilon: Fraction) -> Fraction:
    """It is linear between its kinks, so that the best of them is a maximiser, and the only one where it is alone."""
    kinks = {side for e in (-epsilon, epsilon) for side in (p * (1 + e), 1 - (1 - p) * (1 + e))} | {
        p,
        Fraction(0),
        Fraction(1),
    }
    found = {q: surrogate(p, q, epsilon) for q in kinks if 0 <= q <= 1}
    [best] = [q for q, value in found.items() if value == max(found.values())]
    return best


def fisher(policy: Policy, features: Any = None) -> Any:
    """E[∇log π ∇log πᵀ], the covariance of the score."""
    world = TabularWorld(arms(*(0,) * len(policy[0])), policy, 1, None, features)
    return world.moments(lambda one: [1]).covariance


def divergence_after_the_natural_step() -> float:
    """Two arms with one logit, π_old = 1/10 on the better one, δ = 1/100."""
    p, delta = 0.1, 0.01
    [[information]] = fisher(chances(TENTH), one_logit(0, of=1))
    odds = p / (1 - p) * np.exp(sqrt(2 * delta / float(information)))
    return float(divergence([[1 - p, p]], [[1 / (1 + odds), odds / (1 + odds)]]))


def mean_divergence_in_the_place_of_the_largest() -> list[float]:
    """η(π'), and L − C · mean KL, with γ = 1/50 (TP.12)."""
    gamma = Fraction(1, 50)
    mdp = replace(moves((end(0), to(1)), (end(1), end(-1))), discount=gamma)
    old, new = chances(TENTH, HALF), chances(Fraction(13, 100), Fraction(9, 10))
    found = evaluate(mdp, old)
    rise = found.derivative(np.array(new) - np.array(old))
    constant_of_the_bound = 4 * abs(found.advantages).max() * gamma / (1 - gamma) ** 2
    each = [divergence([before], [after]) for before, after in zip(old, new, strict=True)]
    mean = sum(float(reached) * kl for reached, kl in zip(found.occupancy, each, strict=True))  # with the weight γᵗ
    return [float(evaluate(mdp, new).objective), float(found.objective + rise) - float(constant_of_the_bound) * mean]


def tied_by_their_features() -> list[Any]:
    """The ratios of two prompts with the logits θ and 2θ, where θ moves from 0 until the first is 6/5."""
    odds = Fraction(3, 2)
    new = chances(odds / (1 + odds), odds**2 / (1 + odds**2))
    everything = [Trajectory(1, (state, state), (1,), (0,), True) for state in (0, 1)]
    return [ratios(one, new, chances(HALF, HALF))[0] for one in everything]


# --- IX ---------------------------------------------------------------------------------------------------------------


def sure_and_uniform() -> list[Any]:
    """E[k3] and D, for π = (1, 0) and π_ref = (½, ½)."""
    world = TabularWorld(arms(0, 0), np.array([[1.0, 0.0]]), 1, exact=False)
    k1, k3 = (kl_weights(name, "reward", world.policy, [[0.5, 0.5]]) for name in ("k1", "k3"))
    return [expectation(world, lambda one: k3(one)[0]), expectation(world, lambda one: k1(one)[0])]


UNIFORM = [[0.5, 0.5]]
PENALISED = TabularWorld(
    moves((to(1), to(2)), (end(0),) * 2, (end(0),) * 2),
    np.array([[0.5, 0.5], [0.5, 0.5], [0.25, 0.75]]),
    2,
    features=one_logit(0, of=3),
    exact=False,
)
BANDIT = TabularWorld(arms(0, 0), np.array([[0.25, 0.75]]), 1, features=one_logit(0, of=1), exact=False)


def cell(name: str, placement: str, *, relative: bool = True) -> Any:
    """The expected gradient of a cell, over the true one, in BANDIT."""
    target = BANDIT.kl_gradient(UNIFORM)
    found = kl_table(BANDIT, UNIFORM, target)[name, placement].mean[0]
    return found / target[0] if relative else found


def attached(beta: Fraction, p: Fraction, q: Fraction, token: int) -> Any:
    """What ∇ of the log-ratio adds to L_CPI with reward-to-go: −β Σ_k score_k Σ_{t≤k} r_t, on the logit of a token."""
    old, new = chances(Fraction(1, 3), q), chances(Fraction(1, 4), p)
    world = TabularWorld(coins(0, 0), new, 2, behaviour=old, features=one_logit(token, of=2))

    def weights(one: Trajectory) -> Sequence[Any]:
        return [-beta * total for total in np.cumsum(ratios(one, new, old))]

    return world.moments(weights).mean[0]


def one_token(rewards: Sequence[float], beta: float, reference: Sequence[float]) -> exact.Optimum:
    """π* of responses of one token."""
    names = "abcdef"[: len(rewards)]
    mdp = TokenMDP("one token", tuple(names), 1, lambda prompt, response: rewards[response[0]], beta=beta)
    return exact.optimum(exact.prefix_tree(mdp), (torch.tensor([reference], dtype=torch.float64).log(),), beta)


def best(rewards: Sequence[float], beta: float, reference: Sequence[float]) -> list[float]:
    return one_token(rewards, beta, reference).logp[0].exp()[0].tolist()


HACK = ([0.0, 20 * log(2)], 1.0, [1 - 2.0**-10, 2.0**-10])


def drift() -> float:
    found = best(*HACK)
    return float(divergence([found], [HACK[2]]))


def exact_penalty_of_a_bandit() -> float:
    weights = exact_kl_weights(BANDIT.policy, UNIFORM)
    # The divergence of the state itself, detached, has no action in it: its score has the mean 0.
    itself = float(divergence(BANDIT.policy, UNIFORM))
    return float(BANDIT.moments(lambda one: [weight + itself for weight in weights(one)]).mean[0])


def penalties_in_two_places() -> list[float]:
    """max E[r] − βD − βD is the optimum at 2β."""
    return best([0.0, 2 * log(3)], 2.0, [0.5, 0.5])


# --- the list ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A number of a claim: which, how it is computed, and what is stated; a text states it to its last digit."""

    claim: str
    what: str
    found: Callable[[], Any]
    stated: Any


F = Fraction
CHI = chi_square(F(1, 3), F(3, 5))
NUMBERS = [
    Number("TR.1", "the sum over τ without the last factor", without_the_last_factor, 2),
    Number("TR.4", "r_max/(1 − γ), reached", lambda: evaluate(for_ever(F(3, 4)), ((1,),)).objective, 4),
    Number("TR.5", "short and long", lambda: two_episodes(0), [2, F(3, 2)]),
    Number("TR.5", "short and long with +1 a step", lambda: two_episodes(1), [3, F(9, 2)]),
    Number("TR.5", "1 now, 3 later", lambda: now_or_later(1, 3, HALF), [1, F(3, 2)]),
    Number("TR.5", "with +10 at the end", lambda: now_or_later(11, 13, HALF), [11, F(13, 2)]),
    Number("TR.6", "1 now, 3/2 later", lambda: now_or_later(1, F(3, 2), HALF), [1, F(3, 4)]),
    Number("PG.7", "bias", lambda: bias_of_old_samples(F(1, 3), F(3, 5), (2, -1)), F(4, 15) * (F(2, 3) * 2 - F(1, 3))),
    Number("PG.7", "no bias", lambda: bias_of_old_samples(HALF, F(3, 5), (1, -1)), 0),
    Number("PG.9", "V^T responses", number_of_responses, 3**4),
    Number(
        "PG.10", "J before and after", lambda: [eta(FIFTH), eta(FIFTH + 2 * (HALF - 2 * FIFTH))], [F(3, 50), F(1, 25)]
    ),
    Number("PG.11", "A₀ and G", a_good_action_and_its_return, [HALF, -2]),
    Number("AD.4", "two coins, all and to go", lambda: variances(COINS_OF_BOTH_SIGNS), [0, QUARTER]),
    Number(
        "AD.4",
        "rewards of one sign",
        lambda: variances(REWARDS_OF_ONE_SIGN),
        [F(59139, 250000), F(60489, 250000)],
    ),
    Number("AD.6", "1 − 1/2", lambda: less_the_mean_of_the_batch(2, own=True), [HALF] * 2),
    Number("AD.6", "1 − 1/3", lambda: less_the_mean_of_the_batch(3, own=True), [F(2, 3)] * 2),
    Number("AD.6", "leave one out", lambda: less_the_mean_of_the_batch(3, own=False), [1, 1]),
    Number("AD.7", "bias", bias_of_a_baseline_of_the_action, -F(1, 3) * F(2, 3) * 3),
    Number("AD.8", "variances", ratio_of_variances_with_v, 64),
    Number("AD.11", "R̂₁ and Q", to_go_at_the_last_step, [1, 2]),
    Number("AD.12", "γᵗ", lambda: with_the_discount_of_the_source(F(2, 3)), F(2, 3)),
    Number("AD.14", "A₂ and the way of π₂", an_advantage_and_what_the_gradient_does, [FIFTH, -1]),
    Number("AD.15", "R̂ and Q", a_coin_for_a_reward, [0, 1, HALF]),
    Number("AD.18", "bias at λ = 0", lambda: bias_of_a_wrong_critic(0), F(1, 3) * F(2, 3) * (7 - 2)),
    Number("AD.18", "none at λ = 1", lambda: bias_of_a_wrong_critic(1), 0),
    Number("AD.19", "variance at λ = 0 and 1", lambda: [variance_of_gae(0), variance_of_gae(1)], [100, 0]),
    Number("AD.20", "taken for an end", lambda: cut_after_one_step(truncates=False), -F(3, 4) / (1 - F(3, 4))),
    Number("AD.20", "taken for a cut", lambda: cut_after_one_step(truncates=True), 0),
    Number("IS.1", "E_p[1] and its estimate", lambda: [weights_of(HALF, q).mean for q in (HALF, F(0))], [1, HALF]),
    Number("IS.2", "E[w] on half the support", lambda: weights_of(HALF, F(0)).mean, HALF),
    Number("IS.2", "E[w] and E[w²]", lambda: _two(weights_of(F(1, 3), F(3, 5))), [1, 1 + CHI]),
    Number("IS.3", "E[w²] of 4 steps", lambda: weights_of(F(1, 3), F(3, 5), 4).second_moment, (1 + CHI) ** 4),
    Number("IS.7", "∇η", lambda: in_probabilities(THEN.gradient), [V, U]),
    Number("IS.7", "∇L_CPI", lambda: gradient_of_cpi(OLD_ADVANTAGES), [V_OLD, U_OLD]),
    Number("IS.7", "with A^π", lambda: gradient_of_cpi(THEN.advantages), [V, U_OLD]),
    Number("IS.7", "with all ratios", lambda: gradient_of_cpi(THEN.advantages, "prefix"), [V, U]),
    Number("IS.8", "the largest ratio, 1/π_old", lambda: weights_of(F(1), TENTH).largest, 10),
    Number("IS.9", "sums", lambda: list(STOP_OR_GO.moments(of_table(STOP_OR_GO.advantages)).mean), [F(1, 8), F(1, 8)]),
    Number(
        "IS.9",
        "means over steps",
        lambda: list(STOP_OR_GO.moments(mean_over_steps(of_table(STOP_OR_GO.advantages))).mean),
        [F(3, 32), F(1, 16)],
    ),
    Number("IS.9", "two lengths", two_lengths, [-F(1, 8), QUARTER, -QUARTER]),
    Number("IS.10", "η before and after", greedy_on_a_wrong_advantage, [HALF, 0]),
    Number("TP.4", "KL of the step", lambda: divergence([[0.5, 0.5]], [[0.51, 0.49]]), ".0002"),
    Number("TP.4", "η after it", lambda: evaluate(arms(0, 1), chances(F(49, 100))).objective, F(49, 100)),
    Number("TP.4", "slope", lambda: slope_of_the_surrogate(F(6, 25)), F(2, 100)),
    Number("TP.4", "η before and after", lambda: [eta(F(6, 25)), eta(F(27, 100))], [F(624, 10000), F(621, 10000)]),
    Number("TP.5", "the largest ratio", lambda: weights_of(F(1, 100), F(1, 10**4)).largest, 100),
    Number("TP.5", "second moment", lambda: weights_of(F(1, 100), F(1, 10**4)).second_moment, "1.98"),
    Number("TP.5", "KL", lambda: divergence([[0.9999, 0.0001]], [[0.99, 0.01]]), ".0095"),
    Number("TP.7", "det F", lambda: _determinant(fisher(chances(HALF))), 0),
    Number("TP.11", "KL after the step", divergence_after_the_natural_step, ".01134"),
    Number("TP.12", "η and its bound", mean_divergence_in_the_place_of_the_largest, ["-.00208", "-.00204"]),
    Number("PPO.8", "η + L_CLIP", lambda: eta(TENTH) + surrogate(TENTH, F(3, 25), HALF), F(23, 500)),
    Number("PPO.8", "η", lambda: eta(F(3, 25)), F(57, 1250)),
    Number("PPO.8", "smaller", lambda: [eta(F(1, 3)) + surrogate(F(1, 3), HALF, HALF), eta(HALF)], [F(1, 36), 0]),
    Number("PPO.9", "the arm not drawn", lambda: weights_of(1 - F(8, 10) * F(9, 10), TENTH).largest, F(28, 10)),
    Number("PPO.9", "tied states", tied_by_their_features, [F(6, 5), F(18, 13)]),
    Number("PPO.10", "maximiser", lambda: maximiser_of_the_clipped_surrogate(F(6, 25), FIFTH), F(36, 125)),
    Number("PPO.10", "η", lambda: [eta(F(6, 25)), eta(F(36, 125))], [F(39, 625), F(954, 15625)]),
    Number("KL.2", "E[k3] and D", sure_and_uniform, [log(2) - 0.5, log(2)]),
    Number("KL.6", "the truth", lambda: PENALISED.kl_gradient(UNIFORM * 3)[0], (3 * log(3) - 4 * log(2)) / 16),
    Number(
        "KL.6",
        "the added term",
        lambda: PENALISED.moments(kl_weights("k2", "loss", PENALISED.policy, UNIFORM * 3)).mean[0],
        0.0,
    ),
    Number("KL.7", "k1 in the reward", lambda: cell("k1", "reward"), 1.0),
    Number("KL.7", "k1 in the loss", lambda: cell("k1", "loss"), 0.0),
    Number("KL.7", "k2 in the reward", lambda: cell("k2", "reward"), "-.144"),
    Number("KL.7", "k2 in the loss", lambda: cell("k2", "loss"), 1.0),
    Number("KL.7", "k3 in the reward", lambda: cell("k3", "reward"), "-.214"),
    Number("KL.7", "k3 in the loss, ∇D(π_ref‖π) = π − π_ref", lambda: cell("k3", "loss", relative=False), 0.75 - 0.5),
    Number("KL.8", "nothing in one step", lambda: attached(F(2, 5), F(1, 4), F(2, 3), 0), 0),
    Number("KL.8", "−β(q − p)", lambda: attached(F(2, 5), F(1, 4), F(2, 3), 1), -F(2, 5) * (F(2, 3) - F(1, 4))),
    Number("KL.12", "π*(hack)", lambda: best(*HACK)[1], 1048576 / 1049599),
    Number("KL.12", "drift", drift, "6.92"),
    Number("KL.15", "of a bandit", exact_penalty_of_a_bandit, 0.0),
    Number("KL.17", "counted twice", penalties_in_two_places, [0.25, 0.75]),
    Number("RM.8", "1:2:4", lambda: best([0.0, log(2), log(4)], 1.0, [1 / 3] * 3), [1 / 7, 2 / 7, 4 / 7]),
    Number(
        "RM.8", "1:2:1024", lambda: best([0.0, log(2), log(1024)], 1.0, [1 / 3] * 3), [1 / 1027, 2 / 1027, 1024 / 1027]
    ),
]


def _two(found: Any) -> list[Any]:
    return [found.mean, found.second_moment]


def _determinant(matrix: Any) -> Any:
    return matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]


def check(found: Any, stated: Any) -> None:
    """Exact numbers are equal, logarithms to 1e-12, and a text to its last digit."""
    if isinstance(stated, list):
        for one, other in zip(found, stated, strict=True):
            check(one, other)
    elif isinstance(stated, str):
        assert abs(float(found) - float(stated)) <= 0.5 * 10.0 ** -len(stated.split(".")[1])
    elif isinstance(stated, float):
        assert found == pytest.approx(stated, rel=1e-12, abs=1e-15)
    else:
        assert isinstance(found, Fraction | int) and found == stated


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"{number.claim}: {number.what}")
def test_the_oracle_gives_the_number(number: Number) -> None:
    check(number.found(), number.stated)


def test_every_number_is_of_a_claim_of_the_ledger() -> None:
    claims = set(Ledger().claims)
    assert {number.claim for number in NUMBERS} <= claims and len(claims) > 100
