"""The codes of findings: what each stands for, how bad it is, and what to do. A code never changes its meaning."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Code:
    """What a code stands for.

    Args:
        title: in a few words.
        level: how bad it is, if nothing else is said: "error", "warning" or "note".
        meaning: when it is reported, in one or two sentences.
        advice: what to do about it.
        rare: share of the rows below which a warning is a note.
    """

    title: str
    level: Literal["error", "warning", "note"]
    meaning: str
    advice: str
    rare: float = 0.0


CODES: dict[str, Code] = {
    "E01": Code(
        "run file",
        "error",
        "The run file cannot be read, or a key or value in it is wrong.",
        "Correct the run file; `equipoise list keys` lists its keys.",
    ),
    "E02": Code(
        "data cannot be read",
        "error",
        "A file is missing, empty or damaged, a column is missing, or a split has no rows.",
        "Correct the file, or the keys of the source.",
    ),
    "E03": Code(
        "cells that cannot be used",
        "error",
        "A cell in a label column is no label of its task: a number out of range, a class that is not listed or that "
        "train does not have, a list as text. Or no row with a label has a text.",
        "Correct the cells, or leave the label empty; list every class in the run file (classes), or map spellings "
        "(map).",
    ),
    "E04": Code(
        "labels that cannot be learned",
        "error",
        "All training labels of a task are the same, a label applies to every row or to none, or there are none.",
        "Check the label column, or leave the task out.",
    ),
    "E05": Code(
        "model",
        "error",
        "The model cannot be loaded, or cannot do what the run file asks of it.",
        "Choose another model, or change what the message names.",
    ),
    "E06": Code(
        "machine or output",
        "error",
        "This machine cannot train the run, or the output folder may not be written.",
        "Change what the message names.",
    ),
    "T01": Code(
        "texts without words",
        "warning",
        "Labelled texts hold punctuation alone. A note if they are fewer than 1 in 100.",
        "Delete the rows, or leave their labels empty.",
        rare=0.01,
    ),
    "T02": Code(
        "texts longer than max_length",
        "warning",
        "Texts have more words than `max_length`, and so more tokens. A note if they are fewer than 1 in 10, or read "
        "in windows.",
        "Raise max_length, or have all of a text read (long_texts: windows).",
        rare=0.1,
    ),
    "T03": Code(
        "wrong encoding",
        "warning",
        "UTF-8 was read as another encoding when the file was written: Ã¼ stands for ü, â€™ for an apostrophe.",
        "Write the file again from its origin, as UTF-8; or name the encoding that it really has (encoding).",
    ),
    "T04": Code(
        "lost characters",
        "warning",
        "Texts hold the replacement character �: what stood there was lost when the file was converted.",
        "Write the file again from its origin, as UTF-8.",
    ),
    "T05": Code(
        "HTML in texts",
        "warning",
        "Texts hold entities such as `&amp;` or tags such as `<br>`. A note if they are fewer than 1 in 100.",
        "Have them removed while the file is read (clean: html).",
        rare=0.01,
    ),
    "T06": Code(
        "invisible characters",
        "note",
        "Texts hold control characters, byte order marks or zero-width spaces, which a model may read as unknown "
        "tokens.",
        "Remove them where the texts come from, if you can.",
    ),
    "T07": Code(
        "escape sequences",
        "warning",
        r"Texts hold escapes that were never read, such as `\n` or `\u00e9`. A note if they are fewer than 1 in 100.",
        "Read the texts as JSON or as Python literals where the file is made, and write it again.",
        rare=0.01,
    ),
    "T08": Code(
        "texts that are code",
        "warning",
        "Whole texts are bytes or lists written as text, such as `b'good'` or `['good']`.",
        "Decode or join them where the file is made, and write it again.",
    ),
    "T09": Code(
        "placeholders",
        "warning",
        "Labelled texts are a word for nothing, such as n/a or [deleted]. A note if they are fewer than 1 in 100.",
        "Delete the rows, or name these words as missing (na).",
        rare=0.01,
    ),
    "T10": Code(
        "a column without texts",
        "warning",
        "Most cells of the text column are numbers, dates, addresses or codes.",
        "Name the column that holds the texts (text).",
    ),
    "T11": Code(
        "another script",
        "note",
        "A few texts of a source are written in another script than the others.",
        "Check that the model reads the script, or delete the rows.",
    ),
    "T12": Code(
        "several languages",
        "note",
        "Texts of a source seem to be in another language than most. A guess, from longer texts of a sample.",
        "Check that the model reads all of them, such as a multilingual one.",
    ),
    "T13": Code(
        "a language that the model does not know",
        "warning",
        "Most texts of a source seem to be in a language other than the one that the starter model was trained on.",
        "Choose a model of that language, or a multilingual one (model).",
    ),
    "T14": Code(
        "empty texts",
        "warning",
        "Rows have a label, and the text (or second text) that its task reads is empty. They are left out. A note if "
        "they are fewer than 1 in 100.",
        "Give the rows a text, or delete them.",
        rare=0.01,
    ),
    "L01": Code(
        "near-empty classes",
        "warning",
        "A class is on fewer than 10 training rows.",
        "Label more rows of it, join it with another class (map), or leave its rows out.",
    ),
    "L02": Code(
        "classes without dev or test rows",
        "warning",
        "A class that is on 10 or more training rows is on no row of dev, or of test, where the task has 20 or more "
        "labels, so nothing is known of how well it is recognized.",
        "Give dev and test rows of every class, or larger shares (split).",
    ),
    "L03": Code(
        "imbalanced classes",
        "note",
        "The most frequent class is on more than 10 times as many training rows as the rarest. A warning from 9 of 10 "
        "rows on, or 50 times.",
        "Look at macro-F1, not at accuracy; for classification, decide: macro_f1 finds more of the rare classes.",
    ),
    "L04": Code(
        "few labels",
        "warning",
        "A task has fewer than 50 training labels.",
        "Label more rows, or learn the task on top of a trained model (equipoise add-task).",
    ),
    "L05": Code(
        "too many classes",
        "warning",
        "More than half of 20 or more labels are classes of their own.",
        "Name another label column; numbers may be a score (kind: regression), texts something to write "
        "(kind: generation).",
    ),
    "L06": Code(
        "classes that may be one",
        "warning",
        "Names of classes differ in case, accents, separators or letters of another alphabet alone, or one is short "
        "for another: pos and positive.",
        "Map them to one name (map), if they mean the same.",
    ),
    "L07": Code(
        "a class for nothing",
        "warning",
        "A class is called n/a, none, unknown or alike, and is learned like any other.",
        "If it means that there is no label, name it as missing (na), or leave the cells empty; if it is a class, list "
        "all of them (classes).",
    ),
    "L08": Code(
        "several labels in one name",
        "warning",
        "Names of labels seem to be several with a separator between them that is not the task's.",
        "Name the separator (separator); of a task with one class a row, use kind: multilabel.",
    ),
    "L09": Code(
        "conflicting labels",
        "warning",
        "Rows with the same text (and pair) have different labels; scores, if they are half a standard deviation "
        "apart. A note if that is fewer than 1 in 100 rows.",
        "Decide for one label; train takes the majority, the mean or the median of them.",
        rare=0.01,
    ),
    "L10": Code(
        "labels that stand in their texts",
        "warning",
        "Of nine in ten rows the label itself stands in the text, and mostly no other label does.",
        "Take the label out of the texts: a model that reads it learns nothing else.",
    ),
    "L11": Code(
        "scores at an end of the range",
        "note",
        "More than half of the scores are the lowest or the highest possible one.",
        "Check the range; where most rows say the same, correlations say little.",
    ),
    "L12": Code(
        "a range that is not used",
        "warning",
        "The scores use less than a quarter of the range that the run file states.",
        "Correct the range (range): predictions are clipped to it, and metrics read by it.",
    ),
    "L13": Code(
        "scores far from the others",
        "warning",
        "A few scores of a task without a range are far from all others, as codes for missing values are.",
        "Correct the cells, name them as missing (na), or state the range (range).",
    ),
    "L14": Code(
        "labels that are probably wrong",
        "note",
        "What the model's frozen features say of a label speaks against it, in a probe that has not seen it and in a "
        "short training that has. Measured on a sample of 2,000 rows.",
        "Look at the rows; equipoise difficulty measures all of them.",
    ),
    "L15": Code(
        "labels that cannot be found in the text",
        "note",
        "Terms do not stand in their text, or overlap, so that they cannot be learned.",
        "Correct the terms, if you can.",
    ),
    "L16": Code(
        "rows without a label",
        "warning",
        "Rows have no label of any task, and are left out. A note if that is fewer than half of the rows.",
        "Nothing, if they have none; else name the right label column (label).",
        rare=0.5,
    ),
    "S01": Code(
        "the same text in two splits",
        "warning",
        "A text stands in train and in dev or test, or in dev and in test, also of another source. A note if it is "
        "fewer than 1 in 100 rows of the split.",
        "Take the rows out of one of the files; they are dropped from the earlier split.",
        rare=0.01,
    ),
    "S02": Code(
        "nearly the same text in two splits",
        "warning",
        "A text of dev or test stands in an earlier split with other punctuation, links, numbers or a few other words "
        "(four of five words and pairs of words in common). A note if that is fewer than 1 in 100 rows.",
        "Take such rows out of train, or keep them together by a column (group).",
        rare=0.01,
    ),
    "S03": Code(
        "the same group in two splits",
        "warning",
        "A group, such as an author, stands in two of the given splits. A note if it is fewer than 1 in 100 rows.",
        "Split by group: give one file (path) and the column (group); the rows are dropped from the earlier split.",
        rare=0.01,
    ),
    "S04": Code(
        "repeated texts",
        "warning",
        "Rows of a split repeat the text (and pair) of another. In train they are merged, in dev and test they are "
        "kept. A note in train, and if they are fewer than 1 in 10 rows of dev and test.",
        "Nothing, if the texts do occur so often; else delete the copies.",
        rare=0.1,
    ),
    "S05": Code(
        "splits that differ",
        "warning",
        "The labels of dev or test are distributed otherwise than those of train, by more than chance explains.",
        "Shuffle the rows before they are split, or give one file (path).",
    ),
    "S06": Code(
        "a small dev or test",
        "warning",
        "A task has fewer than 50 labels in dev or in test, so metrics are uncertain by chance.",
        "Give more rows, or larger shares (split).",
    ),
    "S07": Code(
        "a column that may be a group",
        "note",
        "A column that is not used names an author, a document or alike, and its values repeat.",
        "If rows of one group are alike, keep them in one split (group).",
    ),
    "S08": Code(
        "rows without a group",
        "note",
        "Cells of the group column are empty; these rows are split by their text.",
        "Fill the cells, if you can.",
    ),
    "S09": Code(
        "a split by group that misses its shares",
        "warning",
        "Splits are taken by hash of the group, and dev or test has less than half or more than one and a half times "
        "the share of the rows that was asked for: groups are few, or some are large.",
        "Split by a column with more and smaller groups (group), or give a file for each split; other shares (split) "
        "move groups, too.",
    ),
    "R01": Code(
        "time",
        "note",
        "How long the training takes on this machine, estimated from three steps and from scoring some rows of dev.",
        "If that is too long: fewer epochs, a smaller max_length or model, train.freeze_layers, or a GPU.",
    ),
    "R02": Code(
        "memory",
        "note",
        "The most memory that was held during three steps. A warning if more than nine tenths of the machine's.",
        "If that is too much: a smaller train.batch_size with train.gradient_accumulation, or "
        "train.gradient_checkpointing.",
    ),
    "R03": Code(
        "downloads",
        "note",
        "Models and data that are not on this machine are downloaded before anything is trained.",
        "Fetch starters beforehand: equipoise fetch. What the hub has needs the network once.",
    ),
    "R04": Code(
        "memory of the weights",
        "note",
        "What weights, gradients and AdamW's states take, reckoned from the parameters: on one device, and, if that is "
        "more than 8 GB, where eight share the model out (FSDP). Activations come on top.",
        "If that is too much: a smaller model, lora, quantization: 4bit with lora, or more GPUs that share the model "
        "out (docs/distributed.md).",
    ),
}
"""All codes: E errors, T texts, L labels, S splits, R the run itself."""
