"""One bad input, and the folder it stands in."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRAIN = ("train", "run.yaml")


@dataclass(frozen=True)
class World:
    """A folder with run.yaml, data.csv, and `run`, a finished run, in which a command is called.

    Args:
        folder: the folder, which is the working folder.
        model: a tiny model's folder.
        trained: a finished run, elsewhere.
    """

    folder: Path
    model: Path
    trained: Path

    def make(self) -> None:
        """Write what every case starts from."""
        rows = [f"text {n} {'good' if n % 2 else 'bad'},{n % 2},{'pos' if n % 2 else 'neg'},film" for n in range(40)]
        self.write("data.csv", "\n".join(["text,score,label,aspect", *rows]) + "\n")
        self.write("run.yaml", json.dumps(self.run()))

    def run(self, **changes: Any) -> dict[str, Any]:
        """A run file that is right, but for the changes."""
        return {
            "model": str(self.model),
            "max_length": 16,
            "sources": {"s": {"path": "data.csv"}},
            "tasks": {
                "score": {"source": "s", "kind": "regression", "label": "score", "range": [0, 1]},
                "polarity": {"source": "s", "kind": "classification"},
            },
            "train": {"max_steps": 1, "evaluations": 1, "batch_size": 4},
            "evaluation": {"bootstrap": 100},
            "output": "out",
        } | changes

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file, and the folders above it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def copy_run(self) -> Path:
        """Put a copy of the finished run there, as `run`, and return its model's folder."""
        shutil.copytree(self.trained, self.folder / "run")
        return self.folder / "run" / "model"


def nothing(world: World) -> None:
    """The command itself is what is bad."""


@dataclass(frozen=True)
class Case:
    """One bad input.

    Args:
        area: what is bad: "run file", "data", "aspects", "texts", "model", "output", "command line".
        name: what is bad about it.
        words: what the message must say.
        command: what is called, without `equipoise`; `RUN` in it stands for the finished run.
        prepare: makes the input.
        code: the exit code.
        stdin: standard input.
    """

    area: str
    name: str
    words: str
    command: tuple[str, ...] = TRAIN
    prepare: Callable[[World], object] = nothing
    code: int = 1
    stdin: bytes = b""
