"""The losses: values by hand, gradients at θ = θ_old, padding, aggregation, refusals."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log, log1p, nan

import pytest
import torch
from torch import Tensor

from derivations.algorithms import losses
from derivations.algorithms.kl import exact_kl, k1
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


LOSSES: dict[str, Callable[..., losses.Loss]] = {
    "reinforce": lambda x, old, weights, mask, how="sequence_sum": losses.reinforce(x, weights, mask, how),
    "cpi": lambda x, old, weights, mask, how="sequence_sum": losses.cpi(x, old, weights, mask, how),
    "trpo_penalty": lambda x, old, weights, mask, how="sequence_sum": losses.trpo_penalty(
        x, old, weights, (x - old) ** 2, mask, 0.7, how
    ),
    "ppo_clip": lambda x, old, weights, mask, how="sequence_sum": losses.ppo_clip(x, old, weights, mask, 0.2, how),
    "value": lambda x, old, weights, mask, how="sequence_sum": losses.value(x, old, weights, mask, None, how),
    "value, clipped": lambda x, old, weights, mask, how="sequence_sum": losses.value(x, old, weights, mask, 0.2, how),
    "kl_penalty": lambda x, old, weights, mask, how="sequence_sum": losses.kl_penalty(
        (x - old) ** 2 * weights, mask, 0.7, how
    ),
    "entropy": lambda x, old, weights, mask, how="sequence_sum": losses.entropy(
        torch.stack((x, old, weights), -1), mask, how
    ),
}
"""Each of (a tensor that is differentiated, an old one, weights, mask, aggregation)."""


@pytest.mark.parametrize("aggregation", losses.AGGREGATIONS)
@pytest.mark.parametrize("name", LOSSES)
def test_padding_counts_nothing_whatever_it_holds(name: str, aggregation: str) -> None:
    plain = LOGP.clone().requires_grad_()
    expected, told = LOSSES[name](plain, LOGP_OLD, WEIGHTS, MASK, aggregation)
    expected.backward()
    for spoil in (0.0, inf, nan, 1e300):
        spoilt = [part.masked_fill(~MASK, spoil) for part in (LOGP, LOGP_OLD, WEIGHTS)]
        spoilt[0].requires_grad_()
        loss, told_too = LOSSES[name](*spoilt, MASK, aggregation)
        loss.backward()
        assert loss.item() == expected.item()
        assert told_too == told
        # Where the test itself makes a square of what is in the padding, the gradient there is 0 · inf.
        assert torch.equal(spoilt[0].grad[MASK], plain.grad[MASK])  # type: ignore[index]
        if name not in ("trpo_penalty", "kl_penalty"):
            assert not spoilt[0].grad[~MASK].any()  # type: ignore[index]
    assert plain.grad[MASK].any()  # type: ignore[index]


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"trpo_penalty", "kl_penalty", "entropy"}))
def test_only_the_first_argument_is_differentiated(name: str) -> None:
    """Neither the old policy nor advantages, returns, old values or targets move with θ, whatever they are made of."""
    parts = [part.clone().requires_grad_() for part in (LOGP, LOGP_OLD, WEIGHTS)]
    LOSSES[name](*parts, MASK)[0].backward()
    assert parts[0].grad is not None
    assert parts[1].grad is None and parts[2].grad is None


def test_of_the_penalty_the_divergence_is_differentiated_too() -> None:
    parts = [part.clone().requires_grad_() for part in (LOGP, LOGP_OLD, WEIGHTS, LOGP**2)]
    losses.trpo_penalty(*parts, MASK, 0.7)[0].backward()
    assert [part.grad is not None for part in parts] == [True, False, False, True]


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_padding_is_the_same_batch(name: str) -> None:
    """Each sequence alone, cut to its length: their mean is the loss of the padded batch."""
    lengths = MASK.sum(-1).tolist()
    alone = [
        LOSSES[name](*(part[row : row + 1, :length] for part in (LOGP, LOGP_OLD, WEIGHTS, ALL)))[0].item()
        for row, length in enumerate(lengths)
    ]
    together = LOSSES[name](LOGP, LOGP_OLD, WEIGHTS, MASK, "sequence_sum")[0].item()
    assert sum(alone) / 3 == pytest.approx(together)


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_the_batch_changes_nothing(name: str) -> None:
    order = torch.tensor([2, 0, 1])
    for how in losses.AGGREGATIONS:
        one = LOSSES[name](LOGP, LOGP_OLD, WEIGHTS, MASK, how)
        other = LOSSES[name](*(part[order] for part in (LOGP, LOGP_OLD, WEIGHTS, MASK)), how)
        assert other[0].item() == pytest.approx(one[0].item())
        assert other[1] == pytest.approx(one[1])


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_may_be_accumulated_over_parts_of_a_batch(name: str) -> None:
    """With the mean over sequences, not with the mean over the tokens of parts of unequal length (IS.9)."""
    parts = torch.arange(3).split(1)

    def both(how: str) -> tuple[Tensor, Tensor]:
        whole = gradient(lambda x: LOSSES[name](x, LOGP_OLD, WEIGHTS, MASK, how), LOGP)
        pieces = [
            gradient(lambda x, i=index: LOSSES[name](x, LOGP_OLD[i], WEIGHTS[i], MASK[i], how), LOGP[index])  # type: ignore[misc]
            for index in parts
        ]
        return whole, torch.cat(pieces) / 3

    for how in ("sequence_sum", "sequence_mean"):
        whole, accumulated = both(how)
        assert torch.allclose(whole, accumulated, atol=1e-12)
    whole, accumulated = both("token_mean")
    assert not torch.allclose(whole, accumulated, atol=1e-3)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_the_finite_differences(name: str) -> None:
    for how in losses.AGGREGATIONS:
        assert torch.autograd.gradcheck(
            lambda x, how=how: LOSSES[name](x, LOGP_OLD, WEIGHTS, MASK, how)[0],  # type: ignore[misc]
            LOGP.clone().requires_grad_(),
        )


@pytest.mark.parametrize("name", LOSSES)
def test_three_aggregations_of_unequal_lengths_are_three_objectives(name: str) -> None:
    """IS.9; with equal lengths they agree up to the length."""
    unequal = {how: LOSSES[name](LOGP, LOGP_OLD, WEIGHTS, MASK, how)[0].item() for how in losses.AGGREGATIONS}
    assert len({round(loss, 6) for loss in unequal.values()}) == 3
    equal = {how: LOSSES[name](LOGP, LOGP_OLD, WEIGHTS, ALL, how)[0].item() for how in losses.AGGREGATIONS}
    assert equal["token_mean"] == pytest.approx(equal["sequence_mean"])
    assert equal["sequence_sum"] == pytest.approx(4 * equal["token_mean"])


def test_the_mean_of_means_can_point_the_other_way() -> None:
    """IS.9: lengths 1 and 3, advantages 1 and −½: −¼ for the sums, −⅛ and +¼ for the means, of minus the loss."""
    advantages = torch.tensor([[1.0, 0.0, 0.0], [-0.5, -0.5, -0.5]])
    mask = torch.arange(3) < torch.tensor([[1], [3]])
    found = [
        -losses.cpi(0 * advantages, 0 * advantages, advantages, mask, how)[0].item() for how in losses.AGGREGATIONS
    ]
    assert dict(zip(losses.AGGREGATIONS, found, strict=True)) == {
        "token_mean": -1 / 8,
        "sequence_mean": 1 / 4,
        "sequence_sum": -1 / 4,
    }


# --- CPI, the penalty, and what they have in common with PPO --------------------------------------------------------


def test_cpi_by_hand() -> None:
    logp = torch.tensor([[2.0, 0.5, 9.0]]).log()
    mask = torch.tensor([[True, True, False]])
    loss, told = losses.cpi(logp, 0 * logp, torch.tensor([[3.0, -2.0, 5.0]]), mask)
    assert loss.item() == pytest.approx(-(2 * 3 - 0.5 * 2))
    distance = (2 - 1 - log(2) + 0.5 - 1 + log(2)) / 2
    assert told == pytest.approx({"ratio_least": 0.5, "ratio_most": 2.0, "kl_old": distance})


@pytest.mark.parametrize("aggregation", losses.AGGREGATIONS)
def test_at_the_old_policy_all_three_have_the_gradient_of_cpi(aggregation: str) -> None:
    """PPO.7, TP.6: there neither the clip nor the penalty has a slope; the ratio's factor is 1."""

    def penalised(logp: Tensor) -> losses.Loss:
        kl = torch.expm1(logp - LOGP_OLD) - (logp - LOGP_OLD)
        return losses.trpo_penalty(logp, LOGP_OLD, WEIGHTS, kl, MASK, 3.0, aggregation)

    expected = gradient(lambda x: losses.reinforce(x, WEIGHTS, MASK, aggregation), LOGP_OLD)
    others: list[Callable[[Tensor], losses.Loss]] = [
        lambda x: losses.cpi(x, LOGP_OLD, WEIGHTS, MASK, aggregation),
        lambda x: losses.ppo_clip(x, LOGP_OLD, WEIGHTS, MASK, 0.2, aggregation),
        penalised,
    ]
    for other in others:
        assert torch.allclose(gradient(other, LOGP_OLD), expected, atol=1e-15)


@pytest.mark.parametrize("aggregation", losses.AGGREGATIONS)
def test_without_a_clip_or_a_penalty_it_is_cpi(aggregation: str) -> None:
    """ε → ∞ and β = 0, in value and in gradient, at a θ where the clip of ε = 0.2 and the penalty show."""
    expected, _ = losses.cpi(LOGP, LOGP_OLD, WEIGHTS, MASK, aggregation)
    slope = gradient(lambda x: losses.cpi(x, LOGP_OLD, WEIGHTS, MASK, aggregation), LOGP)

    def clipped(x: Tensor, epsilon: float) -> losses.Loss:
        return losses.ppo_clip(x, LOGP_OLD, WEIGHTS, MASK, epsilon, aggregation)

    def penalised(x: Tensor, beta: float) -> losses.Loss:
        return losses.trpo_penalty(x, LOGP_OLD, WEIGHTS, (x - LOGP_OLD) ** 2, MASK, beta, aggregation)

    for loss, without, some in ((clipped, inf, 0.2), (clipped, 1e9, 0.2), (penalised, 0.0, 1.0)):
        assert loss(LOGP, without)[0].item() == pytest.approx(expected.item(), abs=1e-15)
        assert torch.allclose(gradient(lambda x, f=loss, w=without: f(x, w), LOGP), slope, atol=1e-15)  # type: ignore[misc]
        assert abs(loss(LOGP, some)[0].item() - expected.item()) > 1e-3


def test_the_penalty_by_hand() -> None:
    """Two actions, π_old = (½, ½), π = (¼, ¾): r = 3/2, D(π_old‖π) = ½ log 2 + ½ log ⅔, and the other way round differs."""
    old, new = torch.zeros(1, 1, 2), torch.tensor([[[0.0, log(3)]]])
    logp, logp_old = new.log_softmax(-1)[..., 1], old.log_softmax(-1)[..., 1]
    mask = torch.ones(1, 1, dtype=torch.bool)
    loss, told = losses.trpo_penalty(logp, logp_old, torch.tensor([[2.0]]), exact_kl(old, new), mask, 4.0)
    divergence = (log(2) + log(2 / 3)) / 2
    assert loss.item() == pytest.approx(-3 + 4 * divergence, rel=1e-6)
    assert told["kl_old"] == pytest.approx(divergence, rel=1e-6)
    exchanged = losses.trpo_penalty(logp, logp_old, torch.tensor([[2.0]]), exact_kl(new, old), mask, 4.0)[0]
    assert abs(exchanged - loss) > 0.01


def test_the_divergence_of_the_penalty_is_differentiated() -> None:
    """Its slope is β(π − π_old), in the logits, where the surrogate has none."""
    theta, old = torch.tensor([[[0.3, -0.2, 1.0]]], dtype=torch.float64).requires_grad_(), torch.zeros(1, 1, 3).double()
    zero, mask = torch.zeros(1, 1).double(), torch.ones(1, 1, dtype=torch.bool)
    losses.trpo_penalty(zero, zero, zero, exact_kl(old, theta), mask, 5.0)[0].backward()
    assert torch.allclose(theta.grad, 5 * (theta.softmax(-1) - old.softmax(-1)).detach(), atol=1e-14)  # type: ignore[arg-type]


def test_the_penalty_in_the_loss_is_the_coefficient_times_the_divergence() -> None:
    kl, mask = torch.tensor([[0.5, 1.0], [2.0, 9.0]]), torch.tensor([[True, True], [True, False]])
    loss, told = losses.kl_penalty(kl, mask, 0.1)
    assert loss.item() == pytest.approx(0.1 * 3.5 / 2)
    assert told == pytest.approx({"kl_loss": 3.5 / 3})


# --- entropy --------------------------------------------------------------------------------------------------------


def test_the_entropy_is_greatest_where_the_policy_is_uniform() -> None:
    """PPO.13, PPO.14: minimising the loss leads to log n; its slope at another policy points there."""
    mask = torch.ones(1, 1, dtype=torch.bool)
    uniform = torch.full((1, 1, 4), 3.0, dtype=torch.float64)
    loss, told = losses.entropy(uniform, mask)
    assert loss.item() == pytest.approx(-log(4))
    assert told["entropy"] == pytest.approx(log(4))
    tilted = torch.tensor([[[1.0, 0.0, 0.0, 0.0]]], dtype=torch.float64)
    assert losses.entropy(tilted, mask)[0] > loss
    downhill = -gradient(lambda x: losses.entropy(x, mask), tilted)[0, 0]
    assert downhill[0] < 0 < downhill[1:].min()


def test_the_entropy_of_a_policy_with_impossible_tokens() -> None:
    logits = torch.tensor([[[0.0, -inf, log(3)]]])
    loss, _ = losses.entropy(logits, torch.ones(1, 1, dtype=torch.bool))
    assert loss.item() == pytest.approx(0.25 * log(0.25) + 0.75 * log(0.75))
    assert gradient(lambda x: losses.entropy(x, torch.ones(1, 1, dtype=torch.bool)), logits).isfinite().all()


# --- preferences ----------------------------------------------------------------------------------------------------


def test_the_reward_model_by_hand() -> None:
    """RM.1, RM.2: −log of exp(r_w)/(exp(r_w) + exp(r_l)), and the share of pairs in the right order."""
    chosen, rejected = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 3.0])
    loss, told = losses.reward_model(chosen, rejected)
    expected = -(log(exp(2) / (exp(2) + exp(1))) + log(1 / (1 + exp(3)))) / 2
    assert loss.item() == pytest.approx(expected)
    assert told == pytest.approx({"accuracy": 0.5, "margin": -1.0})
    exchanged = losses.reward_model(rejected, chosen)[0]
    assert abs(exchanged - loss) > 0.1


def test_the_reward_model_sees_differences_only() -> None:
    """RM.3, in value and in gradient; and its slope is −σ(r_l − r_w), on both with opposite signs."""
    chosen, rejected = WEIGHTS[0], WEIGHTS[1]
    first = gradient(lambda x: losses.reward_model(x, rejected), chosen)
    moved = gradient(lambda x: losses.reward_model(x + 7, rejected + 7), chosen)
    assert torch.allclose(first, moved, atol=1e-14)
    assert torch.allclose(first, -(rejected - chosen).sigmoid() / 4, atol=1e-14)
    assert torch.allclose(gradient(lambda x: losses.reward_model(chosen, x), rejected), -first, atol=1e-14)


def test_large_margins_neither_overflow_nor_lose_their_slope() -> None:
    big = torch.tensor([1e8, -1e8])
    assert losses.reward_model(big, torch.zeros(2))[0].item() == pytest.approx(5e7)
    assert gradient(lambda x: losses.reward_model(x, torch.zeros(2)), big).tolist() == [0.0, -0.5]


def test_dpo_by_hand() -> None:
    """DPO.3: −log σ(β(log-ratio of the chosen − log-ratio of the rejected)); log 2 at π = π_ref, whatever π_ref is."""
    own, other, ref, ref_other = (torch.tensor([x]) for x in (-3.0, -4.0, -3.5, -2.0))
    loss, told = losses.dpo(own, other, ref, ref_other, 0.2)
    margin = 0.2 * ((-3.0 + 3.5) - (-4.0 + 2.0))
    assert loss.item() == pytest.approx(log1p(exp(-margin)))
    assert told == pytest.approx({"accuracy": 1.0, "margin": margin})
    assert losses.dpo(own, other, own, other, 0.2)[0].item() == pytest.approx(log(2))


def test_the_gradient_of_dpo_is_weighted_by_the_implicit_rewards() -> None:
    """DPO.3: −β σ(r̂_l − r̂_w) on the chosen, and nothing through the reference."""
    own, other, ref, ref_other = (part.clone().requires_grad_() for part in (*LOGP[:2], *LOGP_OLD[:2]))
    losses.dpo(own, other, ref, ref_other, 0.3)[0].backward()
    weight = (0.3 * ((other - ref_other) - (own - ref))).sigmoid().detach() * 0.3 / 4
    assert torch.allclose(own.grad, -weight, atol=1e-14) and torch.allclose(other.grad, weight, atol=1e-14)  # type: ignore[arg-type]
    assert ref.grad is None and ref_other.grad is None


# --- the value ------------------------------------------------------------------------------------------------------


def test_the_clipped_value_loss_by_hand() -> None:
    """Target 10, old 5, now 1, range .2: the larger error is the free one, and its slope is −18; far ahead it is flat."""
    mask, old, target = torch.ones(1, 1, dtype=torch.bool), torch.tensor([[5.0]]), torch.tensor([[10.0]])

    def loss(x: Tensor) -> losses.Loss:
        return losses.value(x, old, target, mask, clip=0.2)

    assert loss(torch.tensor([[1.0]]))[0].item() == 81
    assert gradient(loss, torch.tensor([[1.0]])).item() == -18
    assert loss(torch.tensor([[9.0]]))[0].item() == pytest.approx(4.8**2)
    assert gradient(loss, torch.tensor([[9.0]])).item() == 0
    assert gradient(loss, torch.tensor([[5.1]])).item() == pytest.approx(2 * -4.9)


def test_the_value_loss_by_hand() -> None:
    values, targets = torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[2.0, 4.0, 0.0]])
    mask = torch.tensor([[True, True, False]])
    loss, told = losses.value(values, NO_OLD, targets, mask)
    assert loss.item() == (1 + 4) / 2
    assert told == {"explained_variance": pytest.approx(1 - 0.25 / 1)}
    assert losses.value(values, NO_OLD, targets, mask, aggregation="sequence_sum")[0].item() == 5
    assert losses.value(values, NO_OLD, torch.ones(1, 3), mask)[1] == {"explained_variance": 0.0}
    alike = torch.tensor([[0.1, 0.1 + 1e-8, 0.0]])  # another number in float32, by its last digit
    assert alike[0, 0] != alike[0, 1] and losses.value(values, NO_OLD, alike, mask)[1] == {"explained_variance": 0.0}


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


# --- a clear error or a right answer --------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [nan, inf, -inf])
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_not_finite_is_refused_with_its_place(name: str, wrong: float) -> None:
    spoilt = LOGP.clone()
    spoilt[2, 1] = wrong
    if name == "entropy" and wrong == -inf:  # a token that is impossible
        assert LOSSES[name](spoilt, LOGP_OLD, WEIGHTS, MASK)[0].isfinite()
        return
    with pytest.raises(BadInput, match=r"(logp|values|kl|logits)\[2, 1(, 0)?\] is -?(nan|inf); expected a "):
        LOSSES[name](spoilt, LOGP_OLD, WEIGHTS, MASK)


@pytest.mark.parametrize("name", ["reinforce", "cpi", "trpo_penalty", "ppo_clip", "value", "value, clipped"])
def test_a_return_that_is_not_a_number_is_refused(name: str) -> None:
    spoilt = WEIGHTS.clone()
    spoilt[0, 0] = nan
    with pytest.raises(BadInput, match=r"(returns|advantages|targets)\[0, 0\] is nan; expected a finite number"):
        LOSSES[name](LOGP, LOGP_OLD, spoilt, MASK)


@pytest.mark.parametrize("name", LOSSES)
def test_rewards_of_a_hundred_million_are_numbers_like_others(name: str) -> None:
    big = 1e8 * WEIGHTS.float()
    for how in losses.AGGREGATIONS:
        found = gradient(lambda x, how=how: LOSSES[name](x, LOGP_OLD.float(), big, MASK, how), LOGP.float())  # type: ignore[misc]
        assert found.isfinite().all()
        exact = gradient(lambda x, how=how: LOSSES[name](x, LOGP_OLD, big.double(), MASK, how), LOGP)  # type: ignore[misc]
        if name == "value, clipped":  # a tie in float32: which of two equal errors has the slope is open
            continue
        assert torch.allclose(found.double(), exact, rtol=1e-4, atol=1e-6 * float(exact.abs().max()))


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"trpo_penalty", "kl_penalty"}))
def test_half_precision_is_computed_as_float32(name: str) -> None:
    """The right answer for the numbers that were given, also where half precision would overflow."""
    given = [part.half() for part in (LOGP, LOGP_OLD, 60000 * WEIGHTS.sign())]
    exact, _ = LOSSES[name](*(part.double() for part in given), MASK)
    given[0].requires_grad_()
    loss, _ = LOSSES[name](*given, MASK)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)
    assert given[0].grad.dtype == torch.float16  # type: ignore[union-attr]


def test_half_precision_of_divergences_and_pairs() -> None:
    kl, mask = torch.full((1, 4), 60000.0).half(), ALL[:1]
    assert losses.kl_penalty(kl, mask, 1.0)[0].item() == 4 * kl.double()[0, 0].item()
    logp = torch.zeros(1, 4).half()
    assert losses.trpo_penalty(logp, logp, logp, kl, mask, 1.0)[0].item() == 4 * kl.double()[0, 0].item()
    assert losses.reward_model(kl[0], -kl[0])[0].item() == 0
    assert losses.dpo(-kl[0], kl[0], kl[0], -kl[0], 1.0)[0].item() == 4 * kl.double()[0, 0].item()


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_one_token(name: str) -> None:
    loss, told = LOSSES[name](*(part[:1, :1] for part in (LOGP, LOGP_OLD, WEIGHTS, ALL)))
    assert loss.isfinite()
    assert all(told[key] == told[key] for key in told)


@pytest.mark.parametrize("name", LOSSES)
def test_a_mask_that_is_all_false_and_a_batch_of_nothing_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"mask \[3, 4\]: a sequence without a step"):
        LOSSES[name](LOGP, LOGP_OLD, WEIGHTS, ~ALL)
    for rows, steps in ((0, 4), (3, 0)):
        with pytest.raises(BadInput, match=rf"mask \[{rows}, {steps}\]: a sequence without a step"):
            LOSSES[name](*(part[:rows, :steps] for part in (LOGP, LOGP_OLD, WEIGHTS, ALL)))


def test_shapes_that_would_be_spread_are_refused() -> None:
    """[batch, 1] with [batch] makes [batch, batch] without a word."""
    mask = torch.ones(2, 1, dtype=torch.bool)
    column, row = torch.zeros(2, 1), torch.zeros(2)
    with pytest.raises(BadInput, match=r"returns is \[2\], mask is \[2, 1\]"):
        losses.reinforce(column, row, mask)
    with pytest.raises(BadInput, match=r"chosen is \[2, 1\]; expected \[pairs\], at least one"):
        losses.reward_model(column, row)
    with pytest.raises(BadInput, match=r"chosen is \[0\]; expected \[pairs\], at least one"):
        losses.reward_model(row[:0], row[:0])
    with pytest.raises(BadInput, match=r"rejected is \[1\], mask is \[2\]"):
        losses.reward_model(row, row[:1])


def test_a_ratio_that_overflows_is_refused() -> None:
    """Clipped in the value it would still be 0 · inf in the gradient."""
    old = torch.full((1, 1), -100.0)
    with pytest.raises(BadInput, match=r"exp\(logp − logp_old\)\[0, 0\] is inf; expected a finite number"):
        losses.ppo_clip(torch.zeros(1, 1), old, torch.ones(1, 1), torch.ones(1, 1, dtype=torch.bool), 0.2)


def test_a_loss_that_overflows_is_refused() -> None:
    most = torch.full((3, 4), 3e38)
    with pytest.raises(BadInput, match="the loss is -inf; expected a finite number"):
        losses.cpi(0 * most, 0 * most, most, ALL)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.dpo(*LOGP[[0, 1, 2, 0]], 0.0), "beta is 0.0; expected a positive number"),
        (lambda: losses.kl_penalty(LOGP, MASK, -1.0), "beta is -1.0; expected a number from 0 to inf"),
        (
            lambda: losses.trpo_penalty(LOGP, LOGP, LOGP, LOGP, MASK, nan),
            "beta is nan; expected a number from 0 to inf",
        ),
        (lambda: losses.value(LOGP, LOGP, LOGP, MASK, 0.0), "clip is 0.0; expected a positive number"),
        (lambda: losses.reinforce(LOGP.long(), LOGP, MASK), "logp is torch.int64; expected floating-point numbers"),
    ],
    ids=["dpo", "kl_penalty", "trpo_penalty", "value", "integers"],
)
def test_numbers_out_of_range_are_refused(call: Callable[[], losses.Loss], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        call()
