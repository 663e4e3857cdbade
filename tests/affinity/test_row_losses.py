"""Losses of single rows, against the model's own losses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from corpus import run_data
from equipoise.affinity import measure_losses
from equipoise.config import make_config
from equipoise.data import load_table
from equipoise.modeling import evaluating, make_batch
from equipoise.training import prepare_run


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    config = make_config(run_data(tmp_path_factory.mktemp("rows"), tiny_model))
    return prepare_run(config, load_table(config))


def test_losses_are_those_of_the_model(run):
    rows = run.table.rows("towards", "dev")[::-1].copy()
    found = measure_losses(run, "dev", "towards", rows)
    items = run.rows["dev"].select(rows).to_list()
    with evaluating(run.model), torch.no_grad():
        outputs = run.model(*make_batch(run.model, items, {"towards": np.arange(len(rows))}))
        gold = torch.tensor([item["label:towards"] for item in items])
        expected = run.model.head("towards").loss(outputs["towards"], gold)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4)


def test_losses_do_not_depend_on_the_batch(run):
    rows = run.table.rows("intensity", "train")[:20]
    train = run.config.train.model_copy(update={"eval_batch_size": 3})
    small = replace(run, config=run.config.model_copy(update={"train": train}))
    whole, parts = (measure_losses(one, "train", "intensity", rows) for one in (run, small))
    np.testing.assert_allclose(whole, parts, rtol=1e-3, atol=1e-4)
    assert whole.std() > 0
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("task", ["towards", "intensity"])
@pytest.mark.parametrize(("rows", "same"), [(29, True), (40, False)])
def test_few_rows_are_not_calibrated(run, rows, same, task):
    chosen = run.table.rows(task, "train")[:rows]
    raw, calibrated = (measure_losses(run, "train", task, chosen, calibrate=how) for how in (False, True))
    assert (raw == calibrated).all() == same
    assert calibrated.mean() <= raw.mean()
