"""derivations train: what it writes, what it says, and its exit statuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from derivations.algorithms.settings import DEFAULTS, KL_PLACEMENTS
from derivations.algorithms.trainer import ALGORITHMS
from derivations.cli import main
from derivations.cli.train import command

SORTING = "toy_envs/Sorting-v0"


def run(out: Path, *given: str, algorithm: str = "ppo", env: str = SORTING) -> Result:
    return CliRunner().invoke(main, ["train", algorithm, "--env", env, "--out", str(out), *given])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_ends_with_its_regret_and_leaves_a_folder(tmp_path: Path, algorithm: str) -> None:
    result = run(tmp_path / "run", "--updates", "2", "--seed", "7", algorithm=algorithm)
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    assert result.stdout.startswith(
        f"{algorithm} on {SORTING}, seed 7, 2 updates: J(π) = {last['objective']:.4f}, J(π*) = 0.77"
    )
    assert f"regret {last['regret']:.4f}, {last['regret_share']:.2%} of J(π*) − J(π_ref)" in result.stdout
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "metrics.jsonl", "model.safetensors"}


def test_the_algorithms_in_the_usage_are_those_that_there_are() -> None:
    assert command.params[0].metavar == "{" + ",".join(ALGORITHMS) + "}"  # type: ignore[attr-defined]


def test_the_penalty_stands_where_it_is_wanted(tmp_path: Path) -> None:
    kl = next(option for option in command.params if option.name == "kl")
    assert kl.metavar == "|".join(KL_PLACEMENTS)  # type: ignore[attr-defined]
    assert run(tmp_path / "run", "--updates", "1", "--kl", "loss_exact").exit_code == 0
    told = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert told["settings"]["kl"] == "loss_exact"
    refused = run(tmp_path / "other", "--kl", "k1")
    assert refused.exit_code == 2
    assert "kl is 'k1'; expected one of reward, loss_k2, loss_k3, loss_exact" in refused.stderr


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
    assert run(tmp_path / "run", "--device", "auto", "--updates", "1").exit_code == 0


def test_a_folder_in_use_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("precious")
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "is not empty; expected a new or an empty folder" in result.stderr
    assert (tmp_path / "metrics.jsonl").read_text() == "precious"


def test_a_run_that_is_no_longer_finite_exits_with_one_and_names_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DEFAULTS, "reinforce", {**DEFAULTS["reinforce"], "learning_rate": 1e30})
    result = run(tmp_path / "run", algorithm="reinforce")
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
