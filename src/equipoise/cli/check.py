"""`equipoise check`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.errors import UsageError

from .options import Device, RunFile, Set

if TYPE_CHECKING:
    from equipoise.data import Table
    from equipoise.training import Examined


def check(
    run_file: RunFile,
    set_: Set = None,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page (HTML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            help="Leave out near duplicates of many rows, languages, labels that may be wrong, time, memory.",
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there is a warning.")] = False,
    device: Device = None,
) -> None:
    """Check a run file, its data and its model without training: what may be wrong, and what to do about it."""
    from equipoise.config import load_config

    try:
        config = load_config(run_file, set_ or ())  # before the heavy imports, so that a mistake shows at once
    except UsageError as error:
        if as_json:
            from equipoise.training import Examined, describe_error

            _print_json(str(run_file), Examined([describe_error(error)], error=error))
        raise

    from equipoise.reporting import check_page_file, write_check
    from equipoise.training import examine
    from equipoise.workspace import inputs_of

    if page is not None:
        check_page_file(page, [("RUN_FILE", run_file), *inputs_of(config)])
    found = examine(config, fast=fast, show_progress=True)
    if page is not None:
        checked = found.checked
        about = (checked.table, checked.notes) if checked else ()
        write_check(page, run_file.name, found.findings, *about)
    if as_json:
        _print_json(str(run_file), found)
    else:
        _print_tables(found)
    if found.error is not None:
        print(f"usage: {found.error}", file=sys.stderr)
        raise typer.Exit(UsageError.exit_code)
    if strict and any(finding.level == "warning" for finding in found.findings):
        raise typer.Exit(1)


def _print_json(run_file: str, found: "Examined") -> None:
    from equipoise.files import to_json

    checked = found.checked
    about = {} if checked is None else {**_count(checked.table), "notes": checked.notes}
    findings = [finding.to_dict() for finding in found.findings]
    typer.echo(to_json({"run_file": run_file, "can_run": found.error is None, "findings": findings, **about}))


def _count(table: "Table") -> dict[str, Any]:
    counts = table.counts()
    classes = {
        name: {split: task.count(table.labels(name, split)) for split in table.splits}
        for name, task in table.tasks.items()
    }
    return {
        "rows": {split: count["rows"] for split, count in counts.items()},
        "labels": {name: {split: count["labels"][name] for split, count in counts.items()} for name in table.tasks},
        "classes": {name: found for name, found in classes.items() if found["train"]},
    }


def _print_tables(found: "Examined") -> None:
    from rich.console import Console
    from rich.text import Text

    from equipoise.reporting import describe_findings, findings_table, rows_table

    console = Console(highlight=False)  # of the terminal's width, also for the rules below
    checked = found.checked
    if checked is not None:
        console.print(rows_table(checked.table).for_terminal())
        for note in checked.notes:
            console.print(f"- {note}", markup=False, soft_wrap=True)
        for filled in checked.prompts:
            answers = " | ".join(repr(answer) for answer in filled.answers) or "(a generated text)"
            console.rule(Text(f"{filled.task}: first training row"), align="left")
            console.print(Text(filled.prompt))
            console.rule(align="left")
            console.print(Text(f"answers: {answers}\nright: {filled.right!r}"))
    # Errors are the message at the end.
    others = [finding for finding in found.findings if finding.level != "error"]
    if others:
        console.print(findings_table(others))
    if checked is not None or others:
        console.print(describe_findings(found.findings))
