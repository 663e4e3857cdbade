"""A model whose weights are sharded over the processes (PyTorch's FSDP2), and what is whole of it in checkpoints.

The backbone alone is sharded; each process holds the heads, which are small, whole. So the gradients that a balancer
takes through the heads gather nothing: processes whose batches have other tasks need not wait for each other. (What
accelerate makes of the whole model waits forever.)

A checkpoint holds whole tensors, as that of one process does: it is read as safetensors and with `weights_only`, which
the shards of `torch.distributed.checkpoint`, whose index is a pickle, are not.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.distributed as dist
from accelerate import FullyShardedDataParallelPlugin
from safetensors import safe_open
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from equipoise.config import RunConfig
from equipoise.modeling import MultiTaskModel, is_one_layer

from .processes import count_processes, is_first, refuse

_STATES = "optimizer.safetensors"


def check_sharded(config: RunConfig) -> None:
    """Refuse settings that do not go with a sharded model.

    Raises:
        UsageError: there is one.
    """
    precision = config.train.precision
    refused = {
        "model": ("bilstm", "a pretrained model") if config.model == "bilstm" else None,
        "quantization": (config.quantization, "none") if config.quantization != "none" else None,
        "train.precision": (precision, "fp32 or bf16") if precision not in ("fp32", "bf16") else None,
        "train.compile": ("true", "false") if config.train.compile else None,
        # A process has no gradient at whole parameters.
        "balance.where": ("parameters", "map") if config.balance.options.get("where") == "parameters" else None,
        "fsdp_offload_params": ("true", "false") if _offloads() else None,
    }
    for setting, words in refused.items():
        if words is not None:
            refuse(
                f"{setting}: found {words[0]}, expected {words[1]} where the model is sharded (FSDP); change it, or "
                "let each process hold the whole model (torchrun)."
            )


def check_shardable(model: MultiTaskModel) -> None:
    """Refuse a language model whose logits only the whole of it can make.

    Raises:
        UsageError: it is one, and is prompted.
    """
    if model.prompts is not None and not is_one_layer(model.backbone):
        refuse(
            f"model: {type(model.backbone).__name__} scales or caps its logits, so that it cannot be prompted where it "
            "is sharded (FSDP); set format: head, choose another model, or let each process hold it whole (torchrun)."
        )


def _offloads() -> bool:
    return isinstance(FullyShardedDataParallelPlugin().cpu_offload, CPUOffloadPolicy)


def whole_parameters(model: MultiTaskModel) -> set[nn.Parameter]:
    """Return the parameters of a model that each process holds whole: what is read outside of the extractor."""
    inside = set(model.extractor.parameters())
    whole = {parameter for parameter in model.parameters() if parameter not in inside}
    # Of a language model that is prompted also the output layer, whose weights may be the word embeddings'.
    output = None if model.extractor is model.backbone else model.backbone.get_output_embeddings()
    return whole if output is None else whole | set(output.parameters())


class ShardedModel(nn.Module):
    """A model whose backbone is sharded, layer by layer, in place.

    Args:
        model: the model, the same in all processes; all of them have to come here.
        device: where this process computes.
    """

    def __init__(self, model: MultiTaskModel, device: torch.device) -> None:
        super().__init__()
        self.module = model
        extractor, whole = model.extractor, whole_parameters(model)
        for parameter in whole:
            parameter.data = parameter.data.to(device)
        self._whole = [parameter for parameter in model.parameters() if parameter in whole and parameter.requires_grad]
        plugin = FullyShardedDataParallelPlugin()
        options: dict[str, Any] = {
            "mesh": init_device_mesh(device.type, (count_processes(),)),
            "reshard_after_forward": plugin.reshard_after_forward,
            "ignored_params": whole,
        }
        layers = set(getattr(model.backbone, "_no_split_modules", None) or ())
        for module in list(extractor.modules()):
            if type(module).__name__ in layers:
                fully_shard(module, **options)
        self._sharded: FSDPModule = fully_shard(extractor, **options)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model."""
        return self.module(*args, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Leave gradients unsummed for a while, as `DistributedDataParallel` does for micro-batches but the last."""
        self._sharded.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            self._sharded.set_requires_gradient_sync(True)

    def average_gradients(self) -> None:
        """Average the gradients of what each process holds whole; all processes have to come here."""
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in self._whole
        ]
        if not gradients:
            return
        joined = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(joined)
        joined /= count_processes()
        parts = joined.split([gradient.numel() for gradient in gradients])
        for parameter, part in zip(self._whole, parts, strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype)


def read_whole(tensor: Tensor) -> Tensor:
    """Return a tensor of which each process may hold a shard; all of them have to come here.

    Returns:
        The whole tensor in the first process; of one that is sharded nothing of use in the others.
    """
    if not isinstance(tensor, DTensor):
        return tensor.contiguous()
    whole: Tensor = tensor.full_tensor().detach()
    return whole.cpu() if is_first() else whole.new_empty(0)


def split_sharded(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Part sharded parameters from whole ones, which no optimizer changes in one go; one list if all are alike."""
    parts: dict[bool, list[nn.Parameter]] = {}
    for parameter in parameters:
        parts.setdefault(isinstance(parameter, DTensor), []).append(parameter)
    return list(parts.values()) or [[]]


class WholeOptimizer:
    """An optimizer of a sharded model, as a trainer saves and loads one: with whole states.

    The states of sharded weights lie in a file of their own, of which no process reads more than one tensor at a time.

    Args:
        optimizer: the optimizer.
        checkpoint: the folder of its states.
    """

    def __init__(self, optimizer: Any, checkpoint: Path) -> None:
        self._optimizer, self._file = optimizer, checkpoint / _STATES
        self._state: dict[str, Any] = {}

    @staticmethod
    def lies_in(checkpoint: Path) -> bool:
        """Whether a checkpoint was written by sharded training."""
        return (checkpoint / _STATES).exists()

    def gather(self) -> None:
        """Write the states of sharded weights; all processes have to come here."""
        found = self._optimizer.state_dict()
        whole: dict[str, Tensor] = {}
        small: dict[int, dict[str, Any]] = {}
        for number, states in found["state"].items():
            small[number] = {name: value for name, value in states.items() if not isinstance(value, DTensor)}
            for name in sorted(states.keys() - small[number].keys()):
                whole[f"{number}.{name}"] = read_whole(states[name])
        self._state = {**found, "state": small}
        if is_first():
            safetensors.torch.save_file(whole, str(self._file))

    def state_dict(self) -> dict[str, Any]:
        """Return the other states, after `gather`."""
        return self._state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load all states, each process its shards."""
        parameters = [parameter for group in self._optimizer.param_groups for parameter in group["params"]]
        states = {number: dict(values) for number, values in state["state"].items()}
        with safe_open(self._file, framework="pt") as tensors:
            for key in tensors.keys():  # noqa: SIM118 (no dict)
                number, _, name = key.partition(".")
                states[int(number)][name] = _shard_like(tensors.get_tensor(key), parameters[int(number)])
        self._optimizer.load_state_dict({**state, "state": states})


def _shard_like(whole: Tensor, tensor: DTensor) -> Tensor:
    """Return this process's shard of a tensor, which is sharded as another one is."""
    # Each process has read the whole: nothing is sent.
    return distribute_tensor(whole.to(tensor.device), tensor.device_mesh, tensor.placements, src_data_rank=None)
