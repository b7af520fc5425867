"""What was found of claims, as JSON, and the file that it is written to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derivations.checker.errors import BadInput

if TYPE_CHECKING:
    from derivations.checker.verdict import Verdict
    from derivations.checker.worlds import Element, Table, World
    from derivations.ledger import Finding
    from derivations.sections.claim import Assertion

# --- findings as objects --------------------------------------------------------------------------------------------


def as_json(findings: Iterable[Finding]) -> str:
    """A list with an object for each finding."""
    return json.dumps([record(finding) for finding in findings], ensure_ascii=False, indent=2)


def record(finding: Finding) -> dict[str, Any]:
    """A finding as an object of texts, numbers, lists and objects."""
    claim, verdict = finding.claim, finding.verdict
    return {
        "id": claim.id,
        "section": claim.section,
        "tag": claim.tag,
        "statement": claim.main.words,
        "reading": claim.reading,
        "stated": claim.main.stated,
        "found": verdict.status,
        "method": verdict.method,
        "assumptions": list(verdict.assumptions),
        "axioms": list(verdict.axioms),
        "counterexample": _counterexample(verdict),
        "correction": _correction(claim.correction, finding.correction),
        "parts": [_part(part, found) for part, found in finding.parts],
        "steps": _steps(verdict),
        "seconds": finding.seconds,
    }


def _part(part: Assertion, verdict: Verdict) -> dict[str, Any]:
    return {
        "id": part.id,
        "statement": part.words,
        "stated": part.stated,
        "found": verdict.status,
        "counterexample": _counterexample(verdict),
    }


def _correction(correction: Assertion | None, verdict: Verdict | None) -> dict[str, Any] | None:
    if correction is None or verdict is None:
        return None
    return {
        "id": correction.id,
        "statement": correction.words,
        "found": verdict.status,
        "method": verdict.method,
    }


def _steps(verdict: Verdict) -> list[dict[str, str]]:
    from derivations.checker.printing import TEXT
    from derivations.checker.report import layout_for

    layout = layout_for(TEXT, verdict)
    return [
        {
            "lhs": layout.write(step.left),
            "relation": TEXT.relation(step.relation).strip(),
            "rhs": layout.write(step.right),
            "reason": step.reason,
            "method": step.method,
        }
        for step in verdict.steps
    ]


def _counterexample(verdict: Verdict) -> dict[str, Any] | None:
    """The world that refutes a statement, or that proves a statement of existence (then the method is “example”)."""
    from derivations.checker.worlds import World

    example = verdict.counterexample
    if example is None:
        return None
    if not isinstance(example, World):
        return {"text": repr(example)}
    left, right = map(_plain, verdict.sides) if verdict.sides else (None, None)
    return {**_world(example), "left": left, "right": right}


def _world(world: World) -> dict[str, Any]:
    tables = sorted(world.tables.items(), key=lambda pair: pair[0].name)
    slopes = {
        f"{nabla}{f.name}": moving
        for f, table in tables
        for order, nabla in ((1, "∇"), (2, "∇²"))
        if (moving := _values(table, order, zeros=False))
    }
    return {
        "sizes": {sort.name: size for sort, size in world.sizes.items()},
        "lengths": {sort.name: length for sort, length in world.lengths.items()},
        "indices": {i.name: list(at) if isinstance(at, tuple) else at for i, at in world.indices.items()},
        "tables": {f.name: _values(table, 0) for f, table in tables},
        "slopes": slopes,
    }


def _values(table: Table, order: int, zeros: bool = True) -> dict[str, str] | str | None:
    """The values of a function, or their derivatives in θ, by its arguments; of a parameter, the one value."""
    from derivations.checker import reals

    kept = {
        _place(at): _plain(reals.show(jet[order]))
        for at, jet in table.items()
        if len(jet) > order and (zeros or reals.sign(jet[order]) != 0)
    }
    return kept.get("") if set(table) == {()} else kept


def _plain(number: str) -> str:
    """A number that Python's Fraction reads: the minus sign of the printed one is a hyphen."""
    return number.replace("−", "-")


def _place(at: tuple[Element, ...]) -> str:
    """Arguments as a key: "0, 1", and "(0, 1), 0" where the first is a history."""
    return ", ".join(f"({', '.join(map(str, e))})" if isinstance(e, tuple) else str(e) for e in at)


# --- the file -------------------------------------------------------------------------------------------------------


def destination(given: str) -> Path:
    """The file that a path names, if it can be written; a link is followed. Found out before the work is done."""
    path = Path(given).expanduser().resolve()
    if not path.parent.is_dir():
        raise BadInput(f"--json {given}: the folder {path.parent} does not exist")
    if path.exists() and not path.is_file():
        # Replacing a device such as /dev/null by a file would break more than this run.
        raise BadInput(f"--json {given}: {path} is not a file")
    if not os.access(path.parent, os.W_OK):
        raise BadInput(f"--json {given}: the folder {path.parent} is not writable")
    if path.exists() and not os.access(path, os.W_OK):
        raise BadInput(f"--json {given}: {path} is not writable")
    return path


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all: beside its place first, then put there in one move."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, beside)
        os.replace(beside, path)
    except OSError as error:
        raise BadInput(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
