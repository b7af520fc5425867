"""Text and LaTeX for terms, statements, worlds and verdicts. The same object always prints the same."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from derivations.checker.latex import latex, statement_latex, verdict_latex, world_latex
from derivations.checker.layout import Layout, Notation, names_of
from derivations.checker.report import (
    Line,
    chain,
    claim,
    conditions,
    content,
    layout_for,
    layout_of,
    name,
    remarks,
    sides,
    status,
    world_facts,
)
from derivations.checker.statement import Assumption, Statement
from derivations.checker.terms import Term
from derivations.checker.worlds import World

if TYPE_CHECKING:
    from derivations.checker.verdict import Verdict

TEXT = Notation()
WIDEST = 72  # a longer line does not push the reasons of the others to the right


def text(term: Term) -> str:
    """A term on one line."""
    return Layout(TEXT, names_of([term])).write(term)


def statement_text(statement: Statement) -> str:
    """A statement, with what it ranges over and what it assumes on further lines."""
    layout = layout_of(TEXT, statement)
    return "\n".join(["".join(claim(statement, layout)), *_indented(conditions(statement, layout))])


def assumption_text(assumption: Assumption) -> str:
    """What an assumption says, in full."""
    return content(assumption, Layout(TEXT, names_of(assumption.terms)))


def world_text(world: World) -> str:
    """A world: sizes and indices, parameters, then a line for each table."""
    facts = world_facts(world, Layout(TEXT, names_of([], world.indices)))
    return "\n".join(", ".join(line) for line in facts)


def verdict_line(verdict: Verdict) -> str:
    """A verdict on one line, for tables."""
    layout = layout_for(TEXT, verdict)
    said = f"{TEXT.mark(verdict.status)} {verdict.status}: {''.join(claim(verdict.statement, layout))}"
    assumed = [name(assumption, layout) for assumption in verdict.statement.assuming]
    told = [f"assuming {'; '.join(assumed)}"] if assumed else []
    if verdict.status == "refuted" and verdict.sides is not None:
        told += sides(verdict.sides, TEXT)
    if verdict.status == "unknown" and verdict.note:
        told.append(verdict.note)
    return " ".join((said + (f" ({', '.join(told)})" if told else "")).split())


def verdict_text(verdict: Verdict) -> str:
    """A verdict: its status, the statement, the steps, and what is to be known of them."""
    layout = layout_for(TEXT, verdict)
    lines = [f"{TEXT.mark(verdict.status)} {status(verdict)}", "".join(claim(verdict.statement, layout))]
    lines += _indented(conditions(verdict.statement, layout))
    if verdict.steps:
        lines += ["steps:", *_indented(_aligned(chain(verdict, layout)))]
    lines += ["  " * depth + line for depth, line in remarks(verdict, layout)]
    return "\n".join(lines)


def _aligned(steps: list[Line]) -> list[str]:
    """Steps with their marks and reasons in one column."""
    shown = [f"{step.relation.strip()} {step.right}" for step in steps]
    column = max((width for line in shown if (width := _width(line)) <= WIDEST), default=0)
    lines = []
    for step, line in zip(steps, shown, strict=True):
        lines += [step.left] if step.left else []
        lines.append(f"{line}{' ' * (column - _width(line))}  {step.mark} {step.reason}".rstrip())
    return lines


def _width(line: str) -> int:
    return sum(not unicodedata.combining(character) for character in line)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


__all__ = [
    "assumption_text",
    "latex",
    "statement_latex",
    "statement_text",
    "text",
    "verdict_latex",
    "verdict_line",
    "verdict_text",
    "world_latex",
    "world_text",
]
