"""A run before its first step: its run file, its data, and the model that reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datasets import Dataset

from equipoise.auditing import Finding
from equipoise.config import RunConfig
from equipoise.data import Collator, Table
from equipoise.evaluation import Predictions, predict_split
from equipoise.modeling import MultiTaskModel
from equipoise.workspace import describe_inputs


@dataclass(frozen=True)
class PreparedRun:
    """A run before its first step: its run file, its data, and the model that reads them.

    Args:
        config: the run file.
        table: its rows.
        model: new heads on the base model; training changes its weights.
        rows: the encoded rows by split.
        notes: what was dropped, merged or cut: plain sentences.
        findings: what may be wrong with its rows, where they were looked at.
    """

    config: RunConfig
    table: Table
    model: MultiTaskModel
    rows: Mapping[str, Dataset]
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def collate(self) -> Collator:
        """What makes a batch of encoded rows."""
        return Collator(self.model.tokenizer, self.table.tasks)

    def describe(self) -> dict[str, Any]:
        """Return what `data.json` holds: `describe_inputs`, notes, and findings."""
        findings = [finding.to_dict() for finding in self.findings]
        return {
            **describe_inputs(self.table, self.config.model),
            "notes": list(self.notes),
            **({"findings": findings} if findings else {}),
        }

    def predict(self, split: str, label: str | None = None) -> Predictions:
        """Predict for a split, for every task that is not auxiliary; see `equipoise.evaluation.predict_split`.

        Args:
            split: its name.
            label: what a progress bar says; None shows none.
        """
        size = self.config.train.eval_batch_size
        return predict_split(self.model, self.table, self.rows[split], split, batch_size=size, label=label)
