"""Nothing that a model folder brings along is executed: no code of its own, no pickle."""

import json
from pathlib import Path

from equipoise.errors import ModelError

_CONFIGS = ("config.json", "tokenizer_config.json", "processor_config.json", "generation_config.json")
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
"""Endings of weights that are no safetensors."""
SAFE = {"trust_remote_code": False}
"""What every `from_pretrained` of a configuration or tokenizer is called with."""
SAFE_WEIGHTS = {**SAFE, "use_safetensors": True}
"""What every `from_pretrained` of weights is called with."""


def refuse_foreign_code(folder: Path) -> None:
    """Refuse a folder whose model needs code of its own, or whose weights are a pickle.

    Args:
        folder: the folder of a model, or of an adapter.

    Raises:
        ModelError: it does; the message names the file.
    """
    for name in _CONFIGS:
        try:
            config = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue  # whoever reads it says what is wrong with it
        code = config.get("auto_map") if isinstance(config, dict) else None
        if code:
            raise ModelError(
                f"{folder / name}: found code that the model brings along (auto_map: {str(code)[:80]}), which is never "
                "run; choose a model that transformers knows, or remove auto_map where transformers' own class fits."
            )
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLED)
    if pickles:
        raise ModelError(
            f"{folder / pickles[0]}: found weights that are no safetensors; only safetensors is read, since other "
            "files can run code when they are loaded. Load the model where you trust it, and save it with "
            "save_pretrained(folder), which writes safetensors."
        )
