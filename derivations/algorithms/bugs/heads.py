"""Mistakes in the value loss, the entropy bonus, and the objective that they are added to."""

from __future__ import annotations

import torch
from torch import Tensor

from derivations.algorithms.batches import everywhere
from derivations.algorithms.bugs.entry import Bug, Example, Function, loss_of, numbers, slope
from derivations.algorithms.losses import Loss, aggregate

# --- the value head ---------------------------------------------------------------------------------------------------


def clipped_without_max(
    values: Tensor,
    values_old: Tensor,
    targets: Tensor,
    mask: Tensor,
    clip: float | None = None,
    aggregation: str = "token_mean",
) -> Loss:
    """Only the clipped error counts."""
    near = values if clip is None else values_old.detach() + (values - values_old.detach()).clamp(-clip, clip)
    return aggregate((near - targets.detach()) ** 2, mask, aggregation), {}


def targets_not_detached(
    values: Tensor,
    values_old: Tensor,
    targets: Tensor,
    mask: Tensor,
    clip: float | None = None,
    aggregation: str = "token_mean",
) -> Loss:
    """The gradient passes on to the targets, and through them to the values of the next states."""
    errors = (values - targets) ** 2
    if clip is not None:
        near = values_old.detach() + (values - values_old.detach()).clamp(-clip, clip)
        errors = torch.maximum(errors, (near - targets) ** 2)
    return aggregate(errors, mask, aggregation), {}


def broadcast_to_a_square(
    values: Tensor,
    values_old: Tensor,
    targets: Tensor,
    mask: Tensor,
    clip: float | None = None,
) -> Loss:
    """[steps, 1] − [steps] is [steps, steps]: each value is compared with each target."""
    column, old, row = values[mask].unsqueeze(-1), values_old.detach()[mask].unsqueeze(-1), targets.detach()[mask]
    errors = (column - row) ** 2
    if clip is not None:
        errors = torch.maximum(errors, (old + (column - old).clamp(-clip, clip) - row) ** 2)
    return errors.mean(), {}


def value_padding_in_the_mean(
    values: Tensor,
    values_old: Tensor,
    targets: Tensor,
    mask: Tensor,
    clip: float | None = None,
    aggregation: str = "token_mean",
) -> Loss:
    """The padding is 0, and is counted in the mean."""
    errors = (values - targets.detach()) ** 2
    if clip is not None:
        near = values_old.detach() + (values - values_old.detach()).clamp(-clip, clip)
        errors = torch.maximum(errors, (near - targets.detach()) ** 2)
    return aggregate(errors.masked_fill(~mask, 0.0), everywhere(errors), aggregation), {}


def value_padding_in_the_sum(
    values: Tensor,
    values_old: Tensor,
    targets: Tensor,
    mask: Tensor,
    clip: float | None = None,
    aggregation: str = "token_mean",
) -> Loss:
    """The mask is not looked at."""
    return value_padding_in_the_mean(values, values_old, targets, everywhere(mask), clip, aggregation)


# --- entropy ----------------------------------------------------------------------------------------------------------


def _entropies(logits: Tensor) -> Tensor:
    laws = logits.log_softmax(-1)
    return -(laws.exp() * laws).sum(-1)


def entropy_of_the_wrong_sign(logits: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """The entropy itself is minimised."""
    return aggregate(_entropies(logits), mask, aggregation), {}


def padding_in_the_entropy(logits: Tensor, mask: Tensor, aggregation: str = "token_mean") -> Loss:
    """The entropies of the padding are added too."""
    return aggregate(-_entropies(logits), everywhere(mask), aggregation), {}


def padding_in_the_mean_entropy(logits: Tensor, mask: Tensor, aggregation: str = "token_mean") -> Loss:
    """The padding is 0, and is counted in the mean."""
    return aggregate(-_entropies(logits).masked_fill(~mask, 0.0), everywhere(mask), aggregation), {}


def entropy_besides_the_penalty(
    logits: Tensor, rewards: Tensor, logits_ref: Tensor, beta: float, entropy_coefficient: float = 1.0
) -> Loss:
    """An entropy bonus is added to the objective with the penalty, as if its optimum stayed."""
    laws, reference = logits.log_softmax(-1), logits_ref.detach().log_softmax(-1)
    objective = (laws.exp() * (rewards.detach() - beta * (laws - reference))).sum(-1)
    return -(objective + entropy_coefficient * _entropies(logits)).mean(), {}


# --- the examples ---------------------------------------------------------------------------------------------------


def _far_from_the_target(function: Function) -> Tensor:
    """The gradient in v at R = 10, old value 5, v = 1, range 1/5."""
    one = torch.ones(1, 1, dtype=torch.float64)
    return slope(lambda v: loss_of(function(v, 5 * one, 10 * one, one.bool(), 1 / 5)), one)


def _bootstrapped(function: Function) -> Tensor:
    """The gradient in V of the next state, at V = 0, target r + V' with r = 1, V' = 2."""
    one = torch.ones(1, 1, dtype=torch.float64)
    return slope(lambda following: loss_of(function(0 * one, 0 * one, 1 + following, one.bool())), 2 * one)


def _a_batch_of_two(function: Function) -> Tensor:
    """The loss of values that are right: 0 and 1."""
    values = numbers([0.0], [1.0])
    return loss_of(function(values, values, values, everywhere(values)))


def _towards_uniform(function: Function) -> Tensor:
    """The gradient in the second logit at π = (¼, ¾), in units of 3/16 ln 3; a step against it must lower that logit."""
    logits = numbers(1 / 4, 3 / 4).log().view(1, 1, 2)
    found = slope(lambda x: loss_of(function(x, torch.ones(1, 1, dtype=torch.bool))), logits)
    return found[0, 0, 1] / (3 / 16 * numbers(3.0).log()[0])


def _padded_entropy(function: Function) -> Tensor:
    """The token mean of the uniform policy over two actions, one token in two slots, in units of −ln 2."""
    logits = numbers([0.0, 0.0], [0.0, 100.0]).unsqueeze(0)
    found = loss_of(function(logits, torch.tensor([[True, False]]), "token_mean"))
    return -found / numbers(2.0).log()[0]


def _optimum_kept(function: Function) -> Tensor:
    """r = 0, β = c₂ = 1, π_ref = (¼, ¾): the gradient at π = π_ref in the second logit, in units of 3/16 ln 3."""
    reference = numbers(1 / 4, 3 / 4).log().unsqueeze(0)
    found = slope(lambda x: loss_of(function(x, 0 * reference, reference, 1.0)), reference)
    return found[0, 1] / (3 / 16 * numbers(3.0).log()[0])


def _padded_value(function: Function) -> Tensor:
    zeros, ones = torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)
    return loss_of(function(zeros, zeros, ones, torch.tensor([[True, False]])))


BUGS = (
    Bug(
        "clipped_without_max",
        "value clipping without the max",
        "value",
        clipped_without_max,
        "Takes the clipped error alone: a value far from its target gets no gradient.",
        Example("R = 10, old value 5, v = 1, range 1/5: the gradient in v", "−18", "0", _far_from_the_target),
        ("PPO.12",),
    ),
    Bug(
        "targets_not_detached",
        "advantages or targets not detached",
        "value",
        targets_not_detached,
        "Lets the gradient pass through the targets to the values of the next states.",
        Example("target r + V' = 3, V = 0: the gradient of the loss in V'", "0", "6", _bootstrapped),
        ("PPO.12",),
    ),
    Bug(
        "broadcast_to_a_square",
        "shapes [B,1] and [B] broadcast to [B,B]",
        "value",
        broadcast_to_a_square,
        "Compares each value with each target, and pulls all values to the mean of the targets.",
        Example("values 0 and 1, both right: the loss", "0", "½", _a_batch_of_two),
        ("PPO.12",),
    ),
    Bug(
        "padding_in_the_value_loss",
        "padding counted in means, entropies, whitening",
        "value",
        value_padding_in_the_mean,
        "Divides by the number of slots, padding included.",
        Example("one step with an error of 1, in two slots: the loss", "1", "½", _padded_value),
        ("IS.9",),
        (("value", value_padding_in_the_sum),),
    ),
    Bug(
        "entropy_of_the_wrong_sign",
        "entropy with the wrong sign",
        "entropy",
        entropy_of_the_wrong_sign,
        "Minimises the entropy, where the uniform policy must be the best of the bonus.",
        Example(
            "π = (¼,¾): the gradient of the loss in the second logit, in units of 3/16 ln 3",
            "1",
            "−1",
            _towards_uniform,
        ),
        ("PPO.13", "PPO.14"),
    ),
    Bug(
        "padding_in_the_entropy",
        "padding counted in means, entropies, whitening",
        "entropy",
        padding_in_the_entropy,
        "Counts the entropies of the padding.",
        Example("one uniform token and one slot of padding: the mean in units of ln 2", "1", "½", _padded_entropy),
        ("IS.9",),
        (("entropy", padding_in_the_mean_entropy),),
    ),
    Bug(
        "entropy_besides_the_penalty",
        "entropy bonus together with KL “keeps π*”",
        "regularised_objective",
        entropy_besides_the_penalty,
        "Adds an entropy bonus to the penalty; the optimum becomes ∝ π_ref^{β/(β+c₂)} exp(r/(β+c₂)).",
        Example(
            "r = 0, β = c₂ = 1, π_ref = (¼,¾): the gradient at π* = π_ref, in units of 3/16 ln 3",
            "0",
            "1",
            _optimum_kept,
        ),
        ("KL.11",),
    ),
)
