import json

import pytest

from comparisons import write_run_file
from corpus import write_corpus
from equipoise.comparison.plan import Plan
from equipoise.comparison.rows import make_rows, parse_balancers
from equipoise.comparison.run_files import load_run_files
from equipoise.comparison.tuning import best_on_dev, candidate_weights, trial_budget
from equipoise.config import TrainConfig
from equipoise.errors import DataError, UsageError
from equipoise.training.single_tasks import load_single_tasks


def names(path_or_paths, balance):
    paths = path_or_paths if isinstance(path_or_paths, list) else [path_or_paths]
    return [row.name for row in make_rows(load_run_files(paths, ()), parse_balancers(balance))]


def test_comparison_rows_come_first_and_each_balancer_once(tmp_path, tiny_model):
    files = [write_run_file(tmp_path, tiny_model), write_run_file(tmp_path, tiny_model, "more")]
    rows = make_rows(
        load_run_files(files, ()), parse_balancers("equal,dao,{name: dao, example_weights: false},{name: dao}")
    )
    assert [row.name for row in rows] == [
        "single-task",
        "equal",
        "static-tuned",
        "dao",
        "dao (example_weights=false)",
        "more: equal",
        "more: dao",
        "more: dao (example_weights=false)",
    ]
    assert len({row.folder for row in rows}) == len(rows)


def test_single_tasks_of_every_run_file_where_named(tmp_path, tiny_model):
    files = [write_run_file(tmp_path, tiny_model), write_run_file(tmp_path, tiny_model, "more")]
    assert names(files, "single-task,dao") == [
        "single-task",
        "equal",
        "static-tuned",
        "dao",
        "more: single-task",
        "more: dao",
    ]
    with pytest.raises(UsageError, match="single-task has no options, found alignment"):
        names(files, "{name: single-task, alignment: 1}")


def test_without_balance_each_run_file_has_its_own(tmp_path, tiny_model):
    assert names(write_run_file(tmp_path, tiny_model), "") == ["single-task", "equal", "static-tuned", "dao"]


def test_one_task_is_run_once(tmp_path, tiny_model):
    assert names(write_run_file(tmp_path, tiny_model, tasks=("polarity",)), "equal,dao") == ["single-task", "dao"]


@pytest.mark.parametrize("text", ["{dao", "3", "{weights: 1}", "[]", "equal,,dao"])
def test_what_is_no_list_of_balancers_is_refused(text):
    with pytest.raises(UsageError, match="expected names, or names with options"):
        parse_balancers(text)


def test_balancers_may_be_a_list():
    text = parse_balancers("equal,{name: dao, example_weights: false}")
    assert parse_balancers(["equal", {"name": "dao", "example_weights": False}]) == text
    assert parse_balancers(text) == text


@pytest.mark.parametrize(
    ("balance", "message"), [("gradnrm", "Did you mean 'gradnorm'"), ("{name: dao, clp: 1}", "Did you mean 'clip'")]
)
def test_balancers_are_made_before_anything_is_trained(tmp_path, tiny_model, balance, message):
    with pytest.raises(UsageError, match=message):
        names(write_run_file(tmp_path, tiny_model), balance)


def test_run_files_must_have_the_same_dev_and_test_rows(tmp_path, tiny_model):
    first = write_run_file(tmp_path, tiny_model)
    one = write_run_file(tmp_path, tiny_model, "one", tasks=("polarity",))
    another = write_run_file(tmp_path, tiny_model, "another", tasks=("intensity",))
    with pytest.raises(UsageError, match="another: found no scored task of one, expected one or more"):
        load_run_files([one, another], ())
    other = tmp_path / "other"
    other.mkdir()
    relabelled = write_run_file(other, tiny_model, "relabelled")
    corpus = other / "reviews.csv"
    corpus.write_text(corpus.read_text().replace("negative", "bad"))
    with pytest.raises(DataError, match="relabelled: task 'polarity': found other dev rows, labels or classes"):
        load_run_files([first, relabelled], ())
    (other / "run.yaml").write_text(first.read_text())
    with pytest.raises(UsageError, match="another run file is called 'run', too"):
        load_run_files([first, other / "run.yaml"], ())


def test_a_single_task_with_other_rows_is_told_or_refused(tmp_path, tiny_model):
    for name in ("reviews", "other"):
        (tmp_path / name).mkdir()
        write_corpus(tmp_path / name, seed=len(name))
    data = json.loads(write_run_file(tmp_path, tiny_model).read_text())
    rows = (tmp_path / "reviews" / "reviews.csv").read_text().splitlines()
    lines = (tmp_path / "other" / "reviews.csv").read_text().splitlines()
    for name, part in {"train": rows[1:120], "dev": rows[120:140], "test": rows[140:]}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join([rows[0], *part]) + "\n")
    # The other task's test holds two training texts and one dev text of the first.
    for name, part in {
        "train": lines[1:120],
        "dev": lines[120:140],
        "test": [*lines[140:], *rows[5:7], rows[125]],
    }.items():
        (tmp_path / f"other-{name}.csv").write_text("\n".join([rows[0], *part]) + "\n")
    splits = ("train", "dev", "test")
    data["sources"] = {
        "reviews": {split: str(tmp_path / f"{split}.csv") for split in splits},
        "other": {split: str(tmp_path / f"other-{split}.csv") for split in splits},
    }
    data["tasks"]["polarity"]["source"] = "other"
    run_file = tmp_path / "apart.yaml"
    run_file.write_text(json.dumps(data))
    (run,) = load_run_files([run_file], ())
    assert [note.partition(":")[0] for note in load_single_tasks(run.config, run.table, run.name)[1]] == [
        "Task 'intensity' alone has 119 train rows, among the other tasks 117",
        "Task 'intensity' alone has 20 dev rows, among the other tasks 19",
    ]

    # Half of the rows have a class: the limit chooses others where they alone are read.
    data["sources"] = {"reviews": {**data["sources"]["reviews"], "limit": {"test": 5}}}
    data["tasks"]["polarity"]["source"] = "reviews"
    run_file.write_text(json.dumps(data))
    test = (tmp_path / "test.csv").read_text()
    for label in ("neutral", "positive"):
        test = test.replace(f",{label},", ",,")
    (tmp_path / "test.csv").write_text(test)
    (run,) = load_run_files([run_file], ())
    with pytest.raises(DataError, match="task 'polarity' alone has other test rows than among the other tasks"):
        load_single_tasks(run.config, run.table, run.name)


def test_further_run_files_may_train_on_more(tmp_path, tiny_model):
    first = write_run_file(tmp_path, tiny_model)
    data = json.loads(first.read_text())
    (tmp_path / "other").mkdir()
    data["sources"]["other"] = {"path": str(write_corpus(tmp_path / "other", seed=7))}
    data["tasks"]["help"] = {"source": "other", "kind": "regression", "label": "score", "auxiliary": True}
    more = tmp_path / "more.yaml"
    more.write_text(json.dumps(data))
    one, two = load_run_files([first, more], ())
    assert list(two.table.scored) == list(one.table.scored)
    plan = Plan(make_rows([one, two], parse_balancers("equal")), 1, 1, (), tmp_path)
    row = plan.rows[-1]
    (cell,) = plan.seed_cells(row, {})[0]
    assert (row.name, list(cell.config.tasks), cell.tasks) == (
        "more: equal",
        ["intensity", "polarity", "help"],
        ("intensity", "polarity"),
    )
    # The other way round every task counts in the static weights, and helpers have no row of their own.
    plan = Plan(make_rows([two], parse_balancers("equal")), 1, 2, (), tmp_path)
    assert list(plan.candidates[1]) == ["intensity", "polarity", "help"]
    assert {cell.tasks for cell in plan.seed_cells(plan.rows[0], {})[0]} == {("intensity",), ("polarity",)}


def test_cells_are_named_by_their_row_and_what_tells_them_apart(tmp_path, tiny_model):
    (run,) = load_run_files([write_run_file(tmp_path, tiny_model)], ())
    rows = make_rows([run], parse_balancers("{name: dao, example_weights: true}"))
    cells = Plan(rows, 1, 1, (0.5,), tmp_path).cells({})
    assert [(cell.title, cell.key) for cell in cells] == [
        ("single-task: intensity, epochs-0.5, seed-0", "single-task/intensity/epochs-0.5/seed-0"),
        ("single-task: polarity, epochs-0.5, seed-0", "single-task/polarity/epochs-0.5/seed-0"),
        ("static-tuned: trial-0", "static-tuned/trial-0"),
        ("equal: seed-0", "equal/seed-0"),
        ("dao (example_weights=true): seed-0", f"{rows[-1].folder}/seed-0"),
    ]
    assert all(cell.config.output == tmp_path / "runs" / cell.key for cell in cells)


def test_static_weights_to_try():
    candidates = candidate_weights(["a", "b", "c"], 8)
    assert candidates[0] == {"a": 1.0, "b": 1.0, "c": 1.0}
    ratios = [weights[task] for weights in candidates[1:] for task in ("b", "c")]
    assert all(weights["a"] == 1 for weights in candidates)
    assert all(0.1 <= ratio <= 10 for ratio in ratios)
    # Evenly spread on the log scale: both halves of it are tried for each task.
    for task in ("b", "c"):
        assert 2 <= sum(weights[task] < 1 for weights in candidates[1:]) <= 5
    assert candidate_weights(["a", "b", "c"], 4) == candidates[:4]
    assert candidate_weights(["a", "b"], 1) == [{"a": 1.0, "b": 1.0}]


def test_a_trial_has_a_quarter_of_the_budget():
    assert trial_budget(TrainConfig(epochs=6)).epochs == 1.5
    assert trial_budget(TrainConfig(max_steps=10)).max_steps == 3


def test_the_earlier_of_equals_is_chosen():
    records = [{"key": key, "run_score": {"dev": score}} for key, score in (("a", 0.1), ("b", 0.3), ("c", 0.3))]
    best = best_on_dev(records)
    assert best is not None
    assert best["key"] == "b"
    assert best_on_dev([]) is None
