"""Training rows that no expert has learnt from: those that a source's limit leaves out."""

from dataclasses import replace

from equipoise.config import RunConfig
from equipoise.data import Table, load_table
from equipoise.errors import DataError

UNSEEN = "unseen"
"""What the split is called that holds them."""


def with_unseen(config: RunConfig, table: Table) -> Table:
    """Return the table with one more split: training rows that are left out by `sources.NAME.limit.train`.

    Of rows with a text that stands in the training split, under whatever source, none is among them: experts, or the
    joint model, have read it. Texts of dev and test are no training rows in the first place.

    Args:
        config: the run file.
        table: its table.

    Raises:
        DataError: a task has fewer such rows than a search is to be scored on (merge.weak.rows).
    """
    whole = {
        name: source.model_copy(update={"limit": source.limit.model_copy(update={"train": None})})
        for name, source in config.sources.items()
    }
    rest = load_table(config.model_copy(update={"sources": whole}), fitted=table.tasks).splits["train"]
    learnt = set(table.splits["train"]["text"])
    unseen = [number for number, text in enumerate(rest["text"]) if text not in learnt]
    found = replace(table, splits={**table.splits, UNSEEN: rest.select(unseen)})
    for name, task in table.scored.items():
        count = len(found.rows(name, UNSEEN))
        if count < config.merge.weak.rows:
            limit = config.sources[task.source].limit.train
            raise DataError(
                f"task '{name}': found {count} training rows that no expert learns from, expected "
                f"{config.merge.weak.rows} (merge.weak.rows). They are what sources.{task.source}.limit.train "
                f"({'not given' if limit is None else limit}) leaves out: give a smaller limit, ask for fewer rows, "
                "or set merge.weak.unseen: false."
            )
    return found
