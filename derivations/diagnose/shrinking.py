"""A batch made smaller, as long as something is true of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

Inputs = Mapping[str, Any]


def smaller(inputs: Inputs, holds: Callable[[Inputs], bool]) -> Inputs:
    """The batch without the rows and the last columns that are not needed for `holds`; it holds of the batch itself."""
    while True:
        shorter = next((each for each in _without_one(inputs) if holds(each)), None)
        if shorter is None:
            return inputs
        inputs = shorter


def _without_one(inputs: Inputs) -> Iterator[Inputs]:
    tensors = {name: value for name, value in inputs.items() if isinstance(value, Tensor) and value.dim()}
    rows = {len(value) for value in tensors.values()}
    if len(rows) != 1:
        return
    (count,) = rows
    if count > 1:
        for row in range(count):
            kept = [k for k in range(count) if k != row]
            yield {**inputs, **{name: value[kept] for name, value in tensors.items()}}
    tables = {name: value for name, value in tensors.items() if value.dim() > 1}
    mask = inputs.get("mask")
    if mask is not None and mask.shape[1] > 1 and mask[:, :-1].any(-1).all():
        # One number a sequence, such as its length, would no longer fit.
        if any(name in inputs for name in ("lengths",)):
            inputs = {**inputs, "lengths": mask[:, :-1].sum(-1)}
        yield {**inputs, **{name: value[:, :-1] for name, value in tables.items()}}
