"""The run file's keys of classification."""

from typing import Any, Literal, Self, cast

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator

from equipoise.sections import NumberOrText, Section

from ..class_config import find_classes_problem, find_words_problem
from ..task import Task
from ..task_config import TaskConfig
from .task import Classification


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


class ClassificationConfig(TaskConfig):
    """A task that predicts one class of several."""

    kind: Literal["classification"] = Field(description="One class of several.")
    classes: tuple[NumberOrText, ...] | None = Field(
        None, description="The classes in order; found in the training labels when not given."
    )
    from_score: FromScoreConfig | None = Field(
        None, description="The label column holds a score that thresholds cut into classes."
    )
    verbalize: dict[NumberOrText, NumberOrText] | None = Field(
        None, description="By class what the language model is to answer; the class where not given."
    )

    decide: Literal["argmax", "macro_f1"] = Field(
        "argmax",
        description="How a class is chosen: `argmax`, the most probable one; `macro_f1`, by weights of the classes "
        "that dev chooses for the best macro-F1.",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.classes is not None and self.from_score is not None:
            raise ValueError("found 'classes' and 'from_score', expected one (from_score names its own classes)")
        if problem := find_classes_problem(self.classes) or find_words_problem(self.verbalize, self.is_prompted):
            raise ValueError(problem)
        return self

    def task_fields(self) -> dict[str, Any]:
        """Return classes, thresholds, words, and how a class is chosen."""
        stated = {"verbalize": self.verbalize or {}, "decision": self.decide}
        if self.from_score is None:
            return {"classes": self.classes or (), **stated}
        cuts = self.from_score.thresholds
        thresholds = () if cuts == "auto" else cuts
        return {"classes": self.from_score.classes, "from_score": True, "thresholds": thresholds, **stated}

    def with_label_space(self, fitted: Task) -> Self:
        """Return this section with the classes, or the thresholds, that were found on train written out."""
        if self.from_score is None:
            return self.model_copy(update={"classes": fitted.class_names})
        cut = self.from_score.model_copy(update={"thresholds": cast(Classification, fitted).thresholds})
        return self.model_copy(update={"from_score": cut})
