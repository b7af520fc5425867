"""Every claim gets the verdict that the mathematics should give it, from the checker and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pytest

from derivations.checker.refute import fails_in
from derivations.checker.worlds import World
from derivations.ledger import Ledger, all_claims
from derivations.sections.claim import Assertion, Claim, Definition, Measured

CLAIMS = list(all_claims())
ASSERTIONS = [assertion for claim in CLAIMS for assertion in claim.assertions]
ROWS = {
    "I": ("DEF", 2),
    "II": ("RM", 9),
    "III": ("TR", 6),
    "IV": ("PG", 11),
    "V": ("AD", 21),
    "VI": ("IS", 10),
    "VII": ("TP", 12),
    "VIII": ("PPO", 16),
    "IX": ("KL", 17),
    "X": ("OP", 16),
    "XI": ("DPO", 4),
    "errata": ("ERR", 12),
}
Entry = TypeVar("Entry", Assertion, Assertion | Measured, Assertion | Measured | Definition)
EXCHANGED = {"proved": "conditional", "conditional": "unknown", "refuted": "proved", "unknown": "refuted"}


@pytest.mark.parametrize("assertion", ASSERTIONS, ids=lambda a: a.id)
def test_found_is_stated(ledger: Ledger, assertion: Assertion) -> None:
    verdict = ledger.verdict(assertion.id)
    assert verdict.status == assertion.stated, verdict


@pytest.mark.parametrize("section", ROWS)
def test_each_section_has_every_row(section: str) -> None:
    prefix, count = ROWS[section]
    assert [c.id for c in CLAIMS if c.section == section] == [f"{prefix}.{n}" for n in range(1, count + 1)]


def exchanged(claim: Claim) -> Claim:
    """The claim with every stated verdict exchanged for another."""

    def other(stated: Entry) -> Entry:
        return replace(stated, stated=EXCHANGED[stated.stated]) if isinstance(stated, Assertion) else stated

    correction = None if claim.correction is None else other(claim.correction)
    return replace(claim, main=other(claim.main), parts=tuple(map(other, claim.parts)), correction=correction)


def test_exchanging_all_stated_verdicts_changes_no_found_one(ledger: Ledger) -> None:
    turned = Ledger(exchanged(claim) for claim in CLAIMS)
    for assertion in ASSERTIONS:
        assert turned.assertions[assertion.id].stated != assertion.stated
        assert turned.verdict(assertion.id).status == ledger.verdict(assertion.id).status, assertion.id


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.id)
def test_what_fails_says_what_to_believe_and_what_is_refuted_is_corrected(ledger: Ledger, claim: Claim) -> None:
    if claim.main.stated in ("refuted", "conditional"):
        assert claim.believe
    if claim.main.stated == "refuted":
        assert claim.correction is not None
        assert ledger.verdict(claim.correction.id).holds


def test_every_finite_counterexample_fails_again_in_a_fresh_world(ledger: Ledger) -> None:
    tried = 0
    for assertion in ASSERTIONS:
        verdict = ledger.verdict(assertion.id)
        world = verdict.counterexample
        if verdict.status != "refuted" or not isinstance(world, World):
            continue
        fresh = replace(world, _kept={})
        again = fails_in(assertion.formal, fresh)
        assert again is not None, assertion.id
        assert (again.left, again.right) == verdict.sides
        tried += 1
    assert tried >= 14


def test_a_conditional_verdict_shows_each_hypothesis_to_be_needed(ledger: Ledger) -> None:
    for assertion in ASSERTIONS:
        verdict = ledger.verdict(assertion.id)
        if verdict.status == "conditional":
            assert [name for name, _ in verdict.needed] == [a.name for a in verdict.statement.assuming]
            assert verdict.needed


def test_only_proved_claims_are_used_as_lemmas(ledger: Ledger) -> None:
    for assertion in ASSERTIONS:
        ledger.verdict(assertion.id)
    pairs = list(ledger.graph())
    assert ("OP.8", "OP.3") in pairs
    assert all(ledger.verdict(used).holds for _, used in pairs)


def test_the_only_axiom_is_differentiation_under_a_dominated_sum(ledger: Ledger) -> None:
    with_axioms = {a.id for a in ASSERTIONS if ledger.verdict(a.id).axioms}
    assert with_axioms == {"PG.1.dominated"}


def test_every_published_slip_is_refuted() -> None:
    assert {c.main.stated for c in CLAIMS if c.section == "errata"} == {"refuted"}
