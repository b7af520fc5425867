"""Every algorithm in a small world, to be run by torchrun: process 0 writes what each update says."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from small_worlds import PAIRED, policy_for

from derivations.algorithms import runs, trainer
from derivations.algorithms.checkpoints import save_policy
from derivations.algorithms.data_parallel import group, joined
from derivations.algorithms.devices import one_thread
from derivations.algorithms.pretraining import Pretraining
from derivations.algorithms.reward_model import RewardFitting
from derivations.algorithms.settings import DEFAULTS, settings_for
from derivations.algorithms.stage import Stage
from derivations.algorithms.trainer import Trainer


def stage(algorithm: str) -> Stage:
    """A short run with sizes that two processes cannot share evenly."""
    settings = settings_for(algorithm, updates=3, episodes=15, epochs=2, minibatches=2, learning_rate=1e-3)
    if algorithm == "sft":
        return Pretraining(PAIRED, settings)
    start = policy_for(PAIRED, 1)
    return RewardFitting(PAIRED, start, settings) if algorithm == "reward" else Trainer(PAIRED, start, settings)


def told() -> dict[str, list[dict[str, float]]]:
    """By algorithm the metrics of each update.

    F is damped, else what ten steps of conjugate gradient make of a last digit would be seen in the second.
    """
    with patch.object(trainer, "DAMPING", 1.0):
        return {algorithm: list(stage(algorithm).run()) for algorithm in DEFAULTS}


def in_a_folder(folder: Path, stop: int | None) -> None:
    """A run that is interrupted behind an update, in all processes, and then taken up; or is not interrupted."""
    save_policy(folder / "start.safetensors", policy_for(PAIRED, 1))
    settings = settings_for(
        "ppo", updates=3, episodes=15, checkpoint_every=1, reference=str(folder / "start.safetensors")
    )

    def watch(metrics: dict[str, float]) -> None:
        if metrics["update"] == stop:
            raise KeyboardInterrupt

    run = partial(runs.train, PAIRED, settings, folder / "run", torch.device("cpu"))
    with suppress(KeyboardInterrupt):
        run(watch)
    run(resume=True)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    with one_thread(), joined(torch.device("cpu")):
        result = told()
        for name, stop in (("straight", None), ("stopped", 2)):
            (out / name).mkdir(exist_ok=True)
            in_a_folder(out / name, stop)
        if group().rank == 0:
            (out / "told.json").write_text(json.dumps(result), encoding="utf-8")
