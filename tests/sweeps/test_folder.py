"""The folder of a sweep: what is in it is whole and its own, or it is refused, or told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_results import MAKER, result_of, runs_of

from derivations.sweeps.folder import Damaged, Folder
from toy_envs.errors import BadInput

RUNS = runs_of("ppo")


def test_what_was_put_there_is_got_again(tmp_path: Path) -> None:
    result = replace(result_of(RUNS[0], 0.1), metrics=[{"update": 0, "kl": 0.1 + 0.2, "loss": float("inf")}])
    Folder(tmp_path / "new", RUNS, MAKER).put(result)
    again = Folder(tmp_path / "new", RUNS, MAKER)
    assert again.get(RUNS[0]) == result
    assert again.get(RUNS[1]) is None


@pytest.mark.parametrize("harm", ["cut", "digit", "empty", "other run", "no text"])
def test_a_damaged_result_is_noticed(tmp_path: Path, harm: str) -> None:
    folder = Folder(tmp_path, RUNS, MAKER)
    folder.put(result_of(RUNS[0], 0.125))
    path = tmp_path / "runs" / f"{RUNS[0].key}.json"
    text = path.read_text()
    if harm == "cut":
        path.write_text(text[:-20])
    elif harm == "digit":
        path.write_text(text.replace("0.125", "0.126"))
    elif harm == "empty":
        path.write_text("")
    elif harm == "no text":
        path.write_bytes(b"\xff\xfe" * 40)
    else:
        folder.put(result_of(RUNS[1], 0.125))
        path.write_text((tmp_path / "runs" / f"{RUNS[1].key}.json").read_text())
    with pytest.raises(Damaged, match=f"{RUNS[0].key}.json is damaged"):
        folder.get(RUNS[0])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (runs_of("ppo", seeds=4), "seed is 0, 1, 2 there and 0, 1, 2, 3 here"),
        (runs_of("cpi"), "algorithm is ppo there and cpi here"),
        (runs_of("ppo", lam=["0.5"]), "lam is 0.95 there and 0.5 here"),
        (
            [replace(run, env="toy_envs/Copy-v0") for run in RUNS],
            "env is toy_envs/Sorting-v0 there and toy_envs/Copy-v0",
        ),
    ],
)
def test_the_folder_of_another_sweep_is_refused(tmp_path: Path, other: list, message: str) -> None:
    Folder(tmp_path, RUNS, MAKER).put(result_of(RUNS[0], 0.1))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    with pytest.raises(BadInput, match="holds another sweep") as refused:
        Folder(tmp_path, other, MAKER)
    assert message in str(refused.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before


@pytest.mark.parametrize(("part", "told"), [("code", "code"), ("reference", "reference policy"), ("torch", "PyTorch")])
def test_a_sweep_of_other_code_is_not_carried_on(tmp_path: Path, part: str, told: str) -> None:
    Folder(tmp_path, RUNS, MAKER)
    with pytest.raises(BadInput, match=f"was begun with another {told} than this one"):
        Folder(tmp_path, RUNS, {**MAKER, part: "9"})


def test_a_result_of_a_worker_with_other_code_is_not_kept(tmp_path: Path) -> None:
    folder = Folder(tmp_path, RUNS, MAKER)
    with pytest.raises(BadInput, match="a worker has another code than this machine: 999, not 0000"):
        folder.put(result_of(RUNS[0], 0.1, maker={**MAKER, "code": "999"}))
    assert folder.get(RUNS[0]) is None


def test_a_folder_that_is_not_ours_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(BadInput, match="is not empty and holds no sweep; expected a new or an empty folder"):
        Folder(tmp_path, RUNS, MAKER)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "another"}', json.dumps({"format": 1, "runs": []})])
def test_a_damaged_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(BadInput, match=r"sweep\.json is damaged"):
        Folder(tmp_path, RUNS, MAKER)


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"out: .*file cannot be the folder of a sweep"):
        Folder(tmp_path / "file", RUNS, MAKER)


def test_what_a_killed_writer_left_is_cleared_away(tmp_path: Path) -> None:
    """A write that was cut off leaves a file beside its place, and nothing else."""
    (tmp_path / ".sweep.json.123").write_text("{")
    Folder(tmp_path, RUNS, MAKER)
    (tmp_path / "runs" / f".{RUNS[0].key}.json.99").write_text("{")
    again = Folder(tmp_path, RUNS, MAKER)
    assert again.get(RUNS[0]) is None
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["runs", "sweep.json"]
