"""One small model with a task of each kind that can be calibrated, trained once."""

from pathlib import Path

import pytest

from equipoise.config import make_config
from equipoise.training import Run, train
from trust_data import trust_data


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Run:
    """A finished run, calibrated on a dev split of a few hundred rows."""
    return train(make_config(trust_data(tmp_path_factory.mktemp("trust"), tiny_model)))
