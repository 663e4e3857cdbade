"""The heads of several models, in one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import torch
from torch import Tensor

from equipoise.data import ChatStyle
from equipoise.errors import UsageError
from equipoise.kinds import Task
from equipoise.modeling import MultiTaskModel

from .base import Base

T = TypeVar("T")
State = dict[str, Tensor]


class HeadPolicy(StrEnum):
    """What is done where several experts have a head for one task."""

    KEEP = "keep"
    AVERAGE = "average"
    ERROR = "error"


@dataclass(frozen=True)
class Combined:
    """The tasks of several models, their heads, and how texts are read for them.

    Args:
        tasks: the tasks by name.
        states: the state of each task's head.
        pooling: how features are pooled.
        pooling_state: of a pooling that learns.
        style: how prompts are brought to the model.
        max_length: longest input in tokens.
        long_texts: what is done with longer ones, "cut" or "windows".
    """

    tasks: dict[str, Task]
    states: dict[str, State]
    pooling: str
    pooling_state: State
    style: ChatStyle
    max_length: int
    long_texts: str = "cut"

    def put_on(self, base: Base) -> MultiTaskModel:
        """Make one model of a backbone and all tasks."""
        model = MultiTaskModel(
            base.backbone,
            base.tokenizer,
            self.tasks,
            self.max_length,
            pooling=self.pooling,
            style=self.style,
            base=base.name,
        ).with_long_texts(self.long_texts)
        for task, state in self.states.items():
            model.head(task).load_state_dict(state)
        if model.features.pooling is not None:
            model.features.pooling.load_state_dict(self.pooling_state)
        return model.eval()


def combine_models(models: Mapping[str, MultiTaskModel], policy: HeadPolicy) -> Combined:
    """Put what several models have besides their backbones together.

    A task that one model has is kept as it is, and so is one whose heads are equal in all that have it. For others it
    depends on `policy`: "keep" keeps each as `TASK@MODEL`, "average" averages those whose tasks and shapes agree,
    "error" refuses. A pooling that learns is averaged; the longest input is the longest of all, and longer texts are
    read in windows if one of the models does so.

    Args:
        models: the models by name, one at least.
        policy: what is done where several models have a head for one task.

    Raises:
        UsageError: heads differ, and `policy` says "error"; or they cannot be averaged; or models read texts
            differently.
    """
    tasks, states = _combine_heads(models, policy)
    pooled = {name: model for name, model in models.items() if model.features.pooling is not None}
    pooling = _common("pooling", {name: model.pooling for name, model in (pooled or models).items()})
    asked = {name: model for name, model in models.items() if model.prompts is not None}
    style = _common("prompt", {name: model.style for name, model in (asked or models).items()})
    own = [model.features.pooling.state_dict() for model in pooled.values() if model.features.pooling is not None]
    max_length = max(model.max_length for model in models.values())
    long_texts = max(model.long_texts for model in models.values())  # "windows" comes last in the alphabet
    return Combined(tasks, states, pooling, _average(own) if own else {}, style, max_length, long_texts)


def _common(key: str, by_model: Mapping[str, T]) -> T:
    values = list(by_model.values())
    if any(value != values[0] for value in values):
        listed = "; ".join(f"{name}: {value}" for name, value in by_model.items())
        raise UsageError(
            f"merge: experts were trained with another '{key}' each ({listed}), expected one; train them alike."
        )
    return values[0]


def _combine_heads(
    models: Mapping[str, MultiTaskModel], policy: HeadPolicy
) -> tuple[dict[str, Task], dict[str, State]]:
    models_of: dict[str, list[str]] = {}
    for name, model in models.items():
        for task in model.tasks:
            models_of.setdefault(task, []).append(name)
    tasks: dict[str, Task] = {}
    states: dict[str, State] = {}
    for task, names in models_of.items():
        # Calibration and weights that dev has chosen with it belong to the experts, not to what they become.
        variants = {name: models[name].tasks[task].without_calibration() for name in names}
        own = {name: models[name].head(task).state_dict() for name in names}
        first = names[0]
        same_task = all(_answers_alike(variants[first], other) for other in variants.values())
        if same_task and all(_equal(own[first], other) for other in own.values()):
            tasks[task], states[task] = variants[first], own[first]
        elif policy is HeadPolicy.KEEP:
            for name in names:
                tasks[f"{task}@{name}"] = variants[name].replace(name=f"{task}@{name}")
                states[f"{task}@{name}"] = own[name]
        elif policy is HeadPolicy.ERROR:
            raise UsageError(
                f"merge: {', '.join(names)} have a head for task '{task}' each, and they differ; keep each "
                "(--heads keep) or average them (--heads average)."
            )
        elif not same_task:
            raise UsageError(
                f"merge: task '{task}' is not the same in {', '.join(names)} (kind, labels or scale), so that its "
                "heads cannot be averaged; keep each (--heads keep)."
            )
        else:
            tasks[task], states[task] = variants[first], _average(list(own.values()))
    return tasks, states


def _average(states: Sequence[State]) -> State:
    return {key: torch.stack([state[key] for state in states]).mean(dim=0) for key in states[0]}


def _answers_alike(one: Task, other: Task) -> bool:
    """Whether two tasks differ in nothing but where their rows come from."""
    return one.replace(**other.reading()) == other


def _equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
