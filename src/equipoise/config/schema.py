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
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from equipoise.errors import did_you_mean
from equipoise.tasks import KINDS, Classification, Generation, Multilabel, Regression, Task, check_template

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
    "verbalise": ("classification",),
}
"""The kinds that each key of some kinds only goes with."""


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
    max_new_tokens: int | None = Field(None, gt=0, description="Most tokens to write (generation); 32 when not given.")
    beams: int | None = Field(
        None, gt=0, description="Beams of the search (generation); 1, which is greedy, when not given."
    )
    format: Literal["module", "instruct"] | None = Field(
        None,
        description="`module` (default): a task module reads the features. `instruct`: a language model is asked and "
        "its answers are scored. Text to generate is always asked for.",
    )
    template: Templates = Field(
        None,
        description="What the language model is asked, with {text} and, where there is one, {pair}; `equipoise check` "
        "shows the kind's own. Of a list the first is trained by; the others are variants for `--prompts`.",
    )
    verbalise: dict[NumberOrText, NumberOrText] | None = Field(
        None, description="By class what the language model is to answer (classification); the class where not given."
    )
    metric: str | None = Field(
        None,
        description="Primary metric; the default is the first: "
        + "; ".join(f"{kind} " + ", ".join(f"`{name}`" for name in names) for kind, names in PRIMARY_METRICS.items())
        + ".",
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
        asked = self.kind == "generation" or self.format == "instruct"
        if self.kind == "generation" and self.format == "module":
            raise ValueError("'format' is 'module', expected 'instruct' for kind: generation")
        for key in ("template", "verbalise"):
            if getattr(self, key) is not None and not asked:
                raise ValueError(f"'{key}' goes with format: instruct, found format: module")
        if self.kind == "regression" and asked and self.range is None:
            raise ValueError("found no 'range', which format: instruct needs to write the scores out")
        for template in self.template or ():
            try:
                check_template(template, self.kind, self.pair is not None)
            except ValueError as error:
                raise ValueError(f"'template': {error}") from None
        for name, words in (self.verbalise or {}).items():
            if not words.strip():
                raise ValueError(f"'verbalise' gives the class '{name}' no words, expected some")

    def open_task(self, name: str) -> Task:
        """Return the task, its label space still to be found on the training split."""
        metric = self.metric or PRIMARY_METRICS[self.kind][0]
        columns = () if isinstance(self.label, str) else self.label
        label = self.label if isinstance(self.label, str) else ", ".join(self.label)
        common = (name, self.source, self.text, self.pair, label, metric)
        first, *others = self.template or ("",)
        asked: dict[str, Any] = {"template": first, "variants": tuple(others), "auxiliary": self.auxiliary}
        if self.kind == "generation":
            return Generation(*common, self.max_new_tokens or 32, self.beams or 1, **asked)
        asked["format"] = self.format or "module"
        if self.kind == "regression":
            return Regression(*common, self.range, **asked)
        if self.kind == "multilabel":
            classes = columns or self.classes or ()
            return Multilabel(*common, classes, columns, self.separator or ",", **asked)
        asked["verbalise"] = self.verbalise or {}
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


class BalanceConfig(BaseModel):
    """How the task losses become one: a balancer's name, or its name with options."""

    model_config = ConfigDict(extra="allow", frozen=True, ser_json_inf_nan="constants")

    name: str = Field("dao", description="Balancer, see `equipoise balancers`; its options stand beside it.")
    alignment: float = Field(
        0.0,
        ge=0,
        description="λ: how much task gradients that point apart cost, whatever the balancer (docs/balancing.md); 0 is "
        "off.",
    )

    @property
    def options(self) -> dict[str, Any]:
        """The options beside the name, as `make_balancer` takes them."""
        return {**({"alignment": self.alignment} if self.alignment else {}), **(self.model_extra or {})}


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
    freeze_layers: int = Field(0, ge=0, description="Leave that many of the lowest layers as they are, too.")
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32",
        description="`bf16` computes the model in bfloat16 while training, not while scoring: faster where the "
        "processor has it. `fp16` is float16 with a gradient scaler, for GPUs without bfloat16.",
    )
    mixing: Fraction = Field(0.5, description="τ: sources are drawn by rows^τ; 1 is by size, 0 is all alike.")
    evaluations: int = Field(
        5, gt=0, description="How often dev is scored, evenly spread; the best checkpoint is kept."
    )
    patience: int | None = Field(
        None, gt=0, description="Stop when this many dev scorings in a row bring no better run score."
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute the backbone's activations again in the backward pass: less memory, slower."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of every random draw.")


class LoraConfig(Section):
    """An adapter of low rank; the backbone itself stays as it is."""

    rank: int = Field(8, gt=0, description="Rank of the update of each matrix.")
    alpha: int | None = Field(None, gt=0, description="The update is multiplied by alpha / rank; empty means 2 × rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before the adapter.")
    targets: tuple[str, ...] | None = Field(
        None, description="Names of the matrices it changes; empty means peft's choice for the architecture."
    )


class PromptConfig(Section):
    """How tasks in the format `instruct` are brought to the language model."""

    chat: bool = Field(True, description="Wrap prompts in the tokenizer's chat template.")
    system: str | None = Field(None, description="System message; empty leaves it to the chat template.")


class EvaluationConfig(Section):
    """How the result is judged."""

    baselines: tuple[Literal["majority", "vader", "lead", "zero_shot", "few_shot"], ...] = Field(
        ("majority",),
        description="Rival rows in the table: `majority` (majority class, labels of most rows, or mean), `vader` "
        "(VADER's compound score; regression, and classes cut from a score into three), `lead` (the text's first "
        "words; generation), `zero_shot` and `few_shot` (the language model before training, asked).",
    )
    shots: int = Field(4, gt=0, description="Demonstrations from train before each question of `few_shot`.")
    bootstrap: int = Field(1000, ge=100, description="Bootstrap resamples behind the 95 % intervals.")


class RunConfig(Section):
    """The run file."""

    model: str = Field(
        "minilm",
        description="Backbone: a starter name, a Hugging Face hub id, or a folder; or `bilstm`, from scratch.",
    )
    max_length: int = Field(128, gt=2, description="Longest input in tokens; longer texts are cut, and counted.")
    pooling: Literal["mean", "last", "attention"] | None = Field(
        None,
        description="What task modules read: the `mean` over the tokens (default for encoders), the `last` token "
        "(decoders), or `attention` over the tokens (`bilstm`).",
    )
    lora: LoraConfig | None = Field(
        None, description="Train an adapter instead of the backbone's own weights; {} takes the defaults."
    )
    quantization: Literal["none", "4bit"] = Field(
        "none",
        description="`4bit` holds the backbone's matrices in 4 bits (NF4); needs `lora`, a GPU and bitsandbytes.",
    )
    prompt: Annotated[PromptConfig, EMPTY_IS_DEFAULT] = Field(
        PromptConfig(), description="How a language model is asked."
    )
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

    @field_validator("quantization")
    @classmethod
    def _needs_adapter(cls, value: str, info: ValidationInfo) -> str:
        if value == "4bit" and "lora" in info.data and info.data["lora"] is None:
            raise ValueError("found '4bit' without 'lora', expected both, since 4 bits cannot be trained; add lora: {}")
        return value

    @model_validator(mode="after")
    def _freezes_once(self) -> Self:
        if self.lora is not None and self.train.freeze_layers:
            raise ValueError("found 'lora' and 'train.freeze_layers', expected one (lora freezes the whole backbone)")
        return self

    @field_validator("balance", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    def open_tasks(self) -> dict[str, Task]:
        """The tasks, their label spaces still to be found on the training split."""
        return {name: task.open_task(name) for name, task in self.tasks.items()}
