"""The run file's keys of a merge."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator, model_validator

from equipoise.sections import EMPTY_IS_DEFAULT, Count, Fraction, Section

BASELINES = (
    "uniform",
    "task_arithmetic",
    "ties",
    "dare_ties",
    "metagpt",
    "tsv_m",
    "optmerge",
    "knots",
    "peft_linear",
)
"""Merges that evolved ones are compared with."""
MORE_BASELINES = ("regmean", "fisher", "adamerging")
"""Baselines that read data, or learn, and take longer."""


def hide_password(url: str) -> str:
    """Put asterisks in place of the password in a URL."""
    return re.sub(r"(://[^:/@]*:).*@", r"\1***@", url)


class OperatorConfig(BaseModel):
    """A merge operator, with options."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(
        "task_arithmetic",
        description="Merge operator, see `equipoise list operators`; its options are further keys here.",
    )

    @property
    def options(self) -> dict[str, Any]:
        """The options beside the name, as `make_merge_operator` takes them."""
        return dict(self.model_extra or {})


class WeakConfig(Section):
    """The training rows that candidates are scored on."""

    rows: Count = Field(64, gt=1, description="Rows of each task.")
    share: Fraction = Field(
        0.5,
        description="Share of them that the task's expert gets wrong or is least sure of; the others are drawn at "
        "random.",
    )
    unseen: bool = Field(
        False,
        description="Choose among rows that no expert was trained on: the training rows that "
        "`sources.NAME.limit.train` leaves out.",
    )
    drop_noise: bool = Field(
        False, description="Leave rows out whose label the expert contradicts with confidence: suspected label noise."
    )


class MergeConfig(Section):
    """How `equipoise search RUN.yaml` searches for a merge of the tasks' experts."""

    operator: Annotated[OperatorConfig, EMPTY_IS_DEFAULT] = Field(
        OperatorConfig(), description="Operator of the candidates, by name or as {name: …, option: …}."
    )
    coefficients: Literal["expert", "block"] = Field(
        "expert",
        description="What has a coefficient of its own: each `expert`, or each expert in each `block` of layers.",
    )
    blocks: Count = Field(3, gt=1, description="How many blocks of layers (coefficients: block).")
    range: tuple[float, float] = Field((0.0, 1.0), description="Lowest and highest coefficient.")
    options: dict[str, tuple[float, float]] = Field(
        {}, description="Options of the operator that are searched, too, each with its range: {density: [0.1, 0.9]}."
    )
    objectives: Literal["run_score", "tasks"] = Field(
        "run_score",
        description="`run_score` is searched by CMA-ES; `tasks` keeps the tasks' metrics apart, by NSGA-II.",
    )
    stages: tuple[Literal["one", "two"], ...] = Field(
        ("one", "two"),
        description="`one` merges all experts at once, `two` those of each group first, then the groups; each is a "
        "row.",
    )
    candidates: Count = Field(60, gt=0, description="Budget of each row, in candidates; `two` shares it out.")
    minutes: float | None = Field(None, gt=0, description="Budget of each row, in minutes, if that is reached first.")
    finalists: Count = Field(5, gt=0, description="How many of the fittest candidates dev chooses from.")
    storage: str | None = Field(
        None,
        description="Where candidates are kept: an Optuna storage URL that several machines reach; a journal file in "
        "the output folder when not given.",
    )
    weak: Annotated[WeakConfig, EMPTY_IS_DEFAULT] = Field(
        WeakConfig(), description="The training rows that candidates are scored on."
    )
    refit: bool = Field(
        True,
        description="Fit the last layer of every head again to a merged model's features, of the search's "
        "candidates and of all rows; tasks in the format `prompt` have none.",
    )
    refit_rows: Count = Field(64, gt=1, description="Training rows of each task that candidates' layers are fitted to.")
    baselines: tuple[Literal[BASELINES + MORE_BASELINES], ...] = Field(  # type: ignore[valid-type]
        BASELINES,
        description="Merges without a search to compare with; "
        + ", ".join(f"`{name}`" for name in MORE_BASELINES)
        + " read data and take longer.",
    )
    scales: tuple[float, ...] = Field(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0), description="Coefficients that dev chooses from for task_arithmetic."
    )
    joint: bool = Field(True, description="Also train one model for all tasks, by `balance`, to compare with.")

    @field_serializer("storage", when_used="json-unless-none")
    def _without_password(self, value: str) -> str:
        return hide_password(value)

    @field_validator("operator", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for key, (low, high) in {"range": self.range, **self.options}.items():
            if low >= high:
                raise ValueError(f"'{key}' is {[low, high]}, expected the lowest value, then the highest")
        if not self.stages or len(set(self.stages)) < len(self.stages):
            raise ValueError(f"'stages' is {list(self.stages)}, expected one, two, or both")
        if not self.scales:
            raise ValueError("'scales' is empty, expected one coefficient or more")
        return self
