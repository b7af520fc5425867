"""How the curves of a picture are told apart without colour: by marker, dashes, shade, and markers filled in turn."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from toy_envs.errors import BadInput

MARKERS = "os^vDP"
LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 3)))
SHADES = ("black", "0.35", "0.55", "0.2", "0.45", "0.65")


def marker_style(place: int) -> dict[str, Any]:
    """The marker of the curve at a place, from 0 to 5, as matplotlib's keywords."""
    return {
        "marker": MARKERS[place],
        "color": SHADES[place],
        "markerfacecolor": "white" if place % 2 else SHADES[place],
    }


def curve_style(place: int) -> dict[str, Any]:
    """The line and the marker of the curve at a place."""
    return {**marker_style(place), "linestyle": LINES[place]}


def check_told_apart(name: str, curves: Sized, what: str = "curves") -> None:
    """Raises BadInput where there are more than can be told apart."""
    if len(curves) > len(MARKERS):
        raise BadInput(f"{name} has {len(curves)} {what}; expected at most {len(MARKERS)}, which can be told apart")
