"""The folder of a tuning: the run file, the trials, and what came of them. Several processes may work in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig
from equipoise.outputs import misplaced
from equipoise.temporaries import clean_leftovers_in, remove_folder
from equipoise.training import RUN_FREE, is_run, run_strangers, strangers_among_runs
from equipoise.workspace import CONFIG, DATA, RunFileWorkspace, WorkKind, run_file_output

HEADER = "# Written by Equipoise: the run file of this tuning, complete.\n"
RESULTS, TUNED, TRIALS, JOURNAL = "tune.json", "tuned.yaml", "trials", "tune.journal"
_FILES = (RESULTS, TUNED, TRIALS, JOURNAL, DATA, CONFIG)
"""All that a tuning writes but its locks, in the order of its removal; the file by which it is known comes last."""


def _strangers(folder: Path) -> list[str]:
    files = [name for name in _FILES if name != TRIALS]
    inner = [f"{TRIALS}/{name}" for name in strangers_among_runs(folder / TRIALS)]
    return [*misplaced(folder, files, [TRIALS]), *inner]


TUNE_OUTPUT = run_file_output("a tuning", HEADER, _strangers)
"""How the folder of `equipoise tune` is known, and what may be replaced in it."""
_TUNING = WorkKind("the tuning", TUNE_OUTPUT, lambda folder: [folder / name for name in _FILES], HEADER, RUN_FREE)


class TuneFolder(RunFileWorkspace):
    """Where a tuning lies.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _TUNING)

    @property
    def journal(self) -> Path:
        """The file of the trials, where they are not kept in a database."""
        return self.path / JOURNAL

    def trial(self, number: int) -> Path:
        """Return the folder of a trial's run."""
        return self.path / TRIALS / f"{number:03d}"

    def open(self, config: RunConfig, data: Mapping[str, Any], *, restart: bool) -> None:
        """Start the tuning, or make sure that the one that lies here is this one.

        Args:
            config: the run file.
            data: what it reads (`describe_inputs`), with notes, and "space", what is tuned.
            restart: remove what lies here.

        Raises:
            TrainingError: what lies here has other settings, data, base model, or tunes something else.
        """
        with self.hold("folder"):
            clean_leftovers_in(self.path)
            then = None if restart else self.read_data()
            if then is not None and self.is_started and then["space"] != data["space"]:
                raise self.refuse_settings(f"tuned: {_shown(then['space'])} there, {_shown(data['space'])} now")
            self.start(config, data, restart=restart)

    def remove_trial(self, number: int) -> None:
        """Remove a trial's run, unless other files lie in it."""
        folder = self.trial(number)
        if is_run(folder) and not run_strangers(folder, whole=True):
            remove_folder(folder)


def _shown(space: Mapping[str, Any]) -> str:
    return ", ".join(space) or "nothing"
