"""Linear probes, and the features they read."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler
from transformers import AutoModel, AutoTokenizer

import equipoise
from equipoise.config import load_config
from equipoise.data import load_table
from equipoise.experts import choose_probe
from equipoise.experts.experts_folder import ExpertsFolder
from equipoise.kinds import PENALTIES, Classification, Multilabel, Regression, make_analysis
from equipoise.modeling import encode_texts
from equipoise.training.single_tasks import load_single_tasks
from prompted import TEXTS, make_model, make_tasks

RNG = np.random.default_rng(0)
COMMON = ("s", "text", None, "label")


def classes(*names):
    return Classification("c", *COMMON, "macro_f1", names)


def test_of_equal_penalties_the_strongest_is_taken_and_else_the_best_on_dev():
    features = np.array([[-1.0], [1.0]] * 20)
    gold = np.array([0, 1] * 20)
    assert choose_probe(classes("a", "b"), (features, gold), (features, gold)).penalty == PENALTIES[0]
    # Two classes of very different size: strong penalties always name the larger one.
    features = np.array([[-1.0]] * 36 + [[1.0]] * 4)
    gold = np.array([0] * 36 + [1] * 4)
    chosen = choose_probe(classes("a", "b"), (features, gold), (features, gold))
    weaker = PENALTIES[PENALTIES.index(chosen.penalty) - 1]
    assert chosen.predict(features).argmax(axis=1).tolist() == gold.tolist()
    assert (
        make_analysis(classes("a", "b")).make_probe(weaker).fit(features, gold).predict(features).argmax(axis=1).sum()
        < 4
    )


def test_the_penalty_is_chosen_by_the_f1_of_a_named_class():
    features = np.array([[-1.0]] * 36 + [[1.0]] * 4)
    gold = np.array([0] * 36 + [1] * 4)
    rare, common = (classes("a", "b").replace(metric=f"f1({name})", metric_classes=(name,)) for name in ("b", "a"))
    chosen = choose_probe(rare, (features, gold), (features, gold))
    assert chosen.predict(features).argmax(axis=1).tolist() == gold.tolist()
    # Dev without any "a": F1 of it is 0 whatever the penalty, so that the strongest is kept.
    assert choose_probe(common, (features, gold), (features[36:], gold[36:])).penalty == PENALTIES[0]


def test_a_class_without_training_rows_is_never_predicted():
    features, gold = RNG.normal(size=(30, 3)), np.array([0, 2] * 15)
    found = make_analysis(classes("a", "b", "c")).make_probe(1.0).fit(features, gold).predict(features)
    assert found[:, 1].max() == 0
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_scores_stay_in_their_range_and_features_are_standardised():
    features, gold = RNG.normal(size=(30, 3)), RNG.normal(size=30)
    inside = Regression("r", *COMMON, "pearson", (-0.1, 0.1))
    found = make_analysis(inside).make_probe(1.0).fit(features, gold).predict(features)
    assert (found.min(), found.max()) == (-0.1, 0.1)
    free = Regression("r", *COMMON, "pearson", None)
    scaled = make_analysis(free).make_probe(1.0).fit(1e3 * features + 7, gold).predict(1e3 * features + 7)
    np.testing.assert_allclose(scaled, make_analysis(free).make_probe(1.0).fit(features, gold).predict(features))


def test_thresholds_of_labels_are_tuned_where_the_penalty_is_chosen():
    # A rare label: no probability comes near 0.5, but a lower threshold tells the rows apart.
    features = np.array([[-1.0]] * 38 + [[1.0]] * 2)
    gold = np.array([[0]] * 38 + [[1]] * 2)
    task = Multilabel("m", *COMMON, "macro_f1", ("a",), thresholds=(0.5,))
    probe = choose_probe(task, (features, gold), (features, gold))
    assert probe.penalty == PENALTIES[0]
    assert probe.predict(features).max() < 0.5


def test_features_are_the_pooled_hidden_states(tiny_model):
    tasks = {name: task for name, task in make_tasks(polarity="head", intensity="head").items() if name[0] in "pi"}
    model = make_model(tiny_model, tasks, 40).train()
    import datasets

    dataset = datasets.Dataset.from_dict({"text": list(TEXTS), "pair": [None, "plot", None, None]})
    found = encode_texts(model, dataset, 3)
    assert model.training
    backbone, tokenizer = AutoModel.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model)
    for number, (text, pair) in enumerate(zip(TEXTS, dataset["pair"], strict=True)):
        inputs = tokenizer(text, pair, return_tensors="pt", truncation="only_first", max_length=40)
        with torch.no_grad():
            hidden = backbone(**inputs).last_hidden_state[0]
        np.testing.assert_allclose(found[number], hidden.mean(dim=0), atol=1e-5)
    np.testing.assert_allclose(encode_texts(model, dataset, 64), found, atol=1e-5)


@pytest.mark.parametrize("expert", [None, "towards"])
def test_cells_are_scikit_learn_on_the_features(modules, expert):
    config = load_config(modules.folder / "config.yaml")
    tables, _ = load_single_tasks(config, load_table(config), "test")
    if expert is None:
        backbone, tokenizer = AutoModel.from_pretrained(config.model), AutoTokenizer.from_pretrained(config.model)
    else:
        model = equipoise.load(modules.folder / expert).model
        backbone, tokenizer = model.backbone.to("cpu"), model.tokenizer
    record = ExpertsFolder(modules.folder).journal.read()[expert]

    def read(task, split):
        rows = tables[task].splits[split][tables[task].rows(task, split)]
        states = []
        with torch.no_grad():
            for text in rows["text"]:
                inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=config.max_length)
                states.append(backbone.eval()(**inputs).last_hidden_state[0].mean(dim=0).double().numpy())
        return np.stack(states), tables[task].labels(task, split)

    def value(task):
        metric = tables[task].tasks[task].metric
        (line,) = [
            line
            for line in record["metrics"]
            if (line["task"], line["split"], line["metric"]) == (task, "test", metric)
        ]
        assert line["low"] <= line["value"] <= line["high"]
        return line["value"]

    features, scores = read("intensity", "train")
    scaler = StandardScaler().fit(features)
    features, (dev, dev_scores), (test, test_scores) = (
        scaler.transform(features),
        read("intensity", "dev"),
        read("intensity", "test"),
    )
    ridges = [Ridge(alpha=penalty).fit(features, scores) for penalty in PENALTIES]
    on_dev = [np.corrcoef(ridge.predict(scaler.transform(dev)).clip(-1, 1), dev_scores)[0, 1] for ridge in ridges]
    best = int(np.argmax(on_dev))
    assert record["cells"]["intensity"] == {"how": "probe", "penalty": PENALTIES[best]}
    found = ridges[best].predict(scaler.transform(test)).clip(-1, 1)
    assert value("intensity") == pytest.approx(np.corrcoef(found, test_scores)[0, 1], abs=1e-4)

    _, labels = read("words", "train")
    dev_labels, test_labels = (read("words", split)[1] for split in ("dev", "test"))
    chances = {}
    for split, rows in (("dev", dev), ("test", test)):
        penalty = record["cells"]["words"]["penalty"]
        models = [LogisticRegression(C=1 / penalty, max_iter=1000).fit(features, column) for column in labels.T]
        chances[split] = np.stack([one.predict_proba(scaler.transform(rows))[:, 1] for one in models], axis=1)
    tuned = tables["words"].tasks["words"].tune(chances["dev"], dev_labels)
    applies = chances["test"] >= np.array(tuned.thresholds)
    assert value("words") == pytest.approx(f1_score(test_labels, applies, average="macro"), abs=0.02)
