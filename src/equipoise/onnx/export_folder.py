"""The folder of an exported model: what lies in it, that it is whole, and that nothing else is replaced."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from equipoise.digests import find_damage
from equipoise.errors import ModelError
from equipoise.kinds import Task
from equipoise.outputs import OutputKind
from equipoise.predicting import ModelFacts, read_description

from .text_tokenizer import TokenizerFacts

FORMAT_VERSION = 1
MARK = "onnx.json"
"""The file by which the folder is known: tasks, settings, and the digests of the other files."""
GRAPH, MEANS, TOKENIZER = "model.onnx", "means.onnx", "tokenizer.json"
"""The network with all heads; from averaged outputs to predictions, for texts in windows; the tokenizer."""


class ExportFacts(ModelFacts):
    """What `onnx.json` says of an exported model."""

    precision: Literal["fp32", "int8"] = "fp32"
    tokenizer: TokenizerFacts


def find_export(model: str | Path) -> Path | None:
    """Return the folder of an exported model; None where there is none.

    Args:
        model: the folder, or the graph in it.
    """
    path = Path(model)
    if path.name == GRAPH and path.is_file():
        path = path.parent
    return path if (path / MARK).is_file() else None


def read_export(folder: Path) -> tuple[ExportFacts, dict[str, Task]]:
    """Read what an exported model's folder says, and make sure that its files are those that were written.

    Raises:
        ModelError: a file is missing or was changed, or a key of `onnx.json` is not what it should be.
    """
    facts, tasks = read_description(folder / MARK, ExportFacts, FORMAT_VERSION)
    needed = {GRAPH, TOKENIZER, *([MEANS] if facts.long_texts == "windows" else [])}
    if unlisted := sorted(needed - facts.files.keys()):
        raise ModelError(
            f"{folder / MARK}: not a readable exported model: files: '{unlisted[0]}' is missing; export it again."
        )
    damage = find_damage(folder, {name: facts.files[name] for name in sorted(needed)})
    if damage is not None:
        name, found = damage
        raise ModelError(
            f"{folder / name}: not a readable exported model: the file is damaged or was changed after it was written "
            f"(found {found}); copy the folder again, or export the model again."
        )
    return facts, tasks


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_ours(folder: Path) -> bool:
    return _read(folder).keys() >= {"format_version", "tokenizer", "files"}


def _strangers(folder: Path) -> Collection[str]:
    listed = _read(folder).get("files")
    known = {MARK, *(listed if isinstance(listed, dict) else ())}
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in found if name not in known)


ONNX_OUTPUT = OutputKind("an exported model", _is_ours, _strangers, hint="choose another folder", whole=True)
"""What `equipoise export` writes, and may replace."""
