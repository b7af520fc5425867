"""What is kept of an experiment: whole, shown by verify and explain, and refused where it is damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import derivations.ledger
from derivations.checker.errors import BadInput
from derivations.cli import main
from derivations.measured import kept, measuring
from derivations.measured.experiment import Experiment
from derivations.measured.kept import Kept, Outcome, code_hash, kept_result
from derivations.measured.measuring import measure
from derivations.measured.rule import Condition, Numbers
from derivations.records import record_of_measurement
from derivations.sections.claim import Claim
from derivations.sections.claim import Measured as Entry
from derivations.sweeps.spreading import WorkerLost
from toy_envs.errors import BadInput as BadWorldInput

FILES = ("derivations/files.py",)
FOUND = Kept(
    "M.1",
    {"updates": 3},
    tuple(range(10, 20)),
    tuple({"x": float(n)} for n in range(10)),
    (Outcome("x of the end", 4.5, 2.3, 6.7, 1.0, None),),
    FILES,
    code_hash(FILES),
    {"python": "3.11"},
    "2026-11-22",
)
CONTRADICTED = replace(FOUND, outcomes=(*FOUND.outcomes, Outcome("y", 4.5, 2.3, 6.7, None, 5.0)))
STALE = replace(FOUND, code="0" * 64)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what is kept, and one measured claim."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setattr(kept, "DATA", folder)
    claims = [Claim("X", "tag", "quote", "reading", Entry("M.1", "it falls", "ten runs", "a fall"))]
    monkeypatch.setattr(derivations.ledger, "all_claims", lambda: iter(claims))
    return folder


def run(*given: str) -> Result:
    return CliRunner().invoke(main, list(given))


def keep(data: Path, found: Kept) -> None:
    found.write(data / f"{found.id}.json")


# --- the file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [FOUND, CONTRADICTED, STALE])
def test_what_was_kept_is_read_again(data: Path, found: Kept) -> None:
    keep(data, found)
    assert kept_result("M.1") == found
    assert json.loads((data / "M.1.json").read_text(encoding="utf-8"))["shown"] is found.shown


def test_nothing_is_kept_of_what_was_not_measured() -> None:
    assert kept_result("M.1") is None
    assert record_of_measurement(None).status == "not measured yet"


def damaged(told: dict, harm: str) -> str:
    match harm:
        case "cut":
            return json.dumps(told)[:-30]
        case "part":
            del told["seeds"]
        case "more":
            told["opinion"] = 1
        case "shown":
            told["shown"] = not told["shown"]
        case "id":
            told["id"] = "M.2"
        case "number":
            told["numbers"].pop()
        case "list":
            return "[]"
    return json.dumps(told)


@pytest.mark.parametrize("harm", ["cut", "part", "more", "shown", "id", "number", "list"])
def test_a_damaged_file_is_refused(data: Path, harm: str) -> None:
    keep(data, FOUND)
    path = data / "M.1.json"
    path.write_text(damaged(json.loads(path.read_text(encoding="utf-8")), harm))
    with pytest.raises(BadInput, match=r"M\.1\.json is damaged: .*; expected what derivations measure M\.1 writes"):
        kept_result("M.1")
    result = run("verify")
    assert result.exit_code == 2 and "M.1.json is damaged" in result.stderr


def test_too_few_seeds_show_nothing_whatever_they_say() -> None:
    few = replace(FOUND, seeds=FOUND.seeds[:9], numbers=FOUND.numbers[:9])
    assert FOUND.shown and not few.shown
    assert not replace(FOUND, outcomes=()).shown


def test_changed_or_missing_code_is_stale() -> None:
    assert not FOUND.stale and STALE.stale
    assert replace(FOUND, files=("derivations/nowhere.py",)).stale
    assert "the code has changed since then: derivations measure M.1 runs it again" in STALE.text
    assert "the code has changed" not in FOUND.text


def test_a_full_disk_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "write_whole", full)
    with pytest.raises(BadInput, match=r"M\.1\.json could not be written: No space left on device"):
        keep(data, FOUND)


# --- verify and explain ---------------------------------------------------------------------------------------------


def test_verify_shows_what_was_measured(data: Path) -> None:
    keep(data, FOUND)
    result = run("verify")
    assert result.exit_code == 0, result.output
    (line,) = [line.split() for line in result.stdout.splitlines() if "M.1" in line]
    assert line == ["✓", "M.1", "it", "falls", "measured", "measured", "10", "seeds"]
    assert "1 claim, 0 of 0 verdicts as stated, 1 measured, " in result.stdout
    (told,) = json.loads(run("verify", "--json", "-").stdout)
    assert (told["stated"], told["found"], told["method"]) == ("measured", "measured", "10 seeds")


def test_verify_fails_where_the_measurement_contradicts_the_claim(data: Path) -> None:
    keep(data, CONTRADICTED)
    result = run("verify")
    assert result.exit_code == 1
    (line,) = [line.split() for line in result.stdout.splitlines() if "falls" in line]
    assert line == ["✗", "M.1", "it", "falls", "measured", "not", "shown", "10", "seeds"]
    assert "not as stated: M.1, 1 measured" in result.stdout


def test_verify_says_that_the_code_is_another_one_and_does_not_fail(data: Path) -> None:
    keep(data, STALE)
    result = run("verify")
    assert result.exit_code == 0
    assert "10 seeds," in result.stdout and "other code" in result.stdout


def test_explain_shows_the_numbers(data: Path) -> None:
    keep(data, FOUND)
    result = run("explain", "M.1")
    assert result.exit_code == 0
    for told in (
        "  measured: shown by 10 seeds\n",
        "  it must show: a fall\n",
        "  ✓ x of the end: 4.5, from 2.3 to 6.7; must be above 1\n",
        "  mean and 95 % interval over the seeds 10 to 19; 2026-11-22, python 3.11\n",
    ):
        assert told in result.stdout
    keep(data, CONTRADICTED)
    told = run("explain", "M.1").stdout
    assert "  measured: NOT shown by 10 seeds\n" in told
    assert "  ✗ y: 4.5, from 2.3 to 6.7; must be below 5\n" in told


# --- measure --------------------------------------------------------------------------------------------------------


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """An experiment whose number is the seed, with a bound that can be moved."""
    bound = {"above": 11.0}

    def numbers(seed: int) -> Numbers:
        return {"x": float(seed)}

    def made(identifier: str) -> Experiment:
        conditions = (Condition("x", lambda n: n["x"], above=bound["above"]),)
        return Experiment({"bound": bound["above"]}, numbers, conditions)

    monkeypatch.setattr(measuring, "experiment_for", made)
    return bound


def test_measure_runs_every_seed_and_keeps_what_it_shows(data: Path, made_up: Mapping[str, float]) -> None:
    done: list[int] = []
    found = measure("KL.13", 10, jobs=1, watch=done.append)
    assert found.seeds == tuple(range(10, 20)) and done == list(range(1, 11))
    assert [n["x"] for n in found.numbers] == list(range(10, 20))
    assert (found.outcomes[0].mean, found.shown, found.stale) == (14.5, True, False)
    assert found.settings == {"bound": 11.0}
    assert set(found.versions) == {"python", "torch", "scipy"}
    result = run("measure", "KL.13", "--jobs", "1")
    assert result.exit_code == 0, result.output
    assert "✓ x: 14.5, from 12.33 to 16.67; must be above 11\n" in result.stdout
    assert "KL.13: shown\n" in result.stdout and "KL.13.json" in result.stdout
    assert kept_result("KL.13") == found


def test_what_is_not_shown_is_kept_too_and_exits_with_one(data: Path, made_up: dict[str, float]) -> None:
    made_up["above"] = 13.0
    result = run("measure", "KL.13", "--jobs", "1")
    assert result.exit_code == 1
    assert "✗ x: 14.5, from 12.33 to 16.67; must be above 13\n" in result.stdout and "KL.13: not shown" in result.stdout
    again = kept_result("KL.13")
    assert again is not None and not again.shown


def test_few_seeds_decide_nothing_and_are_kept_only_where_that_is_asked_for(
    data: Path, tmp_path: Path, made_up: Mapping[str, float]
) -> None:
    result = run("measure", "KL.13", "--seeds", "2", "--jobs", "1")
    assert result.exit_code == 0
    assert "KL.13: undecided: expected at least 10 seeds" in result.stdout
    assert list(data.iterdir()) == []
    assert run("measure", "KL.13", "--seeds", "2", "--jobs", "1", "--out", str(tmp_path / "a.json")).exit_code == 0
    told = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert (told["seeds"], told["shown"]) == ([10, 11], False)
    assert list(data.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("PPO.1",), "id is 'PPO.1'; expected one of IS.10.measured, TP.10.measured, KL.13, KL.14, OP.15.measured"),
        (("KL.13", "--out", "/nowhere/a.json"), "--out /nowhere/a.json: the folder /nowhere does not exist"),
        (("KL.13", "--jobs", "1", "--scheduler", "tcp://127.0.0.1:1"), "jobs is 1; expected none with a scheduler"),
    ],
)
def test_what_is_wrong_usage(given: tuple[str, ...], message: str) -> None:
    result = run("measure", *given)
    assert result.exit_code == 2 and message in result.stderr


def test_numbers_of_other_code_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "seed_of", lambda name, files, seed: (seed, {"x": 1.0}, "9" * 64))
    with pytest.raises(BadWorldInput, match="a worker has other code than this machine: 999999999999, not "):
        measure("KL.13", 2, jobs=1)
    with pytest.raises(BadWorldInput, match="seeds is 0; expected at least 1"):
        measure("KL.13", 0)


def test_a_process_that_is_gone_keeps_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str, files: tuple[str, ...], seed: int) -> object:
        raise WorkerLost("a process that was at work is gone")

    monkeypatch.setattr(measuring, "seed_of", gone)
    result = run("measure", "KL.13", "--jobs", "1")
    assert result.exit_code == 1 and "is gone. Nothing is kept." in result.stderr
    assert list(data.iterdir()) == []
