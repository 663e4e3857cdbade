import pytest

from comparisons import CONTEXT, write_run_file
from equipoise.comparison import compare, processes


@pytest.fixture(autouse=True, scope="package")
def _fork_trainings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "_CONTEXT", CONTEXT)
        yield


@pytest.fixture(scope="package")
def finished(tmp_path_factory, tiny_model):
    """A comparison of two run files, one of which cannot be trained: single, equal, static, dao and the failing dao."""
    folder = tmp_path_factory.mktemp("comparison")
    files = [
        write_run_file(folder, tiny_model),
        write_run_file(folder, tiny_model, "wild", learning_rate=1e30, head_learning_rate=1e30),
    ]
    return compare(files, "dao", seeds=2, trials=2, jobs=2)
