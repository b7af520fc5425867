"""The ledger: lemmas only from what holds, no circles, clear errors."""

from __future__ import annotations

import pytest

from derivations.checker.errors import BadInput
from derivations.checker.proof import Argumentation, ByCalculation, lemma
from derivations.checker.statement import Statement, statement
from derivations.checker.terms import REAL, Sort, Sum, function, law, parameter
from derivations.ledger import CircularLemmas, Ledger
from derivations.sections.claim import Assertion, Claim

Y = Sort("Y")
y = Y.index("y")
p = law("p", Y)
f = function("f", Y)
ONE = statement(Sum(y, p(y)), "=", 1)
FALSE = statement(Sum(y, f(y)), "=", 1)


def claim(identifier: str, formal: Statement, stated: str = "proved", by: Argumentation | None = None) -> Claim:
    main = Assertion(identifier, "words", stated, formal, by)
    return Claim("IV", "tag", "quote", "reading", main, correction=_correction(identifier, stated), believe="…")


def _correction(identifier: str, stated: str) -> Assertion | None:
    return Assertion(f"{identifier}.corrected", "words", "proved", ONE) if stated == "refuted" else None


def test_a_circle_of_lemmas_is_an_error_that_shows_the_circle() -> None:
    ledger = Ledger(
        [
            claim("A", ONE, by=ByCalculation((lemma("B"),))),
            claim("B", ONE, by=ByCalculation((lemma("C"),))),
            claim("C", ONE, by=ByCalculation((lemma("A"),))),
        ]
    )
    with pytest.raises(CircularLemmas, match="A → B → C → A"):
        ledger.verdict("A")


def test_a_claim_that_uses_itself_is_a_circle() -> None:
    with pytest.raises(CircularLemmas, match="A → A"):
        Ledger([claim("A", ONE, by=ByCalculation((lemma("A"),)))]).verdict("A")


def test_a_refuted_claim_is_no_lemma() -> None:
    c = parameter("c", REAL)
    ledger = Ledger(
        [
            claim("false", FALSE, "refuted"),
            claim("A", statement(c, "=", c + 1), "unknown", ByCalculation((lemma("false"),))),
        ]
    )
    assert ledger.verdict("A").status == "refuted"
    ledger = Ledger([claim("false", FALSE, "refuted"), claim("A", ONE, by=ByCalculation((lemma("false"),)))])
    found = ledger.verdict("A")
    assert found.status == "unknown" and "lemma false is refuted" in found.note


def test_an_unknown_claim_is_named_with_its_neighbours() -> None:
    with pytest.raises(BadInput, match=r"'OP\.88' is not known; did you mean"):
        Ledger().select(["OP.88"])
    with pytest.raises(BadInput, match="section 'XX' is not known; expected one of"):
        Ledger().select(sections=["XX"])


def test_two_claims_with_one_name_are_refused() -> None:
    with pytest.raises(BadInput, match="two claims are called A"):
        Ledger([claim("A", ONE), claim("A", FALSE, "refuted")])


def test_a_refuted_claim_needs_a_correction() -> None:
    with pytest.raises(BadInput, match="expected a correction"):
        Claim("IV", "tag", "quote", "reading", Assertion("A", "words", "refuted", FALSE))
