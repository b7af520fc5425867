"""When an entry is shown: conditions on the intervals of numbers, each a bound on one side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from derivations.measured.kept import LEAST_SEEDS, Outcome
from derivations.sweeps.intervals import t_interval
from toy_envs.errors import BadInput

Numbers = Mapping[str, float]
"""What is measured from one seed, by name."""


@dataclass(frozen=True)
class Condition:
    """A number of each seed, and the bound that the whole 95 % interval of its mean must be above, or below."""

    words: str
    of: Callable[[Numbers], float]
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        if (self.above is None) == (self.below is None):
            raise BadInput(f"{self.words}: above is {self.above} and below is {self.below}; expected one of them")

    def outcome(self, numbers: Sequence[Numbers]) -> Outcome:
        """What the seeds say of it."""
        found = t_interval([float(self.of(one)) for one in numbers])
        return Outcome(self.words, found.mean, found.low, found.high, self.above, self.below)


def decided(conditions: Sequence[Condition], numbers: Sequence[Numbers]) -> tuple[Outcome, ...]:
    """The outcome of every condition; all of them together decide. Raises BadInput where the seeds are too few."""
    if len(numbers) < LEAST_SEEDS:
        raise BadInput(f"seeds are {len(numbers)}; expected at least {LEAST_SEEDS} to decide anything")
    return tuple(condition.outcome(numbers) for condition in conditions)
