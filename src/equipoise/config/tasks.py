"""The run file's keys of a task."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from equipoise.errors import did_you_mean
from equipoise.kinds import KINDS, Classification, Generation, Multilabel, Regression, Task, check_template

from .section import Count, NumberOrText, Section


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


def _check_columns(value: Any) -> Any:
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(column, str) for column in value) or len(set(value)) < len(value):
            raise ValueError(f"found {list(value)}, expected a column, or a list of different ones (multilabel)")
    elif not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


Columns = Annotated[str | tuple[str, ...], BeforeValidator(_check_columns)]
"""One column, or several."""

PRIMARY_METRICS = {
    "classification": ("macro_f1", "accuracy"),
    "multilabel": ("macro_f1", "micro_f1", "jaccard"),
    "regression": ("pearson", "spearman"),
    "generation": ("rouge_l", "rouge_1", "rouge_2"),
}
"""Metrics that can select a checkpoint, the default first: higher is better, 1 is perfect."""

_KINDS_OF_KEYS = {
    "range": ("regression",),
    "classes": ("classification", "multilabel"),
    "from_score": ("classification",),
    "separator": ("multilabel",),
    "max_new_tokens": ("generation",),
    "beams": ("generation",),
    "verbalize": ("classification",),
}
"""The kinds that each key of some kinds only goes with."""


class FromScoreConfig(Section):
    """Classes cut from a score."""

    classes: tuple[NumberOrText, ...] = Field(description="Class names, from the lowest scores to the highest.")
    thresholds: tuple[float, ...] | Literal["auto"] = Field(
        "auto",
        description="Ascending cut points, one fewer than classes; a score on a threshold belongs to the "
        "class above it. `auto` makes the training classes as equal in size as the scores allow.",
    )

    @field_validator("thresholds", mode="wrap")
    @classmethod
    def _one_message(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        # Without this, pydantic tells what is wrong with each of the two types.
        try:
            return check(value)
        except ValidationError:
            raise ValueError(f"found {value!r}, expected a list of ascending numbers, or auto") from None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"'classes' is {list(self.classes)}, expected two or more different names")
        if self.thresholds != "auto":
            if len(self.thresholds) != len(self.classes) - 1:
                raise ValueError(
                    f"found {len(self.thresholds)} thresholds for {len(self.classes)} classes, "
                    f"expected {len(self.classes) - 1}"
                )
            if list(self.thresholds) != sorted(set(self.thresholds)):
                raise ValueError(f"'thresholds' is {list(self.thresholds)}, expected ascending numbers")
        return self


class TaskConfig(Section):
    """One task."""

    source: NumberOrText = Field(description="Name of the source its rows come from.")
    kind: str = Field(description="What it predicts: " + ", ".join(f"`{kind}`" for kind in KINDS) + ".")
    text: str = Field("text", description="Column of the text.")
    pair: str | None = Field(None, description="Column of a second text: a target, an aspect.")
    label: Columns = Field(
        "label", description="Column of the label; a list names one column a label, each 0 or 1 (multilabel)."
    )
    range: tuple[float, float] | None = Field(
        None, description="Lowest and highest possible score (regression); a label outside it is an error."
    )
    classes: tuple[NumberOrText, ...] | None = Field(
        None,
        description="The classes, or labels, in order (classification, multilabel); found in the training labels when "
        "not given.",
    )
    from_score: FromScoreConfig | None = Field(
        None, description="The label column holds a score that thresholds cut into classes (classification)."
    )
    separator: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="What stands between two labels of a text cell (multilabel); a comma when not given."
    )
    max_new_tokens: Count | None = Field(
        None, gt=0, description="Most tokens to write (generation); 32 when not given."
    )
    beams: Count | None = Field(
        None, gt=0, description="Beams of the search (generation); 1, which is greedy, when not given."
    )
    format: Literal["head", "prompt"] | None = Field(
        None,
        description="`head` (default): a head reads the features. `prompt`: a language model is asked and "
        "its answers are scored. Text to generate is always asked for.",
    )
    template: Templates = Field(
        None,
        description="What the language model is asked, with {text} and, where there is one, {pair}; `equipoise check` "
        "shows the kind's own. Of a list the first is trained by; the others are variants for `--prompts`.",
    )
    verbalize: dict[NumberOrText, NumberOrText] | None = Field(
        None, description="By class what the language model is to answer (classification); the class where not given."
    )
    metric: str | None = Field(
        None,
        description="Primary metric; the default is the first: "
        + "; ".join(f"{kind} " + ", ".join(f"`{name}`" for name in names) for kind, names in PRIMARY_METRICS.items())
        + ".",
    )
    group: Annotated[str, Field(coerce_numbers_to_str=True, min_length=1)] | None = Field(
        None,
        description="Tasks of one group are merged first, such as `classification`, `aspects`, `multifaceted`; any "
        "text. It changes nothing that is trained.",
    )
    auxiliary: bool = Field(False, description="Trained to help the others, never scored; needs labels in train only.")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if self.kind not in KINDS:
            raise ValueError(f"'kind' is '{self.kind}', which does not exist. {did_you_mean(self.kind, KINDS)}")
        for key, kinds in _KINDS_OF_KEYS.items():
            if getattr(self, key) is not None and self.kind not in kinds:
                raise ValueError(f"'{key}' goes with kind: {' or '.join(kinds)}, found kind: {self.kind}")
        if self.classes is not None and self.from_score is not None:
            raise ValueError("found 'classes' and 'from_score', expected one (from_score names its own classes)")
        least, words = (1, "one") if self.kind == "multilabel" else (2, "two")
        if self.classes is not None and len(set(self.classes)) < max(least, len(self.classes)):
            raise ValueError(f"'classes' is {list(self.classes)}, expected {words} or more different names")
        if not isinstance(self.label, str):
            if self.kind != "multilabel":
                raise ValueError(f"'label' is a list, which goes with kind: multilabel, found kind: {self.kind}")
            for key in ("classes", "separator"):
                if getattr(self, key) is not None:
                    raise ValueError(
                        f"found '{key}' and a list of label columns, expected one (columns name the labels)"
                    )
        self._check_format()
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"'range' is {list(self.range)}, expected the lowest score, then the highest")
        allowed = PRIMARY_METRICS[self.kind]
        if self.metric is not None and self.metric not in allowed:
            raise ValueError(f"'metric' is '{self.metric}', expected one of {', '.join(allowed)} for {self.kind}")
        return self

    def _check_format(self) -> None:
        asked = self.kind == "generation" or self.format == "prompt"
        if self.kind == "generation" and self.format == "head":
            raise ValueError("'format' is 'head', expected 'prompt' for kind: generation")
        for key in ("template", "verbalize"):
            if getattr(self, key) is not None and not asked:
                raise ValueError(f"'{key}' goes with format: prompt, found format: head")
        if self.kind == "regression" and asked and self.range is None:
            raise ValueError("found no 'range', which format: prompt needs to write the scores out")
        for template in self.template or ():
            try:
                check_template(template, self.kind, self.pair is not None)
            except ValueError as error:
                raise ValueError(f"'template': {error}") from None
        for name, words in (self.verbalize or {}).items():
            if not words.strip():
                raise ValueError(f"'verbalize' gives the class '{name}' no words, expected some")

    def build_task(self, name: str) -> Task:
        """Return the task, its label space still to be found on the training split."""
        metric = self.metric or PRIMARY_METRICS[self.kind][0]
        columns = () if isinstance(self.label, str) else self.label
        label = self.label if isinstance(self.label, str) else ", ".join(self.label)
        common = (name, self.source, self.text, self.pair, label, metric)
        first, *others = self.template or ("",)
        asked: dict[str, Any] = {"template": first, "variants": tuple(others), "auxiliary": self.auxiliary}
        if self.kind == "generation":
            return Generation(*common, self.max_new_tokens or 32, self.beams or 1, **asked)
        asked["format"] = self.format or "head"
        if self.kind == "regression":
            return Regression(*common, self.range, **asked)
        if self.kind == "multilabel":
            classes = columns or self.classes or ()
            return Multilabel(*common, classes, columns, self.separator or ",", **asked)
        asked["verbalize"] = self.verbalize or {}
        if self.from_score is None:
            return Classification(*common, self.classes or (), **asked)
        cuts = self.from_score.thresholds
        thresholds = () if cuts == "auto" else cuts
        return Classification(*common, self.from_score.classes, from_score=True, thresholds=thresholds, **asked)

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with the classes or thresholds that were found on train written out."""
        if isinstance(fitted, Classification) and self.from_score is not None:
            cut = self.from_score.model_copy(update={"thresholds": fitted.thresholds})
            return self.model_copy(update={"from_score": cut})
        if isinstance(fitted, Classification | Multilabel) and isinstance(self.label, str):
            return self.model_copy(update={"classes": fitted.classes})
        return self
