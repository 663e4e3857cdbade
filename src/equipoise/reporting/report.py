"""The report page of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.kinds import Task, get_metric
from equipoise.progress import format_seconds

from .compare_results import Estimate, read_tests
from .compare_tables import against_columns
from .conclusions import conclude
from .folder import RunFolder
from .mistakes import count_options, show_mistakes
from .pages import thousands, write_page
from .tables import arrange, main_split, subset_columns
from .trust_tables import coverage_rows


def write_report(run_dir: str | Path) -> Path:
    """Write `report.html` into a run folder: one page that needs neither network nor scripts.

    It shows what lies there of `metrics.json`, `examples.json`, `mistakes.json`, `trust.json`, `log.jsonl`, `data.json`
    and `summary.json`; `config.yaml` is needed.

    Args:
        run_dir: the run folder.

    Returns:
        The path of the page.

    Raises:
        UsageError: there is no readable `config.yaml`.
        EquipoiseError: a JSON file is damaged.
    """
    # matplotlib is imported when a page is written, not with every table.
    from .compare_figures import plot_metrics
    from .figures import plot_dev, plot_difficulty, plot_losses, plot_weights
    from .trust_figures import plot_reliability, plot_risk

    run = RunFolder.read(Path(run_dir))
    tasks = run.tasks
    split = main_split(run.records)
    single = run.single.get("tasks", {})
    tests = {"single-task": read_tests(run.single.get("tests", []))}
    mistakes = show_mistakes(run.mistakes)
    return write_page(
        run_dir,
        "report",
        run=run,
        tasks=tasks,
        about={name: _describe(task) for name, task in tasks.items()},
        metric_labels={name: get_metric(task.metric).label for name, task in tasks.items()},
        split=split,
        results=arrange(run.records, tasks, split=split),
        subsets={
            column: arrange(run.records, tasks, split=split, column=column)
            for column in subset_columns(run.records, split)
        },
        single_figure=plot_metrics({name: about["metric"] for name, about in single.items()}, _joint_and_single(run)),
        against={name: against_columns(name, about["item_metric"], tests, ["run"]) for name, about in single.items()},
        conclusions=conclude(run.records, tasks, run.mistakes, split),
        examples=run.examples,
        mistakes=mistakes,
        task_options=[(name, None) for name in mistakes],
        filtered=count_options(mistakes),
        key_figures=_key_figures(run),
        setup=_setup(run),
        dev_figure=plot_dev(run.dev, tasks, run.summary.get("best_step")),
        loss_figure=plot_losses(run.steps, tasks),
        weight_figure=plot_weights(run.steps, tasks),
        difficulty_figure=plot_difficulty(run.steps),
        coverage=coverage_rows(run.records, tasks),
        reliability_figure=plot_reliability(run.curves),
        risk_figure=plot_risk(run.curves),
        calibrated=any("before" in curve["risk"] for curve in run.curves.values()),
    )


def _joint_and_single(run: RunFolder) -> dict[str, dict[str, Estimate]]:
    """Return the primary metrics of single-task models and of the joint one, as the rows of a comparison."""
    if not run.single:
        return {}
    rows: dict[str, dict[str, Estimate]] = {"single-task": {}, "this run": {}}
    names = {"single-task": "single-task", "run": "this run"}
    for one in run.records:
        is_whole_test = one["split"] == "test" and one["subset"] == "all"
        if is_whole_test and one["model"] in names and one["metric"] == run.tasks[one["task"]].metric:
            rows[names[one["model"]]][one["task"]] = Estimate(one["value"], one["low"], one["high"])
    return rows


def _key_figures(run: RunFolder) -> dict[str, str]:
    scores = run.summary.get("run_score", {})
    figures = {f"run score on {split}": f"{scores[split]:.3f}" for split in ("test", "dev") if split in scores}
    if run.single:
        figures["run score on test, single-task"] = f"{run.single['run_score']['test']:.3f}"
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
        + (", longer texts in windows" if config.long_texts == "windows" else "")
    )
    modules = "" if train.head_learning_rate is None else f", {train.head_learning_rate:g} for heads"
    setup["Learning rate"] = f"{train.learning_rate:g}{modules}, {train.schedule} schedule"
    if config.curriculum.schedule != "none":
        seconds = format_seconds(run.summary["difficulty_seconds"]) if "difficulty_seconds" in run.summary else "–"
        setup["Curriculum"] = f"{config.curriculum.schedule} by {config.curriculum.by}, measured in {seconds}"
    if "best_step" in run.summary:
        setup["Kept checkpoint"] = f"step {thousands(run.summary['best_step'])}, by run score on dev"
    setup["Seed"] = str(train.seed)
    if "versions" in run.summary:
        setup["Versions"] = ", ".join(f"{name} {version}" for name, version in run.summary["versions"].items())
    return setup


def _describe(task: Task) -> Mapping[str, Any]:
    reads = task.text + (f" and {task.pair}" if task.pair else "")
    return {"kind": task.summary, "reads": reads, "label": task.label, "source": task.source}


def _length(run: RunFolder) -> str:
    train = run.config.train
    if train.max_steps is not None:
        return f"at most {thousands(train.max_steps)} steps"
    return f"{train.epochs:g} {'epoch' if train.epochs == 1 else 'epochs'}"
