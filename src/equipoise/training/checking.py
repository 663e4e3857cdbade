"""Looking at a run before it is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from equipoise.auditing import Finding, find_downloads, make_finding, sort_findings
from equipoise.config import RunConfig, load_config
from equipoise.data import Table
from equipoise.errors import CellError, DataError, EquipoiseError, ModelError, UnlearnableError, UsageError

from .audited_table import load_audited
from .estimates import find_estimates, find_needs, find_wrong_labels
from .prepared_run import PreparedRun
from .preparing import check_first, prepare_run
from .run_folder import output_notes

_CODES: tuple[tuple[type[EquipoiseError], str], ...] = (
    (UsageError, "E01"),
    (CellError, "E03"),
    (UnlearnableError, "E04"),
    (DataError, "E02"),
    (ModelError, "E05"),
    (EquipoiseError, "E06"),
)
"""The codes of errors, by the first class that an error is of."""


@dataclass(frozen=True)
class FilledPrompt:
    """The first question of a task about its first training row.

    Args:
        task: the task's name.
        prompt: what the language model reads.
        answers: the answers that are scored; none where text is generated.
        right: the answer that the row's label stands for.
    """

    task: str
    prompt: str
    answers: tuple[str, ...]
    right: str


@dataclass(frozen=True)
class Checked:
    """A run file that can be trained.

    Args:
        config: the run file.
        table: its rows.
        notes: what was dropped, merged or cut.
        prompts: one for each task in the format `prompt`.
    """

    config: RunConfig
    table: Table
    notes: list[str]
    prompts: list[FilledPrompt]


@dataclass(frozen=True)
class Examined:
    """A run file that was examined.

    Args:
        findings: what was found, the worst first.
        checked: the run; None where it cannot be trained.
        error: why it cannot.
    """

    findings: list[Finding]
    checked: Checked | None = None
    error: EquipoiseError | None = None


def check(run_file: str | Path | RunConfig, overrides: Sequence[str] = ()) -> Checked:
    """Do all that a run does before its first step: read and check the data, load the model, try it, fill the prompts.

    Nothing is written. What may be wrong with the data is found by `examine`.

    Args:
        run_file: path of the run file, or a checked configuration.
        overrides: `key=value` settings that win over the file.

    Raises:
        UsageError: the run file is wrong.
        DataError: a file or a label is wrong.
        ModelError: the backbone cannot be loaded, or cannot do what is asked of it.
        OutputError: the output folder may not be written.
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    notes = output_notes(config)
    return _describe(prepare_run(config), notes)


def examine(config: RunConfig, *, fast: bool = False, show_progress: bool = False) -> Examined:
    """Do what `check` does, and look for all that may be wrong with the data, and for what the training will take.

    Args:
        config: the run file.
        fast: leave out near duplicates of many rows, languages, labels that are probably wrong, and the estimates.
        show_progress: show bars while that takes long.

    Returns:
        What was found. A mistake of the user's is a finding, too, not an exception.
    """
    findings = [*find_downloads(config)]
    try:
        notes = output_notes(config)
        check_first(config)
        audited = load_audited(config, fast=fast, label="Comparing texts" if show_progress else None)
        findings += [*audited.findings, *map(describe_error, audited.errors)]
        if audited.table is None:
            return Examined(sort_findings(findings), error=audited.error)
        run = prepare_run(config, audited.table)
        checked = _describe(run, notes)
        findings += find_needs(run)
        if not fast:
            findings += find_wrong_labels(run, audited.data, "Reading texts" if show_progress else None)
            findings += find_estimates(run)
    except EquipoiseError as error:
        return Examined(sort_findings([*findings, describe_error(error)]), error=error)
    return Examined(sort_findings(findings), checked)


def describe_error(error: EquipoiseError) -> Finding:
    """Return a mistake of the user's as a finding."""
    code = next(code for kind, code in _CODES if isinstance(error, kind))
    return make_finding(code, "", " ".join(map(str, error.args)).rstrip("."), 1)


def _describe(run: PreparedRun, notes: Sequence[str]) -> Checked:
    return Checked(run.config, run.table, [*notes, *run.notes], _fill_prompts(run))


def _fill_prompts(run: PreparedRun) -> list[FilledPrompt]:
    table, model, filled = run.table, run.model, []
    for name, task in table.tasks.items():
        if task.is_prompted:
            assert model.prompts is not None
            row = table.splits["train"][int(table.rows(name, "train")[0])]
            prompt = model.tokenizer.decode(model.prompts.ask(name, 0, row["text"], row["pair"]))
            right = task.correct_answers(table.labels(name, "train")[0])[0]
            filled.append(FilledPrompt(name, prompt, task.questions()[0].answers, right))
    return filled
