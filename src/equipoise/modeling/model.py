"""One backbone, one module a task."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.errors import ModelError
from equipoise.files import replace_folder
from equipoise.tasks import Task, task_from_dict

from .backbone import load_backbone, longest_input
from .pooling import MeanPooling
from .quiet import quiet_transformers
from .task_modules import TaskModule, make_task_module

FORMAT_VERSION = 1
_CONFIG, _MODULES, _BACKBONE = "equipoise.json", "task_modules.safetensors", "backbone"


class MultiTaskModel(nn.Module):
    """A shared extractor with one task module a task.

    The backbone encodes each row once; `pooling` turns its last hidden states into the features, and each task
    module reads the features of the rows that carry its label.

    Args:
        backbone: any transformers model whose output has `last_hidden_state`.
        tokenizer: the backbone's tokenizer.
        tasks: the tasks, their label spaces resolved.
        max_length: longest input in tokens.
    """

    def __init__(
        self,
        backbone: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        tasks: Mapping[str, Task],
        max_length: int = 128,
    ) -> None:
        super().__init__()
        positions = longest_input(backbone)
        if positions is not None and max_length > positions:
            raise ModelError(
                f"max_length is {max_length}, but the backbone reads at most {positions} tokens; set max_length to "
                f"{positions} or less."
            )
        self.tasks = dict(tasks)
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.backbone = backbone
        self.pooling = MeanPooling()
        width = backbone.config.hidden_size
        # Keys are prefixed: ModuleDict refuses names that nn.Module already uses, such as "type".
        self._task_modules = nn.ModuleDict(
            {_key(name): make_task_module(task, width) for name, task in self.tasks.items()}
        )

    def task_module(self, task: str) -> TaskModule:
        """The module of a task."""
        module = self._task_modules[_key(task)]
        assert isinstance(module, TaskModule)
        return module

    def task_parameters(self) -> list[nn.Parameter]:
        """The parameters of all task modules."""
        return list(self._task_modules.parameters())

    def forward(self, inputs: Mapping[str, Tensor], rows: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Answer for every task.

        Args:
            inputs: what the tokenizer made, each rows × tokens.
            rows: for each task the indices of the rows to answer for; a missing task has none, so its output
                is empty but still part of the graph. None means every row for every task.

        Returns:
            For each task the outputs of its module, in the order of its rows.
        """
        hidden = self.backbone(**inputs).last_hidden_state
        features = self.pooling(hidden, inputs["attention_mask"])
        outputs = {}
        for name in self.tasks:
            if rows is None:
                own = features
            else:
                index = rows.get(name)
                own = features[:0] if index is None else features[index]
            outputs[name] = self.task_module(name)(own)
        return outputs

    def losses(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The loss of each labelled row of each task, shape (rows of the task,)."""
        return {name: self.task_module(name).loss(outputs[name], targets[name]) for name in targets}

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model: JSON and safetensors only, complete or not at all; a model that lies there is replaced.

        The backbone and its tokenizer lie in `backbone/`, where `transformers.AutoModel` can read them.

        Raises:
            ModelError: the folder cannot be written, or holds something else than a model.
        """
        folder = Path(folder)
        if folder.is_dir() and any(folder.iterdir()) and not (folder / _CONFIG).is_file():
            raise ModelError(
                f"{folder}: the folder holds other files, expected none or a model; choose another folder."
            )
        try:
            with replace_folder(folder) as target, quiet_transformers():
                self._write(target)
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"{folder}: the model cannot be written ({error}); make room or choose another folder."
            ) from error

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read a model that `save_pretrained` wrote; it is in evaluation mode.

        Raises:
            ModelError: the folder does not exist, or holds no Equipoise model.
        """
        folder = Path(folder)
        if not (folder / _CONFIG).is_file():
            found = f"has no {_CONFIG}" if folder.is_dir() else "does not exist"
            raise ModelError(
                f"{folder}: {found}, expected an Equipoise model; give the folder of a finished run, or its 'model'."
            )
        try:
            config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
            version = config["format_version"]
            if version > FORMAT_VERSION:
                raise ModelError(
                    f"{folder}: format_version is {version}, this Equipoise reads up to {FORMAT_VERSION}; upgrade it."
                )
            tasks = {name: task_from_dict(task) for name, task in config["tasks"].items()}
            backbone, tokenizer = load_backbone(str((folder / _BACKBONE).absolute()))
            model = cls(backbone, tokenizer, tasks, config["max_length"])
            model._task_modules.load_state_dict(load_file(folder / _MODULES))
        except (OSError, AttributeError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"{folder}: not a readable Equipoise model ({error}); copy or train it again.") from error
        return model.eval()

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        return next(self.parameters()).device

    def _write(self, folder: Path) -> None:
        self.backbone.save_pretrained(folder / _BACKBONE)
        self.tokenizer.save_pretrained(folder / _BACKBONE)
        modules = {key: tensor.contiguous() for key, tensor in self._task_modules.state_dict().items()}
        save_file(modules, folder / _MODULES, metadata={"format": "pt"})
        config = {
            "format_version": FORMAT_VERSION,
            "max_length": self.max_length,
            "tasks": {name: task.to_dict() for name, task in self.tasks.items()},
        }
        (folder / _CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _key(task: str) -> str:
    return f"task_{task}"
