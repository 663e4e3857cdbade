"""`equipoise init`."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equipoise.proposing import Proposal, Question
    from equipoise.terminal import ListTable


def init(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            help="Files with texts and labels (CSV, TSV, JSON, JSONL, Parquet, XLSX), or folders of them.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The run file to write.")] = Path("run.yaml"),
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing; else, on a terminal, three questions at most.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run file that lies there.")] = False,
) -> None:
    """Write a run file for your own files: how they are read, which tasks they hold, and why."""
    from equipoise.proposing import check_place, propose
    from equipoise.terminal import note, open_console

    if all(file.exists() for file in files):  # else that is said
        check_place(output, overwrite=overwrite)
    asks = not yes and is_terminal()
    proposal = propose(files, folder=output.parent, ask=_ask if asks else None)
    proposal.save(output, overwrite=overwrite)
    for text in proposal.notes:
        note(text)
    if proposal.fault:
        note(f"before a run can start: {' '.join(proposal.fault.splitlines())}")
    open_console().print(_table(proposal).for_terminal())
    here = shlex.quote(str(output))
    typer.echo(f"Written: {here}, with a comment for what was found. Next:\n  equipoise check {here}")


def is_terminal() -> bool:
    """Whether somebody reads the questions and can answer them."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _table(proposal: "Proposal") -> "ListTable":
    """Return what was found: a row for each task."""
    from equipoise.terminal import Column, ListTable

    columns = [Column("source"), Column("rows", right=True), Column("encoding"), Column("task"), Column("kind")]
    rows = []
    for source in proposal.sources:
        facts: tuple[str, ...] = (source.name, f"{source.rows:,}", source.encoding or "–")
        for task in proposal.tasks:
            if task.keys["source"] == source.name:
                rows.append((*facts, task.name, task.kind, task.why))
                facts = ("", "", "")
    return ListTable([*columns, Column("why")], rows)


def _ask(question: "Question") -> Sequence[int]:
    """Ask on the terminal; an empty answer takes what is proposed."""
    typer.echo(question.text)
    for number, option in enumerate(question.options, start=1):
        typer.echo(f"  {number}  {option}")
    default = ",".join(str(place + 1) for place in question.default)
    hint = "Numbers, with commas between them" if question.several else "Number"
    while True:
        answer = typer.prompt(hint, default=default)
        try:
            places = [int(word) - 1 for word in str(answer).replace(",", " ").split()]
        except ValueError:
            places = []
        if places and all(0 <= place < len(question.options) for place in places):
            return sorted(set(places)) if question.several else places[:1]
        typer.echo(
            f"Found {answer!a}, expected {'some' if question.several else 'one'} of 1 to {len(question.options)}."
        )
