"""One run from the run file to the report."""

import json
import resource
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import TrainerState, set_seed

from equipoise.balancing import LabelStats, make_balancer
from equipoise.config import RunConfig, load_config
from equipoise.data import Collator, MixedLengthSampler, Table, load_table, tokenise
from equipoise.errors import TrainingError, UsageError
from equipoise.evaluation import Predictions, Record, predict_split, run_score, score_predictions, score_split
from equipoise.files import write_json
from equipoise.modeling import MultiTaskModel, freeze_embeddings, load_backbone
from equipoise.reporting import write_report

from .checkpoints import check_checkpoint, checkpoint_at, has_ended, latest_checkpoint, read_state
from .description import describe_table
from .folder import (
    Run,
    check_inputs_apart,
    check_output,
    check_same,
    is_finished,
    only_run_in,
    open_folder,
    read_run,
    write_predictions,
)
from .processes import count_processes, in_first, join_processes
from .trainer import MultiTaskTrainer, load_weights


def train(
    run_file: str | Path | RunConfig,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Train one model for all tasks of a run file, evaluate it and write the report.

    The run's folder then holds `config.yaml`, `log.jsonl`, `data.json`, `metrics.json`, `predictions.npz`,
    `summary.json`, `model/` and `report.html`, which is written last. Started by `torchrun` or `accelerate launch`, all
    processes train, each on `train.batch_size` rows a step; the first one scores and writes.

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
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other; give one.")
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    join_processes()
    folder = config.output
    if in_first(lambda: _is_done(config, resume, overwrite)):
        return read_run(folder)
    check_inputs_apart(config)

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

    with ExitStack() as held:

        def begin() -> bool:
            held.enter_context(only_run_in(folder))
            # Again: another run may have ended here while this one was loading.
            if _is_done(config, resume, overwrite):
                return False
            open_folder(folder, config, {**describe_table(table), "notes": [*table.notes, *notes]}, resume)
            return True

        if in_first(begin):
            trainer = _make_trainer(config, table, rows, model)
            state = _fit(trainer, config, resume)
            in_first(lambda: _finish(config, table, rows, model, state))
    return read_run(folder)


def _is_done(config: RunConfig, resume: bool, overwrite: bool) -> bool:
    """Whether the output folder holds this run, finished; refuse a folder that is not this run's to write."""
    if resume and is_finished(config.output):
        check_same(config, config.output)
        return True
    check_output(config.output, resume, overwrite)
    return False


def _finish(config: RunConfig, table: Table, rows: dict[str, Any], model: MultiTaskModel, state: TrainerState) -> None:
    """Evaluate the best checkpoint and write what a finished run holds."""
    folder = config.output
    best_step = state.best_global_step or state.global_step
    best = checkpoint_at(folder / "checkpoints", best_step)
    check_checkpoint(best)
    load_weights(model, best)
    model.save_pretrained(folder / "model")

    # Dev has chosen the checkpoint; test is scored once.
    predictions = {split: _predict(model, table, rows, split, config, show=True) for split in ("dev", "test")}
    write_predictions(folder, predictions, table)
    records = [record for split, found in predictions.items() for record in score_split(found, table, split, config)]
    write_json(folder / "metrics.json", records)
    seconds = _step_seconds(folder)
    summary = {
        "status": "finished",
        "steps": state.global_step,
        "best_step": best_step,
        "run_score": {split: run_score(_of_run(records, split), table.tasks) for split in ("dev", "test")},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seconds": round(sum(seconds), 1),
        "seconds_per_step": round(median(seconds), 4),
        "peak_memory_mb": _peak_memory_mb(),
        "versions": {name: version(name) for name in ("equipoise", "torch", "transformers")},
    }
    write_json(folder / "summary.json", summary)
    write_report(folder)
    shutil.rmtree(folder / "checkpoints")


def _tokenise(table: Table, model: MultiTaskModel) -> tuple[dict[str, Any], list[str]]:
    rows, notes = {}, []
    for split, dataset in table.splits.items():
        rows[split], cut = tokenise(dataset, model.tokenizer, model.max_length)
        if cut:
            notes.append(f"{split}: {cut} of {len(dataset)} texts are longer than {model.max_length} tokens and cut.")
    return rows, notes


def _predict(
    model: MultiTaskModel, table: Table, rows: dict[str, Any], split: str, config: RunConfig, *, show: bool = False
) -> Predictions:
    size = config.train.eval_batch_size
    return predict_split(model, table, rows[split], split, batch_size=size, label=f"Scoring {split}" if show else None)


def _step_seconds(folder: Path) -> list[float]:
    """The time of every step, also of those before the run was resumed."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["seconds"] for line in lines if "seconds" in line]


def _peak_memory_mb() -> float:
    """The most memory this process has held, in MB: the GPU's where there is one."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    try:
        # Linux, where ru_maxrss begins with what the process that started this one held.
        kilobytes = int(Path("/proc/self/status").read_text(encoding="utf-8").partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError):
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    return round(kilobytes * 1024 / 1e6, 1)


def _make_trainer(config: RunConfig, table: Table, rows: dict[str, Any], model: MultiTaskModel) -> MultiTaskTrainer:
    kinds = {name: task.kind for name, task in table.tasks.items()}
    stats = {name: LabelStats.fit(kind, torch.tensor(table.labels(name, "train"))) for name, kind in kinds.items()}
    balancer = make_balancer(
        config.balance.name, kinds, config.balance.options, label_stats=stats, seed=config.train.seed
    )
    settings = config.train
    train_rows = rows["train"]
    sampler = MixedLengthSampler(
        train_rows["length"],
        train_rows["source"],
        settings.batch_size * count_processes(),
        tau=settings.mixing,
        seed=settings.seed,
    )

    def score_dev() -> dict[str, float]:
        records = score_predictions(_predict(model, table, rows, "dev", config), table, "dev")
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
    latest = in_first(lambda: _resume_point(checkpoints) if resume else None)
    if latest is None or not has_ended(read_state(latest), config.train.patience):
        trainer.fit(latest)
    return in_first(lambda: _final_state(checkpoints, config.train.patience))


def _resume_point(checkpoints: Path) -> Path | None:
    latest = latest_checkpoint(checkpoints)
    begun = count_processes() if latest is None else len(list(latest.glob("rng_state*.pth")))
    if begun != count_processes():
        raise TrainingError(
            f"{latest}: the run was begun with {begun} processes, found {count_processes()}; resume with as many, or "
            "start anew with --overwrite or another `output`."
        )
    return latest


def _final_state(checkpoints: Path, patience: int | None) -> TrainerState:
    latest = latest_checkpoint(checkpoints)
    assert latest is not None  # every way out of training but an error saves one
    state = read_state(latest)
    if not has_ended(state, patience):
        raise TrainingError(
            f"Stopped at step {state.global_step} of {state.max_steps}; a checkpoint is saved. Go on with --resume."
        )
    return state


def _of_run(records: list[Record], split: str) -> list[Record]:
    return [record for record in records if record["model"] == "run" and record["split"] == split]
