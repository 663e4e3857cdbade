"""A folder in which work is done that can be stopped and continued: training, experts, comparisons, searches."""

from equipoise.locks import LOCK

from ._inputs import check_same_inputs, describe_inputs, describe_table, fingerprint, inputs_of
from ._journal import Journal
from ._locking import lock_folder, make_folder
from ._settings import changed_settings
from ._stopping import CONTINUE, StoppedError, explain_stop
from ._workspace import CONFIG, DATA, RunFileWorkspace, WorkKind, Workspace, run_file_output

__all__ = [
    "CONFIG",
    "CONTINUE",
    "DATA",
    "LOCK",
    "Journal",
    "RunFileWorkspace",
    "StoppedError",
    "WorkKind",
    "Workspace",
    "changed_settings",
    "check_same_inputs",
    "describe_inputs",
    "describe_table",
    "explain_stop",
    "fingerprint",
    "inputs_of",
    "lock_folder",
    "make_folder",
    "run_file_output",
]
