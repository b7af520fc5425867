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
    from derivations.ledger import Finding
    from derivations.records import Record
    from derivations.sections.claim import Assertion, Entry

# --- findings as objects --------------------------------------------------------------------------------------------


def as_json(findings: Iterable[Finding]) -> str:
    """A list with an object for each finding."""
    return json.dumps([finding_as_object(finding) for finding in findings], ensure_ascii=False, indent=2)


def finding_as_object(finding: Finding) -> dict[str, Any]:
    """A finding as an object of texts, numbers, lists and objects."""
    claim, record = finding.claim, finding.record
    return {
        "id": claim.id,
        "section": claim.section,
        "tag": claim.tag,
        "statement": claim.main.words,
        "reading": claim.reading,
        "stated": claim.main.stated,
        "found": record.status,
        "method": record.method,
        "assumptions": list(record.assumptions),
        "axioms": list(record.axioms),
        "counterexample": record.counterexample,
        "correction": _correction(claim.correction, finding.correction),
        "parts": [_part(part, found) for part, found in finding.parts],
        "steps": list(record.steps),
        "seconds": finding.seconds,
    }


def _part(part: Entry, record: Record) -> dict[str, Any]:
    return {
        "id": part.id,
        "statement": part.words,
        "stated": part.stated,
        "found": record.status,
        "counterexample": record.counterexample,
    }


def _correction(correction: Assertion | None, record: Record | None) -> dict[str, Any] | None:
    if correction is None or record is None:
        return None
    return {
        "id": correction.id,
        "statement": correction.words,
        "found": record.status,
        "method": record.method,
    }


# --- the file -------------------------------------------------------------------------------------------------------


def destination(given: str, option: str = "--json") -> Path:
    """The file that a path names, if it can be written; a link is followed. Found out before the work is done."""
    path = Path(given).expanduser().resolve()
    if not path.parent.is_dir():
        raise BadInput(f"{option} {given}: the folder {path.parent} does not exist")
    if path.exists() and not path.is_file():
        # Replacing a device such as /dev/null by a file would break more than this run.
        raise BadInput(f"{option} {given}: {path} is not a file")
    if not os.access(path.parent, os.W_OK):
        raise BadInput(f"{option} {given}: the folder {path.parent} is not writable")
    if path.exists() and not os.access(path, os.W_OK):
        raise BadInput(f"{option} {given}: {path} is not writable")
    return path


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file whole or not at all: beside its place first, then put there in one move."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, beside)
        os.replace(beside, path)
    except OSError as error:
        raise BadInput(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
