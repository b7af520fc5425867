"""What nbval does not see: a cell that was never run is not compared, an error in the output passes unread."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from derivations import Ledger

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_is_a_tour() -> None:
    assert [path.name for path in NOTEBOOKS][:1] == ["00_tour.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_every_code_cell_was_run_in_order(path: Path) -> None:
    counts = [cell["execution_count"] for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_no_output_is_an_error_or_a_warning(path: Path) -> None:
    for cell in code_cells(path):
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_cells_are_short(path: Path) -> None:
    assert all(len(cell["source"]) <= 20 for cell in code_cells(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_no_time_and_no_path_of_a_machine_is_kept(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for trace in ('"execution": {', "/home/", "/root/", "/work/", "/tmp/", " seconds"):
        assert trace not in text, trace


SECTIONS = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")
OF_A_SECTION = [path for path in NOTEBOOKS if 1 <= int(path.name[:2]) < len(SECTIONS)]


@pytest.mark.parametrize("path", OF_A_SECTION, ids=lambda p: p.name)
def test_every_claim_of_the_section_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    section = SECTIONS[int(path.name[:2])]
    wanted = [identifier for identifier, claim in Ledger().claims.items() if claim.section == section]
    assert wanted and [name for name in wanted if not re.search(rf"{re.escape(name)}(?!\d)", text)] == []


@pytest.mark.parametrize("path", OF_A_SECTION, ids=lambda p: p.name)
def test_verdicts_are_said_by_the_checker_alone(path: Path) -> None:
    """No text says of an identifier, on the same line, what the checker is there to say."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            for line in "".join(cell["source"]).splitlines():
                verdict = re.search(r"\b(proved|refuted|conditional)\b", line)
                assert not (verdict and re.search(r"\b[A-Z]{2,3}\.\d", line)), line


def test_the_table_names_every_notebook() -> None:
    table = (NOTEBOOKS[0].parent / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[\d\d\]\((.*?)\)", table, re.MULTILINE) == [path.name for path in NOTEBOOKS]


# --- what a reader needs who does not see, or learns alone ----------------------------------------------------------


def markdown(cell: dict[str, Any]) -> str:
    return "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""


def all_cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def kinds(cell: dict[str, Any]) -> list[str]:
    """The MIME types of what a cell shows."""
    return [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]


def headings(path: Path) -> list[int]:
    """The levels of the headings, in order; what stands between ``` is code."""
    text = "\n".join(markdown(cell) for cell in all_cells(path))
    return [len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_headings_are_in_order(path: Path) -> None:
    """One at the top, and no level is skipped: with a screen reader one goes from heading to heading."""
    levels = headings(path)
    assert levels[0] == 1 and levels.count(1) == 1
    assert [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_each_picture_is_said_in_words_first(path: Path) -> None:
    """Between one picture and the next stands a text with "*The picture:*", for those who do not see it."""
    said = False
    for number, cell in enumerate(all_cells(path)):
        said |= "*The picture:*" in markdown(cell)
        shown = kinds(cell).count("image/png")
        assert shown <= said, f"cell {number}: {shown} pictures, of which no text before them says what is seen"
        said &= not shown


COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_the_table_counts_the_figures(path: Path) -> None:
    """Its last column: the number of pictures, or none, and how many of them have a slider beside them."""
    shown = [kind for cell in code_cells(path) for kind in kinds(cell)]
    pictures, sliders = shown.count("image/png"), shown.count("application/vnd.jupyter.widget-view+json")
    said = str(pictures) if pictures else "none"
    if sliders:
        said += f", {COUNTS[sliders]} with {'a slider' if sliders == 1 else 'sliders'}"
    table = (path.parent / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in table.splitlines() if f"]({path.name})" in line]
    assert row.split("|")[-2].strip() == said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_it_ends_with_exercises_hints_and_solutions(path: Path) -> None:
    """Three to six exercises, a code cell that checks it after each, then as many hints, then as many solutions."""
    cells = all_cells(path)
    at = [number for number, cell in enumerate(cells) if re.search(r"^## Exercises$", markdown(cell), re.M)]
    assert len(at) == 1
    last = cells[at[0] :]
    asked = [number for number, cell in enumerate(last) if re.search(r"^(?:\*\*)?\d\.(?:\*\*)? ", markdown(cell), re.M)]
    hidden = [number for number, cell in enumerate(last) if "<details>" in markdown(cell)]
    exercises = [number for number in asked if number not in hidden]
    assert 3 <= len(exercises) <= 6
    unchecked = [number for number in exercises if last[number + 1]["cell_type"] != "code"]
    assert unchecked == [], "an exercise has no cell that checks it"
    text = "\n".join(markdown(cell) for cell in last)
    blocks = re.findall(r"<details><summary>(Hints?|Solutions)</summary>(.*?)</details>", text, re.S)
    assert len(blocks) == text.count("<details>") == text.count("</details>"), (
        "a block is neither of hints nor of solutions"
    )
    for wanted in ("Hint", "Solution"):
        inside = "\n".join(inside for summary, inside in blocks if summary.startswith(wanted))
        numbers = re.findall(r"^(\d)\. ", inside, re.M)
        assert numbers == [str(number) for number in range(1, len(exercises) + 1)], (
            f"{wanted}s: not one for each exercise"
        )
