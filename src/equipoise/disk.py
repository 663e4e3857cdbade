"""What a disk refuses, told apart from all else that may fail while something is saved."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from equipoise.errors import EquipoiseError, ModelError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
# How torch's writer of archives reports the disk, mostly without saying why.
_WRITERS = ("PytorchStreamWriter failed", "inline_container.cc", "iostream error", "Parent directory", "No space left")


class Refusal(NamedTuple):
    """Why the disk refuses, and the way out."""

    reason: str
    hint: str


def disk_refusal(error: BaseException) -> Refusal | None:
    """Return what the disk says in an error that came up while saving; None where the error is not the disk's.

    The disk speaks through OSError, through safetensors' and tokenizers' own errors ("… (os error 28)"), and through
    RuntimeError where torch writes.

    Args:
        error: what was raised.
    """
    text = str(error)
    if isinstance(error, OSError):
        # Without a number it is another library's, such as a model that cannot be found.
        if error.errno is None or isinstance(error, ConnectionError | TimeoutError):
            return None
        return _refusal(error.errno)
    if number := re.search(r"\(os error (\d+)\)", text):
        return _refusal(int(number[1]))
    if not any(words in text for words in _WRITERS):
        return None
    # Errors that came up before, while the same file was written.
    earlier = error.__cause__ or error.__context__
    if earlier is not None and (found := disk_refusal(earlier)) is not None:
        return found
    said = re.search(r"strerror: (.+)|(Parent directory .+)", text)
    if said:
        return Refusal((said[1] or said[2]).rstrip("."), "check the folder, or choose another")
    return Refusal("the disk is full or fails", "make room on the disk")


@contextmanager
def writing_model(folder: Path) -> Iterator[None]:
    """Say what the disk refuses while a model is written; other errors pass as what they are.

    Raises:
        ModelError: the disk refuses.
    """
    try:
        yield
    except EquipoiseError:
        raise
    except Exception as error:  # tokenizers raise it as it is
        if (refusal := disk_refusal(error)) is None:
            raise
        raise ModelError(f"{folder}: the model cannot be written ({refusal.reason}); {refusal.hint}.") from error


def _refusal(number: int) -> Refusal:
    if number in _FULL:
        hint = "make room on the disk"
    elif number in _FORBIDDEN:
        hint = "make the folder writable, or choose another"
    else:
        hint = "check the disk, or choose another folder"
    return Refusal(os.strerror(number), hint)
