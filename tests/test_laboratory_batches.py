"""Baselines that are estimated from a batch, and whitening, over all batches of two or three responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from small_worlds import ENDING, policy_for
from tabular_worlds import HALF, arms, random_mdp, random_policy
from torch import Tensor

from derivations.algorithms import assembly, exact, losses
from derivations.algorithms.bugs.advantages import own_sample_in_the_baseline
from derivations.laboratory import (
    BatchWeights,
    Moments,
    TabularWorld,
    TokenWorld,
    World,
    batch_mean,
    discounted,
    each_alone,
    gae,
    leave_one_out,
    reinforce,
    reward_to_go,
    whitened,
)
from toy_envs.errors import BadInput
from toy_envs.tabular_oracle import Trajectory
from toy_envs.token_mdp import TokenMDP, Tokens

TREE = exact.prefix_tree(ENDING)
CRITIC = [0.1 * (s % 5) - 0.3 for s in range(TREE.prefixes)]


def levels(seed: int, tree: exact.Tree = TREE) -> exact.Levels:
    with torch.no_grad():
        return exact.tree_logp(policy_for(tree.mdp, seed), tree)


def both(tree: exact.Tree) -> dict[str, TokenWorld]:
    gpt = TokenWorld(tree, policy_for(tree.mdp, 1), diagonal=True)
    return {"table": TokenWorld(tree, levels(1, tree)), "GPT": gpt}


WORLDS = both(TREE)
SHORTER = both(exact.prefix_tree(replace(ENDING, horizon=2)))  # 14 responses, for more of them at once
OF_SIZE = {1: WORLDS, 2: WORLDS, 3: SHORTER, 4: SHORTER}
UNBIASED = {"REINFORCE": reinforce(), "reward-to-go": reward_to_go(), "GAE, any critic, λ = 1": gae(CRITIC, 1, 1)}
in_each = pytest.mark.parametrize("name", WORLDS)


def apart(found: Any, stated: Any) -> float:
    """How far one vector is from another, in lengths of that one."""
    return float(np.linalg.norm(found - stated) / np.linalg.norm(stated))


def angle(one: Any, other: Any) -> float:
    """The sine of the angle between two vectors."""
    along = (one @ other) / (other @ other) * other
    return float(np.linalg.norm(one - along) / np.linalg.norm(one))


# --- what the mean is ---------------------------------------------------------------------------------------------------


@in_each
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("estimator", UNBIASED)
def test_leave_one_out_is_unbiased(name: str, size: int, estimator: str) -> None:
    """AD.6."""
    here = OF_SIZE[size][name]
    found = here.batch_moments(leave_one_out(UNBIASED[estimator]), size)
    assert apart(found.mean, here.gradient) < 1e-9
    assert found.target is here.gradient


@in_each
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("estimator", UNBIASED)
def test_the_mean_of_the_batch_with_its_own_sample_shrinks_the_gradient(name: str, size: int, estimator: str) -> None:
    """AD.6: by 1 − 1/N exactly; a batch of one has nothing left of it."""
    here = OF_SIZE[size][name]
    found = here.batch_moments(batch_mean(UNBIASED[estimator]), size)
    if size > 1:
        assert apart(found.mean, (1 - 1 / size) * here.gradient) < 1e-9
    else:
        assert np.abs(found.mean).max() < 1e-12


@in_each
def test_with_its_own_sample_each_estimate_is_smaller_and_nothing_else(name: str) -> None:
    """For REINFORCE G_i − Ḡ is (1 − 1/N) times the return less the mean of the others, in each batch."""
    one, other = (SHORTER[name].batch_moments(kind(reinforce()), 3) for kind in (batch_mean, leave_one_out))
    assert one.covariance == pytest.approx((2 / 3) ** 2 * other.covariance, rel=1e-9, abs=1e-13)


@in_each
@pytest.mark.parametrize("size", [2, 3])
def test_whitening_changes_the_direction(name: str, size: int) -> None:
    """Whatever baseline was subtracted: each batch is divided by a σ of its own."""
    here = OF_SIZE[size][name]
    for weights in (each_alone(reinforce()), leave_one_out(reinforce()), batch_mean(reward_to_go())):
        assert angle(here.batch_moments(weights, size).mean, here.gradient) < 1e-9
        assert 0.02 < angle(here.batch_moments(whitened(weights), size).mean, here.gradient) < 0.3


# --- pairs that are whitened: only who won counts -----------------------------------------------------------------------


def score(prompt: Tokens, response: Tokens) -> float:
    """Different for each response."""
    return sum(3**place * token for place, token in enumerate(response)) / 3 + prompt[0] / 6


PAIRS = TokenMDP("pairs", ("0", "1", "2"), 2, score, beta=1.0, prompts=((0,), (1,)))


def of_pairs(reward: Callable[[Tokens, Tokens], float], *, gpt: bool = False) -> TokenWorld:
    tree = exact.prefix_tree(replace(PAIRS, reward=reward))
    return TokenWorld(tree, policy_for(PAIRS, 2) if gpt else levels(2, tree), diagonal=gpt)


@pytest.mark.parametrize("gpt", [False, True], ids=["table", "GPT"])
def test_a_whitened_pair_says_only_who_won(gpt: bool) -> None:
    """ψ is ±1: E[ĝ] = E_y[(P(r' < r(y)) − P(r' > r(y))) ∇log π(y)], r' the score of another response; by enumeration."""
    here = of_pairs(score, gpt=gpt)

    def surplus(one: Trajectory) -> list[float]:
        """How much likelier it is to beat another response than to lose to it, at each step."""
        others = [(other.probability, other.rewards[-1] - one.rewards[-1]) for other in here.trajectories()]
        return [-sum(chance * float(np.sign(more)) for chance, more in others)] * len(one.actions)

    found = here.batch_moments(whitened(each_alone(reinforce())), 2)
    assert apart(found.mean, here.moments(surplus).mean) < 1e-9
    assert angle(found.mean, here.gradient) > 0.05


def test_other_rewards_of_the_same_ranking_give_the_same_whitened_gradient() -> None:
    """And another ∇J, also in its direction."""
    here, there = of_pairs(score), of_pairs(lambda prompt, response: float(np.exp(2 * score(prompt, response))))
    weights = whitened(leave_one_out(reinforce()))
    one, other = here.batch_moments(weights, 2), there.batch_moments(weights, 2)
    assert apart(one.mean, other.mean) < 1e-9
    assert one.covariance == pytest.approx(other.covariance, abs=1e-12)
    assert angle(one.target, other.target) > 0.3


# --- the same by other routes -------------------------------------------------------------------------------------------


def padded(rows: Sequence[Sequence[float]]) -> Tensor:
    return torch.tensor([[*row, *[0.0] * (ENDING.horizon - len(row))] for row in rows], dtype=torch.float64)


def by_the_loss(advantages: Callable[[Tensor, Tensor], Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of −∇ of the REINFORCE loss, by autograd through a table's logits, batch by batch of two."""
    logits = [level.clone().requires_grad_() for level in levels(1)]
    every = exact.all_responses(TREE)
    returns = torch.tensor([sum(one.rewards) for one in WORLDS["table"].trajectories()], dtype=torch.float64)
    chances = exact.response_logp(TREE, levels(1)).exp()
    place = {prefix: (t, row) for t, level in enumerate(TREE.levels) for row, prefix in enumerate(level.prefixes)}
    rows, weights = [], []
    for batch in product(range(len(every)), repeat=2):
        logp = torch.zeros(2, ENDING.horizon, dtype=torch.float64)
        for row, (prompt, tokens) in enumerate(TREE.responses[k] for k in batch):
            for t, token in enumerate(tokens):
                level, prefix = place[prompt, tokens[:t]]
                logp[row, t] = logits[level][prefix].log_softmax(-1)[token]
        mask = every.mask[list(batch)]
        loss, _ = losses.reinforce(logp, advantages(returns[list(batch)], mask), mask)
        found = torch.autograd.grad(-loss, logits, materialize_grads=True)
        rows.append(torch.cat([part.flatten() for part in found]))
        weights.append(chances[list(batch)].prod())
    table, law = torch.stack(rows).numpy(), torch.stack(weights).numpy()
    mean = law @ table
    return mean, ((table - mean).T * law) @ (table - mean)


def loss_of_leave_one_out(returns: Tensor, mask: Tensor) -> Tensor:
    return assembly.leave_one_out(returns).unsqueeze(-1).expand(mask.shape)


def loss_of_whitened(returns: Tensor, mask: Tensor) -> Tensor:
    spread = returns.unsqueeze(-1).expand(mask.shape)
    alike = (returns == returns[0]).all()
    return torch.zeros_like(spread) if alike else assembly.whiten(spread, mask)


@pytest.mark.parametrize(
    ("weights", "advantages"),
    [
        (leave_one_out(reinforce()), loss_of_leave_one_out),
        (whitened(each_alone(reinforce())), loss_of_whitened),
    ],
    ids=["leave-one-out", "whitened"],
)
def test_the_moments_are_those_of_the_loss_that_is_trained(
    weights: BatchWeights, advantages: Callable[[Tensor, Tensor], Tensor]
) -> None:
    mean, covariance = by_the_loss(advantages)
    found = WORLDS["table"].batch_moments(weights, 2)
    assert apart(found.mean, mean) < 1e-9
    assert found.covariance == pytest.approx(covariance, rel=1e-9, abs=1e-12)


def test_the_weights_are_those_of_the_tensors() -> None:
    """The algorithm's own baseline and whitening, and the bug of the zoo, on batches of unequal lengths."""
    every = WORLDS["table"].trajectories()
    for batch in (every[:3], every[5:9], every[-2:]):
        returns = torch.tensor([sum(one.rewards) for one in batch], dtype=torch.float64)
        mask = padded([[1.0] * len(one.actions) for one in batch]).bool()
        whole, to_go = leave_one_out(reinforce())(batch), leave_one_out(reward_to_go())(batch)
        assert whole == to_go, "the only reward is the last"
        assert [row[0] for row in whole] == pytest.approx(assembly.leave_one_out(returns).tolist(), rel=1e-12)
        own = batch_mean(reinforce())(batch)
        assert [row[-1] for row in own] == pytest.approx(own_sample_in_the_baseline(returns).tolist(), rel=1e-12)
        values = each_alone(gae(CRITIC, 1, 0.5))
        stated = assembly.whiten(padded(values(batch)), mask)
        assert (padded(whitened(values)(batch)) - stated).abs().max() < 1e-12


def of_each(here: TabularWorld, weights: BatchWeights) -> Callable[[tuple[Trajectory, ...]], Any]:
    """The estimate of a batch, from the estimates of its trajectories."""

    def estimate(batch: tuple[Trajectory, ...]) -> Any:
        rows = [here.estimate(lambda _, row=row: row)(one) for one, row in zip(batch, weights(batch), strict=True)]
        return sum(rows) * Fraction(1, len(batch))

    return estimate


@pytest.mark.parametrize("features", [None, [[[1, 0], [0, 2]], [[3, -1], [1, 0]]]], ids=["table", "two"])
def test_a_tabular_world_has_them_in_exact_numbers(features: Any) -> None:
    """And the general route, from the estimate of each batch itself, gives the same."""
    gamma = Fraction(3, 4)
    mdp = random_mdp(2, gamma, states=1)
    here = TabularWorld(mdp, random_policy(2, mdp), 2, features=features)
    for weights in (leave_one_out(reinforce(gamma), gamma), batch_mean(discounted(reward_to_go(gamma), gamma), gamma)):
        found, stated = here.batch_moments(weights, 2), here.batch_moments_of(of_each(here, weights), 2)
        assert (found.mean == stated.mean).all() and (found.covariance == stated.covariance).all()
        assert isinstance(found.mean[0], Fraction) and found.mean.any()
    assert (here.batch_moments(leave_one_out(reinforce(gamma), gamma), 2).mean == here.gradient).all()
    assert (here.batch_moments(batch_mean(reinforce(gamma), gamma), 2).mean == here.gradient / 2).all()


def test_a_policy_of_integers_stays_exact() -> None:
    """Arm 1 always, from batches of a coin: by hand from the four of them, each with (r_i − r_j)(a_i − 1) in one logit."""
    here = TabularWorld(arms(1, 4), ((0, 1),), 1, ((HALF, HALF),), features=[[[0, 1]]])
    found = here.batch_moments(leave_one_out(reinforce()), 2, target=np.array([0]))
    estimates = [
        Fraction((r - s) * (a - 1) + (s - r) * (b - 1), 2) for r, a in ((1, 0), (4, 1)) for s, b in ((1, 0), (4, 1))
    ]
    assert found.mean.tolist() == [sum(estimates) / 4] == [Fraction(3, 4)]
    assert found.covariance.tolist() == [[sum(one**2 for one in estimates) / 4 - Fraction(9, 16)]]


@in_each
def test_estimates_that_know_nothing_of_each_other(name: str) -> None:
    """PG.5, PG.6: the mean of one, and a part of its covariance."""
    here = WORLDS[name]
    weights = gae(CRITIC, 1, 0.5)
    one: Moments = here.moments(weights)
    for size in (1, 2):
        found = here.batch_moments(each_alone(weights), size, target=one.mean)
        assert np.abs(found.bias).max() < 1e-12
        assert size * found.covariance == pytest.approx(one.covariance, rel=1e-9, abs=1e-12)
        assert found.covariance.ndim == one.covariance.ndim == (1 if name == "GPT" else 2)


@in_each
def test_the_scores_of_the_steps_make_up_the_estimate(name: str) -> None:
    here = WORLDS[name]
    rows = here.step_scores()
    every = here.trajectories()
    assert [len(row) for row in rows] == [len(one.actions) for one in every]
    weights = gae(CRITIC, 1, 0.5)
    mean = sum(one.probability * (np.array(weights(one)) @ row) for one, row in zip(every, rows, strict=True))
    assert apart(here.moments(weights).mean, mean) < 1e-12


def test_responses_of_another_policy() -> None:
    """The batches are as likely as the policy makes them that draws, and the scores are those of π."""
    here = TokenWorld(TREE, levels(1), levels(3))
    one, found = here.moments(reinforce()), here.batch_moments(leave_one_out(reinforce()), 2)
    shared = here.moments(lambda one: [1.0] * len(one.actions)).mean  # off policy it is not 0
    level = sum(one.probability * sum(one.rewards) for one in here.trajectories())
    assert apart(found.mean, one.mean - level * shared) < 1e-9 and np.abs(level * shared).max() > 1e-2


# --- refused, and at the border -----------------------------------------------------------------------------------------


def test_a_batch_without_differences_is_whitened_to_nothing() -> None:
    one = Trajectory(Fraction(1), (0, 0, 0, 0), (0, 0, 0), (0.1, 0.1, 0.1), True)
    assert whitened(lambda batch: [[0.1] * 3] * 2)([one, one]) == [[0.0] * 3] * 2
    assert whitened(lambda batch: [[1, 3], [1, 3]])([one, one]) == [[-1.0, 1.0]] * 2


BANDIT = TabularWorld(arms(1, 4), ((HALF, HALF),), 1)


@pytest.mark.parametrize(
    ("world", "size", "told"),
    [
        (BANDIT, 1, "a batch of 1; expected at least 2"),
        (BANDIT, 0, "size is 0; expected at least 1"),
        (BANDIT, 20, "size is 20, which makes 1048576 batches; expected at most 1000000"),
        (WORLDS["table"], 9, "size is 9, which makes"),
    ],
)
def test_what_cannot_be_enumerated_is_refused(world: World, size: int, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        world.batch_moments(leave_one_out(reinforce()), size)


def test_a_covariance_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "MOST_WEIGHTS", 20)
    assert WORLDS["GPT"].batch_moments(each_alone(reinforce()), 1).covariance.ndim == 1
    with pytest.raises(BadInput, match="expected at most 20 for a whole covariance"):
        WORLDS["table"].batch_moments(each_alone(reinforce()), 1)
