"""A run's folder: what it holds, whose it is, and that nothing else is touched."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.config import RunConfig
from equipoise.data import GIVEN_FOLDER, Table, given_strangers
from equipoise.errors import OVERWRITE, RESUME, TrainingError
from equipoise.evaluation import Predictions, Record, as_stored
from equipoise.files import write_bytes, write_json
from equipoise.modeling import model_strangers
from equipoise.outputs import check_output, check_place, misplaced
from equipoise.reporting import show_run
from equipoise.temporaries import is_leftover_name
from equipoise.workspace import (
    CONFIG,
    DATA,
    LOCK,
    RunFileWorkspace,
    WorkKind,
    inputs_of,
    lock_folder,
    run_file_output,
)

from .checkpoints import checkpoint_strangers, remove_checkpoints
from .summary import SUMMARY, read_summary
from .trackers import TENSORBOARD, tracker_strangers

SINGLE_TASK, SINGLE_TASK_RESULTS = "single-task", "single-task.json"
"""The folder of single-task models and what they are called, and the file that sets the joint one beside them."""
CHECKPOINTS = "checkpoints"
"""The folder of an unfinished run's checkpoints."""
MODEL, METRICS, TRUST, REPORT = "model", "metrics.json", "trust.json", "report.html"
MISTAKES, LOG = "mistakes.json", "log.jsonl"
_RUN_FILES = frozenset(
    [
        CONFIG,
        "curriculum.json",
        DATA,
        "examples.json",
        LOG,
        METRICS,
        "predictions.npz",
        SUMMARY,
        MISTAKES,
        TRUST,
        REPORT,
        SINGLE_TASK_RESULTS,
    ]
)
_RUN_FOLDERS = frozenset([SINGLE_TASK, MODEL, CHECKPOINTS, TENSORBOARD])
"""All that a run writes into its folder."""
EXPERTS, MERGE, DIFFICULTY, MIX = "experts", "merge", "difficulty", "mix"
"""Folders that may stand in a run's folder and are none of its files: experts, their merge, difficulty, `mix`."""
_BESIDE = frozenset([EXPERTS, MERGE, DIFFICULTY, MIX, GIVEN_FOLDER])
HEADER = "# Written by Equipoise: this run's settings, complete; reruns as it is.\n"
RUN_FREE = r"output|merge\..*|train\.report_to|(tasks|held_out)\.[\w-]+\.group"
"""Keys that do not change what is trained."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        folder: the run's folder.
        records: the metrics, as in `metrics.json`.
        run_score: the run score on test.
    """

    folder: Path
    records: list[Record]
    run_score: float

    def __repr__(self) -> str:
        tasks = ", ".join(sorted({record["task"] for record in self.records}))
        return f"Run({str(self.folder)!r}, run_score={self.run_score:.4f}, tasks: {tasks})"

    def _repr_html_(self) -> str:
        """Show the results on test in a notebook."""
        return show_run(self.folder, self.records, self.run_score)


def read_run(folder: str | Path) -> Run:
    """Read a finished run.

    Args:
        folder: the run's folder.

    Raises:
        TrainingError: the folder holds no finished run.
    """
    folder = Path(folder)
    try:
        records = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        return Run(folder, records, read_summary(folder)["run_score"]["test"])
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"{folder}: not a finished run, or a damaged one ({error}); train it again with {OVERWRITE}."
        ) from None


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a finished run: the report is written last."""
    return (folder / REPORT).exists()


def run_strangers(folder: Path, whole: bool = False) -> list[str]:
    """Return what lies in a run's folder and is not the run's.

    Args:
        folder: the run's folder.
        whole: the folder is removed as a whole, with what begins with a dot and what other commands write beside a run.
    """
    names = [name for name in sorted(os.listdir(folder)) if name not in _RUN_FILES | _RUN_FOLDERS]
    if whole:
        unknown = [name for name in names if name != LOCK and not is_leftover_name(name)]
    else:
        unknown = [name for name in names if name not in _BESIDE and name[0] != "."]
    among = [f"{CHECKPOINTS}/{name}" for name in checkpoint_strangers(folder / CHECKPOINTS)]
    return unknown + given_strangers(folder) + _inner_strangers(folder) + among


def _inner_strangers(folder: Path) -> list[str]:
    """Those that would be lost with the run's files, its model and its single-task runs."""
    taken = misplaced(folder, _RUN_FILES, _RUN_FOLDERS)
    of_model = model_strangers(folder / MODEL) if (folder / MODEL).is_dir() else []
    alone = strangers_among_runs(folder / SINGLE_TASK)
    inner = [*(f"{MODEL}/{found}" for found in of_model), *(f"{SINGLE_TASK}/{found}" for found in alone)]
    return [*taken, *inner, *tracker_strangers(folder)]


def strangers_among_runs(folder: Path) -> list[str]:
    """Return what lies in a folder of runs, in folders of their own at any depth, and is no run's."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir():
            inner = run_strangers(path, whole=True) if is_run(path) else strangers_among_runs(path)
            found += [f"{path.name}/{name}" for name in inner]
        elif path.name not in _RUN_FILES | {LOCK} and not is_leftover_name(path.name):
            found.append(path.name)
    return found


def _contents(folder: Path) -> list[Path]:
    # First the file by which a finished run is known, last the one by which a run is known.
    names = sorted(_RUN_FILES | _RUN_FOLDERS, key=lambda name: (name == CONFIG) - (name == REPORT))
    return [folder / name for name in names]


RUN_OUTPUT = run_file_output("a run", HEADER, run_strangers, _BESIDE)
"""How the folder of `equipoise train` is known, and what may be replaced in it."""
_RUN = WorkKind("the run", RUN_OUTPUT, _contents, HEADER, RUN_FREE)
_RESUMED_RUN = replace(RUN_OUTPUT, strangers=_inner_strangers)
"""The same where files and the model are replaced; among the checkpoints what is no run's stays where it is."""


def is_run(folder: Path) -> bool:
    """Whether a run was started in a folder: its configuration is one we wrote."""
    return RUN_OUTPUT.is_ours(folder)


def check_run_output(config: RunConfig, resume: bool, overwrite: bool) -> bool:
    """Refuse to mix two runs, or to touch a folder that is none, or that has to do with what the run reads.

    Returns:
        Whether a run lies there.

    Raises:
        OutputError: see `equipoise.outputs.check_output`.
        TrainingError: a run lies there, and it is not said what becomes of it.
    """
    folder = config.output
    # A run never touches the rows in its own folder, which it may read.
    inputs = [(key, path) for key, path in inputs_of(config) if path.parent != folder / GIVEN_FOLDER]
    found = check_output(folder, _RESUMED_RUN if resume else RUN_OUTPUT, inputs)
    if found and not resume and not overwrite:
        finished = is_finished(folder)
        state, way_on = ("a finished", "") if finished else ("an unfinished", f"go on with {RESUME}, ")
        raise TrainingError(
            f"{folder}: the output folder holds {state} run; {way_on}replace it with {OVERWRITE}, or choose another "
            "`output` (--set output=…, in Python: output=…)."
        )
    return found


def output_notes(config: RunConfig) -> list[str]:
    """Say what lies in the output folder, without changing anything.

    Raises:
        OutputError: `equipoise train` could not write there, whatever it may replace.
    """
    check_place(config.output)
    finished = is_finished(config.output)
    if not check_run_output(config, resume=not finished, overwrite=finished):
        return []
    state, way = ("a finished", "") if finished else ("an unfinished", f"goes on with it with {RESUME}, and ")
    return [f"output: {config.output} holds {state} run; train {way}replaces it with {OVERWRITE} only."]


def tidy_finished(folder: Path) -> None:
    """Remove what a kill at the very end has left of a finished run: checkpoints, the lock, temporary files."""
    if not any(path.name in (LOCK, CHECKPOINTS) or path.name[0] == "." for path in folder.iterdir()):
        return
    # A folder that cannot be written, or in which another process is, stays as it is.
    with suppress(TrainingError, OSError), lock_folder(folder):
        remove_checkpoints(folder / CHECKPOINTS)


def open_run(config: RunConfig, data: Mapping[str, Any], resume: bool) -> None:
    """Start a run in its output folder, or make sure that the one that lies there is this run.

    Args:
        config: the run file.
        data: what it learns from (`describe_inputs`), with notes.
        resume: continue the run that lies there, if there is one; else it is removed.

    Raises:
        TrainingError: the run that lies there has other settings, other data or another base model.
    """
    workspace = RunFileWorkspace(config.output, _RUN)
    resume = resume and workspace.is_started
    workspace.start(config, data, restart=not resume)
    if resume:
        # Its notes are written again by what comes after.
        workspace.write_data(data)


def check_same_run(config: RunConfig) -> None:
    """Make sure that the run in the output folder was started with these settings.

    Raises:
        TrainingError: it has others.
    """
    RunFileWorkspace(config.output, _RUN).check_settings(config)


def add_notes(folder: Path, notes: Sequence[str]) -> None:
    """Add sentences to those of `data.json`, which a resumed run writes again."""
    data = json.loads((folder / DATA).read_text(encoding="utf-8"))
    write_json(folder / DATA, {**data, "notes": [*data["notes"], *notes]})


def write_predictions(folder: Path, predictions: Mapping[str, Predictions], table: Table) -> None:
    """Write `predictions.npz`: arrays "SPLIT/TASK", calibrated where the task is, and "SPLIT/TASK/gold" beside.

    Texts are stored as numpy's unicode. "SPLIT/TASK/raw" holds what was there before calibration. Where the metrics
    read something else than the predictions – the labels that apply, not their probabilities – "SPLIT/TASK/decided"
    holds that.

    Args:
        folder: the run's folder.
        predictions: for each split its predictions by task, not calibrated.
        table: the table the gold labels come from.
    """
    arrays: dict[str, Any] = {}
    for split, found in predictions.items():
        for name, raw in found.items():
            gold, values = table.labels(name, split), table.tasks[name].calibrate(raw)
            arrays |= {f"{split}/{name}": as_stored(values), f"{split}/{name}/gold": as_stored(gold)}
            if values is not raw:
                arrays[f"{split}/{name}/raw"] = as_stored(raw)
            decided = table.tasks[name].decide(values)
            if decided is not values:
                arrays[f"{split}/{name}/decided"] = as_stored(decided)
    file = io.BytesIO()
    np.savez(file, **arrays)
    write_bytes(folder / "predictions.npz", file.getvalue())


def read_predictions(folder: Path, task: str, gold: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what the metrics read of a finished run's predictions of a task on test.

    Args:
        folder: the run's folder.
        task: the task.
        gold: the labels, which must be those it was scored by.

    Raises:
        TrainingError: the predictions are missing, damaged, or belong to other labels.
    """
    path = folder / "predictions.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if not np.array_equal(arrays[f"test/{task}/gold"], gold):
                raise TrainingError(
                    f"{path}: the labels of task '{task}' on test are not those of the run file; start from scratch "
                    f"with {OVERWRITE}."
                )
            decided = f"test/{task}/decided"
            found: npt.NDArray[Any] = arrays[decided if decided in arrays else f"test/{task}"]
            return found
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}); start from scratch with {OVERWRITE}.") from None
