"""Lines of a text file: all of them, or of a large file those of its beginning and of some spots."""

import io
from collections.abc import Iterator
from pathlib import Path

WHOLE_BYTES = 64_000_000
"""Bytes of a file that are read from its beginning; of what is behind, some spots."""
SPOT_BYTES = 200_000
_SPOTS = 16
_LOOK = 100
"""After so many lines it is looked whether enough is read."""


class SampledLines:
    """Reads the lines of a file, and estimates how many rows it has.

    Args:
        path: the file.
        size: how many bytes it has.
        encoding: its encoding; what cannot be read becomes a replacement character.
    """

    def __init__(self, path: Path, size: int, encoding: str) -> None:
        self._path, self._size, self._encoding = path, size, encoding
        self._read = 0
        self.is_whole = size <= WHOLE_BYTES

    def beginning(self) -> Iterator[str]:
        """Yield the lines of the beginning, with their ends."""
        with (
            self._path.open("rb") as content,
            io.TextIOWrapper(content, self._encoding, errors="replace", newline="") as text,
        ):
            for number, line in enumerate(text):
                yield line
                if not self.is_whole and number % _LOOK == 0 and content.tell() > WHOLE_BYTES:
                    break
            self._read += content.tell()

    def spots(self) -> Iterator[list[str]]:
        """Yield the whole lines of each spot behind the beginning."""
        if self.is_whole or self._encoding.startswith(("utf-16", "utf-32")):
            return
        with self._path.open("rb") as file:
            for spot in range(1, _SPOTS + 1):
                file.seek(WHOLE_BYTES + (self._size - WHOLE_BYTES) * spot // (_SPOTS + 1))
                file.readline(SPOT_BYTES)
                content = file.read(SPOT_BYTES)
                content = content[: content.rfind(b"\n") + 1]
                self._read += len(content)
                # Not splitlines, which also cuts at characters that may stand inside a text.
                yield list(io.StringIO(content.decode(self._encoding, "replace"), newline=""))

    def estimate(self, rows: int) -> int:
        """Return how many rows the file has, by the rows in what was read."""
        return rows if self.is_whole or not self._read else max(rows, round(rows * self._size / self._read))
