"""LaTeX that MathJax renders, for terms, statements, worlds and verdicts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from derivations.checker.layout import Layout, Notation, names_of
from derivations.checker.report import (
    Line,
    chain,
    claim,
    conditions,
    layout_for,
    layout_of,
    remarks,
    status,
    world_facts,
)
from derivations.checker.statement import FirstOrder, SameMaximiser, Statement
from derivations.checker.terms import Function, Term
from derivations.checker.worlds import World

if TYPE_CHECKING:
    from derivations.checker.verdict import Verdict

# --- names --------------------------------------------------------------------------------------------------

_LETTERS = "αβγδεϵζηθϑικλμνξπϖρϱσςτυφϕχψωΓΔΘΛΞΠΣΥΦΨΩℓ"
_COMMANDS = (
    "alpha beta gamma delta varepsilon epsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi "
    "rho varrho sigma varsigma tau upsilon varphi phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell"
)
_GREEK = dict(zip(_LETTERS, _COMMANDS.split(), strict=True))
_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "bar", "\u0307": "dot"}
_MARKS = "".join(_ACCENTS)
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
_PRIME = r"\prime"
_PRIMES = {"′": 1, "'": 1, "″": 2, "‴": 3}
_SIGNS = {"≤": r"\le", "≥": r"\ge", "≠": r"\ne", "→": r"\to", "∞": r"\infty", "·": r"\cdot", "−": "-"}


def name_latex(name: str) -> str:
    """A name in LaTeX: π_ref as \\pi_{\\mathrm{ref}}, π* as \\pi^{*}, y0 as y_{0}, R̂ as \\hat{R}."""
    plain = unicodedata.normalize("NFD", name)
    raised = "".join(_RAISED.get(c, "*" if c == "*" else "") for c in plain)
    primes = sum(_PRIMES.get(c, 0) for c in plain)
    kept = "".join(_LOWERED.get(c, c) for c in plain if c not in _RAISED and c not in _PRIMES and c != "*")
    head, _, below = kept.partition("_")
    split = re.fullmatch(r"(\D+?)(\d+)", head)
    if split:
        head, below = split[1], split[2] + (f",{below}" if below else "")
    return _symbols(head) + (f"_{{{_symbols(below)}}}" if below else "") + _superscript(raised, primes)


def _superscript(raised: str, primes: int) -> str:
    if not raised:
        return "'" * primes
    return f"^{{{raised}{_PRIME * primes}}}"


_SYMBOL = re.compile(rf"[A-Za-z]{{2,}}(?![{_MARKS}])|.[{_MARKS}]*", re.DOTALL)


def _symbols(plain: str) -> str:
    """Letters, words and signs in mathematics; a blank keeps a command apart from a letter that follows."""
    written = ""
    for symbol in _SYMBOL.findall(plain):
        shown = _symbol(symbol)
        apart = re.search(r"\\[A-Za-z]+$", written) and shown[:1].isalpha()
        written += (" " if apart else "") + shown
    return written


def _symbol(symbol: str) -> str:
    if len(symbol) > 1 and symbol.isascii():
        return rf"\mathrm{{{symbol}}}"
    first, accents = symbol[0], symbol[1:]
    shown = "\\" + _GREEK[first] if first in _GREEK else _sign(first)
    for accent in accents:
        shown = rf"\{_ACCENTS[accent]}{{{shown}}}"
    return shown


def _sign(character: str) -> str:
    if character in "#$%&{}":
        return "\\" + character
    if character == "_":
        return ","
    if character in _SIGNS:
        return _SIGNS[character]
    if character.isascii() and character not in "\\^~ ":
        return character
    return rf"\text{{{_plain_text(character)}}}"


_IN_TEXT = {"\\": "∖", "^": "ˆ", "~": "∼"}


def _plain_text(words: str) -> str:
    return "".join(_IN_TEXT.get(c, c) for c in words)


# --- words --------------------------------------------------------------------------------------------------

_NAME = re.compile(rf"[^\W\d_][{_MARKS}]*(?:[\w{_MARKS}]*)[*′]*")
_SPECIAL = "#$%&_{}"


def words_latex(plain: str) -> str:
    """Words in LaTeX: names with Greek letters, accents or subscripts are set as names, all else as \\text."""
    written, waiting, position = "", "", 0
    decomposed = unicodedata.normalize("NFD", plain)
    for found in _NAME.finditer(decomposed):
        waiting += decomposed[position : found.start()]
        position = found.end()
        if _is_name(found[0]):
            written, waiting = written + _text(waiting) + name_latex(found[0]), ""
        else:
            waiting += found[0]
    return written + _text(waiting + decomposed[position:])


def _is_name(word: str) -> bool:
    return any(c in _GREEK or c in _ACCENTS or c in _LOWERED or c == "_" for c in word)


def _text(words: str) -> str:
    """Words as \\text{…}; what has a meaning there in some renderers stands outside."""
    pieces = re.split(f"([{re.escape(_SPECIAL)}])", _plain_text(unicodedata.normalize("NFC", words)))
    return "".join("\\" + p if p in _SPECIAL else rf"\text{{{p}}}" for p in pieces if p)


# --- the notation -------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"(?:log |[\d/()·\s+−≈.]|e[+-]?\d|-)+")


class Latex(Notation):
    """How each piece is written in LaTeX."""

    stacked = True
    minus = "-"
    infinity = r"\infty"
    dot = r"\cdot"
    about = r"\approx"
    member = r" \in "
    marks: ClassVar[Mapping[str, str]] = {
        "proved": r"\checkmark",
        "conditional": r"\checkmark",
        "refuted": r"\times",
        "unknown": "?",
    }

    def function(self, symbol: Function) -> str:
        """The name of a function."""
        return symbol.latex or name_latex(symbol.name)

    def name(self, name: str) -> str:
        """The name of an index or a sort."""
        return name_latex(name)

    def relation(self, sign: object) -> str:
        """A comparison, or another relation, with the blanks around it."""
        if isinstance(sign, SameMaximiser):
            return rf" \overset{{\text{{argmax }}{self.function(sign.over)}}}{{\sim}} "
        if isinstance(sign, FirstOrder):
            return rf" \overset{{{name_latex(sign.at.name)}}}{{\simeq}} "
        return f" {_SIGNS.get(str(sign), str(sign))} "

    def words(self, plain: str) -> str:
        """Words."""
        return words_latex(plain)

    def brackets(self, body: str) -> str:
        """Round brackets."""
        return rf"\left({body}\right)"

    def times(self, factors: Sequence[str]) -> str:
        """A product; a dot where a blank would read as a function at an argument, or as one number."""
        written = factors[0]
        for before, factor in pairwise(factors):
            number = before.isdigit() and factor.startswith(r"\frac")
            dot = number or factor[:1].isdigit() or factor.startswith(r"\left(")
            written += (r" \cdot " if dot else r"\,") + factor
        return written

    def quotient(self, above: str, below: str) -> str:
        """A quotient."""
        return rf"\frac{{{above}}}{{{below}}}"

    def power(self, base: str, exponent: int) -> str:
        """A power; a name with a superscript needs brackets, because LaTeX refuses a second one."""
        if ("^" in base or "'" in base) and not base.endswith((")", "]")):
            base = self.brackets(base)
        return f"{base}^{{{exponent}}}"

    def log(self, argument: str, bare: bool) -> str:
        """A logarithm; `bare`: its argument needs no brackets."""
        return rf"\log {argument}" if bare else self.call("log", [argument])

    def call(self, name: str, arguments: Sequence[str]) -> str:
        """exp, log, min or max of arguments."""
        return "\\" + name + self.brackets(", ".join(arguments))

    def nabla(self, order: int, body: str) -> str:
        """The derivative in θ."""
        return r"\nabla_\theta" + ("" if order == 1 else f"^{{{order}}}") + " " + body

    def total(self, indices: Sequence[str], body: str) -> str:
        """A sum over indices."""
        return rf"\sum_{{{', '.join(indices)}}} {body}"

    def supremum(self, index: str, body: str) -> str:
        """A supremum over an index."""
        return rf"\sup_{{{index}}} {body}"

    def limit(self, parameter: str, to: str, body: str) -> str:
        """A limit in a parameter."""
        target = {"∞": r"\infty", "0⁺": "0^{+}"}[to]
        return rf"\lim_{{{parameter} \to {target}}} {body}"

    def expectation(self, indices: Sequence[str], law: str, given: Sequence[str], body: str) -> str:
        """An expectation under a law."""
        over = indices[0] if len(indices) == 1 else f"({', '.join(indices)})"
        condition = rf"(\cdot\mid {', '.join(given)})" if given else ""
        return rf"\mathbb{{E}}_{{{over}\sim {law}{condition}}}\left[{body}\right]"

    def apply(self, name: str, over: Sequence[str], given: Sequence[str]) -> str:
        """A function at arguments; a law at its variables and at what is given."""
        if not over:
            return name
        return f"{name}({', '.join(over)}{(chr(92) + 'mid ' + ', '.join(given)) if given else ''})"

    def path(self, steps: Sequence[str]) -> str:
        """A history written out."""
        return r" \cdot ".join(steps) or r"\varnothing"

    def indicator(self, body: str) -> str:
        """One where the body holds, else zero."""
        return rf"\left[{body}\right]"

    def cases(self, condition: str, then: str, otherwise: str) -> str:
        """One term or another."""
        rows = rf"{then} & \text{{if }}{condition} \\ {otherwise} & \text{{otherwise}}"
        return rf"\begin{{cases}}{rows}\end{{cases}}"

    def size(self, sort: str) -> str:
        """The number of elements."""
        return rf"\lvert {sort}\rvert"

    def vector(self, entries: Sequence[str]) -> str:
        """Numbers in a row."""
        return self.brackets(", ".join(entries))

    def value(self, shown: str) -> str:
        """A number, from the text that `reals.show` makes of it; any other text as words."""
        if not _NUMBER.fullmatch(shown):
            return words_latex(shown)
        written = re.sub(r"\(?(\d+)/(\d+)\)?", r"\\tfrac{\1}{\2}", shown)
        written = re.sub(r"e([+-]?)0*(\d+)", lambda m: rf" \cdot 10^{{{m[1].strip('+')}{m[2]}}}", written)
        for sign, command in (("−", "-"), ("≈", r"\approx"), ("log ", r"\log "), ("·", r"\,")):
            written = written.replace(sign, command)
        return written


# --- terms, statements, worlds ------------------------------------------------------------------------------

LATEX = Latex()


def latex(term: Term) -> str:
    """A term in LaTeX."""
    return Layout(LATEX, names_of([term])).inside(term)


def statement_latex(statement: Statement) -> str:
    """A statement in LaTeX, with what it ranges over and what it assumes on further lines."""
    layout = layout_of(LATEX, statement)
    said = "".join(claim(statement, layout))
    further = conditions(statement, layout)
    return _aligned([f"&{line}" for line in (said, *further)]) if further else said


def world_latex(world: World) -> str:
    """A world in LaTeX."""
    facts = world_facts(world, Layout(LATEX, names_of([], world.indices)))
    return _aligned(["&" + r",\quad ".join(line) for line in facts])


def _aligned(rows: Iterable[str]) -> str:
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


# --- verdicts -----------------------------------------------------------------------------------------------


def verdict_latex(verdict: Verdict) -> str:
    """A verdict in LaTeX, between dollars: the statement, the steps, and what is to be known of them."""
    layout = layout_for(LATEX, verdict)
    said = "".join(claim(verdict.statement, layout))
    rows = [rf"&{LATEX.mark(verdict.status)}\ {words_latex(status(verdict))}", f"&{said}"]
    rows += [rf"&\quad {line}" for line in conditions(verdict.statement, layout)]
    if verdict.steps:
        rows.append("&" + _aligned(map(_step, chain(verdict, layout))))
    rows += ["&" + r"\quad " * depth + line for depth, line in remarks(verdict, layout)]
    return f"$${_aligned(rows)}$$"


def _step(line: Line) -> str:
    return rf"{line.left}&{line.relation}{line.right} && {line.mark}\ {words_latex(line.reason)}"
