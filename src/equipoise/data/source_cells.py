"""The cells of a source's columns, as its keys say they are to be read."""

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.errors import DataError, UsageError, did_you_mean, list_some
from equipoise.keys import is_number, name_key, normalize
from equipoise.kinds import LabelError, NameIndex, Task, list_names_hint, quote, show

from .cells import pack
from .nested import choose_nested, has_nested, list_nested, read_nested
from .rows import EmptyText, Rows
from .spellings import is_nothing

if TYPE_CHECKING:
    from equipoise.config import SourceConfig

_MANY = 1000
_BLOCKS = (
    "address article aside blockquote br dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li "
    "main nav ol p pre section table tbody td tfoot th thead tr ul"
)
_INLINE = (
    "a abbr acronym b bdi bdo big body button center cite code del dfn em font head html i iframe img input ins kbd "
    "label link mark meta q s samp script small span strike strong style sub sup svg title tt u var video wbr"
)
_TAG = re.compile(
    rf"""<!--.*?-->|</?({"|".join([*_BLOCKS.split(), *_INLINE.split()])})(?:[\s/](?:[^<>"']|"[^"<]*"|'[^'<]*')*)?>""",
    re.IGNORECASE | re.DOTALL,
)
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]\w*);")
_FIGURES = re.compile(r"[+-]?[\d.,'’\s]*\d[\d.,'’\s]*(?:[eE][+-]?\d+)?")


def clean_html(text: str) -> str:
    """Return a text without the tags of HTML, and with characters in the place of entities.

    What stands in angle brackets and is no tag of HTML, such as `<user>`, stays. A tag that begins or ends a block, or
    breaks a line, becomes a line break. Entities that were escaped twice (`&amp;amp;`) become characters, too.

    Example:
        >>> from equipoise.data.source_cells import clean_html
        >>> clean_html("<p>Tom &amp; I <b>loved</b> it <3</p>")
        'Tom & I loved it <3'
    """
    if "<" in text:
        text = _TAG.sub(lambda tag: "\n" if (tag[1] or "").lower() in _BLOCKS.split() else "", text)
    # The second time with semicolons only: `html.unescape` also reads the `&copy=` of an address.
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), html.unescape(text)).strip()


class SourceCells:
    """Reads the columns of a source, file by file, and counts what its keys change.

    Args:
        name: the source's name.
        source: its keys: `na`, `map`, `clean`, `decimal`.

    Attributes:
        empty: the rows whose label is not learned because their text is empty; see `leave_out_empty`.
    """

    def __init__(self, name: str, source: "SourceConfig") -> None:
        self.name, self.keys = name, source
        self._missing = frozenset(word.strip() for word in source.na)
        self._na: Counter[str] = Counter()
        self._mapped: Counter[str] = Counter()
        self._by_column: dict[str, Mapping[str, str]] = {}
        self._open: dict[str, Task] = {}
        self._cleaned: set[tuple[str, int]] = set()
        self.empty: list[EmptyText] = []

    def check(self, rows: Rows, column: str, reader: str) -> None:
        """Make sure that there is a column.

        Args:
            rows, column, reader: see `read`.

        Raises:
            DataError: there is none.
        """
        if column not in rows.columns and not has_nested(rows.columns, column):
            raise _explain_missing(rows, column, reader)

    def read(self, rows: Rows, column: str, reader: str) -> Sequence[Any]:
        """Return the cells of a column, None where one is missing.

        Args:
            rows: the rows of a file.
            column: the column; `a.b` is the key b in column a.
            reader: what reads it, for the message.

        Raises:
            DataError: there is no such column.
        """
        cells: Sequence[Any] | None = rows.columns.get(column)
        if cells is None:
            cells = read_nested(rows.columns, column)
        if cells is None:
            raise _explain_missing(rows, column, reader)
        return pack(map(self._find_missing, cells), len(cells)) if self._missing else cells

    def _find_missing(self, cell: Any) -> Any:
        if not isinstance(cell, str | int | float) or isinstance(cell, bool):
            return cell
        word = str(cell).strip()
        if word not in self._missing:
            return cell
        self._na[word] += 1
        return None

    def clean(self, rows: Rows, column: str, texts: Sequence[Any]) -> Sequence[Any]:
        """Return a column of texts as `clean` says; the others stay as they are."""
        if self.keys.clean is None:
            return texts
        cleaned = pack((clean_html(text) if isinstance(text, str) else text for text in texts), len(texts))
        self._cleaned |= {
            (rows.file, number)
            for number, (one, other) in enumerate(zip(texts, cleaned, strict=True))
            if isinstance(one, str) and one.strip() != other  # blanks at its ends are neither
        }
        return cleaned

    def as_number(self, cell: Any) -> Any:
        """Return a text cell that is to hold a number with a point before its decimals, as `decimal` says.

        Raises:
            LabelError: it has a separator between thousands, or another one before the decimals.
        """
        mark = self.keys.decimal
        if mark is None or not isinstance(cell, str):
            return cell
        figures = normalize(cell)
        other = "." if mark == "," else ","
        whole = figures.replace(mark, ".", 1)
        if other not in figures and is_number(whole):
            return whole
        if _FIGURES.fullmatch(figures):
            raise LabelError(
                f"found {show(cell)}, expected a number with '{mark}' before its decimals (decimal) and nothing "
                "between thousands"
            )
        return cell

    def find_hint(self, task: Task, cell: Any) -> str:
        """Return which key makes a label of a cell that is none as it stands; "" where none is known to."""
        if not isinstance(cell, str):
            return ""
        if is_nothing(cell):
            return f"If it means that there is no label, say so in the run file: na: [{cell.strip()!r}]."
        figures = normalize(cell)
        has_comma = "," in figures and "." not in figures and is_number(figures.replace(",", ".", 1))
        if has_comma and task.takes_numbers and self.keys.decimal is None:
            return 'If the comma stands before decimals, say so in the run file: decimal: ",".'
        return ""

    def parse(self, task: Task, cell: Any) -> Any:
        """Return the parsed label of what `Task.join_cells` returned, spelled as `map` says.

        Raises:
            LabelError: it is no label of the task.
        """
        if not self.keys.map:
            return task.parse(self._as_number(task, cell))
        if isinstance(cell, tuple):
            named = zip(task.label_columns, cell, strict=True)
            return task.parse(tuple(self._map_cell(self._spellings(column), one) for column, one in named))
        spellings = self._spellings(task.label)
        mapped = cell if isinstance(cell, list | dict) else self._map_cell(spellings, cell)
        if mapped is not cell or task.takes_numbers:
            return task.parse(mapped if mapped is not cell else self._as_number(task, cell))
        return self._map_names(task, spellings, cell)

    def _as_number(self, task: Task, cell: Any) -> Any:
        return self.as_number(cell) if task.takes_numbers else cell

    def _spellings(self, column: str) -> Mapping[str, str]:
        """Return what `map` calls each spelling in a column, by its key."""
        if column not in self._by_column:
            named = {name_key(spelling): name for spelling, name in self.keys.spellings(column).items()}
            self._by_column[column] = named
        return self._by_column[column]

    def _map_cell(self, spellings: Mapping[str, str], cell: Any) -> Any:
        key = name_key(str(cell))
        if cell is None or key not in spellings:
            return cell
        self._mapped[key] += 1
        return spellings[key]

    def _map_names(self, task: Task, spellings: Mapping[str, str], cell: Any) -> Any:
        """Return the label of a cell that holds several names, such as a list."""
        if task.name not in self._open:
            self._open[task.name] = task.replace(**{vocabulary.key: () for vocabulary in task.vocabularies})
        try:
            label = self._open[task.name].parse(cell)
        except LabelError:
            return task.parse(cell)  # which says what it expects
        for vocabulary in task.vocabularies:
            keys = {name: name_key(name) for name in vocabulary.of(label)}
            changed = {name: spellings[key] for name, key in keys.items() if key in spellings}
            self._mapped.update(keys[name] for name in changed)
            label = vocabulary.rename(label, changed) if changed else label
            known = NameIndex(vocabulary.known)
            if vocabulary.known and (unknown := [name for name in vocabulary.of(label) if name not in known]):
                raise LabelError(
                    f"found {vocabulary.noun} {show(unknown[0])}, expected one of {quote(vocabulary.known)}",
                    list_names_hint(vocabulary.key),
                )
        return label

    def notes(self) -> list[str]:
        """Say what the keys have changed: plain sentences, after all files are read."""
        said = []
        if given := self.keys.dialect.given:
            shown = ", ".join(f"{key} {show(value)}" for key, value in given.items())
            said.append(f"its files are read with {shown}")
        if self._missing:
            counts = ", ".join(f"{show(word)} {_times(self._na[word])}" for word in sorted(self._missing))
            said.append(f"cells that mean nothing (na): {counts}")
        if self.keys.clean is not None:
            said.append(f"texts that had tags or entities of HTML, which were taken out: {len(self._cleaned):,}")
        if self.keys.map:
            listed = [self.keys.spellings(column) for column in self.keys.mapped_columns or (None,)]
            renamed = {name_key(one): (one, name) for spellings in listed for one, name in spellings.items()}
            counts = ", ".join(
                f"{show(one)} is {show(name)} {_times(self._mapped[key])}" for key, (one, name) in renamed.items()
            )
            said.append(f"labels that are spelled otherwise (map): {counts}")
        if self.empty:
            file, unit, number = self.empty[0].place
            first = f"the first in {file}, {unit} {number}" if len(self.empty) > 1 else f"{file}, {unit} {number}"
            said.append(f"rows left out because they have a label and no text: {len(self.empty):,} ({first})")
        return [f"Source '{self.name}': {sentence}." for sentence in said]


def check_map(name: str, source: "SourceConfig", tasks: Sequence[Task]) -> None:
    """Make sure that `map` names columns that are read, and classes that there are.

    Raises:
        UsageError: it does not.
    """
    columns = {column for task in tasks for column in task.label_columns}
    if unread := [column for column in source.mapped_columns if column not in columns]:
        raise UsageError(
            f"sources.{name}.map: found the column '{unread[0]}', which no task reads a label from. "
            f"{did_you_mean(unread[0], columns)}"
        )
    for column in source.mapped_columns or (None,):
        readers = [task for task in tasks if column is None or column in task.label_columns]
        vocabularies = [vocabulary for task in readers for vocabulary in task.vocabularies]
        listed = all(vocabulary.known for vocabulary in vocabularies)
        if not listed or any(task.takes_numbers or len(task.label_columns) > 1 for task in readers):
            continue
        known = [one for vocabulary in vocabularies for one in vocabulary.known]
        for spelling, named in source.spellings(column).items():
            if named not in NameIndex(known):
                raise UsageError(
                    f"sources.{name}.map: {show(spelling)} is read as {show(named)}, which is no class of the tasks "
                    f"that read it. {did_you_mean(named, known)}"
                )


def _times(count: int) -> str:
    return f"{count:,} time{'s' * (count != 1)}"


def _explain_missing(rows: Rows, column: str, reader: str) -> DataError:
    """Return the error of a column that is not there, with those that may be meant."""
    names = list(rows.columns)
    inner = list_nested(rows.columns)
    holders = {name for name in names if any(one.startswith(f"{name}.") for one in inner)}
    there = [one for one in names if one not in holders] + inner
    twin = next((name for name in names if normalize(name) == normalize(column)), None)
    nested = choose_nested(column, inner)
    if twin is not None:
        hint = f"The column {twin!a} is spelled like it but for whitespace or invisible characters: rename it."
    elif nested:
        hint = f"Inside another column there is: {list_some(nested, 5)}; name it like that."
    else:
        close = did_you_mean(column, _nearest(column, there))
        hint = close if close.startswith("Did you mean") else "Correct the name in the run file."
    return DataError(f"{rows.file}: found no column '{column}' ({reader}), expected one of {quote(there)}. {hint}")


def _nearest(name: str, names: Sequence[str]) -> Sequence[str]:
    """Of very many names those that may be meant: comparing all takes minutes."""
    if len(names) <= _MANY:
        return names
    return [other for other in names if other[:1] == name[:1] and abs(len(other) - len(name)) <= 2][:_MANY]
