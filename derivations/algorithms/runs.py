"""A run in a folder: what made it, what was measured and written on the way, and what was trained.

run.json                what made the run, what is known of the world, dates, and how it ended; written whole
settings.toml           its settings, for another run with --config
metrics.jsonl           one JSON object before the first update and one after each
samples.jsonl           a few responses as text, before the first update, at each checkpoint and at the end
checkpoint.safetensors  where the run stood, until it is finished; written whole
model.safetensors       the weights at the end
tensorboard/            the metrics as events, where TensorBoard is installed

A run that was killed is taken up at its checkpoint. What stands in the files of lines behind that is taken away and
written again, so that metrics, samples and weights end as those of a run that was never killed, byte for byte. Dates and
events have the hour in them, and do not.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING, Any

import torch

import toy_envs
from derivations.algorithms.checkpoints import Checkpoint, load_checkpoint, save_checkpoint, save_policy, take_up
from derivations.algorithms.configuration import as_toml
from derivations.algorithms.data_parallel import group
from derivations.algorithms.devices import one_thread
from derivations.algorithms.evaluation import Exact
from derivations.algorithms.journal import Journal, Mark, kept
from derivations.algorithms.samples import samples
from derivations.algorithms.settings import Settings
from derivations.algorithms.signals import put_off
from derivations.algorithms.stage import Diverged, Metrics, Stage
from derivations.algorithms.stages import MODEL, reference_file, stage_for, weights_at
from derivations.algorithms.trainer import Trainer
from derivations.files import half_written, hash_of, naming, write_whole
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

PACKAGES = ("derivations", "torch", "numpy", "gymnasium", "safetensors")

STORY, SETTINGS, METRICS, SAMPLES = "run.json", "settings.toml", "metrics.jsonl", "samples.jsonl"
CHECKPOINT, EVENTS = "checkpoint.safetensors", "tensorboard"
WHOLE = (STORY, SETTINGS, METRICS, SAMPLES, CHECKPOINT, MODEL)
"""The files that are written beside their place first."""

FINISHED = "finished"

MADE_BY = ("env", "settings", "device", "processes", "reference", "reward_model", "code", "versions")
"""What of run.json decides each number of a run."""

TABLES = ("settings", "versions")
NAMED_BY_HASH = ("settings.reference", "settings.reward_model")
"""Settings that name a file: what is in it counts, not where it is."""


class Stopped(KeyboardInterrupt):
    """A signal has stopped a run after an update, and the run can be taken up there."""

    def __init__(self, signal: Signals, update: int) -> None:
        super().__init__(f"stopped by {signal.name} after update {update}")
        self.signal, self.update = signal, update


# --- a run ----------------------------------------------------------------------------------------------------------


def train(
    mdp: TokenMDP,
    settings: Settings,
    folder: Path,
    device: torch.device,
    watch: Callable[[Metrics], None] | None = None,
    *,
    resume: bool = False,
) -> Metrics:
    """Trains what the settings say and writes the run into `folder`, which is new or empty; or takes up the run there.

    `watch` is called with each step's metrics. Returns the last ones. With `resume` a run that was begun goes on from
    its checkpoint, one that is finished is left as it is, and an empty folder gets a new run. SIGINT and SIGTERM are
    waited with until the end of the update: then Stopped is raised, behind a checkpoint. Of several processes that
    train together the first one writes, and `folder` has to be one that all of them see.

    Raises BadInput where the folder is not empty, or with `resume` holds no run, a run that was made otherwise, or one
    whose files were changed; where another process writes into it; and where the world lacks what the algorithm needs.
    Raises Diverged, its message naming the step, and OSError, naming the file, where something cannot be written; all
    that was there is kept, and run.json says how it ended where that can be written.
    """
    new_folder(folder, resume=resume)
    made = what_made_it(mdp, settings, device)
    among = group()
    with one_thread(), nullcontext() if among.rank else _alone_in(folder), put_off() as signals:
        before = story_of(folder)
        if before is not None:
            _check_same(folder, before, made)
            if before["status"] == FINISHED:
                return _last(folder / METRICS, (folder / METRICS).read_bytes())
        stage = stage_for(mdp, settings, device)
        with closing((Onlooker if among.rank else Record)(folder, stage, made, before)) as record:
            among.any(False)  # every process has read the folder before one of them writes into it
            record.begin()
            latest = record.latest
            try:
                for latest in stage.run():
                    record.add(latest)
                    if watch is not None:
                        watch(latest)
                    stop = among.any(bool(signals))
                    record.keep_place(at_once=stop)
                    if stop and stage.updates_done < settings.updates:
                        raise Stopped(signals[0] if signals else Signals.SIGTERM, stage.updates_done)
            except Diverged as error:
                record.tell(f"diverged: {error}")
                raise
            except KeyboardInterrupt as error:
                record.tell(str(error) or f"interrupted after update {latest.get('update', 0)}")
                raise
            record.finish()
            among.any(False)  # the run is finished for all at once
            if signals:  # too late for this run, and whoever called it is to hear of it
                raise Stopped(signals[0], stage.updates_done)
    return latest


class Record:
    """The folder of a run while it goes on.

    Parameters: `stage` before its first update; what `made` the run; the story of it that the folder holds already, or
    None. Nothing is changed before `begin`. Raises BadInput where the folder does not hold what its checkpoint knows.
    """

    def __init__(self, folder: Path, stage: Stage, made: dict[str, Any], before: dict[str, Any] | None) -> None:
        self.folder, self.stage, self.made = folder, stage, made
        marks: dict[str, Mark] = {}
        place = folder / CHECKPOINT
        if place.exists():
            checkpoint = load_checkpoint(place)
            _check_same(place, checkpoint.made, made)
            take_up(stage, checkpoint, place)
            marks = checkpoint.marks
        self._before = {name: kept(folder / name, marks.get(name, Mark())) for name in (METRICS, SAMPLES)}
        self.latest = _last(folder / METRICS, self._before[METRICS]) if self._before[METRICS] else {}
        """The last metrics that the checkpoint knows; none before the first update."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if before is None:
            self.story = {**made, "world": what_is_known(stage), "started": now, "resumed": []}
        else:
            self.story = {**before, "resumed": [*before["resumed"], {"date": now, "after": stage.updates_done}]}
        self._journals: dict[str, Journal] = {}
        self._events: SummaryWriter | None = None

    def begin(self) -> None:
        """Writes what made the run, and takes away what came after the checkpoint."""
        for path in half_written(self.folder, WHOLE):
            path.unlink()
        self.tell("running")
        write_whole(self.folder / SETTINGS, as_toml(self.stage.settings).encode())
        for name, before in self._before.items():
            self._journals[name] = Journal(self.folder / name, before)
        with naming(self.folder / EVENTS):
            self._events = events(self.folder / EVENTS, self.stage.updates_done + 1 if self.latest else 0)

    def add(self, metrics: Metrics) -> None:
        """The metrics of an update, and now and then what the policy writes."""
        self._journals[METRICS].add([metrics])
        if self._due or self.stage.updates_done == self.stage.settings.updates:
            self._journals[SAMPLES].add(samples(self.stage))
        if self._events is not None:
            with naming(self.folder / EVENTS):
                for name, value in metrics.items():
                    if name != "update":
                        self._events.add_scalar(name, value, self.stage.updates_done)

    def keep_place(self, *, at_once: bool = False) -> None:
        """A checkpoint where one is due; at the beginning and at the end there is nothing to take up."""
        if (self._due or at_once) and 0 < self.stage.updates_done < self.stage.settings.updates:
            if self._events is not None:
                with naming(self.folder / EVENTS):
                    self._events.flush()
            marks = {name: journal.mark() for name, journal in self._journals.items()}
            save_checkpoint(self.folder / CHECKPOINT, Checkpoint(self.stage.state(), self.made, marks))

    def finish(self) -> None:
        """What was trained."""
        for journal in self._journals.values():
            journal.mark()
        kind = "reward" if self.stage.settings.algorithm == "reward" else "policy"
        save_policy(self.folder / MODEL, self.stage.model, kind)
        self.tell(FINISHED)
        (self.folder / CHECKPOINT).unlink(missing_ok=True)

    def tell(self, status: str) -> None:
        """How the run stands."""
        text = json.dumps({**self.story, "status": status}, indent=2, ensure_ascii=False)
        write_whole(self.folder / STORY, f"{text}\n".encode())

    def close(self) -> None:
        """Nothing is written after that."""
        for journal in self._journals.values():
            journal.close()
        if self._events is not None:
            with suppress(OSError):  # events are flushed with each checkpoint, and what fails there is heard of
                self._events.close()

    @property
    def _due(self) -> bool:
        return self.stage.updates_done % self.stage.settings.checkpoint_every == 0


class Onlooker(Record):
    """The folder of a run as a process sees it that is not the first one of the run: read, and never written into."""

    def begin(self) -> None:
        """The first process does it; this and what follows likewise."""

    def add(self, metrics: Metrics) -> None:
        """Nothing."""

    def keep_place(self, *, at_once: bool = False) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def tell(self, status: str) -> None:
        """Nothing."""


def events(folder: Path, first: int) -> SummaryWriter | None:
    """Where TensorBoard reads the metrics, from a step on; what it had from there on it forgets. None where not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=first)


# --- its folder -----------------------------------------------------------------------------------------------------


def new_folder(path: Path, *, resume: bool = False) -> Path:
    """Makes the folder of a run. Raises BadInput where something is in the way: no run writes over another.

    With `resume` a run may be there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        there = {found.name for found in path.iterdir()}
        if resume and STORY not in there:
            there -= {found.name for found in half_written(path, WHOLE)}
    except OSError as error:
        raise BadInput(f"out: {path} cannot be a folder for the run: {error.strerror or error}") from error
    if there and not resume:
        also = ", or --resume to go on with the run that is there" if STORY in there else ""
        raise BadInput(f"out: {path} is not empty; expected a new or an empty folder{also}")
    if there and STORY not in there:
        raise BadInput(f"out: {path} is not the folder of a run, it has no {STORY}; expected one, or an empty folder")
    return path


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a folder, as long as this one lives. Raises BadInput where another is in it."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(f"out: another process writes its run into {folder}; expected that it has ended") from error
        except OSError:
            pass  # some network file systems have no locks
        yield
    finally:
        os.close(descriptor)


def story_of(folder: Path) -> dict[str, Any] | None:
    """What run.json says; None where there is none. Raises BadInput where that is not the story of a run."""
    path = folder / STORY
    if not path.exists():
        return None
    try:
        story = json.loads(path.read_text(encoding="utf-8"))
        missing = {*MADE_BY, "status", "resumed"} - story.keys()
    except (ValueError, AttributeError) as error:
        raise BadInput(f"{path} is not the story of a run: {error}; expected that of a run of this package") from error
    if missing:
        raise BadInput(f"{path} is not the story of a run: it has no {min(missing)!r}; expected one of this package")
    found: dict[str, Any] = story
    return found


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a run that came to its end."""
    story = story_of(folder)
    return story is not None and story["status"] == FINISHED


def _last(path: Path, lines: bytes) -> Metrics:
    """The last of the metrics in a file. Raises BadInput where it does not end with any."""
    try:
        found: Metrics = dict(json.loads(lines.splitlines()[-1]))
    except (IndexError, TypeError, ValueError) as error:
        raise BadInput(f"{path} does not end with the metrics of a step: {error}; expected those of the run") from error
    return found


def _check_same(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raises BadInput, with all that differs, where what made a run is not what would make it now."""
    there, here = _flat(found), _flat(wanted)
    apart = [
        f"{name} is {there.get(name)!r} there and {here.get(name)!r} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    if apart:
        raise BadInput(f"out: {path} is of another run: {'; '.join(apart)}; expected the same, or another folder")


def _flat(made: dict[str, Any]) -> dict[str, Any]:
    """What made a run, by name; that of a table within it as table.name."""
    flat = {name: made[name] for name in MADE_BY if name not in TABLES}
    for table in TABLES:
        flat |= {f"{table}.{name}": part for name, part in made[table].items()}
    return {name: part for name, part in flat.items() if name not in NAMED_BY_HASH}


# --- what made it ---------------------------------------------------------------------------------------------------


def what_made_it(mdp: TokenMDP, settings: Settings, device: torch.device) -> dict[str, Any]:
    """All that each number of a run depends on."""
    return {
        "env": mdp.name,
        "settings": asdict(settings),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processes": group().size,
        "reference": _hash_of(reference_file(mdp, settings)),
        "reward_model": _hash_of(weights_at(settings.reward_model) if settings.reward_model else None),
        "code": code_hash(),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
    }


def _hash_of(path: Path | None) -> str | None:
    """The SHA-256 of a file; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else None


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
    """The SHA-256 of the source files that a run executes, and of the tables that a world reads, names and all."""
    roots = (Path(__file__).parent, Path(toy_envs.__file__ or "").parent)
    return hash_of(
        (path.relative_to(root.parent).as_posix(), path)
        for root in roots
        for kind in ("*.py", "*.csv")
        for path in sorted(root.rglob(kind))
    )
