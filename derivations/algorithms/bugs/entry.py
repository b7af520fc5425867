"""What the zoo knows of a bug, and the small tensors of its examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

Function = Callable[..., Any]


@dataclass(frozen=True)
class Example:
    """An exact example: `of` gives the numbers of any function that is called alike, `right` and `wrong` say what they are.

    `setting` says in words what is computed; `right` and `wrong` are closed forms, of the right function and of the bug;
    `tolerance` is more than rounding only where something is drawn.
    """

    setting: str
    right: str
    wrong: str
    of: Callable[[Function], Tensor]
    tolerance: float = 1e-12


@dataclass(frozen=True)
class Bug:
    """A function with one mistake, for the right function `like` of `RIGHT`.

    `function` takes the arguments of the right one, where the mistake needs no more; `does` says in a sentence what it
    does; `claims` are the ids that speak of it; `kind` is the mistake, of which there may be several forms; `others` are
    pairs (like, function) of the same form of it elsewhere.
    """

    name: str
    kind: str
    like: str
    function: Function
    does: str
    example: Example
    claims: tuple[str, ...] = ()
    others: tuple[tuple[str, Function], ...] = ()

    def forms(self, like: str) -> list[Function]:
        """The functions with this mistake that stand for the right function `like`."""
        return [function for name, function in ((self.like, self.function), *self.others) if name == like]


def accepts(function: Function, name: str) -> bool:
    """Whether a function has an argument of this name."""
    return name in signature(function).parameters


def numbers(*given: object) -> Tensor:
    """A float64 tensor; one number a row or rows of numbers."""
    return torch.tensor(given, dtype=torch.float64)


def loss_of(result: Any) -> Tensor:
    """The loss of (loss, metrics), or the result itself."""
    found: Tensor = result[0] if isinstance(result, tuple) else result
    return found


def slope(of: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The gradient of the sum of a function, zero where it does not depend on its argument."""
    leaf = at.clone().requires_grad_()
    value = of(leaf).sum()
    if not value.requires_grad:
        return torch.zeros_like(at)
    (found,) = torch.autograd.grad(value, leaf, materialize_grads=True)
    return found


def expected_slope(probabilities: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    """E_{a∼π}[∇ of(log π(a))] in the logits [actions] of π; `of` takes [1, 1]."""

    def mean(logits: Tensor) -> Tensor:
        logp = logits.log_softmax(-1)
        return sum((p * of(logp[a].view(1, 1)) for a, p in enumerate(probabilities)), torch.zeros(()))

    return slope(mean, probabilities.log())
