"""A claim: what a source says, what it is read as, and what the mathematics should say of it.

Nothing here judges: a claim carries statements and arguments, and the verdict that is expected of them as a plain word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from derivations.checker.errors import BadInput
from derivations.checker.proof import Argumentation, ByCalculation, ByInduction, Derivation, Proof, UseLemma
from derivations.checker.statement import Statement
from derivations.checker.verdict import STATUSES, Witness
from derivations.checker.worlds import World


@dataclass(frozen=True)
class Assertion:
    """One statement in words and in terms, the verdict expected of it, and how it is argued.

    `argument` is the proof to execute, `prover` another engine to ask; `worlds` and `instances` are proposed
    counterexamples, evaluated like any other.
    """

    id: str
    words: str
    stated: str
    formal: Statement
    argument: Argumentation | None = None
    prover: Callable[[Statement], Proof] | None = None
    worlds: tuple[World, ...] = ()
    instances: tuple[Witness, ...] = ()

    def __post_init__(self) -> None:
        if self.stated not in STATUSES:
            raise BadInput(f"{self.id}: stated is {self.stated!r}; expected one of {', '.join(STATUSES)}")

    @property
    def lemmas(self) -> tuple[str, ...]:
        """The identifiers of the claims that its argument takes as proved, in order, each once."""
        return tuple(dict.fromkeys(use.name for use in _uses(self.argument)))


def _uses(argument: Argumentation | None) -> Iterator[UseLemma]:
    match argument:
        case Derivation(_, lines):
            yield from (reason for line in lines for reason in line.reasons if isinstance(reason, UseLemma))
        case ByInduction(lemmas) | ByCalculation(lemmas):
            yield from lemmas


@dataclass(frozen=True)
class Measured:
    """What runs decide and no proof can: the experiment, and what it must show."""

    stated: ClassVar[str] = "measured"

    id: str
    words: str
    experiment: str
    shows: str


@dataclass(frozen=True)
class Definition:
    """A definition, and the object of this package (as module:name) that satisfies it, which its tests show."""

    stated: ClassVar[str] = "definition"

    id: str
    words: str
    satisfied_by: str


Entry = Assertion | Measured | Definition


@dataclass(frozen=True)
class Claim:
    """A claim of a source: its main statement, its parts, and the corrected statement where it is false.

    `tag` is the place in the source; `quote` a few of its own words, or ours; `reading` what the main statement takes
    them to mean; `believe` what to believe instead of a claim that fails.
    """

    section: str
    tag: str
    quote: str
    reading: str
    main: Entry
    parts: tuple[Entry, ...] = ()
    correction: Assertion | None = None
    believe: str = ""

    def __post_init__(self) -> None:
        if self.main.stated == "refuted" and self.correction is None:
            raise BadInput(f"{self.id}: it is refuted; expected a correction that is proved")

    @property
    def id(self) -> str:
        """The claim's identifier, such as PG.4."""
        return self.main.id

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything that has an identifier: the main statement, its parts, its correction."""
        return (self.main, *self.parts, *(() if self.correction is None else (self.correction,)))

    @property
    def assertions(self) -> tuple[Assertion, ...]:
        """Those of its entries that the checker judges."""
        return tuple(entry for entry in self.entries if isinstance(entry, Assertion))
