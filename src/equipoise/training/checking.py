"""Looking at a run before it is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from equipoise.config import RunConfig, load_config
from equipoise.data import Table

from .prepared_run import PreparedRun
from .preparing import prepare_run
from .run_folder import output_notes


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
    """A run file in which nothing wrong was found.

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


def check(run_file: str | Path | RunConfig, overrides: Sequence[str] = ()) -> Checked:
    """Do all that a run does before its first step: read and check the data, load the model, try it, fill the prompts.

    Nothing is written.

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
    run = prepare_run(config)
    return Checked(config, run.table, [*notes, *run.notes], _fill_prompts(run))


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
