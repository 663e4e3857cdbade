"""What is merged: experts read from their folders, on their base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from equipoise.config import RunConfig
from equipoise.errors import ModelError, UsageError
from equipoise.modeling import MultiTaskModel

from .accounting import TensorFate
from .base import Base
from .collecting import ExpertRows, read_expert_rows
from .experts import Expert, Kind, common_base
from .fates import account
from .heads import HeadPlan, plan_heads
from .method import MergeMethod
from .own_heads import Combined, combine_models
from .vector import Vector
from .vectors import read_vectors


@dataclass(frozen=True)
class MergeInputs:
    """Experts and their base, read.

    Args:
        experts: the experts.
        weights: the weight of each.
        base: their base.
        vectors: what they learnt.
        models: those that are Equipoise models.
        combined: what these have besides their backbones, in one; None where there are none.
        heads: what becomes of the heads of checkpoints.
    """

    experts: Sequence[Expert]
    weights: Mapping[str, float]
    base: Base
    vectors: Mapping[str, Vector]
    models: Mapping[str, MultiTaskModel]
    combined: Combined | None
    heads: HeadPlan

    @classmethod
    def read(cls, experts: Sequence[Expert], weights: Mapping[str, float], method: MergeMethod) -> "MergeInputs":
        """Read experts and base.

        Raises:
            UsageError: heads differ, and `method.heads` is "error"; or they cannot be averaged.
            ModelError: an expert or the base cannot be read, or they do not belong together.
        """
        base = _load_base(experts, method.base)
        vectors = read_vectors(experts, base)
        models = {
            expert.name: MultiTaskModel.from_pretrained(expert.folder, on=(base.backbone, base.tokenizer))
            for expert in experts
            if expert.kind is Kind.MODEL
        }
        combined = combine_models(models, method.head_policy) if models else None
        own_heads = {name: vector.head for name, vector in vectors.items() if vector.head is not None}
        heads = plan_heads(own_heads, base, method.head_policy, alone=combined is not None or method.rank is not None)
        return cls(experts, weights, base, vectors, models, combined, heads)

    @property
    def task_vectors(self) -> dict[str, dict[str, Tensor]]:
        """τ of each expert that has a weight, heads that are merged like the backbone among them."""
        return {
            name: vector.tensors | self.heads.changes.get(name, {})
            for name, vector in self.vectors.items()
            if self.weights[name]
        }

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The base's tensors, heads that are merged like the backbone among them."""
        return self.base.tensors | self.heads.before

    @property
    def linear(self) -> set[str]:
        """The names of the weights of linear layers among `tensors`."""
        return self.base.linear | self.heads.linear

    def account(self) -> list[TensorFate]:
        """Say what becomes of every tensor of every expert's files; see `fates.account`."""
        return account(self.experts, self.vectors, self.weights, self.models, self.combined, self.heads)

    def expert_rows(self, config: RunConfig) -> dict[str, ExpertRows]:
        """Read the training rows of each expert that has a weight, from the data of a run file."""
        models = {name: self.models[name] for name in self.task_vectors}
        rows = read_expert_rows(config, models)
        return {name: ExpertRows(model, self.vectors[name].tensors, rows[name]) for name, model in models.items()}


def check_read(experts: Sequence[Expert], operator: str) -> None:
    """Make sure that statistics can be collected of experts: that their folders say which tasks they have.

    Raises:
        UsageError: an expert is no Equipoise model.
    """
    for expert in experts:
        if expert.kind is not Kind.MODEL:
            article = "a" if expert.kind is Kind.CHECKPOINT else "an"
            raise UsageError(
                f"{expert.folder}: found {article} {expert.kind}, whose files say nothing of its task; '{operator}' "
                "needs statistics of each expert's data, which are collected for models that Equipoise has trained."
            )


def _load_base(experts: Sequence[Expert], named: str | None) -> Base:
    name = common_base(experts, named)
    try:
        return Base.load(name, language_model=any(expert.language_model for expert in experts))
    except ModelError as error:
        if named is not None:
            raise
        by = next(expert for expert in experts if expert.base == name)
        raise ModelError(
            f"{by.folder}: its files name '{name}' as its base, which cannot be loaded ({str(error)[:200]}…); name the "
            "base with --base (a name or a folder), as where it was moved."
        ) from None
