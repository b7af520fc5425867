"""Tasks spread over the cores of this machine, or over the workers of a cluster, by the same call."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any, TypeVar

from toy_envs.errors import BadInput

Task = TypeVar("Task")
Answer = TypeVar("Answer")

PATIENCE = 10  # seconds for a scheduler to answer, and for its first worker


class WorkerLost(RuntimeError):
    """A process that was at work is gone; what the others gave is there."""


def spread(
    work: Callable[[Task], Answer], tasks: Sequence[Task], *, jobs: int | None = None, scheduler: str | None = None
) -> Generator[Answer, None, None]:
    """work(task) of every task, each answer as it comes, once.

    Parameters: `work` a function that another process can import; `jobs` how many processes, else one a core; `scheduler`
    the address of a dask scheduler, whose workers then do the work: a task of a worker that dies is done by another one.
    An error of a task ends everything. Raises BadInput where no scheduler answers, or it has no worker; WorkerLost where
    a process was ended from outside.
    """
    if jobs is not None and jobs < 1:
        raise BadInput(f"jobs is {jobs}; expected at least 1")
    if jobs is not None and scheduler is not None:
        raise BadInput(f"jobs is {jobs}; expected none with a scheduler, which knows its workers")
    return _spread(work, tasks, jobs, scheduler) if tasks else _nothing()


def _nothing() -> Generator[Any, None, None]:
    yield from ()


def _spread(
    work: Callable[[Task], Answer], tasks: Sequence[Task], jobs: int | None, scheduler: str | None
) -> Generator[Answer, None, None]:
    from joblib import Parallel, delayed, parallel_config

    # A batch of several would come back at once, and be lost together.
    as_they_come: dict[str, Any] = {"return_as": "generator_unordered", "batch_size": 1}
    with ExitStack() as opened, _in_words(scheduler):
        if scheduler is None:
            with parallel_config(backend="loky", inner_max_num_threads=1):
                parallel = Parallel(n_jobs=-1 if jobs is None else jobs, **as_they_come)
        else:
            client = opened.enter_context(closing(_client(scheduler)))
            with parallel_config(backend="dask", client=client, wait_for_workers_timeout=PATIENCE):
                # All are handed in at once: workers that join later find something to do.
                parallel = Parallel(pre_dispatch="all", **as_they_come)
        yield from opened.enter_context(closing(parallel(delayed(work)(task) for task in tasks)))


def _client(scheduler: str) -> Any:
    from distributed import Client

    try:
        return Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"scheduler is {scheduler!r}; expected the address of a dask scheduler that runs, such as "
            f"tcp://127.0.0.1:8786 ({error})"
        ) from error


@contextmanager
def _in_words(scheduler: str | None) -> Iterator[None]:
    """What the libraries say when a worker is missing, in our words."""
    try:
        yield
    except TimeoutError as error:
        raise BadInput(
            f"scheduler {scheduler} has no worker after {PATIENCE} seconds; expected one, started by: "
            f"dask worker {scheduler} --nthreads 1"
        ) from error
    except Exception as error:
        if type(error).__name__ not in ("TerminatedWorkerError", "KilledWorker"):
            raise
        raise WorkerLost("a process that was at work is gone, perhaps for want of memory") from error
