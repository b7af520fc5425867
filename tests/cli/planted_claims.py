"""Claims of every kind, quick to judge."""

from __future__ import annotations

from typing import Any

from derivations.checker.proof import ByCalculation, lemma
from derivations.checker.statement import Dominated, Statement, Summable, assume, statement
from derivations.checker.terms import REAL, D, E, Sort, Sum, function, law, parameter
from derivations.sections.claim import Assertion, Claim

Y, Z = Sort("Y"), Sort("Z", infinite=True)
y, z = Y.index("y"), Z.index("z")
f, q = function("f", Y), law("q", Y)
moving = function("u", Z, depends=True)
c = parameter("c", REAL)

TRUE = statement(E(q(y), c * f(y)), "=", c * E(q(y), f(y)))
FALSE = statement(f(y), "=", 0)
DIVIDED = statement(c * c / c, "=", c, assuming=[assume("c ≠ 0", c, "≠", 0)])
SQUARE = statement(c * c, "≥", 0)
ABOVE = statement(c * c + 1, ">", 0)
FURTHER = statement(c * c + 2, ">", 0)
SERIES = statement(
    D(Sum(z, moving(z))),
    "=",
    Sum(z, D(moving(z))),
    standing=[Summable(z, moving(z), "u is summable"), Dominated(z, moving(z), "u is dominated")],
)


def assertion(identifier: str, stated: str = "proved", formal: Statement = TRUE, **details: Any) -> Assertion:
    return Assertion(identifier, f"the words of {identifier}", stated, formal, **details)


def claim(main_one: Assertion, *, section: str = "IV", **details: Any) -> Claim:
    name = main_one.id
    if main_one.stated == "refuted":
        details.setdefault("correction", assertion(f"{name}′"))
    return Claim(section, f"the tag of {name}", f"the quote of {name}", f"the reading of {name}", main_one, **details)


def resting_on(name: str) -> ByCalculation:
    """The argument that takes a claim as a lemma."""
    return ByCalculation((lemma(name),))


def everything() -> list[Claim]:
    """Proved, conditional and refuted, parts, a correction, a chain of lemmas, an axiom; every verdict is as stated."""
    parts = (assertion("T.1a", "conditional", DIVIDED), assertion("T.1b", "refuted", FALSE))
    return [
        claim(assertion("T.1"), parts=parts),
        claim(assertion("T.2", "refuted", FALSE), believe="some f are not zero"),
        claim(assertion("T.3", formal=SQUARE), section="X"),
        claim(assertion("T.4", formal=ABOVE, argument=resting_on("T.3")), section="X"),
        claim(assertion("T.5", formal=FURTHER, argument=resting_on("T.4")), section="X"),
        claim(assertion("T.6", formal=SERIES), section="X"),
    ]
