"""Which process works on something, as a record that other processes and later ones can read."""

import os
import socket
from pathlib import Path
from typing import Any

Owner = dict[str, Any]
"""A process as a record: "host", "process" (its number), "system" and "started" (see `this_process`)."""


def this_process() -> Owner:
    """Describe this process.

    Returns:
        "host"; "process", its number; "system", which tells apart boots and containers, and "started", which tells
        apart processes of one number, where the operating system gives them.
    """
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "system": _system(),
        "started": _started(os.getpid()),
    }


def has_ended(owner: Owner) -> bool:
    """Whether a process has certainly ended; one on another host, or in another container, may live."""
    if owner.get("host") != socket.gethostname() or owner.get("system") != _system():
        return False
    process = int(owner["process"])
    return not _lives(process) or owner.get("started") != _started(process)


def is_this_process(owner: Owner) -> bool:
    """Whether a record is one of this process."""
    mine = this_process()
    return all(owner.get(key) == value for key, value in mine.items())


def name_owner(owner: Owner) -> str:
    """Name a process in a message."""
    return f"process {owner.get('process', '?')} on {owner.get('host', '?')}"


def _system() -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except (OSError, ValueError):
        return None


def _started(process: int) -> int | None:
    """When a process was started, in clock ticks since the boot."""
    try:
        # The name, which stands in brackets, may hold anything; what comes after it are numbers.
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def _lives(process: int) -> bool:
    if os.name != "posix":
        return True  # a signal would end it there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
