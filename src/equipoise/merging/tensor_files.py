"""The files that an expert's tensors lie in, and the names they have there."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from equipoise.errors import ModelError
from equipoise.modeling import PICKLED

_FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class FileTensor:
    """A tensor in a file of an expert.

    Args:
        file: the file, relative to the expert's folder.
        name: its name there.
        shape: its shape.
        is_float: whether it holds floating-point numbers of 16 bits or more.
    """

    file: str
    name: str
    shape: tuple[int, ...]
    is_float: bool


def list_tensors(folder: Path, weights: Path, stem: str) -> dict[str, FileTensor]:
    """List the tensors that lie in `STEM.safetensors`, or in the shards that its index names.

    Args:
        folder: the expert's folder.
        weights: the folder of the weights, in it or itself.
        stem: "model", "adapter_model" or "task_modules".

    Raises:
        ModelError: there is no such file, it is pickled, a shard is missing, or a file is damaged.
    """
    whole, index = weights / f"{stem}.safetensors", weights / f"{stem}.safetensors.index.json"
    if whole.is_file():
        return _tensors_in(folder, whole)
    if index.is_file():
        return _tensors_in_shards(folder, index)
    pickled = sorted(path.name for path in weights.iterdir() if path.suffix in PICKLED) if weights.is_dir() else []
    if pickled:
        raise ModelError(
            f"{weights / pickled[0]}: found pickled weights, expected {whole.name}; only safetensors is read: load it "
            "with the library that wrote it, and save it again."
        )
    raise ModelError(f"{weights}: found no {whole.name}, expected an expert's weights in it; copy the folder again.")


def _tensors_in(folder: Path, path: Path) -> dict[str, FileTensor]:
    try:
        tensors = {}
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - a safetensors file is no dict
                part = file.get_slice(name)
                is_float = part.get_dtype() in _FLOATS
                where = path.relative_to(folder).as_posix()
                tensors[name] = FileTensor(where, name, tuple(part.get_shape()), is_float)
        return tensors
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy it again.") from None


def _tensors_in_shards(folder: Path, index: Path) -> dict[str, FileTensor]:
    try:
        listed: dict[str, str] = dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{index}: cannot be read ({error}); copy it again.") from None
    shards = sorted(set(listed.values()))
    missing = [name for name in shards if not (index.parent / name).is_file()]
    if missing:
        raise ModelError(
            f"{index.parent / missing[0]}: {len(missing)} of {len(shards)} files that {index.name} names are missing; "
            "copy the folder again."
        )
    tensors: dict[str, FileTensor] = {}
    for shard in shards:
        tensors |= _tensors_in(folder, index.parent / shard)
    if lost := sorted(listed.keys() - tensors.keys()):
        raise ModelError(
            f"{index.parent / listed[lost[0]]}: lacks {len(lost)} tensors that {index.name} says it holds "
            f"({shortened(lost)}); copy the folder again."
        )
    return tensors


def shortened(names: list[str], most: int = 2) -> str:
    """Name a few tensors, so that a message stays short."""
    shown = ", ".join(f"'{name if len(name) <= 80 else '…' + name[-79:]}'" for name in names[:most])
    return shown + (", …" if len(names) > most else "")
