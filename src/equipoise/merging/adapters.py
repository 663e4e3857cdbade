"""What an adapter of peft has learned."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from peft import (
    PEFT_TYPE_TO_TUNER_MAPPING,
    PeftConfig,
    PeftModel,
    PeftType,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from equipoise.errors import ModelError
from equipoise.modeling import fingerprint, quiet_transformers

from .accounting import Fate
from .base import Base
from .experts import Expert
from .low_rank import Factors, factors_of
from .tensor_files import FileTensor, list_tensors, shortened
from .vector import Vector, check_numbers

_PREFIX = "base_model.model."


@dataclass(frozen=True)
class View:
    """The base as an adapter knows it.

    Args:
        module: what the adapter is put on.
        outer: what stands before the backbone's own names there, such as "bert.".
        prefix: what those lack of the names of the base's tensors.
    """

    module: nn.Module
    outer: str
    prefix: str

    def name(self, own: str) -> str:
        """The base's name of a tensor."""
        return self.prefix + own.removeprefix(self.outer)


def read_adapter(expert: Expert, base: Base) -> Vector:
    """Read what an adapter learnt; see `read_vectors`."""
    part, _ = base.part(language_model=expert.language_model)
    if expert.fingerprint is not None and (current := fingerprint(part)) != expert.fingerprint:
        raise ModelError(
            f"{expert.folder}: its adapter was trained on another '{base.name}' (fingerprint then "
            f"{expert.fingerprint[:12]}…, now {current[:12]}…); put that one back, or train again."
        )
    settings = _read_settings(expert)
    files = list_tensors(expert.folder, expert.weights, "adapter_model")
    saved = load_file(expert.weights / "adapter_model.safetensors")
    check_numbers(expert.folder, saved)
    view = _fitting(expert, base, [key for key in saved if _mark(settings) in key] or list(saved))
    modules = {key: _module_of(view.module, key) for key in saved}
    kind = PeftType(settings.peft_type).value
    # The class for a task would look for parts that only the whole model has.
    settings.task_type, settings.modules_to_save, settings.inference_mode = None, None, True
    with _restored(view.module, modules.values()) as before:
        try:
            with quiet_transformers():
                adapted = PeftModel(view.module, settings).eval()
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise _misfit(expert, base, str(error).splitlines()[0]) from error
        try:
            plain = _load(expert, base, adapted, saved)
            changed, factors = _fold(expert, adapted, before, kind)
        finally:
            tuner: Any = adapted.base_model
            tuner.unload()
    tensors = {view.name(name): tensor for name, tensor in changed.items()}
    products = None if factors is None else {view.name(name): one for name, one in factors.items()}
    places = {files[key]: _place(base, view, module) for key, module in modules.items() if key not in plain}
    aside: dict[FileTensor, Fate] = {}
    for key, name in plain.items():
        whole = _plain_change(expert, base, view, name, saved[key])
        if whole is None:
            aside[files[key]] = Fate.TIED
            continue
        name, change = whole
        places[files[key]] = name
        if change.any():
            tensors[name], products = change, None
    _check_tied(expert, base, tensors)
    return Vector(tensors, products, places, aside, outer=view.outer)


def _fitting(expert: Expert, base: Base, keys: list[str]) -> View:
    """Choose the view of the base in which an adapter's names have a meaning.

    Names depend on what an adapter was trained on: a model alone (`layers.0…`), one with an output layer
    (`model.layers.0…`), a classifier (`bert.encoder…`).
    """
    whole = base.backbone
    inner, prefix = base.part(language_model=False)
    views = [View(inner, "", prefix)] if not expert.language_model or inner is whole else []
    views += [View(whole, "", "")]
    views += [View(inner, "", prefix)] if not views else []
    if outer := str(whole.base_model_prefix):
        holder = nn.Module()
        holder.add_module(outer, inner)
        views.append(View(holder, f"{outer}.", prefix))
    names = [key.removeprefix(_PREFIX) for key in keys if key.startswith(_PREFIX)]
    for view in views:
        children = {name for name, _ in view.module.named_children()}
        if all(name.partition(".")[0] in children for name in names):
            return view
    children = {name for view in views for name, _ in view.module.named_children()}
    lost = sorted(name for name in names if name.partition(".")[0] not in children) or sorted(names)
    raise _misfit(
        expert,
        base,
        f"{len(lost)} of its {len(keys)} tensors have no place in {type(whole).__name__}: {shortened(lost)}",
    )


def _module_of(module: nn.Module, key: str) -> str:
    """The module that a tensor of an adapter belongs to: the longest part of its name that is one; "" is all."""
    known = key.removeprefix(_PREFIX).split(".")
    name = ""
    for step in known:
        children = dict(module.named_children())
        if step not in children:
            break
        module, name = children[step], f"{name}.{step}".removeprefix(".")
    return name


@contextmanager
def _restored(module: nn.Module, names: Iterable[str]) -> Iterator[dict[str, dict[str, Tensor]]]:
    """Yield copies of the tensors of some modules, and put these back in the end.

    Some adapters change the base when they are put on it, before anything is folded in (PiSSA, OLoRA).
    """
    parts = {name: module.get_submodule(name) for name in names if name}
    before = {name: _own(part) for name, part in parts.items()}
    try:
        yield before
    finally:
        for name, part in parts.items():
            for own, parameter in part.named_parameters(recurse=False):
                parameter.data = before[name][own]


def _load(expert: Expert, base: Base, adapted: PeftModel, saved: Mapping[str, Tensor]) -> dict[str, str]:
    """Load an adapter's tensors; return those that are whole tensors of the model, by key their names."""
    expected = get_peft_model_state_dict(adapted, save_embedding_layers=False).keys()
    if lost := sorted(expected - saved.keys()):
        raise _misfit(expert, base, f"its file lacks {len(lost)} of {len(expected)} tensors: {shortened(lost)}")
    try:
        set_peft_model_state_dict(adapted, {key: saved[key] for key in saved if key in expected})
    except (ValueError, KeyError, RuntimeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise _misfit(expert, base, lines[1 if len(lines) > 1 else 0][:200]) from error
    plain: dict[str, str] = {}
    mark = _mark(adapted.peft_config["default"])
    if strange := sorted(key for key in saved.keys() - expected if mark in key):
        raise _misfit(
            expert, base, f"its adapter_config.json says nothing of {len(strange)} tensors: {shortened(strange)}"
        )
    for key in saved.keys() - expected:
        name = key.removeprefix(_PREFIX).replace(".base_layer.", ".").replace(".modules_to_save.", ".")
        plain[key] = name
    return {key: plain[key] for key in saved if key in plain}


def _fold(
    expert: Expert, adapted: PeftModel, before: Mapping[str, Mapping[str, Tensor]], kind: str
) -> tuple[dict[str, Tensor], dict[str, Factors] | None]:
    """Fold an adapter in, and return what that changes, by the names in its view of the base."""
    layers = {
        name.removeprefix(_PREFIX): layer
        for name, layer in adapted.named_modules()
        if isinstance(layer, BaseTunerLayer)
    }
    tuner: Any = adapted.base_model
    try:
        touched = any(
            not torch.equal(tensor, before[name][own])
            for name, layer in layers.items()
            for own, tensor in layer.get_base_layer().named_parameters(recurse=False)
        )
        factors = None if touched else factors_of(adapted)
        tuner.merge_adapter(safe_merge=True)
        changed = {
            f"{name}.{own}": tensor - before[name][own]
            for name, layer in layers.items()
            for own, tensor in _own(layer.get_base_layer()).items()
            if not torch.equal(tensor, before[name][own])
        }
    except (AttributeError, NotImplementedError, KeyError, ValueError) as error:
        raise ModelError(
            f"{expert.folder}: its {kind} adapter cannot be folded into weights ({str(error).splitlines()[0]}); merge "
            "experts with another kind of adapter, such as LoRA."
        ) from error
    return changed, factors


def _own(part: nn.Module) -> dict[str, Tensor]:
    """Copies of a module's own tensors."""
    return {name: tensor.detach().clone() for name, tensor in part.named_parameters(recurse=False)}


def _place(base: Base, view: View, module: str) -> str:
    """The tensor of the base that a tensor of an adapter changes."""
    if not module:
        return ""  # shared by all modules, such as the projections of VeRA
    name = view.name(module)
    return f"{name}.weight" if f"{name}.weight" in base.tensors else name


def _plain_change(expert: Expert, base: Base, view: View, own: str, tensor: Tensor) -> tuple[str, Tensor] | None:
    """The change of a tensor that an adapter holds whole, such as embeddings; None where it is a copy of a tied one."""
    name = view.name(own)
    before = base.tensors.get(name)
    if before is not None and before.shape == tensor.shape:
        return name, tensor.float() - before
    tied = base.backbone.state_dict().get(name)
    if before is None and tied is not None and tied.shape == tensor.shape and torch.equal(tied, tensor.float()):
        return None
    shape, expected = tuple(tensor.shape), "nothing" if before is None else str(tuple(before.shape))
    there = "what is tied to other weights" if tied is not None and before is None else expected
    raise ModelError(
        f"{expert.folder}: its adapter holds '{own}' whole (shape {shape}), where '{base.name}' has {there}; a merge "
        "would lose it: fold it in by peft's merge_and_unload, and give the checkpoint."
    )


def _check_tied(expert: Expert, base: Base, changed: Mapping[str, Tensor]) -> None:
    """Refuse a change of one of two tied tensors: the expert has them apart, and the merge would change both."""
    entry, output = base.backbone.get_input_embeddings(), base.backbone.get_output_embeddings()
    if output is None or entry.weight is not output.weight:
        return
    names = [name for name, tensor in base.tensors.items() if tensor.data_ptr() == entry.weight.data_ptr()]
    if tied := [name for name in names if name in changed]:
        raise ModelError(
            f"{expert.folder}: its adapter changes '{tied[0]}', which '{base.name}' ties to its output layer, so that "
            "both would change in a merge; train it without the embeddings among what it changes."
        )


def _mark(settings: PeftConfig) -> str:
    """What the names of an adapter's own tensors hold, unlike those of whole tensors saved with it."""
    return f".{PEFT_TYPE_TO_PREFIX_MAPPING.get(PeftType(settings.peft_type), 'lora_')}"


def _misfit(expert: Expert, base: Base, reason: str) -> ModelError:
    return ModelError(f"{expert.folder}: its adapter does not fit '{base.name}' ({reason}); merge experts of one base.")


def _read_settings(expert: Expert) -> PeftConfig:
    """Read an adapter's settings, and refuse by name what is no change of weights."""
    try:
        settings = PeftConfig.from_pretrained(str(expert.weights))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{expert.folder}: its adapter_config.json cannot be read ({error}); copy it again.") from None
    if settings.is_prompt_learning or settings.peft_type not in PEFT_TYPE_TO_TUNER_MAPPING:
        raise ModelError(
            f"{expert.folder}: found a {settings.peft_type.value} adapter, which changes no weights, expected one that "
            "can be folded into them, such as LoRA."
        )
    beside = [f"biases (bias: {settings.bias})"] if getattr(settings, "bias", "none") not in ("none", False) else []
    beside += [what for key, what in _BESIDE.items() if getattr(settings, key, None)]
    if beside:
        raise ModelError(
            f"{expert.folder}: its adapter also holds {' and '.join(beside)}, which no merge would keep apart from the "
            "base; fold it in by peft's merge_and_unload, and give the checkpoint."
        )
    return settings


_BESIDE = {
    "trainable_token_indices": "rows of embeddings (trainable_token_indices)",
    "target_parameters": "changes of single parameters (target_parameters)",
    "layer_replication": "repeated layers (layer_replication)",
}
"""By the setting: what cannot be told apart from the base."""
