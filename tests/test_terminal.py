import warnings

import pytest

from equipoise.errors import EquipoiseWarning
from equipoise.terminal import WIDE, notes_for_warnings, open_console


def test_a_warning_of_ours_is_one_note_and_others_stay(capsys):
    def warn():
        with notes_for_warnings():
            for _ in range(2):
                warnings.warn("'verbalise' is now 'verbalize'", EquipoiseWarning, stacklevel=1)
            warnings.warn("another\nfield", EquipoiseWarning, stacklevel=1)
            warnings.warn("somebody else's", FutureWarning, stacklevel=1)

    with pytest.warns(FutureWarning) as others:
        warn()
    assert capsys.readouterr().err == "note: 'verbalise' is now 'verbalize'\nnote: another\\nfield\n"
    assert [str(one.message) for one in others] == ["somebody else's"]


def test_only_a_terminal_is_narrow(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert open_console().width == WIDE
    monkeypatch.setenv("COLUMNS", "70")
    assert open_console().width == 70
