"""By what a base is known again, before it is loaded."""

from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from equipoise.digests import digest_file
from equipoise.starter import STARTERS

_READ = (".safetensors", ".json", ".txt", ".model", ".jinja")


def digest_base(name: str) -> dict[str, str] | None:
    """Return what changes when another model is put in the place of a base.

    Args:
        name: as a run file names it: a starter, a folder, `bilstm`, or a hub id.

    Returns:
        Of a folder the digest of each file that is read; of a starter its pinned version; of a hub id the commit in the
        local cache. None where there is nothing to compare: `bilstm`, or a hub id that is not in the cache.
    """
    if name in STARTERS:
        return {name: STARTERS[name].version}
    folder = Path(name)
    if folder.is_dir():
        files = sorted(path for path in folder.iterdir() if path.suffix in _READ and path.is_file())
        return {path.name: digest_file(path) for path in files}
    if "/" in name and not folder.is_absolute():
        found = try_to_load_from_cache(name, "config.json")
        return {name: Path(found).parent.name} if isinstance(found, str) else None
    return None


def changed_files(begun: Mapping[str, str] | None, now: Mapping[str, str] | None) -> list[str]:
    """Name what differs between two digests of a base; nothing where one of them is not known."""
    if begun is None or now is None:
        return []
    return sorted(name for name in {**begun, **now} if begun.get(name) != now.get(name))
