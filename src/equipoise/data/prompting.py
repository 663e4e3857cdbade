"""From texts to prompts with answers, packed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from equipoise.errors import DataError, ModelError, UsageError
from equipoise.kinds import Task, show

from .beginnings import Beginnings
from .in_memory import add_columns
from .trees import TokenTree

_MARK = "§ text §"
_BETWEEN = "\n"
_LEAST_TEXT = 4


@dataclass(frozen=True)
class ChatStyle:
    """How a prompt is brought to the model.

    Args:
        chat: wrap it in the tokenizer's chat template; else it is followed by "Answer:".
        system: the system message; None leaves it to the chat template.
    """

    chat: bool = True
    system: str | None = None


@dataclass(frozen=True)
class _Prompt:
    """One question: static pieces as tokens at even places, "text" or "pair" at odd ones; and the answers.

    `gap` is what stands between it and an answer.
    """

    pieces: list[Any]
    gap: str
    answers: list[list[int]]

    @property
    def overhead(self) -> int:
        return sum(len(piece) for piece in self.pieces[::2])


class PromptEncoder:
    """Turns rows into token trees: the text, what each task asks about it, and the answers to score.

    Tasks in the `head` format read the text as far as it stands in the tree before any question, so that no task
    module sees a question or an answer. Tasks on the same text (and pair) share its tokens where their templates begin
    with it, and a question's answers share the question. A text that does not fit is cut at its end; a question or an
    answer never is.

    Args:
        tokenizer: the backbone's tokenizer.
        tasks: the tasks by name, their label spaces resolved.
        max_length: most tokens of a prompt; answers come on top.
        style: how prompts are brought to the model.
        context: most tokens of a prompt with an answer; None where nothing limits them.
        frame: what stands before and after a question; None takes it from the style.

    Raises:
        ModelError: the tokenizer has no chat template, or no token that ends an answer; or `max_length` leaves no room
            for the answers.
        UsageError: an answer is empty or begins another one, or a question alone is too long.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        tasks: Mapping[str, Task],
        max_length: int,
        style: ChatStyle = ChatStyle(),
        context: int | None = None,
        frame: tuple[str, str] | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._tasks = dict(tasks)
        self._offsets = any(task.reads_tokens and not task.is_prompted for task in self._tasks.values())
        # One more than fit, so that what is too long shows.
        self._beginnings = Beginnings(tokenizer, max_length + 1, offsets=self._offsets, split_special_tokens=True)
        self._max_length = max_length
        self._room = None if context is None else context - max_length
        if tokenizer.eos_token_id is None:
            raise ModelError("model: its tokenizer has no token that ends a text (eos_token), which answers need.")
        before, after = frame or make_frames(tokenizer, style)[0]
        self._lead = self._ids(before)
        self._between = self._ids(_BETWEEN)
        self._prompts: dict[str, list[_Prompt]] = {}
        for name, task in self._tasks.items():
            if task.is_prompted:
                self._prompts[name] = [
                    self._prompt(name, [before + pieces[0], *pieces[1:-1], pieces[-1] + after], question.answers)
                    for pieces, question in zip(task.prompts(), task.questions(), strict=True)
                ]
        overheads = {name: max(prompt.overhead for prompt in prompts) for name, prompts in self._prompts.items()}
        self._overhead = max(overheads.values(), default=len(self._lead) + len(self._between))
        if self._overhead + _LEAST_TEXT > max_length:
            longest = max(overheads, key=overheads.__getitem__, default="")
            raise UsageError(
                f"tasks.{longest}: its question alone takes {self._overhead} tokens, which leaves too little of "
                f"max_length ({max_length}) for a text; make max_length {self._overhead + 32} or more, or the template "
                "shorter."
            )
        self._check_room(context)

    def encode(
        self, dataset: datasets.Dataset, wanted: Mapping[str, npt.NDArray[np.int64]], *, learning: bool
    ) -> tuple[datasets.Dataset, int]:
        """Turn rows into trees.

        Args:
            dataset: rows with the columns "text" and "pair" (None: one text); for learning also "label:TASK".
            wanted: for each task the rows to answer for.
            learning: put the texts to generate into the trees; else only what is asked, in "prompt:TASK".

        Returns:
            The dataset with further columns, and how many texts were cut. "index": the row's number; "input_ids",
            "position_ids" and "ends": the tree (see `PackedTree`); "text_length": how many tokens in front a task
            module reads; "length": all tokens. For each task of the format `prompt`, empty on other rows:
            "positions:TASK", "tokens:TASK" and "slots:TASK": which token (third: of which answer, counted over all
            questions) is scored at which node. For text to generate "prompt:TASK" instead, unless learning. Where a
            head reads tokens also "text_start" and "offsets", as `tokenize` has them; rows without a head have no
            offsets.

        Raises:
            DataError: a text to learn to write is longer than the room for answers.
        """
        texts, pairs = dataset["text"][:], dataset["pair"][:]
        readers: list[list[str]] = [[] for _ in texts]
        for name in self._tasks:
            for row in wanted.get(name, ()):
                readers[row].append(name)
        tokens = self._beginnings.read(texts)
        pair_ids = self._beginnings.encode([pair or "" for pair in pairs])
        columns: dict[str, list[Any]] = {
            "index": list(range(len(texts))),
            **{name: [] for name in ("input_ids", "position_ids", "ends", "text_length", "length")},
        }
        for name in self._prompts:
            for part in ("positions", "tokens", "slots", "prompt"):
                columns[f"{part}:{name}"] = []
        if self._offsets:
            columns |= {"text_start": [], "offsets": []}
        targets = {
            name: dataset[f"label:{name}"][:]
            for name in self._prompts
            if learning and name in wanted and self._tasks[name].writes_text
        }
        cut = 0
        for row, names in enumerate(readers):
            text, pair = self._fit(tokens[row].ids, pair_ids[row])
            cut += len(text) + len(pair) < len(tokens[row].ids) + len(pair_ids[row])
            inputs = {"text": text, "pair": pair}
            right = {
                name: self._tasks[name].correct_answers(targets[name][row])[0] for name in names if name in targets
            }
            found = self._grow(names, inputs, right)
            found["text_start"] = len(self._lead)
            if found["text_length"]:
                found["offsets"] = tokens[row].part(0, len(text)).offsets
            for name, column in columns.items():
                if name != "index":
                    column.append(found.get(name, []))
        return add_columns(dataset, columns), cut

    def ask(self, task: str, question: int, text: str, pair: str | None = None, answer: str | None = None) -> list[int]:
        """Return one question about a text as the model reads it, with an answer behind it where one is given.

        Args:
            task: a task in the format `prompt`.
            question: the question's number.
            text: the text; it is cut where it is too long.
            pair: the second text.
            answer: the answer.
        """
        prompt = self._prompts[task][question]
        inputs = dict(zip(("text", "pair"), self._fit(*self._beginnings.encode([text, pair or ""])), strict=True))
        behind = [] if answer is None else self._ids(prompt.gap + answer, plain=True)
        return _fill(prompt, inputs) + behind

    def _grow(
        self, names: Sequence[str], inputs: Mapping[str, list[int]], targets: Mapping[str, str]
    ) -> dict[str, Any]:
        """Make one row's columns."""
        tree = TokenTree()
        read: list[int] = []
        if any(name not in self._prompts for name in names):
            ends = self._between + inputs["pair"] if inputs["pair"] else []
            read = tree.add(self._lead + inputs["text"] + ends)
        found: dict[str, Any] = {}
        scored: dict[str, list[tuple[int, int, int]]] = {}
        for name in names:
            slot = 0
            for prompt in self._prompts.get(name, ()):
                asked = _fill(prompt, inputs)
                if not self._tasks[name].writes_text:
                    answers = prompt.answers
                elif name in targets:
                    answers = [self._target(name, targets[name], prompt)]
                else:
                    found[f"prompt:{name}"] = asked
                    continue
                last = tree.add(asked)[-1]
                for answer in answers:
                    node = last
                    for place, token in enumerate(answer):
                        scored.setdefault(name, []).append((node, token, slot))
                        # The last token of an answer is predicted, never read.
                        if place < len(answer) - 1:
                            node = tree.add([token], after=node)[0]
                    slot += 1
        packed, index = tree.pack()
        for name, entries in scored.items():
            found[f"positions:{name}"] = [index[node] for node, _, _ in entries]
            found[f"tokens:{name}"] = [token for _, token, _ in entries]
            found[f"slots:{name}"] = [slot for _, _, slot in entries]
        return found | {
            "input_ids": packed.tokens,
            "position_ids": packed.depths,
            "ends": packed.ends,
            "text_length": len(read),
            "length": len(packed.tokens),
        }

    def _fit(self, text: list[int], pair: list[int]) -> tuple[list[int], list[int]]:
        """Cut a row's inputs to the room that the longest question of all tasks leaves, so that all read the same."""
        room = self._max_length - self._overhead
        if len(pair) >= room:
            pair = pair[: room - min(len(text), room // 2)]
        return text[: room - len(pair)], pair

    def _target(self, task: str, target: str, prompt: _Prompt) -> list[int]:
        tokens = [*self._ids(prompt.gap + target, plain=True), self._tokenizer.eos_token_id]
        if self._room is not None and len(tokens) > self._room:
            raise DataError(
                f"task '{task}': found {show(target)}, a text to learn to write of {len(tokens)} tokens; expected at "
                f"most {self._room}, which max_length ({self._max_length}) leaves of what the backbone reads. Shorten "
                "it, or make max_length smaller."
            )
        return tokens

    def _check_room(self, context: int | None) -> None:
        """Refuse a `max_length` that leaves no room for the answers."""
        for name, prompts in self._prompts.items():
            task = self._tasks[name]
            answers = [answer for question in task.questions() for answer in question.answers]
            lengths = dict(zip(answers, (len(ids) for prompt in prompts for ids in prompt.answers), strict=True))
            longest = task.longest_answer(lengths.__getitem__)
            if context is not None and self._max_length + longest > context:
                raise ModelError(
                    f"max_length is {self._max_length} and an answer of tasks.{name} takes up to {longest} tokens, but "
                    f"the backbone reads at most {context} tokens; set max_length to {context - longest} or less."
                )

    def _prompt(self, task: str, pieces: Sequence[str], answers: Sequence[str]) -> _Prompt:
        gap = "" if pieces[-1][-1:].isspace() else " "
        if not all(answer.strip() for answer in answers):
            raise UsageError(f"tasks.{task}: found an empty answer, expected words for each; name them (verbalize).")
        ids = [self._ids(gap + answer, plain=True) for answer in answers]
        for number, one in enumerate(ids):
            for other in range(len(ids)):
                if other != number and ids[other][: len(one)] == one:
                    raise UsageError(
                        f"tasks.{task}: the answer '{answers[number]}' begins the answer '{answers[other]}' (in "
                        "tokens), so their probabilities cannot be told apart; give other words (verbalize)."
                    )
        static = [piece if place % 2 else self._ids(piece) for place, piece in enumerate(pieces)]
        return _Prompt(static, gap, ids)

    def _ids(self, text: str, *, plain: bool = False) -> list[int]:
        """Turn text into tokens; where it is plain, what looks like a special token is taken as any other text."""
        return self._texts([text], plain=plain)[0]

    def _texts(self, texts: Sequence[str], *, plain: bool = True) -> list[list[int]]:
        if not texts:
            return []
        options = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
        encoded = self._tokenizer(list(texts), split_special_tokens=plain, **options)
        return encoded["input_ids"]


def _fill(prompt: _Prompt, inputs: Mapping[str, list[int]]) -> list[int]:
    return [token for place, piece in enumerate(prompt.pieces) for token in (inputs[piece] if place % 2 else piece)]


def make_frames(tokenizer: PreTrainedTokenizerBase, style: ChatStyle, turns: int = 1) -> list[tuple[str, str]]:
    """Return what stands before and after each question of a conversation; an answer stands behind all but the last.

    Args:
        tokenizer: the backbone's tokenizer.
        style: how prompts are brought to the model.
        turns: how many questions.

    Raises:
        ModelError: the tokenizer has no chat template, or one that cannot be used.
    """
    if not style.chat:
        starts = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
        first = tokenizer.bos_token if starts else ""
        return [("\n\n" if turn else first, "\nAnswer:") for turn in range(turns)]
    if not tokenizer.chat_template:
        raise ModelError("model: its tokenizer has no chat template; set prompt.chat: false to ask it in plain text.")
    messages = [] if style.system is None else [{"role": "system", "content": style.system}]
    for _ in range(turns - 1):
        messages += [{"role": "user", "content": _MARK}, {"role": "assistant", "content": _MARK}]
    messages.append({"role": "user", "content": _MARK})
    try:
        whole = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # whatever the template raises, such as that it knows no system message
        raise ModelError(
            f"model: its chat template cannot be used ({error}); leave out prompt.system, or set prompt.chat: false."
        ) from error
    pieces = whole.split(_MARK)
    if len(pieces) != 2 * turns:
        raise ModelError("model: its chat template leaves the question out, or repeats it; set prompt.chat: false.")
    return list(zip(pieces[::2], pieces[1::2], strict=True))
