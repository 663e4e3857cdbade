"""Over how many templates answers are averaged."""

from collections.abc import Mapping

from equipoise.errors import UsageError
from equipoise.kinds import Task


def check_prompts(prompts: int, tasks: Mapping[str, Task]) -> None:
    """Refuse a number of templates that the tasks do not have.

    Args:
        prompts: how many templates to average over.
        tasks: the tasks to answer for.

    Raises:
        UsageError: it is below 1, above what a task has, or above 1 where no task prompts for an answer.
    """
    if prompts < 1:
        raise UsageError(f"prompts: found {prompts}, expected 1 or more.")
    prompted = {name: task for name, task in tasks.items() if task.is_averaged}
    if prompts > 1 and not prompted:
        raise UsageError(
            f"prompts: found {prompts}, expected 1: none of {', '.join(tasks)} prompts for an answer that "
            "can be averaged (format: prompt, scored and not written)."
        )
    for name, task in prompted.items():
        if len(task.templates) < prompts:
            raise UsageError(
                f"prompts: found {prompts}, but task '{name}' has {len(task.templates)} templates; ask for fewer, or "
                "train it with more (a list in `template`)."
            )
