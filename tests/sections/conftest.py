"""One ledger for all tests of the sections: every assertion is judged once."""

from __future__ import annotations

import pytest

from derivations.ledger import Ledger


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    return Ledger()
