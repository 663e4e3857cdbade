"""What a run will download before it can train."""

import os
from collections.abc import Iterator

from equipoise.config import RunConfig
from equipoise.starter import STARTERS, is_fetched

from .findings import Finding, make_finding

_FROM_SCRATCH = "bilstm"


def find_downloads(config: RunConfig) -> Iterator[Finding]:
    """Name the starters and hub ids of a run file that are not on this machine, with their size where it is known."""
    names = [("model", config.model), *((f"sources.{name}", item.starter) for name, item in config.sources.items())]
    for key, name in names:
        if name in STARTERS and not is_fetched(name):
            size = STARTERS[name].size
            yield make_finding("R03", key, f"'{name}' will be downloaded: {size / 1e6:,.1f} MB", size)
    model = config.model
    if model not in STARTERS and model != _FROM_SCRATCH and not os.path.isdir(model) and not _is_cached(model):
        yield make_finding("R03", "model", f"'{model}' will be downloaded from the Hugging Face hub", 1)
    for name, source in config.sources.items():
        if source.hub is not None and not _is_cached(source.hub, "dataset"):
            message = f"'{source.hub}' will be downloaded from the Hugging Face hub"
            yield make_finding("R03", f"sources.{name}", message, 1)


def _is_cached(name: str, kind: str = "model") -> bool:
    """Whether the hub's cache on this machine holds a model or data set; nothing is asked over the network."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = os.path.join(HF_HUB_CACHE, f"{kind}s--{name.replace('/', '--')}", "snapshots")
    return os.path.isdir(folder)
