import yaml
from huggingface_hub import ModelCard

from equipoise.digests import is_sealed
from equipoise.files import write_json
from equipoise.kinds import Classification
from equipoise.modeling import model_strangers
from equipoise.reporting import write_card

RUN_FILE = """
model: minilm
sources: {"posts": {path: /secret/place/posts.csv}}
tasks:
  tone: {source: posts, kind: classification, label: tone, pair: target}
output: x
"""
RECORD = {"split": "test", "subset": "all", "task": "tone", "n": 1234}
RECORDS = [
    {**RECORD, "model": "run", "metric": "macro_f1", "value": 0.71234, "low": 0.7, "high": 0.75},
    {**RECORD, "model": "run", "metric": "accuracy", "value": 0.8, "low": None, "high": None},
    {**RECORD, "model": "run", "metric": "coverage_90", "value": 0.9, "low": None, "high": None},
    {**RECORD, "model": "majority", "metric": "macro_f1", "value": 0.25, "low": None, "high": None},
    {**RECORD, "model": "run", "split": "dev", "metric": "macro_f1", "value": 0.9999, "low": None, "high": None},
]


def make_card(folder):
    (folder / "model").mkdir()
    (folder / "config.yaml").write_text(RUN_FILE)
    (folder / "model" / "equipoise.json").write_text('{"format_version": 2, "files": {}}')
    write_json(folder / "metrics.json", RECORDS)
    write_json(folder / "data.json", {"rows": {"train": 5000, "dev": 10, "test": 1234}})
    tasks = {"tone": Classification("tone", "posts", "text", "target", "tone", "macro_f1", ("a|b", "<script>"))}
    return write_card(folder, tasks)


def test_the_card_says_what_was_measured_and_nothing_of_the_machine(tmp_path):
    text = make_card(tmp_path).read_text()
    assert r"| macro-F1 | 0.712 [0.700, 0.750] | 0.250 | 1,234 |" in text
    assert "| accuracy | 0.800 | – | 1,234 |" in text
    assert "0.9999" not in text
    assert "/secret" not in text
    assert r"classification: a\|b, &lt;script&gt;" in text
    assert 'model.predict(["Arrived late, and the box was crushed."], "the second text")' in text


def test_the_hub_reads_its_metadata(tmp_path):
    card = ModelCard.load(make_card(tmp_path))
    assert card.data.library_name == "equipoise"
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert [(one.metric_type, one.metric_value) for one in card.data.eval_results] == [("macro_f1", 0.7123)]
    assert yaml.safe_load(card.data.to_yaml())["pipeline_tag"] == "text-classification"


def test_a_card_that_was_edited_is_the_users(tmp_path):
    path = make_card(tmp_path)
    assert is_sealed(path)
    assert model_strangers(path.parent) == []
    path.write_text(path.read_text().replace("Limits", "My limits"))
    assert not is_sealed(path)
    assert model_strangers(path.parent) == ["README.md"]
