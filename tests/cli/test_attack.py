"""derivations attack: what is counted, what is written, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planted_claims import ABOVE, FALSE, SQUARE, TRUE, Y, assertion, c, claim, everything, f, resting_on

from derivations import attacks
from derivations.checker.mutate import ALSO_TRUE, UNKNOWN, WRONGLY_PROVED, mutants
from derivations.checker.proof import ByInduction, Proof, Unproved, begin, lemma
from derivations.checker.statement import Statement, statement
from derivations.checker.terms import Function, Recursion, function, histories, recursion
from derivations.ledger import Ledger

KEYS = ["id", "mutants", "refuted", "also_true", "unknown", "wrongly_proved"]


@pytest.fixture(autouse=True)
def fewer_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand worlds take a second where one hundred tell as much of the command."""
    few = attacks.attack
    monkeypatch.setattr(attacks, "attack", lambda mutant, provers, proposals: few(mutant, provers, proposals, 100))


def believes(_: Statement) -> Proof:
    return Proof((), "belief")


def counted(run: Any, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("attack", "--json", "-", *arguments).out)
    return found


def test_every_assertion_that_holds_is_attacked_and_no_other(plant, run) -> None:
    plant(everything())
    found = counted(run)
    assert [each["id"] for each in found] == ["T.1", "T.1a", "T.2′", "T.3", "T.4", "T.5", "T.6"]
    for each in found:
        assert list(each) == KEYS
        assert each["mutants"] == sum(each[key] for key in KEYS[2:])
        assert each["wrongly_proved"] == 0
    assert found[0]["refuted"] == found[0]["mutants"] > 0


def test_0_and_a_table_and_a_line_of_sums(plant, run) -> None:
    plant(everything())
    result = run("attack", "T.1", "T.3")
    assert (result.code, result.err) == (0, "")
    rows = [line.split() for line in result.out.splitlines() if "✓" in line]
    assert [row[1] for row in rows] == ["T.1", "T.1a", "T.3"]
    assert result.out.splitlines()[-1].split(" of ")[1].startswith("3 assertions, ")
    assert "0 wrongly proved, " in result.out.splitlines()[-1]


def test_1_and_the_counterexample_where_something_false_is_proved(plant, run, tmp_path: Path) -> None:
    plant([claim(assertion("T.1")), claim(assertion("T.2", formal=SQUARE, prover=believes))])
    target = tmp_path / "review.md"
    result = run("attack", "--review", target)
    assert result.code == 1
    (row,) = [line for line in result.out.splitlines() if "✗" in line]
    assert row.split()[1] == "T.2"
    reviewed = target.read_text(encoding="utf-8")
    faults = reviewed.split("## ")[1]
    assert faults.startswith("Proved, and with a counterexample: a fault of the checker (")
    assert "### T.2, the relation turned round" in reviewed
    assert "left = 1, right = 0" in reviewed and "by belief" in reviewed


def test_what_was_not_refuted_is_listed_with_its_proof(plant, run, tmp_path: Path) -> None:
    plant([claim(assertion("T.3", formal=ABOVE))])
    target = tmp_path / "review.md"
    (found,) = counted(run, "--review", str(target))
    reviewed = target.read_text(encoding="utf-8")
    assert f"## Proved, and without a counterexample: other truths ({found['also_true']})" in reviewed
    assert found["also_true"] == reviewed.count("### T.3, ") > 0
    assert "### T.3, left: a number shifted\n\n```text\nc·c + 2 > 0\n```\n\n```text\nby arithmetic\n" in reviewed
    assert reviewed.count("No counterexample in 10") >= found["also_true"]


def test_what_is_neither_is_unknown_and_never_more(plant, run, tmp_path: Path) -> None:
    """A prover that proves the claim and nothing else: its true neighbours are unknown."""

    def only(given: Statement) -> Proof:
        if given != SQUARE:
            raise Unproved("it is too hard")
        return Proof((), "belief")

    plant([claim(assertion("T.1", formal=SQUARE, prover=only))])
    (found,) = counted(run)
    assert found["unknown"] == 0, "the other engines prove them"


def test_some_or_all(plant, run) -> None:
    long = statement(c * (c + 1) * (c + 2) * (c + 3), "=", (c + 3) * (c + 2) * (c + 1) * c)
    plant([claim(assertion("T.1", formal=long))])
    three, four, every = (counted(run, *given)[0] for given in (["--mutants", "3"], [], ["--mutants", "0"]))
    assert three["mutants"] == 3
    assert four["mutants"] == attacks.MOST == 4
    assert every["mutants"] > 4


def test_several_processes_count_what_one_does(plant, run) -> None:
    plant(everything())
    assert counted(run, "--jobs", "3") == counted(run, "--jobs", "1")


def test_ctrl_c_keeps_what_is_finished(monkeypatch, plant, run, tmp_path: Path) -> None:
    plant([claim(assertion(f"T.{n}", formal=TRUE if n < 3 else SQUARE)) for n in range(1, 6)])
    ran = attacks.attack

    def interrupted(mutant: Any, *rest: Any) -> Any:
        if mutant.statement.relation == "≤":
            raise KeyboardInterrupt
        return ran(mutant, *rest)

    monkeypatch.setattr(attacks, "attack", interrupted)
    target = tmp_path / "counts.json"
    result = run("attack", "--json", target)
    assert result.code == 130
    assert [each["id"] for each in json.loads(target.read_text(encoding="utf-8"))] == ["T.1", "T.2"]
    assert result.out.splitlines()[-1].startswith("interrupted: ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["T.7"], "Error: claim 'T.7' is not known"),
        (["--section", "XX"], "Error: section 'XX' is not known"),
        (["--json", "nowhere/counts.json"], "Error: --json nowhere/counts.json: "),
        (["--review", "nowhere/review.md"], "Error: --review nowhere/review.md: "),
    ],
)
def test_2_for_what_is_not_there(plant, run, arguments: list[str], told: str) -> None:
    plant(everything())
    result = run("attack", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(told)


def test_claims_that_do_not_hold_have_nothing_to_attack(plant, run) -> None:
    plant([claim(assertion("T.1", "refuted", FALSE), correction=assertion("T.1′", "refuted", FALSE))])
    result = run("attack", "--json", "-")
    assert (result.code, json.loads(result.out)) == (0, [])
    assert "0 mutants of 0 assertions" in result.err


# --- the sums -------------------------------------------------------------------------------------------------------


def test_outcomes_are_counted_as_they_are() -> None:
    fates = [
        attacks.Fate("a change", outcome, "s", "w", 1) for outcome in (ALSO_TRUE, UNKNOWN, UNKNOWN, WRONGLY_PROVED)
    ]
    toll = attacks.Toll("T.1", tuple(fates))
    assert toll.as_object() == dict(zip(KEYS, ("T.1", 4, 0, 1, 2, 1), strict=True))
    assert [fate.outcome for fate in toll.of(UNKNOWN)] == [UNKNOWN, UNKNOWN]


# --- lemmas -----------------------------------------------------------------------------------------------------------


H = histories("H", step=[Y])
h = H.index("h")
G, N = function("G", H), function("N", H)


def summed(symbol: Function, times: int = 1) -> Recursion:
    """The sum of f along a history, a multiple of it."""
    return recursion(symbol, start=lambda: 0, step=lambda h, y: symbol(h) + times * f(y))


def test_a_slip_in_an_equation_is_carried_into_the_lemmas() -> None:
    """Where G is another sum than N, the lemma that they are equal holds no more; where both slip alike, it does."""
    rules = [summed(G), summed(N)]
    ledger = Ledger([
        claim(assertion("T.7", formal=statement(G(h), "=", N(h), recursions=rules), argument=ByInduction())),
        claim(assertion("T.8", formal=statement(G(h) * N(h), "=", N(h) ** 2, recursions=rules), argument=resting_on("T.7"))),
    ])  # fmt: skip
    as_argued, *_ = attacks.provers_for(ledger.assertions["T.8"], ledger)
    given = ledger.lemma("T.8")
    assert as_argued(given).uses == ("T.7",)
    assert as_argued(replace(given, recursions=(summed(G, 2), summed(N, 2)))).uses == ("T.7",)
    with pytest.raises(Unproved):
        as_argued(replace(given, recursions=(summed(G, 2), summed(N))))


def test_a_slip_in_an_equation_of_which_nothing_speaks_is_none() -> None:
    given = statement(G(h) * 2, "=", G(h) + G(h), recursions=[summed(G), summed(N)])
    assert {m.change.split(",")[0] for m in mutants(given) if "step" in m.change} == {"G"}


def test_a_reason_that_a_slip_makes_idle_is_left_out_and_no_other() -> None:
    rules = [summed(G), summed(N)]
    chain = begin(G(h) + N(h)).then("=", 2 * N(h), lemma("T.7"))
    ledger = Ledger([
        claim(assertion("T.7", formal=statement(G(h), "=", N(h), recursions=rules), argument=ByInduction())),
        claim(assertion("T.8", formal=statement(G(h) + N(h), "=", 2 * N(h), recursions=rules), argument=chain)),
    ])  # fmt: skip
    as_argued, *_ = attacks.provers_for(ledger.assertions["T.8"], ledger)
    given = ledger.lemma("T.8")
    assert as_argued(given).uses == ("T.7",)
    assert as_argued(replace(given, left=N(h) + N(h))).uses == ()
    with pytest.raises(Unproved):
        as_argued(replace(given, left=G(h) + 2 * N(h)))
