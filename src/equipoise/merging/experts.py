"""Folders that hold experts, and what their files say of themselves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from equipoise.errors import ModelError, UsageError
from equipoise.kinds import with_current_names
from equipoise.modeling import check_files, refuse_foreign_code

from .tensor_files import list_tensors


class Kind(StrEnum):
    """What an expert's folder holds."""

    MODEL = "Equipoise model"
    CHECKPOINT = "checkpoint"
    ADAPTER = "adapter"


@dataclass(frozen=True)
class Expert:
    """An expert on the disk.

    Args:
        name: what a merge calls it: its folder's name.
        folder: the folder of its model.
        kind: what it holds.
        weights: where the weights lie: a folder of transformers or of peft.
        is_adapter: whether those are an adapter.
        language_model: whether it has an output layer, by which it writes.
        base: what its files name as its base; None where they name none.
        revision: which revision of the base on the hub an adapter names.
        fingerprint: the base's hash, where it is recorded (see `equipoise.modeling.fingerprint`).
    """

    name: str
    folder: Path
    kind: Kind
    weights: Path
    is_adapter: bool
    language_model: bool
    base: str | None
    fingerprint: str | None = None
    revision: str = "main"


def find_experts(folders: Sequence[str | Path]) -> list[Expert]:
    """Look at folders: finished runs, their `model`, checkpoints of transformers, adapters of peft.

    Raises:
        ModelError: a folder holds none of them, or its files cannot be read.
        UsageError: two have the same name.
    """
    experts: dict[str, Expert] = {}
    for folder in map(Path, folders):
        expert = find_expert(folder)
        refuse_foreign_code(expert.weights)
        check_files(expert.weights)
        if expert.name in experts:
            raise UsageError(
                f"{folder}: found a second expert of the name '{expert.name}' (beside "
                f"{experts[expert.name].folder}), expected names that differ; rename one folder."
            )
        experts[expert.name] = expert
    return list(experts.values())


def find_expert(folder: Path) -> Expert:
    """Look at one folder; see `find_experts`."""
    # `model/` of a run is called what the run is called.
    folder = folder.resolve()
    if not (folder / "equipoise.json").is_file() and (folder / "model" / "equipoise.json").is_file():
        folder = folder / "model"
    name = folder.parent.name if folder.name == "model" else folder.name
    if (folder / "equipoise.json").is_file():
        return _model(name, folder)
    if (folder / "adapter_config.json").is_file():
        return _adapter(name, folder)
    if (folder / "config.json").is_file():
        made = _read(folder / "config.json").get("architectures") or [""]
        return Expert(name, folder, Kind.CHECKPOINT, folder, False, _has_output_layer(str(made[0])), None)
    problem = "holds none of them" if folder.is_dir() else "is a file" if folder.is_file() else "does not exist"
    raise ModelError(
        f"{folder}: {problem}, expected an expert: the folder of a finished run, a checkpoint of transformers "
        "(config.json), or an adapter of peft (adapter_config.json)."
    )


def _adapter(name: str, folder: Path) -> Expert:
    settings = _read(folder / "adapter_config.json")
    # Without a type of task, peft names the class of the model instead.
    made = (settings.get("auto_mapping") or {}).get("base_model_class") or ""
    task = settings.get("task_type")
    writes = _has_output_layer(str(made)) if task is None else task == "CAUSAL_LM"
    base, revision = settings.get("base_model_name_or_path"), settings.get("revision") or "main"
    if not writes and task is None and not made:
        writes = any(key.startswith(_WITH_OUTPUT_LAYER) for key in list_tensors(folder, folder, "adapter_model"))
    return Expert(name, folder, Kind.ADAPTER, folder, True, writes, base or None, revision=revision)


_WITH_OUTPUT_LAYER = ("base_model.model.model.", "base_model.model.transformer.", "base_model.model.gpt_neox.")
"""How names of adapters begin that were trained on a decoder with its output layer; an encoder has none anyway."""


def _has_output_layer(architecture: str) -> bool:
    return architecture.endswith(("ForCausalLM", "LMHeadModel"))


def _model(name: str, folder: Path) -> Expert:
    config = _read(folder / "equipoise.json")
    writes = any(with_current_names(task).get("format") == "prompt" for task in config.get("tasks", {}).values())
    if base := config.get("base"):
        if base.get("quantization", "none") != "none":
            raise ModelError(
                f"{folder}: its base is quantized ({base['quantization']}), expected floating-point numbers; "
                "train it without quantization."
            )
        return Expert(name, folder, Kind.MODEL, folder / "adapter", True, writes, base["name"], base["fingerprint"])
    return Expert(name, folder, Kind.MODEL, folder / "backbone", False, writes, _model_of_run(folder.parent))


def _model_of_run(folder: Path) -> str | None:
    """The model that a run began with."""
    try:
        model: Any = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")).get("model")
    except (OSError, AttributeError, yaml.YAMLError):
        return None
    return model if isinstance(model, str) else None


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read ({error}); copy it again.") from None
    if not isinstance(content, dict):
        raise ModelError(f"{file}: found {type(content).__name__}, expected an object; copy it again.")
    return content


def common_base(experts: Sequence[Expert], base: str | None = None) -> str:
    """Name the base that all experts were tuned from.

    Args:
        experts: the experts.
        base: the base, where the user names it.

    Raises:
        UsageError: they name different ones, or none does.
    """
    if base is not None:
        return base
    named = {expert.name: expert.base for expert in experts if expert.base is not None}
    if len(set(named.values())) > 1:
        listed = "; ".join(f"{name} from {base}" for name, base in named.items())
        raise UsageError(
            f"merge: found experts of different bases ({listed}), expected one; merge experts of one base, or name it "
            "with --base where these are names of the same."
        )
    revisions = {expert.name: expert.revision for expert in experts if expert.revision != "main"}
    if revisions and not any(Path(base).is_dir() for base in named.values()):
        listed = "; ".join(f"{expert.name} at {expert.revision}" for expert in experts if expert.base is not None)
        raise UsageError(
            f"merge: found experts of a revision of their base ({listed}), expected its main one; download the "
            "revision that all were trained on, and name its folder with --base."
        )
    if not named:
        raise UsageError("merge: no expert's files name its base; give it with --base (a name or a folder).")
    return next(iter(named.values()))
