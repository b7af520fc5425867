"""Mistakes with the KL divergence: which estimator, which way round, in the reward or in the loss, summed or averaged."""

from __future__ import annotations

import torch
from torch import Tensor

from derivations.algorithms.assembly import last_step
from derivations.algorithms.batches import everywhere
from derivations.algorithms.bugs.entry import Bug, Example, Function, expected_slope, loss_of, numbers
from derivations.algorithms.kl import k1, k2, k3
from derivations.algorithms.losses import Loss, aggregate

POLICY, REFERENCE = numbers(1 / 4, 3 / 4), numbers(1 / 2, 1 / 2)
ONE_TOKEN = "π_ref = (½,½), π = (¼,¾), one token"


def k1_as_loss(logp: Tensor, logp_ref: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """k1 is differentiated: its gradient is ∇log π, which is 0 on average."""
    return aggregate(k1(logp, logp_ref.detach(), mask), mask, aggregation), {}


def k2_in_reward(scores: Tensor, logp: Tensor, logp_ref: Tensor, mask: Tensor, beta: float) -> Tensor:
    """k2 stands in the reward."""
    return -beta * k2(logp.detach(), logp_ref, mask) + scores.unsqueeze(-1) * last_step(mask)


def k3_in_reward(scores: Tensor, logp: Tensor, logp_ref: Tensor, mask: Tensor, beta: float) -> Tensor:
    """k3 stands in the reward."""
    return -beta * k3(logp.detach(), logp_ref, mask) + scores.unsqueeze(-1) * last_step(mask)


def score_after_the_end(scores: Tensor, logp: Tensor, logp_ref: Tensor, mask: Tensor, beta: float) -> Tensor:
    """The score stands one slot behind the last token, where there is one."""
    last = last_step(mask)
    late = torch.cat((torch.zeros_like(last[:, :1]), last[:, :-1]), 1)
    late[:, -1] |= last[:, -1]
    return -beta * k1(logp.detach(), logp_ref, mask) + scores.unsqueeze(-1) * late


def k1_inverted(logp: Tensor, logp_ref: Tensor, mask: Tensor | None = None) -> Tensor:
    """The ratio is turned round."""
    return k1(logp_ref, logp, mask)


def k3_inverted(logp: Tensor, logp_ref: Tensor, mask: Tensor | None = None) -> Tensor:
    """The ratio is turned round: ρ = π/π_ref."""
    return k3(logp_ref, logp, mask)


def k1_clamped(logp: Tensor, logp_ref: Tensor, mask: Tensor | None = None) -> Tensor:
    """What is negative becomes 0."""
    return k1(logp, logp_ref, mask).clamp(min=0)


def k1_absolute(logp: Tensor, logp_ref: Tensor, mask: Tensor | None = None) -> Tensor:
    """What is negative loses its sign, as if a KL divergence of one token could not be negative."""
    return k1(logp, logp_ref, mask).abs()


def k3_cancelling(logp: Tensor, logp_ref: Tensor, mask: Tensor | None = None) -> Tensor:
    """exp(d) − 1 − d, which leaves no digit where d is small."""
    d = -k1(logp, logp_ref, mask)
    return d.exp() - 1 - d


def kl_averaged(logp: Tensor, logp_ref: Tensor, mask: Tensor) -> Loss:
    """The tokens of the batch are averaged, where the divergence of a sequence is their sum."""
    return aggregate(k2(logp, logp_ref.detach(), mask), mask, "token_mean"), {}


def kl_averaged_by_sequence(logp: Tensor, logp_ref: Tensor, mask: Tensor) -> Loss:
    """The tokens of each sequence are averaged."""
    return aggregate(k2(logp, logp_ref.detach(), mask), mask, "sequence_mean"), {}


# --- the examples ---------------------------------------------------------------------------------------------------


def _loss_gradient(function: Function) -> Tensor:
    def of(logp: Tensor) -> Tensor:
        return loss_of(function(logp, numbers([0.5]).log(), everywhere(logp)))

    return expected_slope(POLICY, of)[1]


def _reward_gradient(function: Function) -> Tensor:
    """Of −D, by the score function with the reward of each action; in units of the true one."""
    zero, one = numbers(0.0), torch.ones(1, 1, dtype=torch.bool)

    def of(logp: Tensor) -> Tensor:
        reward = function(zero, logp, numbers([0.5]).log(), one, 1.0)
        return reward.detach() * logp

    return expected_slope(POLICY, of)[1] / (-3 / 16 * numbers(3.0).log()[0])


def _mean(function: Function) -> Tensor:
    return (POLICY * function(POLICY.log().unsqueeze(0), REFERENCE.log().unsqueeze(0))).sum()


def _small(function: Function) -> Tensor:
    """In float32, 2²⁵ times the value at d = 2⁻¹²."""
    d = torch.full((1, 1), 2.0**-12, dtype=torch.float32)
    found: Tensor = function(torch.zeros_like(d), d).double() * 2**25
    return found.round(decimals=2)


def _two_lengths(function: Function) -> Tensor:
    mask = torch.tensor([[True, False, False], [True, True, True]])
    return loss_of(function(torch.ones(2, 3, dtype=torch.float64), torch.zeros(2, 3, dtype=torch.float64), mask))


def _late_score(function: Function) -> Tensor:
    """GAE at γ = 1, λ = ½ of a response of one token with a score of 1 and a free slot behind it; V = 0."""
    zeros, mask = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[True, False]])
    rewards = function(numbers(1.0), zeros, zeros, mask, 1.0)
    return rewards[0, 0] + 0.5 * rewards[0, 1]


_MEAN = f"{ONE_TOKEN}: the mean over actions; D(π‖π_ref) = ¾ ln 3 − ln 2"

BUGS = (
    Bug(
        "k1_as_loss",
        "k1 used as a loss",
        "kl_loss",
        k1_as_loss,
        "Differentiates k1 as a loss; its gradient is the score ∇log π, which is 0 on average.",
        Example(f"{ONE_TOKEN}: the expected gradient on the second logit", "3/16 ln 3", "0", _loss_gradient),
        ("KL.7", "AD.1"),
    ),
    Bug(
        "k3_in_reward",
        "k2 or k3 in the reward",
        "penalised_rewards",
        k3_in_reward,
        "Puts k3 into the reward, where only k1 gives the gradient of the divergence.",
        Example(
            f"{ONE_TOKEN}: the expected gradient, in units of the true one",
            "1",
            "−(4/3 − ln 3)/ln 3 = −.214",
            _reward_gradient,
        ),
        ("KL.7", "PG.8"),
    ),
    Bug(
        "k2_in_reward",
        "k2 or k3 in the reward",
        "penalised_rewards",
        k2_in_reward,
        "Puts k2 into the reward, where only k1 gives the gradient of the divergence.",
        Example(
            f"{ONE_TOKEN}: the expected gradient, in units of the true one",
            "1",
            "−((ln 2)² − (ln 3/2)²)/(2 ln 3) = −.144",
            _reward_gradient,
        ),
        ("KL.7",),
    ),
    Bug(
        "score_after_the_end",
        "score one slot after the end token",
        "penalised_rewards",
        score_after_the_end,
        "Writes the score one slot behind the last token, so that λ and the value there come between.",
        Example(
            "one token, score 1, V = 0, γ = 1, λ = ½: the advantage of the token by GAE over both slots",
            "1",
            "½",
            _late_score,
        ),
        ("KL.4", "AD.17"),
    ),
    Bug(
        "k1_inverted",
        "inverted ratio in k1 or k3",
        "k1",
        k1_inverted,
        "Turns the ratio round: its mean is −D(π‖π_ref).",
        Example(_MEAN, "¾ ln 3 − ln 2", "ln 2 − ¾ ln 3", _mean),
        ("KL.1",),
    ),
    Bug(
        "k3_inverted",
        "inverted ratio in k1 or k3",
        "k3",
        k3_inverted,
        "Turns the ratio round: its mean is χ²(π‖π_ref) − D(π‖π_ref).",
        Example(_MEAN, "¾ ln 3 − ln 2", "¼ − (¾ ln 3 − ln 2)", _mean),
        ("KL.2",),
    ),
    Bug(
        "k1_clamped",
        "KL of a token clamped at zero",
        "k1",
        k1_clamped,
        "Sets the negative log-ratios to 0, which makes the mean too large.",
        Example(_MEAN, "¾ ln 3 − ln 2 = .1308", "¾ ln 3/2 = .3041", _mean),
        ("KL.1", "KL.4"),
    ),
    Bug(
        "k1_absolute",
        "a negative KL of one token taken for an error",
        "k1",
        k1_absolute,
        "Takes the absolute value, although k1 is negative exactly where π < π_ref and only its mean is not.",
        Example(_MEAN, "¾ ln 3 − ln 2", "¾ ln 3 − ½ ln 2", _mean),
        ("KL.1", "OP.3"),
    ),
    Bug(
        "k3_cancelling",
        "exp(d) − 1 − d in float32",
        "k3",
        k3_cancelling,
        "Subtracts nearly equal numbers; expm1(d) − d keeps the digits.",
        Example("float32, d = 2⁻¹²: the value times 2²⁵", "1.00", "0", _small),
        ("KL.2",),
    ),
    Bug(
        "kl_averaged",
        "KL averaged over tokens where the objective sums",
        "kl_loss",
        kl_averaged,
        "Averages over tokens: each weighs the less the longer the responses of the batch are.",
        Example("log-ratio 1 at every token, lengths 1 and 3", "1", "½", _two_lengths),
        ("KL.3", "IS.9"),
        (("kl_loss", kl_averaged_by_sequence),),
    ),
)
