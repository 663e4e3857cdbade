"""The network: one backbone, one head per task."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.data import ChatStyle, PromptEncoder
from equipoise.errors import EquipoiseWarning, ModelError
from equipoise.kinds import Task
from equipoise.precision import computing_in

from .backbone import default_pooling, hidden_width, is_decoder, longest_input
from .features import Features, TaskFeatures
from .heads import Head, make_head
from .hidden_states import read_hidden_states
from .language_head import is_one_layer, whole_head
from .pooling import make_pooling
from .prefix import Prefix
from .row_encoding import RowEncoder
from .saving import load_model, save_model
from .scored_tokens import ScoredTokens
from .token_rows import TokenRows
from .trees import find_window, reads_trees
from .vocabulary import check_tokens


class MultiTaskModel(nn.Module):
    """A shared extractor with one head per task.

    The backbone encodes each row once. `features` reads its last hidden states: one vector a row, pooled over the text,
    which heads read; the tokens whose successors are scored, for tasks in the format `prompt`; and the tokens that
    heads read themselves.

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
        self.dtype = torch.float32
        """In what the backbone computes products."""
        self.prefix: Prefix | None = None
        """What stands before every prompt, computed once; only for tasks in the format `prompt`."""
        prompted = [task for task in self.tasks.values() if task.is_prompted]
        for task in prompted:
            if backbone.get_output_embeddings() is None or not is_decoder(backbone.config):
                raise ModelError(
                    f"tasks.{task.name}: it prompts a language model ({task.kind}, format: prompt), but the "
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
        self._window = find_window(backbone.config) if prompted else None
        self._one_layer = bool(prompted) and is_one_layer(backbone)
        self.reads_trees = bool(prompted) and reads_trees(backbone, tokenizer)
        """Whether the backbone reads packed trees in one pass; else their sequences are read one by one."""
        self._rows = RowEncoder(tokenizer, self.tasks, max_length, self.style, positions)
        self.pooling = pooling or default_pooling(backbone.config)
        self.features = Features(make_pooling(self.pooling, width) if len(prompted) < len(self.tasks) else None)
        self.task_features = TaskFeatures(
            self._names(lambda task: not task.is_prompted), self._names(lambda task: task.is_prompted)
        )
        # Keys are prefixed: ModuleDict refuses names that nn.Module already uses, such as "type".
        self._heads = nn.ModuleDict({_key(name): make_head(task, width) for name, task in self.tasks.items()})
        # A backbone that computes elsewhere already is given what is new.
        self.own_modules().to(backbone.device)

    @property
    def extractor(self) -> nn.Module:
        """The backbone without an output layer."""
        return self.backbone if self.prompts is None else self.backbone.base_model

    def head(self, task: str) -> Head:
        """The head of a task."""
        module = self._heads[_key(task)]
        assert isinstance(module, Head)
        return module

    def task_module(self, task: str) -> Head:
        """The head of a task, by its former name."""
        warnings.warn("MultiTaskModel.task_module is now MultiTaskModel.head.", EquipoiseWarning, stacklevel=2)
        return self.head(task)

    @property
    def prompts(self) -> PromptEncoder | None:
        """What encodes prompts; None where no task is prompted."""
        return self._rows.prompts

    def with_tasks(self, tasks: Mapping[str, Task]) -> Self:
        """Return a model with the same parts and other settings of its tasks, such as thresholds chosen on dev.

        Args:
            tasks: the same tasks, by name.
        """
        other = copy(self)
        other.tasks = dict(tasks)
        return other

    def with_added(self, tasks: Mapping[str, Task]) -> Self:
        """Return a model with the same parts and new heads for more tasks.

        Args:
            tasks: the new tasks by name, their label spaces resolved.
        """
        options: dict[str, Any] = {"pooling": self.pooling, "style": self.style, "base": self.base}
        other = type(self)(self.backbone, self.tokenizer, {**self.tasks, **tasks}, self.max_length, **options)
        other._heads.update({_key(name): self.head(name) for name in self.tasks})
        if self.features.pooling is not None:
            other.features = self.features
        return other.with_long_texts(self.long_texts).train(self.training)

    def with_prompts(self, prompts: PromptEncoder, prefix: Sequence[int]) -> Self:
        """Return a model with the same parts that is prompted in another way.

        Args:
            prompts: encodes the prompts.
            prefix: the tokens before every prompt, which are read once.
        """
        other = copy(self)
        other._rows = self._rows.with_prompts(prompts)
        other.prefix = Prefix(self.backbone, prefix, cached=self.reads_trees) if prefix else None
        return other

    def with_long_texts(self, how: str) -> Self:
        """Return a model with the same parts that treats texts of more than `max_length` tokens in another way.

        Args:
            how: "cut": only their beginning is read, as in a new model; "windows": they are read in overlapping windows
                (see `equipoise.data.split_windows`), and the outputs for these are averaged. A model with tasks in the
                format `prompt` cuts them in any case.
        """
        other = copy(self)
        other._rows = self._rows.with_long_texts(how)
        return other

    def with_precision(self, dtype: torch.dtype) -> Self:
        """Return a model with the same parts whose backbone computes in another type; heads stay in float32.

        Args:
            dtype: see `equipoise.precision.compute_type`.
        """
        other = copy(self)
        other.dtype = dtype
        return other

    @property
    def long_texts(self) -> str:
        """What is done with texts that are too long: see `with_long_texts`."""
        return self._rows.long_texts

    @property
    def reads_windows(self) -> bool:
        """Whether texts that are too long are read in windows."""
        return self._rows.reads_windows

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
        return list(self.own_modules().parameters())

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
                tokens, "tokens" and "slots" (answer among those of all the task's rows), each of shape (m,); for each
                task whose head reads tokens what `TokenRows` takes.

        Returns:
            For each task the outputs of its module, in the order of its rows.
        """
        with self._rounding():
            hidden, mask = read_hidden_states(self, inputs)
        if self.dtype is not torch.float32:
            hidden = hidden.float()
        scored = scored or {}
        answers = ScoredTokens(self._names(lambda task: task.is_prompted), scored, hidden.device)
        tokens = TokenRows(self._names(lambda task: task.has_token_head), scored, hidden.device)
        # Pooled rows, then the tokens whose successors are scored, then the tokens that heads read.
        features = self.features(hidden, mask, torch.cat([answers.positions, tokens.positions]))
        views = self.task_features(features)
        behind = len(features) - len(tokens.positions)
        before = behind - len(answers.positions)
        scores = self._score(answers, views, slice(before, behind))
        outputs = {}
        for name, task in self.tasks.items():
            if task.is_prompted:
                own: tuple[Tensor, ...] = (scores[name],)
            elif task.has_token_head:
                own = tokens.of(name, views[name][behind:])
            elif rows is None:
                own = (views[name][: len(hidden)],)
            else:
                index = rows.get(name)
                own = (views[name][:0] if index is None else views[name][index],)
            outputs[name] = self.head(name)(*own)
        return outputs

    def _names(self, chosen: Callable[[Task], bool]) -> list[str]:
        return [name for name, task in self.tasks.items() if chosen(task)]

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

    def _rounding(self) -> AbstractContextManager[object]:
        # Where nothing is rounded here, what is around this may round.
        return nullcontext() if self.dtype is torch.float32 else computing_in(self.dtype, self.device.type)

    def _score(self, tokens: ScoredTokens, views: Mapping[str, Tensor], places: slice) -> dict[str, Tensor]:
        """Return the answers' scores of each task in the format `prompt`, from their places in the view they share."""
        prompted = {name: task for name, task in self.tasks.items() if task.is_prompted}
        if not prompted:
            return {}
        head = self.backbone.get_output_embeddings() if self._one_layer else partial(whole_head, self.backbone)
        with self._rounding():
            scores = tokens.log_probabilities(views[next(iter(prompted))][places], head)
        for name, task in prompted.items():
            if not task.writes_text:
                scores[name] = tokens.by_answer(name, scores[name], task.answers)
        return scores

    def encode_rows(
        self,
        dataset: Dataset,
        wanted: Mapping[str, npt.NDArray[np.int64]],
        *,
        learning: bool = False,
        template: int = 0,
        windows: bool = True,
        places: bool = False,
    ) -> tuple[Dataset, int]:
        """Turn rows into what the model reads.

        Args:
            dataset: rows with the columns "text" and "pair" (None: one text), for learning "label:TASK" too.
            wanted: for each task the rows to answer for; heads can answer for all.
            learning: put the texts to generate in.
            template: which of `Task.templates` to ask by; above 0 every task wanted is in the format `prompt`.
            windows: where the model reads windows, return all of them; else only the first of each text.
            places: say where the tokens of texts and pairs stand in them; not of prompts.

        Returns:
            The rows with further columns (see `tokenize` and `PromptEncoder.encode`), and how many texts are too long.
        """
        rows, cut = self._rows.encode(dataset, wanted, learning, template, windows, places)
        check_tokens(self.backbone, self.tokenizer, rows)
        return rows, cut

    def losses(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The loss of each labelled row of each task, shape (rows of the task,)."""
        return {name: self.head(name).loss(outputs[name], targets[name]) for name in targets}

    def distillation_losses(self, outputs: Mapping[str, Tensor], answers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """How far each row's outputs are from those of another model, by task; see `Objective.distillation_loss`."""
        return {name: self.head(name).distillation_loss(outputs[name], answers[name]) for name in answers}

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model: JSON and safetensors only, complete or not at all; a model that lies there is replaced.

        The backbone and its tokenizer lie in `backbone/`, where `transformers.AutoModel` can read them.

        Raises:
            ModelError: the folder cannot be written, or it is not known whose adapter this is.
            OutputError: the folder holds something else than a model.
        """
        save_model(self, Path(folder))

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
        return load_model(cls, Path(folder), on)

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        return next(self.parameters()).device

    def own_modules(self) -> nn.ModuleDict:
        """Return the heads, and the pooling where it learns: what no backbone brings along."""
        # No head can be called "pooling": their keys are prefixed.
        pooling = {} if self.features.pooling is None else {"pooling": self.features.pooling}
        return nn.ModuleDict({**self._heads, **pooling})


def _key(task: str) -> str:
    return f"task_{task}"
