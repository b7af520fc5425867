"""What was measured, as it is kept in the package: settings, seeds, numbers, intervals, and the code that made them.

Read by `derivations verify`, which has neither torch nor scipy: whether an entry is shown is worked out anew from the
intervals, and whether the code is still the same from the files that are named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import Any

from derivations.checker.errors import BadInput
from derivations.files import hash_of, write_whole

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parent.parent.parent
LEAST_SEEDS = 10


@dataclass(frozen=True)
class Outcome:
    """A condition and the interval that was found: it holds where the whole interval is on the right side."""

    words: str
    mean: float
    low: float
    high: float
    above: float | None
    below: float | None

    @property
    def holds(self) -> bool:
        """Whether it holds; a number that is none holds nowhere."""
        if isnan(self.low) or isnan(self.high):
            return False
        return (self.above is None or self.low > self.above) and (self.below is None or self.high < self.below)

    @property
    def text(self) -> str:
        """The condition, its numbers and what they must be, in one line."""
        must = f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"
        sign = "✓" if self.holds else "✗"
        return f"{sign} {self.words}: {self.mean:.4g}, from {self.low:.4g} to {self.high:.4g}; must be {must}"


@dataclass(frozen=True)
class Kept:
    """What was measured of an entry.

    `settings` of the experiment, `seeds` and the `numbers` of each, the `outcomes` of its conditions, `files` that were
    executed or read and their hash `code`, `versions` of what ran them, and the `date`.
    """

    id: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    numbers: tuple[Mapping[str, float], ...]
    outcomes: tuple[Outcome, ...]
    files: tuple[str, ...]
    code: str
    versions: Mapping[str, str]
    date: str

    @property
    def shown(self) -> bool:
        """Whether it shows what it must."""
        return len(self.seeds) >= LEAST_SEEDS and bool(self.outcomes) and all(found.holds for found in self.outcomes)

    @property
    def stale(self) -> bool:
        """Whether the code is no longer that which ran."""
        try:
            return code_hash(self.files) != self.code
        except OSError:
            return True

    @property
    def text(self) -> str:
        """What was found, line by line."""
        lines = [found.text for found in self.outcomes]
        made = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines.append(f"mean and 95 % interval over the seeds {self.seeds[0]} to {self.seeds[-1]}; {self.date}, {made}")
        if self.stale:
            lines.append(f"the code has changed since then: derivations measure {self.id} runs it again")
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Keeps it in a file, whole or not at all. Raises BadInput where that cannot be done."""
        told = {**asdict(self), "shown": self.shown}
        try:
            write_whole(path, f"{json.dumps(told, indent=1, ensure_ascii=False)}\n".encode())
        except OSError as error:
            raise BadInput(f"{path} could not be written: {error.strerror or error}") from error


def code_hash(files: tuple[str, ...]) -> str:
    """The SHA-256 of files of the package, names and all."""
    return hash_of((name, ROOT / name) for name in files)


def place_of(identifier: str) -> Path:
    """Where what was measured of an entry is kept."""
    return DATA / f"{identifier}.json"


def kept_result(identifier: str) -> Kept | None:
    """What was measured of an entry, None where nothing was. Raises BadInput where the file is damaged."""
    path = place_of(identifier)
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        shown = told.pop("shown")
        outcomes = tuple(Outcome(**found) for found in told.pop("outcomes"))
        told |= {name: tuple(told[name]) for name in ("seeds", "numbers", "files")}
        found = Kept(outcomes=outcomes, **told)
        if found.shown != shown or found.id != identifier or len(found.seeds) != len(found.numbers):
            raise ValueError("it contradicts itself")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is damaged: {error}; expected what derivations measure {identifier} writes") from error
    return found
