"""Dependencies point one way, and a verdict is made in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "derivations"
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.startswith("derivations")}


@pytest.mark.parametrize("path", sorted((PACKAGE / "checker").glob("*.py")), ids=lambda p: p.name)
def test_the_checker_knows_nothing_outside_itself(path: Path) -> None:
    assert all(name.startswith("derivations.checker") for name in ours(path))


def test_exact_evaluation_sees_no_proof_engine_and_no_sympy() -> None:
    allowed = {"derivations.checker"} | {
        f"derivations.checker.{name}" for name in ("terms", "reals", "jets", "errors", "printing")
    }
    for name in ("worlds", "jets"):
        assert ours(PACKAGE / "checker" / f"{name}.py") <= allowed
        assert not any(part.startswith(("sympy", "z3")) for part in imports(PACKAGE / "checker" / f"{name}.py"))


def test_floats_only_lead_the_way() -> None:
    """A float neither proves nor refutes: estimates are asked for by what proposes worlds, which are then judged exactly."""
    users = {
        (path.stem, function.name)
        for path in MODULES
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == "estimate" and path.parent.name == "checker"
    }
    assert users == {("tight", "values"), ("question", "slack")}


@pytest.mark.parametrize("name", ["question", "candidates", "refute"])
def test_the_refuter_sees_no_proof_engine(name: str) -> None:
    forbidden = (
        "normal_form",
        "polynomial",
        "arithmetic",
        "proof",
        "facts",
        "calculus",
        "induction",
        "verdict",
        "border",
        "sympy_reading",
    )
    found = ours(PACKAGE / "checker" / f"{name}.py")
    assert not found & {f"derivations.checker.{module}" for module in forbidden}
    assert not any(module.startswith(("sympy", "z3")) for module in imports(PACKAGE / "checker" / f"{name}.py"))


def test_sections_do_not_know_the_ledger() -> None:
    for path in (PACKAGE / "sections").glob("*.py"):
        assert "derivations.ledger" not in ours(path), path.name


WORLDS = Path(__file__).parent.parent / "toy_envs"
BELOW_THE_BRIDGE = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in ("checker", "sections")] + [
    PACKAGE / name for name in ("ledger.py", "notation.py", "lines.py")
]


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "algorithms").rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix()
)
def test_the_algorithms_know_nothing_of_the_claims(path: Path) -> None:
    assert all(name.startswith(("derivations.algorithms", "derivations.files")) for name in ours(path))


@pytest.mark.parametrize("path", sorted((PACKAGE / "laboratory").glob("*.py")), ids=lambda p: p.name)
def test_the_laboratory_knows_worlds_and_algorithms_and_no_claims(path: Path) -> None:
    assert all(name.startswith(("derivations.laboratory", "derivations.algorithms")) for name in ours(path))
    assert path.name.endswith("pictures.py") or not any(name.startswith("matplotlib") for name in imports(path))


@pytest.mark.parametrize("path", sorted((PACKAGE / "sweeps").glob("*.py")), ids=lambda p: p.name)
def test_the_sweeps_know_worlds_and_algorithms_and_no_claims(path: Path) -> None:
    assert all(
        name.startswith(("derivations.sweeps", "derivations.algorithms", "derivations.files")) for name in ours(path)
    )


@pytest.mark.parametrize("path", sorted((PACKAGE / "measured").glob("*.py")), ids=lambda p: p.name)
def test_the_experiments_know_no_claims_and_what_is_kept_of_them_knows_no_torch(path: Path) -> None:
    below = ("derivations.measured", "derivations.sweeps", "derivations.algorithms", "derivations.files")
    if path.name == "kept.py":
        assert ours(path) == {"derivations.files", "derivations.checker.errors"}
        assert not any(name.startswith(("torch", "numpy", "scipy", "toy_envs")) for name in imports(path))
    else:
        assert all(name.startswith(below) for name in ours(path))


@pytest.mark.parametrize("path", sorted(WORLDS.glob("*.py")), ids=lambda p: p.name)
def test_the_worlds_know_neither_claims_nor_algorithms(path: Path) -> None:
    assert not any(name.startswith(("derivations", "torch")) for name in imports(path))


@pytest.mark.parametrize("path", BELOW_THE_BRIDGE, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_what_judges_knows_nothing_of_what_runs(path: Path) -> None:
    forbidden = (
        "torch",
        "numpy",
        "toy_envs",
        "derivations.algorithms",
        "derivations.bridge",
        "derivations.tensors",
        "derivations.laboratory",
    )
    assert not any(name.startswith(forbidden) for name in imports(path))


def calls_of(tree: ast.AST, name: str) -> int:
    """How often a name is called, or an attribute of that name."""
    found = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            found += (isinstance(called, ast.Name) and called.id == name) or (
                isinstance(called, ast.Attribute) and called.attr == name
            )
    return found


def test_no_module_but_one_makes_a_verdict() -> None:
    makers = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if calls_of(ast.parse(path.read_text(encoding="utf-8")), "Verdict")
    }
    assert makers == {"checker/verdict.py"}


def test_a_verdict_is_not_made_by_hand_nor_copied_into_another() -> None:
    from dataclasses import replace

    from derivations import BadInput, Sort, Sum, Verdict, check, law

    index = Sort("Y").index("y")
    found = check(Sum(index, law("p", Sort("Y"))(index)), "=", 1)
    with pytest.raises(BadInput, match="made by the checker only"):
        Verdict("proved", found.statement, "trust me")
    with pytest.raises(BadInput, match="made by the checker only"):
        replace(found, status="refuted")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_no_text_reaches_an_evaluator(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name in ("eval", "exec", "sympify", "parse_expr", "parse_latex", "lambdify"):
        assert not calls_of(tree, name), name
