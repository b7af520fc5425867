"""What every test has."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

_numbers = count()


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of its own for kept results: what one test keeps no other finds, and nothing is left with the user."""
    folder = tmp_path_factory.getbasetemp() / f"cache{next(_numbers)}"
    monkeypatch.setenv("DERIVATIONS_CACHE", str(folder))
    return folder
