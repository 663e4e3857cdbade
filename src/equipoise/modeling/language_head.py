"""From the hidden states of a language model to its logits."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from equipoise.errors import ModelError

_TRIED, _SCALE, _ROUNDING = 8, 10.0, 1e-5


@torch.no_grad()
def is_one_layer(backbone: PreTrainedModel) -> bool:
    """Whether a language model makes logits by its output layer alone.

    Some scale or cap their logits (Cohere, Granite, Gemma 2), or have more before that layer.

    Raises:
        ModelError: its logits cannot be computed from hidden states.
    """
    layer = backbone.get_output_embeddings()
    if backbone.device.type == "meta" or layer is None:
        return True
    # Drawn apart, so that no random state moves; large, so that a cap shows.
    width = backbone.config.get_text_config().hidden_size
    drawn = torch.randn((_TRIED, width), generator=torch.Generator().manual_seed(0))
    hidden = (_SCALE * drawn).to(backbone.device, backbone.dtype)
    try:
        logits = whole_head(backbone, hidden)
        alone = layer(hidden)
    except Exception as error:  # whatever the architecture raises
        raise ModelError(
            f"model: {type(backbone).__name__} ({backbone.config.model_type}) cannot be prompted (format: prompt): its "
            f"output layer ended in {type(error).__name__}: {str(error)[:120]}; choose another model, such as "
            "smollm2-135m, or set format: head."
        ) from error
    return alone.shape == logits.shape and bool((alone - logits).abs().max() <= _ROUNDING * alone.abs().max())


def whole_head(backbone: PreTrainedModel, hidden: Tensor) -> Tensor:
    """Return the logits of hidden states, n × width, by all that the model does above its layers.

    Raises:
        NotImplementedError: it does not read the output of its base model or its decoder.
    """
    if not len(hidden):
        return backbone.get_output_embeddings()(hidden)
    asked = False

    def answer(*args: Any, **kwargs: Any) -> "_Hidden":
        nonlocal asked
        asked = True
        return _Hidden(last_hidden_state=hidden[None])

    with ExitStack() as held:
        # Some ask the decoder past the base model; of others, what is called the decoder is the output layer.
        for part in (backbone.base_model, backbone.get_decoder()):
            if part is not backbone and part is not backbone.get_output_embeddings():
                held.enter_context(replacing_forward(part, answer))
        places = torch.zeros((1, len(hidden)), dtype=torch.long, device=hidden.device)
        logits = backbone(input_ids=places, use_cache=False).logits[0]
    if not asked:
        raise NotImplementedError(type(backbone).__name__)
    return logits


@contextmanager
def replacing_forward(part: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """Let something else stand in for a module's forward pass for a while."""
    own = part.__dict__.get("forward")
    part.forward = forward
    try:
        yield
    finally:
        del part.forward
        if own is not None:
            part.forward = own


@dataclass
class _Hidden(BaseModelOutputWithPast):
    """The output of a base model; what else an architecture looks for in it is None."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None
