"""The files of a model's folder: looked at before they are read, and whether the model uses all that they hold."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

from equipoise.errors import ModelError

_READ = (".safetensors", ".json", ".txt", ".model", ".jinja")
_POINTER = b"version https://git-lfs.github.com/spec/"
_FLOATS = ("F64", "F32", "F16", "BF16")
_HEADS = re.compile(
    r"cls|head|decoder|score|summary|predictions|nsp|embed_out|lm_loss|logits_proj|qa_outputs|pre_classifier|vocab_\w+"
    r"|\w*(classifier|pooler|projector)|\w+_(head|predictions|relationship)"
)
"""How the first part of a head's names is called, whatever model the head is on."""
_COMPUTED = re.compile(r"(position_ids|token_type_ids|inv_freq|masked_bias|attn\.bias)$")


def check_files(folder: Path) -> None:
    """Make sure that the files of a model's folder may be read, and are no pointers to files that lie elsewhere.

    Raises:
        ModelError: one is not; the message names it.
    """
    for path in sorted(folder.glob("*")):
        if path.suffix not in _READ or not path.is_file():
            continue
        if not os.access(path, os.R_OK):
            raise ModelError(f"{path}: cannot be read (Permission denied); make it readable, or copy the model.")
        if path.stat().st_size < 1000 and path.read_bytes().startswith(_POINTER):
            raise ModelError(
                f"{path}: found a Git LFS pointer, expected the file that it stands for; run `git lfs pull` in its "
                "repository, or download the model again."
            )


def check_floats(folder: Path, backbone: PreTrainedModel) -> None:
    """Make sure that what a folder's safetensors give to a model's parameters has a fraction: 16 bits or more.

    Raises:
        ModelError: a tensor does not, and the model is not quantized; or a file is damaged.
    """
    if getattr(backbone.config, "quantization_config", None):
        return
    prefix = f"{backbone.base_model_prefix}."
    names = {name.removeprefix(prefix) for name, _ in backbone.named_parameters()}
    for path in sorted(folder.glob("model*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                types = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path}: cannot be read ({error}); copy it again.") from None
        for name, found in types.items():
            if found not in _FLOATS and name.removeprefix(prefix) in names:
                raise ModelError(
                    f"{path}: '{name}': found numbers of the type {found}, expected one of {', '.join(_FLOATS)}, since "
                    "config.json says of no quantization; save the model without, or copy it again."
                )


def list_unused(unexpected: Iterable[str], backbone: PreTrainedModel) -> list[str]:
    """Return those tensors of a model's files that are lost: no part of the model, of a head, or a computed table.

    Args:
        unexpected: the names of tensors that transformers has found no place for.
        backbone: the model.
    """
    parts = {name for model in (backbone, backbone.base_model) for name, _ in model.named_children()}
    lost = []
    for name in sorted(unexpected):
        first = name.removeprefix(f"{backbone.base_model_prefix}.").partition(".")[0]
        is_head = _HEADS.fullmatch(first) is not None and (first not in parts or "pooler" in first)
        if not is_head and not _COMPUTED.search(name):
            lost.append(name)
    return lost
