"""Digests of what is written, so that damage is found when it is read."""

from collections.abc import Callable, Mapping
from pathlib import Path

import xxhash

_ALGORITHM = "xxh3_128"
_BLOCK = 1 << 20


def digest_file(path: Path) -> str:
    """Return the digest of a file's content, such as "xxh3_128:6bd1…".

    It finds damage. It is no protection from somebody who changes file and digest together.
    """
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return f"{_ALGORITHM}:{digest.hexdigest()}"


def digest_folder(folder: Path) -> dict[str, str]:
    """Return the digest of every file in a folder and below, by its path in the folder, in order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in files}


def find_damage(
    folder: Path, digests: Mapping[str, str], wanted: Callable[[str], bool] = lambda name: True
) -> tuple[str, str] | None:
    """Compare the files of a folder with their digests.

    Args:
        folder: the folder.
        digests: of its files, as `digest_folder` returns them; those by another algorithm are passed over.
        wanted: which files to read; by default all.

    Returns:
        The first file that is missing or was changed, and what was found; None where all is well.
    """
    for name, expected in digests.items():
        if not wanted(name) or not expected.startswith(f"{_ALGORITHM}:"):
            continue
        path = folder / name
        if not path.is_file():
            return name, "no such file"
        if (found := digest_file(path)) != expected:
            return name, f"content with digest {found[-8:]}, expected {expected[-8:]}"
    return None


_SEAL = "<!-- written by Equipoise, unchanged while this is its digest: {} -->\n"


def seal(text: str) -> str:
    """Return a text for Markdown or HTML with a last line by which `is_sealed` knows it.

    Args:
        text: the text; it ends with a line break.
    """
    return text + _SEAL.format(xxhash.xxh3_128_hexdigest(text.encode()))


def is_sealed(path: Path) -> bool:
    """Whether a file holds what `seal` returned, and nobody has changed it since."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    start = text.rstrip("\n").rfind("\n") + 1
    return text == seal(text[:start])
