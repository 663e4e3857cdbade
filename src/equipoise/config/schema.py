"""The run file's keys: type, default and one sentence each.

This package is the only place that says what a run file may hold. Validation, errors, `equipoise list keys` and the
documentation are all made from it.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from equipoise.kinds import Task, get_kind, list_kinds
from equipoise.sections import EMPTY_IS_DEFAULT, Count, Fraction, Name, Section

from .curriculum import STAGED, CurriculumConfig
from .merging import MergeConfig
from .sources import SourceConfig
from .tasks import AnyTaskConfig


class BalanceConfig(BaseModel):
    """How the task losses become one: a balancer's name, or its name with options."""

    model_config = ConfigDict(extra="allow", frozen=True, ser_json_inf_nan="constants")

    name: str = Field("dao", description="Balancer, see `equipoise list balancers`; its options are further keys here.")
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

    epochs: float = Field(3.0, gt=0, le=1e6, description="Passes over the training rows; may be a fraction.")
    max_steps: Count | None = Field(None, gt=0, description="Stop after this many steps, whatever `epochs` says.")
    batch_size: Count = Field(32, gt=0, description="Rows in a batch, of each process.")
    eval_batch_size: Count = Field(64, gt=0, description="Rows in a batch when scoring and predicting.")
    gradient_accumulation: Count = Field(1, gt=0, description="Batches whose gradients add up to one step.")
    learning_rate: float = Field(1e-4, gt=0, description="Peak learning rate of AdamW.")
    head_learning_rate: float | None = Field(
        1e-3,
        gt=0,
        description="Peak learning rate of the heads, which start from nothing; empty means the same.",
    )
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of AdamW, not on biases and norms.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises from zero.")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear",
        description="Course of the learning rate after the warm-up: `linear`, `cosine` or `constant`.",
    )
    max_grad_norm: float = Field(1.0, ge=0, description="Gradients are clipped to this norm; 0 turns it off.")
    freeze_embeddings: bool = Field(False, description="Leave the word embeddings as they are: faster, smaller.")
    freeze_layers: Count = Field(
        0,
        ge=0,
        description="Leave that many of the lowest layers as they are, too; with `lora`, they get no adapter. Each "
        "training row goes through them once.",
    )
    frozen_memory_gb: float = Field(
        4.0,
        ge=0,
        le=1e6,
        description="Memory for the outputs of frozen layers; rows that do not fit are computed in every batch.",
    )
    precision: Literal["fp32", "bf16", "fp16", "pure_bf16"] = Field(
        "fp32",
        description="`bf16` computes the model in bfloat16 while training, not while scoring: faster where the "
        "processor has it; on a CPU without it, float32 is used. `fp16` is float16 with a gradient scaler, for GPUs "
        "without bfloat16. `pure_bf16` holds the backbone's matrices and their gradients in bfloat16, too, and rounds "
        "updates at random: a quarter less memory; needs the extra `torchao`.",
    )
    mixing: Fraction = Field(0.5, description="τ: sources are drawn by rows^τ; 1 is by size, 0 is all equally.")
    evaluations: Count = Field(
        5, gt=0, description="How often dev is scored, evenly spread; the best checkpoint is kept."
    )
    patience: Count | None = Field(
        None, gt=0, description="Stop when this many dev scorings in a row bring no better run score."
    )
    log_every: Count = Field(
        1,
        gt=0,
        description="Log every so many steps, their means, and wherever dev is scored or training stops: with more "
        "than 1, a GPU is waited for less often.",
    )
    protect: float = Field(
        1.0,
        ge=0,
        description="Only for `equipoise add-task`: weight of the distance of the old tasks' answers from those of the "
        "old model, summed over tasks; 0 is no protection.",
    )
    report_to: tuple[Literal["tensorboard", "wandb", "mlflow", "trackio"], ...] = Field(
        (),
        description="Experiment trackers that get losses, task weights and dev scores while it trains, such as "
        "[tensorboard], which writes into the run's folder; each needs its library.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute the backbone's activations again in the backward pass: less memory, slower."
    )
    compile: bool = Field(
        False,
        description="Compile the backbone with torch.compile while training: faster steps on a GPU, a minute or two "
        "until the first one; outputs of frozen layers are not kept then.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of every random draw.")


class LoraConfig(Section):
    """An adapter of low rank; the backbone itself stays as it is."""

    rank: int = Field(8, gt=0, le=4096, description="Rank of the update of each matrix.")
    alpha: Count | None = Field(
        None, gt=0, description="The update is multiplied by alpha / rank; empty means 2 × rank."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before the adapter.")
    targets: tuple[str, ...] | None = Field(
        None, description="Names of the matrices it changes; empty means peft's choice for the architecture."
    )


class PromptConfig(Section):
    """How tasks in the format `prompt` are brought to the language model."""

    chat: bool = Field(True, description="Wrap prompts in the tokenizer's chat template.")
    system: str | None = Field(None, description="System message; empty leaves it to the chat template.")


class EvaluationConfig(Section):
    """How the result is judged."""

    baselines: tuple[Literal["majority", "vader", "lead", "zero_shot", "few_shot"], ...] = Field(
        ("majority",),
        description="Baselines in the table: `majority` (majority class, labels of most rows, or mean), `vader` "
        "(VADER's compound score; regression, and classes cut from a score into three), `lead` (the text's first "
        "words; generation), `zero_shot` and `few_shot` (the prompted language model before training).",
    )
    shots: Count = Field(4, gt=0, description="Demonstrations from train before each question of `few_shot`.")
    demonstrations: Literal["random", "easy_first", "hard_first"] = Field(
        "random",
        description="Order of these demonstrations: as they are drawn, the answers in turns (`random`), or by their "
        "difficulty by meta data.",
    )
    calibrate: bool = Field(
        True,
        description="Fit on dev how sure the model may be (a temperature, or a line for scores), and keep it with the "
        "model (docs/trust.md).",
    )
    explain: Count | None = Field(
        None,
        ge=0,
        le=20,
        description="Mark the words that decided in so many of each task's 20 worst mistakes in the report; each takes "
        "as long as some 100 predictions (docs/explain.md). None stands for 5, and fewer with more than six tasks.",
    )
    bootstrap: int = Field(1000, ge=100, le=1_000_000, description="Bootstrap resamples behind the 95 % intervals.")


class RunConfig(Section):
    """The run file."""

    model: str = Field(
        "minilm",
        description="Backbone: a starter name, a Hugging Face hub id, or a folder; or `bilstm`, from scratch.",
    )
    max_length: Count = Field(128, gt=2, description="Longest input in tokens; longer texts are counted.")
    long_texts: Literal["cut", "windows"] = Field(
        "cut",
        description="Of longer texts: `cut` reads the beginning, `windows` all, in overlapping windows (only where all "
        "tasks are in the format `head`).",
    )
    pooling: Literal["mean", "last", "attention"] | None = Field(
        None,
        description="What heads read: the `mean` over the tokens (default for encoders), the `last` token "
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
        PromptConfig(), description="How a language model is prompted."
    )
    sources: dict[Name, SourceConfig] = Field(description="Where rows come from, by name.")
    tasks: dict[Name, AnyTaskConfig] = Field(description="What is learned, by name.")
    held_out: dict[Name, AnyTaskConfig] = Field(
        {},
        description="Tasks that other models are for, with the keys of `tasks`: texts of their dev and test are kept "
        "out of the training rows, and nothing else is read of them.",
    )
    balance: Annotated[BalanceConfig, EMPTY_IS_DEFAULT] = Field(
        BalanceConfig(), description="Balancer, by name or as {name: …, option: …}."
    )
    train: Annotated[TrainConfig, EMPTY_IS_DEFAULT] = Field(TrainConfig(), description="How to train.")
    curriculum: Annotated[CurriculumConfig, EMPTY_IS_DEFAULT] = Field(
        CurriculumConfig(), description="In which order training meets its examples."
    )
    evaluation: Annotated[EvaluationConfig, EMPTY_IS_DEFAULT] = Field(
        EvaluationConfig(), description="How the result is judged."
    )
    merge: Annotated[MergeConfig, EMPTY_IS_DEFAULT] = Field(
        MergeConfig(), description="How `equipoise search RUN.yaml` merges the tasks' experts."
    )
    output: Path = Field(description="Folder of the run.")

    @field_validator("quantization")
    @classmethod
    def _needs_adapter(cls, value: str, info: ValidationInfo) -> str:
        if value == "4bit" and "lora" in info.data and info.data["lora"] is None:
            raise ValueError("found '4bit' without 'lora', expected both, since 4 bits cannot be trained; add lora: {}")
        return value

    @field_validator("curriculum")
    @classmethod
    def _has_stages(cls, value: CurriculumConfig, info: ValidationInfo) -> CurriculumConfig:
        if value.schedule in STAGED and len(info.data.get("tasks", ())) == 1:
            raise ValueError(
                f"'schedule' is '{value.schedule}', which orders tasks, but there is one task; order its examples by "
                "schedule: competence, or anti"
            )
        return value

    @field_validator("balance", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def label_statistics(self) -> dict[str, str]:
        """As what the balancers count the labels of each task, auxiliary tasks among them; see `Task`."""
        return {name: get_kind(task.kind).task.label_statistics for name, task in self.tasks.items()}

    def open_tasks(self) -> dict[str, Task]:
        """The tasks, their label spaces still to be found on the training split."""
        return {name: task.build_task(name) for name, task in self.tasks.items()}


_kinds = list(list_kinds())


def current_schema() -> type[RunConfig]:
    """Return the run file's schema, with the kinds of task that are registered by now."""
    if _kinds != list(list_kinds()):
        _kinds[:] = list_kinds()
        RunConfig.model_rebuild(force=True)
    return RunConfig
