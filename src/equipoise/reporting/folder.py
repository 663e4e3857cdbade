"""Reading what lies in a run folder."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig, load_config
from equipoise.errors import EquipoiseError
from equipoise.evaluation import Example, Record, TaskMistakes, TrustCurves
from equipoise.kinds import Task


@dataclass(frozen=True)
class RunFolder:
    """What a run folder holds; a file that is not there leaves its part empty.

    Args:
        name: the folder's name.
        config: `config.yaml`.
        config_text: the same, as it is written.
        records: `metrics.json`.
        examples: `examples.json`: generated texts by task.
        mistakes: `mistakes.json`: what each task gets wrong on test.
        curves: `trust.json`: reliability and risk by task.
        steps: the training steps of `log.jsonl`, ascending; a step done again after a resume counts once.
        dev: the dev scorings of `log.jsonl`, ascending.
        data: `data.json`.
        summary: `summary.json`.
        single: `single-task.json`: how single-task models compare, where there are any.
    """

    name: str
    config: RunConfig
    config_text: str
    records: list[Record]
    examples: dict[str, list[Example]]
    mistakes: dict[str, TaskMistakes]
    curves: dict[str, TrustCurves]
    steps: list[dict[str, Any]]
    dev: list[dict[str, Any]]
    data: dict[str, Any]
    summary: dict[str, Any]
    single: dict[str, Any]

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks as the run file states them."""
        return self.config.open_tasks()

    @property
    def auxiliary(self) -> list[str]:
        """The names of the tasks that are trained and not scored."""
        return [name for name, task in self.config.tasks.items() if task.auxiliary]

    @classmethod
    def read(cls, path: Path) -> "RunFolder":
        """Read a run folder.

        Raises:
            UsageError: there is no readable `config.yaml`.
            EquipoiseError: a JSON file is damaged.
        """
        config = load_config(path / "config.yaml")
        steps: dict[int, dict[str, Any]] = {}
        dev: dict[int, dict[str, Any]] = {}
        for line in _read_log(path / "log.jsonl"):
            (dev if "dev" in line else steps)[line["step"]] = line
        return cls(
            name=path.resolve().name,
            config=config,
            config_text=(path / "config.yaml").read_text(encoding="utf-8"),
            # A metric that is not finite stands there as null.
            records=[record for record in _read_json(path / "metrics.json", []) if record["value"] is not None],
            examples=_read_json(path / "examples.json", {}),
            mistakes=_read_json(path / "mistakes.json", {}),
            curves=_read_json(path / "trust.json", {}),
            steps=[steps[step] for step in sorted(steps)],
            dev=[dev[step] for step in sorted(dev)],
            data=_read_json(path / "data.json", {}),
            summary=_read_json(path / "summary.json", {}),
            single=_read_json(path / "single-task.json", {}),
        )


def _read_json(path: Path, otherwise: Any) -> Any:
    if not path.exists():
        return otherwise
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EquipoiseError(
            f"{path}: not valid JSON ({error}); delete the file to write the report without it."
        ) from None


def _read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the log's lines; one that a killed run left half-written is passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and "step" in entry:
                yield entry
