"""Settings of the model and the training for data of a size; our own rules of thumb."""

from collections.abc import Sequence

from .facts import TableFacts
from .proposal import Setting

_LENGTHS = (32, 64, 96, 128, 192, 256, 384, 512)
_TOKENS_A_WORD = 1.4
_CHARACTERS_A_TOKEN = 4.0
_FEW_LONG = 0.05
"""The share of texts that are longer than the model reads from which on all of them is read, in windows."""
_EPOCHS = ((500, 15), (2_000, 8), (10_000, 5), (50_000, 3), (500_000, 2))
"""Up to how many rows how many epochs: with few rows, more passes make up for it."""
_SMALL = 2_000
_TINY = 300


def choose_settings(tables: Sequence[tuple[TableFacts, str, str]], output: str) -> list[Setting]:
    """Return the settings beside sources and tasks.

    Args:
        tables: of each source what is known of it, the column of the text, and that of the pair ("" for none).
        output: the run's folder.
    """
    rows = sum(facts.rows for facts, _, _ in tables)
    lengths = sorted(length for facts, text, pair in tables for length in _lengths(facts, text, pair))
    found = [
        Setting("model", "minilm", "small and quick, for English texts; begin here"),
        Setting("model", "mpnet-base", "better, and about five times as slow", active=False),
    ]
    if share := _share_not_latin(tables):
        found.append(
            Setting(
                "model",
                "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
                f"{share:.0%} of the letters are not Latin ones; it reads 50 languages, and needs the network once",
                active=False,
            )
        )
    found += _choose_length(lengths)
    epochs = next((epochs for most, epochs in _EPOCHS if rows <= most), 1)
    train = {"epochs": epochs, "batch_size": 16 if rows < _SMALL else 32}
    found.append(Setting("train", train, f"for {rows:,} rows, of which the best checkpoint on dev is kept"))
    found.append(Setting("output", output, "the run's folder"))
    return found


def choose_split(rows: int) -> list[float] | None:
    """Return the shares of train, dev and test for few rows; None for the usual ones."""
    return [0.6, 0.2, 0.2] if rows < _TINY else None


def _lengths(facts: TableFacts, text: str, pair: str) -> list[float]:
    """Return about how many tokens the texts of the sample have, with their pairs."""
    return [
        sum(
            max(_TOKENS_A_WORD * len(cell.split()), len(cell) / _CHARACTERS_A_TOKEN) + 2
            for name in (text, pair)
            if name and isinstance(cell := row.get(name), str)
        )
        for row in facts.sample
    ]


def _choose_length(lengths: Sequence[float]) -> list[Setting]:
    if not lengths:
        return []
    middle, most = lengths[len(lengths) // 2], lengths[int(0.99 * (len(lengths) - 1))]
    why = f"about {middle:.0f} tokens in the middle, {most:.0f} in the longest of 100 texts"
    fitting = next((length for length in _LENGTHS if most <= length), None)
    if fitting is not None and fitting <= 256:
        return [Setting("max_length", fitting, why)]
    share = sum(length > 256 for length in lengths) / len(lengths)
    found = [Setting("max_length", 256, why)]
    windows = f"{share:.0%} of the texts are longer: all of them is read, in windows"
    found.append(Setting("long_texts", "windows", windows, active=share > _FEW_LONG))
    return found


def _share_not_latin(tables: Sequence[tuple[TableFacts, str, str]]) -> float:
    """Return the share of letters that are not Latin, 0 where it is small."""
    letters = other = 0
    for facts, text, _ in tables:
        for row in facts.sample[:200]:
            cell = row.get(text)
            for sign in cell[:300] if isinstance(cell, str) else "":
                if sign.isalpha():
                    letters += 1
                    other += ord(sign) > 0x24F
    return other / letters if letters and other > 0.2 * letters else 0.0
