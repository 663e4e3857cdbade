"""`equipoise calibrate`."""

from .options import Device, ModelFolder, RunFile, Set


def calibrate(model: ModelFolder, run_file: RunFile, set_: Set = None, device: Device = None) -> None:
    """Calibrate a trained model on the dev split of a run file, and keep the result with the model.

    A run has done so already; a merged model, or one that was trained before, has not.
    """
    from equipoise.config import load_config

    config = load_config(run_file, set_ or ())  # before the heavy imports, so that a mistake shows at once

    from equipoise.evaluation import calibrate as fit
    from equipoise.reporting import results_table
    from equipoise.terminal import open_console

    records = fit(model, config)
    open_console().print(results_table(records, config.open_tasks()))
