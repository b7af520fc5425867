"""Sweeps that are run: stopped and carried on, damaged, spread over processes and over a cluster."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from made_results import runs_of

from derivations.sweeps import spreading, sweep, work
from derivations.sweeps.grid import Run
from derivations.sweeps.spreading import WorkerLost, spread
from derivations.sweeps.sweep import Sweep
from derivations.sweeps.table import as_csv, cells
from derivations.sweeps.work import Result, carry_out
from toy_envs.errors import BadInput

RUNS = runs_of("ppo", "reinforce", "dpo", seeds=2)


def quiet(message: str) -> None:
    raise AssertionError(message)


def table_of(done: Sweep) -> str:
    return as_csv(cells(done.runs, done.results))


@cache
def results_here() -> dict[str, Result]:
    """Every run done in this process, one after the other."""
    return {run.key: carry_out(run) for run in RUNS}


def table_here() -> str:
    return as_csv(cells(RUNS, results_here()))


def from_memory(runs: list[Run]) -> Callable[[Run], Result]:
    """Work that is not done anew; what is asked for is written down."""

    def remembered(run: Run) -> Result:
        runs.append(run)
        return results_here()[run.key]

    return remembered


# --- a run ----------------------------------------------------------------------------------------------------------


def test_a_run_ends_with_the_metrics_of_the_trainer() -> None:
    from derivations.algorithms.checkpoints import load_policy
    from derivations.algorithms.devices import one_thread
    from derivations.algorithms.settings import settings_for
    from derivations.algorithms.trainer import Trainer
    from toy_envs import SORTING

    assert SORTING.reference is not None
    found = results_here()[RUNS[1].key]
    with one_thread():
        settings = settings_for("ppo", seed=1, updates=2, episodes=8)
        expected = list(Trainer(SORTING, load_policy(SORTING.reference), settings).run())
    assert found.finished and found.metrics == expected


def test_a_run_that_diverges_is_a_result_of_its_own() -> None:
    (run,) = runs_of("reinforce", seeds=1, learning_rate=["1e30"])
    found = carry_out(run)
    assert not found.finished
    assert found.status.startswith("diverged at update ")
    assert found.metrics[0]["update"] == 0


def test_a_world_without_a_reference_policy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from toy_envs import SORTING

    monkeypatch.setattr(work, "make_mdp", lambda name: replace(SORTING, reference=None))
    with pytest.raises(BadInput, match="Sorting-v0 has no reference policy"):
        carry_out(RUNS[0])


# --- stopped, carried on, damaged -----------------------------------------------------------------------------------


def test_a_stopped_sweep_carries_on_and_ends_with_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Run] = []
    monkeypatch.setattr(sweep, "carry_out", from_memory(asked))
    first = Sweep(RUNS, tmp_path, quiet)
    with closing(first.carry_on(jobs=1)) as results:
        before = {next(results).key for _ in range(3)}
    kept = {path: path.read_bytes() for path in (tmp_path / "runs").iterdir()}
    assert {path.stem for path in kept} == before

    second = Sweep(RUNS, tmp_path, quiet)
    asked.clear()
    after = [result.key for result in second.carry_on(jobs=1)]
    assert len(after) == 3 and not before & {*after}
    assert [run.key for run in asked] == after, "what is kept is not done again"
    assert table_of(second) == table_here()
    assert all(path.read_bytes() == data for path, data in kept.items())
    assert table_of(Sweep(RUNS, tmp_path, quiet)) == table_here()


def test_a_damaged_result_is_told_and_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Run] = []
    monkeypatch.setattr(sweep, "carry_out", from_memory(asked))
    assert len(list(Sweep(RUNS, tmp_path, quiet).carry_on(jobs=1))) == 6
    path = tmp_path / "runs" / f"{RUNS[2].key}.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    told: list[str] = []
    again = Sweep(RUNS, tmp_path, told.append)
    asked.clear()
    assert [result.key for result in again.carry_on(jobs=1)] == [RUNS[2].key]
    assert asked == [RUNS[2]]
    assert len(told) == 1 and f"{path} is damaged" in told[0] and told[0].endswith("this run is done again")
    assert path.read_bytes() == whole
    assert table_of(again) == table_here()


def test_a_result_that_cannot_be_kept_ends_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    begun = Sweep(RUNS, tmp_path, quiet)
    monkeypatch.setattr(sweep, "carry_out", from_memory([]))
    monkeypatch.setattr("derivations.sweeps.folder.write_whole", full)
    with pytest.raises(BadInput, match=r"cannot be written: No space left on device"):
        list(begun.carry_on(jobs=1))
    assert begun.results == {}


def test_runs_of_two_worlds_are_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(BadInput, match="runs are of 2 worlds; expected one"):
        Sweep([RUNS[0], replace(RUNS[1], env="toy_envs/Copy-v0")], tmp_path, quiet)


# --- spread ---------------------------------------------------------------------------------------------------------


def test_two_processes_give_the_same_table_as_one(tmp_path: Path) -> None:
    both = Sweep(RUNS, tmp_path, quiet)
    keys = [result.key for result in both.carry_on(jobs=2)]
    assert sorted(keys) == sorted(run.key for run in RUNS), "each once"
    assert table_of(both) == table_here()


def ended(task: int) -> int:
    """Work during which the process is ended from outside."""
    import os

    if task == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    with pytest.raises(WorkerLost, match="a process that was at work is gone"):
        list(spread(ended, [0, 1, 2, 3], jobs=2))


def test_nothing_to_do_needs_no_process_and_no_scheduler() -> None:
    assert list(spread(ended, [], scheduler="tcp://127.0.0.1:1")) == []


def test_jobs_are_at_least_one_and_not_for_a_scheduler() -> None:
    with pytest.raises(BadInput, match="jobs is 0; expected at least 1"):
        spread(ended, [0], jobs=0)
    with pytest.raises(BadInput, match="jobs is 2; expected none with a scheduler"):
        spread(ended, [0], jobs=2, scheduler="tcp://127.0.0.1:1")


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "PATIENCE", 0.3)
    with pytest.raises(BadInput, match="expected the address of a dask scheduler that runs"):
        list(spread(ended, [0], scheduler="tcp://127.0.0.1:1"))


# --- a cluster ------------------------------------------------------------------------------------------------------


class Cluster:
    """A scheduler and workers on the loopback address, each a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        where = folder / "scheduler.json"
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show", "--scheduler-file", where)
        end = time.monotonic() + 60
        while not where.exists() and time.monotonic() < end:
            assert self.processes[0].poll() is None, (folder / "log0").read_text()
            time.sleep(0.05)
        self.address: str = json.loads(where.read_text())["address"]

    def worker(self) -> subprocess.Popen[bytes]:
        return self._start("dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")

    def _start(self, module: str, *given: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *map(str, given)]
        with (self.folder / f"log{len(self.processes)}").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    root = Path(__file__).resolve().parent
    # The workers run in a folder of their own, and import this file's modules and the package.
    monkeypatch.setenv("PYTHONPATH", f"{root.parent.parent}:{root}")
    started = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield started
    finally:
        started.stop()


def test_a_scheduler_without_a_worker_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "PATIENCE", 1)
    with pytest.raises(
        BadInput, match=r"has no worker after 1 seconds; .*dask worker tcp://127\.0\.0\.1:\d+ --nthreads 1"
    ):
        list(spread(ended, [0], scheduler=cluster.address))


def test_a_worker_of_a_cluster_that_is_killed_loses_no_result_and_doubles_none(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    workers = [cluster.worker(), cluster.worker()]
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    spread_out = Sweep(RUNS, tmp_path, quiet)
    writes: list[str] = []
    put = spread_out.folder.put
    monkeypatch.setattr(spread_out.folder, "put", lambda result: (writes.append(result.key), put(result)))
    keys: list[str] = []
    for result in spread_out.carry_on(scheduler=cluster.address):
        keys.append(result.key)
        if len(keys) == 2:
            workers[0].send_signal(signal.SIGKILL)
            assert workers[0].wait(10) == -signal.SIGKILL
    assert sorted(keys) == sorted(run.key for run in RUNS) == sorted(writes), "none lost, none twice"
    assert workers[1].poll() is None
    assert table_of(spread_out) == table_here(), "the same table as on one machine"
    assert table_of(Sweep(RUNS, tmp_path, quiet)) == table_here()
