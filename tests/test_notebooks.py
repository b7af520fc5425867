"""What nbval does not see: a cell that was never run is not compared, an error in the output passes unread."""

from __future__ import annotations

import json
import re
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
