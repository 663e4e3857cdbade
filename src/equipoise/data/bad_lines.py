"""Lines that cannot be read, in one message."""

import re
from pathlib import Path

from equipoise.errors import DataError
from equipoise.kinds import shorten

_SHOWN = 5
_WIDTH = 300
_SURROGATE = re.compile("[\ud800-\udfff]")


class BadLines:
    """Lines (or rows) of a file that cannot be read, collected so that one message counts them all.

    Args:
        path: the file.
        unit: what the numbers count: "line" or "row".
    """

    def __init__(self, path: Path, unit: str = "line") -> None:
        self._path = path
        self._unit = unit
        self._first = ""
        self._numbers: list[int] = []

    def add(self, number: int, message: str) -> None:
        """Note one bad line; of several the first one's message is shown."""
        self._first = self._first or message
        self._numbers.append(number)

    def stop(self) -> None:
        """Raise if there is any bad line.

        Raises:
            DataError: what is wrong with the first, and how many there are, with their numbers.
        """
        if not self._numbers:
            return
        listed = ", ".join(map(str, self._numbers[:_SHOWN])) + (", …" if len(self._numbers) > _SHOWN else "")
        more = f" {len(self._numbers)} {self._unit}s are bad: {listed}." if len(self._numbers) > 1 else ""
        raise DataError(f"{self._path}, {self._unit} {self._numbers[0]}: {shorten(self._first, _WIDTH)}{more}")


def excerpt(text: str) -> str:
    """Quote the beginning of a text for a message; bytes that are not UTF-8, and half characters, are replaced."""
    return repr(shorten(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text).strip(), 60))
