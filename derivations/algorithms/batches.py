"""What the pure functions do with a batch before they use it: check it, and forget what its padding holds.

`mask` [batch, time] is True where a token was drawn. What lies outside is set to 0 before anything is done with it, and
not after, where 0 · inf would be NaN, in the value or in the gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from toy_envs.errors import BadInput


def inside(mask: Tensor, **tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors with 0 outside the mask, in the order given.

    Parameters: `mask` of dtype torch.bool; `tensors` by their names, each of the shape of the mask. Numbers of less than
    32 bits become float32: half precision ends at 65504. Raises BadInput, naming the tensor and the place, where a mask
    is not boolean, a shape differs, a dtype is no floating one, or a number inside the mask is not finite.
    """
    _check_mask(mask)
    for name, tensor in tensors.items():
        if tensor.shape != mask.shape:
            raise BadInput(
                f"{name} is {list(tensor.shape)}, mask is {list(mask.shape)}; expected {name} and mask of one shape"
            )
    return tuple(_filled(name, tensor, mask) for name, tensor in tensors.items())


def log_laws(mask: Tensor | None, **logits: Tensor) -> tuple[Tensor, ...]:
    """The log-probabilities of logits [batch, time, vocabulary]; outside the mask those of a uniform law.

    Parameters: `mask` [batch, time], None for everywhere; `logits` by their names, all of one shape, where −inf says that
    a token is impossible. Raises BadInput where `inside` would, for NaN and inf, and where all tokens are impossible.
    """
    first = next(iter(logits.values()))
    mask = torch.ones(first.shape[:-1], dtype=torch.bool, device=first.device) if mask is None else mask
    _check_mask(mask)
    found = []
    for name, tensor in logits.items():
        if tensor.shape != first.shape or tensor.shape[:-1] != mask.shape:
            raise BadInput(
                f"{name} is {list(tensor.shape)}; expected the shape of the mask and the vocabulary, "
                f"{[*mask.shape, first.shape[-1] if first.dim() else 'vocabulary']}"
            )
        precise = _precise(name, tensor).masked_fill(~mask.unsqueeze(-1), 0.0)
        _refuse(name, precise, precise.isnan() | (precise == float("inf")), "a number or -inf")
        impossible = (precise == -float("inf")).all(-1)
        _refuse(name, precise.amax(-1), impossible, "a token that is possible")
        found.append(precise.log_softmax(-1))
    return tuple(found)


def everywhere(tensor: Tensor) -> Tensor:
    """The mask that leaves nothing out."""
    return torch.ones_like(tensor, dtype=torch.bool)


def check_finite(name: str, tensor: Tensor) -> Tensor:
    """The tensor itself. Raises BadInput, naming the place, where one of its numbers is not finite."""
    _refuse(name, tensor, ~tensor.isfinite(), "a finite number")
    return tensor


def check_range(name: str, number: float, least: float, most: float) -> None:
    """Raises BadInput unless `number` lies between `least` and `most`, both included; a NaN does not."""
    if not least <= number <= most:
        raise BadInput(f"{name} is {number}; expected a number from {least:g} to {most:g}")


def _check_mask(mask: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise BadInput(f"mask is {mask.dtype}; expected torch.bool")


def _filled(name: str, tensor: Tensor, mask: Tensor) -> Tensor:
    return check_finite(name, _precise(name, tensor).masked_fill(~mask, 0.0))


def _precise(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        raise BadInput(f"{name} is {tensor.dtype}; expected floating-point numbers")
    return tensor.float() if torch.finfo(tensor.dtype).bits < 32 else tensor


def _refuse(name: str, tensor: Tensor, wrong: Tensor, expected: str) -> None:
    if wrong.any():
        place = wrong.nonzero()[0].tolist()
        where = f"{name}{place}" if place else name
        raise BadInput(f"{where} is {tensor[tuple(place)].item():g}; expected {expected}")
