"""`equipoise difficulty`."""

import os
from functools import partial

from .options import Device, RunFile, Set


def difficulty(run_file: RunFile, set_: Set = None, device: Device = None) -> None:
    """Measure how difficult tasks and training examples are: by metadata, PVI and training dynamics."""
    from equipoise.config import load_config

    config = load_config(run_file, set_ or ())  # before the heavy imports, so that a mistake shows at once

    from equipoise.curriculum import DIFFICULTY_OUTPUT, gather_difficulty, measure_difficulty, write_examples
    from equipoise.files import replace_folder
    from equipoise.outputs import check_output
    from equipoise.reporting import correlations_table, difficulty_table, write_difficulty
    from equipoise.temporaries import clean_leftovers
    from equipoise.terminal import open_console
    from equipoise.training import DIFFICULTY
    from equipoise.workspace import inputs_of

    folder = config.output / DIFFICULTY
    clean_leftovers(folder)
    check_free = partial(check_output, folder, DIFFICULTY_OUTPUT, inputs_of(config))
    check_free()
    measured = measure_difficulty(config)
    results = gather_difficulty(measured)
    with replace_folder(folder, check_free) as written:
        write_examples(written, measured.difficulty)
        write_difficulty(written, results)
    console = open_console()
    console.print(difficulty_table(results))
    console.print(correlations_table(results))
    for note in measured.difficulty.notes:
        console.print(f"- {note}", markup=False, soft_wrap=True)
    here = os.path.relpath(folder)
    console.print(f"Page: {here}/difficulty.html   Examples: {here}/difficulty.jsonl", soft_wrap=True)
