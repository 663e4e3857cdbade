"""An output that is written beside its place until it is whole, and continued after an interruption."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from equipoise.errors import OVERWRITE, OutputError
from equipoise.files import to_json
from equipoise.locks import hold
from equipoise.predicting import Problems
from equipoise.temporaries import clean_leftovers, temporary_file

from .writers import Writer

_WHAT = "equipoise predict, interrupted"


@dataclass
class Progress:
    """How far the answers are.

    Args:
        problems: the rows so far, and those with an error in the place of an answer.
        bytes: what is written for them.
        texts: different texts that were read.
        cut: those of them that were cut.
    """

    problems: Problems = field(default_factory=Problems)
    bytes: int = 0
    texts: int = 0
    cut: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        counts = {"bytes": self.bytes, "texts": self.texts, "cut": self.cut}
        return {"rows": self.problems.rows, **counts, "problems": self.problems.to_dict()}


class PartialOutput:
    """`OUT.partial`, which becomes OUT, and `OUT.partial.json`, which says what it belongs to and how far it is.

    After each window the answers are on the disk before the record says so: what stands behind the recorded bytes is
    cut off when the work goes on. So no row is lost or doubled.

    Args:
        output: the file to write.
        identity: what must be the same to go on: input, model, settings.
        again: whether the input can be read a second time; else there is nothing to go on with.

    Attributes:
        progress: how far it is.
    """

    def __init__(self, output: Path, identity: Mapping[str, Any], again: bool) -> None:
        # Where a link leads, the file that it leads to is replaced.
        self._output = output.resolve()
        self.path = self._output.with_name(self._output.name + ".partial")
        self._record = self._output.with_name(self._output.name + ".partial.json")
        self._identity = dict(identity)
        self._again = again
        self.progress = Progress()
        self._file: IO[bytes] | None = None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep others from writing the same output.

        Raises:
            LockedError: another process does.
        """
        lock = self._output.with_name(self._output.name + ".partial.lock")
        with hold(lock, str(self._output), brief=False, remove=True):
            clean_leftovers(self._output)
            clean_leftovers(self._record)
            try:
                yield
            finally:
                if self._file is not None:
                    self._file.close()

    def start(self, begin: bytes, restart: bool) -> None:
        """Go on where an interrupted call has ended, or start from scratch.

        Args:
            begin: what stands before the first answer.
            restart: start from scratch, whatever lies there.

        Raises:
            OutputError: something else lies there, or answers with another input, model, or other settings.
        """
        found = self._find(restart)
        if found is None:
            self._write_record()
            self._file = self.path.open("wb")
            self.append(begin, Progress())
            return
        self.progress = Progress(Problems.from_dict(found["problems"]), found["bytes"], found["texts"], found["cut"])
        self._file = self.path.open("r+b")
        self._file.truncate(self.progress.bytes)
        self._file.seek(0, os.SEEK_END)

    def _find(self, restart: bool) -> Mapping[str, Any] | None:
        """Return the record of an interrupted call; None where there is nothing to go on with."""
        found = self._read_record()
        for path in (self.path, self._record):
            if found is None and os.path.lexists(path):
                raise OutputError(
                    f"{path}: found a file that no interrupted call has left, expected none; remove it, or choose "
                    "another output."
                )
        if found is None or restart or not self.path.exists() or not found["rows"] or not found["identity"]["again"]:
            return None
        if changed := _compare(found["identity"], self._saved_identity()):
            raise OutputError(
                f"{self.path}: an interrupted call has left answers for {found['rows']:,} rows, started with "
                f"{changed}; call again with what it was started with, or start from scratch with {OVERWRITE}."
            )
        if self.path.stat().st_size < found["bytes"]:
            raise OutputError(f"{self.path}: found fewer bytes than were written; start from scratch with {OVERWRITE}.")
        return found

    def _saved_identity(self) -> dict[str, Any]:
        return {**self._identity, "again": self._again}

    def _read_record(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._record.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and found.get("what") == _WHAT else None

    def append(self, content: bytes, progress: Progress) -> None:
        """Write the answers for a window, see them on the disk, and then note that they are there.

        Args:
            content: what the writer returned.
            progress: how far it is with them; the bytes are counted here.
        """
        assert self._file is not None  # started
        self._file.write(content)
        self._file.flush()
        os.fsync(self._file.fileno())
        progress.bytes = self.progress.bytes + len(content)
        self.progress = progress
        self._write_record()

    def _write_record(self) -> None:
        record = {"what": _WHAT, "identity": self._saved_identity(), **self.progress.to_dict()}
        with temporary_file(self._record) as temporary:
            with temporary.open("wb") as file:
                file.write(to_json(record, indent=2).encode(errors="backslashreplace"))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._record)

    def finish(self, writer: Writer) -> None:
        """Let it become the output."""
        assert self._file is not None  # started
        self._file.close()
        writer.finish(self.path, self._output)
        self._record.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what was written."""
        if self._file is not None:
            self._file.close()
        for path in (self.path, self._record):
            with suppress(FileNotFoundError):
                path.unlink()


def _compare(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say what is not as it was; "" where all is."""
    changed = []
    for key in ("input", "model"):
        if then.get(key) != now.get(key):
            changed.append(f"another {key}")
    before, after = then.get("settings", {}), now.get("settings", {})
    changed += [
        f"{key}: {json.dumps(before.get(key))} (now {json.dumps(after.get(key))})"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
    return ", ".join(changed)
