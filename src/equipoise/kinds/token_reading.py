"""How a head reads the tokens of a text: the part of the label logic that other heads do not need."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt


class TokenWindow(NamedTuple):
    """What a head says of a stretch of a text's tokens.

    Args:
        offsets: where the tokens start and end, in characters of the text, tokens × 2.
        cells: the predictions for its cells, cells × classes.
    """

    offsets: npt.NDArray[np.int64]
    cells: npt.NDArray[np.float64]


class TokenReading:
    """What `Task` says of tokens and cells; kinds whose head reads one vector per row leave it as it is."""

    kind: ClassVar[str]
    reads_tokens: ClassVar[bool] = False
    """Whether its head reads the tokens of the text, not one vector per row."""

    format: str

    @property
    def has_token_head(self) -> bool:
        """Whether a head reads the tokens of the text."""
        return self.reads_tokens and self.format == "head"

    def count_cells(self, tokens: int) -> int:
        """Return for how many cells the head answers on a row; only for tasks that read tokens.

        Args:
            tokens: tokens of the text.
        """
        return tokens

    def cell_targets(self, label: Any, text: str, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the target of each cell of a row; only for tasks that read tokens.

        Args:
            label: the encoded label.
            text: the text.
            offsets: where its tokens start and end, in characters of the text, tokens × 2.

        Returns:
            Class indices, shape (cells,); −1 where a cell is not learnt from.
        """
        raise NotImplementedError(f"Tasks of kind '{self.kind}' do not read tokens.")

    def explained_cells(self, item: Any, text: str, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return which cells an explanation of one item is of; only for tasks that read tokens.

        Args:
            item: the item, as `Task.explained` returns it.
            text, offsets: see `cell_targets`.

        Returns:
            The class index of each of these cells, 0 for all others, shape (cells,); all 0 where the tokens do not
            hold the whole item.
        """
        targets = self.cell_targets(item, text, offsets)
        return np.zeros_like(targets) if (targets < 0).any() else targets

    def count_cut(self, label: Any, text: str, offsets: npt.NDArray[np.int64]) -> int:
        """Return how much of a label the tokens do not reach, because the text is cut; only for tasks that read tokens.

        Args:
            label, text, offsets: see `cell_targets`.

        Returns:
            A number of what `counted` names.
        """
        raise NotImplementedError(f"Tasks of kind '{self.kind}' do not read tokens.")

    def read_cells(self, text: str, windows: Sequence[TokenWindow]) -> Any:
        """Return the prediction for a row; only for tasks that read tokens.

        Args:
            text: the text.
            windows: what the head says of it, one window or several that overlap.
        """
        raise NotImplementedError(f"Tasks of kind '{self.kind}' do not read tokens.")
