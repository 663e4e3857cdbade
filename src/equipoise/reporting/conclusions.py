"""What a run has shown, in a few sentences made of its figures."""

from collections.abc import Mapping

from equipoise.evaluation import Record, TaskMistakes
from equipoise.kinds import Task, get_metric

from .pages import thousands


def conclude(
    records: list[Record], tasks: Mapping[str, Task], mistakes: Mapping[str, TaskMistakes], split: str
) -> list[str]:
    """Return three sentences at most: how good the answers are, how far to trust them, what is mistaken most.

    Args:
        records: those of a run.
        tasks: its tasks.
        mistakes: what its tasks get wrong.
        split: the split whose figures are told.
    """
    own = {
        (one["model"], one["task"], one["metric"]): one
        for one in records
        if (one["split"], one["subset"]) == (split, "all")
    }
    sentences = (_quality(own, tasks, split), _trust(own, tasks), _confusion(mistakes))
    return [sentence for sentence in sentences if sentence]


_Own = Mapping[tuple[str, str, str], Record]


def _quality(own: _Own, tasks: Mapping[str, Task], split: str) -> str:
    scored = {name: own["run", name, task.metric] for name, task in tasks.items() if ("run", name, task.metric) in own}
    if not scored:
        return ""
    figures = ", ".join(
        f"{get_metric(tasks[name].metric).label} {one['value']:.2f} on {name}" for name, one in scored.items()
    )
    majority = {name: own.get(("majority", name, tasks[name].metric)) for name in scored}
    compared = [name for name, other in majority.items() if other is not None and scored[name]["low"] is not None]
    behind = [name for name in compared if not _is_above(scored[name], majority[name])]
    if not compared:
        beside = ""
    elif not behind:
        beside = "; that is better than always giving the most frequent answer, beyond chance" + (
            ", on every task" if len(compared) > 1 else ""
        )
    else:
        beside = f"; on {', '.join(behind)} it is not told from always giving the most frequent answer"
    return f"On {split} the model reaches {figures}{beside}."


def _is_above(one: Record, other: Record | None) -> bool:
    low = one["low"]
    return other is not None and low is not None and low > other["value"]


def _trust(own: _Own, tasks: Mapping[str, Task]) -> str:
    covered = {name: own["run", name, "coverage_90"] for name in tasks if ("run", name, "coverage_90") in own}
    if covered:
        shares = ", ".join(f"{100 * one['value']:.0f} % ({name})" for name, one in covered.items())
        return f"Sets and intervals that should hold the truth in 90 % of the cases hold it in {shares}."
    errors = {name: own["run", name, "ece"] for name in tasks if ("run", name, "ece") in own}
    if not errors:
        return ""
    gaps = ", ".join(f"{100 * one['value']:.0f} points ({name})" for name, one in errors.items())
    return f"Its probabilities are off by {gaps} on average."


def _confusion(mistakes: Mapping[str, TaskMistakes]) -> str:
    worst: tuple[float, str] | None = None
    for name, found in mistakes.items():
        for true, counts in enumerate(found["confusion"] or []):
            total = sum(counts)
            for answered, n in enumerate(counts):
                if answered != true and n and (worst is None or n / total > worst[0]) and total >= 10:
                    classes = found["classes"]
                    said = (
                        f"Most often mistaken: {classes[true]} for {classes[answered]} ({name}), in {thousands(n)} of "
                        f"{thousands(total)} rows."
                    )
                    worst = (n / total, said)
    return worst[1] if worst else ""
