"""Task vectors: what experts learnt, as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PEFT_TYPE_TO_TUNER_MAPPING, PeftConfig, PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from equipoise.errors import EquipoiseError, ModelError
from equipoise.modeling import fingerprint, load_backbone, quiet_transformers
from equipoise.progress import progress

from .base import Base
from .experts import Expert
from .low_rank import Factors, factors_of


@dataclass(frozen=True)
class Vector:
    """What an expert learnt.

    Args:
        tensors: θ_expert − θ_base by tensor, float32; tensors it did not change are left out.
        factors: of a LoRA adapter, the same as products of two (see `factors_of`); None of anything else.
    """

    tensors: dict[str, Tensor]
    factors: dict[str, Factors] | None


def read_vectors(experts: Sequence[Expert], base: Base) -> dict[str, Vector]:
    """Read what each expert learnt.

    Of an adapter it is what peft itself folds in, so that every adapter that can be folded is accepted.

    Args:
        experts: the experts.
        base: their base; it is as before when this returns.

    Returns:
        A vector for each expert, by its name.

    Raises:
        ModelError: an expert was not tuned from this base, its vocabulary is another one, its weights cannot be read,
            or its adapter cannot be folded in.
    """
    vectors = {}
    with progress("Reading experts", len(experts), "expert") as bar:
        for expert in experts:
            _check_tokenizer(expert, base)
            vectors[expert.name] = _of_adapter(expert, base) if expert.is_adapter else _of_checkpoint(expert, base)
            if bar is not None:
                bar.advance()
    return vectors


def _of_checkpoint(expert: Expert, base: Base) -> Vector:
    try:
        tuned, _ = load_backbone(str(expert.weights), language_model=expert.language_model)
    except EquipoiseError as error:
        raise ModelError(f"{expert.folder}: {error}") from None
    part, prefix = base.part(language_model=expert.language_model)
    before = {name: parameter.detach() for name, parameter in part.named_parameters()}
    after = {name: parameter.detach() for name, parameter in tuned.named_parameters()}
    different = [name for name in before | after if name not in before or name not in after]
    different += [name for name in before.keys() & after.keys() if before[name].shape != after[name].shape]
    if different:
        name = different[0]
        shapes = [str(tuple(side[name].shape)) if name in side else "nothing" for side in (after, before)]
        raise ModelError(
            f"{expert.folder}: not tuned from '{base.name}': {len(different)} tensors differ in shape or name "
            f"('{name}': found {shapes[0]}, expected {shapes[1]}); merge experts of one base."
        )
    changed = {name: after[name] - tensor for name, tensor in before.items() if not torch.equal(after[name], tensor)}
    return Vector({prefix + name: tensor for name, tensor in changed.items()}, None)


def _of_adapter(expert: Expert, base: Base) -> Vector:
    part, prefix = base.part(language_model=expert.language_model)
    if expert.fingerprint is not None and (found := fingerprint(part)) != expert.fingerprint:
        raise ModelError(
            f"{expert.folder}: its adapter was trained on another '{base.name}' (fingerprint then "
            f"{expert.fingerprint[:12]}…, now {found[:12]}…); put that one back, or train again."
        )
    _check_settings(expert)
    try:
        with quiet_transformers():
            adapted = PeftModel.from_pretrained(part, str(expert.weights))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"{expert.folder}: its adapter does not fit '{base.name}' ({str(error).splitlines()[0]}); merge experts of "
            "one base."
        ) from error
    tuner: Any = adapted.base_model
    layers = {
        name.removeprefix("base_model.model."): layer
        for name, layer in adapted.named_modules()
        if isinstance(layer, BaseTunerLayer)
    }
    before = {name: _own(layer) for name, layer in layers.items()}
    try:
        factors = factors_of(adapted)
        tuner.merge_adapter(safe_merge=True)
        changed = {
            f"{prefix}{name}.{part_name}": tensor - before[name][part_name]
            for name, layer in layers.items()
            for part_name, tensor in _own(layer).items()
            if not torch.equal(tensor, before[name][part_name])
        }
        return Vector(changed, None if factors is None else {prefix + name: one for name, one in factors.items()})
    except (AttributeError, NotImplementedError, ValueError) as error:
        kind = PeftConfig.from_pretrained(str(expert.weights)).peft_type
        raise ModelError(
            f"{expert.folder}: its {kind} adapter cannot be folded into weights ({str(error).splitlines()[0]}); merge "
            "experts with another kind of adapter, such as LoRA."
        ) from error
    finally:
        for name, layer in layers.items():
            for part_name, parameter in layer.get_base_layer().named_parameters(recurse=False):
                parameter.data = before[name][part_name]
        tuner.unload()


def _own(layer: BaseTunerLayer) -> dict[str, Tensor]:
    """Copies of the tensors of a layer that an adapter was put on."""
    return {name: tensor.detach().clone() for name, tensor in layer.get_base_layer().named_parameters(recurse=False)}


def _check_settings(expert: Expert) -> None:
    """Refuse what is no change of weights, by name."""
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
    beside += [f"whole modules ({', '.join(settings.modules_to_save)})"] if _has(settings, "modules_to_save") else []
    beside += ["rows of embeddings"] if _has(settings, "trainable_token_indices") else []
    if beside:
        raise ModelError(
            f"{expert.folder}: its adapter also holds {' and '.join(beside)}, which no merge would keep apart from the "
            "base; fold it in by peft's merge_and_unload, and give the checkpoint."
        )


def _has(settings: PeftConfig, name: str) -> bool:
    return bool(getattr(settings, name, None))


def _check_tokenizer(expert: Expert, base: Base) -> None:
    """Make sure that an expert reads texts as its base does."""
    if not any((expert.weights / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return
    try:
        with quiet_transformers():
            own = AutoTokenizer.from_pretrained(str(expert.weights), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{expert.folder}: its tokenizer cannot be read ({error}); copy it again.") from None
    if reason := _difference(own, base.tokenizer):
        raise ModelError(
            f"{expert.folder}: its tokenizer is not that of '{base.name}': {reason}; merge experts that share one."
        )


def _difference(own: PreTrainedTokenizerBase, expected: PreTrainedTokenizerBase) -> str:
    """Say how two tokenizers differ; "" where they do not."""
    ids, wanted = own.get_vocab(), expected.get_vocab()
    if ids == wanted:
        return ""
    if extra := sorted(ids.keys() - wanted.keys()):
        return f"it has {len(extra)} tokens more, such as {extra[0]!r}"
    if lacking := sorted(wanted.keys() - ids.keys()):
        return f"it lacks {len(lacking)} tokens, such as {lacking[0]!r}"
    moved = min(token for token in ids if ids[token] != wanted[token])
    return f"{moved!r} is token {ids[moved]}, expected {wanted[moved]}"
