"""The model card: what a model does, how well, and how to use it, in the form that the Hugging Face hub shows."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from equipoise.digests import seal
from equipoise.evaluation import Record
from equipoise.files import write_text
from equipoise.kinds import Task, get_metric
from equipoise.modeling import CARD

from .folder import RunFolder
from .pages import thousands

_BASES = {
    "minilm": "sentence-transformers/all-MiniLM-L6-v2",
    "mpnet-base": "sentence-transformers/all-mpnet-base-v2",
    "smollm2-135m": "HuggingFaceTB/SmolLM2-135M-Instruct",
}
"""Where the hub has the starter models."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def write_card(run_dir: str | Path, tasks: Mapping[str, Task]) -> Path:
    """Write the card of a finished run's model, `model/README.md`, after Mitchell et al. 2019 (arXiv 1810.03993).

    Figures are those of `metrics.json`, on the test split. The card names sources and no files. A line at its end tells
    whether it was changed since: a changed card is never replaced with the model.

    Args:
        run_dir: the run's folder.
        tasks: the model's tasks, their label spaces resolved.

    Returns:
        The path of the card.
    """
    run = RunFolder.read(Path(run_dir))
    path = Path(run_dir) / "model" / CARD
    write_text(path, seal(f"---\n{_metadata(run)}\n---\n\n" + "\n".join(_lines(run, tasks)) + "\n"))
    return path


def _own(run: RunFolder, model: str = "run") -> list[Record]:
    return [one for one in run.records if (one["split"], one["subset"], one["model"]) == ("test", "all", model)]


def _metadata(run: RunFolder) -> str:
    results = [
        EvalResult(
            task_type="text-classification",
            task_name=one["task"],
            dataset_type=run.tasks[one["task"]].source,
            dataset_name=run.tasks[one["task"]].source,
            dataset_split="test",
            metric_type=one["metric"],
            metric_name=get_metric(one["metric"]).label,
            metric_value=round(one["value"], 4),
        )
        for one in _own(run)
        if one["metric"] == run.tasks[one["task"]].metric
    ]
    base = _BASES.get(run.config.model, run.config.model if _HUB_ID.fullmatch(run.config.model) else None)
    return ModelCardData(
        model_name=run.name,
        eval_results=results or None,
        library_name="equipoise",
        pipeline_tag="text-classification",
        tags=["sentiment-analysis", "multi-task", "equipoise"],
        base_model=base,
    ).to_yaml()


def _lines(run: RunFolder, tasks: Mapping[str, Task]) -> Iterator[str]:
    scored = [name for name in run.tasks if name not in run.auxiliary]
    yield f"# {_plain(run.name)}"
    yield ""
    yield (
        f"One model for {len(scored)} sentiment task{'' if len(scored) == 1 else 's'}: one pass over a text answers "
        "all of them. Trained with Equipoise."
    )
    yield ""
    yield "| task | answers | reads |"
    yield "|---|---|---|"
    for name in scored:
        task = tasks[name]
        classes = ", ".join(task.class_names)
        answers = f"{task.kind}: {classes}" if classes else task.summary
        yield f"| {_plain(name)} | {_plain(answers)} | {'a text and a second one' if task.pair else 'a text'} |"
    yield from _use(run)
    yield from _results(run, tasks)
    yield from _training(run)
    yield from _limits()


def _use(run: RunFolder) -> Iterator[str]:
    pair = ', "the second text"' if any(task.pair for task in run.tasks.values()) else ""
    yield from ("", "## Use", "", "```python", "import equipoise", "")
    yield 'model = equipoise.load("FOLDER")  # the folder that holds this file'
    yield f'model.predict(["Arrived late, and the box was crushed."]{pair})'
    yield from ("```", "", "On the command line: `equipoise predict FOLDER FILE.csv -o answers.jsonl`.")


def _results(run: RunFolder, tasks: Mapping[str, Task]) -> Iterator[str]:
    own = [one for one in _own(run) if one["metric"] in tasks[one["task"]].scored_metrics]
    if not own:
        return
    majority = {(one["task"], one["metric"]): one["value"] for one in _own(run, "majority")}
    yield from ("", "## Results on test", "")
    yield "Brackets hold the 95 % bootstrap interval over rows; *majority* always gives the most frequent answer."
    yield from ("", "| task | metric | this model | majority | rows |", "|---|---|---|---|---|")
    for one in own:
        bounds = "" if one["low"] is None or one["high"] is None else f" [{one['low']:.3f}, {one['high']:.3f}]"
        metric, other = get_metric(one["metric"]), majority.get((one["task"], one["metric"]))
        arrow = "" if metric.higher_is_better else " ↓"
        yield (
            f"| {_plain(one['task'])} | {_plain(metric.label)}{arrow} | {one['value']:.3f}{bounds} | "
            f"{'–' if other is None else f'{other:.3f}'} | {thousands(one['n'])} |"
        )


def _training(run: RunFolder) -> Iterator[str]:
    rows = run.data.get("rows", {})
    train = run.config.train
    yield from ("", "## Training", "")
    yield f"- Backbone: {_plain(_BASES.get(run.config.model, Path(run.config.model).name))}"
    yield f"- Sources: {_plain(', '.join(run.config.sources))}"
    if rows:
        yield "- Rows: " + ", ".join(f"{thousands(n)} {split}" for split, n in rows.items())
    batch = train.batch_size * train.gradient_accumulation
    yield (
        f"- Epochs: {train.epochs:g} at most, batches of {batch} rows, learning rate {train.learning_rate:g}, texts of "
        f"{run.config.max_length} tokens at most, seed {train.seed}"
    )
    yield f"- Tasks balanced by `{run.config.balance.name}`"
    if versions := run.summary.get("versions"):
        yield "- Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items())


def _limits() -> Iterator[str]:
    yield from ("", "## Limits", "")
    yield "- The figures hold for texts like those of the sources. On other texts, measure first."
    yield "- The dev split chose the checkpoint and calibrated the answers; the test split was scored once."
    yield (
        "- No licence is stated here: it depends on the data and the backbone. Add `license:` above before you publish."
    )


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    escaped = re.sub(r"([\\`*_\[\]|#~])", r"\\\1", " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
