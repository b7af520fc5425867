"""Tasks over several processes: each once, after those that it needs; errors, deaths and interruptions are not lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from multiprocessing import active_children
from pathlib import Path

import pytest

from derivations import BadInput, EngineDisagreement, parallel
from derivations.parallel import processes_for, spread

TASKS: dict[int, tuple[int, ...]] = {0: (), 1: (0,), 2: (0,), 3: (1, 2), 4: (), 5: (3, 4), 6: ()}
BOTH = pytest.mark.parametrize("processes", [1, 3])


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    yield
    assert not active_children()


@BOTH
def test_each_task_is_done_once_after_those_that_it_needs(processes: int) -> None:
    done: dict[int, str] = {}

    def given(task: int) -> list[str]:
        return [done[other] for other in TASKS[task]]

    for task, answer in spread(TASKS, lambda task, needs: f"{task}<{' '.join(needs)}>", given, processes=processes):
        assert task not in done
        done[task] = answer
    assert sorted(done) == sorted(TASKS)
    assert done[5] == "5<3<1<0<>> 2<0<>>> 4<>>"


def test_what_a_task_needs_but_is_none_of_the_tasks_is_not_waited_for() -> None:
    assert dict(spread({1: (7,), 2: (1,)}, lambda task, _: task, processes=2)) == {1: 1, 2: 2}


def test_several_work_at_once_each_in_a_process_of_its_own() -> None:
    found = dict(spread(dict.fromkeys(range(8), ()), lambda task, _: (time.sleep(0.05), os.getpid())[1], processes=4))
    assert len(set(found.values())) == 4
    assert os.getpid() not in found.values()


@BOTH
def test_what_is_started_is_told(processes: int) -> None:
    told: list[int] = []
    for task, _ in spread(TASKS, lambda task, _: None, processes=processes, started=told.append):
        assert task in told
    assert sorted(told) == sorted(TASKS)


@BOTH
def test_no_tasks_at_all(processes: int) -> None:
    assert list(spread({}, lambda task, _: task, processes=processes)) == []


@BOTH
@pytest.mark.parametrize("error", [BadInput("not so"), EngineDisagreement("two say two"), ValueError("a fault")])
def test_an_error_of_a_task_is_raised_here_with_its_notes(processes: int, error: Exception) -> None:
    def work(task: int, _: object) -> int:
        if task == 3:
            error.add_note("T.3")
            raise error
        return task

    with pytest.raises(type(error), match=str(error)) as raised:
        list(spread(TASKS, work, processes=processes))
    assert "T.3" in raised.value.__notes__


def test_a_process_that_dies_is_noticed() -> None:
    def work(task: int, _: object) -> int:
        if task == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    with pytest.raises(RuntimeError, match="the process at work on 2 ended with -9"):
        list(spread(TASKS, work, processes=2))


def test_whoever_stops_listening_ends_the_processes() -> None:
    tasks = spread(dict.fromkeys(range(20), ()), lambda task, _: time.sleep(30 if task else 0), processes=2)
    assert next(tasks)[0] == 0
    tasks.close()


def test_ctrl_c_ends_the_processes_at_once() -> None:
    """The terminal sends it to every process; this one ends the others."""
    started = time.perf_counter()

    def at_work(task: int) -> None:
        if task == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(spread(dict.fromkeys(range(4), ()), lambda task, _: time.sleep(30), processes=2, started=at_work))
    assert time.perf_counter() - started < 20


def test_a_process_outlives_ctrl_c_but_not_its_parent(tmp_path: Path) -> None:
    """Killed without warning, the parent leaves nobody behind that waits for it."""
    child = os.fork()
    if child == 0:
        tasks = spread(dict.fromkeys(range(4), ()), lambda task, _: os.getpid(), processes=2)
        pids = [str(next(tasks)[1]) for _ in range(2)]
        (tmp_path / "pids.part").write_text(" ".join(pids), encoding="utf-8")
        os.rename(tmp_path / "pids.part", tmp_path / "pids")
        time.sleep(60)
        os._exit(0)
    while not (tmp_path / "pids").exists():
        time.sleep(0.01)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text(encoding="utf-8").split()]
    for pid in set(pids):
        os.kill(pid, signal.SIGINT)
    time.sleep(0.1)
    assert all(map(is_there, pids))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    until = time.perf_counter() + 10
    while any(map(is_there, pids)) and time.perf_counter() < until:
        time.sleep(0.02)
    assert not any(map(is_there, pids))


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked for yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def test_how_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 4)
    assert [processes_for(n) for n in (0, 1, 9, 19, 20, 39, 1000)] == [1, 1, 1, 1, 2, 3, 4]
    assert [processes_for(n, jobs=8) for n in (0, 1, 3, 100)] == [1, 1, 3, 8]
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    assert processes_for(1000) == 1
    counts = [processes_for(n) for n in range(100)]
    assert all(a <= b for a, b in pairwise(counts))
