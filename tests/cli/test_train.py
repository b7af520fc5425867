"""derivations train: what it writes, what it says, and its exit statuses."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from derivations.algorithms.settings import DEFAULTS, KL_PLACEMENTS, settings_for
from derivations.algorithms.trainer import ALGORITHMS, Trainer
from derivations.cli import main
from derivations.cli.train import command

SORTING, NAMES = "toy_envs/Sorting-v0", "toy_envs/Names-v0"


def run(out: Path, *given: str, algorithm: str = "ppo", env: str = SORTING) -> Result:
    return CliRunner().invoke(main, ["train", algorithm, "--env", env, "--out", str(out), *given])


def small(tmp_path: Path, text: str = "") -> tuple[str, str]:
    """The option of a file that makes runs short."""
    path = tmp_path / "small.toml"
    path.write_text(f"updates = 2\nepisodes = 16\nminibatches = 2\nepochs = 1\nfresh = 16\n{text}", encoding="utf-8")
    return "--config", str(path)


def story(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return found


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def last_metrics(out: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return found


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_ends_with_its_regret_and_leaves_a_folder(tmp_path: Path, algorithm: str) -> None:
    out = tmp_path / "run"
    result = run(out, *small(tmp_path), "--seed", "7", algorithm=algorithm)
    assert result.exit_code == 0, result.output
    last = last_metrics(out)
    assert result.stdout.startswith(
        f"{algorithm} on {SORTING}, seed 7, 2 updates: J(π) = {last['objective']:.4f}, J(π*) = 0.77"
    )
    assert f"regret {last['regret']:.4f}, {last['regret_share']:.2%} of J(π*) − J(π_ref)" in result.stdout
    named = {"run.json", "settings.toml", "metrics.jsonl", "samples.jsonl", "model.safetensors"}
    assert {path.name for path in out.iterdir() if path.is_file()} == named
    assert result.stdout.splitlines()[-1] == (
        f"run.json, settings.toml, metrics.jsonl, samples.jsonl and model.safetensors are in {out}"
    )


def test_the_algorithms_in_the_usage_are_those_that_there_are() -> None:
    shown = ",".join(name.replace("_", "-") for name in DEFAULTS)
    assert command.params[0].metavar == f"{{{shown}}}"  # type: ignore[attr-defined]


def test_an_algorithm_may_be_named_with_either_line(tmp_path: Path) -> None:
    outs = [tmp_path / "one", tmp_path / "other"]
    for out, algorithm in zip(outs, ("trpo-penalty", "trpo_penalty"), strict=True):
        assert run(out, *small(tmp_path), algorithm=algorithm).exit_code == 0
    one, other = (files(out) for out in outs)
    assert one["metrics.jsonl"] == other["metrics.jsonl"]
    assert story(outs[0])["settings"]["algorithm"] == "trpo_penalty"


def test_the_pipeline_in_a_world_that_cannot_be_enumerated(tmp_path: Path) -> None:
    """From names to a policy: each stage takes up what the one before it left."""
    sft, reward, ppo = (tmp_path / name for name in ("sft", "reward", "ppo"))
    given = small(tmp_path)
    result = run(sft, *given, algorithm="sft", env=NAMES)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"sft on {NAMES}, seed 0, 2 updates: loss {last_metrics(sft)['loss']:.4f}\n")
    result = run(reward, *given, "--reference", str(sft), algorithm="reward", env=NAMES)
    assert result.exit_code == 0, result.output
    last = last_metrics(reward)
    assert f"2 updates: loss {last['loss']:.4f}; of the true reward {last['loss_of_truth']:.4f}\n" in result.stdout
    result = run(ppo, *given, "--reference", str(sft), "--reward-model", str(reward), "--beta", "0.25", env=NAMES)
    assert result.exit_code == 0, result.output
    last = last_metrics(ppo)
    words = (("score", "score"), ("true score", "true_score"), ("KL in nats", "kl"))
    parts = [f"{word} {last[name]:.4f} ± {last[f'{name}_error']:.4f}" for word, name in words]
    assert result.stdout.startswith(f"ppo on {NAMES}, seed 0, 2 updates: {', '.join(parts)}\n")
    told = story(ppo)
    assert told["settings"]["beta"] == told["world"]["beta"] == 0.25
    for name, out in (("reference", sft), ("reward_model", reward)):
        assert told[name] == hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    samples = [json.loads(line) for line in (ppo / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"update", "prompt", "response", "score", "true_score"} == set(samples[0])


# --- settings ---------------------------------------------------------------------------------------------------------


def test_the_penalty_stands_where_it_is_wanted(tmp_path: Path) -> None:
    kl = next(option for option in command.params if option.name == "kl")
    assert kl.metavar == "|".join(KL_PLACEMENTS)  # type: ignore[attr-defined]
    assert run(tmp_path / "run", *small(tmp_path), "--kl", "loss_exact").exit_code == 0
    assert story(tmp_path / "run")["settings"]["kl"] == "loss_exact"
    refused = run(tmp_path / "other", "--kl", "k1")
    assert refused.exit_code == 2
    assert "kl is 'k1'; expected one of reward, loss_k2, loss_k3, loss_exact" in refused.stderr


def test_the_command_line_goes_before_the_file_and_that_before_the_algorithm(tmp_path: Path) -> None:
    given = small(tmp_path, "learning_rate = 1\nseed = 4\nlam = 1\n")
    assert run(tmp_path / "run", *given, "--seed", "5", algorithm="trpo").exit_code == 0
    expected = {"seed": 5, "updates": 2, "episodes": 16, "minibatches": 2, "epochs": 1, "fresh": 16}
    wanted = settings_for("trpo", **expected, learning_rate=1.0, lam=1.0)  # of trpo itself: 0.03
    assert story(tmp_path / "run")["settings"] == asdict(wanted)
    assert type(story(tmp_path / "run")["settings"]["lam"]) is float
    assert run(tmp_path / "none", "--updates", "1", algorithm="trpo").exit_code == 0
    assert story(tmp_path / "none")["settings"] == asdict(settings_for("trpo", updates=1))


def test_the_settings_that_are_kept_make_the_same_run(tmp_path: Path) -> None:
    given = ("--seed", "3", "--beta", "0.1", "--kl", "loss_k3", "--checkpoint-every", "1")
    assert run(tmp_path / "run", *small(tmp_path), *given).exit_code == 0
    assert run(tmp_path / "again", "--config", str(tmp_path / "run" / "settings.toml")).exit_code == 0
    one, other = files(tmp_path / "run"), files(tmp_path / "again")
    del one["run.json"], other["run.json"]
    assert one == other


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat = 1.0", "has 'learning_rat'; expected some of algorithm, seed, updates"),
        ("seed = 1.5", "seed is 1.5 in {path}; expected a whole number"),
        ("seed = true", "seed is True in {path}; expected a whole number"),
        ("lam = '1'", "lam is '1' in {path}; expected a number"),
        ("kl = 1", "kl is 1 in {path}; expected a text"),
        ("[ppo]\nseed = 1", "has 'ppo'; expected some of"),
        ("algorithm = 'dpo'", "algorithm is 'dpo' in {path}; expected the one that is asked for, 'ppo'"),
        ("lam = 2", "lam is 2.0; expected a number from 0 to 1"),
        ("seed = ", "{path} is not TOML: "),
        (None, "{path} cannot be read: No such file or directory"),
    ],
)
def test_a_file_with_anything_but_settings_is_wrong_usage(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "settings.toml"
    if text is not None:
        path.write_text(text)
    result = run(tmp_path / "run", "--config", str(path))
    assert result.exit_code == 2
    assert message.format(path=path) in result.stderr
    assert not (tmp_path / "run").exists()


# --- runs that stopped ------------------------------------------------------------------------------------------------


def stopping_after(update: int, number: int) -> Callable[[Trainer], dict[str, float]]:
    """In the place of Trainer.learn: a signal comes while an update is made."""
    learn = Trainer.learn

    def learning(stage: Trainer) -> dict[str, float]:
        if stage.updates_done == update:
            os.kill(os.getpid(), number)
        return learn(stage)

    return learning


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_says_how_to_go_on_and_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    given = (*small(tmp_path), "--updates", "3")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = run(whole, *given)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "learn", stopping_after(2, number))
        result = run(cut, *given)
    assert result.exit_code == 128 + number
    assert result.stderr == (
        f"The run was stopped by {number.name} after update 2; "
        "the same command with --resume goes on from its last checkpoint.\n"
    )
    assert story(cut)["status"] == f"stopped by {number.name} after update 2"
    result = run(cut, *given, "--resume")
    assert result.exit_code == 0
    assert result.stdout == expected.stdout.replace(str(whole), str(cut))
    one, other = files(cut), files(whole)
    assert [made["after"] for made in json.loads(one.pop("run.json"))["resumed"]] == [2]
    del other["run.json"]
    assert one == other


def test_resuming_what_is_finished_or_not_begun_or_another_run(tmp_path: Path) -> None:
    given, out = small(tmp_path), tmp_path / "run"
    begun = run(out, *given, "--resume")
    assert begun.exit_code == 0, begun.output
    before = files(out)
    result = run(out, *given, "--resume")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        begun.stdout.splitlines()[0],
        f"the run had finished; nothing in {out} was changed",
    ]
    other = run(out, *given, "--resume", "--seed", "1")
    assert other.exit_code == 2
    assert f"out: {out} is of another run: settings.seed is 0 there and 1 here; expected the same" in other.stderr
    assert files(out) == before
    elsewhere = run(tmp_path, *given, "--resume")
    assert elsewhere.exit_code == 2
    assert f"out: {tmp_path} is not the folder of a run, it has no run.json" in elsewhere.stderr


def test_a_file_that_cannot_be_written_exits_with_one_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        result = run(tmp_path / "run", *small(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {tmp_path}/run/run.json: No space left on device. What was written is kept; "
        "the same command with --resume goes on from its last checkpoint.\n"
    )
    assert run(tmp_path / "run", *small(tmp_path), "--resume").exit_code == 0


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"algorithm": "sarsa"},
            "algorithm is 'sarsa'; expected one of sft, reward, reinforce, cpi, trpo_penalty, trpo, ppo, dpo",
        ),
        ({"env": "toy_envs/Nowhere-v0"}, "'toy_envs/Nowhere-v0'; expected one of 'toy_envs/Sorting-v0'"),
    ],
)
def test_what_is_not_known_is_wrong_usage(tmp_path: Path, changed: dict[str, str], message: str) -> None:
    result = run(tmp_path / "run", **changed)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


def test_an_unknown_device_is_wrong_usage(tmp_path: Path) -> None:
    result = run(tmp_path / "run", "--device", "tpu")
    assert result.exit_code == 2
    assert "device is 'tpu'; expected one of auto, cpu, cuda" in result.stderr
    assert not (tmp_path / "run").exists()


def test_an_absent_cuda_is_wrong_usage_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = run(tmp_path / "run", "--device", "cuda")
    assert result.exit_code == 2
    assert "finds no CUDA device here" in result.stderr
    assert run(tmp_path / "run", *small(tmp_path), "--device", "auto").exit_code == 0


def test_a_folder_in_use_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("precious")
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "is not empty; expected a new or an empty folder" in result.stderr
    assert (tmp_path / "metrics.jsonl").read_text() == "precious"


def test_a_run_that_is_no_longer_finite_exits_with_one_and_names_the_step(tmp_path: Path) -> None:
    result = run(tmp_path / "run", *small(tmp_path, "learning_rate = 1e30"), algorithm="reinforce")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: update ")
    assert "metrics.jsonl" in result.stderr
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("\n") >= 1


def test_without_torch_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Importing it anew sets the attribute, too, and that is to be undone as well.
    monkeypatch.setattr("derivations.algorithms", sys.modules["derivations.algorithms"])
    for name in [name for name in sys.modules if name.startswith("derivations.algorithms")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run(tmp_path / "run")
    assert result.exit_code == 2
    assert (
        "needs the package torch, which is not installed here; install it with: pip install -e '.[train]'"
        in result.stderr
    )
