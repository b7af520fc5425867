"""Results kept between runs, each under the content key of what was judged.

A verdict comes from the checker, never from a table. A kept result is one of the checker's all the same: it is found only
under a digest of the statement, its argument, its lemmas, the checker's source and its engines, so it is what the checker
said of exactly this and would say again. `unknown` is not kept, since more time may settle it; a counterexample is not
believed but evaluated again; and no Verdict is made of what is kept, only the record of one.

Each result is one JSON file, written beside its place and put there in one move, so that two processes do no harm to each
other and an interrupted one leaves nothing half-written. A digest over key and content stands in it: a file that is
damaged, cut off, changed by hand or put in another's place is thrown away and its claim judged again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from derivations.checker.errors import BadInput
from derivations.records import Record, as_object, from_object

VARIABLE = "DERIVATIONS_CACHE"
SUFFIX = ".json"
UNUSED_DAYS = 60
DAY = 24 * 60 * 60


def cache_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path | None:
    """The folder for what can be made again: $DERIVATIONS_CACHE, or this user's cache folder on this system.

    None where the user has no home: a folder that all share holds nobody's results.
    """
    given = environment.get(VARIABLE)
    if given:
        return Path(given).absolute()
    try:
        return _user_cache(environment, platform) / "derivations"
    except RuntimeError:
        return None


def _user_cache(environment: Mapping[str, str], platform: str) -> Path:
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if platform == "darwin":
        return Path.home() / "Library" / "Caches"
    chosen = environment.get("XDG_CACHE_HOME", "")
    # What is not absolute is to be ignored, says the XDG Base Directory Specification.
    return Path(chosen) if chosen.startswith("/") else Path.home() / ".cache"


class Store:
    """The kept results in a folder. What cannot be read or written is as if it were not kept."""

    def __init__(self, folder: Path | None = None, *, fresh: bool = False) -> None:
        given = cache_folder() if folder is None else folder
        self.folder = None if given is None else given / "results"
        self.fresh = fresh
        self.trouble = ""
        self._swept = False

    def get(self, key: str) -> Record | None:
        """The result kept under a key; None where there is none, or none that is whole."""
        if self.fresh or self.folder is None:
            return None
        path = self.folder / (key + SUFFIX)
        try:
            record = _read(path, key)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            self.discard(key)
            return None
        _note_use(path)
        return record

    def put(self, key: str, record: Record) -> None:
        """Keeps a result; a result that is not settled is not kept."""
        if record.status == "unknown" or not record.judged or self.folder is None:
            return
        body = as_object(record)
        text = json.dumps({"key": key, "digest": _digest(key, body), "record": body}, ensure_ascii=False)
        path = self.folder / (key + SUFFIX)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep(self.folder)
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, path)
        except OSError as error:
            # Judging goes on without: what cannot be kept is judged again another time.
            self.trouble = f"{self.folder}: {error.strerror or error}"
            with suppress(OSError):
                beside.unlink()

    def discard(self, key: str) -> None:
        """Throws a result away."""
        if self.folder is not None:
            with suppress(OSError):
                (self.folder / (key + SUFFIX)).unlink()

    def _sweep(self, folder: Path) -> None:
        """Once in a run that keeps something: removes what nothing has used for long, such as an older checker's."""
        if self._swept:
            return
        self._swept = True
        oldest = time.time() - UNUSED_DAYS * DAY
        for path in folder.iterdir():
            with suppress(OSError):
                if SUFFIX in path.suffixes and path.stat().st_mtime < oldest:
                    path.unlink()


def _read(path: Path, key: str) -> Record:
    given = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(given, dict) or set(given) != {"key", "digest", "record"}:
        raise BadInput(f"{path} holds no result")
    if given["key"] != key or given["digest"] != _digest(key, given["record"]):
        raise BadInput(f"{path} is not what was written there")
    return from_object(given["record"], kept=True)


def _digest(key: str, body: Any) -> str:
    """A digest of a result and of the key that it belongs to."""
    canonical = json.dumps(body, ensure_ascii=True, sort_keys=True)
    return blake2b(canonical.encode(), key=key.encode()[:64], digest_size=20).hexdigest()


def _note_use(path: Path) -> None:
    """Marks a result as used, once a day at most."""
    with suppress(OSError):
        if path.stat().st_mtime < time.time() - DAY:
            os.utime(path)


__all__ = ["Store", "cache_folder"]
