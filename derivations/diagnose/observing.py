"""What a function says of a batch: its value, its gradients, and where gradients pass that should not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from derivations.algorithms.bugs import Function
from derivations.algorithms.bugs.entry import accepts
from derivations.algorithms.losses import aggregate
from derivations.diagnose.arguments import Call
from derivations.diagnose.batches import Batch
from derivations.diagnose.subjects import EACH, TOTAL, Subject


@dataclass(frozen=True)
class Outcome:
    """A value, its gradients in the arguments that are to get one, and those in the arguments that are not.

    `differentiable` says whether a gradient leaves the function at all. Of a value that is no single number the gradient
    is that of a weighted sum with different weights.
    """

    value: Tensor
    gradients: Mapping[str, Tensor]
    leaks: Mapping[str, Tensor]
    differentiable: bool

    def scaled(self, factor: float) -> Outcome:
        """The outcome of the function times a number."""
        gradients = {name: factor * gradient for name, gradient in self.gradients.items()}
        return Outcome(factor * self.value, gradients, self.leaks, self.differentiable)

    @property
    def finite(self) -> bool:
        """Whether value and gradients are numbers."""
        return all(bool(part.isfinite().all()) for part in (self.value, *self.gradients.values()))


@dataclass(frozen=True)
class Failure:
    """What a function raised, or gave back that is no tensor."""

    words: str


Observed = Outcome | Failure


def prepared(batch: Batch, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a batch, with those that are fixed, and what can be worked out of them."""
    inputs = {**batch.inputs, **fixed}
    if "terminated" in inputs:
        inputs["dones"] = inputs["terminated"] | inputs["truncated"]
        inputs["last_values"] = inputs["next_values"][:, -1]
    if "mask" in inputs:
        inputs["lengths"] = inputs["mask"].sum(-1)
    return inputs


def observed(call: Call, subject: Subject, inputs: Mapping[str, Any]) -> Observed:
    """What a user's function says; whatever it raises is told, not raised."""

    def produce(given: Mapping[str, Any]) -> Tensor:
        value = _tensor(call(given))
        if call.time_major and value.dim() > 1:
            value = value.transpose(0, 1)
        return value.reshape(()) if "mask" in given and value.shape == (1,) else value

    try:
        return _evaluated(produce, subject, inputs)
    except Exception as error:  # a user's function may raise anything
        return Failure(f"raises {type(error).__name__}: {error}" if not isinstance(error, _NoTensor) else str(error))


def reference(function: Function, subject: Subject, inputs: Mapping[str, Any], aggregation: str) -> Observed:
    """What a function of the package says, put together by `aggregation`."""
    given = {name: value for name, value in inputs.items() if accepts(function, name) and name != "aggregation"}

    def produce(moved: Mapping[str, Any]) -> Tensor:
        own = {name: moved[name] for name in given}
        if not subject.is_loss:
            return _put_together(_tensor(function(**own)), moved, aggregation)
        if aggregation == EACH:
            return _one_by_one(function, own)
        if not accepts(function, "aggregation"):
            return _tensor(function(**own)) * (_count(moved) if aggregation == TOTAL else 1)
        if aggregation == TOTAL:
            return _tensor(function(**own, aggregation="sequence_sum")) * _count(moved)
        return _tensor(function(**own, aggregation=aggregation))

    try:
        return _evaluated(produce, subject, inputs)
    except ValueError as error:
        return Failure(str(error))


def _count(inputs: Mapping[str, Any]) -> int:
    """The number of sequences, pairs or prompts of a batch."""
    return len(next(value for value in inputs.values() if isinstance(value, Tensor) and value.dim()))


def _one_by_one(function: Function, inputs: Mapping[str, Any]) -> Tensor:
    """The loss of each step alone [batch, time], or of each pair [pairs]."""
    tables = {name: value for name, value in inputs.items() if isinstance(value, Tensor) and value.dim()}
    mask = inputs.get("mask", torch.ones(_count(inputs), 1, dtype=torch.bool))
    alone = {"aggregation": "sequence_sum"} if accepts(function, "aggregation") else {}
    terms = []
    for row, step in mask.nonzero().tolist():
        given = {**inputs, **{name: value[row : row + 1] for name, value in tables.items()}}
        if "mask" in inputs:
            given["mask"] = torch.zeros_like(given["mask"]).index_fill(1, torch.tensor([step]), True)
        terms.append(_tensor(function(**given, **alone)))
    found = torch.zeros(mask.shape, dtype=terms[0].dtype).masked_scatter(mask, torch.stack(terms))
    return found if "mask" in inputs else found.squeeze(1)


def _put_together(value: Tensor, inputs: Mapping[str, Any], aggregation: str) -> Tensor:
    if aggregation == EACH:
        return value
    mask = inputs.get("mask", torch.ones_like(value, dtype=torch.bool))
    if aggregation == TOTAL:
        return value.masked_fill(~mask, 0.0).sum()
    return aggregate(value, mask, aggregation)


class _NoTensor(Exception):
    """A result in which there is no tensor."""


def _tensor(result: Any) -> Tensor:
    """The tensor of a result: itself, the first of a tuple, the loss or the logp of a mapping or an object."""
    found = result
    if isinstance(found, tuple | list) and found:
        found = found[0]
    for name in ("loss", "logp"):
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif not isinstance(found, Tensor) and hasattr(found, name):
            found = getattr(found, name)
    if isinstance(found, int | float | np.ndarray | np.number):
        found = torch.as_tensor(found, dtype=torch.float64)
    if not isinstance(found, Tensor):
        raise _NoTensor(
            f"returns {type(result).__name__}; expected a tensor, or a tuple or a mapping with one as the loss"
        )
    return found


def _evaluated(produce: Callable[[Mapping[str, Any]], Tensor], subject: Subject, inputs: Mapping[str, Any]) -> Outcome:
    moved = dict(inputs)
    watched = [
        name for name in (*subject.leaves, *subject.constants, *subject.past) if isinstance(inputs.get(name), Tensor)
    ]
    for name in watched:
        moved[name] = inputs[name].detach().clone().requires_grad_()
    leaves = {name: moved[name] for name in watched}
    weights = list(inputs["policy"].parameters()) if "policy" in subject.leaves else []
    value = produce(moved)
    mask = inputs.get("mask", inputs["responses"].mask if "responses" in inputs else None)
    if mask is not None and value.shape == mask.shape:
        value = value.masked_fill(~mask, 0.0)
    differentiable = value.requires_grad
    number = (value * _spread(value)).sum()
    sources = [*leaves.values(), *weights]
    if differentiable and sources:
        found = torch.autograd.grad(number, sources, allow_unused=True, materialize_grads=True)
    else:
        found = tuple(torch.zeros_like(source) for source in sources)
    by_name = dict(zip(leaves, found[: len(leaves)], strict=True))
    gradients = {name: by_name[name] for name in subject.leaves if name in by_name}
    if weights:
        gradients["policy"] = torch.cat([part.flatten() for part in found[len(leaves) :]])
    leaks = {
        name: by_name[name] for name in (*subject.constants, *subject.past) if name in by_name and by_name[name].any()
    }
    return Outcome(value.detach(), gradients, leaks, differentiable)


def _spread(value: Tensor) -> Tensor:
    """Weights that are all different; 1 for a single number."""
    return 1 + torch.arange(value.numel(), dtype=value.dtype, device=value.device).reshape(value.shape) / 7


def agree(found: Observed, expected: Observed, batch: Batch, atol: float | None = None, gradients: bool = True) -> bool:
    """Whether value and gradients are equal up to rounding; a failure and NaN agree with nothing."""
    if isinstance(found, Failure) or isinstance(expected, Failure):
        return False
    pairs = [(found.value, expected.value)]
    if found.value.numel() == expected.value.numel() == 1:
        pairs = [(found.value.reshape(()), expected.value.reshape(()))]
    if gradients:
        pairs += [(found.gradients[name], expected.gradients[name]) for name in expected.gradients]
    absolute = batch.atol if atol is None else atol
    return all(one.shape == other.shape and _close(one, other, batch.rtol, absolute) for one, other in pairs)


def _close(one: Tensor, other: Tensor, rtol: float, atol: float) -> bool:
    return torch.allclose(one.double(), other.double(), rtol=rtol, atol=atol)
