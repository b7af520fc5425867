"""Mistakes in returns, advantages and what is made of them: ends of episodes, exponents, baselines, whitening."""

from __future__ import annotations

import torch
from torch import Tensor

from derivations.algorithms.assembly import last_step
from derivations.algorithms.batches import everywhere
from derivations.algorithms.bugs.entry import Bug, Example, Function, loss_of, numbers, slope
from derivations.algorithms.losses import Loss, reinforce
from derivations.algorithms.returns import discounted_returns, gae

# --- GAE ------------------------------------------------------------------------------------------------------------


def done_shifted(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
    mask: Tensor | None = None,
) -> Tensor:
    """The end that is looked at is that of the step before: nothing ends at the first one."""
    ended, cut = (torch.cat((torch.zeros_like(e[:, :1]), e[:, :-1]), 1) for e in (terminated, truncated))
    return gae(rewards, values, next_values, ended, cut, gamma, lam, mask)


def done_shifted_early(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
    mask: Tensor | None = None,
) -> Tensor:
    """The end that is looked at is that of the step after; the last step has its own."""
    ended, cut = (torch.cat((e[:, 1:], e[:, -1:]), 1) for e in (terminated, truncated))
    return gae(rewards, values, next_values, ended, cut, gamma, lam, mask)


def truncation_as_termination(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
    mask: Tensor | None = None,
) -> Tensor:
    """An episode that was cut off is worth nothing afterwards."""
    return gae(rewards, values, next_values, terminated | truncated, torch.zeros_like(truncated), gamma, lam, mask)


def last_exponent_off_by_two(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
    mask: Tensor | None = None,
) -> Tensor:
    """The sum that the PPO paper prints in its eq. 11: (γλ)^{T−t+1} before δ_{T−1}, where T − t − 1 is right."""
    inside = everywhere(rewards) if mask is None else mask
    errors = gae(rewards, values, next_values, terminated, truncated, gamma, 0.0, inside)
    ends = last_step(inside) | ((terminated | truncated) & inside)
    errors = torch.where(ends, errors * (gamma * lam) ** 2, errors)
    zeros, never = torch.zeros_like(errors), torch.zeros_like(terminated)
    return gae(errors, zeros, zeros, never, ends, gamma, lam, inside)


# --- discounts ------------------------------------------------------------------------------------------------------


def exponent_from_the_start(rewards: Tensor, gamma: float, mask: Tensor | None = None) -> Tensor:
    """Σ_{k≥t} γ^k r_k: the exponent counts from the first step of the episode."""
    return discounted_returns(rewards * _powers(rewards, gamma), 1.0, mask)


def discount_missing(logp: Tensor, rewards: Tensor, gamma: float, mask: Tensor) -> Loss:
    """The term at t has no γᵗ."""
    return reinforce(logp, discounted_returns(rewards, gamma, mask), mask)


def discount_twice(logp: Tensor, rewards: Tensor, gamma: float, mask: Tensor) -> Loss:
    """γᵗ before the term at t, and γ^k for γ^{k−t} in its reward-to-go."""
    returns = exponent_from_the_start(rewards, gamma, mask)
    return reinforce(logp, _powers(rewards, gamma) * returns, mask)


def _powers(rewards: Tensor, gamma: float) -> Tensor:
    return gamma ** torch.arange(rewards.shape[1], device=rewards.device, dtype=rewards.dtype)


# --- baselines and whitening ------------------------------------------------------------------------------------------


def own_sample_in_the_baseline(returns: Tensor) -> Tensor:
    """The mean over the batch is subtracted, with the sample itself in it."""
    return returns - returns.mean()


def whitened_along_time(advantages: Tensor, mask: Tensor) -> Tensor:
    """Each sequence is whitened alone."""
    return _whitened(advantages, mask, 1)


def whitened_along_the_batch(advantages: Tensor, mask: Tensor) -> Tensor:
    """Each time step is whitened alone."""
    return _whitened(advantages, mask, 0)


def _whitened(advantages: Tensor, mask: Tensor, axis: int) -> Tensor:
    count = mask.sum(axis, keepdim=True).clamp(min=1)
    mean = advantages.masked_fill(~mask, 0.0).sum(axis, keepdim=True) / count
    apart = (advantages - mean).masked_fill(~mask, 0.0)
    return apart / ((apart**2).sum(axis, keepdim=True) / count + 1e-8).sqrt()


def mean_added_back(advantages: Tensor, mask: Tensor) -> Tensor:
    """The mean is added again after the division."""
    taken = advantages[mask]
    return ((advantages - taken.mean()) / taken.std(correction=0) + taken.mean()).masked_fill(~mask, 0.0)


def padding_in_the_whitening(advantages: Tensor, mask: Tensor) -> Tensor:
    """Mean and deviation are taken over all slots, the padding as zeros."""
    filled = advantages.masked_fill(~mask, 0.0)
    return ((filled - filled.mean()) / filled.std(correction=0)).masked_fill(~mask, 0.0)


# --- the examples ---------------------------------------------------------------------------------------------------

HALF = 1 / 2


def _flags(*given: int) -> Tensor:
    return torch.tensor([given], dtype=torch.bool)


def _ends_in_the_middle(function: Function) -> Tensor:
    """r = 1, V = 0, γ = λ = 1, four steps, the second of which ends an episode and the fourth another."""
    ones, zeros = torch.ones(1, 4, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64)
    found: Tensor = function(ones, zeros, zeros, _flags(0, 1, 0, 1), _flags(0, 0, 0, 0), 1.0, 1.0)
    return found.squeeze(0)


def _cut_off(function: Function) -> Tensor:
    """r = 1 for ever, V = 1/(1 − γ) = 2 at γ = ½, cut off after one step."""
    one = torch.ones(1, 1, dtype=torch.float64)
    found: Tensor = function(one, 2 * one, 2 * one, _flags(0), _flags(1), HALF, HALF)
    return found


def _coefficients(function: Function) -> Tensor:
    """Of δ₀ … δ₃ in Â₀, T = 4, γ = 1, λ = ½: each by an episode in which only this δ is 1."""
    zeros, never = torch.zeros(1, 4, dtype=torch.float64), _flags(0, 0, 0, 0)
    found = []
    for k in range(4):
        rewards = zeros.clone()
        rewards[0, k] = 1.0
        found.append(function(rewards, zeros, zeros, _flags(0, 0, 0, 1), never, 1.0, HALF)[0, 0])
    return torch.stack(found)


def _to_go(function: Function) -> Tensor:
    """r = (1, 1), γ = ½."""
    found: Tensor = function(numbers([1.0, 1.0]), HALF)
    return found.squeeze(0)


def _two_coins(function: Function) -> Tensor:
    """The expected gradient of the objective in two logits, all four outcomes counted."""

    def mean(logits: Tensor) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for first in (0, 1):
            for second in (0, 1):
                signs = numbers([2.0 * first - 1, 2.0 * second - 1])
                logp = torch.nn.functional.logsigmoid(signs * logits)
                rewards = numbers([1.0 * first, 3.0 * second])
                total = total - loss_of(function(logp, rewards, HALF, everywhere(logp))) / 4
        return total

    return slope(mean, torch.zeros(1, 2, dtype=torch.float64)).squeeze(0)


def _baseline(function: Function) -> Tensor:
    found: Tensor = function(numbers(3.0, 1.0, 2.0, 0.0))
    return found


def _one_step_each(function: Function) -> Tensor:
    """Â = 1 and 3, two sequences of one step."""
    advantages = numbers([1.0], [3.0])
    found: Tensor = function(advantages, everywhere(advantages))
    return found.squeeze(1)


def _whitened_with_padding(function: Function) -> Tensor:
    """Â = 1 and 3, each in two slots."""
    mask = torch.tensor([[True, False], [True, False]])
    found: Tensor = function(numbers([1.0, 0.0], [3.0, 0.0]), mask)
    return found[:, 0]


BUGS = (
    Bug(
        "done_shifted",
        "GAE's done mask shifted by one",
        "gae",
        done_shifted,
        "Looks at the end of the step before, so that one episode leaks into the next.",
        Example(
            "r = 1, V = 0, γ = λ = 1, episodes of two steps and two: the advantages",
            "2, 1, 2, 1",
            "3, 2, 1, 1",
            _ends_in_the_middle,
        ),
        ("AD.20",),
        (("gae", done_shifted_early),),
    ),
    Bug(
        "truncation_as_termination",
        "truncation treated as termination",
        "gae",
        truncation_as_termination,
        "Counts nothing behind a cut, where the value of the state reached belongs: off by −γ/(1 − γ).",
        Example("r = 1 for ever, γ = ½, V = 1/(1 − γ), cut after one step: the advantage", "0", "−1", _cut_off),
        ("AD.20",),
    ),
    Bug(
        "last_exponent_off_by_two",
        "last exponent of GAE's sum off by two",
        "gae",
        last_exponent_off_by_two,
        "Weighs the last error by (γλ)^{T−t+1}, as a printed formula has it, instead of (γλ)^{T−t−1}.",
        Example("T = 4, γλ = ½: the coefficients of δ₀ to δ₃ in Â₀", "1, ½, ¼, ⅛", "1, ½, ¼, 1/32", _coefficients),
        ("AD.16", "AD.17"),
    ),
    Bug(
        "exponent_from_the_start",
        "γ^{t'} for γ^{t'−t} in the reward-to-go",
        "discounted_returns",
        exponent_from_the_start,
        "Counts the exponent from the first step, so that its mean is γᵗ Q.",
        Example("r = (1, 1), γ = ½: the reward-to-go", "3/2, 1", "3/2, ½", _to_go),
        ("AD.12",),
    ),
    Bug(
        "discount_missing",
        "γᵗ missing, or applied twice",
        "discounted_reinforce",
        discount_missing,
        "Leaves out γᵗ before the term at t: no gradient of the discounted objective.",
        Example("γ = ½, two fair coins, r₀ = a₀, r₁ = 3a₁: the expected gradient", "¼, ⅜", "¼, ¾", _two_coins),
        ("AD.13",),
    ),
    Bug(
        "discount_twice",
        "γᵗ missing, or applied twice",
        "discounted_reinforce",
        discount_twice,
        "Puts γᵗ before a reward-to-go that has it already.",
        Example("γ = ½, two fair coins, r₀ = a₀, r₁ = 3a₁: the expected gradient", "¼, ⅜", "¼, 3/16", _two_coins),
        ("AD.12", "AD.13"),
    ),
    Bug(
        "own_sample_in_the_baseline",
        "batch-mean baseline with the own sample in it",
        "leave_one_out",
        own_sample_in_the_baseline,
        "Subtracts a mean that holds the sample itself: the gradient shrinks by 1 − 1/N.",
        Example("returns 3, 1, 2, 0: the advantages", "2, −⅔, ⅔, −2", "3/2, −½, ½, −3/2", _baseline),
        ("AD.6",),
    ),
    Bug(
        "whitened_along_time",
        "whitening along the wrong axis, or with the mean added back",
        "whiten",
        whitened_along_time,
        "Whitens each row alone: which response was better is lost.",
        Example("two sequences of one step, Â = 1 and 3", "−1, 1", "0, 0", _one_step_each),
        ("AD.5",),
        (("whiten", whitened_along_the_batch),),
    ),
    Bug(
        "mean_added_back",
        "whitening along the wrong axis, or with the mean added back",
        "whiten",
        mean_added_back,
        "Adds the mean again: the result is not centred.",
        Example("two sequences of one step, Â = 1 and 3", "−1, 1", "1, 3", _one_step_each),
        ("AD.5",),
    ),
    Bug(
        "padding_in_the_whitening",
        "padding counted in means, entropies, whitening",
        "whiten",
        padding_in_the_whitening,
        "Takes mean and deviation over all slots, padding included.",
        Example("two sequences of one step in two slots, Â = 1 and 3", "−1, 1", "0, 2√(2/3)", _whitened_with_padding),
        ("AD.5",),
    ),
)
