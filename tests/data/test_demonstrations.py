"""Demonstrations before a question."""

from collections import Counter

import numpy as np
import pytest
from transformers import AutoTokenizer

from equipoise.data import ChatStyle, PromptEncoder, choose_demonstrations, demonstrate, order_demonstrations
from equipoise.data.demonstrations import Demonstration
from equipoise.kinds import Classification, Generation, Multilabel, Regression

COMMON = ("s", "text", None, "label")
POLARITY = Classification(
    "polarity", *COMMON, "macro_f1", ("bad", "good", "so so"), verbalize={"so so": "fine"}, format="prompt"
)
EMOTIONS = Multilabel("emotions", *COMMON, "macro_f1", ("love", "sad"), format="prompt")


@pytest.fixture(scope="module")
def tokenizer(tiny_llm):
    return AutoTokenizer.from_pretrained(tiny_llm)


def test_every_class_is_shown_in_turns():
    labels = np.array([0] * 50 + [1] * 3 + [2] * 5)
    chosen = choose_demonstrations(POLARITY, labels, 6, seed=3)
    assert Counter(one.answer for one in chosen) == {"bad": 2, "good": 2, "fine": 2}
    assert len({one.answer for one in chosen[:3]}) == 3
    assert all(POLARITY.correct_answers(labels[one.row]) == [one.answer] for one in chosen)
    assert len({one.row for one in chosen}) == 6
    assert chosen == choose_demonstrations(POLARITY, labels, 6, seed=3)
    assert chosen != choose_demonstrations(POLARITY, labels, 6, seed=4)


def test_no_row_is_shown_twice_and_train_may_run_out():
    labels = np.array([[1, 0], [0, 0], [0, 1]], dtype=np.int8)
    chosen = choose_demonstrations(EMOTIONS, labels, 10, seed=0)
    assert sorted(one.row for one in chosen) == [0, 1, 2]
    assert all(EMOTIONS.correct_answers(labels[one.row])[one.question] == one.answer for one in chosen)
    assert {one.answer for one in chosen[:2]} == {"no", "yes"}


def test_scores_are_shown_as_the_nearest_answer_and_texts_as_they_are():
    score = Regression("score", *COMMON, "pearson", (1.0, 5.0))
    assert [score.correct_answers(value) for value in (1.0, 3.4, 4.9)] == [["1"], ["3"], ["5"]]
    title = Generation("title", *COMMON, "rouge_l")
    (one,) = choose_demonstrations(title, np.array(["A fine day"], dtype=object), 1, seed=0)
    assert one == Demonstration(0, 0, "A fine day")


def test_demonstrations_go_from_easy_to_hard_or_back():
    chosen = [Demonstration(row, 0, "good") for row in (2, 0, 1, 3)]
    difficulty = np.array([0.9, 0.5, 0.1, 0.5])
    assert [one.row for one in order_demonstrations(chosen, difficulty, "easy_first")] == [2, 1, 3, 0]
    assert [one.row for one in order_demonstrations(chosen, difficulty, "hard_first")] == [0, 1, 3, 2]


EXAMPLES = [(Demonstration(0, 0, "good"), "nice film", None), (Demonstration(1, 0, "bad"), "poor plot", None)]


def test_demonstrations_are_turns_of_the_chat(tokenizer):
    found = demonstrate(tokenizer, POLARITY, EXAMPLES, 300, ChatStyle(system="Be brief."), None)
    question = "What is the polarity of the text above? Answer with one of: bad, good or fine."
    messages = [{"role": "system", "content": "Be brief."}]
    for one, text, _ in EXAMPLES:
        messages += [{"role": "user", "content": f"{text}\n\n{question}"}, {"role": "assistant", "content": one.answer}]
    messages.append({"role": "user", "content": f"the rest\n\n{question}"})
    tokens = found.tokens + found.prompts.ask("polarity", 0, "the rest")
    whole = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(tokens) == whole
    assert found.shown == 2


def test_demonstrations_in_plain_text(tokenizer):
    found = demonstrate(tokenizer, POLARITY, EXAMPLES, 300, ChatStyle(chat=False), None)
    question = "What is the polarity of the text above? Answer with one of: bad, good or fine."
    assert tokenizer.decode(found.tokens + found.prompts.ask("polarity", 0, "the rest")) == (
        f"nice film\n\n{question}\nAnswer: good\n\npoor plot\n\n{question}\nAnswer: bad\n\n"
        f"the rest\n\n{question}\nAnswer:"
    )


def test_as_many_as_fit_are_shown_and_none_is_the_plain_prompt(tokenizer):
    style = ChatStyle()
    one = demonstrate(tokenizer, POLARITY, EXAMPLES[:1], 300, style, None)
    assert demonstrate(tokenizer, POLARITY, EXAMPLES, 300, style, len(one.tokens))[0::2] == (one.tokens, 1)
    none = demonstrate(tokenizer, POLARITY, EXAMPLES, 300, style, len(one.tokens) - 1)
    assert none[0::2] == ([], 0)
    plain = PromptEncoder(tokenizer, {"polarity": POLARITY}, 300, style)
    assert none.prompts.ask("polarity", 0, "the rest") == plain.ask("polarity", 0, "the rest")


def test_a_demonstrated_text_is_cut_like_any_other_and_holds_no_special_tokens(tokenizer):
    examples = [(EXAMPLES[0][0], "word " * 500 + "<end>", None)]
    found = demonstrate(tokenizer, POLARITY, examples, 200, ChatStyle(), None)
    assert len(found.tokens) <= 200 + len("good")
    counts = [
        demonstrate(tokenizer, POLARITY, [(EXAMPLES[0][0], text, None)], 200, ChatStyle(), None).tokens.count(2)
        for text in ("a", "a <end>")
    ]
    assert counts == [1, 1]
