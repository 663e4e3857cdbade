"""A run's table, and what may be wrong with its rows."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.auditing import AuditedData, Finding, audit, gather_parts
from equipoise.config import RunConfig
from equipoise.data import Faults, SourceSplits, Table, join_table, read_once, split_sources
from equipoise.errors import DataError, EquipoiseError, EquipoiseWarning
from equipoise.kinds import LabelError, Task

from .processes import is_first


@dataclass(frozen=True)
class AuditedTable:
    """A run's table, and what may be wrong with its rows.

    Args:
        table: the table; None where there are errors.
        data: the rows that it is made of, as they were read: those that could be.
        findings: what was found in them.
        errors: what is wrong, so that there is no table.
        error: the same as one error; None where there is none.
    """

    table: Table | None
    data: AuditedData
    findings: list[Finding]
    errors: Sequence[EquipoiseError] = ()
    error: EquipoiseError | None = None


def load_audited(config: RunConfig, *, fast: bool = True, label: str | None = None) -> AuditedTable:
    """Read, check, split and join all sources of a run, as `load_table` does, and audit their rows.

    What is wrong with files and labels is no exception; the rest of the rows is audited all the same.

    Args:
        config: the run file.
        fast: leave out what takes long; see `equipoise.auditing.audit`.
        label: what a progress bar says; None shows none.

    Raises:
        UsageError: the tasks of the run file are wrong, whatever the data are.
    """
    read, faults = read_once(), Faults()
    splits = split_sources(config, read=read, faults=faults)
    table, error = None, None
    try:
        table = join_table(config, splits, faults=faults)
    except EquipoiseError as stopped:
        error = stopped
    tasks = _fit_tasks(config, splits, faults) if table is None else table.tasks
    data = gather_parts(config, splits, tasks, read)
    errors = faults.errors or ([] if error is None else [error])
    return AuditedTable(table, data, audit(data, fast=fast, label=label), errors, error)


def read_audited(config: RunConfig) -> tuple[Table, list[Finding]]:
    """Read the table of a run, and warn of what may be wrong with its rows.

    Raises:
        UsageError, DataError: see `load_table`.
    """
    audited = load_audited(config)
    if audited.table is None:
        raise audited.error or DataError("the data cannot be read.")
    for finding in audited.findings:
        if finding.level == "warning" and is_first():
            warnings.warn(finding.line, EquipoiseWarning, stacklevel=3)
    return audited.table, audited.findings


def _fit_tasks(config: RunConfig, splits: SourceSplits, faults: Faults) -> dict[str, Task]:
    """Return the tasks that can be learned, with their label spaces; the others are not looked at."""
    fitted = {}
    for name, task in config.open_tasks().items():
        column = splits.whole.get(task.source, {}).get("train")
        if name not in faults.tasks and column is not None:
            labels = [label for label in column.columns[f"label:{name}"] if label is not None]
            try:
                fitted[name] = task.fit(labels)
            except (LabelError, ValueError):
                continue
    return fitted
