"""One run from the run file to the report."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from filelock import FileLock, Timeout
from transformers import TrainerState, set_seed

from equipoise.balancing import LabelStats, make_balancer
from equipoise.config import RunConfig, dump_config, load_config
from equipoise.data import Collator, MixedLengthSampler, Table, load_table, tokenise
from equipoise.errors import TrainingError
from equipoise.evaluation import Record, run_score, score_model, score_split
from equipoise.files import write_json, write_text
from equipoise.modeling import MultiTaskModel, freeze_embeddings, load_backbone
from equipoise.reporting import write_report
from equipoise.tasks import Classification

from .checkpoints import checkpoint_at, has_ended, latest_checkpoint, read_state
from .trainer import MultiTaskTrainer, load_weights

_RUN_FILES = frozenset(
    ["config.yaml", "data.json", "log.jsonl", "metrics.json", "summary.json", "report.html", "model", "checkpoints"]
)
"""All that a run writes into its folder."""
HEADER = "# Written by Equipoise: this run's settings, complete; reruns as it is.\n"


class Run(NamedTuple):
    """A finished run.

    Args:
        folder: the run's folder.
        records: the metrics, as in `metrics.json`.
        run_score: the run score on test.
    """

    folder: Path
    records: list[Record]
    run_score: float


def train(
    run_file: str | Path | RunConfig,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Train one model for all tasks of a run file, evaluate it and write the report.

    The run's folder then holds `config.yaml`, `log.jsonl`, `data.json`, `metrics.json`, `summary.json`, `model/` and
    `report.html`, which is written last.

    Args:
        run_file: path of the run file, or a checked configuration.
        overrides: `key=value` settings that win over the file.
        resume: go on with an unfinished run from its last checkpoint; a finished one is left as it is.
        overwrite: discard what lies in the output folder.

    Raises:
        UsageError: the run file is wrong.
        DataError: a file or a label is wrong.
        ModelError: the backbone cannot be loaded.
        TrainingError: training cannot start or go on.
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    folder = config.output
    if resume and is_finished(folder):
        _check_same(config, folder)
        return read_run(folder)
    _check_output(folder, resume, overwrite)
    _check_inputs_apart(config)

    # Whatever is wrong with the input is found before anything is written.
    kinds = {name: task.kind for name, task in config.tasks.items()}
    make_balancer(config.balance.name, kinds, config.balance.options)
    table = load_table(config)
    backbone, tokenizer = load_backbone(config.model)
    set_seed(config.train.seed)
    model = MultiTaskModel(backbone, tokenizer, table.tasks, config.max_length)
    if config.train.freeze_embeddings:
        freeze_embeddings(backbone)
    rows, notes = _tokenise(table, model)

    with _only_run_in(folder):
        _open_folder(folder, config, {**_describe(table), "notes": [*table.notes, *notes]}, resume)
        trainer = _make_trainer(config, table, rows, model)
        state = _fit(trainer, config, resume)
        best_step = state.best_global_step or state.global_step
        load_weights(model, checkpoint_at(folder / "checkpoints", best_step))
        model.save_pretrained(folder / "model")

        # Dev has chosen the checkpoint; test is scored once.
        records = [
            record for split in ("dev", "test") for record in score_split(model, table, rows[split], split, config)
        ]
        write_json(folder / "metrics.json", records)
        summary = {
            "status": "finished",
            "steps": state.global_step,
            "best_step": best_step,
            "run_score": {split: run_score(_of_run(records, split), table.tasks) for split in ("dev", "test")},
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "seconds": _training_seconds(folder),
            "versions": {name: version(name) for name in ("equipoise", "torch", "transformers")},
        }
        write_json(folder / "summary.json", summary)
        write_report(folder)
        shutil.rmtree(folder / "checkpoints")
    return read_run(folder)


def read_run(folder: str | Path) -> Run:
    """Read a finished run.

    Args:
        folder: the run's folder.

    Raises:
        TrainingError: the folder holds no finished run.
    """
    folder = Path(folder)
    try:
        records = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return Run(folder, records, summary["run_score"]["test"])
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{folder}: not a finished run, or a damaged one ({error}); train it again.") from None


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a finished run: the report is written last."""
    return (folder / "report.html").exists()


def _check_output(folder: Path, resume: bool, overwrite: bool) -> None:
    """Refuse to mix two runs, or to touch a folder that is none."""
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder}: the output is a file, expected a folder; choose another `output`.")
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    others = sorted(name for name in found - _RUN_FILES if not name.startswith("."))
    if found and (not _is_run(folder) or (others and not resume)):
        raise TrainingError(
            f"{folder}: the output folder holds other files ({', '.join(others[:3] or sorted(found)[:3])}), expected "
            "none or those of a run; choose another `output`."
        )
    if found and not resume and not overwrite:
        state, way_on = ("a finished", "") if is_finished(folder) else ("an unfinished", "go on with --resume, ")
        raise TrainingError(
            f"{folder}: the output folder holds {state} run; {way_on}replace it with --overwrite, or choose another "
            "`output` (--set output=…)."
        )


def _check_inputs_apart(config: RunConfig) -> None:
    """Refuse an output folder that holds what the run reads."""
    inputs = {"model": Path(config.model)} if Path(config.model).is_absolute() else {}
    for name, source in config.sources.items():
        files = {"path": source.path, "train": source.train, "dev": source.dev, "test": source.test}
        inputs |= {f"sources.{name}.{key}": path for key, path in files.items() if path is not None}
    for key, path in inputs.items():
        if path.resolve().is_relative_to(config.output.resolve()):
            raise TrainingError(f"{config.output}: the output folder holds the input {key}; choose another `output`.")


def _is_run(folder: Path) -> bool:
    """Whether a run was begun in a folder: its configuration is one we wrote."""
    try:
        return (folder / "config.yaml").read_text(encoding="utf-8").startswith(HEADER)
    except (OSError, UnicodeDecodeError):
        return False


@contextmanager
def _only_run_in(folder: Path) -> Iterator[None]:
    """Hold a run's folder, so that two runs cannot mix in it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise TrainingError(
            f"{folder}: another run is writing here; wait for it, or choose another `output`."
        ) from None
    try:
        yield
    finally:
        lock.release()
        (folder / ".lock").unlink(missing_ok=True)


def _open_folder(folder: Path, config: RunConfig, data: dict[str, Any], resume: bool) -> None:
    """Begin a run's folder, or make sure that it is this run's."""
    if resume and _is_run(folder):
        _check_same(config, folder)
    else:
        # Only what a run writes is ever removed; last the file by which a run is known.
        for name in sorted(_RUN_FILES, key=lambda name: name == "config.yaml"):
            path = folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        write_text(folder / "config.yaml", HEADER + dump_config(config))
    if resume and (folder / "data.json").exists():
        begun = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        if begun["fingerprint"] != data["fingerprint"]:
            raise TrainingError(
                f"{folder}: the data changed since the run was begun (rows then {begun['rows']}, now {data['rows']}); "
                "put the files back, or start anew with --overwrite or another `output`."
            )
    write_json(folder / "data.json", data)


def _check_same(config: RunConfig, folder: Path) -> None:
    """A resumed run must be the run that was begun."""
    begun, asked = (_flat(item.model_dump(mode="json")) for item in (load_config(folder / "config.yaml"), config))
    changed = [key for key in {**begun, **asked} if begun.get(key) != asked.get(key) and key != "output"]
    if changed:
        raise TrainingError(
            f"{folder}: the run was begun with other settings ("
            + ", ".join(f"{key}: {begun.get(key)} there, {asked.get(key)} now" for key in changed[:5])
            + "); resume it unchanged, or start anew with --overwrite or another `output`."
        )


def _flat(data: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(data, dict):
        return {prefix: data}
    return {
        key: value
        for name, item in data.items()
        for key, value in _flat(item, f"{prefix}.{name}" if prefix else name).items()
    }


def _tokenise(table: Table, model: MultiTaskModel) -> tuple[dict[str, Any], list[str]]:
    rows, notes = {}, []
    for split, dataset in table.splits.items():
        rows[split], cut = tokenise(dataset, model.tokenizer, model.max_length)
        if cut:
            notes.append(f"{split}: {cut} of {len(dataset)} texts are longer than {model.max_length} tokens and cut.")
    return rows, notes


def _describe(table: Table) -> dict[str, Any]:
    """What was trained on: rows a split, labels a task and split, and how many of each class."""
    classes = {}
    for name, task in table.tasks.items():
        if isinstance(task, Classification):
            classes[name] = {
                split: dict(
                    zip(
                        task.classes,
                        np.bincount(table.labels(name, split), minlength=len(task.classes)).tolist(),
                        strict=True,
                    )
                )
                for split in table.splits
            }
    counts = table.counts()
    return {
        "rows": {split: count["rows"] for split, count in counts.items()},
        "labels": {name: {split: count["labels"][name] for split, count in counts.items()} for name in table.tasks},
        "classes": classes,
        "fingerprint": _fingerprint(table),
    }


def _fingerprint(table: Table) -> str:
    """A hash of all texts and labels."""
    digest = hashlib.sha256()
    for dataset in table.splits.values():
        for column in dataset.column_names:
            digest.update(repr(dataset[column][:]).encode())
    return digest.hexdigest()


def _training_seconds(folder: Path) -> float:
    """The time of all steps, also those before the run was resumed."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return round(sum(line.get("seconds", 0.0) for line in lines), 1)


def _make_trainer(config: RunConfig, table: Table, rows: dict[str, Any], model: MultiTaskModel) -> MultiTaskTrainer:
    kinds = {name: task.kind for name, task in table.tasks.items()}
    stats = {name: LabelStats.fit(kind, torch.tensor(table.labels(name, "train"))) for name, kind in kinds.items()}
    balancer = make_balancer(config.balance.name, kinds, config.balance.options, label_stats=stats)
    settings = config.train
    train_rows = rows["train"]
    sampler = MixedLengthSampler(
        train_rows["length"], train_rows["source"], settings.batch_size, tau=settings.mixing, seed=settings.seed
    )

    def score_dev() -> dict[str, float]:
        records = score_model(model, table, rows["dev"], "dev", batch_size=settings.eval_batch_size)
        primary = {
            f"{record['task']}/{record['metric']}": record["value"]
            for record in records
            if record["metric"] == table.tasks[record["task"]].metric
        }
        return {"run_score": run_score(records, table.tasks), **primary}

    return MultiTaskTrainer(
        model=model,
        balancer=balancer,
        train_rows=train_rows,
        sampler=sampler,
        collate=Collator(model.tokenizer, table.tasks),
        score_dev=score_dev,
        config=settings,
        folder=config.output,
    )


def _fit(trainer: MultiTaskTrainer, config: RunConfig, resume: bool) -> TrainerState:
    """Train to the end, from the last checkpoint where there is one."""
    checkpoints = config.output / "checkpoints"
    latest = latest_checkpoint(checkpoints) if resume else None
    if latest is None or not has_ended(read_state(latest), config.train.patience):
        trainer.fit(latest)
        latest = latest_checkpoint(checkpoints)
        assert latest is not None  # every way out of training but an error saves one
    state = read_state(latest)
    if not has_ended(state, config.train.patience):
        raise TrainingError(
            f"Stopped at step {state.global_step} of {state.max_steps}; a checkpoint is saved. Go on with --resume."
        )
    return state


def _of_run(records: list[Record], split: str) -> list[Record]:
    return [record for record in records if record["model"] == "run" and record["split"] == split]
