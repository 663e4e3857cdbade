"""What a trainer does otherwise where the model is sharded over the processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from equipoise.modeling import MultiTaskModel

from .processes import is_first
from .sharding import ShardedModel, WholeOptimizer, read_whole
from .trained_weights import find_trained

if TYPE_CHECKING:
    from transformers import Trainer
else:
    Trainer = object


class ShardedTrainingMixin(Trainer):
    """Lets a trainer shard its model, score the whole of it, and keep whole states in its checkpoints.

    Put it before the trainer, which sets the attributes before it calls `super().__init__`. Where the model is not
    sharded it changes nothing.
    """

    optimizer: Any
    _is_sharded: bool
    _whole: MultiTaskModel
    """The whole model, which the first process keeps; not sharded, the model that is trained."""

    @contextmanager
    def _whole_model(self) -> Iterator[None]:
        """Let the first process hold the model as it is now, where it is sharded."""
        if not self._is_sharded:
            yield
            return
        own = self._whole.state_dict()
        for name, tensor in find_trained(self.model).items():
            whole = read_whole(tensor)
            if is_first():
                own[name].copy_(whole)
        self._move_whole(self.args.device)
        try:
            yield
        finally:
            # Training needs the room.
            self._move_whole(torch.device("cpu"))

    def _move_whole(self, device: torch.device) -> None:
        if self._is_sharded and is_first():
            self._whole.to(device)

    def _move_model_to_device(self, model: nn.Module, device: torch.device) -> None:
        if not self._is_sharded:
            super()._move_model_to_device(model, device)

    def _wrap_model(self, model: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        if not self._is_sharded:
            return super()._wrap_model(model, *args, **kwargs)
        sharded = ShardedModel(self.model, self.args.device)
        # Made for the whole weights before.
        self.optimizer = None
        self.create_optimizer()
        return sharded

    def training_step(self, model: nn.Module, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Take one step forward and back."""
        loss = super().training_step(model, *args, **kwargs)
        if isinstance(model, ShardedModel) and self.accelerator.sync_gradients:
            model.average_gradients()
        return loss

    @contextmanager
    def _whole_optimizer(self, checkpoint: Path) -> Iterator[WholeOptimizer]:
        """Let the trainer save and load the optimizer of a sharded model."""
        optimizer = self.optimizer
        self.optimizer = whole = WholeOptimizer(optimizer, checkpoint)
        try:
            yield whole
        finally:
            self.optimizer = optimizer

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self._is_sharded:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        with self._whole_optimizer(Path(output_dir)) as whole:
            whole.gather()
            super()._save_optimizer_and_scheduler(output_dir)
