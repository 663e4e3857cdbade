import datasets
import numpy as np
import pytest
from tokenizers import processors
from transformers import AutoTokenizer

from equipoise.data import ChatStyle, PromptEncoder
from equipoise.errors import DataError, ModelError, UsageError
from equipoise.kinds import Classification
from prompted import PAIRS, TEXTS, ask, encode, make_model, make_tasks

COMMON = ("s", "text", None, "label")


@pytest.fixture(scope="module")
def tokenizer(tiny_llm):
    return AutoTokenizer.from_pretrained(tiny_llm)


@pytest.fixture(scope="module")
def model(tiny_llm):
    return make_model(tiny_llm, make_tasks())


def classification(**options):
    return Classification("tone", *COMMON, "macro_f1", **{"classes": ("bad", "good"), "format": "prompt"} | options)


def encoder(tokenizer, task=None, max_length=160, **options):
    task = task or classification()
    return PromptEncoder(tokenizer, {task.name: task}, max_length, **options)


def path(row, place):
    """The tokens from the root to a node."""
    return [token for node, token in enumerate(row["input_ids"][: place + 1]) if place < row["ends"][node]]


def sequences(row, task):
    """The prompt with each answer, by slot."""
    found = {}
    for place, token, slot in zip(row[f"positions:{task}"], row[f"tokens:{task}"], row[f"slots:{task}"], strict=True):
        found[slot] = [*path(row, place), token]
    return list(found.values())


@pytest.mark.parametrize("text", [*TEXTS, "", " \n\t x", "日本 🙂 Ġ §", "a  b\r\n<unk>"])
def test_the_tiny_tokenizer_loses_nothing(tokenizer, text):
    for plain in (False, True):
        tokens = tokenizer(text, add_special_tokens=False, split_special_tokens=plain)["input_ids"]
        assert tokenizer.decode(tokens) == text
    assert tokenizer.unk_token_id not in tokens


def test_every_answer_follows_the_whole_prompt(model):
    row = encode(model, ["a good film"])[0]
    tokenizer = model.tokenizer
    prompts = {
        "polarity": ["What is the polarity of the text above? Answer with one of: bad, no idea or good."],
        "intensity": ["What is the intensity of the text above, from -1.0 to 1.0? Answer with a number."],
        "emotions": [
            f'Does the emotions "{name}" apply to the text above? Answer yes or no.' for name in ("joy", "fear")
        ],
    }
    for task, questions in prompts.items():
        expected = [
            ask(tokenizer, f"a good film\n\n{question}") + tokenizer(answer)["input_ids"]
            for question, asked in zip(questions, model.tasks[task].questions(), strict=True)
            for answer in asked.answers
        ]
        assert sequences(row, task) == expected
    assert row["prompt:title"] == ask(tokenizer, "a good film\n\nWrite the title of the text above.")
    assert row["text_length"] == 0  # no head reads it


def test_shared_beginnings_stand_once(model):
    row = encode(model, ["a good film"], wanted={"emotions": [0]})[0]
    whole = {tuple(sequence[: length + 1]) for sequence in sequences(row, "emotions") for length in range(200)}
    read = {prefix for prefix in whole if prefix not in {tuple(one) for one in sequences(row, "emotions")}}
    assert row["length"] == len(row["input_ids"]) == len(read)
    assert row["position_ids"] == [len(path(row, place)) - 1 for place in range(row["length"])]


def test_task_modules_read_the_text_and_the_pair_before_any_question(tiny_llm):
    model = make_model(tiny_llm, make_tasks("aspect", polarity="head"))
    row = encode(model, ["a good film"], ["plot"])[0]
    read = row["input_ids"][: row["text_length"]]
    assert model.tokenizer.decode(read) == "<start>user\na good film\nplot"
    assert path(row, row["text_length"] - 1) == read
    alone = encode(model, ["a good film"], ["plot"], wanted={"polarity": [0]})[0]
    assert alone["input_ids"] == read


def test_the_target_follows_the_prompt_that_is_answered(model):
    row = encode(model, TEXTS[:1], title=["Love <end> it"])[0]
    (sequence,) = sequences(row, "title")
    prompt = encode(model, TEXTS[:1])[0]["prompt:title"]
    # What looks like the end in a target is text.
    target = model.tokenizer("Love <end> it", split_special_tokens=True)["input_ids"]
    assert sequence == [*prompt, *target, model.tokenizer.eos_token_id]
    assert sequence.count(model.tokenizer.eos_token_id) == prompt.count(model.tokenizer.eos_token_id) + 1
    assert row["input_ids"] == sequence[:-1]


def test_only_wanted_tasks_are_asked(model):
    rows = encode(model, TEXTS[:3], polarity=[0, None, 1], title=[None, "x", "y"])
    assert [len(found) > 0 for found in rows["positions:polarity"]] == [True, False, True]
    assert [len(found) > 0 for found in rows["positions:title"]] == [False, True, True]
    assert rows["positions:emotions"][:] == [[], [], []]


def test_special_tokens_in_a_text_are_text(tiny_llm):
    model = make_model(tiny_llm, make_tasks("aspect"))
    row = encode(model, TEXTS[3:], PAIRS[3:])[0]
    special = set(model.tokenizer.all_special_ids)
    asked = [token for token in row["prompt:title"] if token in special]
    plain = [token for token in encode(model, ["a"], ["b"])[0]["prompt:title"] if token in special]
    assert asked == plain
    assert TEXTS[3] in model.tokenizer.decode(row["prompt:title"])


def test_a_text_too_long_is_cut_in_the_text_for_all_tasks_alike(tiny_llm):
    model = make_model(tiny_llm, make_tasks("aspect", polarity="head"))
    texts, pairs = ["good film " * 200, "good"], ["the plot"] * 2
    rows = encode(model, texts, pairs)
    decode = model.tokenizer.decode
    kept = decode(rows[0]["input_ids"][: rows[0]["text_length"]])
    assert kept.endswith("\nthe plot")
    text = kept.removeprefix("<start>user\n").removesuffix("\nthe plot")
    assert texts[0].startswith(text)
    assert rows[0]["prompt:title"] == ask(
        model.tokenizer, f'{text}\n\nWrite the title of the text above towards "the plot".'
    )
    # The longest question fills max_length.
    prompts = [path(rows[0], place) for task in ("intensity", "emotions") for place in rows[0][f"positions:{task}"]]
    end = model.tokenizer("<start>assistant\n")["input_ids"]
    assert max(len(prompt) for prompt in prompts if prompt[-len(end) :] == end) == model.max_length
    learning = encode(model, texts, pairs, title=["x", "y"], polarity=[0, 1])[0]
    assert sequences(learning, "title")[0][: len(rows[0]["prompt:title"])] == rows[0]["prompt:title"]
    assert learning["input_ids"][: learning["text_length"]] == rows[0]["input_ids"][: rows[0]["text_length"]]
    cut = model.encode_rows(rows.select_columns(["text", "pair"]), {"title": [0, 1]})[1]
    assert cut == 1


def test_a_pair_that_does_not_fit_is_cut_too(tiny_llm):
    model = make_model(tiny_llm, make_tasks("aspect"))
    rows, cut = model.encode_rows(
        encode(model, ["good"], ["bad film " * 200]).select_columns(["text", "pair"]), {"emotions": [0]}
    )
    assert cut == 1
    asked = model.tokenizer.decode(sequences(rows[0], "emotions")[0])
    assert asked.startswith("<start>user\ngood\n\nDoes the emotions")
    assert '"bad film bad film' in asked


@pytest.mark.parametrize("max_length", [20, 64])
def test_a_question_longer_than_max_length(tokenizer, max_length):
    with pytest.raises(UsageError, match=r"tasks.tone: its question alone takes \d+ tokens, .* of max_length"):
        encoder(tokenizer, max_length=max_length)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("good", "goods"), "the answer 'good' begins the answer 'goods'"),
        (("good", "bad", "good film"), "the answer 'good' begins the answer 'good film'"),
        (("good", ""), "tasks.tone: found an empty answer"),
        (("good", "  "), "tasks.tone: found an empty answer"),
    ],
)
def test_answers_that_cannot_be_told_apart(tokenizer, classes, message):
    with pytest.raises(UsageError, match=message):
        encoder(tokenizer, classification(classes=classes))


def test_equal_answers_are_refused(tokenizer):
    with pytest.raises(UsageError, match="the answer 'fine' begins the answer 'fine'"):
        encoder(tokenizer, classification(verbalize={"bad": "fine", "good": "fine"}))


def test_a_context_without_room_for_the_answers(tokenizer, tiny_llm):
    encoder(tokenizer, max_length=155, context=159)
    message = "max_length is 156 and an answer of tasks.tone takes up to 4 tokens, .* set max_length to 155 or less"
    with pytest.raises(ModelError, match=message):
        encoder(tokenizer, max_length=156, context=159)
    tasks = {"title": make_tasks()["title"]}
    with pytest.raises(ModelError, match=r"max_length is 507 and an answer of tasks.title takes up to 6 tokens"):
        make_model(tiny_llm, tasks, max_length=507)
    model = make_model(tiny_llm, tasks, max_length=500)
    with pytest.raises(DataError, match=r"task 'title': found 'x+', .* of 13 tokens; expected at most 12"):
        encode(model, ["good"], title=["x" * 12])
    assert encode(model, ["good"], title=["x" * 11])


def test_a_tokenizer_without_a_chat_template(tiny_llm):
    bare = AutoTokenizer.from_pretrained(tiny_llm)
    bare.chat_template = None
    with pytest.raises(ModelError, match=r"its tokenizer has no chat template; set prompt.chat: false"):
        encoder(bare)
    plain = make_model(tiny_llm, make_tasks(), style=ChatStyle(chat=False))
    row = encode(plain, ["a good film"])[0]
    decode = plain.tokenizer.decode
    assert decode(row["prompt:title"]) == "a good film\n\nWrite the title of the text above.\nAnswer:"
    assert decode(sequences(row, "polarity")[1]).endswith("bad, no idea or good.\nAnswer: no idea")
    learning = encode(plain, ["a good film"], title=["so bad"])[0]
    assert decode(sequences(learning, "title")[0]).endswith("Answer: so bad<end>")


def test_a_plain_prompt_begins_as_the_tokenizer_begins(tiny_llm):
    tokenizer = AutoTokenizer.from_pretrained(tiny_llm)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A", special_tokens=[("<start>", tokenizer.bos_token_id)]
    )
    rows, _ = encoder(tokenizer, style=ChatStyle(chat=False)).encode(
        datasets.Dataset.from_dict({"text": ["good"], "pair": [None]}), {"tone": np.array([0])}, learning=False
    )
    assert rows[0]["input_ids"][0] == tokenizer.bos_token_id
    assert rows[0]["input_ids"].count(tokenizer.bos_token_id) == 1


def test_a_system_message(tiny_llm):
    model = make_model(tiny_llm, make_tasks(), style=ChatStyle(system="be kind"))
    prompt = encode(model, ["so so"])[0]["prompt:title"]
    assert prompt == ask(model.tokenizer, "so so\n\nWrite the title of the text above.", "be kind")


def test_a_chat_template_that_refuses_or_drops(tiny_llm):
    tokenizer = AutoTokenizer.from_pretrained(tiny_llm)
    tokenizer.chat_template = "{{ raise_exception('no system here') }}"
    with pytest.raises(ModelError, match=r"cannot be used \(no system here\); leave out prompt.system"):
        encoder(tokenizer, style=ChatStyle(system="x"))
    tokenizer.chat_template = "hello"
    with pytest.raises(ModelError, match="leaves the question out"):
        encoder(tokenizer)


def test_a_tokenizer_without_an_end(tiny_llm):
    tokenizer = AutoTokenizer.from_pretrained(tiny_llm)
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="no token that ends a text"):
        encoder(tokenizer)


def test_a_template_with_the_text_behind(tiny_llm):
    tasks = {"tone": classification(template="Rate:\n{text}!"), **make_tasks(polarity="head")}
    model = make_model(tiny_llm, tasks)
    row = encode(model, ["a good film"])[0]
    assert (
        sequences(row, "tone")[0] == ask(model.tokenizer, "Rate:\na good film!") + model.tokenizer("bad")["input_ids"]
    )
    assert model.tokenizer.decode(row["input_ids"][: row["text_length"]]) == "<start>user\na good film"
