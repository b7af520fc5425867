"""The files that describe the project to pip, to conda and to readers agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GROUPS: dict[str, list[str]] = {"core": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
# For optional tests; neither `make test` nor the environments install them.
BASELINES = GROUPS.pop("baselines")
BROWSER = GROUPS.pop("browser")
DEPENDENCIES = [line for lines in GROUPS.values() for line in lines]

# Where conda-forge does not use PyPI's name. Only the CPU build: no notebook needs a GPU.
CONDA_NAMES = {"torch": "pytorch-cpu"}


def environment() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    return loaded


def conda_packages() -> dict[str, str]:
    """Each plain line of environment.yml as name: what follows the name."""
    lines = [line for line in environment()["dependencies"] if isinstance(line, str)]
    parsed = [re.fullmatch(r"([A-Za-z0-9._-]+)\s*(.*)", line) for line in lines]
    assert all(parsed), f"not a conda dependency among {lines}"
    packages = {match[1]: match[2] for match in parsed if match}
    assert len(packages) == len(lines), f"a package stands twice in {lines}"
    return packages


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned: dict[str, Version] = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)", line)
        assert match, f"constraints.txt: {line!r} is not NAME==VERSION"
        name = canonicalize_name(match[1])
        assert name not in pinned, f"constraints.txt pins {name} twice"
        pinned[name] = Version(match[2])
    return pinned


@pytest.mark.parametrize("line", [*DEPENDENCIES, *BASELINES, *BROWSER])
def test_each_dependency_parses_and_has_a_lower_bound(line: str) -> None:
    requirement = Requirement(line)
    assert [s.operator for s in requirement.specifier] == [">="], f"{line!r}: one lower bound, nothing else"


def test_environment_lists_what_pyproject_lists() -> None:
    expected = {}
    for line in DEPENDENCIES:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        expected[CONDA_NAMES.get(name, name)] = str(requirement.specifier)
    found = conda_packages()
    del found["python"], found["pip"]
    assert found == expected


def test_environment_has_no_other_library_of_learning() -> None:
    """Tests of them are optional, and Binder should start soon."""
    assert [Requirement(line).name for line in BASELINES] == ["stable-baselines3", "torchrl"]
    assert not {"stable-baselines3", "torchrl"} & set(conda_packages())


def test_environment_drives_no_browser() -> None:
    """Its only use is `make test-browser`, which needs a Chromium that Binder has not."""
    assert [Requirement(line).name for line in BROWSER] == ["playwright"]
    assert "playwright" not in conda_packages()


def test_environment_installs_this_package_from_the_clone() -> None:
    sections = [line["pip"] for line in environment()["dependencies"] if isinstance(line, dict)]
    assert sections == [["-e ."]]


def test_environment_has_a_python_that_the_package_accepts() -> None:
    # Binder finds the version only when it is written as python=X.Y.
    match = re.fullmatch(r"=(3\.\d+)", conda_packages()["python"])
    assert match, "environment.yml: write python=3.N"
    assert match[1] in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("line", [*DEPENDENCIES, *BASELINES, *BROWSER])
def test_constraints_pin_each_dependency_to_a_version_that_it_accepts(line: str) -> None:
    requirement = Requirement(line)
    name = canonicalize_name(requirement.name)
    assert name in pins(), f"constraints.txt does not pin {name}"
    assert pins()[name] in requirement.specifier


def test_constraints_hold_on_other_machines_too() -> None:
    """A local version, such as 2.13.0+cpu, is met by one build only, which few machines can get."""
    assert [name for name, version in pins().items() if version.local] == []


def test_the_core_has_neither_torch_nor_numpy_nor_jupyter() -> None:
    core = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert core == {"sympy", "z3-solver", "python-flint", "click", "rich"}


def test_citation_has_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
