"""A run in a folder: what made it, its metrics line by line, and the policy at its end.

run.json       settings, versions, the code's hash, what is known of the world, and how it ended; written whole
metrics.jsonl  one JSON object for each logged step, flushed one by one: what was written stays
model.safetensors  the weights at the end
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import toy_envs
from derivations.algorithms.checkpoints import save_policy
from derivations.algorithms.devices import one_thread
from derivations.algorithms.evaluation import Exact
from derivations.algorithms.settings import Settings
from derivations.algorithms.stage import Diverged, Metrics, Stage
from derivations.algorithms.stages import MODEL, stage_for
from derivations.algorithms.trainer import Trainer
from derivations.files import hash_of, write_whole
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP

PACKAGES = ("derivations", "torch", "numpy", "gymnasium", "safetensors")


def new_folder(path: Path) -> Path:
    """Makes the folder of a run. Raises BadInput where something is in the way: no run writes over another."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise BadInput(f"out: {path} is not empty; expected a new or an empty folder")
    except OSError as error:
        raise BadInput(f"out: {path} cannot be a folder for the run: {error.strerror or error}") from error
    return path


def train(
    mdp: TokenMDP,
    settings: Settings,
    folder: Path,
    device: torch.device,
    watch: Callable[[Metrics], None] | None = None,
) -> Metrics:
    """Trains a policy from the world's reference policy and writes the run into `folder`, which is empty.

    `watch` is called with each step's metrics. Returns the last ones. Raises Diverged, its message naming the step, and
    lets an interrupt through; run.json then says so, and all that was written is kept. Raises BadInput where the world
    has no reference policy.
    """
    with one_thread():
        stage = stage_for(mdp, settings, device)
        story = {**what_made_it(mdp, settings, device), "world": what_is_known(stage)}
        _write_story(folder, story, "running")
        latest: Metrics = {}
        try:
            with (folder / "metrics.jsonl").open("w", encoding="utf-8") as file:
                for latest in stage.run():
                    file.write(json.dumps(latest) + "\n")
                    file.flush()
                    if watch is not None:
                        watch(latest)
        except Diverged as error:
            _write_story(folder, story, f"diverged: {error}")
            raise
        except KeyboardInterrupt:
            _write_story(folder, story, f"interrupted after update {latest.get('update', 0)}")
            raise
        save_policy(folder / MODEL, stage.model, "reward" if settings.algorithm == "reward" else "policy")
        _write_story(folder, story, "finished")
    return latest


def what_made_it(mdp: TokenMDP, settings: Settings, device: torch.device) -> dict[str, Any]:
    """All that a run depends on, and when and where it was made."""
    return {
        "env": mdp.name,
        "settings": asdict(settings),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "reference": None if mdp.reference is None else hashlib.sha256(mdp.reference.read_bytes()).hexdigest(),
        "code": code_hash(),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def what_is_known(stage: Stage) -> dict[str, float]:
    """The known numbers of the world: β, and where it can be enumerated J(π*), J(π_ref) and the number of prefixes."""
    if not isinstance(stage, Trainer):
        return {}
    known, found = {"beta": stage.beta}, stage.evaluation
    if isinstance(found, Exact):
        best = found.objective_best
        known |= {"objective_optimal": best, "objective_reference": best - found.gap, "prefixes": found.tree.prefixes}
    return known


def code_hash() -> str:
    """The SHA-256 of the source files that a run executes, names and all."""
    roots = (Path(__file__).parent, Path(toy_envs.__file__ or "").parent)
    return hash_of(
        (path.relative_to(root.parent).as_posix(), path) for root in roots for path in sorted(root.rglob("*.py"))
    )


def _write_story(folder: Path, story: dict[str, Any], status: str) -> None:
    text = json.dumps({**story, "status": status}, indent=2, ensure_ascii=False)
    write_whole(folder / "run.json", f"{text}\n".encode())
