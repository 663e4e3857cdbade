"""From the run file to a run that can take its first step; whatever is wrong with the input is found here."""

from equipoise.auditing import Finding
from equipoise.balancing import make_balancer
from equipoise.config import RunConfig
from equipoise.data import Table, give_back
from equipoise.errors import UsageError
from equipoise.evaluation import check_prompted

from .audited_table import read_audited
from .building import build_model, encode_table
from .curriculum_file import check_curriculum
from .precision import check_precision, precision_notes
from .prepared_run import PreparedRun
from .processes import count_processes, is_sharded
from .sharding import check_shardable, check_sharded
from .trackers import check_trackers
from .trial import try_step


def prepare_run(config: RunConfig, table: Table | None = None) -> PreparedRun:
    """Do all that a run does before its first step: read and check the data, load the model, encode rows, try a step.

    Nothing is written. What may be wrong with the rows, and is found quickly, is a warning, one line each.

    Args:
        config: the run file.
        table: its table, where that is read already; then its rows are not looked at.

    Raises:
        UsageError: the run file is wrong.
        DataError: a file or a label is wrong.
        ModelError: the base model cannot be loaded, or cannot do what the run file asks.
        TrainingError: this machine cannot train it.
    """
    check_first(config)
    findings: list[Finding] = []
    if table is None:
        table, findings = read_audited(config)
        # The rows as they were read are gone.
        give_back()
    model = build_model(config, table)
    check_prompted(model, table, config)
    if is_sharded():
        check_shardable(model)
    rows, cut = encode_table(table, model)
    notes = (*table.notes, *cut, *precision_notes(config.train.precision))
    run = PreparedRun(config, table, model, rows, notes, tuple(findings))
    try_step(run)
    return run


def check_first(config: RunConfig) -> None:
    """Refuse a run file that is wrong, whatever the data are.

    Raises:
        UsageError: the balancer does not exist or has no such option; see also `check_settings`.
        TrainingError: see `check_settings`.
    """
    make_balancer(config.balance.name, config.label_statistics, config.balance.options)
    check_settings(config)


def check_settings(config: RunConfig) -> None:
    """Refuse settings that this machine, or these processes, cannot train with.

    Raises:
        TrainingError: a tracker is not installed, or see `check_precision`.
        UsageError: a curriculum cannot be measured, alignment would not see whole batches, or see `check_precision` and
            `check_sharded`.
    """
    check_curriculum(config)
    check_trackers(config.train.report_to)
    check_precision(config)
    if is_sharded():
        check_sharded(config)
    shares = {"train.gradient_accumulation": config.train.gradient_accumulation, "processes": count_processes()}
    for name, count in shares.items():
        if config.balance.alignment and count > 1:
            raise UsageError(
                f"balance.alignment: it compares the gradients of a whole batch, found {name}: {count}, expected 1; "
                "set that to 1, or leave alignment out."
            )
