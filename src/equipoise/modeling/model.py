"""One backbone, one module a task."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.data import ChatStyle, PromptEncoder, tokenize
from equipoise.digests import digest_folder
from equipoise.disk import writing_model
from equipoise.errors import ModelError
from equipoise.files import replace_folder, to_json
from equipoise.kinds import Task
from equipoise.outputs import check_output

from .adapters import fingerprint, has_adapter, load_adapter
from .backbone import default_pooling, hidden_width, is_decoder, load_backbone, longest_input
from .description import FORMAT_VERSION, BaseModelOf, read_description
from .features import Features, places_before, tree_mask
from .heads import Head, make_head
from .language_head import is_one_layer, whole_head
from .model_folder import ADAPTER, BACKBONE, CONFIG, MODEL_OUTPUT, MODULES, check_whole
from .pooling import make_pooling
from .prefix import Prefix
from .prompted_heads import make_prompted_head
from .quantizing import is_quantized
from .quiet import quiet_transformers
from .scored_tokens import ScoredTokens
from .trees import find_window, reads_trees, unpack
from .vocabulary import check_tokens


class MultiTaskModel(nn.Module):
    """A shared extractor with one head a task.

    The backbone encodes each row once. `features` reads its last hidden states: one vector a row, pooled over the text,
    which heads read; and the tokens whose successors are scored, for tasks in the format `prompt`.

    Args:
        backbone: any transformers model whose output has `last_hidden_state`; for tasks in the format `prompt` a
            causal language model (`AutoModelForCausalLM`).
        tokenizer: the backbone's tokenizer.
        tasks: the tasks, their label spaces resolved.
        max_length: longest input in tokens; answers come on top.
        pooling: "mean", "last" or "attention"; None is by architecture (see `default_pooling`).
        style: how prompts are brought to a language model.
        base: the name the backbone was loaded by; needed to save a model with a LoRA adapter.

    Raises:
        ModelError: `max_length` is more than the backbone reads, or a task asks a model that cannot write.
    """

    def __init__(
        self,
        backbone: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        tasks: Mapping[str, Task],
        max_length: int = 128,
        *,
        pooling: str | None = None,
        style: ChatStyle | None = None,
        base: str | None = None,
    ) -> None:
        super().__init__()
        self.tasks = dict(tasks)
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.style = style or ChatStyle()
        self.base = base
        self.backbone = backbone
        self.prefix: Prefix | None = None
        """What stands before every prompt, computed once; only for tasks in the format `prompt`."""
        asked = [task for task in self.tasks.values() if task.format == "prompt"]
        for task in asked:
            if backbone.get_output_embeddings() is None or not is_decoder(backbone.config):
                raise ModelError(
                    f"tasks.{task.name}: it is asked of a language model ({task.kind}, format: prompt), but the "
                    f"backbone is no decoder (found {type(backbone).__name__}); choose one, such as smollm2-135m."
                )
        positions = longest_input(backbone)
        if positions is not None and max_length > positions:
            raise ModelError(
                f"max_length is {max_length}, but the backbone reads at most {positions} tokens; set max_length to "
                f"{positions} or less."
            )
        check_tokens(backbone, tokenizer)
        width = hidden_width(backbone)
        self._window = find_window(backbone.config) if asked else None
        self._one_layer = bool(asked) and is_one_layer(backbone)
        self.reads_trees = bool(asked) and reads_trees(backbone, tokenizer)
        """Whether the backbone reads packed trees in one pass; else their sequences are read one by one."""
        self.prompts = PromptEncoder(tokenizer, self.tasks, max_length, self.style, positions) if asked else None
        self.pooling = pooling or default_pooling(backbone.config)
        self.features = Features(make_pooling(self.pooling, width) if len(asked) < len(self.tasks) else None)
        # Keys are prefixed: ModuleDict refuses names that nn.Module already uses, such as "type".
        self._heads = nn.ModuleDict(
            {
                _key(name): make_prompted_head(task) if task.format == "prompt" else make_head(task, width)
                for name, task in self.tasks.items()
            }
        )
        # A backbone that computes elsewhere already is given what is new.
        self._own_modules().to(backbone.device)

    @property
    def extractor(self) -> nn.Module:
        """The backbone without an output layer."""
        return self.backbone if self.prompts is None else self.backbone.base_model

    def head(self, task: str) -> Head:
        """The module of a task."""
        module = self._heads[_key(task)]
        assert isinstance(module, Head)
        return module

    @contextmanager
    def replacing(self, modules: Mapping[str, Head]) -> Iterator[None]:
        """Answer by other heads for a while."""
        own = {task: self.head(task) for task in modules}
        try:
            for task, module in modules.items():
                self._heads[_key(task)] = module
            yield
        finally:
            for task, module in own.items():
                self._heads[_key(task)] = module

    def task_parameters(self) -> list[nn.Parameter]:
        """The parameters of all heads, and of the pooling: what no backbone brings along."""
        return list(self._own_modules().parameters())

    def shared_parameters(self) -> list[nn.Parameter]:
        """The parameters that all tasks share: those of the backbone and of the pooling."""
        return [*self.backbone.parameters(), *self.features.parameters()]

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        rows: Mapping[str, Tensor] | None = None,
        scored: Mapping[str, Mapping[str, Tensor]] | None = None,
    ) -> dict[str, Tensor]:
        """Answer for every task.

        Args:
            inputs: what `Collator` made of the rows, each rows × tokens.
            rows: for each task the indices of the rows to answer for; a missing task has none, so its output
                is empty but still part of the graph. None means every row for every head.
            scored: for each task in the format `prompt` the tokens to score: "positions" in the flattened rows ×
                tokens, "tokens" and "slots" (answer among those of all the task's rows), each of shape (m,).

        Returns:
            For each task the outputs of its module, in the order of its rows.
        """
        inputs = dict(inputs)
        scores: dict[str, Tensor] = {}
        if "ends" in inputs:
            mask = places_before(inputs.pop("text_length"), inputs["input_ids"].shape[1]).long()
            hidden = self._read_sequences(inputs) if self.unpacks(inputs) else self._read_trees(inputs)
        else:
            mask = inputs["attention_mask"]
            hidden = self.extractor(**inputs, **self._options()).last_hidden_state
        if self.prompts is None:
            features = self.features(hidden, mask, None)
        else:
            features, scores = self._score(hidden, mask, scored or {})
        outputs = {}
        for name, task in self.tasks.items():
            if task.format == "prompt":
                own = scores[name]
            elif rows is None:
                own = features[: len(hidden)]
            else:
                index = rows.get(name)
                own = features[:0] if index is None else features[index]
            outputs[name] = self.head(name)(own)
        return outputs

    def unpacks(self, inputs: Mapping[str, Tensor]) -> bool:
        """Whether trees are taken apart: the backbone cannot read them, or they reach beyond its window.

        Args:
            inputs: trees, as `pad_rows` makes them.
        """
        if not self.reads_trees or self._window is None:
            return not self.reads_trees
        before = 0 if self.prefix is None else len(self.prefix.tokens)
        tokens = inputs["input_ids"].shape[1] if self._window.by_place else int(inputs["position_ids"].max()) + 1
        return before + tokens > self._window.tokens

    def _options(self) -> dict[str, bool]:
        # A cache is for writing on; training has no use for it.
        return {"use_cache": False} if is_decoder(self.backbone.config) else {}

    def _read_trees(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the hidden states of trees, rows × tokens × width, by one pass over them as they are."""
        mask = tree_mask(inputs["ends"], self.backbone.dtype)
        trees: dict[str, Any] = {
            "input_ids": inputs["input_ids"],
            "position_ids": inputs["position_ids"],
            "attention_mask": mask,
        }
        trees = trees | self._options() if self.prefix is None else self.prefix.put_before(trees)
        return self.extractor(**trees).last_hidden_state

    def _read_sequences(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the same, by reading each sequence of a tree by itself."""
        found = unpack(inputs)
        ids, mask, before = found.input_ids, found.attention_mask, 0
        if self.prefix is not None:
            tokens = torch.tensor(self.prefix.tokens, device=ids.device).expand(len(ids), -1)
            before = tokens.shape[1]
            ids, mask = torch.cat([tokens, ids], dim=1), torch.cat([torch.ones_like(tokens), mask], dim=1)
        hidden = self.extractor(input_ids=ids, attention_mask=mask, **self._options()).last_hidden_state
        return hidden[:, before:].flatten(0, 1)[found.places]

    def _score(
        self, hidden: Tensor, mask: Tensor, scored: Mapping[str, Mapping[str, Tensor]]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the features, and the answers' scores of each task in the format `prompt`."""
        asked = {name: task for name, task in self.tasks.items() if task.format == "prompt"}
        tokens = ScoredTokens(list(asked), scored, hidden.device)
        features = self.features(hidden, mask, tokens.positions)
        before = features[len(features) - len(tokens.positions) :]
        head = self.backbone.get_output_embeddings() if self._one_layer else partial(whole_head, self.backbone)
        scores = tokens.log_probabilities(before, head)
        for name, task in asked.items():
            if task.kind != "generation":
                scores[name] = tokens.by_answer(name, scores[name], task.answers)
        return features, scores

    def encode_rows(
        self,
        dataset: Dataset,
        wanted: Mapping[str, npt.NDArray[np.int64]],
        *,
        learning: bool = False,
        template: int = 0,
    ) -> tuple[Dataset, int]:
        """Turn rows into what the model reads.

        Args:
            dataset: rows with the columns "text" and "pair" (None: one text), for learning "label:TASK" too.
            wanted: for each task the rows to answer for; heads can answer for all.
            learning: put the texts to generate in.
            template: which of `Task.templates` to ask by; above 0 every task wanted is in the format `prompt`.

        Returns:
            The rows with further columns (see `tokenize` and `PromptEncoder.encode`), and how many texts were cut.
        """
        rows, cut = self._encode(dataset, wanted, learning, template)
        check_tokens(self.backbone, self.tokenizer, rows)
        return rows, cut

    def _encode(
        self, dataset: Dataset, wanted: Mapping[str, npt.NDArray[np.int64]], learning: bool, template: int
    ) -> tuple[Dataset, int]:
        if self.prompts is None:
            return tokenize(dataset, self.tokenizer, self.max_length)
        prompts = self.prompts
        if template:
            others = {
                name: self.tasks[name].replace(template=self.tasks[name].templates[template], variants=())
                for name in wanted
            }
            prompts = PromptEncoder(self.tokenizer, others, self.max_length, self.style)
        return prompts.encode(dataset, wanted, learning=learning)

    def losses(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The loss of each labelled row of each task, shape (rows of the task,)."""
        return {name: self.head(name).loss(outputs[name], targets[name]) for name in targets}

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model: JSON and safetensors only, complete or not at all; a model that lies there is replaced.

        The backbone and its tokenizer lie in `backbone/`, where `transformers.AutoModel` can read them.

        Raises:
            ModelError: the folder cannot be written, or it is not known whose adapter this is.
            OutputError: the folder holds something else than a model.
        """
        folder = Path(folder)
        if self.base is None and has_adapter(self.backbone):
            raise ModelError(
                f"{folder}: a model with an adapter is saved without its base, whose name is needed to load it; give "
                "it to MultiTaskModel (base)."
            )

        def free() -> bool:
            return check_output(folder, MODEL_OUTPUT)

        free()
        with writing_model(folder), replace_folder(folder, free) as target, quiet_transformers():
            self._write(target)

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, on: tuple[PreTrainedModel, PreTrainedTokenizerBase] | None = None
    ) -> Self:
        """Read a model that `save_pretrained` wrote; it is in evaluation mode.

        Args:
            folder: the model's folder.
            on: a backbone and its tokenizer, on which the heads are put instead of the saved ones.

        Raises:
            ModelError: the folder does not exist, or holds no Equipoise model.
        """
        folder = Path(folder)
        if not (folder / CONFIG).is_file():
            found = f"has no {CONFIG}" if folder.is_dir() else "does not exist"
            raise ModelError(
                f"{folder}: {found}, expected an Equipoise model; give the folder of a finished run, or its 'model'."
            )
        try:
            said, tasks = read_description(folder / CONFIG)
            check_whole(folder, said.model_dump())
            base = said.base
            backbone, tokenizer = on or load_backbone(
                base.name if base else str((folder / BACKBONE).absolute()),
                language_model=any(task.format == "prompt" for task in tasks.values()),
                quantization=base.quantization if base else "none",
            )
            if base and on is None:
                _add_saved_adapter(backbone, folder, base)
            model = cls(
                backbone,
                tokenizer,
                tasks,
                said.max_length,
                pooling=said.pooling,
                style=ChatStyle(**said.prompt.model_dump()),
                base=base.name if base else None,
            )
            model._own_modules().load_state_dict(load_file(folder / MODULES))
        except (OSError, AttributeError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"{folder}: not a readable Equipoise model ({error}); copy or train it again.") from error
        return model.eval()

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        return next(self.parameters()).device

    def _own_modules(self) -> nn.ModuleDict:
        # No head can be called "pooling": their keys are prefixed.
        pooling = {} if self.features.pooling is None else {"pooling": self.features.pooling}
        return nn.ModuleDict({**self._heads, **pooling})

    def _write(self, folder: Path) -> None:
        config: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "max_length": self.max_length,
            "pooling": self.pooling,
            "tasks": {name: task.to_dict() for name, task in self.tasks.items()},
        }
        if self.prompts is not None:
            config["prompt"] = asdict(self.style)
        if has_adapter(self.backbone):
            quantization = "4bit" if is_quantized(self.backbone) else "none"
            config["base"] = {
                "name": self.base,
                "fingerprint": fingerprint(self.backbone),
                "quantization": quantization,
            }
            self.backbone.save_pretrained(folder / ADAPTER)
        else:
            self.backbone.save_pretrained(folder / BACKBONE)
            self.tokenizer.save_pretrained(folder / BACKBONE)
        modules = {key: tensor.contiguous() for key, tensor in self._own_modules().state_dict().items()}
        save_file(modules, folder / MODULES, metadata={"format": "pt"})
        config["files"] = digest_folder(folder)
        (folder / CONFIG).write_text(to_json(config, indent=2) + "\n", encoding="utf-8")


def _add_saved_adapter(backbone: PreTrainedModel, folder: Path, base: BaseModelOf) -> None:
    if (found := fingerprint(backbone)) != base.fingerprint:
        raise ModelError(
            f"{folder}: its adapter was trained on another '{base.name}' (fingerprint then "
            f"{base.fingerprint[:12]}…, now {found[:12]}…); put that one back, or train again."
        )
    load_adapter(backbone, folder / ADAPTER)


def _key(task: str) -> str:
    return f"task_{task}"
