"""Experiment trackers: what a run reports to while it trains."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from equipoise.config import RunConfig
from equipoise.errors import TrainingError
from equipoise.files import to_json

TENSORBOARD = "tensorboard"
"""The folder in a run's folder that holds what TensorBoard reads."""


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that are not installed.

    Args:
        names: as in the run file.

    Raises:
        TrainingError: a library is missing.
    """
    if missing := [name for name in names if find_spec(name) is None]:
        raise TrainingError(
            f"train.report_to: {', '.join(missing)} is not installed; install it with: pip install "
            f"{' '.join(missing)}, or leave it out."
        )


def make_trackers(config: RunConfig) -> list[TrainerCallback]:
    """Return what reports a run's losses, task weights, dev scores and run file.

    Args:
        config: the run file.

    Raises:
        TrainingError: a library is missing.
    """
    names = config.train.report_to
    check_trackers(names)
    return [_Tracker(_make_callback(name, config.output), config) for name in names]


def _make_callback(name: str, folder: Path) -> TrainerCallback:
    from transformers.integrations import integration_utils

    callback: TrainerCallback = integration_utils.INTEGRATION_TO_CALLBACK[name]()
    if name == "tensorboard":
        # Its own default lies among the checkpoints, which are removed.
        callback.logging_dir = str(folder / TENSORBOARD)
    return callback


class _RunFacts:
    """The run file, in the form in which trackers of `transformers` take a model's configuration."""

    def __init__(self, config: RunConfig) -> None:
        self._flat = dict(_flatten(config.model_dump(mode="json")))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by key, such as "train.epochs"."""
        return dict(self._flat)

    def to_json_string(self) -> str:
        """Return the same as JSON."""
        return to_json(self._flat)


class _Tracker(TrainerCallback):
    """Hands what happens on to a tracker of `transformers`, with the run file as the configuration.

    Args:
        inner: the tracker.
        config: the run file.
    """

    def __init__(self, inner: TrainerCallback, config: RunConfig) -> None:
        self._inner = inner
        self._facts = _RunFacts(config)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Open the tracker."""
        model = kwargs["model"]
        model.config = self._facts
        try:
            self._inner.on_train_begin(args, state, control, **kwargs)
        finally:
            del model.config

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Report figures."""
        self._inner.on_log(args, state, control, **kwargs)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the tracker."""
        self._inner.on_train_end(args, state, control, **kwargs)


def tracker_strangers(folder: Path) -> list[str]:
    """Return what lies in a run's folder for TensorBoard and is none of its files."""
    with suppress(FileNotFoundError, NotADirectoryError):
        names = sorted(path.name for path in (folder / TENSORBOARD).iterdir())
        return [f"{TENSORBOARD}/{name}" for name in names if not name.startswith("events.out.tfevents.")]
    return []


def _flatten(values: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        found += _flatten(value, f"{before}{key}.") if isinstance(value, Mapping) else [(f"{before}{key}", value)]
    return found
