"""Files and run files for the tests of the data package."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from equipoise.config import make_config
from equipoise.data import Table, load_table


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Write text, bytes or rows (as JSONL) to a file."""

    def write(name: str, content: str | bytes | Iterable[dict[str, Any]]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, str | bytes):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Table]:
    """Load a table from plain data, paths relative to the temporary folder."""

    def load(sources: dict[str, Any], tasks: dict[str, Any], **options: Any) -> Table:
        data = {"sources": sources, "tasks": tasks, "output": "out"}
        return load_table(make_config(data, folder=tmp_path), **options)

    return load


@pytest.fixture
def three(write: Callable[[str, Any], Path]) -> Callable[..., dict[str, str]]:
    """Write train.jsonl, dev.jsonl and test.jsonl, good ones unless given, and return the source."""
    good = [{"text": f"text {i}", "score": i / 10, "label": "ab"[i % 2]} for i in range(8)]

    def three(**splits: list[dict[str, Any]]) -> dict[str, str]:
        parts = {"train": good[:4], "dev": good[4:6], "test": good[6:]} | splits
        for split, rows in parts.items():
            write(f"{split}.jsonl", rows)
        return {split: f"{split}.jsonl" for split in parts}

    return three
