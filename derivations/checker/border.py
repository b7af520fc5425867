"""The border to SymPy: its expressions are read, terms are given back as explicit instances, and it has an opinion."""

from __future__ import annotations

from derivations.checker.sympy_opinion import second_opinion
from derivations.checker.sympy_reading import (
    THETA,
    Declaration,
    Declared,
    Theta,
    as_function,
    as_law,
    from_sympy,
    statement_from_sympy,
)
from derivations.checker.sympy_writing import law_constraints, name_elements, statement_to_sympy, to_sympy

__all__ = [
    "THETA",
    "Declaration",
    "Declared",
    "Theta",
    "as_function",
    "as_law",
    "from_sympy",
    "law_constraints",
    "name_elements",
    "second_opinion",
    "statement_from_sympy",
    "statement_to_sympy",
    "to_sympy",
]
