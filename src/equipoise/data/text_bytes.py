"""The lines of files and of standard input, as UTF-8 whatever they are written in."""

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from equipoise.errors import DataError

from .delimited_stream import LONGEST_LINE
from .encodings import Decoding
from .rows import BadRow

_CHUNK = 65_536
_Row = TypeVar("_Row")


@contextmanager
def open_text(path: Path, watch: Callable[[Callable[[], int], int], None], decoding: Decoding) -> Iterator[IO[bytes]]:
    """Open a file as UTF-8, unpacked where its name ends in .gz.

    Args:
        path: the file.
        watch: is given what tells how much of the file is read, and its size.
        decoding: what its text is written in.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as packed:
            size = path.stat().st_size
            watch(lambda: size if packed.closed else packed.tell(), size)
            if path.suffix.lower() == ".gz":
                with gzip.GzipFile(fileobj=packed) as file:
                    yield as_utf8(file, decoding)  # type: ignore[arg-type]
            else:
                yield as_utf8(packed, decoding)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        hint = " It is read as packed because it ends in .gz: pack or copy it again, or correct its name."
        raise DataError(f"{path}: cannot be read ({reason}).{hint * (path.suffix.lower() == '.gz')}") from None


class _AsUtf8(io.RawIOBase):
    """The bytes of a text in UTF-8; bytes that cannot be read stay as they are, which is not UTF-8.

    Args:
        file: the text, in another encoding.
        decoding: that encoding.
    """

    def __init__(self, file: IO[bytes], decoding: Decoding) -> None:
        self._file = file
        self._decoding = decoding
        self._decoder = codecs.getincrementaldecoder(decoding.encoding)("surrogateescape")
        self._ready = b""
        self._begun = False

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return how many bytes there were."""
        chunk = b"begin"
        while not self._ready and chunk:
            chunk = self._file.read(_CHUNK)
            if not self._begun:
                self._decoding.check_width(chunk)
                self._begun = True
            try:
                self._ready = self._decoder.decode(chunk, not chunk).encode("utf-8", "surrogateescape")
            except UnicodeError as error:  # half a character of UTF-16
                raise OSError(self._decoding.explain(chunk[getattr(error, "start", 0)] if chunk else 0)) from None
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count


def as_utf8(file: IO[bytes], decoding: Decoding) -> IO[bytes]:
    """Return a file whose bytes are UTF-8."""
    return file if decoding.is_utf8 else io.BufferedReader(_AsUtf8(file, decoding))


def read_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each line and its bytes, with the end; of one that is too long the beginning."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        rest = line
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE)
        # Not splitlines, which also cuts at characters that may stand inside a text.
        yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def decode_line(line: bytes, read: Callable[[str], _Row], decoding: Decoding, unread: Any = None) -> _Row | BadRow:
    """Read a line as text; `unread` are the cells of a line that cannot be read, by default its text."""
    if len(line) >= LONGEST_LINE:
        problem = f"found a line of {LONGEST_LINE:,} bytes or more, expected fewer; leave the row out."
        return BadRow("" if unread is None else unread, problem)
    try:
        return read(line.decode())
    except UnicodeDecodeError as error:
        return BadRow(line.decode(errors="replace") if unread is None else unread, decoding.explain(line[error.start]))
