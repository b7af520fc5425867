"""An experiment: what is measured from one seed, and when that shows an entry."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

from derivations.algorithms.settings import settings_for
from derivations.measured import EXPERIMENTS
from derivations.measured.kept import ROOT
from derivations.measured.rule import Condition, Numbers
from toy_envs.errors import BadInput


@dataclass(frozen=True)
class Experiment:
    """The experiment of a measured entry.

    `settings` are all that was set, to be kept with the result; `measure` makes the numbers of a seed; `conditions` are
    the rule, fixed before the seeds that decide were run; `reads` are the files that it reads, from the root on.
    """

    settings: Mapping[str, Any]
    measure: Callable[[int], Numbers]
    conditions: tuple[Condition, ...]
    reads: tuple[str, ...] = ("toy_envs/data/sorting-v0.safetensors",)


def known(identifier: str) -> str:
    """The entry that is measured for an identifier: itself, or a claim's part. Raises BadInput where there is none."""
    for name in (identifier, f"{identifier}.measured"):
        if name in EXPERIMENTS:
            return name
    raise BadInput(f"id is {identifier!r}; expected one of {', '.join(EXPERIMENTS)}")


def experiment_for(identifier: str) -> Experiment:
    """The experiment of an entry."""
    found = import_module(f"derivations.measured.{EXPERIMENTS[known(identifier)]}").EXPERIMENT
    assert isinstance(found, Experiment)
    return found


def all_settings(algorithm: str, world: str = "", **given: Any) -> dict[str, Any]:
    """Every setting of a run but its seed, to be kept."""
    return {name: value for name, value in asdict(settings_for(algorithm, world, **given)).items() if name != "seed"}


# --- what it executes -----------------------------------------------------------------------------------------------

NO_PART = frozenset(
    {
        *("derivations/files.py", "toy_envs/errors.py", "toy_envs/token_env.py", "toy_envs/token_vector_env.py"),
        *(f"derivations/measured/{name}.py" for name in ("experiment", "kept", "rule")),
        "derivations/sweeps/intervals.py",
    }
)
"""What is imported and makes no number of a seed."""


def files_of(identifier: str) -> tuple[str, ...]:
    """The files that an experiment executes and reads: its module, all that this imports of ours, and its data."""
    waiting = [f"derivations/measured/{EXPERIMENTS[known(identifier)]}.py"]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found and name not in NO_PART:
            found.add(name)
            waiting += _imports(name)
    return (*sorted(found), *experiment_for(identifier).reads)


def _imports(name: str) -> Iterator[str]:
    """The files of our modules that a file imports; packages, which only hold names, are left out."""
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module.replace(".", "/")
            for path in (f"{whole}.py", *(f"{whole}/{alias.name}.py" for alias in node.names)):
                if whole.split("/")[0] in ("derivations", "toy_envs") and (ROOT / path).is_file():
                    yield path
