"""What worlds of both kinds check of what they are given."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from toy_envs.errors import BadInput


def is_index(number: object, count: int) -> bool:
    """Whether something is one of 0 … count − 1; numpy's integers are, bools are not."""
    return isinstance(number, int | np.integer) and not isinstance(number, bool) and 0 <= int(number) < count


def check_render_mode(render_mode: str | None, modes: Collection[str]) -> None:
    """Raises BadInput unless it is None or one of the modes."""
    if render_mode not in (None, *modes):
        raise BadInput(f'render_mode is {render_mode!r}; expected None or "ansi"')
