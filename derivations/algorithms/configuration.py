"""Settings in a TOML file."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, fields
from pathlib import Path

from derivations.algorithms.settings import Settings, named
from toy_envs.errors import BadInput

Value = int | float | str

TYPES: dict[str, tuple[tuple[type, ...], type, str]] = {
    "int": ((int,), int, "a whole number"),
    "float": ((int, float), float, "a number"),
    "float | None": ((int, float), float, "a number"),
    "str": ((str,), str, "a text"),
}
"""For each type of a setting: what it may be in a file, what is made of it, and what it is called."""

HEAD = "# The settings of a run, for --config; where `beta` is left out it is that of the world.\n"


def read_settings(path: Path, algorithm: str) -> dict[str, Value]:
    """The settings that a TOML file gives, but for `algorithm`: where it names one, it has to be this one.

    Raises BadInput where the file cannot be read, or holds anything else.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"config: {path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"config: {path} is not TOML: {error}") from error
    known = {field.name: str(field.type) for field in fields(Settings)}
    found = {}
    for name, value in table.items():
        if name not in known:
            raise BadInput(f"config: {path} has {name!r}; expected some of {', '.join(known)}")
        allowed, made, words = TYPES[known[name]]
        if not isinstance(value, allowed) or isinstance(value, bool):
            raise BadInput(f"config: {name} is {value!r} in {path}; expected {words}")
        found[name] = made(value)
    wanted = named(algorithm)
    if (meant := named(str(found.pop("algorithm", wanted)))) != wanted:
        raise BadInput(f"config: algorithm is {meant!r} in {path}; expected the one that is asked for, {wanted!r}")
    return found


def as_toml(settings: Settings) -> str:
    """The settings as a TOML file, which `read_settings` gives back; one that is None is left out."""
    given = {name: value for name, value in asdict(settings).items() if value is not None}
    return HEAD + "".join(f"{name} = {_written(value)}\n" for name, value in given.items())


def _written(value: Value) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
