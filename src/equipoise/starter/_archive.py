"""Take single files out of wheels and source archives."""

import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO


def unpack(archive: Path, members: Mapping[str, Path]) -> None:
    """Copy the listed members of an archive, and nothing else, to given paths.

    No path is taken from the archive, so that it cannot write anywhere else. A member that does not exist,
    or is no regular file, is left out.

    Args:
        archive: a zip file or wheel, or a tar archive.
        members: member to path; `inner.tar.gz!member` reads a member of an archive in the archive.
    """
    inner: dict[str, dict[str, Path]] = {}
    direct: dict[str, Path] = {}
    for member, path in members.items():
        first, bang, rest = member.partition("!")
        if bang:
            inner.setdefault(first, {})[rest] = path
        else:
            direct[first] = path
    nested = {name: archive.with_name(f"{index}-{Path(name).name}") for index, name in enumerate(inner)}
    _copy(archive, direct | nested)
    for name, path in nested.items():
        if path.is_file():
            unpack(path, inner[name])


def _copy(archive: Path, members: Mapping[str, Path]) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            names = set(file.namelist())
            for member, path in members.items():
                if member in names:
                    _write(file.open(member), path)
    else:
        with tarfile.open(archive) as tar:
            regular = {entry.name: entry for entry in tar if entry.isfile()}
            for member, path in members.items():
                source = tar.extractfile(regular[member]) if member in regular else None
                if source is not None:
                    _write(source, path)


def _write(source: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with source, path.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
