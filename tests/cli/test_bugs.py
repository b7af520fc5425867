"""derivations bugs: the zoo as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from derivations.algorithms.bugs import BUGS


def test_every_bug_is_listed_with_what_it_does_and_its_example(run) -> None:
    result = run("bugs")
    assert (result.code, result.err) == (0, "")
    told = " ".join(result.out.split())
    for bug in BUGS:
        assert f" {bug.name} " in told
    assert "right: 1, 11/5, 12/5, −8/5, −11/5, −3" in told
    assert told.endswith("44 forms of 30 bugs")


def test_some_of_them(run) -> None:
    result = run("bugs", "k1_as_loss", "kl_averaged")
    assert result.code == 0
    assert "Differentiates k1 as a loss; its gradient is the score ∇log π, which is 0 on average." in result.out
    assert "right: 3/16 ln 3" in result.out
    assert result.out.splitlines()[-1] == "2 forms of 2 bugs"


def test_those_of_a_right_function_also_where_they_are_at_home_elsewhere(run) -> None:
    listed = json.loads(run("bugs", "--like", "cpi", "--json", "-").out)
    assert [each["name"] for each in listed] == [
        bug.name for bug in BUGS if "cpi" in (bug.like, *(like for like, _ in bug.others))
    ]
    assert listed
    assert all("cpi" in each["like"] for each in listed)


def test_json_has_all_that_is_known(run, tmp_path: Path) -> None:
    target = tmp_path / "bugs.json"
    assert run("bugs", "--json", target).code == 0
    written = json.loads(target.read_text(encoding="utf-8"))
    assert [each["name"] for each in written] == [bug.name for bug in BUGS]
    (one,) = [each for each in written if each["name"] == "truncation_as_termination"]
    assert one == {
        "name": "truncation_as_termination",
        "kind": "truncation treated as termination",
        "like": ["gae"],
        "does": "Counts nothing behind a cut, where the value of the state reached belongs: off by −γ/(1 − γ).",
        "example": {
            "setting": "r = 1 for ever, γ = ½, V = 1/(1 − γ), cut after one step: the advantage",
            "right": "0",
            "wrong": "−1",
        },
        "claims": ["AD.20"],
    }


def test_json_on_standard_output_stands_alone_there(run) -> None:
    result = run("bugs", "beta_twice", "--json", "-")
    assert json.loads(result.out)[0]["name"] == "beta_twice"
    assert "1 form of 1 bug\n" in result.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["k4_as_loss"], "Error: bug 'k4_as_loss' is not known; expected one of k1_as_loss, "),
        (["--like", "ppo"], "Error: function 'ppo' is not known; expected one of kl_loss, penalised_rewards"),
        (["--json", "nowhere/bugs.json"], "Error: --json nowhere/bugs.json: "),
    ],
)
def test_2_for_what_is_not_there(run, arguments: list[str], told: str) -> None:
    result = run("bugs", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(told)
