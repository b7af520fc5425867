"""`make badges`: what it puts into the notebooks and their table, and that it does so wholly, once, and anywhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIRST, SECOND = "someone/derivations", "Other-1/a.fork_of-it"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the notebooks, as far as possible without badges."""
    copy = tmp_path / "notebooks"
    copy.mkdir()
    for path in [*(ROOT / "notebooks").glob("*.ipynb"), ROOT / "notebooks/README.md"]:
        shutil.copy(path, copy)
    return copy


def run(folder: Path, *given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci/badges.py"), "--notebooks", str(folder), *given]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=ROOT)


def put(folder: Path, repository: str, *given: str) -> dict[str, bytes]:
    done = run(folder, repository, *given)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_each_notebook_opens_in_both_from_its_head_and_from_the_table(folder: Path) -> None:
    found = {name: data.decode() for name, data in put(folder, FIRST).items()}
    table = found.pop("README.md")
    assert len(found) >= 7
    for name, text in found.items():
        binder = f"https://mybinder.org/v2/gh/{FIRST}/main?labpath=notebooks%2F{name}"
        colab = f"https://colab.research.google.com/github/{FIRST}/blob/main/notebooks/{name}"
        head = "".join(json.loads(text)["cells"][0]["source"])
        (row,) = [line for line in table.splitlines() if f"]({name})" in line]
        for link in (binder, colab):
            assert head.count(f"({link})") == row.count(f"({link})") == 1
        assert head.startswith("# ") and head.splitlines()[2].startswith("[![Open in Binder]")


def test_colab_installs_what_is_missing_before_anything_else(folder: Path) -> None:
    before = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.ipynb")}
    put(folder, FIRST)
    for name, old in before.items():
        new = json.loads((folder / name).read_text(encoding="utf-8"))
        added, *others = [cell for cell in new["cells"] if cell["cell_type"] == "code"]
        source = "".join(added["source"])
        assert 'find_spec("derivations") is None' in source
        assert f'%pip install -q "derivations[train] @ git+https://github.com/{FIRST}@main"' in source
        assert (added["outputs"], added["execution_count"]) == ([], 1)
        was = [cell for cell in old["cells"] if cell["cell_type"] == "code" and cell["id"] != added["id"]]
        assert [cell["source"] for cell in others] == [cell["source"] for cell in was]
        assert [cell["execution_count"] for cell in others] == list(range(2, len(was) + 2))
        for cell in others:
            counts = [output["execution_count"] for output in cell["outputs"] if "execution_count" in output]
            assert set(counts) <= {cell["execution_count"]}


def test_the_notebooks_still_pass_their_tests(tmp_path: Path, folder: Path) -> None:
    put(folder, FIRST)
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests/test_notebooks.py", tmp_path / "tests")
    checked = "in_order or error or short or machine or table"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", checked, "tests"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--config",
        str(ROOT / "pyproject.toml"),
        "--no-cache",
        "--select",
        "E",
    ]
    done = subprocess.run([*ruff, str(folder)], capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_second_call_changes_no_byte(folder: Path) -> None:
    once = put(folder, FIRST)
    assert put(folder, FIRST) == once


def test_another_address_leaves_nothing_of_the_one_before(folder: Path, tmp_path: Path) -> None:
    direct = tmp_path / "direct"
    shutil.copytree(folder, direct)
    put(folder, FIRST)
    moved = put(folder, SECOND, "--branch", "next")
    assert moved == put(direct, SECOND, "--branch", "next")
    assert not any(FIRST.encode() in data for data in moved.values())


def test_nothing_else_is_changed(folder: Path) -> None:
    """Less the badges and the cell, the notebooks are what they were, byte for byte as nbformat writes them."""
    before = contents(folder)
    put(folder, FIRST)
    for path in folder.glob("*.ipynb"):
        new, old = (json.loads(data) for data in (path.read_bytes(), before[path.name]))
        assert f"{json.dumps(old, ensure_ascii=False, indent=1, sort_keys=True)}\n".encode() == before[path.name]
        kept = [cell for cell in new["cells"] if cell["id"] != "install-on-colab"][1:]
        was = [cell for cell in old["cells"] if cell["id"] != "install-on-colab"][1:]
        assert [(cell["id"], cell["source"]) for cell in kept] == [(cell["id"], cell["source"]) for cell in was]
        assert new["metadata"] == old["metadata"]


@pytest.mark.parametrize(
    "wrong",
    ["", "x", "a/", "/b", "a/b/c", "a b/c", "a-/b", "a--b/c\n", "a/b.git", "a/..", "a/b?c", "https://github.com/a/b"],
)
def test_a_malformed_name_is_refused(folder: Path, wrong: str) -> None:
    before = contents(folder)
    done = run(folder, wrong)
    assert done.returncode == 2 and "expected owner/name, as in github.com/owner/name" in done.stderr
    assert contents(folder) == before


def test_a_malformed_branch_is_refused(folder: Path) -> None:
    done = run(folder, FIRST, "--branch", "a b")
    assert done.returncode == 2 and "the branch is 'a b'" in done.stderr


@pytest.mark.parametrize("broken", ["no row", "no title", "no JSON"])
def test_all_files_are_written_or_none(folder: Path, broken: str) -> None:
    last = sorted(folder.glob("*.ipynb"))[-1]
    if broken == "no row":
        table = (folder / "README.md").read_text(encoding="utf-8")
        (folder / "README.md").write_text(table.replace(f"]({last.name})", "](elsewhere.ipynb)"), encoding="utf-8")
    elif broken == "no title":
        notebook = json.loads(last.read_text(encoding="utf-8"))
        notebook["cells"][0]["source"] = ["no title"]
        last.write_text(json.dumps(notebook), encoding="utf-8")
    else:
        last.write_text("{", encoding="utf-8")
    before = contents(folder)
    done = run(folder, FIRST)
    assert done.returncode == 1
    assert last.name in done.stderr and "Nothing was changed." in done.stderr and "Traceback" not in done.stderr
    assert contents(folder) == before


def test_where_one_cannot_be_written_the_others_get_back_what_they_held(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    import badges

    before, write = contents(folder), badges.write_whole

    def full(path: Path, data: bytes) -> None:
        if path.name == "README.md" and data != before["README.md"]:
            raise OSError("no room")
        write(path, data)

    monkeypatch.setattr(badges, "write_whole", full)
    with pytest.raises(OSError, match="no room"):
        badges.write_all_or_none(badges.changed(folder, FIRST, "main"))
    assert contents(folder) == before
