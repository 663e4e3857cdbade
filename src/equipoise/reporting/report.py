"""The report page of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.evaluation import METRICS
from equipoise.files import write_text
from equipoise.progress import format_seconds
from equipoise.tasks import Task

from .figures import plot_dev, plot_losses, plot_weights
from .folder import RunFolder
from .pages import make_environment, thousands
from .tables import arrange, main_split, subset_columns


def write_report(run_dir: str | Path) -> Path:
    """Write `report.html` into a run folder: one page that needs neither network nor scripts.

    It shows what lies there of `metrics.json`, `log.jsonl`, `data.json` and `summary.json`; `config.yaml` is
    needed.

    Args:
        run_dir: the run folder.

    Returns:
        The path of the page.

    Raises:
        UsageError: there is no readable `config.yaml`.
        EquipoiseError: a JSON file is damaged.
    """
    run_dir = Path(run_dir)
    page = _render(RunFolder.read(run_dir))
    path = run_dir / "report.html"
    write_text(path, page)
    return path


def _render(run: RunFolder) -> str:
    tasks = run.tasks
    split = main_split(run.records)
    return (
        make_environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            tasks=tasks,
            about={name: _describe(task) for name, task in tasks.items()},
            metric_labels={name: METRICS[task.metric].label for name, task in tasks.items()},
            split=split,
            results=arrange(run.records, tasks, split=split),
            subsets={
                column: arrange(run.records, tasks, split=split, column=column)
                for column in subset_columns(run.records, split)
            },
            key_figures=_key_figures(run),
            setup=_setup(run),
            dev_figure=plot_dev(run.dev, tasks, run.summary.get("best_step")),
            loss_figure=plot_losses(run.steps, tasks),
            weight_figure=plot_weights(run.steps, tasks),
        )
    )


def _key_figures(run: RunFolder) -> dict[str, str]:
    scores = run.summary.get("run_score", {})
    figures = {f"run score on {split}": f"{scores[split]:.3f}" for split in ("test", "dev") if split in scores}
    if "train" in run.data.get("rows", {}):
        figures["training rows"] = thousands(run.data["rows"]["train"])
    if "steps" in run.summary:
        figures["steps"] = thousands(run.summary["steps"])
    if "seconds" in run.summary:
        figures["training time"] = format_seconds(run.summary["seconds"])
    return figures


def _setup(run: RunFolder) -> dict[str, str]:
    config, train = run.config, run.config.train
    options = ", ".join(f"{key} = {value}" for key, value in config.balance.options.items())
    setup = {"Backbone": config.model}
    if "parameters" in run.summary:
        setup["Parameters"] = thousands(run.summary["parameters"])
    setup["Balancer"] = config.balance.name + (f" ({options})" if options else "")
    setup["Training"] = (
        f"{_length(run)}, "
        f"batches of {train.batch_size * train.gradient_accumulation} rows, "
        f"inputs of at most {config.max_length} tokens"
    )
    modules = "" if train.head_learning_rate is None else f", {train.head_learning_rate:g} for task modules"
    setup["Learning rate"] = f"{train.learning_rate:g}{modules}, {train.schedule} schedule"
    if "best_step" in run.summary:
        setup["Kept checkpoint"] = f"step {thousands(run.summary['best_step'])}, by run score on dev"
    setup["Seed"] = str(train.seed)
    if "versions" in run.summary:
        setup["Versions"] = ", ".join(f"{name} {version}" for name, version in run.summary["versions"].items())
    return setup


def _describe(task: Task) -> Mapping[str, Any]:
    details = task.to_dict()
    kind = task.kind
    if details.get("range"):
        kind += ", {:g} to {:g}".format(*details["range"]).replace("-", "−")
    if details.get("from_score"):
        cuts = ", ".join(f"{cut:g}" for cut in details["thresholds"]).replace("-", "−")
        kind += f", cut from a score at {cuts}" if cuts else ", cut from a score into balanced classes"
    reads = task.text + (f" and {task.pair}" if task.pair else "")
    return {"kind": kind, "reads": reads, "label": task.label, "source": task.source}


def _length(run: RunFolder) -> str:
    train = run.config.train
    if train.max_steps is not None:
        return f"at most {thousands(train.max_steps)} steps"
    return f"{train.epochs:g} {'epoch' if train.epochs == 1 else 'epochs'}"
