"""What ten seeds showed is kept, is what the algorithms are said to do, and is of the code that is here."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from derivations.algorithms import convergence
from derivations.algorithms.convergence import CODE, CONVERGENCE, KEPT, ROOT, SEEDS, code_hash, end_of, measured
from toy_envs.errors import BadInput

FOUND = json.loads(KEPT.read_text(encoding="utf-8"))


def test_it_is_of_the_code_that_is_here() -> None:
    again = "run python -m derivations.algorithms.convergence, some minutes on two cores"
    assert FOUND["code"] == code_hash(), f"the kept result is of other code; {again}"


def test_a_change_of_the_code_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_hash()
    monkeypatch.setattr(convergence, "CODE", CODE[1:])
    assert code_hash() != before


def test_the_code_is_all_that_the_trainer_imports() -> None:
    """Every module of ours that a module of CODE names in an import is one of them, but for what only holds or writes."""
    others = {"derivations/files.py", "toy_envs/errors.py", "toy_envs/token_env.py", "toy_envs/token_vector_env.py"}
    for name in CODE:
        if not name.endswith(".py"):
            continue
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            words = line.split()
            if line.startswith("from ") and words[1].split(".")[0] in ("derivations", "toy_envs") and "." in words[1]:
                file = words[1].replace(".", "/")
                parts = (
                    [f"{file}.py"]
                    if (ROOT / f"{file}.py").exists()
                    else [f"{file}/{part.strip(' ()')}.py" for part in line.split(" import ")[1].split(",")]
                )
                assert set(parts) <= {*CODE, *others}, f"{name} imports {parts}"


def test_it_has_ten_seeds_of_each_algorithm_as_it_is_set() -> None:
    assert FOUND["seeds"] == list(SEEDS) == list(range(10))
    assert list(FOUND["algorithms"]) == list(CONVERGENCE)
    for name, shown in CONVERGENCE.items():
        kept = dict(FOUND["algorithms"][name])
        assert len(kept.pop("ends")) == 10
        assert kept == asdict(shown)


@pytest.mark.parametrize("algorithm", CONVERGENCE)
def test_each_comes_to_the_optimum_from_every_seed_or_from_none(algorithm: str) -> None:
    shown = CONVERGENCE[algorithm]
    for seed, end in zip(FOUND["seeds"], FOUND["algorithms"][algorithm]["ends"], strict=True):
        assert (end["missing"] <= shown.within) == shown.converges, f"seed {seed}: {end}"


def test_the_ratios_of_cpi_run_away_and_those_of_ppo_do_not() -> None:
    cpi, ppo = ([end["ratio_most"] for end in FOUND["algorithms"][name]["ends"]] for name in ("cpi", "ppo"))
    assert min(cpi) > max(ppo)


def test_an_end_is_that_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    short = convergence.Convergence({"updates": 6, "episodes": 16})
    monkeypatch.setitem(convergence.CONVERGENCE, "ppo", short)
    end = end_of("ppo", 3)
    assert set(end) == {"missing", "worst", "ratio_most"}
    assert 0 < end["missing"] <= end["worst"]
    assert end == end_of("ppo", 3), "the same seed, the same run"


def test_no_seed_is_refused() -> None:
    with pytest.raises(BadInput, match="seeds is range"):
        measured(range(0))
