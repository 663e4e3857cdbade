"""The results of `equipoise mix` as data: what `mix.json` holds."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What is known of a helper."""

    HELPS = "helps"
    """Trained together, the target's loss on dev is lower, and the interval does not reach zero."""
    HURTS = "hurts"
    """The same, but the loss is higher."""
    OPEN = "not certain"
    """Trained together, the interval holds zero."""
    ESTIMATED = "estimated"
    """Not trained together."""
    UNKNOWN = "not known"
    """Neither trained together nor estimated."""


@dataclass(frozen=True)
class GainRange:
    """By how many percent of itself a target's loss on dev is lower with a helper, and the 95 % interval.

    The loss is that of calibrated answers, unless `evaluation.calibrate` is false.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class TrainedPair:
    """What a short training of a target with a helper found.

    Args:
        gain: how much lower its loss on dev is than that of the target alone.
        metric: the target's primary metric on dev.
        metric_alone: the same of the target alone.
        seconds: how long it took.
    """

    gain: GainRange
    metric: float
    metric_alone: float
    seconds: float


@dataclass(frozen=True)
class MixPair:
    """A target and a helper.

    Args:
        target: the target.
        helper: the helper.
        estimate: the gain that the features of a model predict that has learnt the helper; None where they cannot.
        trained: what a training found; None where there was none.
        verdict: what is known of it.
        chosen: whether it is the reason why the helper stands in `mixed.yaml`.
    """

    target: str
    helper: str
    estimate: GainRange | None
    trained: TrainedPair | None
    verdict: Verdict
    chosen: bool


@dataclass(frozen=True)
class MixTarget:
    """A target: its kind, its primary metric, and how many labels it has in train and dev."""

    kind: str
    metric: str
    train_rows: int
    dev_rows: int


@dataclass(frozen=True)
class MixCost:
    """What `mix` has cost, in rows that were read, and in seconds.

    Args:
        estimate_rows: of the estimates; a row that is read forwards only counts a third.
        trained_rows: of the short trainings.
        all_rows: of training every target alone and with each candidate.
        estimate_seconds: as `estimate_rows`.
        trained_seconds: as `trained_rows`.
        all_seconds: as `all_rows`, at the speed of the short trainings; None where there was none.
    """

    estimate_rows: int
    trained_rows: int
    all_rows: int
    estimate_seconds: float
    trained_seconds: float
    all_seconds: float | None

    @property
    def share(self) -> float:
        """The rows that were read, as a share of those of all pairs."""
        return (self.estimate_rows + self.trained_rows) / self.all_rows

    @property
    def estimates_share(self) -> float:
        """The rows that the estimates read, as a share of those of all pairs."""
        return self.estimate_rows / self.all_rows


@dataclass(frozen=True)
class MixResults:
    """Which tasks help which targets.

    Args:
        name: of the run file's output.
        model: the base model.
        passes: how often a short training reads each of the target's rows.
        targets: the targets by name.
        pairs: every target with each of its candidates, the best estimate of a target first.
        helpers: the candidates, in the run file's order.
        chosen: the tasks that stand in `mixed.yaml` beside the targets.
        cost: what it has cost.
        notes: plain sentences.
    """

    name: str
    model: str
    passes: float
    targets: dict[str, MixTarget]
    pairs: list[MixPair]
    helpers: list[str]
    chosen: list[str]
    cost: MixCost
    notes: list[str]

    def of(self, target: str) -> list[MixPair]:
        """The pairs of one target."""
        return [pair for pair in self.pairs if pair.target == target]

    def to_json(self) -> dict[str, Any]:
        """Return the results as plain JSON data."""
        return {**asdict(self), "cost": {**asdict(self.cost), "share": self.cost.share}}
