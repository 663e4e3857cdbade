import numpy as np
import pytest
import torch

from equipoise.config import load_config
from equipoise.data import load_table
from equipoise.evolution.refitting import LastInputs, refit_module
from equipoise.evolution.workbench import Workbench
from equipoise.kinds import Classification, Multilabel, Ordinal, Regression, make_analysis
from equipoise.modeling.heads import make_head

COMMON = ("source", "text", None, "label")
TASKS = {
    "three": Classification("three", *COMMON, "macro_f1", ("a", "b", "c")),
    "two": Classification("two", *COMMON, "macro_f1", ("a", "b")),
    "ranks": Ordinal("ranks", *COMMON, "qwk", ("1", "2", "3", "4")),
    "labels": Multilabel("labels", *COMMON, "macro_f1", ("x", "y", "z")),
    "score": Regression("score", *COMMON, "pearson", (-2.0, 2.0), mean=0.5, std=2.0),
}
ROWS, WIDTH = 60, 8


def labels_of(task, inputs):
    """Labels that follow the first inputs; one class, and one label, are never there."""
    if task == "score":
        return np.clip(inputs[:, 0] * 2, -2, 2)
    signs = (inputs[:, :3] > 0).astype(int)
    if task == "labels":
        signs[:, 2] = 0
        return signs
    return signs[:, 0] * (2 if task in ("three", "ranks") else 1)


@pytest.mark.parametrize("name", TASKS)
def test_the_layer_answers_as_the_probe_does(name):
    torch.manual_seed(0)
    task, module = TASKS[name], make_head(TASKS[name], WIDTH).eval()
    features = torch.randn(ROWS, WIDTH) * torch.arange(1, WIDTH + 1)
    with torch.no_grad():
        read = LastInputs(module).eval()
        inputs = read.predict(read(features)).double().numpy()
        gold = labels_of(name, features.numpy())
        made = refit_module(task, module, (inputs, gold), penalty=10.0)
        found = made.predict(made(features)).numpy()
    probe = make_analysis(task).make_probe(10.0).fit(inputs, gold)
    np.testing.assert_allclose(found, probe.predict(inputs), atol=1e-5)
    assert not torch.equal(made.layers[-1].weight, module.layers[-1].weight)
    assert torch.equal(made.layers[1].weight, module.layers[1].weight)


def test_dev_chooses_the_penalty():
    torch.manual_seed(0)
    task, module = TASKS["two"], make_head(TASKS["two"], WIDTH).eval()
    inputs = np.random.default_rng(0).normal(size=(ROWS, WIDTH))
    gold = labels_of("two", inputs)
    weak = refit_module(task, module, (inputs, gold), (inputs, gold))
    strong = refit_module(task, module, (inputs, gold), penalty=1e4)
    assert weak.layers[-1].weight.norm() > 2 * strong.layers[-1].weight.norm()


def test_layers_are_fitted_for_a_while(merged):
    config = load_config(merged.folder / "config.yaml")
    table = load_table(config)
    bench = Workbench(config, table, [merged.folder.parent / "experts" / task for task in table.scored])
    before = bench.predict_split("dev", ["towards", "words"])
    train = {task: table.rows(task, "train") for task in table.scored}
    with bench.refitted(train, by_dev=True):
        during = bench.predict_split("dev", ["towards", "words"])
    after = bench.predict_split("dev", ["towards", "words"])
    for task, found in before.items():
        assert not np.allclose(found, during[task])
        np.testing.assert_array_equal(found, after[task])
    with pytest.raises(KeyboardInterrupt), bench.refitted(train):
        raise KeyboardInterrupt
    np.testing.assert_array_equal(bench.predict_split("dev", ["towards"])["towards"], before["towards"])
    off = config.merge.model_copy(update={"refit": False})
    bench.config = config.model_copy(update={"merge": off})
    with bench.refitted(train):
        np.testing.assert_array_equal(bench.predict_split("dev", ["towards"])["towards"], before["towards"])
