"""The rows of the table: what is trained for each."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from equipoise.balancing import make_balancer
from equipoise.config import BalanceConfig, parse_yaml
from equipoise.errors import UsageError

from .run_files import RunFile

SINGLE_TASK, EQUAL, STATIC_TUNED = "single-task", "equal", "static-tuned"


class Kind(StrEnum):
    """How a row's models come about."""

    BALANCER = "balancer"
    SINGLE_TASK = "single-task"
    STATIC_TUNED = "static-tuned"
    PROMPTED = "asked"  # the word that `compare.json` has always had


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Args:
        name: its name in tables.
        kind: how its models come about.
        run: the run file.
        balance: the balancer; single tasks have none, and tuned static weights take the place of it.
        baseline: how the base language model is prompted, instead of training one; see
            `equipoise.training.run_prompted`.
    """

    name: str
    kind: Kind
    run: RunFile
    balance: BalanceConfig
    baseline: str = ""

    @property
    def folder(self) -> str:
        """Its folder under `runs/`."""
        plain = re.sub(r"[^\w.=-]+", "-", self.name).strip("-")
        # Names that differ in other signs only must not share a folder.
        return plain if plain == self.name else f"{plain[:80]}-{hashlib.sha256(self.name.encode()).hexdigest()[:6]}"


def parse_balancers(given: str | Sequence[str | Mapping[str, Any] | BalanceConfig]) -> list[BalanceConfig]:
    """Read `--balance`: balancers as in a run file, between commas or as a list; an empty text holds none.

    Raises:
        UsageError: it is no such list.
    """
    if not given or (isinstance(given, str) and not given.strip()):
        return []
    where = f"--balance {given}"
    example = 'expected names, or names with options: "equal,{name: dao, example_weights: true}"'
    try:
        items = given
        if isinstance(given, str):
            items = parse_yaml(given if given.lstrip().startswith("[") else f"[{given}]", where)
        balancers = [BalanceConfig.model_validate({"name": item} if isinstance(item, str) else item) for item in items]
    except (UsageError, ValidationError):
        raise UsageError(f"{where}: found what is no list of balancers, {example}.") from None
    if not balancers or not all("name" in balancer.model_fields_set for balancer in balancers):
        raise UsageError(f"{where}: found an entry without a name, {example}.")
    return balancers


def make_rows(runs: Sequence[RunFile], balancers: Sequence[BalanceConfig], *, static: bool = True) -> list[Row]:
    """Return the rows: single tasks, equal and tuned static weights of the first run file, then every balancer.

    A run file's balancers are followed by the baselines for which its base language model is prompted.

    With one task in the first run file the first three are the same, and it is run as `single-task` alone.

    Args:
        runs: the run files.
        balancers: the balancers; none stands for each run file's own, "single-task" for the single tasks of each.
        static: with tuned static weights.

    Raises:
        UsageError: there is no such balancer, or it has no such option.
    """
    first = runs[0]
    equal = BalanceConfig(name=EQUAL)
    rows = [Row(SINGLE_TASK, Kind.SINGLE_TASK, first, equal)]
    if len(first.config.tasks) > 1:
        rows.append(Row(EQUAL, Kind.BALANCER, first, equal))
        if static:
            rows.append(Row(STATIC_TUNED, Kind.STATIC_TUNED, first, equal))
    for run in runs:
        for balance in balancers or [run.config.balance]:
            name, kind = balancer_name(balance), Kind.BALANCER
            if balance.name != SINGLE_TASK:
                make_balancer(balance.name, run.config.label_statistics, balance.options)
            elif not balance.options:
                kind = Kind.SINGLE_TASK
            else:
                raise UsageError(f"--balance: {SINGLE_TASK} has no options, found {', '.join(balance.options)}.")
            if run is first and name in (SINGLE_TASK, EQUAL):
                continue  # it is there already, or the same as single-task
            if run is not first:
                name = f"{run.name}: {name}"
            rows.append(Row(name, kind, run, balance))
        for baseline in run.prompted:
            name = baseline.replace("_", "-")
            rows.append(Row(name if run is first else f"{run.name}: {name}", Kind.PROMPTED, run, equal, baseline))
    return list({row.name: row for row in rows}.values())


def balancer_name(balance: BalanceConfig) -> str:
    """Return a balancer's name, its options in brackets."""
    options = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(balance.options.items()))
    return f"{balance.name} ({options})" if options else balance.name
