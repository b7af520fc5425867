"""A run that was killed, or could not write, goes on to the same end; a folder that is of another run is refused."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_worlds import ENDING, policy_for

from derivations.algorithms import checkpoints, runs
from derivations.algorithms.checkpoints import load_checkpoint, save_policy
from derivations.algorithms.configuration import as_toml, read_settings
from derivations.algorithms.runs import CHECKPOINT, EVENTS, METRICS, MODEL, SAMPLES, SETTINGS, STORY, Stopped, train
from derivations.algorithms.settings import DEFAULTS, Settings, settings_for
from derivations.algorithms.stage import Diverged, Metrics
from toy_envs.errors import BadInput
from toy_envs.token_mdp import Pair, TokenMDP, Tokens

CPU = torch.device("cpu")
UPDATES = 5
ANSWERS: tuple[Tokens, ...] = ((0, 2), (1, 0, 2), (2,), (1, 1, 1))


def shown(generator: np.random.Generator, count: int) -> list[tuple[Tokens, Tokens]]:
    return [((0, 1), ANSWERS[at]) for at in generator.integers(len(ANSWERS), size=count)]


def paired(generator: np.random.Generator, count: int) -> list[Pair]:
    return [((1, 1), ANSWERS[at], ANSWERS[at - 1]) for at in generator.integers(len(ANSWERS), size=count)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TokenMDP:
    """The world ENDING with all that any algorithm wants."""
    reference = tmp_path_factory.mktemp("world") / "ending.safetensors"
    save_policy(reference, policy_for(ENDING, 8, torch.float32))
    return replace(
        ENDING, reference=reference, demonstrations=shown, pairs=paired, true_reward=lambda x, y: float(len(y))
    )


@pytest.fixture
def no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where TensorBoard is not installed."""
    monkeypatch.setattr(runs, "events", lambda *given: None)


def short(algorithm: str = "ppo", **given: float | str) -> Settings:
    wanted = {"updates": UPDATES, "episodes": 8, "epochs": 1, "minibatches": 2, "checkpoint_every": 2}
    return settings_for(algorithm, **{**wanted, **given})  # type: ignore[arg-type]


def end_of(folder: Path) -> dict[str, object]:
    """All of a finished run that is not the hour: of run.json what is not a date, and each other file whole."""
    assert {path.name for path in folder.iterdir()} - {EVENTS} == {STORY, SETTINGS, METRICS, SAMPLES, MODEL}
    story = json.loads((folder / STORY).read_text(encoding="utf-8"))
    del story["started"], story["resumed"]
    assert story["status"] == "finished"
    files: dict[str, object] = {name: (folder / name).read_bytes() for name in (SETTINGS, METRICS, SAMPLES, MODEL)}
    return {**files, STORY: story}


def status_of(folder: Path) -> str:
    return str(json.loads((folder / STORY).read_text(encoding="utf-8"))["status"])


def updates_in(path: Path) -> list[int]:
    return [json.loads(line)["update"] for line in path.read_text(encoding="utf-8").splitlines()]


def at(update: int, action: Callable[[], object]) -> Callable[[Metrics], None]:
    """Does something after an update, when its metrics are written."""

    def watch(metrics: Metrics) -> None:
        if metrics["update"] == update:
            action()

    return watch


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def stopped(world: TokenMDP, settings: Settings, folder: Path, update: int = 3) -> None:
    """A run that SIGTERM has stopped after an update."""
    with pytest.raises(Stopped, match=f"stopped by SIGTERM after update {update}"):
        train(world, settings, folder, CPU, at(update, send(signal.SIGTERM)))


# --- stopped ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_events")
@pytest.mark.parametrize("algorithm", DEFAULTS)
def test_a_stopped_run_of_each_algorithm_goes_on_to_the_same_end(
    algorithm: str, world: TokenMDP, tmp_path: Path
) -> None:
    settings = short(algorithm, target_divergence=0.001 if algorithm == "trpo_penalty" else 0.0)
    last = train(world, settings, tmp_path / "whole", CPU)
    stopped(world, settings, tmp_path / "cut")
    assert status_of(tmp_path / "cut") == "stopped by SIGTERM after update 3"
    assert updates_in(tmp_path / "cut" / METRICS) == [0, 1, 2, 3]
    torch.rand(1), np.random.rand(1)  # a run has generators of its own
    watched: list[Metrics] = []
    assert train(world, settings, tmp_path / "cut", CPU, watched.append, resume=True) == last
    assert [told["update"] for told in watched] == [4, 5]
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


@pytest.mark.usefixtures("no_events")
@pytest.mark.parametrize("update", [0, UPDATES])
def test_a_run_can_be_stopped_before_its_first_update_and_after_its_last(
    update: int, world: TokenMDP, tmp_path: Path
) -> None:
    train(world, short(), tmp_path / "whole", CPU)
    stopped(world, short(), tmp_path / "cut", update)
    train(world, short(), tmp_path / "cut", CPU, resume=True)
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


@pytest.mark.usefixtures("no_events")
def test_a_second_interrupt_does_not_wait_and_the_run_goes_on_from_its_last_checkpoint(
    world: TokenMDP, tmp_path: Path
) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    train(world, short(), tmp_path / "whole", CPU)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        train(world, short(), tmp_path / "cut", CPU, at(3, twice))
    assert not isinstance(interrupt.value, Stopped)
    assert status_of(tmp_path / "cut") == "interrupted after update 3"
    assert load_checkpoint(tmp_path / "cut" / CHECKPOINT).state.facts["updates_done"] == 2
    watched: list[Metrics] = []
    train(world, short(), tmp_path / "cut", CPU, watched.append, resume=True)
    assert [told["update"] for told in watched] == [3, 4, 5]
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


@pytest.mark.usefixtures("no_events")
def test_signals_do_after_a_run_what_they_did_before_it(world: TokenMDP, tmp_path: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        before = signal.getsignal(signal.SIGINT)
        train(world, short(), tmp_path, CPU, at(2, send(signal.SIGTERM)))  # which was to be ignored
        assert signal.getsignal(signal.SIGINT) is before
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert status_of(tmp_path) == "finished"


@pytest.mark.usefixtures("no_events")
def test_outside_the_main_thread_a_run_takes_no_signals(world: TokenMDP, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    watched: list[object] = []
    watch = at(2, lambda: watched.append(signal.getsignal(signal.SIGTERM)))
    thread = threading.Thread(target=lambda: watched.append(train(world, short(), tmp_path, CPU, watch)["update"]))
    thread.start()
    thread.join()
    assert watched == [before, UPDATES]


@pytest.mark.usefixtures("no_events")
def test_a_run_that_diverges_diverges_again_where_it_did(world: TokenMDP, tmp_path: Path) -> None:
    settings = short("reinforce", learning_rate=1e30, minibatches=1, checkpoint_every=1)
    found = []
    for resume in (False, True):
        with pytest.raises(Diverged, match="update 1") as error:
            train(world, settings, tmp_path, CPU, resume=resume)
        found.append((str(error.value), status_of(tmp_path), (tmp_path / METRICS).read_bytes()))
    assert found[0] == found[1]


# --- killed -----------------------------------------------------------------------------------------------------------


def killed(action: Callable[[], object]) -> bool:
    """Whether a process of its own was killed by SIGKILL in an action."""
    child = os.fork()
    if not child:
        with suppress(BaseException):
            action()
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


KILLS = np.random.default_rng(7).integers(1, 13, size=20).tolist()


@pytest.fixture(scope="module")
def whole(world: TokenMDP, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The end of a run of twelve updates that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    train(world, short(updates=12, checkpoint_every=3), folder, CPU)
    return end_of(folder)


@pytest.mark.parametrize("kill", range(len(KILLS)))
def test_a_killed_run_goes_on_to_the_same_end(
    kill: int, world: TokenMDP, whole: dict[str, object], tmp_path: Path
) -> None:
    settings = short(updates=12, checkpoint_every=3)
    watch = at(KILLS[kill], send(signal.SIGKILL))
    assert killed(lambda: train(world, settings, tmp_path, CPU, watch))
    assert status_of(tmp_path) == "running"
    train(world, settings, tmp_path, CPU, resume=True)
    assert end_of(tmp_path) == whole


@pytest.mark.usefixtures("no_events")
def test_a_run_that_is_killed_again_and_again_comes_to_the_same_end(world: TokenMDP, tmp_path: Path) -> None:
    settings = short(checkpoint_every=1)
    train(world, settings, tmp_path / "whole", CPU)
    for update in range(UPDATES + 1):
        watch = at(update, send(signal.SIGKILL))
        assert killed(lambda watch=watch: train(world, settings, tmp_path / "cut", CPU, watch, resume=True))  # type: ignore[misc]
    train(world, settings, tmp_path / "cut", CPU, resume=True)
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


# --- faults -----------------------------------------------------------------------------------------------------------

CALLS = ("write", "fsync", "replace", "unlink", "ftruncate")
"""All by which a run changes a file that it has opened: nothing of it is buffered, so there is no flush to fail."""


class Faults:
    """Counts the calls of the system; the one of number `fatal` does half of its work, if it can, and then `happens`."""

    def __init__(self, patch: pytest.MonkeyPatch, fatal: int, happens: Callable[[], None]) -> None:
        self.fatal, self.happens, self.calls = fatal, happens, list[str]()
        for name in CALLS:
            patch.setattr(os, name, self.counted(name, getattr(os, name)))

    def counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) == self.fatal:
                if name == "write":
                    call(given[0], given[1][: len(given[1]) // 2])
                self.happens()
            return call(*given, **named)

        return counting


def full_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def calls_of(world: TokenMDP, settings: Settings, folder: Path) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        faults = Faults(patch, 0, full_disk)
        train(world, settings, folder, CPU)
    return faults.calls


def check_nothing_is_damaged(folder: Path) -> None:
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    for name in (METRICS, SAMPLES):
        lines = (folder / name).read_bytes() if (folder / name).exists() else b""
        assert lines == b"" or lines.endswith(b"}\n")
    if (folder / CHECKPOINT).exists():
        load_checkpoint(folder / CHECKPOINT)
    if (folder / STORY).exists():
        status_of(folder)


@pytest.mark.usefixtures("no_events")
def test_a_disk_that_is_full_at_any_call_leaves_a_run_that_goes_on_to_the_same_end(
    world: TokenMDP, tmp_path: Path
) -> None:
    settings = short("sft", updates=3, checkpoint_every=1)
    calls = calls_of(world, settings, tmp_path / "whole")
    assert {name: calls.count(name) for name in CALLS[:3]} == {"write": 14, "fsync": 14, "replace": 8}
    whole = end_of(tmp_path / "whole")
    for fatal, name in enumerate(calls, 1):
        folder = tmp_path / f"{fatal}"
        with pytest.MonkeyPatch.context() as patch:
            Faults(patch, fatal, full_disk)
            if name == "unlink":  # of what was not left behind, or of a checkpoint that is no longer needed
                with suppress(OSError):
                    train(world, settings, folder, CPU)
            else:
                with pytest.raises(OSError, match=f"No space left on device: '{folder}/"):
                    train(world, settings, folder, CPU)
        check_nothing_is_damaged(folder)
        train(world, settings, folder, CPU, resume=True)
        (folder / CHECKPOINT).unlink(missing_ok=True)  # where its removal was what failed
        assert end_of(folder) == whole, (fatal, name)


@pytest.mark.usefixtures("no_events")
def test_a_run_that_is_killed_at_any_call_goes_on_to_the_same_end(world: TokenMDP, tmp_path: Path) -> None:
    """SIGKILL in the midst of a write, so that a line ends half-way, and a file beside its place is left behind."""
    settings = short("sft", updates=3, checkpoint_every=1)
    calls = calls_of(world, settings, tmp_path / "whole")
    whole = end_of(tmp_path / "whole")

    def with_a_kill(fatal: int, folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            Faults(patch, fatal, send(signal.SIGKILL))
            train(world, settings, folder, CPU)

    left, half = 0, 0
    for fatal in range(1, len(calls) + 1):
        folder = tmp_path / f"{fatal}"
        assert killed(lambda fatal=fatal, folder=folder: with_a_kill(fatal, folder))  # type: ignore[misc]
        left += any(path.name.startswith(".") for path in folder.iterdir())
        half += any(path.read_bytes()[-1:] not in (b"", b"\n") for path in folder.glob("*.jsonl"))
        train(world, settings, folder, CPU, resume=True)
        (folder / CHECKPOINT).unlink(missing_ok=True)
        assert end_of(folder) == whole, (fatal, calls[fatal - 1])
    assert left > 10 and half > 3  # else nothing was to be mended


@pytest.mark.usefixtures("no_events")
def test_a_disk_that_is_full_when_a_run_is_taken_up_leaves_it_as_it_was(world: TokenMDP, tmp_path: Path) -> None:
    train(world, short(), tmp_path / "whole", CPU)
    stopped(world, short(), tmp_path / "cut")
    place = (tmp_path / "cut" / CHECKPOINT).read_bytes()
    for fatal in range(1, 9):
        with pytest.MonkeyPatch.context() as patch:
            Faults(patch, fatal, full_disk)
            with suppress(OSError):
                train(world, short(), tmp_path / "cut", CPU, at(4, full_disk), resume=True)
        check_nothing_is_damaged(tmp_path / "cut")
        assert (tmp_path / "cut" / CHECKPOINT).read_bytes() == place
    train(world, short(), tmp_path / "cut", CPU, resume=True)
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


def test_a_folder_that_cannot_be_written_is_named(
    world: TokenMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def read_only(path: Path, mode: str = "r", *given: Any, **named: Any) -> Any:
        if mode == "wb":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, mode, *given, **named)

    monkeypatch.setattr(Path, "open", read_only)
    with pytest.raises(OSError, match=f"Read-only file system: '{tmp_path}/{STORY}'"):
        train(world, short(), tmp_path, CPU)
    assert not list(tmp_path.iterdir())


# --- damage -----------------------------------------------------------------------------------------------------------


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refused(world: TokenMDP, settings: Settings, folder: Path, message: str) -> None:
    """A run that is not taken up, for a reason that is given, with all that was there left as it was."""
    before = content(folder)
    with pytest.raises(BadInput, match=message):
        train(world, settings, folder, CPU, resume=True)
    assert content(folder) == before


@pytest.mark.usefixtures("no_events")
@pytest.mark.parametrize(
    "how", ["cut", "empty", "text", "bit of a tensor", "bit of the facts", "other run", "a policy"]
)
def test_a_damaged_checkpoint_is_named_and_without_it_the_run_begins_again(
    how: str, world: TokenMDP, tmp_path: Path
) -> None:
    train(world, short(), tmp_path / "whole", CPU)
    stopped(world, short(), tmp_path / "cut")
    place = tmp_path / "cut" / CHECKPOINT
    data = bytearray(place.read_bytes())
    if how == "cut":
        del data[-100:]
    elif how == "empty":
        data.clear()
    elif how == "text":
        data[:] = b"no checkpoint at all, but long enough to be read as a header"
    elif how == "bit of a tensor":
        data[-1000] ^= 1
    elif how == "bit of the facts":
        spot = data.index(b"updates_done") + len('updates_done\\": ')
        assert data[spot : spot + 1] == b"3"
        data[spot] = ord("2")
    elif how == "other run":
        stopped(world, short(seed=1), tmp_path / "other")
        data[:] = (tmp_path / "other" / CHECKPOINT).read_bytes()
    else:
        data[:] = (tmp_path / "whole" / MODEL).read_bytes()
    place.write_bytes(data)
    message = "settings.seed is 1 there and 0 here" if how == "other run" else "is no checkpoint, or a damaged one"
    refused(world, short(), tmp_path / "cut", f"{place} .*{message}")
    place.unlink()
    train(world, short(), tmp_path / "cut", CPU, resume=True)
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


@pytest.mark.usefixtures("no_events")
def test_a_checkpoint_of_another_stage_is_named(
    world: TokenMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(world, short(), tmp_path)
    place = tmp_path / CHECKPOINT
    found = load_checkpoint(place)
    for name in ("generator", "model.place.weight"):
        fewer = {key: tensor for key, tensor in found.state.tensors.items() if key != name}
        checkpoints.save_checkpoint(place, replace(found, state=replace(found.state, tensors=fewer)))
        refused(world, short(), tmp_path, f"{place} is of another run, which cannot be taken up here: .*{name[-12:]}")


@pytest.mark.usefixtures("no_events")
@pytest.mark.parametrize("name", [METRICS, SAMPLES])
def test_a_file_that_is_cut_off_in_mid_line(name: str, world: TokenMDP, tmp_path: Path) -> None:
    """Behind the checkpoint that is mended without a word; before it nothing can replace what is lost."""
    settings = short(checkpoint_every=1)
    train(world, settings, tmp_path / "whole", CPU)
    stopped(world, settings, tmp_path / "cut")
    path = tmp_path / "cut" / name
    data = path.read_bytes()
    path.write_bytes(data[:-7])
    refused(world, settings, tmp_path / "cut", f"{path} has {len(data) - 7} bytes; expected at least the {len(data)} ")
    path.write_bytes(data.replace(b'"update": 1', b'"update": 7', 1))
    refused(world, settings, tmp_path / "cut", f"{path}: its first {len(data)} bytes are not those")
    path.write_bytes(data + b'{"update": 4, "regr')
    train(world, settings, tmp_path / "cut", CPU, resume=True)
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


# --- folders of something else ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_events")
def test_a_finished_run_is_left_as_it_is(world: TokenMDP, tmp_path: Path) -> None:
    last = train(world, short(), tmp_path, CPU)
    before = content(tmp_path)
    assert train(world, short(), tmp_path, CPU, resume=True) == last
    assert content(tmp_path) == before
    with pytest.raises(BadInput, match="is not empty; expected a new or an empty folder, or --resume to go on"):
        train(world, short(), tmp_path, CPU)


@pytest.mark.usefixtures("no_events")
@pytest.mark.parametrize("left", [b"", b'{"update": 5, "regr', b"5\n"])
def test_a_finished_run_whose_metrics_are_damaged_is_refused(left: bytes, world: TokenMDP, tmp_path: Path) -> None:
    train(world, short(), tmp_path, CPU)
    (tmp_path / METRICS).write_bytes(left)
    refused(world, short(), tmp_path, f"{METRICS} does not end with the metrics of a step")


@pytest.mark.usefixtures("no_events")
def test_a_run_that_was_made_otherwise_is_refused_with_all_that_differs(
    world: TokenMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(world, short(), tmp_path)
    other = short("cpi", learning_rate=0.1)
    refused(
        world,
        other,
        tmp_path,
        "settings.algorithm is 'ppo' there and 'cpi' here; settings.learning_rate is 0.003 there and 0.1 here; expected",
    )
    refused(replace(world, name="starting"), short(), tmp_path, "env is 'ending' there and 'starting' here")
    with monkeypatch.context() as patch:
        patch.setattr(runs, "version", lambda package: "9.9")
        refused(world, short(), tmp_path, r"versions.torch is '.*' there and '9.9' here")
    with monkeypatch.context() as patch:
        patch.setattr(runs, "code_hash", lambda: "changed")
        refused(world, short(), tmp_path, "code is '[0-9a-f]{64}' there and 'changed' here")


@pytest.mark.usefixtures("no_events")
def test_of_a_reference_policy_counts_what_is_in_it_and_not_where_it_is(world: TokenMDP, tmp_path: Path) -> None:
    assert world.reference is not None
    train(world, short(), tmp_path / "whole", CPU)
    stopped(world, short(), tmp_path / "cut")
    save_policy(tmp_path / "other.safetensors", policy_for(ENDING, 9, torch.float32))
    other = short(reference=str(tmp_path / "other.safetensors"))
    refused(world, other, tmp_path / "cut", "reference is '[0-9a-f]{64}' there and '[0-9a-f]{64}' here")
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(world.reference.read_bytes())
    train(world, short(reference=str(moved)), tmp_path / "cut", CPU, resume=True)
    found, expected = end_of(tmp_path / "cut"), end_of(tmp_path / "whole")
    assert [found[name] for name in (METRICS, SAMPLES, MODEL)] == [expected[name] for name in (METRICS, SAMPLES, MODEL)]


def test_a_folder_that_is_not_that_of_a_run_is_refused(world: TokenMDP, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    refused(world, short(), tmp_path, f"{tmp_path} is not the folder of a run, it has no run.json")
    for text, why in (('{"env": 1}', "it has no 'code'"), ("[1]", "keys"), ('{"env":', "Expecting value")):
        (tmp_path / STORY).write_text(text)
        refused(world, short(), tmp_path, f"{STORY} is not the story of a run: .*{why}")


@pytest.mark.usefixtures("no_events")
def test_two_processes_do_not_write_into_one_folder(world: TokenMDP, tmp_path: Path) -> None:
    def a_second() -> None:
        with pytest.raises(BadInput, match="another process writes its run into"):
            train(world, short(), tmp_path, CPU, resume=True)

    watched: list[int] = []
    train(world, short(), tmp_path, CPU, at(2, lambda: (a_second(), watched.append(1))))
    assert watched == [1]


def test_settings_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    other = {"int": 7, "float": 0.1 + 0.2, "float | None": 1e-20, "str": 'C:\\a "b" \n\x7f\x01 é β'}
    given = {field.name: other[str(field.type)] for field in fields(Settings)}
    given |= {"algorithm": "trpo_penalty", "kl": "loss_k3", "baseline": "leave_one_out", "most_gradient_norm": inf}
    for settings in (Settings(**given), Settings("trpo_penalty")):  # type: ignore[arg-type]
        (tmp_path / SETTINGS).write_text(as_toml(settings), encoding="utf-8")
        assert settings_for("trpo-penalty", **read_settings(tmp_path / SETTINGS, "trpo-penalty")) == settings


# --- what can be looked at on the way ---------------------------------------------------------------------------------


Scalars = dict[str, list[tuple[int, float]]]


def events_in(folder: Path) -> Scalars:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / EVENTS)).Reload()
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def scalars_in(path: Path) -> Scalars:
    found: Scalars = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        update = told.pop("update")
        for name, value in told.items():
            found.setdefault(name, []).append((update, float(np.float32(value))))
    return found


@pytest.mark.parametrize("kill", [0, 3, 4])
def test_the_events_are_the_metrics_of_a_run_that_was_killed_too(kill: int, world: TokenMDP, tmp_path: Path) -> None:
    writer = pytest.importorskip("tensorboard.summary.writer.event_file_writer")

    def doubtful() -> None:
        """What was seen behind the checkpoint, and is forgotten; killed when it is on the disk."""
        made = runs.events(tmp_path / EVENTS, kill)
        assert made is not None
        made.add_scalar("regret", 99.0, kill)
        made.close()
        os.kill(os.getpid(), signal.SIGKILL)

    def an_hour_ago() -> None:
        """Files of events are read in the order of the second in which they were begun."""
        writer.time = SimpleNamespace(time=lambda: time.time() - 3600)
        train(world, short(), tmp_path, CPU, at(kill, doubtful))

    assert killed(an_hour_ago)
    assert events_in(tmp_path)["regret"][-1] == (kill, 99)
    train(world, short(), tmp_path, CPU, resume=True)
    assert events_in(tmp_path) == scalars_in(tmp_path / METRICS)
    assert [step for step, _ in events_in(tmp_path)["regret"]] == list(range(UPDATES + 1))


def test_events_that_cannot_be_written_are_an_error_and_no_silence(
    world: TokenMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_writer = pytest.importorskip("tensorboard.summary.writer.record_writer")
    train(world, short(), tmp_path / "whole", CPU)
    with monkeypatch.context() as patch:
        patch.setattr(record_writer.RecordWriter, "flush", lambda self: full_disk())
        with pytest.raises(OSError, match=f"No space left on device: '{tmp_path / 'cut' / EVENTS}'"):
            train(world, short(), tmp_path / "cut", CPU)
    train(world, short(), tmp_path / "cut", CPU, resume=True)
    assert end_of(tmp_path / "cut") == end_of(tmp_path / "whole")


def test_without_tensorboard_there_are_no_events(
    world: TokenMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    train(world, short(), tmp_path, CPU)
    assert not (tmp_path / EVENTS).exists()


@pytest.mark.usefixtures("no_events")
def test_samples_are_read_at_each_checkpoint_and_change_nothing(world: TokenMDP, tmp_path: Path) -> None:
    train(world, short(checkpoint_every=2), tmp_path / "often", CPU)
    train(world, short(checkpoint_every=100), tmp_path / "seldom", CPU)
    for name in (METRICS, MODEL):
        assert (tmp_path / "often" / name).read_bytes() == (tmp_path / "seldom" / name).read_bytes()
    assert sorted(set(updates_in(tmp_path / "often" / SAMPLES))) == [0, 2, 4, 5]
    assert sorted(set(updates_in(tmp_path / "seldom" / SAMPLES))) == [0, 5]
    rows = [json.loads(line) for line in (tmp_path / "often" / SAMPLES).read_text(encoding="utf-8").splitlines()]
    for row in rows:
        tokens = world.encode(row["response"])
        assert row["prompt"] in ("ab", "bb")
        assert world.is_over(tokens)
        assert row["score"] == pytest.approx(world.reward(world.encode(row["prompt"]), tokens))
        assert row["true_score"] == len(tokens)
    assert len({row["response"] for row in rows}) > 3


@pytest.mark.usefixtures("no_events")
def test_a_reward_model_writes_no_responses(world: TokenMDP, tmp_path: Path) -> None:
    train(world, short("reward"), tmp_path, CPU)
    assert (tmp_path / SAMPLES).read_bytes() == b""


def test_the_same_content_is_the_same_file(world: TokenMDP) -> None:
    """The library writes the texts of a file in an order of chance."""
    tensors, told = {"a": torch.ones(3)}, {name: "text" for name in "abcdefgh"}
    files = {checkpoints.as_bytes(tensors, told) for _ in range(20)}
    assert len(files) == 1
    assert len({checkpoints.as_bytes(tensors, {name: told[name] for name in order}) for order in ("ab", "ba")}) == 1
