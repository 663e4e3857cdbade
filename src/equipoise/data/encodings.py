"""Which encoding a file seems to have."""

import codecs
import warnings
from pathlib import Path

from equipoise.dialects import say_key
from equipoise.errors import DataError, EquipoiseWarning

_SAMPLE = 1_000_000
_SHOWN = 20_000
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-16", "utf_16", "utf-32", "utf_32")
_PUNCTUATION = "’‘“”„–—…•€£§°©®™«»´"
# The letters of the languages that each of them is used for, the likeliest first.
_LATIN = {
    "cp1252": "äöüßàâçèéêëîïôùûœæñáíóúåøãõìòÿ¿¡½",
    "cp1250": "ąćęłńóśźżáčďéěíňřšťúůýžőűöüäăâîşţľĺŕđ",
    "cp1254": "çğıöşüâîûİ",
    "cp1257": "āčēģīķļņšūžąęėįųõäöüå",
    "mac_roman": "äöüßàâçèéêëîïôùûœæñáíóúåøãõìòÿ¿¡",
    "cp850": "äöüßàâçèéêëîïôùûæñáíóúåøãõìò¿¡",
}
_LETTERS = {
    codec: frozenset(letters + letters.upper().replace("SS", "") + _PUNCTUATION) for codec, letters in _LATIN.items()
}
_OTHERS = [*("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "euc_jp", "gb18030", "big5", "euc_kr"), *_LATIN]
_MOSTLY_ASCII = 0.25
_ZEROS = 0.02
"""Share of the characters of UTF-16, at least, one byte of which is zero: digits, blanks, separators, line breaks."""


def detect_encoding(content: bytes) -> str | None:
    """Return the encoding that the text of a file seems to have, as Python names it; None where nobody knows.

    UTF-16 and UTF-32 are known by their marks and their zero bytes. Where few letters are no ASCII, it is the code page
    whose languages have these letters (our design); else charset-normalizer guesses by the frequency of letters.

    Args:
        content: the file, or its beginning.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    if b"\0" in content[:_SHOWN]:
        even, odd = content[:_SHOWN:2].count(0), content[1:_SHOWN:2].count(0)
        if max(even, odd) < _ZEROS * len(content[:_SHOWN:2]):  # as in a file that is no text
            return None
        return "utf-16-le" if odd > 2 * even else "utf-16-be" if even > 2 * odd else None
    if _is_utf8(content):
        return "utf-8"
    text = content.decode(errors="replace")
    if 2 * text.count("\ufffd") < sum(not character.isascii() for character in text):
        return "utf-8"  # but for some lines
    lines = b"\n".join(line for line in content.splitlines() if not line.isascii())[:_SHOWN]
    foreign = sum(byte > 127 for byte in lines)
    letters = sum(byte > 127 or chr(byte).isalpha() for byte in lines)
    if foreign <= _MOSTLY_ASCII * letters and (latin := _choose_latin(lines)):
        return latin
    from charset_normalizer import from_bytes

    best = from_bytes(lines, cp_isolation=_OTHERS).best()
    if best is None or best.encoding in _LATIN:
        return _choose_latin(lines)
    return best.encoding


def _is_utf8(content: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)  # it may end in the middle of a character
    except UnicodeDecodeError:
        return False
    return True


def _choose_latin(content: bytes) -> str | None:
    """Return the Latin code page in which most characters that are no ASCII are letters of its languages."""
    shares: dict[str, float] = {}
    for codec, letters in _LETTERS.items():
        text = content.decode(codec, errors="replace")
        pairs = [(before, one) for before, one in zip(f" {text}", text, strict=False) if not one.isascii()]
        # No capital stands behind a small letter.
        hits = sum(one in letters and not (one.isupper() and before.islower()) for before, one in pairs)
        shares[codec] = hits / max(1, len(pairs))
    best = max(shares, key=shares.__getitem__)
    return best if shares[best] > 0.5 else None


class Decoding:
    """Reads the bytes of a file as text, and says what is wrong where they are none.

    Args:
        encoding: the codec that is stated; None is UTF-8.
        path: the file, whose encoding is guessed where a byte cannot be read; None for what is no file.
    """

    def __init__(self, encoding: str | None = None, path: Path | None = None) -> None:
        self.encoding = encoding or "utf-8"
        self._stated = encoding is not None
        self._path = path
        self._hint: str | None = None

    @property
    def is_utf8(self) -> bool:
        """Whether it is UTF-8."""
        return self.encoding == "utf-8"

    def decode(self, content: bytes) -> str:
        """Return the text of the whole file.

        Raises:
            DataError: a byte cannot be read; the message names its line, and the encoding that the file seems to have.
        """
        self.check_width(content)
        try:
            text = content.decode(self.encoding)
        except UnicodeError as error:
            start = getattr(error, "start", 0)
            line = content[:start].decode(self.encoding, errors="replace").count("\n") + 1
            raise DataError(
                f"{self._path}, line {line}: {self.explain(content[start], content[max(0, start - _SAMPLE // 2) :])}"
            ) from None
        if not self.is_utf8 and not content.isascii() and b"\0" not in content and _is_utf8(content):
            warnings.warn(
                f"{self._path}: is read as {self.encoding}, as you say, but all of it is valid UTF-8. If letters look "
                "wrong, leave out the encoding.",
                EquipoiseWarning,
                stacklevel=2,
            )
        # Spreadsheets write a byte order mark, and what converts their files sometimes a second one.
        return text.lstrip("\ufeff")

    def check_width(self, content: bytes) -> None:
        """Refuse what is read with two or four bytes a character and is not written so.

        Hardly a byte of it would be no character, but all of them wrong ones.

        Args:
            content: the file, or its beginning.

        Raises:
            DataError: it has line breaks of one byte; the message names the encoding that the file seems to have.
        """
        if self.encoding.startswith(_WIDE) and b"\n" in content and b"\0" not in content:
            where = f"{self._path}: " if self._path else ""
            raise DataError(
                f"{where}found characters of one byte, expected {self.encoding} text. {self._suggest(content)}"
            )

    def explain(self, byte: int, content: bytes | None = None) -> str:
        """Say that a byte cannot be read, and what the file seems to be written in.

        Args:
            byte: the byte.
            content: the file, where it is at hand.
        """
        name = "UTF-8" if self.is_utf8 else self.encoding
        return f"found a byte that is not {name} (0x{byte:02x}), expected {name} text. {self._suggest(content)}"

    def _suggest(self, content: bytes | None) -> str:
        """Return the way out, the same for all rows of the file."""
        if self._hint is None:
            if content is None and self._path is not None:
                content = read_sample(self._path)
            found = detect_encoding(content[:_SAMPLE]) if content else None
            # A sample of a large file may have no such byte.
            if found is not None and found != self.encoding:
                self._hint = f"The file seems to be {found}: {say_key('encoding', found)}."
            else:
                self._hint = f"Save the file as UTF-8, or name its encoding ({say_key('encoding', 'cp1252')})."
        return self._hint


def read_sample(path: Path) -> bytes:
    """Return the beginning of a file, unpacked where its name ends in .gz; nothing where it cannot be read."""
    import gzip
    import zlib

    try:
        with path.open("rb") as packed:
            if path.suffix.lower() == ".gz":
                with gzip.GzipFile(fileobj=packed) as file:
                    return file.read(_SAMPLE)
            return packed.read(_SAMPLE)
    except (OSError, EOFError, zlib.error):
        return b""
