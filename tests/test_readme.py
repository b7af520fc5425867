"""The README shows what the checker prints, and its code runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from derivations import Ledger

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)\n?```", README, re.DOTALL)


@pytest.mark.parametrize(("place", "identifier"), [(0, "PG.3"), (1, "TR.1")])
def test_the_claims_are_shown_as_the_checker_prints_them(place: int, identifier: str) -> None:
    assert blocks("text")[place] == repr(Ledger().verdict(identifier))


def test_one_is_proved_and_one_refuted() -> None:
    assert [block.split()[1] for block in blocks("text")] == ["proved", "refuted"]


def test_a_line_of_the_reader_is_judged_in_five_lines() -> None:
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line]) <= 5
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert done.stdout.startswith("✓ proved")


def test_every_command_that_is_named_exists() -> None:
    from derivations.cli import main

    named = set(re.findall(r"^derivations (\w+)", "\n".join(blocks("sh")), re.MULTILINE))
    assert named and named <= set(main.commands)  # type: ignore[attr-defined]


def test_the_make_targets_exist() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_without_make_the_same_tests_are_run() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^test: .*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    written = [line for block in blocks("sh") for line in re.findall(r"^\.venv/bin/pytest.*", block, re.MULTILINE)]
    assert written == [line.strip().replace("$(python) -m ", ".venv/bin/") for line in recipe.splitlines()]
