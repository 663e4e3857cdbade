"""Files as people export them: titles above the header, odd words among numbers, sheets, rows that stop a run."""

import json

import pytest
from typer.testing import CliRunner

from equipoise.cli import app
from equipoise.errors import DataError
from equipoise.proposing import propose
from messy import write_cells

TEXTS = [f"this is text number {number}" for number in range(60)]
LABELED = [f"{text}{{sep}}{['good', 'bad'][number % 2]}" for number, text in enumerate(TEXTS)]


@pytest.mark.parametrize(
    ("titles", "sep", "encoding"),
    [
        (["Survey 2024,", "by tool,", ","], ",", "utf-8"),
        (["Survey 2024\t", "by tool\t", "\t"], "\t", "utf-16"),
        (["Survey 2024", "by tool", ""], ";", "utf-8"),
    ],
)
def test_lines_above_the_header_are_refused_with_the_line_of_the_names(tmp_path, titles, sep, encoding):
    lines = [*titles, f"Response{sep}Sentiment", *(line.format(sep=sep) for line in LABELED)]
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding=encoding)
    with pytest.raises(DataError, match="names of the columns seem to stand in line 4; remove the lines before it"):
        propose(tmp_path / "a.csv")


@pytest.mark.parametrize("header", [",text,label", "text,label,", "text,"])
def test_a_header_with_an_empty_name_is_no_title(tmp_path, header):
    cells = [header] + [
        {",text,label": f"{n},{text},{'ab'[n % 2]}", "text,label,": f"{text},{'ab'[n % 2]},"}.get(
            header, f"{text},{'ab'[n % 2]}"
        )
        for n, text in enumerate(TEXTS)
    ]
    (tmp_path / "a.csv").write_text("\n".join(cells))
    assert [task.kind for task in propose(tmp_path / "a.csv", folder=tmp_path).tasks] == ["classification"]


def test_an_odd_word_among_numbers_with_a_decimal_comma_means_nothing(tmp_path):
    scores = ["1", "2,5", "3", "4,5", "5"]
    rows = [[text, "k.A." if number == 3 else scores[number % 5]] for number, text in enumerate(TEXTS)]
    write_cells(tmp_path / "a.csv", ("text", "score"), rows, delimiter=";")
    proposal = propose(tmp_path / "a.csv", folder=tmp_path)
    assert [task.kind for task in proposal.tasks] == ["regression"]
    (source,) = proposal.sources
    assert (source.keys["decimal"], source.keys["na"]) == (",", ["k.A."])
    assert source.why["na"] == "1 cell that seems to mean: no value"
    assert not proposal.fault


def test_a_class_beside_whole_numbers_stays_a_class(tmp_path):
    rows = [[text, "mixed" if number % 30 == 3 else number % 3] for number, text in enumerate(TEXTS)]
    write_cells(tmp_path / "a.csv", ("text", "label"), rows)
    assert "na" not in propose(tmp_path / "a.csv", folder=tmp_path).sources[0].keys


@pytest.mark.parametrize("word", ["k.A.", "keine Angabe", "n.d."])
def test_a_known_abbreviation_for_no_value_beside_whole_numbers_means_nothing(tmp_path, word):
    rows = [[text, word if number % 8 == 3 else number % 5 + 1] for number, text in enumerate(TEXTS)]
    write_cells(tmp_path / "a.csv", ("Bewertungstext", "Sterne"), rows)
    proposal = propose(tmp_path / "a.csv", folder=tmp_path)
    assert [task.kind for task in proposal.tasks] == ["ordinal"]
    assert proposal.sources[0].keys["na"] == [word]


@pytest.mark.parametrize(("others", "na"), [(["+", "++"], None), (["good", "bad"], ["-", "--"])])
def test_minus_signs_beside_plus_signs_are_an_opinion(tmp_path, others, na):
    rows = [[text, ["-", "--", *others][number % 4]] for number, text in enumerate(TEXTS)]
    write_cells(tmp_path / "a.csv", ("Text", "Urteil"), rows)
    proposal = propose(tmp_path / "a.csv", folder=tmp_path)
    assert proposal.sources[0].keys.get("na") == na
    assert set(proposal.tasks[0].keys["classes"]) == ({"-", "--", "+", "++"} if na is None else set(others))


def test_a_minus_sign_as_it_is_printed_is_one_of_a_number(tmp_path):
    rows = [[text, f"\u2212{number % 10},5" if number % 2 else f"0,{number}"] for number, text in enumerate(TEXTS)]
    write_cells(tmp_path / "a.csv", ("Text", "Wert"), rows, delimiter=";")
    proposal = propose(tmp_path / "a.csv", folder=tmp_path)
    assert [(task.kind, task.keys["range"]) for task in proposal.tasks] == [("regression", [-10, 10])]
    assert not proposal.fault


@pytest.mark.parametrize(
    ("cells", "phrase"),
    [
        ([f"{number},5 %" for number in range(60)], "with a sign behind, such as '0,5 %'; to learn them, remove it"),
        (["x", "", ""] * 20, "one value only, 'x', .*where an empty cell means no, write 0 in it"),
    ],
)
def test_cells_that_need_another_form_are_said_so(tmp_path, cells, phrase):
    rows = list(zip(TEXTS, cells, strict=True))
    write_cells(tmp_path / "a.csv", ("Text", "Wert"), rows, delimiter=";")
    with pytest.raises(DataError, match=phrase):
        propose(tmp_path / "a.csv")


def test_a_price_and_an_editor_are_no_tasks_beside_a_label(tmp_path):
    rows = [
        [text, ["gut", "schlecht"][n % 2], f"{n % 17 + 0.5}", ["Anna", "Bernd"][n % 2]] for n, text in enumerate(TEXTS)
    ]
    write_cells(tmp_path / "a.csv", ("Text", "Stimmung", "Preis", "Bearbeiter"), rows)
    assert [task.name for task in propose(tmp_path / "a.csv", folder=tmp_path).tasks] == ["Stimmung"]


def test_files_of_a_folder_that_are_left_out_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *(line.format(sep=",") for line in LABELED)]))
    for name in ("export.txt", "old.xls", ".hidden", "run.yaml"):
        (tmp_path / name).write_text("text|label")
    (note,) = propose(tmp_path, folder=tmp_path).notes
    assert "left out 'export.txt', 'old.xls', expected files that end in .csv" in note


@pytest.mark.parametrize("indent", [None, 1])
def test_rows_inside_one_object_are_said_where_they_are(tmp_path, indent):
    rows = [{"text": text, "label": "ab"[number % 2]} for number, text in enumerate(TEXTS)]
    (tmp_path / "a.json").write_text(json.dumps({"exported": "today", "items": rows}, indent=indent))
    with pytest.raises(DataError, match=r"one object whose 'items' is an array of objects \(60\)"):
        propose(tmp_path / "a.json")


def test_a_source_with_a_faulty_row_stays_with_its_tasks_and_the_fault_is_told_in_one_line(tmp_path):
    for name in ("one", "two"):
        rows = [[text, f"{name}{number % 2}"] for number, text in enumerate(TEXTS)]
        write_cells(tmp_path / f"{name}.csv", ("text", f"label_{name}"), rows)
    lines = (tmp_path / "two.csv").read_text().splitlines(keepends=True)
    (tmp_path / "two.csv").write_text("".join([*lines[:5], "a row of one cell\n", *lines[5:]]))
    done = CliRunner().invoke(app, ["init", str(tmp_path), "-o", str(tmp_path / "run.yaml")])
    assert done.exit_code == 0, done.output
    (note,) = [line for line in done.output.splitlines() if "before a run can start" in line]
    assert "two.csv, line 6" in note
    assert "found 1 cells, expected 2 as in the header" in note
    proposal = propose(tmp_path, folder=tmp_path)
    assert [source.name for source in proposal.sources] == ["one", "two"]
    assert [task.name for task in proposal.tasks] == ["label_one", "label_two"]
    assert "# Mend: " in proposal.text


def test_sheets_that_are_not_read_are_named(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, count in (("Q1", 60), ("Q2", 40)):
        sheet = book.create_sheet(title)
        for row in [["text", "label"], *([text, "ab"[n % 2]] for n, text in enumerate(TEXTS[:count]))]:
            sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    (note,) = propose(tmp_path / "a.xlsx", folder=tmp_path).notes
    assert "'Q1' is read, which has the most rows (60); left out: 'Q2'" in note
    assert "name it in the run file (sheet)" in note


@pytest.mark.parametrize("sep", [",", ";"])
def test_a_line_for_excel_is_no_title(tmp_path, sep):
    lines = [f"sep={sep}", f"text{sep}label", *(line.format(sep=sep) for line in LABELED)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    (task,) = propose(tmp_path / "a.csv", folder=tmp_path).tasks
    assert task.kind == "classification"


def test_a_title_in_a_sheet_is_refused(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [["Survey 2024"], ["Response", "Sentiment"], *([text, "ab"[n % 2]] for n, text in enumerate(TEXTS))]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=r"row 1: found 'Survey 2024', .* in row 2; remove the rows before it"):
        propose(tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    ("rows", "phrase"),
    [
        ([["a text of words", "good"]], "found 1 row, expected 4 or more"),
        ([[text, "good"] for text in TEXTS], "the column 'label' holds one value only, 'good'"),
    ],
)
def test_it_says_why_no_column_can_be_labels(tmp_path, rows, phrase):
    write_cells(tmp_path / "a.csv", ("text", "label"), rows)
    with pytest.raises(DataError, match=phrase):
        propose(tmp_path / "a.csv")
