"""`equipoise difficulty`."""

from .compare import WIDE
from .device import Device
from .train import RunFile, Set


def difficulty(run_file: RunFile, set_: Set = None, device: Device = None) -> None:
    """Measure how difficult tasks and training examples are: by meta data, PVI and training dynamics."""
    import os

    from rich.console import Console

    from equipoise.config import load_config
    from equipoise.curriculum import DIFFICULTY_OUTPUT, gather_difficulty, measure_difficulty, write_examples
    from equipoise.files import replace_folder
    from equipoise.outputs import check_output
    from equipoise.reporting import correlations_table, difficulty_table, write_difficulty
    from equipoise.temporaries import clean_leftovers
    from equipoise.training.folder import DIFFICULTY, inputs_of

    config = load_config(run_file, set_ or ())
    folder = config.output / DIFFICULTY
    clean_leftovers(folder)

    def check_free() -> None:
        check_output(folder, DIFFICULTY_OUTPUT, inputs_of(config))

    check_free()
    measured = measure_difficulty(config)
    results = gather_difficulty(measured)
    with replace_folder(folder, check_free) as written:
        write_examples(written, measured.difficulty)
        write_difficulty(written, results)
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    console.print(difficulty_table(results))
    console.print(correlations_table(results))
    for note in measured.difficulty.notes:
        console.print(f"- {note}", markup=False, highlight=False)
    here = os.path.relpath(folder)
    console.print(f"Page: {here}/difficulty.html   Examples: {here}/difficulty.jsonl", highlight=False, soft_wrap=True)
