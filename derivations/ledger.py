"""All claims, and the graph of lemmas between them.

A proof may use a claim only once that claim has itself been judged to hold; a circle of lemmas is an error. Verdicts
are found on demand and kept for as long as the ledger lives. A ledger with a store writes down what its verdicts say and
keeps that between runs (`kept.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module

from derivations.checker.errors import BadInput
from derivations.checker.proof import Unproved
from derivations.checker.statement import Statement
from derivations.checker.verdict import Verdict, judge
from derivations.content import key_of
from derivations.kept import Store
from derivations.measured.kept import kept_result
from derivations.records import IS_DEFINITION, Record, fails_again, record_of, record_of_measurement
from derivations.sections.claim import Assertion, Claim, Entry, Measured

SECTIONS = {
    "I": ("Definitions", "definitions"),
    "II": ("The reward model", "reward_model"),
    "III": ("Trajectories and returns", "trajectories"),
    "IV": ("Policy gradient", "policy_gradient"),
    "V": ("Variance and advantage", "advantage"),
    "VI": ("Importance sampling", "importance_sampling"),
    "VII": ("Trust region policy optimisation", "trpo"),
    "VIII": ("Proximal policy optimisation", "ppo"),
    "IX": ("The KL penalty", "kl_penalty"),
    "X": ("The optimal policy", "optimal_policy"),
    "XI": ("Direct preference optimisation", "dpo"),
    "errata": ("Published slips", "errata"),
}


class CircularLemmas(BadInput):
    """A proof uses, in the end, the claim that it proves."""


@dataclass(frozen=True)
class Finding:
    """What was found of a claim: the records of its main statement, of its parts, and of its correction."""

    claim: Claim
    record: Record
    parts: tuple[tuple[Entry, Record], ...]
    correction: Record | None

    @property
    def rows(self) -> Iterator[tuple[Entry, Record]]:
        """Every entry with its record."""
        yield self.claim.main, self.record
        yield from self.parts
        if self.claim.correction is not None and self.correction is not None:
            yield self.claim.correction, self.correction

    @property
    def as_stated(self) -> bool:
        """Whether every verdict is the stated one, and the correction holds."""
        corrected = self.correction is None or self.correction.holds
        return corrected and all(is_as_stated(entry, record) for entry, record in self.rows)

    @property
    def seconds(self) -> float:
        """How long all of its verdicts took."""
        return sum(record.seconds for _, record in self.rows)


def is_as_stated(entry: Entry, record: Record) -> bool:
    """Whether what was found is what is stated; where neither the checker nor a run had a say, nothing is stated of it."""
    return not (record.judged or record.measured) or entry.stated == record.status


class Ledger:
    """Claims by their identifiers, each judged when it is first asked for."""

    def __init__(self, claims: Iterable[Claim] | None = None, store: Store | None = None) -> None:
        self.claims: dict[str, Claim] = {}
        for claim in all_claims() if claims is None else claims:
            if claim.id in self.claims:
                raise BadInput(f"two claims are called {claim.id}")
            self.claims[claim.id] = claim
        self.store = store
        self._verdicts: dict[str, Verdict] = {}
        self._records: dict[str, Record] = {}
        self._keys: dict[str, str | None] = {}
        self._looked_up: set[str] = set()
        self._open: list[str] = []

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Everything by its identifier: claims, parts, corrections."""
        found: dict[str, Entry] = {}
        for claim in self.claims.values():
            for entry in claim.entries:
                if entry.id in found:
                    raise BadInput(f"two assertions are called {entry.id}")
                found[entry.id] = entry
        return found

    @cached_property
    def assertions(self) -> dict[str, Assertion]:
        """What the checker judges, by its identifier."""
        return {name: entry for name, entry in self.entries.items() if isinstance(entry, Assertion)}

    def select(self, ids: Iterable[str] = (), sections: Iterable[str] = ()) -> list[Claim]:
        """The claims of the given identifiers and sections, in order; all of them where neither is given."""
        wanted, rooms = set(ids), set(sections)
        for identifier in sorted(wanted - set(self.claims)):
            raise BadInput(f"claim {identifier!r} is not known{_nearest(identifier, self.claims)}")
        for room in sorted(rooms - set(SECTIONS)):
            raise BadInput(f"section {room!r} is not known; expected one of {', '.join(SECTIONS)}")
        everything = not wanted and not rooms
        return [c for c in self.claims.values() if everything or c.id in wanted or c.section in rooms]

    # --- records ----------------------------------------------------------------------------------------------------

    def find(self, claim: Claim) -> Finding:
        """What is found of a claim, with its parts and its correction."""
        correction = None if claim.correction is None else self.record(claim.correction.id)
        parts = tuple((part, self.record(part.id)) for part in claim.parts)
        return Finding(claim, self.record(claim.id), parts, correction)

    def record(self, identifier: str) -> Record:
        """What the checker says of one entry: read where it is kept, judged where it is not, and then kept."""
        known = self.known(identifier)
        if known is not None:
            return known
        record = record_of(self.verdict(identifier), self.assertions[identifier].formal)
        self.note(identifier, record)
        return record

    def known(self, identifier: str) -> Record | None:
        """What is known of an entry without judging it."""
        found = self._records.get(identifier)
        if found is not None:
            return found
        entry = self.entry(identifier)
        if not isinstance(entry, Assertion):
            if not isinstance(entry, Measured):
                return IS_DEFINITION
            self._records[identifier] = record_of_measurement(kept_result(identifier))
            return self._records[identifier]
        if self.store is not None and identifier not in self._looked_up:
            self._looked_up.add(identifier)
            if self.store.fresh:
                # Its key is made when there is something to keep under it: until then nothing waits for it.
                return None
            kept = self._kept(entry, self.store)
            if kept is not None:
                self._records[identifier] = kept
        return self._records.get(identifier)

    def take(self, identifier: str, record: Record) -> None:
        """Takes up a record without keeping it."""
        self._records.setdefault(identifier, record)

    def note(self, identifier: str, record: Record) -> None:
        """Takes up what this checker said of an assertion, here or in another process of this run, and keeps it."""
        self._records[identifier] = record
        if self.store is not None and not record.kept:
            key = self.key(identifier)
            if key is not None:
                self.store.put(key, record)

    def _kept(self, assertion: Assertion, store: Store) -> Record | None:
        """A kept record; where it shows an example in a finite world, that is evaluated again before it is believed."""
        key = self.key(assertion.id)
        kept = None if key is None else store.get(key)
        if key is None or kept is None:
            return None
        if kept.world is not None and not fails_again(assertion.formal, kept):
            store.discard(key)
            return None
        return kept

    def key(self, identifier: str) -> str | None:
        """The content key of an assertion: of what it is and of everything that it rests on."""
        if identifier not in self._keys:
            self._keys[identifier] = self._key(self.assertion(identifier))
        return self._keys[identifier]

    def _key(self, assertion: Assertion) -> str | None:
        lemmas = []
        with self._opened(assertion.id):
            for name in assertion.lemmas:
                key = self.key(name) if name in self.assertions else None
                if key is None:
                    return None
                lemmas.append(f"{name} {key}")
        return key_of(assertion, lemmas)

    # --- verdicts ---------------------------------------------------------------------------------------------------

    def verdict(self, identifier: str) -> Verdict:
        """The verdict on one assertion, from the checker."""
        if identifier in self._verdicts:
            return self._verdicts[identifier]
        assertion = self.assertion(identifier)
        with self._opened(identifier):
            found = judge(
                assertion.formal,
                argument=assertion.argument,
                lemmas=self.lemma,
                prover=assertion.prover,
                worlds=assertion.worlds,
                instances=assertion.instances,
            )
        self._verdicts[identifier] = found
        return found

    def lemma(self, identifier: str) -> Statement:
        """A claim as a lemma: its statement without what was not needed, if it holds."""
        given = self.assertion(identifier).formal
        known = self.known(identifier) if identifier not in self._verdicts else None
        found = self.verdict(identifier) if known is None else known
        if not found.holds:
            raise Unproved(f"lemma {identifier} is {found.status}")
        if isinstance(found, Verdict):
            return found.statement
        return replace(given, assuming=tuple(a for a in given.assuming if a.name not in found.removed))

    def assertion(self, identifier: str) -> Assertion:
        """The assertion of that name; BadInput where there is none, or where it is nothing to judge."""
        entry = self.entry(identifier)
        if not isinstance(entry, Assertion):
            raise BadInput(f"{identifier} is {entry.stated}: the checker does not judge it")
        return entry

    def entry(self, identifier: str) -> Entry:
        """The entry of that name; BadInput where there is none."""
        if identifier not in self.entries:
            raise BadInput(f"claim {identifier!r} is not known{_nearest(identifier, self.entries)}")
        return self.entries[identifier]

    # --- the graph --------------------------------------------------------------------------------------------------

    @contextmanager
    def _opened(self, identifier: str) -> Iterator[None]:
        """Marks an assertion as being worked on; whatever leads back to it is a circle."""
        if identifier in self._open:
            circle = " → ".join([*self._open[self._open.index(identifier) :], identifier])
            raise CircularLemmas(f"the lemmas go in a circle: {circle}")
        self._open.append(identifier)
        try:
            yield
        finally:
            self._open.pop()

    def in_order(self, identifiers: Iterable[str]) -> list[Assertion]:
        """These assertions and all that they rest on, each after its lemmas."""
        found: dict[str, Assertion] = {}
        for identifier in identifiers:
            self._collect(identifier, found)
        return list(found.values())

    def _collect(self, identifier: str, found: dict[str, Assertion]) -> None:
        if identifier in found:
            return
        assertion = self.assertion(identifier)
        with self._opened(identifier):
            for name in assertion.lemmas:
                self._collect(name, found)
        found[identifier] = assertion

    def reached(self, identifiers: Iterable[str]) -> list[str]:
        """These assertions and all that their verdicts rest on, the nearer ones first."""
        found: dict[str, None] = {}
        waiting = list(identifiers)
        for identifier in waiting:
            if identifier not in found:
                found[identifier] = None
                waiting += self.record(identifier).uses
        return list(found)

    def graph(self) -> Iterator[tuple[str, str]]:
        """The pairs (claim, claim it uses) of what has been found."""
        for identifier in dict.fromkeys([*self._verdicts, *self._records]):
            found = self._verdicts.get(identifier) or self._records[identifier]
            for used in found.uses:
                yield identifier, used


def all_claims() -> Iterator[Claim]:
    """Every claim, section by section."""
    for _, module in SECTIONS.values():
        yield from import_module(f"derivations.sections.{module}").CLAIMS


def _nearest(given: str, known: Iterable[str]) -> str:
    close = get_close_matches(given, list(known), n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""
