"""The cells of the table expert × task: how each is scored."""

from collections.abc import Mapping
from enum import StrEnum

from equipoise.kinds import Task


class AnswerMode(StrEnum):
    """How a model answers for a task: as it was trained to, prompted, by a linear probe, or not at all."""

    OWN = "own"
    PROMPTED = "asked"
    PROBE = "probe"
    NONE = "none"


def plan_cells(tasks: Mapping[str, Task], expert: str | None) -> dict[str, AnswerMode]:
    """Say how a model is scored on each task.

    A task in the format `head` that an expert has not learnt is read off its features by a probe, unless the head reads
    tokens, which no probe does; one in the format `prompt`, generation among them, is asked, of the base and of experts
    that are language models themselves.

    Args:
        tasks: the scored tasks.
        expert: the task of the expert; None is the base.
    """
    writes = expert is None or tasks[expert].is_prompted
    return {
        name: AnswerMode.OWN
        if name == expert
        else AnswerMode.PROBE
        if task.is_probed
        else AnswerMode.PROMPTED
        if task.is_prompted and writes
        else AnswerMode.NONE
        for name, task in tasks.items()
    }
