"""Task vectors as LoRA adapters."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from equipoise.errors import ModelError
from equipoise.files import write_json


class Factors(NamedTuple):
    """A matrix of low rank, ΔW = up · down.

    Args:
        up: out × rank.
        down: rank × in.
    """

    up: Tensor
    down: Tensor

    @property
    def product(self) -> Tensor:
        """ΔW, out × in."""
        return self.up @ self.down


def sum_of_factors(parts: Mapping[str, Mapping[str, Factors]], weights: Mapping[str, float]) -> dict[str, Factors]:
    """Sum low-rank matrices exactly: ranks are laid side by side.

    Averaging the two factors apart, as peft's `linear` does, is not the sum: (A₁ + A₂)(B₁ + B₂) has cross terms.

    Args:
        parts: by expert the factors of each tensor it changes.
        weights: the weight of each expert.
    """
    summed = {}
    for tensor in dict.fromkeys(name for factors in parts.values() for name in factors):
        chosen = [(weights[expert], factors[tensor]) for expert, factors in parts.items() if tensor in factors]
        summed[tensor] = Factors(
            torch.cat([weight * one.up for weight, one in chosen], dim=1), torch.cat([one.down for _, one in chosen])
        )
    return summed


def truncated(change: Tensor, rank: int) -> Factors:
    """Return the best approximation of a matrix by one of a rank (Eckart and Young, 1936), from its SVD.

    Args:
        change: out × in.
        rank: the rank; a matrix has no more than its smaller side.
    """
    left, values, right = torch.linalg.svd(change, full_matrices=False)
    roots = values[:rank].sqrt()
    return Factors(left[:, :rank] * roots, roots[:, None] * right[:rank])


def relative_error(found: Tensor, expected: Tensor) -> float:
    """‖found − expected‖ / ‖expected‖ in the Frobenius norm; 0 where both are zero."""
    size = torch.linalg.vector_norm(expected)
    error = torch.linalg.vector_norm(found - expected)
    return float(error / size) if size > 0 else float(error)


def factors_of(adapted: PeftModel) -> dict[str, Factors] | None:
    """Return an adapter's factors by the tensor they change; None where its ΔW is no product of two.

    The scale (alpha / rank) is in `up`.
    """
    factors = {}
    for name, layer in adapted.named_modules():
        if not isinstance(layer, BaseTunerLayer):
            continue
        (adapter,) = layer.active_adapters
        if not isinstance(layer, LoraLinear) or layer.lora_variant or layer.lora_bias[adapter]:
            return None
        if not isinstance(layer.base_layer, nn.Linear):
            return None
        up, down = layer.lora_B[adapter].get_parameter("weight"), layer.lora_A[adapter].get_parameter("weight")
        tensor = f"{name.removeprefix('base_model.model.')}.weight"
        factors[tensor] = Factors(up.detach() * layer.scaling[adapter], down.detach().clone())
    return factors


def name_as_trained(folder: Path, outer: str) -> None:
    """Give a saved adapter the names its experts have, so that it goes onto the kind of model they were trained on.

    Args:
        folder: the adapter's folder.
        outer: what stands before the backbone's own names, such as "bert."; "" changes nothing.
    """
    if not outer:
        return
    file, prefix = folder / SAFETENSORS_WEIGHTS_NAME, "base_model.model."
    renamed = {f"{prefix}{outer}{key.removeprefix(prefix)}": tensor for key, tensor in load_file(file).items()}
    save_file(renamed, file, metadata={"format": "pt"})
    settings = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    settings["target_modules"] = [f"{outer}{name}" for name in settings["target_modules"]]
    for key in ("rank_pattern", "alpha_pattern"):
        settings[key] = {f"{outer}{name}": value for name, value in settings[key].items()}
    # With a type of task, peft would look for the head, too.
    settings["task_type"] = None
    write_json(folder / CONFIG_NAME, settings)


def check_adaptable(tensors: Iterable[str], linear: Collection[str]) -> None:
    """Refuse to bring tensors into an adapter that are no weights of linear layers, such as biases and norms.

    Args:
        tensors: the names of those that change.
        linear: the names of the weights of linear layers.

    Raises:
        ModelError: some are none.
    """
    if other := [tensor for tensor in tensors if tensor not in linear]:
        raise ModelError(
            f"merge: {len(other)} tensors that differ from the base are no weights of linear layers ('{other[0]}', …), "
            "which an adapter could change; fold the merge into the weights (leave --rank out)."
        )


def put_factors(backbone: PreTrainedModel, factors: Mapping[str, Factors], base: str) -> None:
    """Put low-rank matrices onto a backbone as a LoRA adapter, in place.

    Args:
        backbone: the backbone.
        factors: by the tensor they change, weights of linear layers.
        base: the backbone's name, which the adapter's file will hold.

    Raises:
        ModelError: a tensor is no weight of a linear layer.
    """
    names = {tensor: tensor.removesuffix(".weight") for tensor in factors}
    check_adaptable(names, {f"{name}.weight" for name, part in backbone.named_modules() if isinstance(part, nn.Linear)})
    ranks = {names[tensor]: one.down.shape[0] for tensor, one in factors.items()}
    rank = max(ranks.values())
    # alpha = rank: nothing is scaled.
    backbone.add_adapter(
        LoraConfig(
            base_model_name_or_path=base,
            task_type=None if backbone.get_output_embeddings() is None else "CAUSAL_LM",
            r=rank,
            lora_alpha=rank,
            target_modules=list(ranks),
            rank_pattern=dict(ranks),
            alpha_pattern=dict(ranks),
        )
    )
    layers = dict(backbone.named_modules())
    with torch.no_grad():
        for tensor, one in factors.items():
            layer = layers[names[tensor]]
            (adapter,) = layer.active_adapters
            layer.lora_A[adapter].weight.copy_(one.down)
            layer.lora_B[adapter].weight.copy_(one.up)
