"""In which encoding a file is, and what stands between its cells: found out from its bytes."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from equipoise.data import detect_encoding
from equipoise.errors import DataError

ENCODING_BYTES = 64_000_000
"""Bytes of a file that are looked at for its encoding, at most."""
_CHUNK = 1_000_000
_EXAMPLES = 100_000
"""Bytes of lines with other bytes than ASCII's by which an encoding is guessed."""
_SEPARATORS = (",", ";", "\t", "|")
_RECORDS = 200


class Mistake(NamedTuple):
    """The first byte that is not UTF-8, and the line on which it stands."""

    byte: int
    line: int


@dataclass(frozen=True)
class Encoding:
    """The encoding of a file.

    Args:
        name: the codec, as the run file names it.
        mistake: the first byte that is not UTF-8; None in UTF-8 and where a byte order mark names the encoding.
    """

    name: str
    mistake: Mistake | None = None


class Separators(NamedTuple):
    """What stands between the cells of a file, and around them.

    Args:
        sep: the separator; "" where the file seems to have one column.
        quotechar: the quotation mark; "" where such marks are plain characters.
    """

    sep: str
    quotechar: str = '"'


def find_encoding(path: Path) -> Encoding:
    """Return the encoding of a text file: UTF-8, or what it seems to be by the lines that are not.

    Raises:
        DataError: nobody knows: it is no text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    examples = bytearray()
    lines, mistake = 1, None
    with path.open("rb") as file:
        chunk = file.read(_CHUNK)
        read = len(chunk)
        if b"\0" in chunk or chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return Encoding(_name(path, chunk))
        while chunk and len(examples) < _EXAMPLES and read <= ENCODING_BYTES:
            if mistake is None:
                mistake = _find_mistake(decoder, chunk, lines)
                lines += chunk.count(b"\n")
            if mistake is not None:
                examples += b"\n".join(line for line in chunk.split(b"\n") if not line.isascii())
            chunk = file.read(_CHUNK)
            read += len(chunk)
    if mistake is None:
        return Encoding("utf-8")
    return Encoding(_name(path, bytes(examples)), mistake)


def _name(path: Path, content: bytes) -> str:
    name = detect_encoding(content)
    if name is None:
        raise DataError(f"{path}: found bytes that are no text in any known encoding; is it another kind of file?")
    return name


def _find_mistake(decoder: codecs.IncrementalDecoder, chunk: bytes, line: int) -> Mistake | None:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError as error:
        # The decoder has kept the beginning of a character from the chunk before.
        return Mistake(error.object[error.start], line + error.object.count(b"\n", 0, error.start))
    return None


def detect_separators(text: str, usual: str = ",") -> Separators:
    """Return what stands between the cells of a text's first lines, and around them.

    A separator counts as found if it gives the lines as many cells as the header has. Of several the one is taken that
    fits the most lines, then the one that gives more cells, then the usual one.

    Args:
        text: the beginning of a file, or whole lines of it.
        usual: the separator by the file's ending.
    """
    best: tuple[tuple[float, int, bool], Separators] | None = None
    for sep in _SEPARATORS:
        for quotechar in ('"', "'", ""):
            share, width = _measure(text, sep, quotechar)
            if width < 2 or share < 0.5:
                continue
            # Another quotation mark than the usual one has to explain clearly more lines.
            rank = (round(share - 0.02 * (quotechar != '"'), 4), width, sep == usual)
            if best is None or rank > best[0]:
                best = rank, Separators(sep, quotechar)
    return Separators("") if best is None else best[1]


def _measure(text: str, sep: str, quotechar: str) -> tuple[float, int]:
    """Return the share of records that have as many cells as the first, and how many these are."""
    options: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if not quotechar else {"quotechar": quotechar}
    widths: list[int] = []
    if quotechar == "'" and not re.search(rf"(^|{re.escape(sep)})'", text, re.MULTILINE):
        return 0.0, 0
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=sep, strict=True, **options):
            if record:
                widths.append(len(record))
            if len(widths) == _RECORDS:
                break
    except csv.Error:
        widths.append(0)
    if not widths:
        return 0.0, 0
    lines = min(_RECORDS, sum(bool(line) for line in text.splitlines()))
    fitting = sum(width == widths[0] for width in widths)
    # A cell that swallows lines leaves fewer records than there are lines.
    return fitting / max(len(widths), lines if quotechar == "" else len(widths)), widths[0]
