"""One run of a sweep, wherever it is done: all that it needs comes with it, and all that it finds goes back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch

from derivations.algorithms.devices import one_thread
from derivations.algorithms.runs import code_hash
from derivations.algorithms.settings import Settings
from derivations.algorithms.stage import Diverged
from derivations.algorithms.stages import stage_for
from derivations.sweeps.grid import Run
from toy_envs import make_mdp

Metrics = dict[str, float]
FINISHED = "finished"

# The number of torch's threads and the kernel of its attention belong to the process: a worker with several threads
# does one run after the other.
_ALONE = Lock()


@contextmanager
def alone() -> Iterator[None]:
    """One thread of torch, and no other run in this process."""
    with _ALONE, one_thread():
        yield


@dataclass(frozen=True)
class Result:
    """What came of a run: how it ended, the metrics of every step until then, and what made them."""

    key: str
    status: str
    metrics: list[Metrics]
    maker: dict[str, str]

    @property
    def finished(self) -> bool:
        """Whether it came to its end; else its status says where it diverged."""
        return self.status == FINISHED


def carry_out(run: Run) -> Result:
    """Does one run on the CPU. A run that diverges is a result, too. Raises BadInput where the world has no reference."""
    given: dict[str, Any] = dict(run.settings)
    metrics: list[Metrics] = []
    status = FINISHED
    with alone():
        try:
            for step in stage_for(make_mdp(run.env), Settings(**given)).run():
                metrics.append(step)
        except Diverged as error:
            status = f"diverged at {error}"
    return Result(run.key, status, metrics, maker(run.env))


def maker(env: str) -> dict[str, str]:
    """What the numbers of a run hang on besides its settings: the code, the reference policy and PyTorch's version."""
    reference = make_mdp(env).reference
    weights = b"" if reference is None or not reference.is_file() else reference.read_bytes()
    return {"code": code_hash(), "reference": hashlib.sha256(weights).hexdigest(), "torch": torch.__version__}
