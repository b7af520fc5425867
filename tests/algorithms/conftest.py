"""One thread for all tests of the algorithms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from derivations.algorithms.devices import one_thread


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    with one_thread():
        yield
