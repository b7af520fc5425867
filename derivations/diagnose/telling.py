"""A diagnosis in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

from torch import Tensor

from derivations.algorithms.rollout import Responses
from derivations.diagnose.observing import Failure, Observed

WIDTH = 100


def shown(message: str, batch: Mapping[str, Any] | None, found: Observed | None, expected: Observed | None) -> str:
    """The message, and the batch with both values and gradients below it."""
    lines = [fill(message, WIDTH)]
    if batch is not None:
        lines.append("The smallest batch tried on which it differs:")
        lines += [f"  {name} = {_number(value)}" for name, value in batch.items() if _printable(value)]
    for name, outcome in (("found", found), ("expected", expected)):
        if outcome is not None:
            lines += _told(name, outcome)
    return "\n".join(lines)


def _printable(value: Any) -> bool:
    return value is None or isinstance(value, int | float | str | Tensor | Responses)


def _told(name: str, outcome: Observed) -> list[str]:
    if isinstance(outcome, Failure):
        return [f"  {name}: {outcome.words}"]
    lines = [f"  {name}: {_number(outcome.value)}"]
    for leaf, gradient in {**outcome.gradients, **outcome.leaks}.items():
        lines.append(f"    gradient in {leaf}: {_number(gradient)}")
    return lines


def _number(value: Any) -> str:
    if isinstance(value, Responses):
        return f"prompts {value.prompts.tolist()}, tokens {value.tokens.tolist()}"
    if isinstance(value, Tensor):
        if value.numel() > 64:
            return f"{value.numel()} numbers"
        return _rounded(value.tolist())
    return _rounded(value)


def _rounded(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_rounded, value)) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
