"""What is kept of a sweep: a folder in which a stopped sweep finds what it has.

sweep.json     which runs it is made of, and what makes their numbers; written first
runs/KEY.json  one whole file for each run that came to an end, under the hash of its settings
table.csv, plot.png  at the end
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from derivations.files import half_written, write_whole
from derivations.sweeps.grid import Run
from derivations.sweeps.work import Result
from toy_envs.errors import BadInput

FORMAT = "a sweep of derivations, 1"
FILES = ("sweep.json", "table.csv", "plot.png")


class Folder:
    """The folder of a sweep: a new or an empty one, or that of the same sweep, stopped.

    Parameters: `path`; `runs` of the sweep; `maker` what makes their numbers. Raises BadInput where something else is
    there, or the folder cannot be made.
    """

    def __init__(self, path: Path, runs: Sequence[Run], maker: Mapping[str, str]) -> None:
        self.path, self.maker = path, dict(maker)
        plan = {"format": FORMAT, "maker": self.maker, "runs": [asdict(run) for run in runs]}
        try:
            path.mkdir(parents=True, exist_ok=True)
            if {*path.iterdir()} - {*half_written(path, FILES)}:
                _check_same(path, plan)
            else:
                write_whole(path / "sweep.json", f"{json.dumps(plan, indent=1)}\n".encode())
            (path / "runs").mkdir(exist_ok=True)
            results = {f"{run.key}.json" for run in runs}
            for left in (*half_written(path, FILES), *half_written(path / "runs", results)):
                left.unlink()
        except OSError as error:
            raise BadInput(f"out: {path} cannot be the folder of a sweep: {error.strerror or error}") from error

    def put(self, result: Result) -> None:
        """Keeps a result, whole or not at all. Raises BadInput where it is of other code, or cannot be written."""
        _check_maker(result.maker, self.maker, "a worker has", "this machine")
        text = json.dumps(asdict(result))
        self.write(f"runs/{result.key}.json", f"{_digest(text)}\n{text}\n".encode())

    def get(self, run: Run) -> Result | None:
        """What is kept of a run, None where that is nothing. Raises Damaged where the file is not what was written."""
        path = self.path / "runs" / f"{run.key}.json"
        if not path.exists():
            return None
        try:
            digest, text = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
            if digest != _digest(text):
                raise ValueError("its digest is another one")
            result = Result(**json.loads(text))
            if result.key != run.key:
                raise ValueError(f"it is of the run {result.key}")
        except (OSError, ValueError, TypeError) as error:
            raise Damaged(f"{path} is damaged: {error}") from error
        return result

    def write(self, name: str, data: bytes) -> None:
        """Writes a file of the folder, whole or not at all. Raises BadInput where that cannot be done."""
        try:
            write_whole(self.path / name, data)
        except OSError as error:
            raise BadInput(f"out: {self.path / name} cannot be written: {error.strerror or error}") from error


class Damaged(BadInput):
    """The file of a result is not what was written."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_same(path: Path, plan: Mapping[str, Any]) -> None:
    """Raises BadInput, saying what differs, where the sweep in a folder is not this one."""
    try:
        there = json.loads((path / "sweep.json").read_text(encoding="utf-8"))
        if there["format"] != FORMAT:
            raise ValueError("its format is another one")
        kept, wanted = ([{"env": r["env"], **r["settings"]} for r in p["runs"]] for p in (there, plan))
        maker = dict(there["maker"])
    except FileNotFoundError:
        raise BadInput(f"out: {path} is not empty and holds no sweep; expected a new or an empty folder") from None
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(f"out: {path / 'sweep.json'} is damaged ({error}); expected a sweep, or a new folder") from error
    if kept != wanted:
        raise BadInput(
            f"out: {path} holds another sweep: {_difference(kept, wanted)}; expected the same, or a new folder"
        )
    _check_maker(maker, plan["maker"], f"out: the sweep in {path} was begun with", "this one")


def _difference(kept: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> str:
    """The first setting whose values are not the same in two sweeps."""
    for name in dict.fromkeys(name for run in (*kept, *wanted) for name in run):
        theirs, ours = (list(dict.fromkeys(run.get(name) for run in runs)) for runs in (kept, wanted))
        if theirs != ours:
            return f"{name} is {_listed(theirs)} there and {_listed(ours)} here"
    return "its runs are combined in another way"


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))


def _check_maker(theirs: Mapping[str, str], ours: Mapping[str, str], whose: str, other: str) -> None:
    for name in ours:
        if theirs.get(name) != ours[name]:
            raise BadInput(
                f"{whose} another {_MAKERS[name]} than {other}: {str(theirs.get(name))[:12]}, not {ours[name][:12]}; "
                "expected the same, since the numbers hang on it"
            )


_MAKERS = {"code": "code", "reference": "reference policy", "torch": "PyTorch"}
