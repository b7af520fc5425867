"""Runs that are never done, and results that never were."""

from __future__ import annotations

from collections.abc import Sequence

from derivations.sweeps.grid import Run, grid
from derivations.sweeps.work import FINISHED, Result

WORLD = "toy_envs/Sorting-v0"
MAKER = {"code": "0" * 64, "reference": "1" * 64, "torch": "2"}


def runs_of(*algorithms: str, seeds: int = 3, **given: Sequence[str]) -> list[Run]:
    return grid(WORLD, algorithms, range(seeds), {"updates": ["2"], "episodes": ["8"], **given})


def result_of(run: Run, ends: float, status: str = FINISHED, maker: dict[str, str] = MAKER) -> Result:
    """A run whose regret_share falls from 1 to `ends`, with a score of twice that."""
    steps = [{"update": at, "regret_share": share, "score": 2 * share} for at, share in enumerate((1.0, ends))]
    return Result(run.key, status, steps, maker)
