"""What is searched, in which order, and with how much of the budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equipoise.config import RunConfig
from equipoise.errors import UsageError
from equipoise.merging import make_merge_operator

from .recipes import Space
from .study import smallest_budget

STARTS = 3
"""Searches start from the uniform average, the operator's own weights, and MetaGPT's shares."""


@dataclass(frozen=True)
class Stage:
    """One search.

    Args:
        row: the evolved row that it belongs to: "one" or "two".
        part: what of it it merges: "all" experts, those of a GROUP, or the "groups".
        members: by the name of what is merged the tasks it stands for.
        candidates: its budget in candidates.
        minutes: its budget in minutes, if any.
    """

    row: str
    part: str
    members: Mapping[str, tuple[str, ...]]
    candidates: int
    minutes: float | None

    @property
    def name(self) -> str:
        """What it is called: "one/all", "two/GROUP", "two/groups"."""
        return f"{self.row}/{self.part}"

    @property
    def tasks(self) -> list[str]:
        """The tasks that its candidates are scored on."""
        return [task for tasks in self.members.values() for task in tasks]

    def space(self, config: RunConfig) -> Space:
        """What it may choose."""
        merge = config.merge
        blocks = merge.blocks if merge.coefficients == "block" else 1
        return Space(
            tuple(self.members),
            merge.operator.name,
            merge.operator.options,
            merge.options,
            blocks,
            merge.range,
            config.train.seed,
        )


def plan_stages(config: RunConfig, tasks: Sequence[str]) -> dict[str, list[Stage]]:
    """Plan the searches of each evolved row.

    The row `one` is one search over all experts. The row `two` merges the experts of each group, then the groups; a
    group of one needs no search. Each search has its starts and one generation; what is left of the budget is shared
    out by how many numbers each has.

    Args:
        config: the run file.
        tasks: the scored tasks.

    Raises:
        UsageError: the operator, an option, a group or the budget does not do.
    """
    merge = config.merge
    operator = make_merge_operator(merge.operator.name, **merge.operator.options)
    for name, (low, high) in merge.options.items():
        for value in (low, high):
            make_merge_operator(merge.operator.name, **{**merge.operator.options, name: value})
        if name in merge.operator.options:
            raise UsageError(f"merge.options.{name}: it is given with the operator, too; give it once.")
    if operator.statistics:
        raise UsageError(
            f"merge.operator: '{operator.name}' needs figures of each expert's data, which a search does not have; "
            "choose another, such as task_arithmetic."
        )
    if operator.normalized and merge.range[0] < 0:
        raise UsageError(f"merge.range: found {list(merge.range)}, expected 0 or more with '{operator.name}'.")
    if operator.most_experts is not None and operator.most_experts < len(tasks):
        raise UsageError(
            f"merge.operator: '{operator.name}' merges {operator.most_experts} experts at most, found {len(tasks)}; "
            "choose another, such as task_arithmetic."
        )
    everything: dict[str, tuple[str, ...]] = {task: (task,) for task in tasks}
    plans: dict[str, list[Stage]] = {}
    for row in merge.stages:
        members = {"all": everything} if row == "one" else _by_group(config, tasks)
        plans[row] = _share_out(config, row, members)
    return plans


def _by_group(config: RunConfig, tasks: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    hint = "or leave the second stage out (merge.stages: [one])"
    groups: dict[str, list[str]] = {}
    for task in tasks:
        group = config.tasks[task].group
        if group is None:
            named = sorted({str(one.group) for one in config.tasks.values() if one.group is not None})
            raise UsageError(
                f"tasks.{task}.group: found none, expected the group in which its expert is merged first"
                f"{f' (others: {chr(44).join(named)})' if named else ''}; give one, {hint}."
            )
        groups.setdefault(group, []).append(task)
    if len(groups) == 1 or len(groups) == len(tasks):
        found = f"all {len(tasks)} tasks in one" if len(groups) == 1 else "each task in a group of its own"
        raise UsageError(
            f"tasks: found {found}, expected two groups or more, one of them with two tasks: merging in two stages "
            f"would be merging in one; group the tasks otherwise, {hint}."
        )
    searches: dict[str, dict[str, tuple[str, ...]]] = {
        group: {task: (task,) for task in found} for group, found in groups.items() if len(found) > 1
    }
    searches["groups"] = {group: tuple(found) for group, found in groups.items()}
    return searches


def _share_out(config: RunConfig, row: str, members: Mapping[str, Mapping[str, tuple[str, ...]]]) -> list[Stage]:
    merge = config.merge
    numbers = {name: len(Stage(row, name, own, 0, None).space(config).parameters) for name, own in members.items()}
    least = {name: smallest_budget(count, STARTS) for name, count in numbers.items()}
    left = merge.candidates - sum(least.values())
    if left < 0:
        listed = ", ".join(f"{least[name]} for '{row}/{name}' over {count} numbers" for name, count in numbers.items())
        raise UsageError(
            f"merge.candidates: found {merge.candidates}, expected {sum(least.values())} or more for the row '{row}': "
            f"{STARTS} starts and one generation of each search ({listed}); give more"
            f"{', or leave the second stage out (merge.stages: [one])' if row == 'two' else ''}."
        )
    shares = {name: least[name] + left * count // sum(numbers.values()) for name, count in numbers.items()}
    # What rounding leaves goes to the last search, which decides about all tasks.
    last = next(reversed(shares))
    shares[last] += merge.candidates - sum(shares.values())
    return [
        Stage(
            row,
            name,
            own,
            shares[name],
            None if merge.minutes is None else merge.minutes * shares[name] / merge.candidates,
        )
        for name, own in members.items()
    ]
