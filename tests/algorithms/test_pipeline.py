"""The pipeline: each part starts from those before it, what was stopped is taken up, what is finished stays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from small_worlds import ENDING, PAIRED

from derivations.algorithms import runs
from derivations.algorithms.pipeline import POLICIES, Watch, parts, pipeline
from derivations.algorithms.settings import DEFAULTS, WORLDS, Settings
from derivations.algorithms.stage import Metrics
from derivations.algorithms.stages import MODEL
from derivations.cli import main
from toy_envs import NAMES
from toy_envs.errors import BadInput

CPU = torch.device("cpu")


@contextmanager
def unwatched(settings: Settings) -> Iterator[Watch]:
    yield lambda metrics: None


def small(folder: Path) -> dict[str, Settings]:
    """All parts, short."""
    return {name: replace(part, updates=2, episodes=8) for name, part in parts(PAIRED, POLICIES, folder).items()}


def metrics(folder: Path) -> list[Metrics]:
    return [json.loads(line) for line in (folder / runs.METRICS).read_text(encoding="utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    """What is to be equal of two runs."""
    return {
        f"{run.name}/{name}": (run / name).read_bytes()
        for run in folder.iterdir()
        for name in (runs.METRICS, runs.SAMPLES, MODEL)
    }


def test_each_policy_starts_from_the_fitted_one_and_is_judged_by_the_learned_reward(tmp_path: Path) -> None:
    last = dict(pipeline(PAIRED, small(tmp_path), tmp_path, CPU, unwatched))
    assert list(last) == ["sft", "reward", *POLICIES]
    fitted, learned = (hashlib.sha256((tmp_path / name / MODEL).read_bytes()).hexdigest() for name in ("sft", "reward"))
    for name in POLICIES:
        story = json.loads((tmp_path / name / runs.STORY).read_text(encoding="utf-8"))
        assert (story["reference"], story["reward_model"]) == (fitted, learned)
        before, *_, after = metrics(tmp_path / name)
        assert before["kl"] == pytest.approx(0, abs=1e-6)
        assert after == last[name] and after["kl"] > 1e-4
        assert after["score"] != pytest.approx(after["true_score"], abs=1e-3)


def test_what_was_stopped_is_taken_up(tmp_path: Path) -> None:
    """Interrupted within the third part, and then behind it: the end is that of a pipeline that ran through."""
    through, stopped = tmp_path / "through", tmp_path / "stopped"
    list(pipeline(PAIRED, small(through), through, CPU, unwatched))

    @contextmanager
    def interrupting(settings: Settings) -> Iterator[Watch]:
        def watch(told: Metrics) -> None:
            if settings.algorithm == "reinforce" and told["update"] == 1:
                raise KeyboardInterrupt

        yield watch

    with pytest.raises(KeyboardInterrupt):
        list(pipeline(PAIRED, small(stopped), stopped, CPU, interrupting))
    assert not (stopped / "cpi").exists()
    going_on = pipeline(PAIRED, small(stopped), stopped, CPU, unwatched, resume=True)
    for name, _ in going_on:
        if name == "cpi":
            going_on.close()
    written = (stopped / "sft" / runs.STORY).stat().st_mtime_ns
    list(pipeline(PAIRED, small(stopped), stopped, CPU, unwatched, resume=True))
    assert contents(stopped) == contents(through)
    assert (stopped / "sft" / runs.STORY).stat().st_mtime_ns == written


def test_what_it_cannot_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="algorithm is 'sft'; expected some of reinforce, cpi"):
        parts(PAIRED, ["sft"], tmp_path)
    with pytest.raises(BadInput, match="env: ending lacks demonstrations or pairs"):
        parts(ENDING, ["ppo"], tmp_path)
    (tmp_path / "precious").touch()
    with pytest.raises(BadInput, match="is not empty; expected a new or an empty folder, or --resume to go on"):
        list(pipeline(PAIRED, small(tmp_path), tmp_path, CPU, unwatched))


def test_the_command_tells_the_end_of_each_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORLDS, NAMES.name, {})
    for name in DEFAULTS:
        monkeypatch.setitem(DEFAULTS, name, {"updates": 1, "episodes": 16})
    given = ["pipeline", "--out", str(tmp_path / "all"), "--algorithm", "ppo", "--algorithm", "trpo-penalty"]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 0, result.output
    heads = [line.split(",")[0] for line in result.stdout.splitlines()]
    assert heads[:4] == [f"{name} on toy_envs/Names-v0" for name in ("sft", "reward", "ppo", "trpo_penalty")]
    assert "true score" in result.stdout.splitlines()[2] and "KL in nats" in result.stdout.splitlines()[2]
    again = CliRunner().invoke(main, given)
    assert again.exit_code == 2 and "is not empty" in again.stderr
    assert CliRunner().invoke(main, [*given, "--resume"]).stdout == result.stdout
