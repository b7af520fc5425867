"""Launch badges for Binder and Colab, in the table of the notebooks and at the head of each:

    python .ci/badges.py OWNER/NAME [--branch BRANCH] [--notebooks FOLDER]

Binder makes its environment from environment.yml. Colab has none, so that a first cell installs there what is missing; the
numbers of the other cells go up by one, as if all had been run. A second call changes nothing, and one with another address
moves all to that. Either every file is written, or none.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from derivations.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
OWNER, NAME = r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?!/)){0,38}", r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}(?<!\.git)"
BADGES = re.compile(r"\[!\[Open in Binder\]\S+ \[!\[Open in Colab\]\S+")
INSTALL = "install-on-colab"  # the id of its cell


class Refused(Exception):
    """What is asked for cannot be done; nothing was written."""


def badges(repository: str, branch: str, notebook: str) -> str:
    """Two pictures that open a notebook, as Markdown on one line."""
    binder = f"https://mybinder.org/v2/gh/{repository}/{branch}?labpath=notebooks%2F{notebook}"
    colab = f"https://colab.research.google.com/github/{repository}/blob/{branch}/notebooks/{notebook}"
    return (
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})"
        f" [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab})"
    )


def installation(repository: str, branch: str) -> list[str]:
    """The source of the cell that does nothing where the package is there; Colab has Jupyter and matplotlib."""
    return [
        "import importlib.util\n",
        "\n",
        'if importlib.util.find_spec("derivations") is None:  # as on Colab\n',
        f'    %pip install -q "derivations[train] @ git+https://github.com/{repository}@{branch}"',
    ]


def without(text: str) -> str:
    """A text without the badges that an earlier call has put there."""
    return re.sub(rf"(?:\n\n| )?{BADGES.pattern}", "", text)


def with_badges(table: str, links: dict[str, str]) -> str:
    """The table, with the badges of each notebook behind its link. Raises Refused where one has no row."""
    table = without(table)
    for notebook, link in links.items():
        row = re.compile(rf"^(\| \[\d\d\]\({re.escape(notebook)}\))", re.MULTILINE)
        table, found = row.subn(lambda match, link=link: f"{match[1]} {link}", table)
        if found != 1:
            raise Refused(f"README.md: {found} rows for {notebook}; expected one")
    return table


def with_head(notebook: dict[str, Any], link: str, source: list[str]) -> None:
    """Puts the badges below the title, and the cell that installs behind the first text."""
    cells = notebook["cells"]
    head = "".join(cells[0]["source"]) if cells and cells[0]["cell_type"] == "markdown" else ""
    title, _, rest = without(head).partition("\n")
    if not title.startswith("# "):
        raise Refused("its first cell does not begin with a title")
    cells[0]["source"] = f"{title}\n\n{link}\n{rest}".rstrip("\n").splitlines(keepends=True)
    if any(cell.get("id") == INSTALL for cell in cells):
        (cell,) = (cell for cell in cells if cell["id"] == INSTALL)
        cell["source"] = source
        return
    for cell in cells:
        for counted in (cell, *cell.get("outputs", [])):
            if counted.get("execution_count") is not None:
                counted["execution_count"] += 1
    ran = any(cell.get("execution_count") for cell in cells)
    first = {"cell_type": "code", "id": INSTALL, "metadata": {}, "outputs": [], "source": source}
    cells.insert(1, {**first, "execution_count": 1 if ran else None})


def changed(folder: Path, repository: str, branch: str) -> dict[Path, bytes]:
    """What each file should hold. Raises Refused where one is not as expected, OSError where it cannot be read."""
    found, links = {}, {}
    for path in sorted(folder.glob("*.ipynb")):
        links[path.name] = badges(repository, branch, path.name)
        try:
            notebook = json.loads(path.read_text(encoding="utf-8"))
            with_head(notebook, links[path.name], installation(repository, branch))
        except (ValueError, KeyError, TypeError, Refused) as error:
            raise Refused(f"{path.name}: {error}") from error
        text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)  # as nbformat writes it
        found[path] = f"{text}\n".encode()
    if not found:
        raise Refused(f"{folder}: there is no notebook")
    table = folder / "README.md"
    found[table] = with_badges(table.read_text(encoding="utf-8"), links).encode()
    return found


def write_all_or_none(files: dict[Path, bytes]) -> None:
    """Writes files, each in one move; where one cannot be written the others get back what they held."""
    before = {path: path.read_bytes() for path in files}
    done = []
    try:
        for path, data in files.items():
            if data != before[path]:
                write_whole(path, data)
                done.append(path)
    except BaseException:
        for path in done:
            write_whole(path, before[path])
        raise


def main() -> int:
    parser = argparse.ArgumentParser(prog=".ci/badges.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("repository", metavar="OWNER/NAME", help="where it is on GitHub")
    parser.add_argument("--branch", default="main", help="the branch that is opened")
    parser.add_argument("--notebooks", type=Path, default=ROOT / "notebooks", metavar="FOLDER", help="of the notebooks")
    given = parser.parse_args()
    if not re.fullmatch(f"{OWNER}/{NAME}", given.repository):
        parser.error(f"the repository is {given.repository!r}; expected owner/name, as in github.com/owner/name")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", given.branch):
        parser.error(f"the branch is {given.branch!r}; expected letters, digits, '.', '_' and '-'")
    try:
        write_all_or_none(changed(given.notebooks, given.repository, given.branch))
    except (Refused, OSError) as error:
        print(f"{error}. Nothing was changed.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
