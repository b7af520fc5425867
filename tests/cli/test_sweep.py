"""derivations sweep: what it writes, what it says, and its exit statuses."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_results import result_of

from derivations.cli import main
from derivations.sweeps import sweep
from derivations.sweeps.grid import Run
from derivations.sweeps.spreading import WorkerLost
from derivations.sweeps.work import maker

SORTING = "toy_envs/Sorting-v0"


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Runs are not done, but made up; those that are asked for are written down."""
    asked: list[Run] = []

    def work(run: Run) -> object:
        asked.append(run)
        bad = run.settings["clip_range"] == 0.9 and run.seed == 0
        status = "diverged at update 3, epoch 1, minibatch 1: loss is nan" if bad else "finished"
        return result_of(run, 0.1 * (1 + int(run.seed or 0)), status, maker(run.env))

    monkeypatch.setattr(sweep, "carry_out", work)
    return asked


def run(out: Path, *given: str, algorithms: tuple[str, ...] = ("ppo",), env: str = SORTING) -> Result:
    named = [word for name in algorithms for word in ("--algorithm", name)]
    return CliRunner().invoke(main, ["sweep", "--env", env, *named, "--out", str(out), "--jobs", "1", *given])


def test_a_sweep_ends_with_a_table_and_leaves_a_folder(tmp_path: Path, made_up: list[Run]) -> None:
    given = ("--seeds", "3", "--updates", "7", "--set", "clip_range=0.1,0.9", "--set", "lam=0.5")
    result = run(tmp_path / "new", *given, algorithms=("ppo", "cpi"))
    assert result.exit_code == 0, result.output
    assert len(made_up) == 12
    assert {(r.settings["updates"], r.settings["lam"], r.env) for r in made_up} == {(7, 0.5, SORTING)}
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["algorithm", "clip_range", "finished", "regret_share", "score"] in lines
    assert ["ppo", "0.1", "3", "of", "3", "0.2", "±", "0.25", "0.4", "±", "0.5"] in lines
    assert ["cpi", "0.9", "2", "of", "3", "0.25", "±", "0.64", "0.5", "±", "1.3"] in lines
    assert "cpi, clip_range 0.9: 1 diverged at update 3, epoch 1, minibatch 1: loss is nan" in result.stdout
    assert f"sweep.json, runs, table.csv and plot.png are in {tmp_path / 'new'}" in result.stdout
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"sweep.json", "runs", "table.csv", "plot.png"}
    assert len(list((tmp_path / "new" / "runs").iterdir())) == 12
    rows = list(csv.DictReader((tmp_path / "new" / "table.csv").open(encoding="utf-8")))
    assert [row["finished"] for row in rows] == ["3", "3", "2", "2"] * 2


def test_the_same_command_carries_on(tmp_path: Path, made_up: list[Run]) -> None:
    assert run(tmp_path, "--seeds", "2").exit_code == 0
    lost = tmp_path / "runs" / f"{made_up[1].key}.json"
    lost.unlink()
    made_up.clear()
    table = (tmp_path / "table.csv").read_bytes()
    again = run(tmp_path, "--seeds", "2")
    assert again.exit_code == 0 and [r.seed for r in made_up] == [1]
    assert (tmp_path / "table.csv").read_bytes() == table
    lost.write_text("{")
    harmed = run(tmp_path, "--seeds", "2")
    assert harmed.exit_code == 0
    assert f"{lost} is damaged" in harmed.stderr and "this run is done again" in harmed.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--set", "clip_range"), "--set clip_range: expected SETTING=VALUE, or SETTING=VALUE,VALUE"),
        (("--set", "lam=0.1,"), "--set lam=0.1,: expected SETTING=VALUE"),
        (("--set", "lam=0.1", "--set", "lam=0.2"), "lam stands twice; expected all of its values at once"),
        (("--set", "speed=1"), "set: 'speed' is no setting; expected one of updates, "),
        (("--updates", "0"), "updates is 0; expected at least 1"),
        (("--updates", "5", "--set", "updates=6"), "updates stands twice; expected all of its values at once"),
        (("--scheduler", "tcp://127.0.0.1:1"), "jobs is 1; expected none with a scheduler"),
    ],
)
def test_what_is_wrong_usage(tmp_path: Path, given: tuple[str, ...], message: str) -> None:
    result = run(tmp_path / "new", *given)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"algorithms": ("sarsa",)},
            "algorithm is 'sarsa'; expected one of reinforce, cpi, trpo_penalty, trpo, ppo, dpo",
        ),
        ({"env": "toy_envs/Nowhere-v0"}, "'toy_envs/Nowhere-v0'; expected one of 'toy_envs/Sorting-v0'"),
    ],
)
def test_what_is_not_known_is_wrong_usage_and_leaves_nothing(tmp_path: Path, changed: dict, message: str) -> None:
    result = run(tmp_path / "new", **changed)
    assert result.exit_code == 2 and message in result.stderr
    assert not (tmp_path / "new").exists()


def test_the_folder_of_another_sweep_is_wrong_usage(tmp_path: Path) -> None:
    assert run(tmp_path, "--seeds", "1").exit_code == 0
    before = json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))
    result = run(tmp_path, "--seeds", "1", "--set", "lam=0.5")
    assert result.exit_code == 2
    assert "holds another sweep: lam is 0.95 there and 0.5 here; expected the same, or a new folder" in result.stderr
    assert json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8")) == before


def test_a_process_that_is_gone_exits_with_one_and_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = sweep.carry_out

    def once(run: Run) -> object:
        if run.seed == 1:
            raise WorkerLost("a process that was at work is gone, perhaps for want of memory")
        return work(run)

    monkeypatch.setattr(sweep, "carry_out", once)
    result = run(tmp_path, "--seeds", "2")
    assert result.exit_code == 1
    assert "is gone" in result.stderr and "the same command carries on" in result.stderr
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_without_matplotlib_there_is_a_table_and_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(tmp_path, "--seeds", "1")
    assert result.exit_code == 0
    assert "No plot: it needs the package matplotlib" in result.stderr and ".[notebooks]" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.json", "runs", "table.csv"}


def test_where_curves_cannot_be_told_apart_there_is_a_table_and_a_message(tmp_path: Path) -> None:
    result = run(tmp_path, "--seeds", "1", "--set", "lam=0.1,0.2,0.3,0.4,0.5,0.6,0.7")
    assert result.exit_code == 0
    assert "No plot: ppo has 7 curves; expected at most 6, which can be told apart." in result.stderr


@pytest.mark.parametrize("package", ["torch", "scipy.stats", "joblib"])
def test_without_a_package_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    if package == "torch":
        monkeypatch.setitem(sys.modules, "derivations.sweeps.grid", None)
    else:
        monkeypatch.setitem(sys.modules, package, None)
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "which is not installed here; install it with: pip install -e '.[train]'" in result.stderr
