"""Results kept between runs: read when whole, judged again when not, never a table that is believed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import derivations.ledger
from derivations import REAL, E, Sort, function, law, parameter, statement
from derivations.checker.proof import ByCalculation, Proof, Unproved, lemma
from derivations.checker.statement import Statement, assume
from derivations.checker.verdict import Verdict, judge
from derivations.kept import UNUSED_DAYS, Store, _digest, cache_folder
from derivations.ledger import Ledger
from derivations.records import as_object
from derivations.sections.claim import Assertion, Claim

Y = Sort("Y")
y = Y.index("y")
p, f = law("p", Y), function("f", Y)
c = parameter("c", REAL)
TRUE = statement(E(p(y), c * f(y)), "=", c * E(p(y), f(y)))
FALSE = statement(f(y), "=", 0)
DIVIDED = statement(c * c / c, "=", c, assuming=[assume("c ≠ 0", c, "≠", 0)])
WITHOUT_NEED = statement(c * c, "≥", 0, assuming=[assume("c ≠ 0", c, "≠", 0)])
FURTHER = statement(c * c + 1, ">", 0)


def claims(first: Statement = TRUE) -> list[Claim]:
    given = [
        Assertion("A", "words", "proved", first),
        Assertion("B", "words", "refuted", FALSE),
        Assertion("C", "words", "conditional", DIVIDED),
        Assertion("D", "words", "proved", WITHOUT_NEED),
        Assertion("E", "words", "proved", FURTHER, ByCalculation((lemma("D"),))),
    ]
    right = Assertion("B′", "words", "proved", statement(f(y), "=", f(y)))
    return [
        Claim("X", "tag", "quote", "reading", a, correction=right if a.id == "B" else None, believe="…") for a in given
    ]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Statement]:
    """The statements that the checker has been asked for."""
    asked: list[Statement] = []

    def listening(given: Statement, **details: Any) -> Verdict:
        asked.append(given)
        return judge(given, **details)

    monkeypatch.setattr(derivations.ledger, "judge", listening)
    return asked


def run(folder: Path, first: Statement = TRUE, **options: bool) -> dict[str, tuple[str, bool]]:
    """The status of every assertion, and whether it was kept."""
    ledger = Ledger(claims(first), Store(folder, **options))
    return {name: (ledger.record(name).status, ledger.record(name).kept) for name in ledger.assertions}


STATUSES = {"A": "proved", "B": "refuted", "B′": "proved", "C": "conditional", "D": "proved", "E": "proved"}


def test_a_second_run_judges_nothing(tmp_path: Path, judged: list[Statement]) -> None:
    assert run(tmp_path) == {name: (status, False) for name, status in STATUSES.items()}
    first = list(judged)
    judged.clear()
    assert run(tmp_path) == {name: (status, True) for name, status in STATUSES.items()}
    assert first and not judged


def test_what_is_kept_says_the_same(tmp_path: Path) -> None:
    before, after = (Ledger(claims(), Store(tmp_path)) for _ in range(2))
    for name in before.assertions:
        assert before.record(name) == after.record(name)


def test_a_changed_line_is_judged_again_and_no_other(tmp_path: Path, judged: list[Statement]) -> None:
    run(tmp_path)
    judged.clear()
    changed = statement(E(p(y), c * f(y)), "≤", c * E(p(y), f(y)))
    found = run(tmp_path, changed)
    assert [name for name, (_, kept) in found.items() if not kept] == ["A"]
    assert judged == [changed]


def test_a_kept_lemma_serves_as_it_was_proved(tmp_path: Path, judged: list[Statement]) -> None:
    """D holds without its hypothesis, and E needs it without."""
    ledger = Ledger(claims(), Store(tmp_path))
    ledger.record("D")
    judged.clear()
    again = Ledger(claims(), Store(tmp_path))
    assert again.lemma("D") == ledger.verdict("D").statement
    assert again.lemma("D").assuming == ()
    assert again.record("E").status == "proved"
    assert judged == [FURTHER]


def test_a_kept_claim_that_fails_is_no_lemma(tmp_path: Path) -> None:
    run(tmp_path)
    ledger = Ledger(claims(), Store(tmp_path))
    assert ledger.record("B").kept
    with pytest.raises(Unproved, match="lemma B is refuted"):
        ledger.lemma("B")


def test_fresh_ignores_what_is_kept_and_keeps_what_it_finds(tmp_path: Path, judged: list[Statement]) -> None:
    run(tmp_path)
    judged.clear()
    assert not any(kept for _, kept in run(tmp_path, fresh=True).values())
    assert len(judged) == len(STATUSES)
    assert all(kept for _, kept in run(tmp_path).values())


def test_a_ledger_without_a_store_keeps_nothing(cache: Path) -> None:
    ledger = Ledger(claims())
    assert not ledger.record("A").kept
    assert not cache.exists()


# --- damage ---------------------------------------------------------------------------------------------------------


def flipped(text: bytes) -> bytes:
    return text.replace(b'"status": "refuted"', b'"status": "proved"').replace(b"refuted by", b"proved by")


def renumbered(text: bytes) -> bytes:
    return text.replace(b'"left": "1"', b'"left": "2"')


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda text: b"",
    "cut off": lambda text: text[: len(text) // 2],
    "one byte less": lambda text: text[:-1],
    "one byte more": lambda text: text + b"}",
    "no JSON": lambda text: b"\x00\xff\xfe" * 100,
    "another JSON": lambda text: b"[1, 2]",
    "nested without end": lambda text: b"[" * 100_000,
    "a verdict changed by hand": flipped,
    "a number changed by hand": renumbered,
    "seconds changed by hand": lambda text: text.replace(b'"seconds": 0', b'"seconds": 1'),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_noticed_and_rebuilt(
    tmp_path: Path, judged: list[Statement], damage: Callable[[bytes], bytes]
) -> None:
    run(tmp_path)
    judged.clear()
    key = Ledger(claims()).key("B")
    path = tmp_path / "results" / f"{key}.json"
    whole = path.read_bytes()
    assert damage(whole) != whole
    path.write_bytes(damage(whole))
    found = run(tmp_path)
    assert found["B"] == ("refuted", False)
    assert judged == [FALSE]
    assert all(kept for name, (_, kept) in found.items() if name != "B")
    assert run(tmp_path)["B"] == ("refuted", True)


def test_a_file_in_anothers_place_is_not_believed(tmp_path: Path) -> None:
    """The proof of A, copied to where the refutation of B stands."""
    run(tmp_path)
    ledger = Ledger(claims())
    ours, theirs = (tmp_path / "results" / f"{ledger.key(name)}.json" for name in "AB")
    theirs.write_bytes(ours.read_bytes())
    assert run(tmp_path)["B"] == ("refuted", False)


def test_a_counterexample_is_evaluated_again_even_where_the_digest_fits(tmp_path: Path) -> None:
    """Whoever forges the digest too meets the evaluator: f = 0 is no counterexample to f = 0."""
    run(tmp_path)
    ledger = Ledger(claims(), Store(tmp_path))
    key = ledger.key("B")
    assert key is not None and ledger.store is not None
    record = ledger.store.get(key)
    assert record is not None and record.world is not None
    forged = replace(record, world={**record.world, "tables": {"f": [[[0], ["0", "0", "0"]]]}})
    path = tmp_path / "results" / f"{key}.json"
    body = json.loads(json.dumps(as_object(forged)))
    path.write_text(json.dumps({"key": key, "digest": _digest(key, body), "record": body}), encoding="utf-8")
    assert ledger.store.get(key) == forged
    assert run(tmp_path)["B"] == ("refuted", False)
    assert run(tmp_path)["B"] == ("refuted", True)


def test_no_verdict_comes_from_what_is_kept(tmp_path: Path, judged: list[Statement]) -> None:
    run(tmp_path)
    judged.clear()
    ledger = Ledger(claims(), Store(tmp_path))
    assert ledger.record("A").kept
    assert isinstance(ledger.verdict("A"), Verdict)
    assert judged == [TRUE]


def test_what_is_not_settled_is_not_kept(tmp_path: Path) -> None:
    def too_hard(_: Statement) -> Proof:
        raise Unproved("it takes too long")

    too_hard.__module__ = "derivations.sections.somewhere"
    given = Claim("X", "tag", "quote", "reading", Assertion("A", "words", "unknown", TRUE, prover=too_hard))
    for _ in range(2):
        record = Ledger([given], Store(tmp_path)).record("A")
        assert (record.status, record.kept) == ("unknown", False)


# --- the folder -----------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("this is a file", encoding="utf-8")
    store = Store(tmp_path)
    ledger = Ledger(claims(), store)
    assert ledger.record("A").status == "proved"
    assert str(tmp_path) in store.trouble
    assert run(tmp_path)["A"] == ("proved", False)


def test_nothing_is_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    store = Store(tmp_path)
    Ledger(claims(), store).record("A")
    assert "No space left on device" in store.trouble
    assert list((tmp_path / "results").iterdir()) == []


def test_what_nothing_has_used_for_long_is_removed(tmp_path: Path) -> None:
    run(tmp_path)
    folder = tmp_path / "results"
    kept = sorted(folder.iterdir())
    long_ago = time.time() - (UNUSED_DAYS + 1) * 24 * 60 * 60
    left_behind = folder / ".abc.json.1234"
    left_behind.write_text("half", encoding="utf-8")
    others = folder / "notes.txt"
    others.write_text("not ours", encoding="utf-8")
    for path in (*kept[1:], left_behind, others):
        os.utime(path, (long_ago, long_ago))
    recently = Store(tmp_path)
    assert recently.get(kept[1].stem) is not None, "reading it is a use"
    Store(tmp_path).put("0" * 40, Ledger(claims()).record("A"))
    assert sorted(folder.iterdir()) == sorted([*kept[:2], folder / f"{'0' * 40}.json", others])


def test_two_processes_at_once_do_no_harm(tmp_path: Path) -> None:
    """Both judge and keep the same results at the same time, again and again; each finds every one whole."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                fine = all(
                    {name: status for name, (status, _) in run(tmp_path, fresh=bool(n % 2)).items()} == STATUSES
                    for n in range(6)
                )
            finally:
                os._exit(0 if fine else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert all(kept for _, kept in run(tmp_path).values())
    assert all(path.suffix == ".json" for path in (tmp_path / "results").iterdir())


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"DERIVATIONS_CACHE": "/d", "XDG_CACHE_HOME": "/x"}, "linux", "/d"),
        ({"XDG_CACHE_HOME": "/x"}, "linux", "/x/derivations"),
        ({"XDG_CACHE_HOME": "relative"}, "linux", "~/.cache/derivations"),
        ({}, "linux", "~/.cache/derivations"),
        ({"XDG_CACHE_HOME": "/x"}, "darwin", "~/Library/Caches/derivations"),
        ({"LOCALAPPDATA": "/l"}, "win32", "/l/derivations"),
        ({}, "win32", "~/AppData/Local/derivations"),
    ],
)
def test_where_results_are_kept(environment: dict[str, str], platform: str, expected: str) -> None:
    assert cache_folder(environment, platform) == Path(expected).expanduser()


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr("derivations.kept.cache_folder", lambda: cache_folder({}, "linux"))
    assert Store().folder is None
    ledger = Ledger(claims(), Store())
    assert ledger.record("A").status == "proved"
