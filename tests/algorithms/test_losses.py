"""The losses: values by hand, gradients at θ = θ_old, padding, aggregation, refusals."""

from __future__ import annotations

from collections.abc import Callable
from math import log, nan

import pytest
import torch
from torch import Tensor

from derivations.algorithms import losses
from derivations.algorithms.kl import k1
from toy_envs.errors import BadInput

GENERATOR = torch.Generator().manual_seed(0)
MASK = torch.arange(4) < torch.tensor([[4], [1], [3]])
LOGP, LOGP_OLD, WEIGHTS = torch.randn(3, 3, 4, dtype=torch.float64, generator=GENERATOR).unbind(0)
ALL = torch.ones(3, 4, dtype=torch.bool)
NO_OLD = torch.empty(0)  # the old values are not read where nothing is clipped


def gradient(loss: Callable[[Tensor], losses.Loss], at: Tensor) -> Tensor:
    inputs = at.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(inputs)[0], inputs)
    return found


def test_reinforce_by_hand() -> None:
    logp, returns = torch.tensor([[-1.0, -2.0], [-3.0, 0.0]]), torch.tensor([[2.0, 2.0], [5.0, 7.0]])
    mask = torch.tensor([[True, True], [True, False]])
    assert losses.reinforce(logp, returns, mask)[0].item() == (2 + 4 + 15) / 2
    assert losses.reinforce(logp, returns, mask, "token_mean")[0].item() == (2 + 4 + 15) / 3
    assert losses.reinforce(logp, returns, mask, "sequence_mean")[0].item() == (3 + 15) / 2


def test_the_gradient_of_reinforce_is_minus_the_returns() -> None:
    found = gradient(lambda logp: losses.reinforce(logp, WEIGHTS, ALL), LOGP)
    assert torch.allclose(found, -WEIGHTS / 3, atol=1e-15)


def test_no_gradient_passes_through_the_weights() -> None:
    """With r = −β log π + … a gradient through the return would add a term of its own (KL.8)."""
    weights = WEIGHTS.clone().requires_grad_()
    logp = LOGP.clone().requires_grad_()
    losses.reinforce(logp, weights * logp, ALL)[0].backward()
    assert weights.grad is None
    assert torch.allclose(logp.grad, -(WEIGHTS * LOGP) / 3, atol=1e-15)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "slope"),
    [
        (1.1, 2.0, 2.2, 2.0),
        (1.5, 2.0, 2.4, 0.0),
        (0.5, 2.0, 1.0, 2.0),
        (1.1, -2.0, -2.2, -2.0),
        (1.5, -2.0, -3.0, -2.0),
        (0.5, -2.0, -1.6, 0.0),
    ],
)
def test_the_clipped_surrogate_in_its_six_regions(
    ratio: float, advantage: float, expected: float, slope: float
) -> None:
    """PPO.3: value, and slope in the ratio, for ε = 1/5."""
    one = torch.ones(1, 1, dtype=torch.float64)

    def loss(r: Tensor) -> losses.Loss:
        return losses.ppo_clip(r.log(), 0 * one, advantage * one, one.bool(), 0.2)

    assert -loss(ratio * one)[0].item() == pytest.approx(expected)
    assert -gradient(loss, ratio * one).item() == pytest.approx(slope)
    assert loss(ratio * one)[1]["clip_fraction"] == (0.0 if slope else 1.0)


def test_at_the_old_policy_it_is_the_policy_gradient() -> None:
    """PPO.7: there its value is minus the mean advantage and its gradient that of REINFORCE."""
    old = LOGP_OLD
    assert losses.ppo_clip(old, old, WEIGHTS, MASK, 0.2)[0].item() == pytest.approx(
        -(WEIGHTS * MASK).sum(-1).mean().item()
    )
    ours = gradient(lambda logp: losses.ppo_clip(logp, old, WEIGHTS, MASK, 0.2), old)
    theirs = gradient(lambda logp: losses.reinforce(logp, WEIGHTS, MASK), old)
    assert torch.allclose(ours, theirs, atol=1e-15)


def test_it_is_a_pessimistic_bound() -> None:
    """PPO.1: never above the unclipped surrogate, and not always equal to it."""
    clipped = -losses.ppo_clip(LOGP, LOGP_OLD, WEIGHTS, MASK, 0.2)[0]
    free = ((LOGP - LOGP_OLD).exp() * WEIGHTS * MASK).sum(-1).mean()
    assert clipped < free


def test_its_metrics() -> None:
    logp = torch.tensor([[1.5, 0.5, 1.0, 9.0]]).log()
    mask = torch.tensor([[True, True, True, False]])
    _, told = losses.ppo_clip(logp, torch.zeros(1, 4), torch.ones(1, 4), mask, 0.2)
    distance = sum(ratio - 1 - log(ratio) for ratio in (1.5, 0.5, 1.0)) / 3
    assert told == pytest.approx({"clip_fraction": 1 / 3, "ratio_least": 0.5, "ratio_most": 1.5, "kl_old": distance})


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor, str], losses.Loss]] = {
    "reinforce": lambda x, weights, mask, how: losses.reinforce(x, weights, mask, how),
    "ppo_clip": lambda x, weights, mask, how: losses.ppo_clip(
        x, LOGP_OLD[: len(x), : x.shape[1]], weights, mask, 0.2, how
    ),
    "value": lambda x, weights, mask, how: losses.value(x, NO_OLD, weights, mask, None, how),
}


@pytest.mark.parametrize("aggregation", losses.AGGREGATIONS)
@pytest.mark.parametrize("name", LOSSES)
def test_padding_counts_nothing_whatever_it_holds(name: str, aggregation: str) -> None:
    def loss(x: Tensor, spoil: float) -> losses.Loss:
        spoilt = x.masked_fill(~MASK, spoil)
        return LOSSES[name](spoilt, WEIGHTS.masked_fill(~MASK, spoil), MASK, aggregation)

    plain, spoilt = (gradient(lambda x, s=s: loss(x, s), LOGP) for s in (0.0, float("inf")))  # type: ignore[misc]
    assert loss(LOGP, 0.0)[0].item() == loss(LOGP, float("inf"))[0].item()
    assert torch.equal(plain, spoilt)
    assert not plain[~MASK].any()
    assert plain[MASK].any()


@pytest.mark.parametrize("name", LOSSES)
def test_three_aggregations_of_unequal_lengths_are_three_objectives(name: str) -> None:
    """IS.9; with equal lengths they agree up to the length."""
    unequal = {how: LOSSES[name](LOGP, WEIGHTS, MASK, how)[0].item() for how in losses.AGGREGATIONS}
    assert len({round(loss, 6) for loss in unequal.values()}) == 3
    equal = {how: LOSSES[name](LOGP, WEIGHTS, ALL, how)[0].item() for how in losses.AGGREGATIONS}
    assert equal["token_mean"] == pytest.approx(equal["sequence_mean"])
    assert equal["sequence_sum"] == pytest.approx(4 * equal["token_mean"])


def test_the_value_loss_by_hand() -> None:
    values, targets = torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[2.0, 4.0, 0.0]])
    mask = torch.tensor([[True, True, False]])
    loss, told = losses.value(values, NO_OLD, targets, mask)
    assert loss.item() == (1 + 4) / 2
    assert told == {"explained_variance": pytest.approx(1 - 0.25 / 1)}
    assert losses.value(values, NO_OLD, torch.ones(1, 3), mask)[1] == {"explained_variance": 0.0}


def test_the_sampled_log_ratio() -> None:
    """KL.1: its mean under π is D(π‖π_ref), under another policy it is not."""
    p, ref = torch.tensor([0.2, 0.5, 0.3]), torch.tensor([0.4, 0.4, 0.2])
    estimate = k1(p.log(), ref.log())
    divergence = (p * (p / ref).log()).sum().item()
    assert (p * estimate).sum().item() == pytest.approx(divergence)
    assert abs((ref * estimate).sum().item() - divergence) > 0.01


@pytest.mark.parametrize("epsilon", [0.0, -0.2, nan])
def test_a_clip_range_that_is_not_positive_is_refused(epsilon: float) -> None:
    with pytest.raises(BadInput, match=f"epsilon is {epsilon}; expected a positive number"):
        losses.ppo_clip(LOGP, LOGP_OLD, WEIGHTS, MASK, epsilon)


def test_an_unknown_aggregation_is_refused() -> None:
    with pytest.raises(
        BadInput, match="aggregation is 'mean'; expected one of token_mean, sequence_mean, sequence_sum"
    ):
        losses.reinforce(LOGP, WEIGHTS, MASK, "mean")


def test_a_mask_of_numbers_or_of_another_shape_is_refused() -> None:
    with pytest.raises(BadInput, match=r"mask is torch.float32; expected torch.bool"):
        losses.reinforce(LOGP, WEIGHTS, MASK.float())
    with pytest.raises(BadInput, match=r"logp is \[3, 4\], mask is \[2, 4\]; expected logp and mask of one shape"):
        losses.reinforce(LOGP, WEIGHTS, MASK[:2])


def test_a_sequence_without_a_step_is_refused() -> None:
    with pytest.raises(BadInput, match=r"mask \[3, 4\]: a sequence without a step"):
        losses.reinforce(LOGP, WEIGHTS, MASK & torch.tensor([[True], [False], [True]]))
