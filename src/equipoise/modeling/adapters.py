"""LoRA adapters on a backbone (Hu et al., 2022, arXiv 2106.09685), through peft.

peft takes seconds to import, so it is imported by the functions that add an adapter.
"""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel

from equipoise.errors import ModelError
from equipoise.extras import check_extra

from .backbone import find_layers
from .bilstm import BiLstmConfig
from .foreign_code import refuse_foreign_code
from .model_files import check_files

_SAMPLES = 256


def add_adapter(
    backbone: PreTrainedModel,
    rank: int = 8,
    alpha: int | None = None,
    dropout: float = 0.0,
    targets: Sequence[str] | None = None,
    *,
    above: int = 0,
) -> None:
    """Add a LoRA adapter, and freeze everything else.

    Args:
        backbone: the backbone; it is changed in place.
        rank: r, the rank of the update of each matrix.
        alpha: the update is multiplied by alpha / r; None means 2r.
        dropout: dropout before the adapter.
        targets: names of the matrices it changes; None takes peft's choice for the architecture, which is the
            projections of queries and values for most.
        above: how many of the lowest layers it leaves out.

    Raises:
        UsageError: peft is not installed.
        ModelError: the backbone has no such matrices, starts from nothing, or has no layers above those left out.
    """
    check_extra("llm", ("peft",), "lora")
    from peft import LoraConfig

    if backbone.config.model_type == BiLstmConfig.model_type:
        raise ModelError("lora: bilstm starts from nothing, so that there is nothing to adapt; leave lora out.")
    layers: dict[str, Any] = {}
    if above:
        # One more than those left out, so that there is something to adapt.
        name, _ = find_layers(backbone, above + 1)
        layers = {
            "layers_to_transform": list(range(above, backbone.config.num_hidden_layers)),
            "layers_pattern": name.rpartition(".")[2],
        }
    settings = LoraConfig(
        r=rank,
        lora_alpha=2 * rank if alpha is None else alpha,
        lora_dropout=dropout,
        target_modules=None if targets is None else list(targets),
        **layers,
    )
    try:
        backbone.add_adapter(settings)
    except ValueError as error:
        linear = [name for name, part in backbone.named_modules() if isinstance(part, nn.Linear)]
        kinds = sorted({name.rpartition(".")[2] for name in linear})
        raise ModelError(
            f"lora: no adapter can be put on {type(backbone).__name__} ({error}); name the matrices in lora.targets. "
            f"It has {', '.join(kinds)}."
        ) from error


def has_adapter(backbone: PreTrainedModel) -> bool:
    """Whether a backbone carries an adapter."""
    layers = sys.modules.get("peft.tuners.tuners_utils")
    # Without peft in memory, no adapter can have been added.
    return layers is not None and any(isinstance(part, layers.BaseTunerLayer) for part in backbone.modules())


@contextmanager
def without_adapter(backbone: PreTrainedModel) -> Iterator[None]:
    """Leave a backbone's adapter out for a while: it is then the base it was put on."""
    backbone.disable_adapters()
    try:
        yield
    finally:
        backbone.enable_adapters()


def fold_adapter(backbone: PreTrainedModel) -> None:
    """Add a backbone's adapter to its matrices, in place: from then on it computes without one."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for part in backbone.modules():
        if isinstance(part, BaseTunerLayer):
            part.merge(safe_merge=True)


def load_adapter(backbone: PreTrainedModel, folder: Path) -> None:
    """Put a saved adapter onto its base, in place.

    Raises:
        UsageError: peft is not installed.
        ValueError: its weights do not belong to its settings.
    """
    check_extra("llm", ("peft",), f"{folder} is an adapter")
    from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
    from peft.utils import SAFETENSORS_WEIGHTS_NAME

    refuse_foreign_code(folder)
    check_files(folder)
    # An absolute path, which peft never takes for a hub id.
    backbone.add_adapter(LoraConfig.from_pretrained(str(folder.absolute())))
    saved = load_file(folder / SAFETENSORS_WEIGHTS_NAME)
    weights = {name.removeprefix("base_model.model."): tensor for name, tensor in saved.items()}
    expected = get_peft_model_state_dict(backbone)
    if different := sorted(weights.keys() ^ expected.keys()):
        raise ValueError(f"found {len(weights)} tensors in {folder}, expected {len(expected)} ('{different[0]}', …)")
    set_peft_model_state_dict(backbone, weights)


def fingerprint(backbone: PreTrainedModel) -> str:
    """Return a hash by which a base is known again: of some numbers of each of its own tensors, in hex."""
    digest = hashlib.sha256()
    for name, tensor in sorted(backbone.state_dict().items()):
        if ".lora_" in name:
            continue
        flat = tensor.detach().flatten()
        chosen = flat[:: max(1, flat.numel() // _SAMPLES)]
        digest.update(f"{name.replace('.base_layer', '')} {tuple(tensor.shape)}".encode())
        digest.update(chosen.to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()
