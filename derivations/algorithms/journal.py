"""Lines of JSON that are added to a file whole, one after another, and can be taken back to what stood there at a mark."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from derivations.files import naming, write_all, write_whole
from toy_envs.errors import BadInput


@dataclass(frozen=True)
class Mark:
    """The beginning of a file: so many bytes, and their SHA-256."""

    size: int = 0
    sha256: str = hashlib.sha256().hexdigest()


def kept(path: Path, mark: Mark) -> bytes:
    """What stood in a file at a mark. Raises BadInput where that is there no longer; what came after it is left out."""
    data = path.read_bytes() if path.exists() else b""
    if len(data) < mark.size:
        raise BadInput(f"{path} has {len(data)} bytes; expected at least the {mark.size} that the checkpoint knows")
    before = data[: mark.size]
    if hashlib.sha256(before).hexdigest() != mark.sha256:
        raise BadInput(f"{path}: its first {mark.size} bytes are not those that the checkpoint knows; expected them")
    return before


class Journal:
    """A file of JSON lines that grows.

    Parameters: `path`, and the bytes `before` with which it begins: what else is in the file is taken away. Raises
    OSError, naming the file, where it cannot be written; then it still ends with a whole line, if the system can do that.
    """

    def __init__(self, path: Path, before: bytes = b"") -> None:
        self.path, self.size, self.digest = path, len(before), hashlib.sha256(before)
        if not path.exists() or path.stat().st_size != self.size:
            write_whole(path, before)
        with naming(path):
            self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))

    def add(self, rows: Iterable[Mapping[str, object]]) -> None:
        """A line for each row."""
        data = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
        try:
            with naming(self.path):
                write_all(self.descriptor, data)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.descriptor, self.size)
            raise
        self.size += len(data)
        self.digest.update(data)

    def mark(self) -> Mark:
        """Where the file stands, once all of it is on the disk."""
        with naming(self.path):
            os.fsync(self.descriptor)
        return Mark(self.size, self.digest.hexdigest())

    def close(self) -> None:
        """Nothing is added after that."""
        os.close(self.descriptor)
