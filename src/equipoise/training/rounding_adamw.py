"""AdamW for weights in bfloat16, by torchao; only `train.precision: pure_bf16` imports this."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torchao.optim import _AdamW


class RoundingAdamW(_AdamW):
    """AdamW that rounds what it writes into weights of bfloat16 at random, up or down by how near each is.

    An update of less than half the distance between two neighbors of bfloat16 would be lost each time; so it is made as
    often as it is large, and none is lost on average (Zamirai et al., 2020, arXiv 2010.06192). Weights of another type
    are updated as always. The library computes each update in float32.

    It does two things that the library does not:

    - The moments are kept in float32. In the weights' type, as the library has them, the second one stops short: it
      changes by a thousandth a step, less than bfloat16 can tell.
    - The random numbers follow from the seed and the number of steps alone. So processes with copies of the same
      weights round them alike, and a run that is resumed goes on with the same bits.

    On a GPU the library compiles the update, once for each shape; on a CPU it runs as it is, without a compiler.

    Args:
        params: parameters or groups of them, all on one device.
        seed: the seed of the rounding.
        options: those of `torch.optim.AdamW`: `lr`, `betas`, `eps`, `weight_decay`.
    """

    def __init__(self, params: Iterable[Any], *, seed: int = 0, **options: Any) -> None:
        super().__init__(params, bf16_stochastic_round=True, **options)
        # In a group, since groups are saved.
        self.param_groups[0]["rounding_seed"] = seed

    def step(self, closure: None = None) -> None:
        """Take one step; torch's random state stays as it is."""
        group = self.param_groups[0]
        device = next(parameter.device for one in self.param_groups for parameter in one["params"])
        is_cpu = device.type == "cpu"
        with (
            torch.random.fork_rng([] if is_cpu else [device], device_type="cuda" if is_cpu else device.type),
            torch.compiler.set_stance("force_eager") if is_cpu else nullcontext(),
        ):
            torch.manual_seed(group["rounding_seed"])
            super().step()
        group["rounding_seed"] += 1

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a state; torch gives moments the type of their weights, here they keep their own."""
        super().load_state_dict(state_dict)
        parameters = list(chain.from_iterable(group["params"] for group in self.param_groups))
        for number, states in state_dict["state"].items():
            parameter = parameters[number]
            for name in ("exp_avg", "exp_avg_sq"):
                self.state[parameter][name] = states[name].to(parameter.device, torch.float32, copy=True)

    def _new_buffer(self, p: Tensor, *args: Any) -> Tensor:
        return torch.zeros_like(p, dtype=torch.float32)
