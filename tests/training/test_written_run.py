"""Extraction, triplets and quads that a language model writes: from the run file to report, predictions and resume."""

import json
import signal

import numpy as np
import pytest

import equipoise
from corpus import GOOD, write_corpus, write_data
from equipoise.errors import ModelError
from equipoise.evolution import evolve
from equipoise.experts import train_experts
from equipoise.kinds import Extraction, Quads, Written
from equipoise.merging import merge
from equipoise.modeling import load
from equipoise.training import check, train
from outcomes import assert_same
from pages import Page
from prompted import encode, make_batch, make_model, predict, run_batch
from strike import strike

ASPECTS = Extraction("aspects", "s", "text", None, "l", "extraction_f1", ("bad", "good"), format="prompt")
TEXTS = ("the film was good , the price bad", "so so", "good price")
LABELS = (
    '[{"term":"film","start":4,"end":8,"polarity":"good"},{"term":"price","start":24,"end":29,"polarity":"bad"}]',
    "[]",
    '[{"term":"price","start":5,"end":10,"polarity":"good"}]',
)


def write_run(folder, model, **changes):
    """Words that praise: written with a polarity, found by a head, and as quads of an implicit term."""
    write_corpus(folder, rows=60)
    lines = []
    for line in (folder / "reviews.csv").read_text().splitlines()[1:]:
        text = line.split(",")[0]
        found = list(dict.fromkeys(word for word in text.split() if word in GOOD))
        row = {"text": text, "aspects": [{"term": word, "polarity": "positive"} for word in found]}
        quad = {"category": "praise", "term": None, "polarity": "positive"}
        lines.append(json.dumps({**row, "quads": [{**quad, "opinion": word} for word in found]}))
    (folder / "reviews.jsonl").write_text("\n".join(lines) + "\n")
    written = {"source": "reviews", "kind": "extraction", "label": "aspects"}
    short = {"format": "prompt", "max_new_tokens": 5}
    data = {
        "model": str(model),
        "max_length": 260,
        "sources": {"reviews": {"path": str(folder / "reviews.jsonl"), "limit": {"train": 16, "dev": 4, "test": 6}}},
        "tasks": {
            "written": {**written, **short},
            "found": written,
            "quads": {**written, **short, "kind": "quads", "label": "quads"},
        },
        "train": {"max_steps": 2, "batch_size": 4, "evaluations": 2},
        "evaluation": {"bootstrap": 100, "baselines": ["majority", "zero_shot", "few_shot"], "shots": 2},
        "output": str(folder / "run"),
    }
    return write_data(folder, {**data, **changes})


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_llm):
    return train(write_run(tmp_path_factory.mktemp("written"), tiny_llm))


def values(records):
    return {(one["model"], one["task"], one["metric"]): one["value"] for one in records if one["split"] == "test"}


def test_what_cannot_be_read_is_reported(run):
    found = values(run.records)
    for task in ("written", "quads"):
        # Untrained, it does not end within five tokens, or writes anything.
        assert found["run", task, "unparsed"] == 1
        assert found["majority", task, "unparsed"] == 0
    assert ("run", "found", "unparsed") not in found
    assert {("zero_shot", task, "unparsed") in found for task in ("written", "found", "quads")} == {True}
    page = Page((run.folder / "report.html").read_text(encoding="utf-8"))
    rows = [row for row in page.tables[0] if any(cell.startswith("unparsed answers") for cell in row)]
    assert len(rows) == 3
    assert not (run.folder / "examples.json").exists()


def test_predictions_are_kept_and_scored_again(run):
    with np.load(run.folder / "predictions.npz", allow_pickle=False) as arrays:
        assert all("unparsed" in json.loads(text) for text in arrays["test/written"])
        assert all(isinstance(json.loads(text), list) for text in arrays["test/found"])
        # What the metrics read is text, too, never a pickled object.
        assert arrays["test/quads/decided"].tolist() == arrays["test/quads"].tolist()
    again = equipoise.evaluate(run.folder, run.folder / "config.yaml")
    scores = [
        {key: value for key, value in found.items() if key[0] == "run"} for found in map(values, (again, run.records))
    ]
    assert scores[0] == scores[1]
    assert len(scores[0]) == 16


def test_the_user_is_told_what_was_written(run):
    [answer] = load(run.folder).predict(["a great film"], tasks=["written", "found"])
    [item] = answer["written"]
    assert set(item) == {"unparsed", "reason"}
    assert isinstance(answer["found"], list)


def test_it_is_resumed(tmp_path, tiny_llm, run):
    run_file = write_run(tmp_path, tiny_llm)
    assert strike(run_file, 1, signal.SIGKILL, "saved").exit_code == -signal.SIGKILL
    train(run_file, resume=True)
    assert_same(run.folder, tmp_path / "run")


def test_check_shows_the_prompt_and_the_right_answer(tmp_path, tiny_llm):
    checked = check(write_run(tmp_path, tiny_llm))
    written, quads = checked.prompts
    assert "Answer in the form term | polarity ; term | polarity (polarity: positive), or none." in written.prompt
    assert written.right.endswith("| positive")
    assert quads.right.startswith("praise | none | ")


def test_an_encoder_is_refused(tmp_path, tiny_model):
    with pytest.raises(ModelError, match="choose one, such as smollm2-135m"):
        check(write_run(tmp_path, tiny_model, evaluation={"baselines": []}))


@pytest.mark.parametrize("beams", [1, 2])
def test_answers_are_read_in_the_text_of_their_row(tiny_llm, monkeypatch, beams):
    answers = iter(["film | good ; price | bad", "none", "price | good", "price | bad"])

    def say(model, task, prompts):
        assert task.limits.beams == beams
        return [Written(next(answers), True) for _ in prompts]

    monkeypatch.setattr("equipoise.modeling.inference.generate", say)
    model = make_model(tiny_llm, {"aspects": ASPECTS.replace(beams=beams)})
    texts = sorted(TEXTS, key=len, reverse=True)  # the order of the batches
    assert texts == [TEXTS[0], TEXTS[2], TEXTS[1]]
    found = predict(model, encode(model, TEXTS), "aspects", batch_size=1)["aspects"]
    assert found[0] == LABELS[0]
    assert found[2] == "[]"
    assert json.loads(found[1])["unparsed"] == "price | good"


def test_it_learns_the_tokens_of_the_right_answer(tiny_llm):
    model = make_model(tiny_llm, {"aspects": ASPECTS})
    rows = encode(model, TEXTS, aspects=LABELS)
    for tokens, label in zip(rows["tokens:aspects"], LABELS, strict=True):
        assert tokens[-1] == model.tokenizer.eos_token_id
        assert model.tokenizer.decode(tokens[:-1]).strip() == ASPECTS.correct_answers(label)[0]
    batch = make_batch(model, rows)
    losses = model.losses(run_batch(model, batch), batch["targets"])["aspects"]
    assert len(losses) == sum(len(tokens) for tokens in rows["tokens:aspects"])
    assert losses.min() > 0


def test_quads_have_words_for_what_is_implicit():
    task = Quads("q", "s", "text", None, "l", "quad_f1", ("bad", "good"), categories=("food",), format="prompt")
    read = task.read_written("overpriced", Written("food | none | overpriced | bad", True))
    [item] = task.answer(read)
    assert item == {
        "category": "food",
        "term": None,
        "opinion": "overpriced",
        "polarity": "bad",
        "opinion_start": 0,
        "opinion_end": 10,
    }


MERGE = {"stages": ["one"], "candidates": 10, "finalists": 2, "weak": {"rows": 6}, "baselines": ["uniform", "ties"]}


def test_experts_that_write_are_prompted_for_each_other_and_merged(tmp_path, tiny_llm):
    changes = {"lora": {"rank": 2}, "evaluation": {"bootstrap": 100, "baselines": []}}
    fast = {"max_steps": 2, "batch_size": 4, "evaluations": 1, "learning_rate": 0.01, "warmup": 0.0}
    run_file = write_run(tmp_path, tiny_llm, **changes, train=fast)
    found = train_experts(run_file)
    rows = {row["name"]: row for row in found.results["rows"]}
    modes = {name: {task: cell["how"] for task, cell in row["cells"].items()} for name, row in rows.items()}
    asked = {"written": "asked", "quads": "asked", "found": "none"}
    assert modes["base"] == asked
    assert modes["written"] == {**asked, "written": "own"}
    assert modes["found"] == {"written": "none", "quads": "none", "found": "own"}
    assert found.results["notes"][0] == (
        "Task 'found' is answered by a head that reads tokens, which no linear probe stands for. The cells of base, "
        "written, quads are empty: only its own expert has that head."
    )
    experts = [found.folder / name for name in ("written", "quads")]
    for operator in ("linear", "fisher", "regmean"):
        data = None if operator == "linear" else run_file
        merge(experts, tmp_path / operator, operator, base=str(tiny_llm), data=data)
        answers = equipoise.load(tmp_path / operator).predict(["a great film"])
        assert set(answers[0]) == {"text", "written", "quads"}


def test_a_search_scores_what_is_written(tmp_path, tiny_llm):
    fast = {"max_steps": 2, "batch_size": 4, "evaluations": 1, "learning_rate": 0.01, "warmup": 0.0}
    data = json.loads(write_run(tmp_path, tiny_llm, train=fast, merge=MERGE, lora={"rank": 2}).read_text())
    data["tasks"].pop("found")
    data["evaluation"] = {"bootstrap": 100, "baselines": []}
    found = evolve(write_data(tmp_path, data))
    assert set(equipoise.load(found.folder).predict(["a great film"])[0]) == {"text", "written", "quads"}
