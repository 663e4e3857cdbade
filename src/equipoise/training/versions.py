"""The versions of what decides a result."""

from importlib.metadata import version


def installed_versions() -> dict[str, str]:
    """Return the versions of what decides a result."""
    return {name: version(name) for name in ("equipoise", "torch", "transformers")}
