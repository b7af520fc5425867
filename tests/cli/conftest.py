"""Planted claims, quick to judge, and the command line run on them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest

import derivations.ledger
from derivations.checker.proof import ByCalculation, lemma
from derivations.checker.statement import Statement, assume, statement
from derivations.checker.terms import REAL, E, Sort, function, histories, law, parameter
from derivations.checker.worlds import world
from derivations.cli import main
from derivations.sections.claim import Assertion, Claim

Y = Sort("Y")
y = Y.index("y")
f, q = function("f", Y), law("q", Y)
moving = law("π", Y, depends=True)
c = parameter("c", REAL)
PATHS = histories("H", step=[Y])
path, total = PATHS.index("h"), function("G", PATHS)

TRUE = statement(E(q(y), c * f(y)), "=", c * E(q(y), f(y)))
FALSE = statement(f(y), "=", 0)
DIVIDED = statement(c * c / c, "=", c, assuming=[assume("c ≠ 0", c, "≠", 0)])
WITH_HISTORY = statement(total(path), "=", 0)
MOVED = statement(moving(y), "=", 1)


class Result(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]
Plant = Callable[[Iterable[Claim]], None]


def assertion(identifier: str, stated: str = "proved", formal: Statement = TRUE, **details: object) -> Assertion:
    return Assertion(identifier, f"the words of {identifier}", stated, formal, **details)  # type: ignore[arg-type]


def claim(identifier: str, stated: str = "proved", formal: Statement = TRUE, section: str = "IV", **details: object) -> Claim:
    if stated == "refuted":
        details.setdefault("correction", assertion(f"{identifier}′"))
    main = assertion(identifier, stated, formal)
    return Claim(section, "B IV.I", f"the quote of {identifier}", f"the reading of {identifier}", main, **details)  # type: ignore[arg-type]


def everything() -> list[Claim]:
    """Each kind of verdict, parts, a correction, a lemma, two sections; every verdict is as stated."""
    parts = (assertion("T.1a", "conditional", DIVIDED), assertion("T.1b", "refuted", FALSE))
    leans = Claim(
        "X",
        "A",
        "the quote of T.3",
        "the reading of T.3",
        Assertion("T.3", "the words of T.3", "proved", TRUE, argument=ByCalculation(lemmas=(lemma("T.1"),))),
    )
    return [claim("T.1", parts=parts), claim("T.2", "refuted", FALSE, believe="it is not zero"), leans]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Puts claims in the place of those of the sections."""

    def planted(claims: Iterable[Claim]) -> None:
        monkeypatch.setattr(derivations.ledger, "all_claims", lambda: iter(claims))

    return planted


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process, as the script does."""

    def ran(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments], prog_name="derivations")
        captured = capsys.readouterr()
        code = end.value.code
        assert isinstance(code, int)
        return Result(code, captured.out, captured.err)

    return ran


__all__ = ["DIVIDED", "FALSE", "MOVED", "TRUE", "WITH_HISTORY", "assertion", "claim", "everything", "sys", "world"]
