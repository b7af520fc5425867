"""Judges the derivation of the PPO loss line by line: proved for every size, or refuted by exact numbers.

The public names are imported when they are first used, so that `import derivations` loads neither SymPy nor Z3.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "derivations.checker.terms": (
        "HALF_OPEN_UNIT", "NONNEGATIVE", "OPEN_UNIT", "POSITIVE", "REAL", "UNIT", "D", "Delta", "Domain", "E",
        "Indicator", "Length", "Size", "Sort", "Sum", "Supremum", "clip", "define", "exp", "function", "histories",
        "kl", "law", "limit", "log", "maximum", "minimum", "nonzero", "parameter", "recursion", "term", "total",
    ),
    "derivations.checker.statement": (
        "Statement", "Summable", "assume", "covers", "finite", "first_order", "point", "same_maximiser", "statement",
    ),
    "derivations.checker.proof": (
        "ByCalculation", "ByInduction", "algebra", "arithmetics", "begin", "differentiation", "hypothesis",
        "laws_sum_to_one", "lemma", "logarithms", "pointwise", "strictly",
    ),
    "derivations.checker.border": ("THETA", "as_function", "as_law", "from_sympy", "statement_to_sympy", "to_sympy"),
    "derivations.checker.errors": ("BadInput", "EngineDisagreement", "StatementError"),
    "derivations.checker.verdict": ("Verdict", "check", "judge"),
    "derivations.checker.worlds": ("World", "world"),
    "derivations.ledger": ("Ledger",),
    "derivations.sections.kl_penalty": ("estimator_table",),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]

if TYPE_CHECKING:
    from derivations.checker.statement import assume as assume
    from derivations.checker.verdict import check as check


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'derivations' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
