"""An experiment run from many seeds, over the cores or over a cluster."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

from derivations.measured.experiment import experiment_for, files_of, known
from derivations.measured.kept import Kept, code_hash
from derivations.measured.rule import Numbers
from derivations.sweeps.spreading import spread
from derivations.sweeps.work import alone
from toy_envs.errors import BadInput

FIRST_SEED = 10  # those before it were looked at when the conditions were written


def seed_of(identifier: str, files: tuple[str, ...], seed: int) -> tuple[int, Numbers, str]:
    """The numbers of one seed, wherever they are made, and the hash of the code that made them."""
    with alone():
        return seed, experiment_for(identifier).measure(seed), code_hash(files)


def measure(
    identifier: str,
    seeds: int,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    watch: Callable[[int], None] = lambda done: None,
) -> Kept:
    """Runs an experiment from so many seeds; `watch` is told how many are done. Raises BadInput as `spread`."""
    if seeds < 1:
        raise BadInput(f"seeds is {seeds}; expected at least 1")
    name = known(identifier)
    experiment, files = experiment_for(name), files_of(name)
    code = code_hash(files)
    chosen = range(FIRST_SEED, FIRST_SEED + seeds)
    numbers: dict[int, Numbers] = {}
    with closing(spread(partial(seed_of, name, files), chosen, jobs=jobs, scheduler=scheduler)) as answers:
        for seed, found, theirs in answers:
            if theirs != code:
                raise BadInput(f"a worker has other code than this machine: {theirs[:12]}, not {code[:12]}")
            numbers[seed] = found
            watch(len(numbers))
    in_order = tuple(numbers[seed] for seed in chosen)
    return Kept(
        name,
        dict(experiment.settings),
        tuple(chosen),
        in_order,
        tuple(condition.outcome(in_order) for condition in experiment.conditions),
        files,
        code,
        {"python": platform.python_version(), **{package: version(package) for package in ("torch", "scipy")}},
        datetime.now(UTC).date().isoformat(),
    )
