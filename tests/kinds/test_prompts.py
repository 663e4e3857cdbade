import pytest

from equipoise.kinds import Classification, Multilabel, Regression, check_template, get_kind
from equipoise.kinds.prompts import join_words, make_grid, split_template, with_text

COMMON = ("s", "text", None, "label")


def check(template, kind, has_pair):
    task = get_kind(kind).task
    check_template(template, task.template_fields, task.required_fields, has_pair)


@pytest.mark.parametrize(
    ("template", "kind", "has_pair", "message"),
    [
        ("What is it?", "classification", False, r"found 'What is it\?', expected a template with {text} once"),
        ("{text} {text}", "generation", False, "expected a template with {text} once"),
        ("{text}", "classification", True, "expected a template with {pair} once"),
        (
            "{text} {pair}",
            "classification",
            False,
            r"the field {pair}, expected {text}, {task}, {labels}; write {{ for",
        ),
        ("{text} {}", "generation", False, r"the field {}, expected {text}, {task}; write {{ for"),
        ("{text} {label}", "classification", False, "the field {label}, expected"),
        ("{text.upper}", "generation", False, "the field {text.upper}, expected"),
        ("{text!r}", "generation", False, "the field {text!r}, expected"),
        ("{text:>9}", "generation", False, "the field {text:>9}, expected"),
        ("{text} {", "generation", False, "is no template .*; write {{ for a plain brace"),
        ("{text} }", "generation", False, "is no template"),
        ("{text} {task", "generation", False, "is no template"),
        ("{text}: which?", "multilabel", False, "expected a template with {label}, which is asked one by one"),
    ],
)
def test_a_template_that_cannot_be_filled(template, kind, has_pair, message):
    with pytest.raises(ValueError, match=message):
        check(template, kind, has_pair)


@pytest.mark.parametrize("kind", ["classification", "ordinal", "regression", "multilabel", "generation"])
@pytest.mark.parametrize("has_pair", [False, True])
def test_the_default_templates_can_be_filled_and_begin_with_the_text(kind, has_pair):
    for template in with_text(get_kind(kind).task.default_questions, has_pair):
        check(template, kind, has_pair)
        assert template.startswith("{text}")
        assert "{towards}" not in template


def test_a_template_is_cut_at_the_rows_own_inputs():
    assert split_template("{{x}} {task}: {text} | {pair}", {"task": "{tone}"}) == [
        "{x} {tone}: ",
        "text",
        " | ",
        "pair",
        "",
    ]


def test_what_is_asked_by_default():
    task = Classification(
        "overall_tone", "s", "text", "aspect", "label", "macro_f1", ("a", "b", "c"), verbalize={"b": "so so"}
    )
    ((_, _, first, _, last),) = task.prompts()
    assert first + "PAIR" + last == (
        '\n\nWhat is the overall tone of the text above towards "PAIR"? Answer with one of: a, so so or c.'
    )
    assert [question.answers for question in task.questions()] == [("a", "so so", "c")]
    assert task.answers == 3
    stars = Regression("stars", *COMMON, "pearson", (1.0, 5.0))
    assert stars.prompts() == [
        ["", "text", "\n\nWhat is the stars of the text above, from 1 to 5? Answer with a number."]
    ]
    assert stars.answers == 5
    emotions = Multilabel("emotions", *COMMON, "macro_f1", ("joy", "fear"))
    assert [prompt[-1] for prompt in emotions.prompts()] == [
        f'\n\nDoes the emotions "{name}" apply to the text above? Answer yes or no.' for name in ("joy", "fear")
    ]
    assert emotions.answers == 4


def test_a_template_of_ones_own():
    task = Classification(
        "tone", *COMMON, "macro_f1", ("a", "b"), format="prompt", template="{task} ({labels}) of: {text}"
    )
    assert task.prompts() == [["tone (a or b) of: ", "text", ""]]


@pytest.mark.parametrize(
    ("low", "high", "grid"),
    [
        (1, 5, "1 2 3 4 5"),
        (-2, 2, "-2 -1 0 1 2"),
        (0, 9, "0 1 2 3 4 5 6 7 8 9"),
        (-1, 1, "-1.0 -0.8 -0.6 -0.4 -0.2 0.0 0.2 0.4 0.6 0.8 1.0"),
        (0, 100, "0.0 10.0 20.0 30.0 40.0 50.0 60.0 70.0 80.0 90.0 100.0"),
        (0, 0.5, "0.00 0.05 0.10 0.15 0.20 0.25 0.30 0.35 0.40 0.45 0.50"),
    ],
)
def test_scores_are_written_on_a_grid(low, high, grid):
    assert make_grid(low, high) == tuple(grid.split())


@pytest.mark.parametrize(("low", "high"), [(-4, 4), (0, 1), (-3.3, 8.1), (1e-3, 2e-3), (-100, 1000), (0, 10)])
def test_no_score_of_a_grid_begins_another(low, high):
    grid = make_grid(low, high)
    assert float(grid[0]) == pytest.approx(low, abs=1e-3 * (high - low))
    assert float(grid[-1]) == pytest.approx(high, abs=1e-3 * (high - low))
    assert not any(one != other and other.startswith(one) for one in grid for other in grid)


def test_words_are_joined_for_a_prompt():
    assert [join_words(words) for words in ((), ("a",), ("a", "b"), ("a", "b", "c"))] == [
        "",
        "a",
        "a or b",
        "a, b or c",
    ]
