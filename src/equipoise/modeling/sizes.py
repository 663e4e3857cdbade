"""Values in a model's config.json that no machine bears or no model has, refused before anything is built by them."""

from typing import Any

from transformers.activations import ACT2FN

from equipoise.errors import ModelError, did_you_mean, shorten

_LARGEST = {
    "num_hidden_layers": 1_000,
    "hidden_size": 100_000,
    "intermediate_size": 1_000_000,
    "num_attention_heads": 10_000,
    "vocab_size": 10_000_000,
}
"""By what transformers calls it; the largest models have about a tenth."""


def check_sizes(config: Any, name: str) -> None:
    """Make sure that a configuration's sizes are whole numbers from 1 up that a model may have.

    Args:
        config: a configuration of transformers.
        name: what messages call the model.

    Raises:
        ModelError: a size is none; the message names its key.
    """
    for key, largest in _LARGEST.items():
        value = getattr(config, key, None)
        # Some architectures have a list here, one number a stage.
        if isinstance(value, int | float | str) and not (isinstance(value, int) and 1 <= value <= largest):
            raise ModelError(
                f"model: '{name}': config.json: {key}: found {shorten(repr(value), 60)}, expected a whole number from "
                f"1 to {largest:,}; the file is damaged, or no model's."
            )


_ACTIVATIONS = ("hidden_act", "hidden_activation", "activation_function", "activation")


def check_activations(config: Any, name: str) -> None:
    """Make sure that transformers knows the activation functions that a configuration names.

    Args:
        config: a configuration of transformers.
        name: what messages call the model.

    Raises:
        ModelError: it does not; the message names the key.
    """
    for key in _ACTIVATIONS:
        value = getattr(config, key, None)
        if isinstance(value, str) and value not in ACT2FN:
            raise ModelError(
                f"model: '{name}': config.json: {key}: found {shorten(repr(value), 60)}, expected an activation that "
                f"transformers knows. {did_you_mean(value, ACT2FN)}"
            )
