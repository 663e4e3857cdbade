"""The heat map expert × task."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from equipoise.kinds import get_metric

from .heat_map import Line, plot_heat_map
from .tables import PROBE


def plot_experts(results: Mapping[str, Any]) -> Markup:
    """Plot each model's primary metric on each task of test, coloured by the difference to the base.

    Each expert's own task is framed.
    """
    lines = [
        Line(
            row["name"],
            {task: record["value"] for task, record in row["metrics"]["test"].items()},
            {task for task, cell in row["cells"].items() if cell["how"] == "own"},
            {task: PROBE for task, cell in row["cells"].items() if cell["how"] == "probe"},
        )
        for row in results["rows"]
    ]
    about = ", ".join(f"{get_metric(task['metric']).label} of {name}" for name, task in results["tasks"].items())
    return plot_heat_map(list(results["tasks"]), lines, "experts", f"Heat map of the experts on test, {about}.")
