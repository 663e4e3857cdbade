"""The folder of a model: what was written into it, that it is whole, and that nothing else is replaced."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from equipoise.digests import find_damage, is_sealed
from equipoise.errors import ModelError
from equipoise.outputs import OutputKind

CONFIG, MERGE_RECORD = "equipoise.json", "merge.json"
"""The files by which the folder of a model, and of a merge that is no Equipoise model, is known."""
EXPORTED = "onnx.json"
"""The file by which the folder of an exported model is known."""
CARD = "README.md"
"""The model card, beside the model."""
MODULES, BACKBONE, ADAPTER = "task_modules.safetensors", "backbone", "adapter"
_FILES = "files"
"""The key of both that holds the digests of all other files."""
_MERGE_KEYS = frozenset(["operator", "weights", "base", "form"])


def check_whole(folder: Path, config: Mapping[str, Any]) -> None:
    """Make sure that the files of a model are those that were written.

    Args:
        folder: the model's folder.
        config: what its `CONFIG` holds; folders from before there were digests pass.

    Raises:
        ModelError: a file is missing or was changed.
    """
    # Nobody reads what people write beside a model, such as README.md.
    damage = find_damage(folder, config.get(_FILES, {}), lambda name: not name.endswith(".md"))
    if damage is not None:
        name, found = damage
        raise ModelError(
            f"{folder / name}: not a readable Equipoise model: the file is damaged or was changed after it was written "
            f"(found {found}); copy the model again, or train it again."
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_ours(folder: Path) -> bool:
    return "format_version" in _read(folder / CONFIG) or _read(folder / MERGE_RECORD).keys() >= _MERGE_KEYS


def model_strangers(folder: Path) -> Collection[str]:
    """Return what lies in a model's folder and was not written with it."""
    known = {CONFIG, MERGE_RECORD, MODULES}
    listed = [_read(folder / name).get(_FILES) for name in (CONFIG, MERGE_RECORD)]
    names = [files for files in listed if isinstance(files, dict)]
    for files in names:
        known.update(files)
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    # A model card is written later, and may have been edited: then it is the user's.
    known.update(name for name in found if name == CARD and is_sealed(folder / name))
    # Folders from before there were digests list nothing: they are taken to hold what models hold.
    return [name for name in found if name not in known and (names or not _looks_written(name))]


def _looks_written(name: str) -> bool:
    place, _, file = name.rpartition("/")
    endings = (".safetensors", ".json", ".txt", ".model", ".jinja", ".md")
    return place in ("", BACKBONE, ADAPTER) and file.endswith(endings)


MODEL_OUTPUT = OutputKind("a model", _is_ours, model_strangers, hint="choose another folder", whole=True)
"""What `save_pretrained` and `merge` write, and may replace."""
