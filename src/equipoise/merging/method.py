"""How experts are merged: what `merge` takes beside the folders."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from equipoise.config import RunConfig
from equipoise.errors import UsageError

from .operators import MergeOperator, make_merge_operator
from .own_heads import HeadPolicy
from .statistics import RowSample


class MergeOptions(TypedDict, total=False):
    """The keyword arguments of `merge`; `MergeMethod` has the same."""

    options: Mapping[str, Any] | None
    weights: Mapping[str, float] | None
    base: str | None
    rank: int | None
    heads: str
    seed: int
    data: str | Path | RunConfig | None
    data_rows: int


@dataclass(frozen=True)
class MergeMethod:
    """How experts are merged.

    Args:
        operator: a key of `MERGE_OPERATORS`.
        options: the operator's options.
        weights: the weight of each expert; by default the operator's.
        base: the base, where the experts' files do not name it, or name it in several ways.
        rank: write an adapter of this rank.
        heads: what is done where several experts have a head for one task: "keep", "average" or "error" (see
            `combine_models`).
        seed: of random draws.
        data: the run file with the data of the experts' tasks, for an operator that needs statistics of it.
        data_rows: how many training rows of each task are read for these; of more they are drawn.

    Raises:
        UsageError: an option is wrong.
    """

    operator: str = "linear"
    options: Mapping[str, Any] | None = None
    weights: Mapping[str, float] | None = None
    base: str | None = None
    rank: int | None = None
    heads: str = "keep"
    seed: int = 0
    data: str | Path | RunConfig | None = None
    data_rows: int = 256
    merger: MergeOperator = field(init=False, compare=False)
    """The operator, made with its options."""

    def __post_init__(self) -> None:
        if self.heads not in list(HeadPolicy):
            raise UsageError(f"heads: found '{self.heads}', expected one of {', '.join(HeadPolicy)}.")
        for option, value in (("--rank", self.rank), ("--data-rows", self.data_rows)):
            if value is not None and value < 1:
                raise UsageError(f"{option}: found {value}, expected 1 or more.")
        object.__setattr__(self, "merger", make_merge_operator(self.operator, **(self.options or {})))
        if self.merger.statistics and self.data is None:
            raise UsageError(
                f"merge: '{self.operator}' needs the statistics '{self.merger.statistics}' of each expert's data; give "
                "the run file with that data (--data RUN.yaml), or take an operator that needs none, such as 'ties'."
            )
        if self.data is not None and not self.merger.statistics:
            raise UsageError(f"--data: '{self.operator}' needs no data; leave it out, or take 'regmean' or 'fisher'.")

    @property
    def head_policy(self) -> HeadPolicy:
        """What is done where several experts have a head for one task."""
        return HeadPolicy(self.heads)

    @property
    def sample(self) -> RowSample:
        """Which rows statistics are collected from."""
        return RowSample(self.data_rows, self.seed)

    def weigh(self, experts: list[str]) -> dict[str, float]:
        """Return the weight of each expert.

        Raises:
            UsageError: weights do not fit the experts or the operator.
        """
        weights = self.weights
        if weights is None:
            weights = dict(zip(experts, self.merger.default_weights(len(experts)), strict=True))
        self.merger.check_weights(experts, weights)
        return {name: float(weights[name]) for name in experts}
