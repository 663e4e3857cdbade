import json
import re

import pytest

from equipoise.errors import EquipoiseError, UsageError
from equipoise.reporting import write_report
from pages import Page

TEN = [f"task_{i}" for i in range(9)] + ["a_task_with_a_name_that_is_longer_than_any_column"]


def report(folder):
    html = write_report(folder).read_text(encoding="utf-8")
    return html, Page(html)


@pytest.mark.parametrize("names", [["intensity"], ["intensity", "polarity", "disagreement"], TEN])
def test_the_page_is_whole_for_one_to_ten_tasks(make, names):
    html, page = report(make(names, n_steps=600))
    sections = ["my run", "Results on test", "By domain", "Training", "Score on dev", "Loss of each task"]
    sections += ["Task weights"] * (len(names) > 1) + ["Data"] + ["Classes"] * (len(names) > 1) + ["Set-up"]
    assert page.headings == sections
    assert all(name in page.text for name in names)
    assert "22,713,216" in page.text
    assert "9 min 43 s" in page.text
    assert "12,345" in page.text
    # Each figure is there twice, as wide as the page and for a phone.
    assert page.labels[::2] == page.labels[1::2]
    assert len(page.labels[::2]) == (3 if len(names) > 1 else 2)
    assert len(html) < 1_000_000


def test_the_page_asks_nothing_of_the_network_and_runs_no_script(make):
    html, page = report(make(["intensity", "polarity"]))
    assert re.findall(r"\w+:?//|@import|javascript:", html) == []
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    links = [value for _, attributes in page.tags for key, value in attributes.items() if key in ("href", "src")]
    assert links
    assert all(link.startswith("#") and link[1:] in page.ids for link in links)


def test_the_figures_take_the_colours_and_fonts_of_the_page(make):
    html, _ = report(make(["intensity", "polarity"]))
    figures = "".join(re.findall(r"<svg.*?</svg>", html, re.S))
    assert set(re.findall(r"#[0-9a-f]{6}\b", figures)) == set()
    assert "var(--series-1)" in figures
    assert "currentColor" in figures
    assert "<text" in figures
    assert "<style" not in figures


def test_references_inside_figures_point_to_their_own_figure(make):
    html, page = report(make(["intensity", "polarity"]))
    references = re.findall(r"url\(#([^)]+)\)", html)
    assert references
    assert set(references) <= set(page.ids)


def test_values_and_intervals_of_the_table(make):
    folder = make(["intensity"])
    record = next(r for r in json.loads((folder / "metrics.json").read_text()) if r["metric"] == "pearson")
    _, page = report(folder)
    assert f"{record['value']:.3f}" in page.text
    assert f"[{record['low']:.3f}, {record['high']:.3f}]" in page.text


def test_labels_notes_and_folder_names_are_escaped(make, tmp_path):
    folder = make(
        ["intensity", "polarity"],
        classes=("<b>bold</b>", 'a"&b', "$x^2$"),
        notes=["posts: <script>alert(1)</script> & more"],
    )
    folder = folder.rename(tmp_path / "a & <i>")
    html, page = report(folder)
    assert not {tag for tag, _ in page.tags} & {"b", "i", "script"}
    assert "<b>bold</b>" in page.text
    assert "<script>alert(1)</script> & more" in page.text
    assert "a & <i>" in page.text
    assert "<b>bold" not in html


@pytest.mark.parametrize("missing", ["metrics.json", "log.jsonl", "data.json", "summary.json"])
def test_a_missing_file_leaves_its_part_out(make, missing):
    folder = make(["intensity", "polarity"])
    (folder / missing).unlink()
    _, page = report(folder)
    gone = {
        "metrics.json": ["Results on test", "By domain"],
        "log.jsonl": ["Training", "Score on dev", "Loss of each task", "Task weights"],
        "data.json": ["Classes"],
        "summary.json": [],
    }[missing]
    everything = ["Results on test", "By domain", "Training", "Score on dev", "Loss of each task", "Task weights"]
    everything += ["Data", "Classes", "Set-up"]
    assert page.headings[1:] == [heading for heading in everything if heading not in gone]


def test_the_run_file_alone_is_enough(make):
    folder = make(["intensity"])
    for name in ("metrics.json", "log.jsonl", "data.json", "summary.json"):
        (folder / name).unlink()
    _, page = report(folder)
    assert page.headings == ["my run", "Data", "Set-up"]


def test_tasks_that_are_absent_from_some_or_all_steps(make):
    folder = make(["always", "sometimes", "never"], absent=["sometimes"])
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in lines:
        if "losses" in line:
            del line["losses"]["never"]
            line["weights"]["never"] = 0.0
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    _, page = report(folder)
    losses, weights = page.labels[2::2]
    assert "always from" in losses
    assert "sometimes from" in losses
    assert "never" not in losses
    assert "never" not in weights
    # Weight 0 marks absence and is not averaged in.
    assert float(re.search(r"sometimes (\d\.\d+)", weights).group(1)) > 0.4


@pytest.mark.parametrize("scored", [["intensity"], ["intensity", "irony"]])
def test_auxiliary_tasks_stand_in_data_and_curves_and_in_no_table_of_scores(make, scored):
    html, page = report(make([*scored, "helper", "topic"], auxiliary=["helper", "topic"]))
    results, training, data = re.findall(r"<section.*?</section>", html, re.S)[:3]
    assert "helper" not in results
    assert "topic" not in results
    assert f"for {len(scored)} sentiment task{'s' * (len(scored) > 1)} and 2 auxiliary tasks on posts" in page.text
    assert data.count("auxiliary: not scored") == 2
    dev, losses, weights = page.labels[::2]
    assert "helper" not in dev
    assert ("with it" in dev) == (len(scored) > 1)
    assert "helper from" in losses
    assert "topic" in weights
    assert "Auxiliary: helper, topic." in training
    rows = {
        row.split("<")[0].strip(): re.findall(r'<td class="number[^>]*>([^<]*)', row)
        for row in data.split('<th scope="rowgroup">')[1:]
    }
    assert rows["helper"] == ["12,345", "–", "–"]
    assert rows["intensity"] == ["12,345", "120", "90"]


def test_a_log_with_a_broken_last_line_a_repeated_step_and_a_loss_that_is_nan(make):
    folder = make(["intensity"], n_steps=5)
    lines = [{"step": step, "losses": {"intensity": loss}} for step, loss in ((1, 9.0), (2, 8.0), (3, float("nan")))]
    lines += [{"step": 2, "losses": {"intensity": 7.0}}, {"step": 4, "losses": {"intensity": 6.0}}]
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 5, "los')
    _, page = report(folder)
    assert page.labels[::2] == ["Line charts of the training loss of each task: intensity from 9 to 6."]


def test_the_kept_checkpoint_is_marked(make):
    folder = make(["intensity", "polarity"])
    _, page = report(folder)
    assert "the checkpoint of step 48 was kept" in page.labels[0]
    assert "The ring marks the kept checkpoint, step 48." in page.text


def test_dev_records_are_shown_where_test_was_not_scored(make):
    folder = make(["intensity"])
    records = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps([{**record, "split": "dev"} for record in records]))
    assert "Results on dev" in report(folder)[1].headings


def test_the_same_folder_gives_the_same_page_and_nothing_half_written(make):
    folder = make(["intensity", "polarity"])
    before = {path.name for path in folder.iterdir()}
    assert report(folder)[0] == report(folder)[0]
    assert {path.name for path in folder.iterdir()} == before | {"report.html"}


def test_a_damaged_file_is_named(make):
    folder = make(["intensity"])
    (folder / "metrics.json").write_text("[{")
    with pytest.raises(EquipoiseError, match=r"metrics\.json: not valid JSON"):
        write_report(folder)
    assert not (folder / "report.html").exists()


def test_a_folder_without_a_run_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"config\.yaml"):
        write_report(tmp_path)


ALL_KINDS = ("regression", "multilabel", "generation", "classification")


def test_every_kind_has_its_metrics_and_rivals(make):
    folder = make(["score", "emotions", "title", "polarity"], kinds=ALL_KINDS)
    _, page = report(folder)
    results, by_domain, data, classes = page.tables
    assert results[0] == ["task", "metric", "this run", "majority", "VADER", "lead", "rows"]
    heads = [row[1] if len(row) == 7 else row[0] for row in results[1:]]
    assert heads == [
        *("Pearson r", "Spearman ρ", "MSE ↓", "MAE ↓", "macro-F1", "micro-F1", "Jaccard", "ECE ↓", "Brier ↓"),
        *("ROUGE-L", "ROUGE-1", "ROUGE-2", "empty outputs ↓", "copied outputs ↓", "macro-F1", "accuracy", "ECE ↓"),
        "Brier ↓",
    ]
    # A rival has no value where it does not apply.
    copied = next(row for row in results if row[0].startswith("copied"))
    assert copied[2:] == ["–", "–", "1.000 [1.000, 1.000]"]
    assert [row[1] for row in data[1:5]] == [
        *("regression", "multilabel", "generation, at most 32 tokens", "classification")
    ]
    assert "lead writes the first words of the text" in page.text
    assert "ROUGE is the F-measure" in page.text
    assert [row[0] for row in classes[1:] if len(row) == 5] == ["emotions", "polarity"]
    assert [row[0].split()[0] for row in by_domain[1:] if len(row) == 7] == ["score", "emotions", "title", "polarity"]


def test_other_runs_say_nothing_of_texts(make):
    _, page = report(make(["intensity", "polarity"]))
    assert "ROUGE" not in page.text
    assert "lead" not in page.text
    assert "Outputs on test" not in page.headings


def test_the_shares_of_terms_are_of_terms(make):
    folder = make(["emotions"], kinds=("multilabel",))
    counts = {"train": {"joy": 3, "fear": 1}, "dev": {"joy": 0, "fear": 0}}
    content = json.loads((folder / "data.json").read_text())
    content |= {"classes": {"emotions": counts}, "counted": {"emotions": "terms"}}
    (folder / "data.json").write_text(json.dumps(content))
    _, page = report(folder)
    assert [row[-3:-1] for row in page.tables[-1][1:]] == [["3 75.0 %", "–"], ["1 25.0 %", "–"]]
    assert "emotions terms, not rows" in page.text


def test_the_shares_of_labels_are_of_rows(make):
    folder = make(["emotions"], kinds=("multilabel",))
    counts = {"train": {"joy": 10_000, "fear": 5_000}, "dev": {"joy": 0, "fear": 120}}
    content = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps({**content, "classes": {"emotions": counts}}))
    _, page = report(folder)
    # Of 12,345 and 120 rows; the labels need not add up to 100 %.
    assert [row[-3:-1] for row in page.tables[-1][1:]] == [
        ["10,000 81.0 %", "0 0.0 %"],
        ["5,000 40.5 %", "120 100.0 %"],
    ]


def test_outputs_are_shown_as_text_and_long_ones_cut(make):
    folder = make(["title"], kinds=("generation",))
    example = {"part": "best", "rouge_l": 0.875, "text": "word " * 300, "pair": "<i>pair</i>"}
    shown = [
        example | {"target": "<b>fine</b>", "output": ""},
        example | {"part": "worst", "target": "t", "output": "<script>alert(1)</script>"},
    ]
    (folder / "examples.json").write_text(json.dumps({"title": shown}))
    _, page = report(folder)
    assert not {tag for tag, _ in page.tags} & {"b", "i", "script"}
    assert page.headings[page.headings.index("Outputs on test") + 1] == "title"
    outputs = next(table for table in page.tables if table[0][0] == "rank")
    assert outputs[1][:4] == ["best", "0.88", "–", "<b>fine</b>"]
    assert outputs[2][:4] == ["worst", "0.88", "<script>alert(1)</script>", "t"]
    assert outputs[1][4].endswith("… <i>pair</i>")
    assert len(outputs[1][4]) < 270


def test_what_was_not_finite_stands_in_the_files_as_null_and_is_left_out(make):
    folder = make(["intensity", "polarity"])
    records = json.loads((folder / "metrics.json").read_text())
    broken = next(record for record in records if record["metric"] == "mse")
    broken.update(value=None, low=None, high=None)
    (folder / "metrics.json").write_text(json.dumps(records))
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in lines[:2]:
        line.update(grad_norm=None, loss=None, losses=dict.fromkeys(line.get("losses", {})))
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    _, page = report(folder)
    assert "Results on test" in page.headings
    assert "Loss of each task" in page.headings
