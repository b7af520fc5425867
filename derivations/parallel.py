"""Tasks spread over the cores: each is done by one of several processes, once those that it needs are done.

Where one process is enough there is no other: the tasks are done here, in their order. Elsewhere each process has one task
at a time and a pipe to this one, so that what it is at work on is known, and a process that dies is noticed.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Generator, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from derivations.checker.errors import DerivationsError

Task = TypeVar("Task", bound=Hashable)
Answer = TypeVar("Answer")

TASKS_EACH = 10  # a process that has less to do than this is not worth its start


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processes_for(tasks: int, jobs: int | None = None) -> int:
    """How many processes so many tasks are given: those asked for, else one a core, unless there is little to do."""
    wanted = min(cores(), tasks // TASKS_EACH) if jobs is None else min(jobs, tasks)
    return max(1, wanted)


def spread(
    tasks: Mapping[Task, Collection[Task]],
    work: Callable[[Task, Any], Answer],
    given: Callable[[Task], Any] = lambda task: None,
    *,
    processes: int,
    started: Callable[[Task], None] = lambda task: None,
) -> Generator[tuple[Task, Answer], None, None]:
    """Every task with work(task, given(task)), in the order in which they are finished.

    `tasks` are in an order in which each comes after those that it needs. `given` is asked in this process when a task
    starts, `work` may be done in another one: it is not to depend on where. An error of a task ends everything.
    """
    if processes == 1:
        return _here(tasks, work, given, started)
    # The processes are there when this returns, before anything else starts a thread, which a fork would not copy.
    return _served(_Queue(tasks), _start(work, processes), given, started)


def _here(
    tasks: Iterable[Task],
    work: Callable[[Task, Any], Answer],
    given: Callable[[Task], Any],
    started: Callable[[Task], None],
) -> Generator[tuple[Task, Answer], None, None]:
    for task in tasks:
        started(task)
        yield task, work(task, given(task))


class _Queue(Generic[Task]):
    """Tasks that wait for others."""

    def __init__(self, tasks: Mapping[Task, Collection[Task]]) -> None:
        self.waiting = {task: {other for other in needs if other in tasks} for task, needs in tasks.items()}

    def next(self) -> Task | None:
        """Takes the first task that waits for nothing."""
        task = next((task for task, needs in self.waiting.items() if not needs), None)
        if task is not None:
            del self.waiting[task]
        return task

    def done(self, task: Task) -> None:
        for needs in self.waiting.values():
            needs.discard(task)


@dataclass(eq=False)
class _Worker(Generic[Task]):
    """A process, this end of its pipe, and what it is at work on."""

    process: BaseProcess
    connection: Connection
    task: Task | None = None

    def stop(self) -> None:
        """Ends the process, whatever it is at."""
        self.connection.close()
        self.process.terminate()
        self.process.join()


def _start(work: Callable[[Any, Any], Any], number: int) -> list[_Worker[Any]]:
    # A forked process has all that is loaded here; elsewhere than on Linux system libraries do not stand it.
    forked = sys.platform == "linux"
    context: Any = multiprocessing.get_context("fork" if forked else "spawn")
    workers: list[_Worker[Any]] = []
    for _ in range(number):
        ours, theirs = context.Pipe()
        # A forked process holds the pipes of those before it, too: open there, they would never end here.
        inherited = [*(w.connection for w in workers), ours] if forked else []
        process = context.Process(target=_serve, args=(theirs, inherited, work), daemon=True)
        process.start()
        theirs.close()
        workers.append(_Worker(process, ours))
    return workers


def _serve(connection: Connection, inherited: Iterable[Connection], work: Callable[[Any, Any], Any]) -> None:
    """What a process does: task after task, until the other end of the pipe is closed."""
    # Ctrl-C is for the process that has the terminal; it ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in inherited:
        other.close()
    # What is loaded stays for as long as the process: looking for garbage in it again and again takes its time.
    gc.freeze()
    gc.set_threshold(100_000)
    with suppress(EOFError, OSError):
        while True:
            task, given = connection.recv()
            try:
                answer: tuple[bool, Any] = (True, work(task, given))
            except Exception as error:
                if not isinstance(error, DerivationsError):
                    error.add_note("".join(traceback.format_exception(error)))
                answer = (False, error)
            connection.send(answer)


def _served(
    queue: _Queue[Task],
    workers: list[_Worker[Task]],
    given: Callable[[Task], Any],
    started: Callable[[Task], None],
) -> Generator[tuple[Task, Any], None, None]:
    try:
        while True:
            for worker in workers:
                task = queue.next() if worker.task is None else None
                if task is not None:
                    started(task)
                    worker.task = task
                    worker.connection.send((task, given(task)))
            busy = {worker.connection: worker for worker in workers if worker.task is not None}
            if not busy:
                return
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                task, worker.task = worker.task, None
                assert task is not None
                answer = _received(worker, task)
                queue.done(task)
                yield task, answer
    finally:
        for worker in workers:
            worker.stop()


def _received(worker: _Worker[Any], task: object) -> Any:
    try:
        fine, answer = worker.connection.recv()
    except EOFError:
        worker.process.join()
        raise RuntimeError(f"the process at work on {task} ended with {worker.process.exitcode}") from None
    if not fine:
        raise answer
    return answer


__all__ = ["cores", "processes_for", "spread"]
