"""Questions with their answers, to be put before a question."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from equipoise.kinds import Task

from .prompting import ChatStyle, PromptEncoder, make_frames


class Demonstration(NamedTuple):
    """One of a task's questions about a row, by its number, and the right answer."""

    row: int
    question: int
    answer: str


def choose_demonstrations(task: Task, labels: npt.NDArray[Any], count: int, seed: int) -> list[Demonstration]:
    """Choose demonstrations, each of another row, the answers in turns.

    So classes are shown alike whatever their sizes, and so are yes and no of a multilabel task; which rows, and which
    answer is first, is drawn by the seed (our design).

    Args:
        task: the resolved task.
        labels: its encoded labels, as `Table.labels` returns them.
        count: how many.
        seed: seed of the draw.

    Returns:
        As many as there are, `count` at most; rows are counted over the labels.
    """
    found = [
        Demonstration(row, question, answer)
        for row, label in enumerate(labels)
        for question, answer in enumerate(task.correct_answers(label))
    ]
    by_answer: dict[str, list[Demonstration]] = {}
    for number in np.random.default_rng(seed).permutation(len(found)):
        by_answer.setdefault(found[number].answer, []).append(found[number])
    chosen: dict[int, Demonstration] = {}
    while by_answer and len(chosen) < count:
        for answer, left in list(by_answer.items()):
            while left and left[-1].row in chosen:
                left.pop()
            if not left:
                del by_answer[answer]
            elif len(chosen) < count:
                one = left.pop()
                chosen[one.row] = one
    return list(chosen.values())


def order_demonstrations(
    chosen: Sequence[Demonstration], difficulty: npt.NDArray[np.float64], order: Literal["easy_first", "hard_first"]
) -> list[Demonstration]:
    """Order demonstrations by difficulty, equals as they were.

    Easy before hard is the in-context curriculum of Liu et al. (2024, arXiv 2402.10738), where people or the language
    model's perplexity say what is hard.

    Args:
        chosen: the demonstrations.
        difficulty: of the rows that they are counted over; more is harder.
        order: which come first.
    """
    sign = 1 if order == "easy_first" else -1
    return sorted(chosen, key=lambda one: sign * difficulty[one.row])


class Conversation(NamedTuple):
    """Demonstrations as the model reads them.

    Args:
        tokens: the demonstrations, as earlier turns of the conversation.
        prompts: asks the question that comes after them.
        shown: how many demonstrations there are.
    """

    tokens: list[int]
    prompts: PromptEncoder
    shown: int


def demonstrate(
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    examples: Sequence[tuple[Demonstration, str, str | None]],
    max_length: int,
    style: ChatStyle,
    room: int | None,
) -> Conversation:
    """Put demonstrations before a task's questions.

    Args:
        tokenizer: the backbone's tokenizer.
        task: the task, in the format `prompt`.
        examples: the demonstrations, each with its text and second text; texts are cut like any other.
        max_length: most tokens of a question, those of demonstrations among them; answers come on top.
        style: how prompts are brought to the model.
        room: most tokens of all demonstrations together; as many as fit are shown, in order. None is no limit.
    """
    for shown in range(len(examples), -1, -1):
        *turns, last = make_frames(tokenizer, style, shown + 1)
        tokens: list[int] = []
        for frame, (demonstration, text, pair) in zip(turns, examples, strict=False):
            prompts = PromptEncoder(tokenizer, {task.name: task}, max_length, style, frame=frame)
            tokens += prompts.ask(task.name, demonstration.question, text, pair, demonstration.answer)
        if room is None or len(tokens) <= room:
            break
    return Conversation(tokens, PromptEncoder(tokenizer, {task.name: task}, max_length, style, frame=last), shown)
