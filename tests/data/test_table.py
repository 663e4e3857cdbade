import numpy as np

from data_cases import LABEL, SCORE
from equipoise.kinds import Classification


def test_tasks_with_the_same_view_share_rows(load, three):
    source = three()
    both = load({"s": source}, {"score": SCORE, "label": LABEL})
    for name, task in (("score", SCORE), ("label", LABEL)):
        alone = load({"s": source}, {name: task})
        for split in ("train", "dev", "test"):
            assert both.splits[split]["text"][:] == alone.splits[split]["text"][:]
            assert both.labels(name, split).tolist() == alone.labels(name, split).tolist()
            assert both.rows(name, split).tolist() == alone.rows(name, split).tolist()
        assert both.tasks[name] == alone.tasks[name]


def test_sources_stand_one_after_the_other_with_missing_labels(load, write, three):
    write("b/train.csv", "text,label,aim,domain\nu,yes,p,d1\nv,no,q,\nw,,q,d1\n")
    write("b/dev.csv", "text,label,aim,domain\ndu,yes,p,d1\n")
    write("b/test.csv", "text,label,aim,domain\ntu,no,p,d2\n")
    tasks = {"score": SCORE, "answer": LABEL | {"source": "b", "pair": "aim"}}
    table = load({"s": three(), "b": {"path": "b", "subsets": ["domain"]}}, tasks)
    assert table.splits["train"].column_names == [
        *("source", "text", "pair", "subset:domain", "label:score", "label:answer")
    ]
    assert table.splits["train"].to_dict() == {
        "source": ["s"] * 4 + ["b"] * 2,
        "text": ["text 0", "text 1", "text 2", "text 3", "u", "v"],
        "pair": [None] * 4 + ["p", "q"],
        "subset:domain": [None] * 4 + ["d1", None],
        "label:score": [0.0, 0.1, 0.2, 0.3, None, None],
        "label:answer": [None] * 4 + [1, 0],
    }
    assert table.tasks["answer"] == Classification("answer", "b", "text", "aim", "label", "macro_f1", ("no", "yes"))
    assert table.rows("answer", "train").tolist() == [4, 5]
    assert table.labels("answer", "train").dtype == np.int64
    assert table.labels("score", "train").dtype == np.float64
    assert table.texts("train") == ["text 0", "text 1", "text 2", "text 3", "u", "v", "p", "q"]
    assert table.texts("dev")[-2:] == ["du", "p"]
    assert table.counts()["train"] == {"rows": 6, "labels": {"score": 4, "answer": 2}}
    assert any("b/train.csv: rows left out because they have no label: 1" in note for note in table.notes)


def test_the_label_space_comes_from_train_alone(load, three):
    table = load({"s": three()}, {"score": SCORE})
    task = table.tasks["score"]
    assert (task.mean, task.std) == (np.mean([0, 0.1, 0.2, 0.3]), np.std([0, 0.1, 0.2, 0.3]))


def test_a_source_that_no_task_reads_is_not_read(load, three):
    table = load({"s": three(), "other": {"path": "missing.csv"}}, {"score": SCORE})
    assert table.notes == ["Source 'other' is not read: no task names it."]


def test_the_order_of_rows_is_the_same_every_time(load, three):
    source = three(
        train=[{"text": f"t{i}", "score": i / 9, "label": "ab"[i % 2]} for i in range(6)],
        dev=[{"text": "d", "score": 0, "label": "a"}],
        test=[{"text": "t", "score": 0, "label": "b"}],
    )
    tasks = {"score": SCORE, "label": LABEL | {"pair": "label"}}
    first, second = load({"s": source}, tasks), load({"s": source}, tasks)
    assert first.splits["train"].to_dict() == second.splits["train"].to_dict()
    assert first.splits["train"]["pair"][:] == [None] * 6 + list("ababab")
