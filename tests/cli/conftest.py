"""The command line run on planted claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest

import derivations.ledger
from derivations.cli import main
from derivations.sections.claim import Claim


class Result(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]
Plant = Callable[[Iterable[Claim]], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Puts claims in the place of those of the sections."""

    def planted(claims: Iterable[Claim]) -> None:
        monkeypatch.setattr(derivations.ledger, "all_claims", lambda: iter(claims))

    return planted


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process, as the script does."""

    def ran(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments], prog_name="derivations")
        captured = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Result(end.value.code, captured.out, captured.err)

    return ran
