"""derivations verify: what is judged, how it ends, the table, and the JSON file."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from planted_claims import FALSE, Y, assertion, c, claim, everything, f, q, resting_on, y
from rich.console import Console

import derivations.ledger
from derivations.checker.errors import StatementError
from derivations.checker.proof import Proof, Unproved
from derivations.checker.refute import Counterexample
from derivations.checker.statement import Statement, statement
from derivations.checker.terms import E, Sort, function, histories, law
from derivations.checker.verdict import Witness
from derivations.checker.worlds import world
from derivations.cli import verify
from derivations.records import readable_world
from derivations.sections.claim import Claim

KEYS = {
    "id", "section", "tag", "statement", "reading", "stated", "found", "method", "assumptions", "axioms",
    "counterexample", "correction", "parts", "steps", "seconds",
}  # fmt: skip


def raising(error: BaseException) -> Callable[[Statement], Proof]:
    def prover(_: Statement) -> Proof:
        raise error

    return prover


def three(second: Callable[[Statement], Proof]) -> list[Claim]:
    """Three claims, of which the second is judged by the given prover."""
    return [claim(assertion("T.1")), claim(assertion("T.2", prover=second)), claim(assertion("T.3"))]


def lines_with(shown: str, name: str) -> list[str]:
    return [line for line in shown.splitlines() if name in line.split()]


# --- exit statuses --------------------------------------------------------------------------------------------------


def test_0_when_every_verdict_is_the_stated_one(plant, run) -> None:
    plant(everything())
    result = run("verify")
    assert (result.code, result.err) == (0, "")
    assert "✗" not in result.out


@pytest.mark.parametrize(
    "wrong",
    [
        claim(assertion("T.9", "proved", FALSE)),
        claim(assertion("T.9", "refuted")),
        claim(assertion("T.9", "conditional")),
        claim(assertion("T.9"), parts=(assertion("T.9a", "unknown"),)),
        claim(assertion("T.9", "refuted", FALSE), correction=assertion("T.9′", "proved", FALSE)),
        claim(assertion("T.9", prover=raising(Unproved("it is too hard")))),
    ],
    ids=["refuted", "proved", "not conditional", "a part", "a correction", "unknown"],
)
def test_1_when_a_verdict_is_not(plant, run, wrong: Claim) -> None:
    plant([claim(assertion("T.1")), wrong])
    result = run("verify")
    assert (result.code, result.err) == (1, "")
    marks = [line for line in result.out.splitlines() if "✗" in line]
    assert len(marks) == 1
    assert "T.9" in marks[0]
    assert "not as stated: T.9" in result.out.splitlines()[-1]


def test_1_when_a_correction_fails_although_that_was_stated(plant, run) -> None:
    plant([claim(assertion("T.1", "refuted", FALSE), correction=assertion("T.1′", "refuted", FALSE))])
    result = run("verify")
    assert result.code == 1
    assert "not as stated: T.1′" in result.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["T.7"], "Error: claim 'T.7' is not known; did you mean "),
        (["T.1", "T.7"], "Error: claim 'T.7' is not known; did you mean "),
        (["--section", "XX"], "Error: section 'XX' is not known; expected one of "),
        (["--section", "VI"], "Error: no claim is in VI"),
    ],
)
def test_2_for_claims_and_sections_that_are_not_there(plant, run, arguments: list[str], told: str) -> None:
    plant(everything())
    result = run("verify", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(told)
    assert result.err.count("\n") == 1


def test_2_when_no_claim_is_left_to_judge(plant, run) -> None:
    plant([])
    assert run("verify") == (2, "", "Error: no claim is in the ledger\n")


def test_2_when_a_claim_has_no_meaning(plant, run, tmp_path: Path) -> None:
    without_meaning = statement(E(q(y), f(y)), "=", 1 / E(q(y), f(y)))
    plant([claim(assertion("T.1")), claim(assertion("T.2", formal=without_meaning))])
    result = run("verify", "--json", tmp_path / "found.json")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Error: T.2: a division by")
    assert result.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_2_when_a_module_of_claims_has_no_meaning(monkeypatch, run) -> None:
    def module() -> None:
        raise StatementError("sort Y is declared twice,\nin different ways")

    monkeypatch.setattr(derivations.ledger, "all_claims", module)
    assert run("verify") == (2, "", "Error: sort Y is declared twice, in different ways\n")


def test_2_when_the_lemmas_go_in_a_circle(plant, run) -> None:
    plant([claim(assertion(name, argument=resting_on(other))) for name, other in (("T.1", "T.2"), ("T.2", "T.1"))])
    assert run("verify") == (2, "", "Error: T.1: the lemmas go in a circle: T.1 → T.2 → T.1\n")


def test_3_when_the_engines_disagree(plant, run, tmp_path: Path) -> None:
    """A prover that proves what is false, and the refuter that is asked as well."""

    def believes(_: Statement) -> Proof:
        return Proof((), "belief")

    plant([claim(assertion("T.1")), claim(assertion("T.2", formal=FALSE, prover=believes)), claim(assertion("T.3"))])
    result = run("verify", "--json", tmp_path / "found.json")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("Error: two engines disagree")
    assert "T.2: " in result.err
    assert "was proved by belief, and has a counterexample" in result.err
    assert list(tmp_path.iterdir()) == []


def test_130_after_ctrl_c_with_what_is_finished(plant, run, tmp_path: Path) -> None:
    plant(three(raising(KeyboardInterrupt())))
    target = tmp_path / "found.json"
    result = run("verify", "--json", target)
    assert (result.code, result.err) == (130, "")
    assert [found["id"] for found in json.loads(target.read_text(encoding="utf-8"))] == ["T.1"]
    assert lines_with(result.out, "T.1")
    assert not lines_with(result.out, "T.2")
    assert "interrupted: 1 of 3 claims, 1 of 1 verdict as stated" in result.out


def test_130_even_when_something_is_not_as_stated(plant, run) -> None:
    claims = three(raising(KeyboardInterrupt()))
    plant([claim(assertion("T.0", "proved", FALSE)), *claims])
    assert run("verify").code == 130


def test_ctrl_c_before_anything_is_finished_keeps_the_old_file(plant, run, tmp_path: Path) -> None:
    plant(three(raising(KeyboardInterrupt()))[1:])
    target = tmp_path / "found.json"
    target.write_text("old", encoding="utf-8")
    result = run("verify", "--json", target)
    assert result.code == 130
    assert target.read_text(encoding="utf-8") == "old"
    assert "interrupted: 0 of 2 claims" in result.out


def test_ctrl_c_is_not_lost_in_z3(plant, run) -> None:
    """Z3 would take the signal, answer “unknown”, and the run would go on."""
    import z3

    def asks_z3(_: Statement) -> Proof:
        a, b, c = z3.Ints("a b c")
        solver = z3.Solver()
        solver.set("timeout", 2000)
        solver.add(a * a * a + b * b * b + c * c * c == 33)
        main_thread = threading.main_thread().ident
        assert main_thread is not None
        threading.Timer(0.2, signal.pthread_kill, (main_thread, signal.SIGINT)).start()
        solver.check()
        for _ in range(1000):  # where Python sees the signal
            time.sleep(0.001)
        raise Unproved("Z3 does not know")

    plant(three(asks_z3))
    result = run("verify")
    assert result.code == 130
    assert "interrupted: 1 of 3 claims" in result.out


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_a_second_run_takes_what_is_kept_and_says_so(plant, run) -> None:
    plant(everything())
    first, second, fresh = run("verify"), run("verify"), run("verify", "--fresh")
    for result, kept in ((first, False), (second, True), (fresh, False)):
        rows = [line for line in result.out.splitlines() if "✓" in line]
        assert result.code == 0
        assert all(row.split()[-1] == ("kept" if kept else "s") for row in rows)
        assert (", 9 kept, " in result.out.splitlines()[-1]) is kept


def test_what_is_kept_reads_the_same_in_json_and_in_explain(plant, run) -> None:
    plant(everything())
    for name in ["T.1", "T.2", "T.5", "T.6"]:
        first, second = ([run("verify", name, "--json", "-").out, run("explain", name).out] for _ in range(2))
        assert first == second


def test_where_nothing_can_be_kept_all_is_judged_all_the_same(plant, run, cache: Path) -> None:
    cache.write_text("this is a file", encoding="utf-8")
    plant(everything())
    result = run("verify")
    assert result.code == 0
    assert result.err.startswith(f"Results are not kept: {cache}")
    assert result.err.count("\n") == 1


# --- which claims ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["T.1", "T.2", "T.3", "T.4", "T.5", "T.6"]),
        (["T.2"], ["T.2"]),
        (["T.4", "T.2"], ["T.2", "T.4"]),
        (["--section", "IV"], ["T.1", "T.2"]),
        (["--section", "iv"], ["T.1", "T.2"]),
        (["--section", "IV", "--section", "X"], ["T.1", "T.2", "T.3", "T.4", "T.5", "T.6"]),
        (["T.6", "--section", "IV"], ["T.1", "T.2", "T.6"]),
        (["--section", "IV", "T.1"], ["T.1", "T.2"]),
    ],
)
def test_identifiers_and_sections_are_put_together(plant, run, arguments: list[str], expected: list[str]) -> None:
    plant(everything())
    result = run("verify", "--json", "-", *arguments)
    assert result.code == 0
    assert [found["id"] for found in json.loads(result.out)] == expected


# --- the table ------------------------------------------------------------------------------------------------------


def test_the_table_is_grouped_with_parts_and_corrections_below_their_claim(plant, run) -> None:
    plant(everything())
    result = run("verify")
    rows = [line.rstrip() for line in result.out.splitlines() if line.strip() and "─" not in line]
    assert rows[0].split() == ["id", "statement", "stated", "found", "method", "time"]
    assert [row[4:12].rstrip() for row in rows[1:-1]] == [
        " IV", " T.1", "   T.1a", "   T.1b", " T.2", "   T.2′", " X", " T.3", " T.4", " T.5", " T.6",
    ]  # fmt: skip
    assert "Policy gradient" in rows[1]
    assert "The optimal policy" in rows[7]
    assert "correction: the words of T.2′" in rows[6]
    marked = [row for row in rows if row.lstrip().startswith("✓")]
    assert len(marked) == 9
    assert rows[4].split()[-5:-2] == ["refuted", "refuted", "counterexample"]
    assert rows[4].endswith(" s")


def test_the_last_line_counts(plant, run) -> None:
    plant([*everything(), claim(assertion("T.8", "unknown", prover=raising(Unproved("too hard"))), section="X")])
    told, seconds = run("verify").out.splitlines()[-1].rsplit(", ", 1)
    assert told == "7 claims, 10 of 10 verdicts as stated, 1 unknown"
    number, unit = seconds.split()
    assert unit == "seconds"
    assert 0 <= float(number) < 60


@pytest.mark.parametrize("width", [30, 60, 99, 100, 120])
def test_nothing_is_lost_in_a_narrow_terminal(plant, width: int) -> None:
    words = "∇J = E[Σ_t ∇log π(a_t∣s_t) · G(τ)], whatever the horizon; [x ≠ 0] stays :smile: as it is"
    long = claim(replace(assertion("LONG.10"), words=words))
    ledger = derivations.ledger.Ledger([long, *everything()])
    findings = verify.judged(ledger, list(ledger.claims.values())).findings
    screen = StringIO()
    console = Console(file=screen, width=width, markup=False, emoji=False, highlight=False)
    console.print(verify.table(findings, narrow=width < verify.NARROW))
    shown = screen.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    for word in (*words.split(), "LONG.10", "T.1a", "T.2′", "conditional", "counterexample", "correction:"):
        assert word in shown.split() or f"{word}," in shown.split(), word


def test_into_a_pipe_the_table_is_plain_and_120_wide(tmp_path: Path) -> None:
    done = on_planted("verify", tmp_path, FORCE_COLOR="1", COLUMNS="40")
    assert done.returncode == 0
    shown = done.stdout.decode("utf-8")
    assert "\x1b" not in shown
    assert "stated " in shown.splitlines()[1]
    assert max(map(len, shown.splitlines())) <= 120
    assert done.stderr == b""


PLANTED = """
import sys
sys.path.insert(0, {folder!r})
import derivations.ledger
from planted_claims import everything
derivations.ledger.all_claims = lambda: iter(everything())
from derivations.cli import main
main(sys.argv[1:])
"""


def script(folder: Path) -> Path:
    """A program that runs the command line on the planted claims."""
    path = folder / "planted_run.py"
    path.write_text(PLANTED.format(folder=str(Path(__file__).parent)), encoding="utf-8")
    return path


def on_planted(arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(script(folder)), *arguments.split()]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, timeout=120)


def test_on_a_terminal_a_bar_names_the_claim_at_work(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, str(script(tmp_path)), "verify", "--json", "-"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        on_screen: list[bytes] = []
        seen = threading.Thread(target=lambda: on_screen.extend(read_all(ours)))
        seen.start()
        out, _ = process.communicate(timeout=120)
        seen.join()
    os.close(ours)
    shown = b"".join(on_screen).decode("utf-8")
    assert process.returncode == 0
    assert len(json.loads(out)) == 6
    for claim_at_work, finished in (("T.1", "0/6"), ("T.6", "5/6")):
        assert re.search(rf"{re.escape(claim_at_work)} [^\r\n]*{finished}", shown)
    assert "6 claims, 9 of 9 verdicts as stated" in shown


def read_all(descriptor: int) -> list[bytes]:
    """What is written to a terminal until its other end is closed, which Linux reports as an error."""
    pieces = []
    while True:
        try:
            piece = os.read(descriptor, 4096)
        except OSError:
            return pieces
        if not piece:
            return pieces
        pieces.append(piece)


# --- JSON -----------------------------------------------------------------------------------------------------------


def found(run: Any, *arguments: object) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads(run("verify", "--json", "-", *arguments).out)
    return result


def test_json_has_exactly_these_keys(plant, run) -> None:
    plant(everything())
    all_found = found(run)
    assert all(set(each) == KEYS for each in all_found)
    first, second, *_, last = all_found
    assert {
        key: first[key] for key in KEYS - {"seconds", "parts", "steps"}
    } == {
        "id": "T.1",
        "section": "IV",
        "tag": "the tag of T.1",
        "statement": "the words of T.1",
        "reading": "the reading of T.1",
        "stated": "proved",
        "found": "proved",
        "method": "normal form",
        "assumptions": ["q is a distribution", "Y is finite"],
        "axioms": [],
        "counterexample": None,
        "correction": None,
    }  # fmt: skip
    assert isinstance(first["seconds"], float)
    assert first["steps"] == [
        {
            "lhs": "E_{y∼q}[c·f(y)]",
            "relation": "=",
            "rhs": "c·E_{y∼q}[f(y)]",
            "reason": "calculation",
            "method": "normal form",
        }
    ]
    nothing = {"sizes": {"Y": 1}, "lengths": {}, "indices": {"y": 0}, "tables": {"f": {"0": "1"}}, "slopes": {}}
    smallest = {**nothing, "left": "1", "right": "0"}
    assert first["parts"] == [
        {
            "id": "T.1a",
            "statement": "the words of T.1a",
            "stated": "conditional",
            "found": "conditional",
            "counterexample": None,
        },
        {
            "id": "T.1b",
            "statement": "the words of T.1b",
            "stated": "refuted",
            "found": "refuted",
            "counterexample": smallest,
        },
    ]
    assert (second["found"], second["method"], second["counterexample"]) == ("refuted", "counterexample", smallest)
    assert second["correction"] == {
        "id": "T.2′",
        "statement": "the words of T.2′",
        "found": "proved",
        "method": "normal form",
    }
    assert [axiom[:18] for axiom in last["axioms"]] == ["a dominated series"]


def test_a_world_in_json_is_exact() -> None:
    states = Sort("S")
    paths = histories("H", step=[states])
    earned, weight = function("G", paths), function("w", states, states)
    policy = law("π", states, depends=True)
    shown = readable_world(
        world(
            {states: 2},
            {
                earned: {((),): 0, ((0,),): Fraction(1, 3), ((1,),): 2},
                policy: [Fraction(1, 4), Fraction(3, 4)],
                weight: [[1, 0], [0, Fraction(-2, 7)]],
            },
            lengths={paths: 1},
            slopes={policy: [1, -1]},
            indices={paths.index("h"): (1,), states.index("s"): 0},
        )
    )
    assert shown == {
        "sizes": {"S": 2},
        "lengths": {"H": 1},
        "indices": {"h": [1], "s": 0},
        "tables": {
            "G": {"()": "0", "(0)": "1/3", "(1)": "2"},
            "w": {"0, 0": "1", "0, 1": "0", "1, 0": "0", "1, 1": "-2/7"},
            "π": {"0": "1/4", "1": "3/4"},
        },
        "slopes": {"∇π": {"0": "1", "1": "-1"}},
    }
    assert json.loads(json.dumps(shown)) == shown
    assert Fraction(shown["tables"]["w"]["1, 1"]) == Fraction(-2, 7)


def test_slopes_that_are_zero_are_left_out() -> None:
    u = function("u", Y, depends=True)
    shown = readable_world(world({Y: 2}, {u: [1, 2]}, slopes={u: [0, Fraction(1, 2)]}))
    assert shown["slopes"] == {"∇u": {"1": "1/2"}}


def test_a_parameter_in_json_is_one_value(plant, run) -> None:
    plant([claim(assertion("T.1", "refuted", statement(c * c, "≤", 0)))])
    (only,) = found(run)
    assert only["counterexample"]["tables"] == {"c": "1"}


class Explicit:
    """A counterexample that is no finite world."""

    def __repr__(self) -> str:
        return "f = 1 at every natural number"


def test_a_counterexample_that_is_no_world_is_told_in_its_words(plant, run) -> None:
    instance = Witness(lambda _: Counterexample(Explicit(), (0, 0, 0), "1", "0"))  # type: ignore[arg-type]
    hard = assertion("T.1", "refuted", prover=raising(Unproved("not tried")), instances=(instance,))
    plant([claim(hard)])
    (only,) = found(run)
    assert only["counterexample"] == {"text": "f = 1 at every natural number"}


def test_json_on_standard_output_is_alone_there(plant, run) -> None:
    plant(everything())
    result = run("verify", "--json", "-")
    assert len(json.loads(result.out)) == 6
    assert lines_with(result.err, "T.1b")
    assert "6 claims, 9 of 9 verdicts as stated" in result.err


def test_json_on_standard_output_after_ctrl_c(plant, run) -> None:
    plant(three(raising(KeyboardInterrupt())))
    result = run("verify", "--json", "-")
    assert result.code == 130
    assert [each["id"] for each in json.loads(result.out)] == ["T.1"]
    assert "interrupted: 1 of 3 claims" in result.err


def test_formulas_stand_in_the_file_as_they_are(plant, run, tmp_path: Path) -> None:
    plant(everything())
    target = tmp_path / "found.json"
    assert run("verify", "--json", target).code == 0
    assert "E_{y∼q}[c·f(y)]" in target.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]


# --- the file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere/found.json", "nowhere does not exist"),
        (".", "is not a file"),
        ("pipe", "is not a file"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_before_anything_is_judged(
    plant, run, tmp_path: Path, path: str, told: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    plant([claim(assertion("T.1", prover=raising(AssertionError("it was judged"))))])
    result = run("verify", "--json", tmp_path / path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"Error: --json {tmp_path / path}: ")
    assert told in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("locked", ["folder", "file"])
def test_a_place_that_is_locked_is_named(monkeypatch, plant, run, tmp_path: Path, locked: str) -> None:
    target = tmp_path / "found.json"
    target.write_text("old", encoding="utf-8")
    forbidden = tmp_path if locked == "folder" else target
    # Where the tests run as root nothing is locked in earnest.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != forbidden)
    plant(everything())
    result = run("verify", "--json", target)
    assert (result.code, result.out) == (2, "")
    assert f"{forbidden} is not writable" in result.err
    assert target.read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(monkeypatch, plant, run, tmp_path: Path, step: str) -> None:
    target = tmp_path / "found.json"
    target.write_text("old", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    plant(everything())
    result = run("verify", "--json", target)
    assert result.code == 2
    assert result.err == f"Error: {target} could not be written: No space left on device\n"
    assert lines_with(result.out, "T.1"), "the table is lost with the file"
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]


def test_a_file_is_replaced_in_one_move_and_keeps_its_mode(plant, run, tmp_path: Path) -> None:
    target, link = tmp_path / "found.json", tmp_path / "link.json"
    target.write_text("old and much longer than nothing" * 1000, encoding="utf-8")
    target.chmod(0o640)
    link.symlink_to(target)
    with target.open(encoding="utf-8") as old:
        plant(everything())
        assert run("verify", "--json", link).code == 0
        assert old.read(3) == "old", "the file was written over, not replaced"
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert len(json.loads(target.read_text(encoding="utf-8"))) == 6
