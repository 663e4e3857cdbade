"""How the files were read that a run was trained on: other files of its users are often written alike."""

from pathlib import Path

from equipoise.errors import EquipoiseError

_KEYS = ("encoding", "sep", "quotechar", "sheet", "clean")


def training_options(model: Path) -> dict[str, str]:
    """Return how the sources of a run are read, as options of `equipoise predict`.

    Args:
        model: the folder of a run, or of its model.

    Returns:
        By option its value, if no two sources say different ones. Empty where it is no run.
    """
    try:
        # Here, since they take a while, and an exported model is served without what they need.
        from equipoise.config import load_config
        from equipoise.workspace import CONFIG

        path = next((place / CONFIG for place in (model, model.parent) if (place / CONFIG).is_file()), None)
        config = None if path is None else load_config(path, scored=False)
    except (EquipoiseError, ImportError):
        config = None
    if config is None:
        return {}
    sources = [config.sources[name] for name in {task.source for task in config.tasks.values()}]
    stated = {key: {getattr(source, key) for source in sources} - {None} for key in _KEYS}
    agreed = {key: values.pop() for key, values in stated.items() if len(values) == 1}
    return {key: "tab" if value == "\t" else str(value) for key, value in agreed.items()}
