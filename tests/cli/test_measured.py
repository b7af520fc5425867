"""Claims that runs decide, and definitions: shown, counted, and no failure."""

from __future__ import annotations

import json

from planted_claims import FALSE, TRUE, assertion, claim

from derivations.sections.claim import Claim, Definition, Measured

MEASURED = Measured("M.1", "seven in ten fall", "sweep of 30 seeds", "at least 21 of 30 end lower")
DEFINED = Definition("M.2", "the clipped loss", "derivations.notation:lookup")
PART = Measured("M.3b", "and faster", "the same sweep", "half the steps")


def planted(**details: object) -> list[Claim]:
    """One of each kind, and a judged claim with a measured part."""
    kinds = [Claim("X", "tag", "quote", "reading", entry) for entry in (MEASURED, DEFINED)]
    return [*kinds, claim(assertion("M.3", "proved", TRUE), parts=(PART,), section="X", **details)]


def cells(shown: str, name: str) -> list[str]:
    (line,) = [line for line in shown.splitlines() if name in line.split()]
    return line.split()


def test_the_table_says_measured_and_not_measured_yet(plant, run) -> None:
    plant(planted())
    result = run("verify")
    assert (result.code, result.err) == (0, "")
    assert cells(result.out, "M.1") == ["·", "M.1", *MEASURED.words.split(), "measured", "not", "measured", "yet"]
    assert cells(result.out, "M.2") == ["·", "M.2", *DEFINED.words.split(), "definition", "definition"]
    assert cells(result.out, "M.3b")[-4:] == ["measured", "not", "measured", "yet"]
    assert "✗" not in result.out


def test_the_counts_tell_how_many_are_not_measured_and_count_none_of_them_as_a_verdict(plant, run) -> None:
    plant(planted())
    told, _ = run("verify").out.splitlines()[-1].rsplit(", ", 1)
    assert told == "3 claims, 1 of 1 verdict as stated, 2 not measured yet"


def test_a_measured_part_excuses_nothing(plant, run) -> None:
    plant([claim(assertion("M.3", "proved", FALSE), parts=(PART,))])
    assert run("verify").code == 1


def test_json_says_what_was_found(plant, run) -> None:
    plant(planted())
    first, second, third = json.loads(run("verify", "--json", "-").out)
    for found, stated, status in ((first, "measured", "not measured yet"), (second, "definition", "definition")):
        assert (found["stated"], found["found"], found["method"]) == (stated, status, "none")
        assert (found["steps"], found["counterexample"], found["seconds"]) == ([], None, 0)
    assert set(first) == set(third)
    (part,) = third["parts"]
    assert part == {
        "id": "M.3b",
        "statement": "and faster",
        "stated": "measured",
        "found": "not measured yet",
        "counterexample": None,
    }


def test_explain_shows_the_experiment_and_what_it_must_show(plant, run) -> None:
    plant(planted())
    result = run("explain", "M.1")
    assert (result.code, result.err) == (0, "")
    for told in (
        "claim M.1\n  seven in ten fall\n  measured: not measured yet\n",
        "  experiment: sweep of 30 seeds\n",
        "  it must show: at least 21 of 30 end lower\n",
    ):
        assert told in result.out
    assert "rests on" not in result.out


def test_explain_shows_what_satisfies_a_definition(plant, run) -> None:
    plant(planted())
    assert "  definition, satisfied by derivations.notation:lookup\n" in run("explain", "M.2").out


def test_explain_shows_a_measured_part_alone_and_below_its_claim(plant, run) -> None:
    plant(planted())
    alone, whole = run("explain", "M.3b").out, run("explain", "M.3").out
    assert "part M.3b\n" in alone and "claim M.3\n" not in alone
    assert "part M.3b\n" in whole and "rests on\n" in whole


def test_what_is_measured_is_no_lemma(plant, run) -> None:
    from planted_claims import resting_on

    plant([*planted(), claim(assertion("M.4", "proved", TRUE, argument=resting_on("M.1")))])
    result = run("verify", "M.4")
    assert result.code == 2
    assert result.err == "Error: M.4: M.1 is measured: the checker does not judge it\n"
