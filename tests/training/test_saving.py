"""Checkpoints that cannot be saved, and the random states in them."""

import errno
import os
import random

import numpy as np
import pytest
import torch

from corpus import write_run
from equipoise.errors import TrainingError
from equipoise.training import train, trainer
from equipoise.training.random_states import load_random_states, save_random_states


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "cannot be written .No space left on device.* make room"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), "cannot be written .Input/output error.* check the disk"),
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), "cannot be written .Permission denied.* make the folder"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "cannot be written .Read-only file system.* make the folder"),
        (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), "disk is full or fails"),
        (
            RuntimeError("CUDA error: an illegal memory access was encountered\nFor debugging consider …" + 900 * "x"),
            r"ended in RuntimeError: CUDA error: an illegal memory access was encountered\. Earlier checkpoints are in",
        ),
    ],
)
def test_an_error_while_saving_is_named_as_what_it_is(tmp_path, tiny_model, monkeypatch, error, message):
    run_file = write_run(tmp_path, tiny_model, max_steps=2, evaluations=2)

    def fail(file, device):
        if "checkpoint-2" in str(file):
            raise error

    monkeypatch.setattr(trainer, "save_random_states", fail)
    with pytest.raises(TrainingError, match=f"checkpoint-2: .*{message}") as found:
        train(run_file)
    text = str(found.value)
    assert ("room" in text or "disk" in text or "folder" in text) == ("CUDA" not in text)
    assert "--resume" in text
    assert len(text) - len(str(tmp_path)) < 400
    assert os.listdir(tmp_path / "run" / "checkpoints") == ["checkpoint-1"]


def draws():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_random_states_come_back(tmp_path):
    save_random_states(tmp_path / "new" / "rng_state.pth", torch.device("cpu"))
    expected = draws()
    load_random_states(tmp_path / "new" / "rng_state.pth", torch.device("cpu"))
    assert draws() == expected


@pytest.fixture
def gpus(monkeypatch):
    """Two GPUs, of which this process may open the second alone."""
    asked = []

    def get(device="cuda"):
        index = torch.device(device).index
        if index != 1:
            raise RuntimeError("CUDA error: invalid device ordinal")
        asked.append(("get", index))
        return torch.tensor([7], dtype=torch.uint8)

    def put(state, device="cuda"):
        asked.append(("set", torch.device(device).index, state.tolist()))

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for module in (torch.cuda, torch.cuda.random):
        monkeypatch.setattr(module, "get_rng_state", get)
        monkeypatch.setattr(module, "set_rng_state", put)
    return asked


def test_states_of_gpus_that_the_process_does_not_use_are_left_alone(tmp_path, gpus):
    file = tmp_path / "rng_state.pth"
    save_random_states(file, torch.device("cpu"))
    load_random_states(file, torch.device("cpu"))
    assert gpus == []
    save_random_states(file, torch.device("cuda:1"))
    load_random_states(file, torch.device("cuda:1"))
    assert gpus == [("get", 1), ("set", 1, [7])]


def test_states_of_all_gpus_from_an_earlier_version(tmp_path, gpus):
    file = tmp_path / "rng_state.pth"
    save_random_states(file, torch.device("cpu"))
    with torch.serialization.safe_globals([]):
        states = torch.load(file, weights_only=False)
    torch.save({**states, "cuda": [torch.tensor([3], dtype=torch.uint8), torch.tensor([4], dtype=torch.uint8)]}, file)
    load_random_states(file, torch.device("cuda:1"))
    assert gpus == [("set", 1, [4])]
