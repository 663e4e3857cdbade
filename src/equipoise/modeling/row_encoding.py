"""From rows of texts to what a model reads: tokens, or prompts with answers."""

from collections.abc import Mapping
from copy import copy
from typing import Self

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from equipoise.data import ChatStyle, PromptEncoder, tokenize
from equipoise.kinds import Task


class RowEncoder:
    """Encodes rows for the tasks of one model.

    Args:
        tokenizer: the backbone's tokenizer.
        tasks: the tasks by name.
        max_length: longest input in tokens; answers come on top.
        style: how prompts are brought to a language model.
        context: most tokens of a prompt with an answer; None where nothing limits them.

    Attributes:
        prompts: encodes prompts; None where no task is prompted.
        long_texts: what is done with texts that are too long: "cut" (at first) or "windows". Prompts are always cut,
            and so are texts that share a model with prompts.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        tasks: Mapping[str, Task],
        max_length: int,
        style: ChatStyle,
        context: int | None,
    ) -> None:
        self._tokenizer = tokenizer
        self._tasks = tasks
        self._max_length = max_length
        self._style = style
        self.long_texts = "cut"
        is_prompted = any(task.is_prompted for task in tasks.values())
        self.prompts = PromptEncoder(tokenizer, tasks, max_length, style, context) if is_prompted else None

    def with_prompts(self, prompts: PromptEncoder) -> Self:
        """Return an encoder with other prompts."""
        other = copy(self)
        other.prompts = prompts
        return other

    def with_long_texts(self, how: str) -> Self:
        """Return an encoder that treats texts that are too long in another way: "cut" or "windows"."""
        other = copy(self)
        other.long_texts = how
        return other

    @property
    def reads_windows(self) -> bool:
        """Whether texts that are too long are read in windows."""
        return self.long_texts == "windows" and self.prompts is None

    def encode(
        self,
        dataset: Dataset,
        wanted: Mapping[str, npt.NDArray[np.int64]],
        learning: bool,
        template: int,
        windows: bool = True,
        places: bool = False,
    ) -> tuple[Dataset, int]:
        """Encode rows; see `MultiTaskModel.encode_rows`."""
        if self.prompts is None:
            offsets = any(task.reads_tokens for task in self._tasks.values())
            return tokenize(
                dataset,
                self._tokenizer,
                self._max_length,
                offsets="pair" if places else offsets,
                windows=windows and self.reads_windows,
                # Only where spans are learnt is the text compared with them.
                repeat=offsets and learning,
            )
        prompts = self.prompts
        if template:
            others = {
                name: self._tasks[name].replace(template=self._tasks[name].templates[template], variants=())
                for name in wanted
            }
            prompts = PromptEncoder(self._tokenizer, others, self._max_length, self._style)
        return prompts.encode(dataset, wanted, learning=learning)
