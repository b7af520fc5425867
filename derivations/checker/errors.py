"""What the checker says when it is used wrongly, or when it finds itself at fault."""

from __future__ import annotations


class DerivationsError(Exception):
    """The base of every error that this package raises on purpose."""


class BadInput(DerivationsError, ValueError):
    """Something that was given is not what was expected; the message names the argument, what came and what is wanted."""


class StatementError(BadInput):
    """A term or a statement that has no meaning as written: a wrong sort, an index bound twice, a division by zero."""


class EngineDisagreement(DerivationsError, AssertionError):
    """Two engines contradict each other: a statement was proved and a counterexample found. Everything stops."""


class Undecided(DerivationsError):
    """An engine cannot decide; the reason is kept and the verdict is unknown."""
