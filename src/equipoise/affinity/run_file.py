"""The run file with the tasks that help."""

from equipoise.config import RunConfig, dump_config
from equipoise.reporting import MixResults

from .plan import Plan


def write_mixed(plan: Plan, results: MixResults) -> str:
    """Return the run file of the targets and the tasks that help them, as YAML with a comment a helper.

    Helpers are auxiliary, sources count alike, and there are as many steps as give each target the passes that the run
    file plans. Settings, balancer among them, are the run file's.

    Args:
        plan: the trainings.
        results: what they found.
    """
    config = plan.config
    kept = (*plan.targets, *results.chosen)
    tasks = {
        name: task if name in plan.targets else task.model_copy(update={"auxiliary": True})
        for name, task in config.tasks.items()
        if name in kept
    }
    sources = {task.source for task in tasks.values()}
    # Also without helpers: so the same passes are made, and the two can be compared.
    train = config.train.model_copy(update={"mixing": 0.0, "max_steps": plan.mixed_steps(results.chosen)})
    output = config.output.with_name(f"{config.output.name}-mixed")
    mixed = config.model_copy(
        update={
            "tasks": tasks,
            "sources": {name: source for name, source in config.sources.items() if name in sources},
            "train": train,
            "output": output,
        }
    )
    return "".join(f"# {line}\n" for line in _explain(results)) + dump_config(_with_balance(mixed, config))


def _explain(results: MixResults) -> list[str]:
    lines = ["Written by equipoise mix: the targets, and the tasks that help them."]
    for pair in results.pairs:
        if pair.chosen and pair.trained is not None:
            gain = pair.trained.gain
            lines.append(
                f"{pair.helper} helps {pair.target}: its loss on dev is {gain.value:.1f} % lower "
                f"[{gain.low:.1f}, {gain.high:.1f}] in a short training."
            )
    return lines if len(lines) > 1 else [*lines, "No task was found to help for certain."]


def _with_balance(mixed: RunConfig, config: RunConfig) -> RunConfig:
    """Leave out of the balancer's options what is said of tasks that are not there."""
    options = {
        key: {name: entry for name, entry in value.items() if name not in config.tasks or name in mixed.tasks}
        if isinstance(value, dict)
        else value
        for key, value in config.balance.model_dump().items()
    }
    return mixed.model_copy(update={"balance": type(config.balance).model_validate(options)})
