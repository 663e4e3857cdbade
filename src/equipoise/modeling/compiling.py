"""A backbone that is compiled for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from equipoise.errors import ModelError, first_line

from .language_head import replacing_forward
from .model import MultiTaskModel


@contextmanager
def compiled(model: MultiTaskModel) -> Iterator[None]:
    """Let `torch.compile` run a model's backbone, for batches of any size.

    The heads stay as they are: balancers differentiate them alone, which one graph with the backbone does not allow.

    Raises:
        ModelError: it cannot be compiled here.
    """
    # It takes a second, which no other command needs.
    from torch._dynamo.exc import TorchDynamoException

    extractor = model.extractor
    try:
        with replacing_forward(extractor, torch.compile(extractor.forward, dynamic=True)):
            yield
    except TorchDynamoException as error:
        reason = first_line(error)[:200]
        raise ModelError(
            f"train.compile: {type(extractor).__name__} cannot be compiled here ({type(error).__name__}: {reason}); "
            f"leave it out{_find_way_out(reason)}."
        ) from error


def _find_way_out(reason: str) -> str:
    """Say what else may help where a compiler was stopped, now or earlier."""
    if "ImportError" in reason:
        from torch._inductor.runtime.cache_dir_utils import cache_dir

        return f", or remove {cache_dir()}, where an earlier compiler that was stopped may have left half a file"
    return ", or call again if it was stopped (Ctrl-C)" if "CppCompileError" in reason else ""
