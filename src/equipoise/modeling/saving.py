"""Saving and loading models: JSON and safetensors only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.data import ChatStyle
from equipoise.digests import digest_folder
from equipoise.disk import writing_model
from equipoise.errors import ModelError
from equipoise.files import replace_folder, to_json, write_json
from equipoise.kinds import Task
from equipoise.locks import LOCK, is_held, owner_of
from equipoise.outputs import check_output

from .adapters import fingerprint, has_adapter, load_adapter
from .backbone import load_backbone
from .description import FORMAT_VERSION, BaseModelOf, read_description
from .model_files import check_files
from .model_folder import ADAPTER, BACKBONE, CONFIG, EXPORTED, MODEL_OUTPUT, MODULES, check_whole
from .quantizing import is_quantized
from .quiet import quiet_transformers

if TYPE_CHECKING:
    from .model import MultiTaskModel

    Model = TypeVar("Model", bound=MultiTaskModel)


def save_model(model: MultiTaskModel, folder: Path) -> None:
    """Write a model; see `MultiTaskModel.save_pretrained`."""
    if model.base is None and has_adapter(model.backbone):
        raise ModelError(
            f"{folder}: a model with an adapter is saved without its base, whose name is needed to load it; give "
            "it to MultiTaskModel (base)."
        )

    def free() -> bool:
        return check_output(folder, MODEL_OUTPUT)

    free()
    with writing_model(folder), replace_folder(folder, free) as target, quiet_transformers():
        _write(model, target)


def load_model(
    cls: type[Model], folder: Path, on: tuple[PreTrainedModel, PreTrainedTokenizerBase] | None = None
) -> Model:
    """Read a model; see `MultiTaskModel.from_pretrained`."""
    try:
        return _load(cls, folder, on)
    except ModelError:
        for place in (folder, folder.parent):
            if is_held(place / LOCK):
                raise ModelError(
                    f"{folder}: cannot be read while {owner_of(place / LOCK)} is writing the run in {place}; wait for "
                    "it, then try again."
                ) from None
        raise


def _load(cls: type[Model], folder: Path, on: tuple[PreTrainedModel, PreTrainedTokenizerBase] | None) -> Model:
    check_files(folder)
    if not (folder / CONFIG).is_file():
        found = f"has no {CONFIG}" if folder.is_dir() else "is a file" if folder.is_file() else "does not exist"
        if (folder / EXPORTED).is_file():
            found = "holds an exported model, which only `predict` and `serve` read"
        raise ModelError(
            f"{folder}: {found}, expected an Equipoise model; give the folder of a finished run, or its 'model'."
        )
    try:
        said, tasks = read_description(folder / CONFIG)
        check_whole(folder, said.model_dump())
        base = said.base
        backbone, tokenizer = on or load_backbone(
            base.name if base else str((folder / BACKBONE).absolute()),
            language_model=any(task.is_prompted for task in tasks.values()),
            quantization=base.quantization if base else "none",
        )
        if base and on is None:
            _add_saved_adapter(backbone, folder, base)
        model = cls(
            backbone,
            tokenizer,
            tasks,
            said.max_length,
            pooling=said.pooling,
            style=ChatStyle(**said.prompt.model_dump()),
            base=base.name if base else None,
        ).with_long_texts(said.long_texts)
        model.own_modules().load_state_dict(load_file(folder / MODULES))
    except (OSError, AttributeError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder}: not a readable Equipoise model ({error}); copy or train it again.") from error
    return model.eval()


def _write(model: MultiTaskModel, folder: Path) -> None:
    config: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "max_length": model.max_length,
        "pooling": model.pooling,
        "tasks": {name: task.to_dict() for name, task in model.tasks.items()},
    }
    if model.long_texts != "cut":
        config["long_texts"] = model.long_texts
    if model.prompts is not None:
        config["prompt"] = asdict(model.style)
    if has_adapter(model.backbone):
        quantization = "4bit" if is_quantized(model.backbone) else "none"
        config["base"] = {
            "name": model.base,
            "fingerprint": fingerprint(model.backbone),
            "quantization": quantization,
        }
        model.backbone.save_pretrained(folder / ADAPTER)
    else:
        model.backbone.save_pretrained(folder / BACKBONE)
        model.tokenizer.save_pretrained(folder / BACKBONE)
    modules = {key: tensor.contiguous() for key, tensor in model.own_modules().state_dict().items()}
    save_file(modules, folder / MODULES, metadata={"format": "pt"})
    config["files"] = digest_folder(folder)
    (folder / CONFIG).write_text(to_json(config, indent=2) + "\n", encoding="utf-8")


def save_tasks(folder: Path, tasks: Mapping[str, Task]) -> None:
    """Write the tasks of a model anew, without its weights: what was fitted on dev.

    Args:
        folder: the model's folder.
        tasks: all its tasks, with the shapes that they had.

    Raises:
        ModelError: the file cannot be written; it is then as it was.
    """
    path = folder / CONFIG
    said = json.loads(path.read_text(encoding="utf-8"))
    try:
        write_json(path, {**said, "tasks": {name: task.to_dict() for name, task in tasks.items()}})
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror or error}); the model is as it was.") from None


def _add_saved_adapter(backbone: PreTrainedModel, folder: Path, base: BaseModelOf) -> None:
    if (found := fingerprint(backbone)) != base.fingerprint:
        raise ModelError(
            f"{folder}: its adapter was trained on another '{base.name}' (fingerprint then "
            f"{base.fingerprint[:12]}…, now {found[:12]}…); put that one back, or train again."
        )
    load_adapter(backbone, folder / ADAPTER)
