"""The heat map helper × target."""

from markupsafe import Markup

from .heat_map import Gain, plot_gains
from .mix_results import MixResults


def plot_estimates(results: MixResults) -> Markup:
    """Plot the estimated gain of every target with every candidate; pairs that were trained are framed."""
    lines: dict[str, dict[str, Gain]] = {helper: {} for helper in results.helpers}
    for pair in results.pairs:
        gain, framed = pair.estimate, pair.trained is not None
        if gain is not None:
            lines[pair.helper][pair.target] = Gain(gain.value, gain.low, gain.high, framed)
        elif framed:
            lines[pair.helper][pair.target] = Gain(None, framed=True)
    about = "Heat map of the estimated gain by helper (line) and target (column), in percent of the target's loss."
    return plot_gains(list(results.targets), lines, "estimates", about)
