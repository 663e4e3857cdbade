"""Errors of the disk are told apart from all others."""

import errno
import os

import pytest
import safetensors.torch
import torch

from equipoise.cli import main
from equipoise.disk import disk_refusal, writing_model
from equipoise.errors import ModelError

TENSORS = {"a": torch.zeros(100_000)}


def raised(function):
    with pytest.raises(Exception) as error:  # noqa: PT011 - the libraries' own
        function()
    return error.value


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "make room on the disk"),
        (errno.EDQUOT, "make room on the disk"),
        (errno.EIO, "check the disk, or choose another folder"),
        (errno.EACCES, "make the folder writable, or choose another"),
        (errno.EROFS, "make the folder writable, or choose another"),
    ],
)
def test_what_the_disk_says(number, hint):
    expected = (os.strerror(number), hint)
    assert disk_refusal(OSError(number, os.strerror(number), "file")) == expected
    words = f"Error while serializing: I/O error: {os.strerror(number)} (os error {number})"
    assert disk_refusal(safetensors.SafetensorError(words)) == expected
    message = f"model: the model cannot be written .*{expected[0]}.*; {hint}"
    with pytest.raises(ModelError, match=message), writing_model("model"):
        raise OSError(number, os.strerror(number))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_torch_on_a_full_disk():
    refusal = disk_refusal(raised(lambda: torch.save(TENSORS, "/dev/full")))
    assert refusal == ("the disk is full or fails", "make room on the disk")
    with open("/dev/full", "wb") as file:
        file_error = raised(lambda: torch.save(TENSORS, file))
        with pytest.raises(OSError, match="No space"):
            file.close()
    assert disk_refusal(file_error) == (os.strerror(errno.ENOSPC), "make room on the disk")


def test_a_folder_that_is_gone(tmp_path):
    for save in (torch.save, safetensors.torch.save_file):
        refusal = disk_refusal(raised(lambda save=save: save(TENSORS, str(tmp_path / "no" / "file"))))
        assert refusal is not None
        assert "full" not in refusal.reason
        assert "folder" in refusal.hint


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be …"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        OSError("Can't load tokenizer for 'x'"),
        ValueError("no space is left for this value"),
        RuntimeError("Some tensors share memory"),
    ],
)
def test_other_errors_are_not_the_disks(error):
    assert disk_refusal(error) is None
    with pytest.raises(type(error)) as found, writing_model("model"):
        raise error
    assert found.value is error


def test_the_command_does_not_call_every_error_the_disks(monkeypatch, capsys):
    def fail(*args, **options):
        raise OSError("Can't load the tokenizer of 'x'.")

    monkeypatch.setattr("equipoise.modeling.load", fail)
    monkeypatch.setattr("sys.argv", ["equipoise", "predict", "model", "text"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == "error: Can't load the tokenizer of 'x'.\n"
