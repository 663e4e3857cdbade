"""The table of bad inputs: what is wrong, the command that meets it, and how the message must name it.

Each case is run by `tests/cli/test_bad_inputs.py`. A new kind of bad input is one line in the table of its area.
"""

from . import aspects, command_lines, data, models, outputs, run_files, texts
from .case import Case, World

CASES: list[Case] = [
    *run_files.CASES,
    *data.CASES,
    *aspects.CASES,
    *texts.CASES,
    *models.CASES,
    *outputs.CASES,
    *command_lines.CASES,
]

__all__ = ["CASES", "Case", "World"]
