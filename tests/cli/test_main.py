"""The group of commands: it starts without an engine, names wrong usage in one line, and has a status for each end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from derivations.checker.errors import BadInput, EngineDisagreement
from derivations.cli import screen

ENGINES = {"sympy", "z3", "flint", "torch", "numpy"}


def imported_by(*arguments: str) -> tuple[set[str], str]:
    """The top-level modules that `python -m derivations` imports with these arguments, and what it prints."""
    command = [sys.executable, "-X", "importtime", "-m", "derivations", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    return {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}, done.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["verify", "--help"], ["explain", "-h"], ["notation"], ["notation", "pi"]]
)
def test_no_engine_is_imported_where_nothing_is_judged(arguments: list[str]) -> None:
    modules, shown = imported_by(*arguments)
    assert "click" in modules, "the modules that are imported are not seen"
    assert not modules & ENGINES
    assert shown.strip()


def test_the_engines_would_be_seen_if_they_were_imported() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import derivations.ledger"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {line.split("|")[-1].strip() for line in done.stderr.splitlines()} & ENGINES


def test_help_lists_the_commands(run) -> None:
    result = run("--help")
    assert result.code == 0
    for name in ("verify", "explain", "notation"):
        assert re.search(rf"^  {name} +\S", result.out, re.MULTILINE)


def test_the_version_is_that_of_the_package(run) -> None:
    from importlib.metadata import version

    result = run("--version")
    assert (result.code, result.out.strip()) == (0, f"derivations, version {version('derivations')}")


@pytest.mark.parametrize("arguments", [["prove"], ["verify", "--sections", "IV"], ["explain"], ["explain", "A", "B"]])
def test_a_wrong_command_or_option_ends_in_2(run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert "Usage:" in result.err


@pytest.mark.parametrize("command", [["verify"], ["explain", "T.1"]])
@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (BadInput("what was given\nis wrong"), 2, "Error: what was given is wrong\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_how_an_error_before_the_first_claim_ends(monkeypatch, run, command, raised, code, told) -> None:
    def fails(**_: object) -> None:
        raise raised

    monkeypatch.setattr(screen, "all_claims", fails)
    assert run(*command) == (code, "", told)


@pytest.mark.parametrize("command", [["verify"], ["explain", "T.1"]])
def test_a_disagreement_of_engines_ends_in_3(monkeypatch, run, command) -> None:
    def fails(**_: object) -> None:
        raise EngineDisagreement("one says this\nand one says that")

    monkeypatch.setattr(screen, "all_claims", fails)
    result = run(*command)
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("Error: two engines disagree")
    assert "one says this\nand one says that" in result.err


def test_an_error_that_nobody_raised_on_purpose_is_not_hidden(monkeypatch, run) -> None:
    def fails(**_: object) -> None:
        raise RuntimeError("a fault of the package")

    monkeypatch.setattr(screen, "all_claims", fails)
    with pytest.raises(RuntimeError, match="a fault of the package"):
        run("verify")


def test_formulas_are_written_where_the_locale_knows_only_ascii(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "derivations", "notation", "pi_ref"]
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C", "PATH": ""}
    done = subprocess.run(command, capture_output=True, env=ascii_only, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert "π_ref" in done.stdout.decode("utf-8")


def test_where_it_is_no_terminal_the_width_is_fixed_and_nothing_is_coloured() -> None:
    command = [sys.executable, "-m", "derivations", "notation"]
    forced = {"FORCE_COLOR": "1", "COLUMNS": "50", "TERM": "xterm-256color", "PATH": ""}
    root = Path(__file__).parents[2]
    shown = subprocess.run(command, capture_output=True, env=forced, cwd=root, check=True).stdout.decode("utf-8")
    assert "\x1b" not in shown
    # A combining hat takes no room.
    assert max(len(line.replace("\u0302", "")) for line in shown.splitlines()) == screen.WIDTH
