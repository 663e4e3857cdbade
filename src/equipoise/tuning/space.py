"""Which settings are tuned, in which ranges around those of the run file, and how a trial's become a run file."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from equipoise.config import BalanceConfig, RunConfig
from equipoise.data import Table
from equipoise.errors import UsageError, did_you_mean

_RATES = 8.0
"""By how much a learning rate may differ from the run file's, as a factor."""
_EPOCHS = (0.5, 2.0)
_FROZEN = 2 / 3
"""The share of the layers that may be frozen."""
_BALANCERS = ("dao", "equal", "uncertainty")
"""The balancers that are tried beside the run file's: they cost no more than a plain step."""


class Setting(NamedTuple):
    """A setting that can be tuned.

    Args:
        key: its key in the run file, which is also its name.
        own: what the run file has.
        range: what it may be.
    """

    key: str
    own: Any
    range: BaseDistribution


def make_space(config: RunConfig, table: Table, layers: int, only: Sequence[str] = ()) -> dict[str, Setting]:
    """Return the settings that are tuned for a run file (our design).

    Learning rates lie within a factor of 8 of the run file's, epochs between half and twice as many. `mixing` is tuned
    where there are several sources, `balance` where there are several tasks, `freeze_layers` where the model's layers
    are known.

    Args:
        config: the run file.
        table: its table.
        layers: layers of the backbone, 0 where they are not known.
        only: the settings to tune; none for all that apply.

    Raises:
        UsageError: `only` names a setting that cannot be tuned.
    """
    makers: dict[str, Callable[[], Setting | None]] = {
        "learning_rate": lambda: _rate("learning_rate", config.train.learning_rate),
        "head_learning_rate": lambda: _rate("head_learning_rate", config.train.head_learning_rate),
        "epochs": lambda: _epochs(config),
        "mixing": lambda: _mixing(config, table),
        "freeze_layers": lambda: _frozen(config, layers),
        "balance": lambda: _balance(config, table),
    }
    for key in only:
        if key not in makers:
            raise UsageError(f"only: '{key}' is no setting that can be tuned. {did_you_mean(key, makers)}")
    found = {key: maker() for key, maker in makers.items() if not only or key in only}
    if missing := [key for key in only if found[key] is None]:
        raise UsageError(f"only: '{missing[0]}' has no range for this run file: {_WHY[missing[0]]}.")
    return {key: setting for key, setting in found.items() if setting is not None}


_WHY = {
    "head_learning_rate": "head_learning_rate is empty, which means that it is learning_rate",
    "epochs": "max_steps says how long it trains",
    "mixing": "there is one source",
    "freeze_layers": "the layers of the model are not known, or all that may be frozen are",
    "balance": "there is one task",
}


def apply(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return a run file with some settings changed.

    Args:
        config: the run file.
        values: by setting its value; the name of the run file's own balancer stands for it with its options.
    """
    changes = {key: value for key, value in values.items() if key != "balance"}
    changed = config.model_copy(update={"train": config.train.model_copy(update=changes)})
    name = values.get("balance", config.balance.name)
    if name == config.balance.name:
        return changed
    return changed.model_copy(update={"balance": BalanceConfig(name=name, alignment=config.balance.alignment)})


def rounded(value: Any) -> Any:
    """Return a number to three digits; all else as it is."""
    return float(f"{value:.3g}") if isinstance(value, float) else value


def _rate(key: str, own: float | None) -> Setting | None:
    if own is None:
        return None
    return Setting(key, own, FloatDistribution(own / _RATES, own * _RATES, log=True))


def _epochs(config: RunConfig) -> Setting | None:
    own, (low, high) = config.train.epochs, _EPOCHS
    if config.train.max_steps is not None:
        return None
    return Setting("epochs", own, FloatDistribution(own * low, own * high))


def _mixing(config: RunConfig, table: Table) -> Setting | None:
    if len(set(table.splits["train"]["source"])) < 2:
        return None
    return Setting("mixing", config.train.mixing, FloatDistribution(0.0, 1.0))


def _frozen(config: RunConfig, layers: int) -> Setting | None:
    own = config.train.freeze_layers
    most = max(own, int(layers * _FROZEN))
    return Setting("freeze_layers", own, IntDistribution(0, most)) if most else None


def _balance(config: RunConfig, table: Table) -> Setting | None:
    if len(table.tasks) < 2:
        return None
    names = list(dict.fromkeys([config.balance.name, *_BALANCERS]))
    return Setting("balance", config.balance.name, CategoricalDistribution(names))
