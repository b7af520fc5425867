"""Mistakes in the losses of a policy: REINFORCE, CPI, the TRPO penalty, PPO; and in what all of them share."""

from __future__ import annotations

import torch
from torch import Tensor

from derivations.algorithms.batches import everywhere
from derivations.algorithms.bugs.entry import Bug, Example, Function, accepts, loss_of, numbers, slope
from derivations.algorithms.losses import Loss, aggregate


def ratios(logp: Tensor, logp_old: Tensor, mask: Tensor) -> Tensor:
    """π_θ/π_old, 1 outside the mask."""
    return (logp - logp_old).masked_fill(~mask, 0.0).exp()


def clipped_terms(logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """The terms of PPO as they should be, nothing detached."""
    ratio = ratios(logp, logp_old, mask)
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - epsilon, 1 + epsilon) * advantages)


# --- the clip -------------------------------------------------------------------------------------------------------


def clip_of_the_product(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """The product of ratio and advantage is clipped."""
    product = ratios(logp, logp_old.detach(), mask) * advantages.detach()
    return aggregate(-torch.minimum(product, product.clamp(1 - epsilon, 1 + epsilon)), mask, aggregation), {}


def clip_without_min(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """The clipped ratio alone, without the minimum."""
    ratio = ratios(logp, logp_old.detach(), mask).clamp(1 - epsilon, 1 + epsilon)
    return aggregate(-ratio * advantages.detach(), mask, aggregation), {}


def max_for_min(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """The larger of the two terms is taken."""
    ratio, weights = ratios(logp, logp_old.detach(), mask), advantages.detach()
    terms = torch.maximum(ratio * weights, ratio.clamp(1 - epsilon, 1 + epsilon) * weights)
    return aggregate(-terms, mask, aggregation), {}


def sign_of_the_advantage_ignored(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """min(r, 1 + ε) Â whatever the sign of Â."""
    ratio = ratios(logp, logp_old.detach(), mask).clamp(max=1 + epsilon)
    return aggregate(-ratio * advantages.detach(), mask, aggregation), {}


def both_terms_added(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """Free and clipped term are added, as if each gave a gradient of its own at ratio one."""
    ratio, weights = ratios(logp, logp_old.detach(), mask), advantages.detach()
    return aggregate(-(ratio + ratio.clamp(1 - epsilon, 1 + epsilon)) * weights, mask, aggregation), {}


def halved_against_a_factor_two(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """The right loss, halved to undo a factor 2 that is not there."""
    return aggregate(
        clipped_terms(logp, logp_old.detach(), advantages.detach(), mask, epsilon) / 2, mask, aggregation
    ), {}


def ratio_against_the_reference(
    logp: Tensor,
    logp_old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    epsilon: float,
    logp_ref: Tensor,
    aggregation: str = "sequence_sum",
) -> Loss:
    """The ratio has π_ref below the line."""
    return aggregate(clipped_terms(logp, logp_ref.detach(), advantages.detach(), mask, epsilon), mask, aggregation), {}


def cpi_against_the_reference(
    logp: Tensor,
    logp_old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    logp_ref: Tensor,
    aggregation: str = "sequence_sum",
) -> Loss:
    """The ratio has π_ref below the line."""
    return aggregate(-ratios(logp, logp_ref.detach(), mask) * advantages.detach(), mask, aggregation), {}


# --- gradients that pass where they should not, values that say nothing -----------------------------------------------


def log_probability_less_itself(logp: Tensor, returns: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """(x − x.detach()) R̂: the value is always 0."""
    return aggregate(-(logp - logp.detach()) * returns.detach(), mask, aggregation), {}


def own_ratio(logp: Tensor, returns: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """exp(x − x.detach()) R̂: the value is always minus the mean of R̂."""
    return aggregate(-(logp - logp.detach()).exp() * returns.detach(), mask, aggregation), {}


def cpi_less_itself(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, aggregation: str = "sequence_sum"
) -> Loss:
    """(x − x.detach()) Â."""
    return log_probability_less_itself(logp, advantages, mask, aggregation)


def cpi_own_ratio(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, aggregation: str = "sequence_sum"
) -> Loss:
    """exp(x − x.detach()) Â."""
    return own_ratio(logp, advantages, mask, aggregation)


def ppo_own_ratio(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """The ratio to itself, which is never clipped."""
    return own_ratio(logp, advantages, mask, aggregation)


def ppo_less_itself(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """(x − x.detach()) Â."""
    return log_probability_less_itself(logp, advantages, mask, aggregation)


def advantages_not_detached(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """The gradient passes on to the advantages, and through them to the critic."""
    return aggregate(clipped_terms(logp, logp_old.detach(), advantages, mask, epsilon), mask, aggregation), {}


# --- how the steps are put together -------------------------------------------------------------------------------------


def always_the_token_mean(logp: Tensor, returns: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """The mean over all tokens, whichever was asked for."""
    return aggregate(-logp * returns.detach(), mask, "token_mean"), {}


def always_the_sequence_mean(logp: Tensor, returns: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """The mean of means, whichever was asked for."""
    return aggregate(-logp * returns.detach(), mask, "sequence_mean"), {}


def ppo_always_the_token_mean(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """The mean over all tokens, whichever was asked for."""
    return aggregate(clipped_terms(logp, logp_old.detach(), advantages.detach(), mask, epsilon), mask, "token_mean"), {}


def _with_padding(terms: Tensor, aggregation: str) -> Tensor:
    return aggregate(terms, everywhere(terms), aggregation)


def padding_in_the_mean(logp: Tensor, returns: Tensor, mask: Tensor, aggregation: str = "token_mean") -> Loss:
    """The padding is 0, and is counted in the mean."""
    return _with_padding((-logp * returns.detach()).masked_fill(~mask, 0.0), aggregation), {}


def padding_in_the_sum(logp: Tensor, returns: Tensor, mask: Tensor, aggregation: str = "token_mean") -> Loss:
    """The mask is not looked at."""
    return _with_padding(-logp * returns.detach(), aggregation), {}


def cpi_padding_in_the_mean(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, aggregation: str = "token_mean"
) -> Loss:
    """The padding is 0, and is counted in the mean."""
    terms = -ratios(logp, logp_old.detach(), mask) * advantages.detach()
    return _with_padding(terms.masked_fill(~mask, 0.0), aggregation), {}


def cpi_padding_in_the_sum(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, aggregation: str = "token_mean"
) -> Loss:
    """The mask is not looked at."""
    return _with_padding(-(logp - logp_old.detach()).exp() * advantages.detach(), aggregation), {}


def ppo_padding_in_the_mean(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "token_mean"
) -> Loss:
    """The padding is 0, and is counted in the mean."""
    terms = clipped_terms(logp, logp_old.detach(), advantages.detach(), mask, epsilon)
    return _with_padding(terms.masked_fill(~mask, 0.0), aggregation), {}


def ppo_padding_in_the_sum(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "token_mean"
) -> Loss:
    """The mask is not looked at."""
    terms = clipped_terms(logp, logp_old.detach(), advantages.detach(), everywhere(mask), epsilon)
    return _with_padding(terms, aggregation), {}


# --- the examples ---------------------------------------------------------------------------------------------------

REGIONS = ((0.5, 2.0), (1.1, 2.0), (1.5, 2.0), (0.5, -2.0), (1.1, -2.0), (1.5, -2.0))
EPSILON = 1 / 5


def _regions(function: Function) -> Tensor:
    """Minus the loss in each of the six regions."""
    found = []
    for ratio, advantage in REGIONS:
        one = torch.ones(1, 1, dtype=torch.float64)
        found.append(-loss_of(function((ratio * one).log(), 0 * one, advantage * one, one.bool(), EPSILON)))
    return torch.stack(found)


def _at_ratio_one(function: Function) -> Tensor:
    """The gradient of the surrogate in logp at ratio one, Â = 1."""
    one = torch.ones(1, 1, dtype=torch.float64)
    return -slope(lambda logp: loss_of(function(logp, 0 * one, one, one.bool(), EPSILON)), 0 * one)


def _against_the_reference(function: Function) -> Tensor:
    """Minus the loss at Â = 1 and ε = 9/10: the ratio."""
    one = torch.ones(1, 1, dtype=torch.float64)
    extra = {"logp_ref": (0.5 * one).log()} if accepts(function, "logp_ref") else {}
    new = (0.9 * one).log()
    return -loss_of(function(new, new, one, one.bool(), 0.9, **extra))


def _value_and_gradient(function: Function) -> Tensor:
    """Minus the loss, and its gradient in logp, at log π = −1 and R̂ = 2."""
    logp, returns = numbers([-1.0]), numbers([2.0])

    def loss(x: Tensor) -> Tensor:
        return loss_of(function(x, returns, everywhere(x)))

    return torch.stack((-loss(logp), -slope(loss, logp).squeeze()))


def _through_a_critic(function: Function) -> Tensor:
    """The gradient in V of the loss at ratio one, with Â = R − V."""
    one = torch.ones(1, 1, dtype=torch.float64)
    return slope(lambda v: loss_of(function(0 * one, 0 * one, 3 * one - v, one.bool(), EPSILON)), one)


LENGTHS = torch.tensor([[True, False, False], [True, True, True]])


def _three_aggregations(function: Function) -> Tensor:
    """Minus the loss, asked for token_mean, sequence_mean and sequence_sum; lengths 1 and 3, Â = 1 and −½, log π = 1."""
    returns = numbers([1.0, 0.0, 0.0], [-0.5, -0.5, -0.5])
    ones = torch.ones(2, 3, dtype=torch.float64)
    asked = ("token_mean", "sequence_mean", "sequence_sum")
    return -torch.stack([loss_of(function(ones, returns, LENGTHS, aggregation)) for aggregation in asked])


def _padded(function: Function) -> Tensor:
    """Minus the token mean; lengths 1 and 3, R̂ = 1 at each of the four tokens, log π = 1."""
    ones = torch.ones(2, 3, dtype=torch.float64)
    return -loss_of(function(ones, ones, LENGTHS, "token_mean"))


_SIX = "ε = 1/5, r = ½, 11/10, 3/2 with Â = 2, then with Â = −2: the surrogate"
_RIGHT_SIX = "1, 11/5, 12/5, −8/5, −11/5, −3"
_CLIP = "clip misapplied: to the product, with max for min, without min, or whatever the sign of Â"

BUGS = (
    Bug(
        "clip_of_the_product",
        _CLIP,
        "ppo_clip",
        clip_of_the_product,
        "Clips the product rÂ to [1 − ε, 1 + ε] instead of the ratio.",
        Example(_SIX, _RIGHT_SIX, "1, 6/5, 6/5, −1, −11/5, −3", _regions),
        ("PPO.3", "PPO.4"),
    ),
    Bug(
        "max_for_min",
        _CLIP,
        "ppo_clip",
        max_for_min,
        "Takes the larger term in the objective: no pessimistic bound any more.",
        Example(_SIX, _RIGHT_SIX, "8/5, 11/5, 3, −1, −11/5, −12/5", _regions),
        ("PPO.1", "PPO.3"),
    ),
    Bug(
        "clip_without_min",
        _CLIP,
        "ppo_clip",
        clip_without_min,
        "Clips the ratio and leaves out the minimum: no gradient where a mistake needs undoing.",
        Example(_SIX, _RIGHT_SIX, "8/5, 11/5, 12/5, −8/5, −11/5, −12/5", _regions),
        ("PPO.5", "PPO.6"),
    ),
    Bug(
        "sign_of_the_advantage_ignored",
        _CLIP,
        "ppo_clip",
        sign_of_the_advantage_ignored,
        "Takes min(r, 1 + ε)Â also for a negative advantage, where max(r, 1 − ε)Â is right.",
        Example(_SIX, _RIGHT_SIX, "1, 11/5, 12/5, −1, −11/5, −12/5", _regions),
        ("PPO.2", "PPO.3"),
    ),
    Bug(
        "ratio_against_the_reference",
        "ratio against π_ref instead of π_old",
        "ppo_clip",
        ratio_against_the_reference,
        "Divides by the reference policy, which did not draw the actions.",
        Example("π_ref = ½, π_old = π = 9/10: the ratio", "1", "9/5", _against_the_reference),
        ("PPO.11", "IS.4"),
        (("cpi", cpi_against_the_reference),),
    ),
    Bug(
        "log_probability_less_itself",
        "loss value read as progress",
        "reinforce",
        log_probability_less_itself,
        "Weights x − x.detach(): the gradient is right, and the value is 0 whatever the policy does.",
        Example("log π = −1, R̂ = 2: value and gradient of the objective", "−2, 2", "0, 2", _value_and_gradient),
        ("IS.4", "IS.5"),
        (
            ("reinforce", own_ratio),
            ("cpi", cpi_less_itself),
            ("cpi", cpi_own_ratio),
            ("ppo_clip", ppo_less_itself),
            ("ppo_clip", ppo_own_ratio),
        ),
    ),
    Bug(
        "always_the_token_mean",
        "token mean, sequence mean, sequence sum mixed",
        "reinforce",
        always_the_token_mean,
        "Takes the mean over tokens where the mean or the sum of each sequence was asked for.",
        Example(
            "lengths 1 and 3, Â = 1 and −½: token_mean, sequence_mean, sequence_sum of Â",
            "−⅛, ¼, −¼",
            "−⅛, −⅛, −⅛",
            _three_aggregations,
        ),
        ("IS.9",),
        (("reinforce", always_the_sequence_mean), ("ppo_clip", ppo_always_the_token_mean)),
    ),
    Bug(
        "padding_in_the_mean",
        "padding counted in means, entropies, whitening",
        "reinforce",
        padding_in_the_mean,
        "Divides by the number of slots, padding included.",
        Example("lengths 1 and 3 in 2 × 3 slots, 1 at each token: the token mean", "1", "⅔", _padded),
        ("IS.9",),
        (
            ("reinforce", padding_in_the_sum),
            ("cpi", cpi_padding_in_the_mean),
            ("cpi", cpi_padding_in_the_sum),
            ("ppo_clip", ppo_padding_in_the_mean),
            ("ppo_clip", ppo_padding_in_the_sum),
        ),
    ),
    Bug(
        "advantages_not_detached",
        "advantages or targets not detached",
        "ppo_clip",
        advantages_not_detached,
        "Lets the gradient pass through the advantages to the critic.",
        Example("ratio 1, Â = R − V: the gradient of the loss in V", "0", "1", _through_a_critic),
        ("KL.9", "PPO.16"),
    ),
    Bug(
        "both_terms_added",
        "a factor 2 in the gradient at ratio one",
        "ppo_clip",
        both_terms_added,
        "Adds the free and the clipped term, which gives twice the gradient at ratio one.",
        Example("r = 1, Â = 1: the gradient of the surrogate in log π", "1", "2", _at_ratio_one),
        ("PPO.7", "IS.6"),
    ),
    Bug(
        "halved_against_a_factor_two",
        "a factor 2 in the gradient at ratio one",
        "ppo_clip",
        halved_against_a_factor_two,
        "Halves the loss to undo a factor 2 at ratio one that is not there.",
        Example("r = 1, Â = 1: the gradient of the surrogate in log π", "1", "½", _at_ratio_one),
        ("PPO.7", "IS.6"),
    ),
)
