"""All claims, and the graph of lemmas between them.

A proof may use a claim only once that claim has itself been judged to hold; a circle of lemmas is an error. Verdicts
are found on demand and kept for as long as the ledger lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module

from derivations.checker.errors import BadInput
from derivations.checker.proof import Unproved
from derivations.checker.statement import Statement
from derivations.checker.verdict import Verdict, judge
from derivations.sections.claim import Assertion, Claim

SECTIONS = {
    "III": ("Trajectories and returns", "trajectories"),
    "IV": ("Policy gradient", "policy_gradient"),
    "VI": ("Importance sampling", "importance_sampling"),
    "VII": ("Trust region policy optimisation", "trpo"),
    "X": ("The optimal policy", "optimal_policy"),
}


class CircularLemmas(BadInput):
    """A proof uses, in the end, the claim that it proves."""


@dataclass(frozen=True)
class Finding:
    """What was found of a claim: the verdict on its main statement, on its parts, and on its correction."""

    claim: Claim
    verdict: Verdict
    parts: tuple[tuple[Assertion, Verdict], ...]
    correction: Verdict | None

    @property
    def as_stated(self) -> bool:
        """Whether every verdict is the stated one, and the correction holds."""
        pairs = [(self.claim.main, self.verdict), *self.parts]
        if self.claim.correction is not None and self.correction is not None:
            pairs.append((self.claim.correction, self.correction))
        return all(assertion.stated == verdict.status for assertion, verdict in pairs)

    @property
    def seconds(self) -> float:
        """How long all of its verdicts took."""
        corrected = self.correction.seconds if self.correction is not None else 0.0
        return self.verdict.seconds + corrected + sum(verdict.seconds for _, verdict in self.parts)


class Ledger:
    """Claims by their identifiers, each judged when it is first asked for."""

    def __init__(self, claims: Iterable[Claim] | None = None) -> None:
        self.claims: dict[str, Claim] = {}
        for claim in all_claims() if claims is None else claims:
            if claim.id in self.claims:
                raise BadInput(f"two claims are called {claim.id}")
            self.claims[claim.id] = claim
        self._verdicts: dict[str, Verdict] = {}
        self._open: list[str] = []

    @cached_property
    def assertions(self) -> dict[str, Assertion]:
        """Every assertion by its identifier: claims, parts, corrections."""
        found: dict[str, Assertion] = {}
        for claim in self.claims.values():
            for assertion in claim.assertions:
                if assertion.id in found:
                    raise BadInput(f"two assertions are called {assertion.id}")
                found[assertion.id] = assertion
        return found

    def select(self, ids: Iterable[str] = (), sections: Iterable[str] = ()) -> list[Claim]:
        """The claims of the given identifiers and sections, in order; all of them where neither is given."""
        wanted, rooms = set(ids), set(sections)
        for identifier in sorted(wanted - set(self.claims)):
            raise BadInput(f"claim {identifier!r} is not known{_nearest(identifier, self.claims)}")
        for room in sorted(rooms - set(SECTIONS)):
            raise BadInput(f"section {room!r} is not known; expected one of {', '.join(SECTIONS)}")
        everything = not wanted and not rooms
        return [c for c in self.claims.values() if everything or c.id in wanted or c.section in rooms]

    def find(self, claim: Claim) -> Finding:
        """Judges a claim with its parts and its correction."""
        correction = None if claim.correction is None else self.verdict(claim.correction.id)
        parts = tuple((part, self.verdict(part.id)) for part in claim.parts)
        return Finding(claim, self.verdict(claim.id), parts, correction)

    def verdict(self, identifier: str) -> Verdict:
        """The verdict on one assertion."""
        if identifier in self._verdicts:
            return self._verdicts[identifier]
        if identifier not in self.assertions:
            raise BadInput(f"claim {identifier!r} is not known{_nearest(identifier, self.assertions)}")
        if identifier in self._open:
            circle = " → ".join([*self._open[self._open.index(identifier) :], identifier])
            raise CircularLemmas(f"the lemmas go in a circle: {circle}")
        assertion = self.assertions[identifier]
        self._open.append(identifier)
        try:
            found = judge(
                assertion.formal,
                argument=assertion.argument,
                lemmas=self.lemma,
                prover=assertion.prover,
                worlds=assertion.worlds,
                instances=assertion.instances,
            )
        finally:
            self._open.pop()
        self._verdicts[identifier] = found
        return found

    def lemma(self, identifier: str) -> Statement:
        """A claim as a lemma: its statement, if it holds."""
        verdict = self.verdict(identifier)
        if not verdict.holds:
            raise Unproved(f"lemma {identifier} is {verdict.status}")
        return verdict.statement

    def graph(self) -> Iterator[tuple[str, str]]:
        """The pairs (claim, claim it uses) of what has been judged."""
        for identifier, verdict in self._verdicts.items():
            for used in verdict.uses:
                yield identifier, used


def all_claims() -> Iterator[Claim]:
    """Every claim, section by section."""
    for _, module in SECTIONS.values():
        yield from import_module(f"derivations.sections.{module}").CLAIMS


def _nearest(given: str, known: Iterable[str]) -> str:
    close = get_close_matches(given, list(known), n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""
