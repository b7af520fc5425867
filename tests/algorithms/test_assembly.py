"""What stands around the formulas: by hand, by enumeration, and what it refuses."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from small_worlds import ENDING, policy_for
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.assembly import (
    kl_loss,
    last_step,
    leave_one_out,
    penalised_rewards,
    regularised_objective,
    token_logp,
    whiten,
)
from derivations.algorithms.rollout import final_scores, score
from toy_envs.errors import BadInput

GENERATOR = torch.Generator().manual_seed(0)
MASK = torch.arange(4) < torch.tensor([[4], [1], [3]])
LOGP, LOGP_REF = (-torch.rand(2, 3, 4, dtype=torch.float64, generator=GENERATOR)).unbind(0)


def test_the_last_step_is_the_last_one_that_the_mask_has() -> None:
    mask = torch.tensor([[True, True, False, False], [True, True, True, True], [False, True, False, True]])
    assert last_step(mask).nonzero().tolist() == [[0, 1], [1, 3], [2, 3]]


def test_the_rewards_are_the_penalty_of_each_token_and_the_score_on_the_last() -> None:
    scores = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    rewards = penalised_rewards(scores, LOGP, LOGP_REF, MASK, 0.5)
    for row, length in enumerate((4, 1, 3)):
        expected = -0.5 * (LOGP - LOGP_REF)[row, :length]
        expected[-1] += scores[row]
        assert torch.allclose(rewards[row, :length], expected, atol=1e-15)
        assert not rewards[row, length:].any()


def test_over_all_responses_the_rewards_sum_to_the_objective() -> None:
    """KL.4: the expected return is E[r] − β D(π‖π_ref), as the tree of prefixes gives it."""
    policy, reference, tree = policy_for(ENDING, 1), policy_for(ENDING, 2), exact.prefix_tree(ENDING)
    logp, logp_ref = exact.tree_logp(policy, tree), exact.tree_logp(reference, tree)
    everything = exact.all_responses(tree)
    own, other = score(policy, everything).logp, score(reference, everything).logp
    scores = final_scores(ENDING, everything).double()
    returns = penalised_rewards(scores, own, other, everything.mask, ENDING.beta).sum(-1)
    mean = (exact.response_logp(tree, logp).exp() * returns).sum()
    # The scores of rollout.py are in float32.
    assert mean.item() == pytest.approx(exact.evaluate(tree, logp, logp_ref, ENDING.beta).objective.item(), abs=1e-6)


def test_no_gradient_passes_through_the_rewards() -> None:
    """KL.8."""
    rewards = penalised_rewards(torch.ones(3), LOGP.clone().requires_grad_(), LOGP_REF, MASK, 0.5)
    assert not rewards.requires_grad


def test_a_response_without_a_token_cannot_be_scored() -> None:
    empty = MASK & torch.tensor([[True], [False], [True]])
    with pytest.raises(BadInput, match="mask: a sequence without a step"):
        penalised_rewards(torch.ones(3), LOGP, LOGP_REF, empty, 0.5)


def test_the_penalty_in_the_loss_sums_over_the_tokens_of_a_sequence() -> None:
    expected = (((LOGP - LOGP_REF) ** 2 / 2) * MASK).sum(-1).mean()
    assert kl_loss(LOGP, LOGP_REF, MASK)[0].item() == pytest.approx(expected.item())


@pytest.mark.parametrize(("baseline", "share"), [(leave_one_out, 1.0), (lambda r: r - r.mean(), 1 / 2)])
def test_two_samples_and_what_a_baseline_makes_of_the_mean_gradient(baseline: object, share: float) -> None:
    """AD.6 by enumeration: two actions drawn twice, π = (1/4, 3/4), rewards 2 and 5; the own sample costs 1 − 1/N."""
    chances, rewards = torch.tensor([0.25, 0.75], dtype=torch.float64), torch.tensor([2.0, 5.0], dtype=torch.float64)
    scores = torch.eye(2, dtype=torch.float64) - chances  # ∇log π(a), a row an action
    total = torch.zeros(2, dtype=torch.float64)
    for pair in product(range(2), repeat=2):
        actions = torch.tensor(pair)
        advantages = baseline(rewards[actions])  # type: ignore[operator]
        total += chances[actions].prod() * (advantages.unsqueeze(-1) * scores[actions]).mean(0)
    true = (chances.unsqueeze(-1) * rewards.unsqueeze(-1) * scores).sum(0)
    assert torch.allclose(total, share * true, atol=1e-15)


def test_a_single_return_has_no_others() -> None:
    with pytest.raises(BadInput, match=r"returns is \[1\]; expected \[batch\], at least two"):
        leave_one_out(torch.ones(1))


def test_whitened_advantages_have_mean_zero_and_variance_one_inside_the_mask() -> None:
    given = LOGP.masked_fill(~MASK, float("inf"))
    found = whiten(given, MASK)
    assert found[MASK].mean().item() == pytest.approx(0, abs=1e-12)
    assert found[MASK].var(correction=0).item() == pytest.approx(1)
    assert not found[~MASK].any()
    assert torch.allclose(found, whiten(3 * given + 7, MASK))


@pytest.mark.parametrize("mask", [MASK, torch.zeros_like(MASK)])
def test_advantages_without_a_scale_are_refused(mask: Tensor) -> None:
    with pytest.raises(BadInput, match="advantages are all alike"):
        whiten(torch.ones(3, 4), mask)


def test_the_regularised_objective_is_least_at_the_optimal_policy() -> None:
    """OP.8: there its gradient is 0 and its value −β log z."""
    reference, rewards = LOGP_REF, 2 * LOGP
    best = (reference.log_softmax(-1) + rewards / 0.3).log_softmax(-1).requires_grad_()
    loss = regularised_objective(best, rewards, reference, 0.3)[0]
    loss.backward()
    assert best.grad is not None
    assert best.grad.abs().max() < 1e-12
    log_z = (reference.log_softmax(-1) + rewards / 0.3).logsumexp(-1)
    assert loss.item() == pytest.approx(-0.3 * log_z.mean().item())


def test_the_log_probabilities_of_tokens_are_those_of_the_scorer() -> None:
    policy, everything = policy_for(ENDING, 1), exact.all_responses(exact.prefix_tree(ENDING))
    scores = score(policy, everything)
    found = token_logp(scores.logits, everything.tokens)
    assert torch.equal(found.masked_fill(~everything.mask, 0.0), scores.logp)
    with pytest.raises(BadInput, match=r"logits is \[3, 4\]; expected the shape of the tokens"):
        token_logp(LOGP, torch.zeros(3, 4, dtype=torch.long))
