import json
import math
from pathlib import Path

import pytest
import yaml

from equipoise.config import RunConfig, dump_config, list_keys, load_config, make_config
from equipoise.errors import EquipoiseWarning, UsageError
from equipoise.kinds import Generation, Multilabel

RUN = """
sources:
  finance: {train: fin/train.jsonl, dev: fin/dev.jsonl, test: fin/test.jsonl}
tasks:
  intensity: {source: finance, kind: regression, pair: target, label: score, range: [-1, 1]}
  polarity:
    source: finance
    kind: classification
    pair: target
    label: score
    from_score: {classes: [negative, neutral, positive], thresholds: [-0.2, 0.2]}
balance: dao
train: {epochs: 3, learning_rate: 1e-4}
output: runs/finance
"""


@pytest.fixture
def run_file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    return path


def test_paths_are_relative_to_the_run_file(run_file, tmp_path):
    config = load_config(run_file)
    assert config.sources["finance"].train == (tmp_path / "fin/train.jsonl",)
    assert config.output == tmp_path / "runs/finance"
    assert config.model == "minilm"


def test_numbers_that_yaml_takes_for_text_are_numbers(run_file):
    assert load_config(run_file).train.learning_rate == 1e-4


def test_what_is_written_reads_back_the_same_from_anywhere(run_file, tmp_path):
    config = load_config(run_file, ["balance.clip=[0.1, 10]", "sources.finance.dev=[a.csv, b.csv]"])
    assert f"    train: {tmp_path / 'fin/train.jsonl'}\n    dev:\n    - {Path.cwd() / 'a.csv'}\n" in dump_config(config)
    copy = tmp_path / "elsewhere" / "config.yaml"
    copy.parent.mkdir()
    copy.write_text(dump_config(config))
    assert load_config(copy) == config


def test_overrides_win(run_file):
    config = load_config(run_file, ["train.epochs=1", "balance=equal", "sources.finance.limit.train=10"])
    assert config.train.epochs == 1
    assert config.balance.name == "equal"
    assert config.sources["finance"].limit.train == 10
    config = load_config(run_file, ["balance.example_weights=false"])
    assert (config.balance.name, config.balance.options) == ("dao", {"example_weights": False})


def test_environment_variables_are_filled_in(run_file, monkeypatch):
    monkeypatch.setenv("SOME_DATA", "/data")
    config = load_config(run_file, ["sources.finance.train=${SOME_DATA}/train.jsonl"])
    assert config.sources["finance"].train == (Path("/data/train.jsonl"),)
    config = load_config(run_file, ['sources.finance.train=["${SOME_DATA}/a.jsonl", b.jsonl]'])
    assert config.sources["finance"].train == (Path("/data/a.jsonl"), Path.cwd() / "b.jsonl")
    monkeypatch.delenv("SOME_DATA")
    with pytest.raises(UsageError, match="SOME_DATA is not set"):
        load_config(run_file, ["sources.finance.train=${SOME_DATA}/train.jsonl"])
    monkeypatch.setenv("SOME_DATA", "")
    with pytest.raises(UsageError, match="SOME_DATA is not set, or empty"):
        load_config(run_file, ["sources.finance.train=${SOME_DATA}/train.jsonl"])


@pytest.mark.parametrize("section", ["train", "balance", "evaluation"])
def test_an_empty_section_takes_its_defaults(run_file, section):
    kept = [line for line in RUN.splitlines() if not line.startswith(("train", "balance"))]
    run_file.write_text("\n".join([*kept, f"{section}:", "  # all left out"]))
    assert getattr(load_config(run_file), section) == RunConfig.model_fields[section].default
    assert load_config(run_file, ["sources.finance.limit="]).sources["finance"].limit.train is None


def test_keys_are_the_text_that_they_are(run_file):
    """Names such as 1 and no are names, not numbers and truth values."""
    tasks = "{1: {source: 2024, kind: regression}, no: {source: 2024, kind: regression}}"
    config = load_config(run_file, ["sources={2024: {path: a.csv}}", f"tasks={tasks}", "tasks.1.text=body"])
    assert {name: (task.source, task.text) for name, task in config.tasks.items()} == {
        "1": ("2024", "body"),
        "no": ("2024", "text"),
    }


def test_merge_keys(run_file):
    run_file.write_text(
        "sources: {s: {path: a.csv}}\n"
        "tasks:\n"
        "  a: &a {source: s, kind: classification, from_score: {classes: [x, y]}}\n"
        "  b: &b {<<: *a, label: b}\n"
        "  c: {<<: [*b], text: body}\n"
        "output: out\n"
    )
    tasks = load_config(run_file, ["tasks.c.from_score.thresholds=[1]"]).tasks
    assert [(task.kind, task.label, task.text) for task in tasks.values()] == [
        ("classification", "label", "text"),
        ("classification", "b", "text"),
        ("classification", "b", "body"),
    ]
    assert [task.from_score.thresholds for task in tasks.values()] == ["auto", "auto", (1.0,)]


def test_a_password_is_not_written(run_file):
    url = "postgresql://me:secret@host/name"
    config = load_config(run_file, [f"merge.storage={url}"])
    assert config.merge.storage == url
    assert "storage: postgresql://me:***@host/name" in dump_config(config)


@pytest.mark.parametrize("key", ["classes", "from_score.classes"])
def test_numbers_are_names_of_classes(run_file, key):
    task = "tasks.new={source: finance, kind: classification}"
    new = load_config(run_file, [task, f"tasks.new.{key}=[0, 1, 2.5]"]).tasks["new"]
    assert (new.classes or new.from_score.classes) == ("0", "1", "2.5")
    with pytest.raises(UsageError, match=rf"tasks.new.{key}.1: found False, expected a text: write it in quotes"):
        load_config(run_file, [task, f"tasks.new.{key}=[yes, no]"])


def test_the_options_of_a_balancer_may_be_infinite(run_file):
    assert load_config(run_file, ["balance.clip=[0.1, .inf]"]).balance.options == {"clip": [0.1, math.inf]}


def test_a_folder_beside_the_run_file_is_a_model(run_file, tmp_path):
    (tmp_path / "my-model").mkdir()
    (tmp_path / "my-model" / "config.json").write_text("{}")
    (tmp_path / "minilm").mkdir()
    assert load_config(run_file).model == "minilm"
    assert load_config(run_file, ["model=my-model"]).model == str(tmp_path / "my-model")
    assert load_config(run_file, ["model=owner/name"]).model == "owner/name"
    assert load_config(run_file, ["model=" + "a" * 300]).model == "a" * 300  # too long for a folder's name


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=1", "train.epoch: unknown key. Did you mean 'epochs'?"),
        ("modle=x", "modle: unknown key. Did you mean 'model'?"),
        ("limit.train=9", "limit: unknown key. It stands at sources.NAME.limit."),
        ("epochs=2", "epochs: unknown key. It stands at train.epochs."),
        ("tasks.intensity.rnge=[0, 1]", "tasks.intensity.rnge: unknown key. Did you mean 'range'?"),
        ("sources.finance.limit.trian=1", "sources.finance.limit.trian: unknown key. Did you mean 'train'?"),
        ("train.epochs=-1", "train.epochs: found -1, expected greater than 0"),
        ("train.epochs=.inf", "train.epochs: found inf, expected a finite number"),
        ("train.epochs=many", "train.epochs: found 'many', expected a number"),
        ("train.learning_rate=1e400", "train.learning_rate: found '1e400', expected a finite number"),
        ("train.seed=one", "train.seed: found 'one', expected a whole number"),
        ("train.seed=1.5", "train.seed: found 1.5, expected a whole number"),
        ("train.seed=4294967296", "train.seed: found 4294967296, expected less than 4294967296"),
        ("train.batch_size=true", "train.batch_size: found True, expected a whole number"),
        ("sources.finance.split=true", "sources.finance.split: found True, expected a list"),
        ("train.max_steps=false", "train.max_steps: found False, expected a whole number"),
        ("train.learning_rate=true", "train.learning_rate: found True, expected a number"),
        ("train.freeze_embeddings=3", "train.freeze_embeddings: found 3, expected true or false"),
        ("train=5", "train: found 5, expected keys."),
        ("train.schedule=square", "train.schedule: found 'square', expected 'linear', 'cosine' or 'constant'"),
        ("tasks.intensity.kind=regresion", "'kind' is 'regresion', which does not exist. Did you mean 'regression'?"),
        ("tasks.intensity.source=finanze", "'finanze' is not a source. Did you mean 'finance'?"),
        ("tasks.intensity.range=[1, -1]", "'range' is [1.0, -1.0], expected the lowest score, then the highest"),
        ("tasks.intensity.range=[.nan, 2]", "tasks.intensity.range.0: found nan, expected a finite number"),
        ("tasks.intensity.range=5", "tasks.intensity.range: found 5, expected a list"),
        ("tasks.intensity.range=[1]", "tasks.intensity.range: found [1], expected more values"),
        ("tasks.intensity.range=[1, 2, 3]", "tasks.intensity.range: found [1, 2, 3], expected fewer values"),
        ("tasks.intensity.label=2024-01-01", "label: found the date 2024-01-01, expected a text: write it in quotes"),
        ("tasks.intensity.label=", "tasks.intensity.label: found nothing, expected a text. Column of the label"),
        ("tasks.intensity.metric=accuracy", "'metric' is 'accuracy', expected one of pearson, spearman, cosine for"),
        ("tasks.intensity.classes=[a, b]", "'classes' goes with kind: classification"),
        ("tasks.polarity.range=[0, 1]", "'range' goes with kind: regression"),
        ("tasks.polarity.group=''", "tasks.polarity.group: found '', expected some text"),
        ("tasks.polarity.group=[a]", "tasks.polarity.group: found a list, expected a text"),
        ("tasks.polarity.separator=;", "'separator' goes with kind: multilabel, found kind: classification"),
        ("tasks.intensity.beams=2", "'beams' goes with kind: extraction or triplets or quads or generation, found"),
        (
            "tasks.intensity.max_new_tokens=2",
            "'max_new_tokens' goes with kind: extraction or triplets or quads or generation, found kind: regression",
        ),
        ("tasks.intensity.label=[a, b]", "'label' is a list, which goes with kind: multilabel, found kind: regression"),
        ("tasks.emotions={source: finance, kind: multilabel, label: []}", "label: found [], expected a column, or"),
        ("tasks.emotions={source: finance, kind: multilabel, label: [a, a]}", "label: found ['a', 'a'], expected"),
        ("tasks.emotions={source: finance, kind: multilabel, label: [a, 1]}", "label: found ['a', 1], expected"),
        (
            "tasks.emotions={source: finance, kind: multilabel, label: [a, b], classes: [a, b]}",
            "found 'classes' and a list of label columns, expected one",
        ),
        ("tasks.emotions={source: finance, kind: multilabel, classes: [a, a]}", "expected one or more different names"),
        (
            "tasks.emotions={source: finance, kind: multilabel, metric: accuracy}",
            "'metric' is 'accuracy', expected one of macro_f1, micro_f1, jaccard, {f1: CLASS}, {mean_f1: [CLASS, "
            "CLASS, …]} for multilabel",
        ),
        ("tasks.polarity.metric=f1", "'metric' is 'f1', expected one of macro_f1, accuracy, macro_recall, {f1: CLASS}"),
        ("tasks.polarity.metric={accuracy: a}", "'metric' is 'accuracy(a)', expected one of macro_f1, accuracy"),
        ("tasks.polarity.metric={f1: [a, b]}", "'metric': found ['a', 'b'] for f1, expected one class"),
        ("tasks.polarity.metric={mean_f1: a}", "'metric': found ['a'] for mean_f1, expected two or more different cl"),
        ("tasks.polarity.metric={mean_f1: [a, a]}", "'metric': found ['a', 'a'] for mean_f1, expected two or more"),
        ("tasks.polarity.metric={f1: yes}", "found {'f1': True}, expected the name of a metric, or {f1: CLASS} or"),
        ("tasks.polarity.metric=[f1]", "found ['f1'], expected the name of a metric, or {f1: CLASS} or {mean_f1:"),
        ("tasks.polarity.metric={f1: a, mean_f1: b}", "found {'f1': 'a', 'mean_f1': 'b'}, expected the name of"),
        ("tasks.intensity.metric={f1: a}", "'metric' is 'f1(a)', expected one of pearson, spearman, cosine for regr"),
        (
            "tasks.t={source: finance, kind: classification, classes: [irony, plain], metric: {f1: ironi}}",
            "tasks.t: 'metric' names the class 'ironi', which the task does not have. Did you mean 'irony'?",
        ),
        (
            "tasks.t={source: finance, kind: multilabel, label: [joy, fear], metric: {mean_f1: [joy, faer]}}",
            "'metric' names the label 'faer', which the task does not have. Did you mean 'fear'?",
        ),
        ("tasks.title={source: finance, kind: generation, beams: 0}", "tasks.title.beams: found 0, expected greater"),
        (
            "tasks.title={source: finance, kind: generation, classes: [a, b]}",
            "'classes' goes with kind: classification or",
        ),
        (
            "tasks.title={source: finance, kind: generation, metric: bleu}",
            "'metric' is 'bleu', expected one of rouge_l, rouge_1, rouge_2 for generation",
        ),
        (
            "tasks.title={source: finance, kind: generation, template: ['{text}', 'Shorter']}",
            "'template': found 'Shorter', expected a template with {text}",
        ),
        ("tasks.title={source: finance, kind: generation, template: []}", "template: found [], expected a template"),
        ("tasks.title={source: finance, kind: generation, template: 3}", "template: found 3, expected a text"),
        ("evaluation.shots=0", "evaluation.shots: found 0, expected greater than 0"),
        ("tasks.polarity.from_score.thresholds=[0.2]", "found 1 thresholds for 3 classes, expected 2"),
        ("tasks.polarity.from_score.thresholds=[0.2, -0.2]", "expected ascending numbers"),
        ("tasks.polarity.from_score.thresholds=atuo", "thresholds: found 'atuo', expected a list of ascending numbers"),
        ("tasks.polarity.from_score.thresholds=[x, 1]", "thresholds: found ['x', 1], expected a list of ascending"),
        ("tasks.polarity.from_score.thresholds=[0, .nan]", "thresholds: found [0, nan], expected a list of ascending"),
        ("tasks.polarity.from_score.classes=[a, a, b]", "expected two or more different names"),
        ("tasks.extra.kind=regression", "tasks.extra.source: missing"),
        ("tasks.a b={source: finance, kind: regression}", "tasks: found the name 'a b', expected letters, digits, -"),
        ("tasks.pair={source: finance, kind: regression}", "tasks.pair: a task cannot be called 'pair'"),
        ("tasks.error={source: finance, kind: regression}", "tasks.error: a task cannot be called 'error'"),
        ("tasks=[a]", "tasks: found a list, expected keys"),
        ("output=[a]", "output: found a list, expected a path"),
        ("output={[a]: 1}", "--set output={[a]: 1}: not valid YAML: "),
        ("sources.finance.train={a: ${X}}", "Put values with ${…} in quotes."),
        (
            "sources.finance.train=~no-such-user/a.csv",
            "sources.finance.train: found '~no-such-user/a.csv', but the home",
        ),
        ('sources.finance.train="a\\0b"', "sources.finance.train: found a path with a null character"),
        ("sources.finance.train=3", "sources.finance.train: found 3, expected a path or a list of paths"),
        ("sources.finance.train=[a.csv, 3]", "sources.finance.train: found 3, expected a path or a list of paths"),
        ("sources.finance.train=[]", "sources.finance.train: found an empty list, expected one path or more"),
        ("sources.finance.train=[a.csv, b.csv, ./a.csv]", "a.csv' twice, expected different paths; remove one"),
        ("tasks.intensity.auxiliary=maybe", "tasks.intensity.auxiliary: found 'maybe', expected true or false"),
        ("sources.finance.path=x.csv", "found path and train, expected exactly one of"),
        ("sources.finance.split=[0.5, 0.1, 0.1]", "expected three shares that add up to 1"),
        ("train.warmup=1", "train.warmup: found 1, expected less than 1"),
        ("evaluation.baselines=[vadr]", "expected 'majority', 'vader', 'lead', 'zero_shot' or 'few_shot'"),
        ("train.epochs", "expected KEY=VALUE"),
        ("model.size=3", "'model' holds 'minilm', which has no keys of its own"),
    ],
)
def test_mistakes_are_answered_with_key_found_expected(run_file, override, message):
    overrides = ["model=minilm", override] if override.startswith("model.") else [override]
    with pytest.raises(UsageError) as caught:
        load_config(run_file, overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_mistake_is_told_at_once(run_file):
    with pytest.raises(UsageError) as caught:
        load_config(run_file, ["train.epochs=-1", "train.sed=1"])
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not valid YAML"),
        ("? [a]", "not valid YAML: .* unhashable key"),
        ("output: 2024-13-41", "not valid YAML: month must be in 1..12"),
        ("a: &a [*a]", "not valid YAML: an alias"),
        ("[" * 3000, "not valid YAML: nested too deeply"),
        ("a: {path: ${DATA}/d.csv}", r"not valid YAML: .* Put values with \$\{…\} in quotes"),
        ("- a", "found a list, expected keys"),
        ("", "found nothing, expected keys"),
        ("model: a\nmodel: b", "line 2: key 'model' is given twice"),
        ("tasks: {1: a, '1': b}", "key '1' is given twice"),
        ("output: x\nsources: {}\ntasks: {}", "tasks: found none"),
    ],
)
def test_broken_run_files(tmp_path, text, message):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_config(path)


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.parquet", "reviews.json"])
def test_a_data_file_is_no_run_file(tmp_path, name):
    (tmp_path / name).write_bytes(b'[{"text": "a: b: c"}]')
    with pytest.raises(UsageError, match=r"found a data file, expected a run file.*equipoise init \S*reviews"):
        load_config(tmp_path / name)


def test_a_missing_run_file(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere.yaml: cannot read the run file .*`equipoise init` writes one"):
        load_config(tmp_path / "nowhere.yaml")
    (tmp_path / "reviews.yaml").write_text("")
    with pytest.raises(UsageError, match=r"cannot read the run file .*Did you mean 'reviews.yaml'\?"):
        load_config(tmp_path / "review.yml")


def test_plain_data_is_checked_the_same_way():
    with pytest.raises(UsageError, match="run file: sources: missing"):
        make_config({"tasks": {}, "output": "x"})
    with pytest.raises(UsageError, match="run file: tasks: found the name 1, expected a text"):
        make_config({"tasks": {1: {"source": "s", "kind": "regression"}}, "sources": {}, "output": "x"})


def test_every_key_has_a_sentence():
    assert [key.path for key in list_keys() if not key.description.endswith(".")] == []


def test_paths_in_overrides_are_taken_from_the_working_folder(run_file, tmp_path, monkeypatch):
    here = tmp_path / "here"
    (here / "model").mkdir(parents=True)
    (here / "model" / "config.json").write_text("{}")
    monkeypatch.chdir(here)
    settings = ["output=runs/other", "sources.finance.train=train.csv", "sources.finance.limit.train=5", "model=model"]
    config = load_config(run_file, settings)
    assert config.output == here / "runs" / "other"
    assert config.sources["finance"].train == (here / "train.csv",)
    assert config.sources["finance"].dev == (tmp_path / "fin" / "dev.jsonl",)
    assert config.model == str(here / "model")
    assert load_config(run_file, ["model=minilm"]).model == "minilm"
    config = load_config(run_file, ["sources.finance={path: all.csv}"])
    assert config.sources["finance"].path == (here / "all.csv",)
    config = load_config(run_file, ["sources.finance={path: [all.csv, ~/more.csv]}"])
    assert config.sources["finance"].path == (here / "all.csv", Path.home() / "more.csv")


def test_the_keys_of_multilabel_and_generation(run_file):
    config = load_config(
        run_file,
        [
            "tasks.emotions={source: finance, kind: multilabel, classes: [joy, 1], separator: '|', metric: jaccard}",
            "tasks.flags={source: finance, kind: multilabel, label: [a, b]}",
            "tasks.title={source: finance, kind: generation, label: title, max_new_tokens: 12, beams: 4}",
            "tasks.plain={source: finance, kind: generation}",
        ],
    )
    assert make_config(yaml.safe_load(dump_config(config))) == config
    tasks = config.open_tasks()
    common = ("finance", "text", None)
    assert tasks["emotions"] == Multilabel("emotions", *common, "label", "jaccard", ("joy", "1"), separator="|")
    assert tasks["flags"] == Multilabel("flags", *common, "a, b", "macro_f1", ("a", "b"), ("a", "b"), ",")
    assert tasks["title"] == Generation("title", *common, "title", "rouge_l", 12, 4)
    assert (tasks["plain"].max_new_tokens, tasks["plain"].beams) == (32, 1)


def test_the_limits_of_written_lists_go_with_prompts(run_file):
    task = "{source: finance, kind: KIND, FORMAT}"
    for kind in ("extraction", "triplets", "quads"):
        own = f"tasks.found={task.replace('KIND', kind)}"
        config = load_config(run_file, [own.replace("FORMAT", "format: prompt, max_new_tokens: 12, beams: 4")])
        assert make_config(yaml.safe_load(dump_config(config))) == config
        assert config.open_tasks()["found"].limits == (12, 4)
        assert load_config(run_file, [own.replace("FORMAT", "format: prompt")]).open_tasks()["found"].limits == (96, 1)
        for limit in ("max_new_tokens: 12", "beams: 4"):
            for format in ("", "format: head, "):
                message = f"tasks.found: '{limit.partition(':')[0]}' goes with format: prompt, found format: head"
                with pytest.raises(UsageError, match=message):
                    load_config(run_file, [own.replace("FORMAT", format + limit)])


def test_templates_of_written_lists_name_the_form(run_file):
    task = "tasks.found={source: finance, kind: KIND, format: prompt, template: '{text} {labels} {format} EXTRA'}"
    for kind in ("extraction", "triplets", "quads"):
        found = load_config(run_file, [task.replace("KIND", kind).replace("EXTRA", "")]).open_tasks()["found"]
        assert found.prompts()[0][-1].endswith(", or none ")
    found = load_config(run_file, [task.replace("KIND", "quads").replace("EXTRA", "{categories}")])
    assert found.open_tasks()["found"].templates[0].endswith("{categories}")
    with pytest.raises(UsageError, match=r"found the field \{categories\}, expected \{text\}, \{task\}"):
        load_config(run_file, [task.replace("KIND", "triplets").replace("EXTRA", "{categories}")])


def test_lists_of_paths_are_relative_to_the_run_file(run_file, tmp_path):
    run_file.write_text(RUN.replace("train: fin/train.jsonl", "train: [fin/train.jsonl, more/train.jsonl]"))
    expected = (tmp_path / "fin" / "train.jsonl", tmp_path / "more" / "train.jsonl")
    assert load_config(run_file).sources["finance"].train == expected


def test_a_run_of_auxiliary_tasks_alone(run_file):
    assert load_config(run_file, ["tasks.polarity.auxiliary=true"]).open_tasks()["polarity"].auxiliary
    with pytest.raises(UsageError, match="tasks: found auxiliary tasks only, expected one or more to score"):
        load_config(run_file, ["tasks.polarity.auxiliary=true", "tasks.intensity.auxiliary=true"])


def test_four_bits_go_with_an_adapter(run_file):
    with pytest.raises(UsageError, match="quantization: found '4bit' without 'lora', expected both"):
        load_config(run_file, ["quantization=4bit"])
    assert load_config(run_file, ["quantization=4bit", "lora={}"]).quantization == "4bit"


def test_alignment_is_an_option_of_every_balancer(run_file):
    assert load_config(run_file).balance.options == {}
    balance = load_config(run_file, ["balance.alignment=0.1", "balance.floor=0.2"]).balance
    assert balance.options == {"alignment": 0.1, "floor": 0.2}
    with pytest.raises(UsageError, match=r"balance\.alignment: found -1"):
        load_config(run_file, ["balance.alignment=-1"])


def test_one_template_or_several(run_file, tmp_path):
    task = "tasks.title={source: finance, kind: generation}"
    one = load_config(run_file, [task, "tasks.title.template=Title {text}"])
    two = load_config(run_file, [task, "tasks.title.template=['Title {text}', '{text} Title?']"])
    assert yaml.safe_load(dump_config(one))["tasks"]["title"]["template"] == "Title {text}"
    opened = [config.open_tasks()["title"] for config in (one, two)]
    assert [(found.template, found.variants) for found in opened] == [
        ("Title {text}", ()),
        ("Title {text}", ("{text} Title?",)),
    ]
    (tmp_path / "again.yaml").write_text(dump_config(two))
    assert load_config(tmp_path / "again.yaml") == two


def test_former_keys_are_read_with_one_note(tmp_path):
    path = tmp_path / "run.yaml"
    data = {
        "sources": {"s": {"path": "s.csv"}},
        "tasks": {"t": {"source": "s", "kind": "regression"}},
        "merge": {"rivals": ["ties"]},
        "output": "out",
    }
    path.write_text(json.dumps(data))
    with pytest.warns(EquipoiseWarning, match=r"'merge\.rivals' is now 'merge\.baselines'\. The former names") as notes:
        assert load_config(path).merge.baselines == ("ties",)
    assert len(notes) == 1
    # The name that is given last counts.
    assert load_config(path, ["merge.baselines=[uniform]"]).merge.baselines == ("uniform",)
