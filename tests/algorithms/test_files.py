"""Policies in files, run folders, devices, pretraining."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch
from small_worlds import ENDING, policy_for

from derivations.algorithms import exact, runs
from derivations.algorithms.checkpoints import load_policy, save_policy
from derivations.algorithms.devices import DEVICES, one_thread, pick_device
from derivations.algorithms.gpt import GPT
from derivations.algorithms.pretraining import pretrain
from derivations.algorithms.rollout import as_responses, score
from derivations.algorithms.settings import settings_for
from derivations.algorithms.stage import Diverged
from derivations.algorithms.trainer import Trainer
from derivations.files import write_whole
from toy_envs import NAMES, SORTING
from toy_envs.errors import BadInput
from toy_envs.names import census

CPU = torch.device("cpu")

# --- policies -------------------------------------------------------------------------------------------------------


def test_a_policy_comes_back_as_it_was_written(tmp_path: Path) -> None:
    policy = policy_for(ENDING, 1, torch.float32)
    save_policy(tmp_path / "policy.safetensors", policy)
    found = load_policy(tmp_path / "policy.safetensors")
    assert found.config == policy.config
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), policy.parameters(), strict=True))


def damaged(path: Path, how: str) -> None:
    data = path.read_bytes()
    spoilt = {
        "cut": data[:-100],
        "empty": b"",
        "text": b"not a policy at all, but long enough to be read as a header",
        "code": pickle.dumps({"config": {}}),
        "sizes": data.replace(b'\\"layers\\": 2', b'\\"layers\\": 1'),
        "names": data.replace(b"place.weight", b"plane.weight"),
    }[how]
    assert spoilt != data
    path.write_bytes(spoilt)


@pytest.mark.parametrize("how", ["cut", "empty", "text", "code", "sizes", "names"])
def test_a_damaged_file_is_named(tmp_path: Path, how: str) -> None:
    path = tmp_path / "policy.safetensors"
    save_policy(path, policy_for(ENDING, 1, torch.float32))
    damaged(path, how)
    with pytest.raises(BadInput, match=f"{path} does not hold a policy"):
        load_policy(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing: no such file; expected the weights of a policy"):
        load_policy(tmp_path / "nothing")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"before")

    def broken(descriptor: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="the disk is full"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


# --- run folders ----------------------------------------------------------------------------------------------------


def read(folder: Path) -> tuple[dict[str, object], list[dict[str, float]]]:
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads((folder / "run.json").read_text(encoding="utf-8")), [json.loads(line) for line in lines]


def test_a_run_says_what_made_it_and_can_be_made_again(tmp_path: Path) -> None:
    settings = settings_for("ppo", seed=3, updates=2, episodes=32)
    watched: list[dict[str, float]] = []
    last = runs.train(SORTING, settings, tmp_path, CPU, watched.append)
    story, metrics = read(tmp_path)
    assert watched == metrics
    assert metrics[-1] == last
    assert [line["update"] for line in metrics] == [0, 1, 2]
    assert story["status"] == "finished"
    assert story["env"] == "toy_envs/Sorting-v0"
    again = Trainer(SORTING, load_policy(SORTING.reference), type(settings)(**story["settings"]))  # type: ignore[arg-type]
    assert list(again.run()) == metrics
    assert SORTING.reference is not None
    assert story["reference"] == hashlib.sha256(SORTING.reference.read_bytes()).hexdigest()
    found = load_policy(tmp_path / "model.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), again.policy.parameters(), strict=True))


def test_the_code_hash_follows_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = runs.code_hash()
    assert runs.code_hash() == before
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read_bytes(path) + b"#" * (path.name == "losses.py"))
    assert runs.code_hash() != before


def test_a_run_that_diverges_keeps_what_was_written(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"update 1: regret is nan|update 2"):
        runs.train(SORTING, settings_for("reinforce", learning_rate=1e30), tmp_path, CPU)
    story, metrics = read(tmp_path)
    assert str(story["status"]).startswith("diverged: update")
    assert metrics[0]["update"] == 0
    assert not (tmp_path / "model.safetensors").exists()


def test_an_interrupted_run_keeps_what_was_written(tmp_path: Path) -> None:
    def watch(metrics: dict[str, float]) -> None:
        if metrics["update"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.train(SORTING, settings_for("reinforce", episodes=16), tmp_path, CPU, watch)
    story, metrics = read(tmp_path)
    assert story["status"] == "interrupted after update 2"
    assert [line["update"] for line in metrics] == [0, 1, 2]


def test_no_run_writes_over_another(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with pytest.raises(BadInput, match="is not empty; expected a new or an empty folder"):
        runs.new_folder(tmp_path)
    with pytest.raises(BadInput, match="cannot be a folder for the run"):
        runs.new_folder(tmp_path / "something" / "below")
    assert runs.new_folder(tmp_path / "a" / "b").is_dir()


def test_a_world_without_a_reference_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="env: ending has no reference policy"):
        runs.train(ENDING, settings_for("ppo"), tmp_path, CPU)


# --- devices --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("there", "expected"), [(True, "cuda"), (False, "cpu")])
def test_cuda_is_used_when_there(there: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    assert pick_device("auto").type == expected
    assert pick_device("cpu").type == "cpu"


def test_a_device_that_is_not_there_or_not_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(BadInput, match="device is 'cuda', and PyTorch finds no CUDA device here"):
        pick_device("cuda")
    with pytest.raises(BadInput, match=f"device is 'tpu'; expected one of {', '.join(DEVICES)}"):
        pick_device("tpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_on_cuda(tmp_path: Path) -> None:
    last = runs.train(SORTING, settings_for("ppo", updates=50), tmp_path, torch.device("cuda"))
    assert last["regret_share"] <= 0.02


def test_the_number_of_threads_is_given_back() -> None:
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


# --- pretraining ----------------------------------------------------------------------------------------------------


def tree_logp(policy: GPT, tree: exact.Tree) -> exact.Levels:
    with torch.no_grad():
        return tuple(level.double() for level in exact.tree_logp(policy, tree))


def test_the_reference_policy_in_the_package_is_the_pretrained_one() -> None:
    """From its fixed seed; not compared bit for bit, since other machines round otherwise."""
    tree = exact.prefix_tree(SORTING)
    assert SORTING.reference is not None
    kept, made = (tree_logp(policy, tree) for policy in (load_policy(SORTING.reference), pretrain(SORTING)))
    assert exact.kl(tree, kept, made) < 1e-3
    other = tree_logp(policy_for(SORTING, 0, torch.float32), tree)
    assert exact.kl(tree, kept, other) > 0.1


def test_a_world_without_demonstrations_cannot_be_pretrained_on() -> None:
    with pytest.raises(BadInput, match="mdp: ending has no demonstrations"):
        pretrain(ENDING)


def test_responses_of_unequal_lengths_are_padded() -> None:
    batch = as_responses([((0, 1), (2,)), ((1, 1), (0, 1, 2))])
    assert batch.tokens.tolist() == [[2, 0, 0], [0, 1, 2]]
    assert batch.mask.tolist() == [[True, False, False], [True, True, True]]
    assert batch.prompts.tolist() == [[0, 1], [1, 1]]


def test_the_reference_policy_of_the_names_writes_them() -> None:
    """Exact over the census: how many nats it is away from it, and how often it writes a name that is one."""
    assert NAMES.reference is not None
    real = census()
    with torch.no_grad():
        logp = (
            score(load_policy(NAMES.reference), as_responses([((), name) for name in real.names])).logp.double().sum(-1)
        )
    law = torch.from_numpy(real.law)
    assert 0 < (law * (law.log() - logp)).sum().item() < 0.7
    assert 0.75 < logp.exp().sum().item() < 1
