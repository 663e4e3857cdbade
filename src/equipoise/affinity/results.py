"""From the journal to what the page, the terminal and `mixed.yaml` hold."""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from equipoise.evaluation import bootstrap_means
from equipoise.reporting import GainRange, MixCost, MixPair, MixResults, MixTarget, TrainedPair, Verdict

from .estimating import estimate_gain
from .mix_folder import CellRecord
from .plan import UNTRAINED, Pair, Plan

Records = Mapping[str, CellRecord]

_FEW_DEV_ROWS = 50
"""With fewer a note says so."""


def read_estimates(plan: Plan, records: Records) -> dict[Pair, GainRange]:
    """Return the estimated gains by pair.

    Args:
        plan: the trainings.
        records: the journal's lines.
    """
    untrained = records[UNTRAINED].get("probes", {})
    found = {}
    for pair in plan.pairs:
        helped = records.get(plan.helper_alone(pair.helper).key)
        if helped is not None and pair.target in untrained:
            before, after = (np.asarray(losses[pair.target]) for losses in (untrained, helped.get("probes", {})))
            found[pair] = GainRange(*estimate_gain(before, after, plan.config.train.seed))
    return found


def count_estimate_rows(records: Records) -> int:
    """Return how many rows the estimates have read.

    Args:
        records: the journal's lines.
    """
    return sum(record["rows"] for record in records.values() if _is_estimate(record))


def _is_estimate(record: CellRecord) -> bool:
    return "probes" in record


def _rank(plan: Plan, estimates: Mapping[Pair, GainRange]) -> list[Pair]:
    """Return all pairs, the best estimate first; pairs without one come after those that are estimated to help."""
    return sorted(plan.pairs, key=lambda pair: -estimates[pair].value if pair in estimates else 0.0)


def _order(plan: Plan, estimates: Mapping[Pair, GainRange]) -> list[Pair]:
    """Return all pairs in the order of their training: the best of every target, then the second best ones."""
    ranked = _rank(plan, estimates)
    by_target = {target: [pair for pair in ranked if pair.target == target] for target in plan.targets}
    ranks = max(map(len, by_target.values()))
    rounds = [[pairs[rank] for pairs in by_target.values() if rank < len(pairs)] for rank in range(ranks)]
    return [pair for turn in rounds for pair in sorted(turn, key=ranked.index)]


def _cost(plan: Plan, pair: Pair, targets: Collection[str]) -> int:
    """Return the rows that training a pair reads, beside those of targets that are trained alone already."""
    return plan.with_helper(pair).rows + (0 if pair.target in targets else plan.alone(pair.target).rows)


def choose_pairs(plan: Plan, estimates: Mapping[Pair, GainRange], spent: int, budget: float) -> list[Pair]:
    """Choose which pairs are trained: the best estimate of every target, then the second best ones, as rows allow.

    One pair is always trained: without it nothing would be known for certain. A budget of 1 or more is for all pairs.

    Args:
        plan: the trainings.
        estimates: the estimated gains.
        spent: rows that the estimates have cost.
        budget: rows that may be read, as a share of those of all pairs.
    """
    left = budget * plan.all_rows() - spent if budget < 1 else math.inf
    chosen: list[Pair] = []
    for pair in _order(plan, estimates):
        cost = _cost(plan, pair, {one.target for one in chosen})
        if not chosen or cost <= left:
            chosen.append(pair)
            left -= cost
    return chosen


def gather_results(plan: Plan, records: Records, notes: Sequence[str]) -> MixResults:
    """Return what is known by now.

    Args:
        plan: the trainings.
        records: the journal's lines.
        notes: sentences on the data.
    """
    estimates = read_estimates(plan, records)
    ranked = _rank(plan, estimates)
    trained = {pair: found for pair in ranked if (found := _read_trained(plan, pair, records)) is not None}
    verdicts = {pair: _judge(trained.get(pair), pair in estimates) for pair in ranked}
    helping = [pair for pair, verdict in verdicts.items() if verdict is Verdict.HELPS]
    chosen = {pair.helper for pair in helping} - set(plan.targets)
    order = sorted(ranked, key=lambda pair: plan.targets.index(pair.target))
    return MixResults(
        name=plan.config.output.name,
        model=plan.config.model,
        passes=plan.passes,
        targets={name: _describe(plan, name) for name in plan.targets},
        pairs=[
            MixPair(
                pair.target,
                pair.helper,
                estimates.get(pair),
                trained.get(pair),
                verdicts[pair],
                pair in helping and pair.helper in chosen,
            )
            for pair in order
        ],
        helpers=list(plan.helpers),
        chosen=[name for name in plan.helpers if name in chosen],
        cost=_count_cost(plan, records),
        notes=[
            *notes,
            *_say_what_has_no_estimate(plan, records),
            *_say_what_is_small(plan),
            *_say_what_is_open(plan, verdicts),
            *_say_what_is_next(plan, estimates, records, trained),
        ],
    )


def _read_trained(plan: Plan, pair: Pair, records: Records) -> TrainedPair | None:
    alone, with_helper = records.get(plan.alone(pair.target).key), records.get(plan.with_helper(pair).key)
    if alone is None or with_helper is None:
        return None
    losses = [np.asarray([record["losses"]]) for record in (alone, with_helper)]
    # The same rows are drawn for both.
    means = bootstrap_means(losses, seed=plan.config.train.seed)
    low, high = np.quantile(100 * (1 - means[1] / means[0]), (0.025, 0.975))
    value = 100 * (1 - losses[1].mean() / losses[0].mean())
    gain = GainRange(float(value), float(low), float(high))
    return TrainedPair(gain, with_helper["metric"], alone["metric"], with_helper["seconds"])


def _judge(trained: TrainedPair | None, is_estimated: bool) -> Verdict:
    if trained is None:
        return Verdict.ESTIMATED if is_estimated else Verdict.UNKNOWN
    if trained.gain.low > 0:
        return Verdict.HELPS
    return Verdict.HURTS if trained.gain.high < 0 else Verdict.OPEN


def _describe(plan: Plan, name: str) -> MixTarget:
    task, table = plan.table.tasks[name], plan.table
    return MixTarget(task.summary, task.metric, len(table.rows(name, "train")), len(table.rows(name, "dev")))


def _count_cost(plan: Plan, records: Records) -> MixCost:
    trainings = [record for record in records.values() if not _is_estimate(record)]
    rows, seconds = sum(one["rows"] for one in trainings), sum(one["seconds"] for one in trainings)
    return MixCost(
        estimate_rows=count_estimate_rows(records),
        trained_rows=rows,
        all_rows=plan.all_rows(),
        estimate_seconds=sum(record["seconds"] for record in records.values() if _is_estimate(record)),
        trained_seconds=seconds,
        all_seconds=plan.all_rows() * seconds / rows if rows else None,
    )


def _say_what_has_no_estimate(plan: Plan, records: Records) -> list[str]:
    judged = records[UNTRAINED].get("probes", {})
    about = {f"Target '{name}': what helps it is": name for name in plan.targets if name not in judged}
    if judged:
        helpers = (name for name in plan.helpers if plan.helper_alone(name).key not in records)
        about |= {f"Helper '{name}': what it gives is": name for name in helpers}
    return [
        f"{what} not estimated (kind {plan.table.tasks[name].kind}, base model {plan.config.model}, "
        f"{len(plan.table.rows(name, 'train'))} training rows), so its pairs are trained after those that promise more."
        for what, name in about.items()
    ]


def _say_what_is_small(plan: Plan) -> list[str]:
    rows = {name: len(plan.table.rows(name, "dev")) for name in plan.targets}
    return [
        f"Target '{name}': {count} rows in dev; with so few, 'helps' may be chance. Call it again with another "
        "train.seed and output, or give more rows (split)."
        for name, count in rows.items()
        if count < _FEW_DEV_ROWS
    ]


def _say_what_is_open(plan: Plan, verdicts: Mapping[Pair, Verdict]) -> list[str]:
    notes = []
    for target in plan.targets:
        of_target = {pair.helper: verdict for pair, verdict in verdicts.items() if pair.target == target}
        if not any(verdict is Verdict.HELPS for verdict in of_target.values()):
            open_yet = (Verdict.ESTIMATED, Verdict.UNKNOWN)
            tried = [helper for helper, verdict in of_target.items() if verdict not in open_yet]
            about = f"none of {', '.join(tried)} certainly helps" if tried else "no candidate was trained with it"
            notes.append(f"Task '{target}': {about}.")
    return notes


def _say_what_is_next(
    plan: Plan, estimates: Mapping[Pair, GainRange], records: Records, trained: Collection[Pair]
) -> list[str]:
    """Say which budget the next pair needs."""
    targets = {pair.target for pair in trained}
    for pair in _order(plan, estimates):
        if pair not in trained:
            rows = sum(record["rows"] for record in records.values()) + _cost(plan, pair, targets)
            share = math.ceil(100 * rows / plan.all_rows()) / 100
            needed = "1" if share >= 1 else f"{share:.2f}"
            return [f"The next pair, {pair.target} with {pair.helper}, is trained with --budget {needed}."]
    return []
