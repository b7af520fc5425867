"""Claims judged over the cores: an assertion once its lemmas are judged, and each once, wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing

from derivations.checker.errors import DerivationsError
from derivations.ledger import Ledger
from derivations.parallel import processes_for, spread
from derivations.records import Record, record_of
from derivations.sections.claim import Claim


class Judge:
    """Judges one assertion, with the records of its lemmas, in whatever process it is called."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def __call__(self, identifier: str, lemmas: Mapping[str, Record]) -> Record:
        """What the checker says of an assertion."""
        for name, record in lemmas.items():
            self.ledger.take(name, record)
        try:
            return record_of(self.ledger.verdict(identifier), self.ledger.assertions[identifier].formal)
        except DerivationsError as error:
            error.add_note(_claim_of(self.ledger, identifier))
            raise

    def __reduce__(self) -> tuple[Callable[[], Judge], tuple[()]]:
        # Claims hold functions, which cannot be sent: a process that is not forked makes the claims anew.
        return _anew, ()


def _anew() -> Judge:
    return Judge(Ledger())


def _claim_of(ledger: Ledger, identifier: str) -> str:
    return next(claim.id for claim in ledger.claims.values() if any(e.id == identifier for e in claim.entries))


def judge_all(
    ledger: Ledger,
    claims: Iterable[Claim],
    *,
    jobs: int | None = None,
    started: Callable[[str], None] = lambda claim: None,
) -> Generator[str, None, None]:
    """Judges what is not known of the claims and of what they rest on; gives each identifier when it is finished."""
    open_ones: dict[str, tuple[str, ...]] = {}
    for claim in claims:
        try:
            missing = [a.id for a in claim.assertions if _in_order(ledger, a.id) and ledger.known(a.id) is None]
            for assertion in ledger.in_order(missing):
                if ledger.known(assertion.id) is None:
                    open_ones.setdefault(assertion.id, assertion.lemmas)
        except DerivationsError as error:
            error.add_note(claim.id)
            raise

    def lemmas_of(identifier: str) -> dict[str, Record]:
        found = {name: ledger.known(name) for name in ledger.assertions[identifier].lemmas}
        return {name: record for name, record in found.items() if record is not None}

    answers = spread(
        open_ones,
        Judge(ledger),
        lemmas_of,
        processes=processes_for(len(open_ones), jobs),
        started=lambda identifier: started(_claim_of(ledger, identifier)),
    )
    return _noted(ledger, answers)


def _noted(ledger: Ledger, answers: Generator[tuple[str, Record], None, None]) -> Generator[str, None, None]:
    with closing(answers):
        for identifier, record in answers:
            ledger.note(identifier, record)
            yield identifier


def _in_order(ledger: Ledger, identifier: str) -> bool:
    """That the lemmas of an assertion go in no circle; raises CircularLemmas."""
    return bool(ledger.in_order([identifier]))


__all__ = ["Judge", "judge_all"]
