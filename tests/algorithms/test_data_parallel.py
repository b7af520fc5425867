"""Two processes of torchrun against one with the whole batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import processes
import pytest
import torch

from derivations.algorithms import runs
from derivations.algorithms.data_parallel import Group, group, joined
from derivations.algorithms.devices import one_thread
from derivations.algorithms.settings import DEFAULTS
from derivations.algorithms.stages import MODEL
from toy_envs.errors import BadInput

Curves = dict[str, list[dict[str, float]]]

ROUNDING = {"sft": 1e-4, "trpo": 1e-4}
"""Relative. All but fitting to demonstrations run in float64; conjugate gradient makes much of a last digit."""

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that two processes leave."""
    out = tmp_path_factory.mktemp("two")
    paths = [str(ROOT), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(Path(processes.__file__)), str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def by_two(two: Path) -> Curves:
    """What two processes say."""
    found: Curves = json.loads((two / "told.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def by_one() -> Curves:
    """What one says."""
    with one_thread():
        return processes.told()


@pytest.mark.parametrize("algorithm", DEFAULTS)
def test_two_processes_have_the_curve_of_one(
    algorithm: str,
    by_two: Curves,
    by_one: Curves,
) -> None:
    """Every metric of every update, up to rounding; and the run has moved by more than that."""
    two, one = by_two[algorithm], by_one[algorithm]
    assert len(two) == len(one) == 4
    for ours, theirs in zip(one, two, strict=True):
        assert theirs == pytest.approx(ours, rel=ROUNDING.get(algorithm, 1e-8), abs=1e-9)
    for earlier, later in pairwise(one[1:]):
        assert later["loss"] != pytest.approx(earlier["loss"], rel=1e-2)


def test_a_run_of_two_processes_that_was_stopped_ends_as_one_that_was_not(two: Path) -> None:
    for name in (runs.METRICS, runs.SAMPLES, MODEL):
        straight, stopped = ((two / kind / "run" / name).read_bytes() for kind in ("straight", "stopped"))
        assert straight == stopped, name
    told = json.loads((two / "stopped" / "run" / runs.STORY).read_text(encoding="utf-8"))
    assert (told["processes"], told["status"], len(told["resumed"])) == (2, runs.FINISHED, 1)


def test_shares_cover_each_row_once_and_are_equal_up_to_one() -> None:
    for count in range(3, 12):
        rows = [list(range(count))[Group(rank, 3).share(count)] for rank in range(3)]
        assert [row for part in rows for row in part] == list(range(count))
        assert max(map(len, rows)) - min(map(len, rows)) <= 1
    with pytest.raises(BadInput, match="2 rows for 3 processes; expected at least one for each"):
        Group(0, 3).share(2)


def test_a_process_alone_is_a_group_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with joined(torch.device("cpu")) as device:
        assert device == torch.device("cpu")
        assert group() == Group(0, 1)
        assert group().any(True) and not group().any(False)
