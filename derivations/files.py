"""Files are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file beside its place first, then puts it there in one move; an old one keeps its permissions.

    Raises OSError, naming the file, where that cannot be done; then what was there is as it was.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with naming(path):
            with beside.open("wb", buffering=0) as file:
                write_all(file.fileno(), data)
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, beside)
            os.replace(beside, path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes) -> None:
    """Hands all the bytes to the system, in as many parts as it takes them. Raises OSError where it takes no more."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What the system refuses within names the file: it does not say by itself which write had no room."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def half_written(folder: Path, names: Collection[str]) -> list[Path]:
    """What `write_whole` left in a folder when its process was killed while it wrote one of these files."""
    found = ((path, re.fullmatch(r"\.(.+)\.\d+", path.name)) for path in sorted(folder.iterdir()))
    return [path for path, match in found if match and match[1] in names]


def hash_of(files: Iterable[tuple[str, Path]]) -> str:
    """The SHA-256 of files, each with the name that it goes by, in the order given."""
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
