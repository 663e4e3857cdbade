"""What a check has found: the page, and the tables for the terminal."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rich.table
from rich.text import Text

from equipoise.auditing import LEVELS, Finding
from equipoise.data import Table
from equipoise.errors import OutputError
from equipoise.files import check_writable, write_text
from equipoise.outputs import Inputs, check_apart
from equipoise.progress import format_seconds
from equipoise.terminal import Column, ListTable, make_results_table

from .pages import render_page, thousands

_MARK = "<title>Equipoise check: "
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_SHOWN_CLASSES = 30


@dataclass(frozen=True)
class ClassCounts:
    """How many rows of each split have each class of a task.

    Args:
        task: the task.
        counted: what is counted: "rows", or what its lists hold.
        splits: the splits.
        rows: the name of each class, and its counts by split.
        left_out: how many classes are not shown.
    """

    task: str
    counted: str
    splits: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]
    left_out: int


def check_page_file(file: Path, inputs: Inputs) -> None:
    """Decide whether the page of a check may be written to a file, and replace what lies there.

    Args:
        file: the file to write.
        inputs: what the check reads.

    Raises:
        OutputError: it is something that the check reads, or holds another content than such a page.
        UsageError: see `equipoise.files.check_writable`.
    """
    check_writable(file)
    check_apart(file, inputs, "choose another file")
    if file.exists() and file.stat().st_size:
        with file.open(encoding="utf-8", errors="replace") as lines:
            if _MARK not in lines.read(1000):
                raise OutputError(
                    f"{file}: found a file that is no page of a check, expected none, or one of an earlier call; "
                    "nothing was changed; choose another file, or remove it."
                )


def write_check(
    file: Path, run_file: str, findings: Sequence[Finding], table: Table | None = None, notes: Sequence[str] = ()
) -> None:
    """Write the page of a check: one file that needs neither network nor scripts.

    Args:
        file: the page.
        run_file: the run file's name.
        findings: what was found, the worst first.
        table: the rows; None where they cannot be read.
        notes: what was dropped, merged or cut.
    """
    page = render_page(
        "check",
        run_file=run_file,
        by_level={level: [finding for finding in findings if finding.level == level] for level in LEVELS},
        verdict=describe_findings(findings),
        key_figures=_key_figures(findings, table),
        labels=None if table is None else rows_table(table),
        classes=[] if table is None else count_classes(table),
        notes=notes,
    )
    write_text(file, page)


def _key_figures(findings: Sequence[Finding], table: Table | None) -> dict[str, str]:
    figures = {} if table is None else {f"{split} rows": thousands(len(rows)) for split, rows in table.splits.items()}
    counts = {finding.code: finding.count for finding in findings}
    if "R01" in counts:
        figures["training time, estimated"] = format_seconds(counts["R01"])
    if "R02" in counts:
        figures["memory"] = f"{counts['R02'] / 1000:.1f} GB"
    return figures


def describe_findings(findings: Sequence[Finding]) -> str:
    """Count findings in words."""
    counts = Counter(finding.level for finding in findings)
    parts = [f"{count} {level}{'' if count == 1 else 's'}" for level in LEVELS if (count := counts[level])]
    if not counts["error"] and not counts["warning"]:
        parts = ["No mistakes found", *parts]
    return ", ".join(parts) + "."


def findings_table(findings: Sequence[Finding]) -> rich.table.Table:
    """Return findings for the terminal: what was found, the first example, and what to do."""
    table = make_results_table("Findings")
    table.add_column("code", no_wrap=True)
    table.add_column("found", ratio=3, overflow="fold")
    table.add_column("what to do", ratio=2, overflow="fold")
    for finding in findings:
        found = Text(f"{finding.about}: " if finding.about else "")
        found.append(f"{finding.message}.")
        for example in finding.examples[:1]:
            found.append(f"\n{example.where}: {example.text}", style="dim")
            found.append(f" ({example.beside})" if example.beside else "", style="dim")
        table.add_row(Text(finding.code, style=_STYLES[finding.level]), found, Text(finding.advice))
    return table


def rows_table(table: Table) -> ListTable:
    """Return how many labels of each task each split has."""
    counts = table.counts()
    columns = [Column("task"), Column("kind"), Column("format")]
    columns += [Column(f"{split} rows", right=True) for split in table.splits]
    rows = []
    for name, task in table.tasks.items():
        labels = [f"{count['labels'][name]:,}" for count in counts.values()]
        rows.append((name, task.summary, task.format, *labels))
    return ListTable(columns, rows)


def count_classes(table: Table) -> list[ClassCounts]:
    """Return how often each class of each task occurs; nothing of tasks without classes."""
    found = []
    for name, task in table.tasks.items():
        counts = {split: task.count(table.labels(name, split)) for split in table.splits}
        names = sorted(counts["train"], key=lambda one: -counts["train"][one]) if len(counts["train"]) > 1 else []
        rows = [(one, [count.get(one, 0) for count in counts.values()]) for one in names[:_SHOWN_CLASSES]]
        if rows:
            found.append(ClassCounts(name, task.counted, list(counts), rows, len(names) - len(rows)))
    return found
