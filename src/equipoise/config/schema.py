"""The run file's keys: type, default and one sentence each.

This is the only place that says what a run file may hold: validation, `equipoise keys`, the documentation and
the errors are all made from it.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from equipoise.errors import did_you_mean
from equipoise.tasks import KINDS, Classification, Regression, Task

Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[\w-]+$")]
NumberOrText = Annotated[str, Field(coerce_numbers_to_str=True)]
EMPTY_IS_DEFAULT = BeforeValidator(lambda value: {} if value is None else value)
"""A section whose keys are all left out, or commented out, is null in YAML."""


def _list_paths(value: Any) -> Any:
    if value is None:
        return None
    paths = value if isinstance(value, list | tuple) else [value]
    if not paths:
        raise ValueError("found an empty list, expected one path or more")
    for path in paths:
        if not isinstance(path, str | Path):
            raise ValueError(f"found {path!r}, expected a path or a list of paths")
    return paths


Paths = Annotated[
    tuple[Path, ...] | None,
    BeforeValidator(_list_paths),
    PlainSerializer(lambda paths: paths[0] if paths and len(paths) == 1 else paths),
]
"""One path or several; one alone is written without a list."""


class Section(BaseModel):
    """A part of the run file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class LimitConfig(Section):
    """How many rows of each split to use; the choice is by text hash, so it is stable."""

    train: int | None = Field(None, gt=0, description="Rows of the training split.")
    dev: int | None = Field(None, gt=0, description="Rows of the dev split.")
    test: int | None = Field(None, gt=0, description="Rows of the test split.")


class SourceConfig(Section):
    """Rows from files, a folder, a hub data set or the starter corpus."""

    path: Paths = Field(
        None,
        description="A file (CSV, TSV, JSON, JSONL, Parquet) to split automatically, or a folder that holds "
        "train, dev and test files; or a list of files, or of folders, that are joined.",
    )
    train: Paths = Field(None, description="File, or list of files, of the training split.")
    dev: Paths = Field(None, description="File, or list of files, of the dev split; taken from train when not given.")
    test: Paths = Field(None, description="File, or list of files, of the test split; taken from train when not given.")
    hub: str | None = Field(None, description="Hugging Face hub id of a data set (needs the network once).")
    hub_config: str | None = Field(None, description="Configuration name of the hub data set.")
    starter: str | None = Field(None, description="Name of a starter corpus (`equipoise fetch` lists them).")
    group: str | None = Field(
        None,
        description="Column that names the document (or author) a row belongs to; a group is never split.",
    )
    split: tuple[Fraction, Fraction, Fraction] = Field(
        (0.8, 0.1, 0.1),
        description="Shares of train, dev and test where a split is not given; assigned by hash of the group or text.",
    )
    subsets: tuple[str, ...] = Field(
        (), description="Columns by whose values (at most 20 each) the test metrics are also reported."
    )
    limit: Annotated[LimitConfig, EMPTY_IS_DEFAULT] = Field(LimitConfig(), description="Use fewer rows.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = [key for key in ("path", "train", "hub", "starter") if getattr(self, key) is not None]
        if len(origins) != 1:
            found = " and ".join(origins) if origins else "none of them"
            raise ValueError(f"found {found}, expected exactly one of 'path', 'train', 'hub', 'starter'")
        if (self.dev or self.test) and not self.train:
            raise ValueError(f"'dev' and 'test' go with 'train', found '{origins[0]}'")
        if self.hub_config and not self.hub:
            raise ValueError("'hub_config' goes with 'hub'")
        if abs(sum(self.split) - 1) > 1e-6 or self.split[0] == 0:
            raise ValueError(f"'split' is {list(self.split)}, expected three shares that add up to 1, train above 0")
        return self

    def paths(self) -> dict[str, tuple[Path, ...]]:
        """The files and folders it names, by key ("path", "train", "dev", "test"); a key without any is left out."""
        given = {"path": self.path, "train": self.train, "dev": self.dev, "test": self.test}
        return {key: paths for key, paths in given.items() if paths is not None}


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
    kind: str = Field(description="What it predicts: " + " or ".join(f"`{kind}`" for kind in KINDS) + ".")
    text: str = Field("text", description="Column of the text.")
    pair: str | None = Field(None, description="Column of a second text: a target, an aspect.")
    label: str = Field("label", description="Column of the label.")
    range: tuple[float, float] | None = Field(
        None, description="Lowest and highest possible score (regression); a label outside it is an error."
    )
    classes: tuple[NumberOrText, ...] | None = Field(
        None,
        description="The classes in order (classification); found in the training labels when not given.",
    )
    from_score: FromScoreConfig | None = Field(
        None, description="The label column holds a score that thresholds cut into classes (classification)."
    )
    metric: str | None = Field(
        None,
        description="Primary metric: `macro_f1` (default) or `accuracy`; `pearson` (default) or `spearman`.",
    )
    auxiliary: bool = Field(False, description="Trained to help the others, never scored; needs labels in train only.")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if self.kind not in KINDS:
            raise ValueError(f"'kind' is '{self.kind}', which does not exist. {did_you_mean(self.kind, KINDS)}")
        if self.kind == "regression":
            for key in ("classes", "from_score"):
                if getattr(self, key) is not None:
                    raise ValueError(f"'{key}' goes with kind: classification, found kind: regression")
        if self.kind == "classification":
            if self.range is not None:
                raise ValueError("'range' goes with kind: regression, found kind: classification")
            if self.classes is not None and self.from_score is not None:
                raise ValueError("found 'classes' and 'from_score', expected one (from_score names its own classes)")
            if self.classes is not None and len(set(self.classes)) < max(2, len(self.classes)):
                raise ValueError(f"'classes' is {list(self.classes)}, expected two or more different names")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"'range' is {list(self.range)}, expected the lowest score, then the highest")
        allowed = PRIMARY_METRICS[self.kind]
        if self.metric is not None and self.metric not in allowed:
            raise ValueError(f"'metric' is '{self.metric}', expected one of {', '.join(allowed)} for {self.kind}")
        return self

    def open_task(self, name: str) -> Task:
        """Return the task, its label space still to be found on the training split."""
        metric = self.metric or PRIMARY_METRICS[self.kind][0]
        common = (name, self.source, self.text, self.pair, self.label, metric)
        if self.kind == "regression":
            return Regression(*common, self.range, auxiliary=self.auxiliary)
        if self.from_score is None:
            return Classification(*common, self.classes or (), auxiliary=self.auxiliary)
        cuts = self.from_score.thresholds
        return Classification(
            *common,
            self.from_score.classes,
            from_score=True,
            thresholds=() if cuts == "auto" else cuts,
            auxiliary=self.auxiliary,
        )


PRIMARY_METRICS = {"classification": ("macro_f1", "accuracy"), "regression": ("pearson", "spearman")}
"""Metrics that can select a checkpoint: higher is better, 1 is perfect, 0 is no better than a constant."""


class BalanceConfig(BaseModel):
    """How the task losses become one: a balancer's name, or its name with options."""

    model_config = ConfigDict(extra="allow", frozen=True, ser_json_inf_nan="constants")

    name: str = Field("dao", description="Balancer, see `equipoise balancers`; its options stand beside it.")

    @property
    def options(self) -> dict[str, Any]:
        """The options beside the name."""
        return dict(self.model_extra or {})


class TrainConfig(Section):
    """How to train."""

    epochs: float = Field(3.0, gt=0, description="Passes over the training rows; may be a fraction.")
    max_steps: int | None = Field(None, gt=0, description="Stop after this many steps, whatever `epochs` says.")
    batch_size: int = Field(32, gt=0, description="Rows in a batch, of each process.")
    eval_batch_size: int = Field(64, gt=0, description="Rows in a batch where nothing is learnt.")
    gradient_accumulation: int = Field(1, gt=0, description="Batches whose gradients add up to one step.")
    learning_rate: float = Field(1e-4, gt=0, description="Peak learning rate of AdamW.")
    head_learning_rate: float | None = Field(
        1e-3,
        gt=0,
        description="Peak learning rate of the task modules, which start from nothing; empty means the same.",
    )
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of AdamW, not on biases and norms.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises from zero.")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear",
        description="Course of the learning rate after the warm-up: `linear`, `cosine` or `constant`.",
    )
    max_grad_norm: float = Field(1.0, ge=0, description="Gradients are clipped to this norm; 0 turns it off.")
    freeze_embeddings: bool = Field(False, description="Leave the word embeddings as they are: faster, smaller.")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="`bf16` computes the model in bfloat16 while training, not while scoring: faster where the "
        "processor has it.",
    )
    mixing: Fraction = Field(0.5, description="τ: sources are drawn by rows^τ; 1 is by size, 0 is all alike.")
    evaluations: int = Field(
        5, gt=0, description="How often dev is scored, evenly spread; the best checkpoint is kept."
    )
    patience: int | None = Field(
        None, gt=0, description="Stop when this many dev scorings in a row bring no better run score."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of every random draw.")


class EvaluationConfig(Section):
    """How the result is judged."""

    baselines: tuple[Literal["majority", "vader"], ...] = Field(
        ("majority",),
        description="Rival rows in the table: `majority` (majority class or mean), `vader` (VADER's compound "
        "score; regression, and classes cut from a score into three).",
    )
    bootstrap: int = Field(1000, ge=100, description="Bootstrap resamples behind the 95 % intervals.")


class RunConfig(Section):
    """The run file."""

    model: str = Field("minilm", description="Backbone: a starter name, a Hugging Face hub id, or a folder.")
    max_length: int = Field(128, gt=2, description="Longest input in tokens; longer texts are cut, and counted.")
    sources: dict[Name, SourceConfig] = Field(description="Where rows come from, by name.")
    tasks: dict[Name, TaskConfig] = Field(description="What is learnt, by name.")
    balance: Annotated[BalanceConfig, EMPTY_IS_DEFAULT] = Field(
        BalanceConfig(), description="Balancer, by name or as {name: …, option: …}."
    )
    train: Annotated[TrainConfig, EMPTY_IS_DEFAULT] = Field(TrainConfig(), description="How to train.")
    evaluation: Annotated[EvaluationConfig, EMPTY_IS_DEFAULT] = Field(
        EvaluationConfig(), description="How the result is judged."
    )
    output: Path = Field(description="Folder of the run.")

    @field_validator("balance", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    def open_tasks(self) -> dict[str, Task]:
        """The tasks, their label spaces still to be found on the training split."""
        return {name: task.open_task(name) for name, task in self.tasks.items()}
