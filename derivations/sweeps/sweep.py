"""A sweep: its runs, those that are kept, those that are still to be done."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

from derivations.sweeps.folder import Damaged, Folder
from derivations.sweeps.grid import Run
from derivations.sweeps.spreading import spread
from derivations.sweeps.work import Result, carry_out, maker
from toy_envs.errors import BadInput


class Sweep:
    """A sweep in a folder. What is there already is taken up; a damaged result is told and done again.

    Parameters: `runs` all of one world; `path` of the folder; `tell` takes a message. Raises BadInput as Folder does.
    """

    def __init__(self, runs: Sequence[Run], path: Path, tell: Callable[[str], None]) -> None:
        if len({run.env for run in runs}) != 1:
            raise BadInput(f"runs are of {len({run.env for run in runs})} worlds; expected one")
        self.runs = list(runs)
        self.folder = Folder(path, runs, maker(runs[0].env))
        self.results: dict[str, Result] = {}
        for run in runs:
            try:
                kept = self.folder.get(run)
            except Damaged as error:
                tell(f"{error}; this run is done again")
            else:
                if kept is not None:
                    self.results[run.key] = kept

    def carry_on(self, *, jobs: int | None = None, scheduler: str | None = None) -> Generator[Result, None, None]:
        """Does what is still to be done, over the cores or over a cluster: each result once it is kept.

        Results are written here, not where they are made: no worker needs this disk. Raises as `spread` and Folder.put.
        """
        missing = [run for run in self.runs if run.key not in self.results]
        with closing(spread(carry_out, missing, jobs=jobs, scheduler=scheduler)) as results:
            for result in results:
                self.folder.put(result)
                self.results[result.key] = result
                yield result
