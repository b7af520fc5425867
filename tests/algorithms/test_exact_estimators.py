"""The exact mean and covariance of estimators of the gradient, and the divergence token by token."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_worlds import ENDING, policy_for
from test_exact import all_responses, as_batch
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.gpt import GPT
from derivations.algorithms.rollout import Responses, score, weighted_scores
from toy_envs.errors import BadInput

BETA = ENDING.beta
TREE = exact.prefix_tree(ENDING)
PAIRS = all_responses(ENDING)


class Setting:
    """A policy and a reference policy on the small world, and the estimators that are compared."""

    def __init__(self) -> None:
        self.policy, self.reference = policy_for(ENDING, 1), policy_for(ENDING, 2)
        self.logp, self.logp_ref = self.levels(self.policy), self.levels(self.reference)
        self.gradient = flat(exact.gradient(self.policy, TREE, self.logp_ref, BETA))

    def levels(self, policy: GPT) -> exact.Levels:
        with torch.no_grad():
            return exact.tree_logp(policy, TREE)

    def rewards(self, batch: Responses, beta: float = BETA) -> Tensor:
        """The score with the last token, less β times the log-ratio of each, [responses, time]."""
        with torch.no_grad():
            ratios = score(self.policy, batch).logp - score(self.reference, batch).logp
        lengths = batch.mask.sum(-1)
        earned = [
            ENDING.reward(tuple(prompt), tuple(tokens[:length]))
            for prompt, tokens, length in zip(
                batch.prompts.tolist(), batch.tokens.tolist(), lengths.tolist(), strict=True
            )
        ]
        last = torch.arange(batch.tokens.shape[1]) == (lengths - 1).unsqueeze(-1)
        return last * torch.tensor(earned, dtype=torch.float64).unsqueeze(-1) - beta * ratios

    def reinforce(self, beta: float = BETA, baseline: float = 0.0) -> exact.Estimator:
        """Each score times the whole return, less a constant. With another β the penalty is another."""

        def estimate(batch: Responses) -> Tensor:
            returns = self.rewards(batch, beta).sum(-1, keepdim=True) - baseline
            return weighted_scores(self.policy, batch, returns.expand(batch.tokens.shape))

        return estimate

    def to_go(self, batch: Responses) -> Tensor:
        """Each score times the rewards from there on."""
        rewards = self.rewards(batch)
        return weighted_scores(self.policy, batch, rewards.flip(-1).cumsum(-1).flip(-1))

    def with_state_baseline(self, batch: Responses) -> Tensor:
        """The reward-to-go less a function of the prefix alone, here the number of its last token."""
        rewards = self.rewards(batch)
        before = torch.cat((batch.prompts[:, -1:], batch.tokens[:, :-1]), 1)
        return weighted_scores(self.policy, batch, rewards.flip(-1).cumsum(-1).flip(-1) - (1.0 + before))

    def without_last_score(self, batch: Responses) -> Tensor:
        """The bug of TR.1: the product over the actions that leaves the last one out."""
        returns = self.rewards(batch).sum(-1, keepdim=True)
        followed = torch.cat((batch.mask[:, 1:], torch.zeros_like(batch.mask[:, :1])), 1)
        return weighted_scores(self.policy, batch, returns * followed)

    def plain_score(self, batch: Responses) -> Tensor:
        return weighted_scores(self.policy, batch, torch.ones(batch.tokens.shape, dtype=torch.float64))

    def moments(self, estimator: exact.Estimator, chunk: int = 1024) -> exact.Moments:
        return exact.estimator_moments(TREE, self.logp, estimator, chunk=chunk)

    def bias(self, estimator: exact.Estimator) -> float:
        """‖E[ĝ] − ∇J‖/‖∇J‖."""
        return ((self.moments(estimator).mean - self.gradient).norm() / self.gradient.norm()).item()


def flat(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


@pytest.fixture(scope="module")
def setting() -> Setting:
    return Setting()


def directions(estimator: exact.Estimator, count: int = 5) -> exact.Estimator:
    """A few random projections of an estimate: covariances small enough to be looked at."""

    def estimate(batch: Responses) -> Tensor:
        rows = estimator(batch)
        generator = torch.Generator().manual_seed(3)
        return rows @ torch.randn(rows.shape[1], count, generator=generator, dtype=rows.dtype)

    return estimate


# --- the rows of an estimate ----------------------------------------------------------------------------------------


def test_each_row_is_the_gradient_of_its_response_alone(setting: Setting) -> None:
    batch = as_batch(ENDING, PAIRS)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(batch.tokens.shape, generator=generator, dtype=torch.float64)
    rows = weighted_scores(setting.policy, batch, weights)
    parameters = list(setting.policy.parameters())
    assert rows.shape == (len(PAIRS), sum(p.numel() for p in parameters))
    assert {int(length) for length in batch.mask.sum(-1)} == {1, 2, 3}
    for place, row in enumerate(rows):
        one = batch.rows(torch.tensor([place]))
        total = (score(setting.policy, one).logp * weights[place]).sum()
        expected = flat(torch.autograd.grad(total, parameters, materialize_grads=True))
        assert (row - expected).norm() < 1e-12 * (1 + expected.norm())


def test_the_batch_of_all_responses_is_in_the_order_of_their_probabilities(setting: Setting) -> None:
    batch = exact.all_responses(TREE)
    with torch.no_grad():
        found = score(setting.policy, batch).logp.sum(-1)
    chances = dict(zip(ENDING.prompts, ENDING.prompt_law, strict=True))
    logs = torch.tensor([chances[tuple(prompt)] for prompt in batch.prompts.tolist()], dtype=torch.float64).log()
    assert (found + logs - exact.response_logp(TREE, setting.logp)).abs().max() < 1e-12


# --- means ----------------------------------------------------------------------------------------------------------


def test_reinforce_is_unbiased(setting: Setting) -> None:
    """PG.4 and PG.5, with the penalty in the reward (PG.8: it adds nothing)."""
    assert setting.bias(setting.reinforce()) < 1e-12


def test_reward_to_go_and_baselines_keep_the_mean(setting: Setting) -> None:
    """AD.3 and AD.5."""
    for estimator in (setting.to_go, setting.with_state_baseline, setting.reinforce(baseline=3.0)):
        assert setting.bias(estimator) < 1e-12


def test_the_mean_score_is_zero(setting: Setting) -> None:
    """AD.1, summed over the places."""
    assert setting.moments(setting.plain_score).mean.abs().max() < 1e-13


def test_without_the_penalty_it_is_the_gradient_of_another_objective(setting: Setting) -> None:
    """The bias of a forgotten penalty is exactly what it adds to the gradient."""
    forgotten = setting.reinforce(beta=0.0)
    assert setting.bias(forgotten) > 0.1
    plain = flat(exact.gradient(setting.policy, TREE, setting.logp_ref, 0.0))
    assert (setting.moments(forgotten).mean - plain).norm() < 1e-12 * plain.norm()


def test_without_the_last_score_it_is_biased(setting: Setting) -> None:
    assert setting.bias(setting.without_last_score) > 1e-2


def test_on_responses_of_another_policy_it_is_biased(setting: Setting) -> None:
    """PG.7."""
    found = exact.estimator_moments(TREE, setting.logp_ref, setting.reinforce()).mean
    assert (found - setting.gradient).norm() > 1e-2 * setting.gradient.norm()


def test_a_number_is_a_row_of_one(setting: Setting) -> None:
    """k1, whose mean is the divergence of whole responses (KL.1), and whose variance is that of the log-ratio."""

    def k1(batch: Responses) -> Tensor:
        with torch.no_grad():
            ratios = score(setting.policy, batch).logp - score(setting.reference, batch).logp
        return ratios.sum(-1, keepdim=True)

    found = setting.moments(k1)
    expected = exact.kl(TREE, setting.logp, setting.logp_ref)
    assert found.mean.item() == pytest.approx(expected.item(), rel=1e-12)
    own, ref = (exact.response_logp(TREE, levels) for levels in (setting.logp, setting.logp_ref))
    spread = (own.exp() * (own - ref - expected) ** 2).sum()
    assert found.variance.item() == pytest.approx(spread.item(), rel=1e-12)


# --- covariances ----------------------------------------------------------------------------------------------------


def test_the_covariance_is_that_of_all_responses_with_their_probabilities(setting: Setting) -> None:
    """By torch.cov on one matrix of all rows, with the probabilities of another walk."""
    with torch.no_grad():
        own = score(setting.policy, as_batch(ENDING, PAIRS)).logp.sum(-1).exp()
    chances = dict(zip(ENDING.prompts, ENDING.prompt_law, strict=True))
    probabilities = own * torch.tensor([chances[prompt] for prompt, _ in PAIRS], dtype=torch.float64)
    rows = setting.reinforce()(as_batch(ENDING, PAIRS))
    expected = torch.cov(rows.T, correction=0, aweights=probabilities)
    found = setting.moments(setting.reinforce())
    assert (found.covariance - expected).norm() < 1e-12 * expected.norm()
    assert found.variance.item() == pytest.approx(expected.trace().item(), rel=1e-12)
    assert expected.norm() > 1


def test_the_chunks_change_nothing(setting: Setting) -> None:
    whole = setting.moments(setting.reinforce())
    for chunk in (4, 29):
        parts = setting.moments(setting.reinforce(), chunk)
        assert (parts.mean - whole.mean).norm() < 1e-12 * whole.mean.norm()
        assert (parts.covariance - whole.covariance).norm() < 1e-12 * whole.covariance.norm()


def test_the_diagonal_alone(setting: Setting) -> None:
    whole = setting.moments(setting.reinforce())
    found = exact.estimator_moments(TREE, setting.logp, setting.reinforce(), diagonal=True, chunk=11)
    assert found.covariance.shape == found.mean.shape
    assert (found.covariance - whole.covariance.diagonal()).norm() < 1e-12 * whole.covariance.norm()
    assert found.variance.item() == pytest.approx(whole.variance.item(), rel=1e-12)
    assert (found.mean - whole.mean).norm() < 1e-12 * whole.mean.norm()


def test_a_constant_baseline_moves_the_variance_along_a_parabola(setting: Setting) -> None:
    """Var = E‖g‖²(R − b)² − ‖∇J‖², g the score: least at b = E‖g‖²R / E‖g‖² (AD.9)."""
    batch = exact.all_responses(TREE)
    p = exact.response_logp(TREE, setting.logp).exp()
    squares = (setting.plain_score(batch) ** 2).sum(-1)
    returns = setting.rewards(batch).sum(-1)
    best = ((p * squares * returns).sum() / (p * squares).sum()).item()

    def variance(baseline: float) -> float:
        return setting.moments(setting.reinforce(baseline=baseline)).variance.item()

    for baseline in (0.0, best, best + 2.0):
        by_hand = (p * squares * (returns - baseline) ** 2).sum() - (setting.gradient**2).sum()
        assert variance(baseline) == pytest.approx(by_hand.item(), rel=1e-10)
    assert variance(best) < min(variance(best - 0.1), variance(best + 0.1))
    rise = (p * squares).sum().item()
    assert variance(best + 2.0) - variance(best) == pytest.approx(4 * rise, rel=1e-10)


def test_the_covariance_is_symmetric_and_nowhere_negative(setting: Setting) -> None:
    found = setting.moments(directions(setting.to_go)).covariance
    assert (found - found.T).abs().max() < 1e-12 * found.norm()
    assert torch.linalg.eigvalsh(found).min() > 0


def test_what_is_the_same_for_every_response_has_no_variance() -> None:
    """About the mean and not about zero: a million leaves nothing behind."""
    logp = tuple(torch.full((len(level.prefixes), 3), 1 / 3, dtype=torch.float64).log() for level in TREE.levels)
    found = exact.estimator_moments(TREE, logp, lambda batch: torch.full((len(batch), 2), 1e6), chunk=7)
    assert found.mean.tolist() == pytest.approx([1e6, 1e6], rel=1e-14)
    assert found.covariance.abs().max() < 1e-15


# --- bad input ------------------------------------------------------------------------------------------------------


def test_what_is_no_estimator_is_refused(setting: Setting) -> None:
    with pytest.raises(BadInput, match=r"estimator gives \[30, 2\] for 1 responses; expected \[1, weights\]"):
        setting.moments(lambda batch: torch.zeros(30, 2), chunk=1)
    with pytest.raises(BadInput, match=r"estimator gives \[30\] for 30 responses; expected \[30, weights\]"):
        setting.moments(lambda batch: torch.zeros(len(batch)))
    with pytest.raises(BadInput, match="chunk is 0; expected at least 1"):
        setting.moments(setting.to_go, chunk=0)


def test_probabilities_that_do_not_sum_to_one_are_refused(setting: Setting) -> None:
    halved = tuple(level - 0.5 for level in setting.logp)
    with pytest.raises(BadInput, match=r"logp: the probabilities of the responses sum to 0\.\d+; expected 1"):
        exact.estimator_moments(TREE, halved, setting.to_go)


def test_a_covariance_that_is_too_large_is_refused_and_its_diagonal_is_not(setting: Setting) -> None:
    def wide(batch: Responses) -> Tensor:
        return torch.ones(len(batch), exact.MOST_WEIGHTS + 1)

    with pytest.raises(BadInput, match=r"gives 4097 weights; expected at most 4096 .* ask for the diagonal"):
        setting.moments(wide)
    assert exact.estimator_moments(TREE, setting.logp, wide, diagonal=True).variance.abs() < 1e-12


# --- the divergence token by token ----------------------------------------------------------------------------------


def test_the_divergence_at_each_prefix(setting: Setting) -> None:
    for own, ref, found in zip(
        setting.logp, setting.logp_ref, exact.token_kl(setting.logp, setting.logp_ref), strict=True
    ):
        expected = torch.distributions.kl_divergence(
            torch.distributions.Categorical(logits=own), torch.distributions.Categorical(logits=ref)
        )
        assert (found - expected).abs().max() < 1e-12
        assert found.min() >= 0 and found.max() > 0.01


def test_the_divergence_at_each_place_is_the_mean_log_ratio_there(setting: Setting) -> None:
    """KL.3, place by place: a response that is over adds nothing to the places after it."""
    batch = as_batch(ENDING, PAIRS)
    with torch.no_grad():
        own, ref = (score(policy, batch).logp for policy in (setting.policy, setting.reference))
    chances = dict(zip(ENDING.prompts, ENDING.prompt_law, strict=True))
    p = own.sum(-1).exp() * torch.tensor([chances[prompt] for prompt, _ in PAIRS], dtype=torch.float64)
    expected = p @ (own - ref)  # [time]
    found = exact.kl_by_place(TREE, setting.logp, setting.logp_ref)
    assert found.shape == (ENDING.horizon,)
    assert (found - expected).abs().max() < 1e-12
    assert exact.kl(TREE, setting.logp, setting.logp_ref).item() == pytest.approx(expected.sum().item(), rel=1e-12)


def test_where_the_policies_differ_at_one_place_only_the_divergence_is_there() -> None:
    tree = exact.prefix_tree(replace(ENDING, end=None))
    same = tuple(torch.full((len(level.prefixes), 3), 1 / 3, dtype=torch.float64).log() for level in tree.levels)
    tilted = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64).log()
    moved = (same[0], tilted.expand_as(same[1]), same[2])
    expected = 0.5 * torch.tensor(1.5).log() + 0.5 * torch.tensor(0.75).log()
    assert exact.kl_by_place(tree, moved, same).tolist() == pytest.approx([0, expected.item(), 0], abs=1e-7)
