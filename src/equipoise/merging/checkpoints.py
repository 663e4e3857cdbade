"""What a checkpoint of transformers learnt."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from equipoise.errors import ModelError
from equipoise.modeling import SAFE, is_decoder, quiet_transformers

from .accounting import Fate
from .base import Base
from .experts import Expert
from .relatedness import check_related, check_same_settings
from .tensor_files import FileTensor, list_tensors, shortened
from .vector import Head, Vector, check_numbers

_COMPUTED = re.compile(r"(^|\.)(position_ids|token_type_ids|inv_freq|masked_bias)$")
AUTO = "AutoModel"
_MASK = re.compile(r"attn(ention)?\.bias$")


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A checkpoint, loaded as what it was saved as.

    Args:
        model: the model.
        missing: parameters that its files do not hold, and that started from random numbers.
    """

    model: PreTrainedModel
    missing: frozenset[str]

    @property
    def prefix(self) -> str:
        """What stands before the names of the model without its head."""
        return "" if self.model.base_model is self.model else f"{self.model.base_model_prefix}."

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Its parameters by name that its files hold; tied ones once."""
        named = self.model.named_parameters()
        return {name: parameter.detach() for name, parameter in named if name not in self.missing}


def load_whole(location: str, architecture: str | None = None, *, language_model: bool = False) -> LoadedCheckpoint:
    """Load a checkpoint with everything it holds, in float32.

    Args:
        location: a folder, or a hub id that is at hand.
        architecture: the class of transformers; by default the one that its config.json names, and `AUTO` is its model
            without a head.
        language_model: with an output layer, where config.json names no known class.

    Raises:
        ModelError: it cannot be loaded.
    """
    options = {"local_files_only": True, **SAFE}
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(location, **options)
            if getattr(config, "quantization_config", None):
                raise ModelError(
                    "its weights are quantized, expected floating-point numbers; save it without quantization."
                )
            loader = known_class(architecture or (config.architectures or [""])[0])
            loader = loader or (AutoModelForCausalLM if language_model and is_decoder(config) else AutoModel)
            model, report = loader.from_pretrained(
                location, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **options
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ModelError(f"it cannot be loaded ({reason}); copy it again.") from None
    return LoadedCheckpoint(model.eval(), frozenset(report["missing_keys"]))


def known_class(name: str) -> type[PreTrainedModel] | None:
    """The model class of transformers of this name; None where there is none."""
    loader = getattr(transformers, name, None) if name else None
    return loader if isinstance(loader, type) and issubclass(loader, PreTrainedModel) else None


def read_checkpoint(expert: Expert, base: Base) -> Vector:
    """Read what a checkpoint learnt; see `read_vectors`."""
    files = list_tensors(expert.folder, expert.weights, "model")
    try:
        loaded = load_whole(str(expert.weights), language_model=expert.language_model)
    except ModelError as error:
        raise ModelError(f"{expert.folder}: {error}") from None
    check_numbers(expert.folder, loaded.parameters)
    # An encoder that was saved with an output layer is an encoder with a head.
    writes = expert.language_model and base.backbone.base_model is not base.backbone
    part, prefix = base.part(language_model=writes)
    before = {name: parameter.detach() for name, parameter in part.named_parameters()}
    parts = _split(loaded, before, whole=writes)
    _check_complete(expert, loaded, parts.head)
    _check_alike(expert, base, before, parts.backbone)
    own, expected = (model.config.get_text_config().to_dict() for model in (loaded.model, base.backbone))
    check_same_settings(expert.folder, own, expected, base.name)
    check_related(expert.folder, parts.backbone, before, base.name)
    after = parts.backbone
    changed = {name: after[name] - tensor for name, tensor in before.items() if not torch.equal(after[name], tensor)}
    places, aside = {}, {}
    of_base = dict(part.named_buffers())
    for key, name in _names_in(loaded.model, files).items():
        inner = name if writes else name.removeprefix(loaded.prefix)
        if name in parts.places:
            _check_float(expert, files[key])
            places[files[key]] = parts.places[name] if parts.places[name] in parts.beside else prefix + inner
        else:
            aside[files[key]] = _fate_of_other(expert, files[key], loaded.model, name, of_base.get(inner))
    head = Head(type(loaded.model).__name__, loaded.model.config, parts.pooler, parts.head)
    return Vector(
        {prefix + name: tensor for name, tensor in changed.items()}, None, places, aside, head if head.tensors else None
    )


def _names_in(model: PreTrainedModel, keys: Collection[str]) -> dict[str, str]:
    """The names in a model of the tensors in its files, by transformers' own rules of renaming."""
    transforms = get_model_conversion_mapping(model)
    renamings = [one for one in transforms if isinstance(one, WeightRenaming)]
    converters = [one for one in transforms if isinstance(one, WeightConverter)]
    state = model.state_dict()
    return {key: rename_source_key(key, renamings, converters, model.base_model_prefix, state)[0] for key in keys}


def _check_complete(expert: Expert, loaded: LoadedCheckpoint, head: Mapping[str, Tensor]) -> None:
    # A pooler that no head reads may be missing: models are often saved without.
    lost = sorted(name for name in loaded.missing if head or "pooler" not in name)
    if lost:
        raise ModelError(
            f"{expert.folder}: its files hold no weights for {len(lost)} tensors of {type(loaded.model).__name__} "
            f"({shortened(lost)}), which would start from random numbers; copy the folder again."
        )


@dataclass(frozen=True)
class _Parts:
    """A checkpoint's tensors: those of the backbone, and those beside it; and the names of all by their own."""

    backbone: dict[str, Tensor] = field(default_factory=dict)
    pooler: dict[str, Tensor] = field(default_factory=dict)
    head: dict[str, Tensor] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    @property
    def beside(self) -> set[str]:
        return self.pooler.keys() | self.head.keys()


def _split(loaded: LoadedCheckpoint, before: Mapping[str, Tensor], *, whole: bool) -> _Parts:
    """Tell the backbone's tensors from those beside it; `whole` takes the output layer as part of the backbone."""
    parts = _Parts()
    for name, tensor in loaded.parameters.items():
        inner = name.removeprefix(loaded.prefix)
        if whole:
            side, place = parts.backbone, name
        elif loaded.prefix and inner == name:
            side, place = parts.head, name
        elif inner not in before and "pooler" in inner:
            side, place = parts.pooler, inner
        else:
            side, place = parts.backbone, inner
        side[place] = tensor
        parts.places[name] = place
    return parts


def _check_float(expert: Expert, tensor: FileTensor) -> None:
    if not tensor.is_float:
        raise ModelError(
            f"{expert.folder}: '{tensor.name}' in {tensor.file} holds no floating-point numbers of 16 bits or "
            "more, and its config.json names no quantization; save it without quantization, or copy it again."
        )


def _check_alike(expert: Expert, base: Base, before: dict[str, Tensor], after: dict[str, Tensor]) -> None:
    different = [name for name in before | after if name not in before or name not in after]
    different += [name for name in before.keys() & after.keys() if before[name].shape != after[name].shape]
    if different:
        name = different[0]
        shapes = [str(tuple(side[name].shape)) if name in side else "nothing" for side in (after, before)]
        raise ModelError(
            f"{expert.folder}: not tuned from '{base.name}': {len(different)} tensors differ in shape or name "
            f"('{name}': found {shapes[0]}, expected {shapes[1]}); merge experts of one base."
        )


def _fate_of_other(
    expert: Expert, tensor: FileTensor, model: PreTrainedModel, name: str, of_base: Tensor | None
) -> Fate:
    """Say what a tensor of a file is that is no parameter of its own."""
    own = dict(model.named_buffers()).get(name)
    if own is not None:
        if of_base is not None and torch.equal(own, of_base):
            return Fate.UNCHANGED
        if not own.is_floating_point():
            return Fate.COMPUTED
        raise ModelError(
            f"{expert.folder}: its buffer '{tensor.name}' is not the base's, and no operator merges buffers, such as "
            "running means; merge experts that kept those of the base."
        )
    if name in model.state_dict():
        return Fate.TIED
    if _COMPUTED.search(name) or (_MASK.search(name) and len(tensor.shape) == 4):
        return Fate.COMPUTED
    raise ModelError(
        f"{expert.folder}: '{tensor.name}' in {tensor.file} has no place in {type(model).__name__}, the class "
        "that its config.json names, so that a merge would lose it; save the model again as what it is."
    )
