"""The run file's keys that tasks of every kind have."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticKnownError

from equipoise.sections import NumberOrText, Section

from .class_metrics import CLASS_METRICS, find_shape_problem, name_metric
from .prompts import check_template
from .registry import get_kind, list_kinds
from .task import Task


def _list_templates(value: Any) -> Any:
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(template, str) for template in value):
            raise ValueError(f"found {list(value)}, expected a template, or a list of templates")
        return value
    if value is not None and not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value and (value,)


Templates = Annotated[
    tuple[str, ...] | None,
    BeforeValidator(_list_templates),
    PlainSerializer(lambda templates: templates[0] if templates and len(templates) == 1 else templates),
]
"""One template or several; one alone is written without a list."""


def _read_metric(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, classes),) = value.items()
        classes = list(classes) if isinstance(classes, list | tuple) else [classes]
        if classes and all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in classes):
            return {name: tuple(map(str, classes))}
    forms = " or ".join(f"{{{name}: {metric.form}}}" for name, metric in CLASS_METRICS.items())
    raise ValueError(f"found {value!r}, expected the name of a metric, or {forms} (yes and no in quotes)")


def _write_metric(metric: str | dict[str, tuple[str, ...]] | None) -> Any:
    if not isinstance(metric, dict):
        return metric
    return {name: list(found) if CLASS_METRICS[name].several else found[0] for name, found in metric.items()}


MetricChoice = Annotated[
    str | dict[str, tuple[str, ...]] | None, BeforeValidator(_read_metric), PlainSerializer(_write_metric)
]
"""A metric's name, or the name with the classes it is of."""


class TaskConfig(Section):
    """One task; each kind adds its own keys."""

    takes_columns: ClassVar[bool] = False
    """Whether `label` may be a list of columns."""

    source: NumberOrText = Field(description="Name of the source its rows come from.")
    kind: str = Field(description="What it predicts, see `equipoise list kinds`.")
    text: str = Field("text", description="Column of the text.")
    pair: str | None = Field(None, description="Column of a second text: a target, an aspect.")
    label: str = Field("label", description="Column of the label.")
    format: Literal["head", "prompt"] | None = Field(
        None,
        description="`head` (default): a head reads the features. `prompt`: a language model is prompted and its "
        "answers are scored. Generation is always prompted.",
    )
    template: Templates = Field(
        None,
        description="The prompt of the language model, with {text} and, if there is one, {pair}; `equipoise check` "
        "shows the kind's own. Of a list the first is trained by; the others are variants for `--prompts`.",
    )
    metric: MetricChoice = Field(
        None,
        description="Primary metric, which selects the checkpoint; `equipoise list kinds` shows each kind's, the "
        "default first. Of named classes: `{f1: irony}`, `{mean_f1: [against, favor]}`.",
    )
    group: Annotated[str, Field(coerce_numbers_to_str=True, min_length=1)] | None = Field(
        None,
        description="Tasks of one group are merged first, such as `classification`, `aspects`, `multifaceted`; any "
        "text. It changes nothing that is trained.",
    )
    auxiliary: bool = Field(False, description="Trained to help the others, never scored; needs labels in train only.")

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys_of_other_kinds(cls, data: Any) -> Any:
        # Run files that were written before each kind had its own keys hold those of all kinds.
        if not isinstance(data, dict):
            return data
        others = keys_of_kinds().keys() - cls.model_fields.keys()
        return {key: value for key, value in data.items() if value is not None or key not in others}

    @field_validator("label", mode="before")
    @classmethod
    def _is_one_column(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, list | tuple) and not cls.takes_columns:
            others = " or ".join(name for name, kind in list_kinds().items() if kind.config_type.takes_columns)
            raise ValueError(f"'label' is a list, which goes with kind: {others}, found kind: {info.data.get('kind')}")
        return value

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        task = get_kind(self.kind).task
        self._check_metric()
        if self.is_prompted and not task.default_questions:
            raise ValueError(f"'format' is 'prompt', expected 'head' for kind: {self.kind}")
        if task.is_always_prompted and self.format == "head":
            raise ValueError(f"'format' is 'head', expected 'prompt' for kind: {self.kind}")
        if self.template is not None and not self.is_prompted:
            raise ValueError("'template' goes with format: prompt, found format: head")
        for template in self.template or ():
            try:
                check_template(template, task.template_fields, task.required_fields, self.pair is not None)
            except ValueError as error:
                raise ValueError(f"'template': {error}") from None
        return self

    def _check_metric(self) -> None:
        task = get_kind(self.kind).task
        name, classes = self._metric
        allowed = task.class_metrics if classes else task.primary_metrics
        if name not in allowed:
            forms = [f"{{{one}: {CLASS_METRICS[one].form}}}" for one in task.class_metrics]
            expected = ", ".join([*task.primary_metrics, *forms])
            raise ValueError(f"'metric' is '{name_metric(name, classes)}', expected one of {expected} for {self.kind}")
        problem = find_shape_problem(name, classes) if classes else ""
        if problem:
            raise ValueError(f"'metric': {problem}")
        opened = self.build_task("task")
        if opened.class_names and (problem := opened.find_metric_problem()):
            raise ValueError(f"'metric' {problem}")

    @property
    def _metric(self) -> tuple[str, tuple[str, ...]]:
        """The primary metric's name, and the classes it is of."""
        if isinstance(self.metric, dict):
            ((name, classes),) = self.metric.items()
            return name, classes
        return self.metric or get_kind(self.kind).task.primary_metrics[0], ()

    @property
    def is_prompted(self) -> bool:
        """Whether a language model is asked; else a head reads the features."""
        return self.format == "prompt" or get_kind(self.kind).task.is_always_prompted

    def build_task(self, name: str) -> Task:
        """Return the task, its label space still to be found on the training split."""
        task = get_kind(self.kind).task
        first, *others = self.template or ("",)
        return task(
            name,
            self.source,
            self.text,
            self.pair,
            self.label_name,
            name_metric(*self._metric),
            metric_classes=self._metric[1],
            auxiliary=self.auxiliary,
            format="prompt" if self.is_prompted else "head",
            template=first,
            variants=tuple(others),
            **self.task_fields(),
        )

    @property
    def label_name(self) -> str:
        """What messages and tables call the column of the label."""
        return self.label

    def task_fields(self) -> dict[str, Any]:
        """Return the fields of the task that the kind's own keys set."""
        return {}

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with the classes or thresholds that were found on train written out."""
        return self


def keys_of_kinds() -> dict[str, list[str]]:
    """Return for each key of a task the kinds that have it."""
    found: dict[str, list[str]] = {}
    for name, kind in list_kinds().items():
        for key in kind.config_type.model_fields:
            found.setdefault(key, []).append(name)
    return found
