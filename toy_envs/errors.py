"""What the environments say when they are used wrongly."""

from __future__ import annotations


class BadInput(ValueError):
    """Something that was given is not what was expected; the message names the argument, what came and what is wanted."""
