"""The tokens of a batch whose log-probabilities tasks ask for."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor


class ScoredTokens:
    """Which hidden states predict the tokens that are scored, each once, and which token belongs to which answer.

    Args:
        tasks: the tasks that ask.
        scored: for each of them "positions" in the flattened rows × tokens, "tokens" and "slots", each of shape (m,);
            a task that is missing asks nothing.
        device: where the model computes.
    """

    def __init__(self, tasks: Sequence[str], scored: Mapping[str, Mapping[str, Tensor]], device: torch.device) -> None:
        nothing = torch.zeros(0, dtype=torch.long, device=device)
        self._asked = {
            task: scored.get(task, {"positions": nothing, "tokens": nothing, "slots": nothing}) for task in tasks
        }
        positions = [entry["positions"] for entry in self._asked.values()]
        self.positions, places = find_unique([nothing, *positions])
        self._places = dict(zip(tasks, places.split([len(part) for part in positions]), strict=True))

    def log_probabilities(self, features: Tensor, head: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Compute each task's log-probabilities in nats, shape (m,), float32.

        Args:
            features: the hidden states at `positions`, n × width.
            head: makes logits as the language model does; it sees these hidden states only.
        """
        found = head(features).float().log_softmax(dim=-1)
        return {task: found[self._places[task], entry["tokens"]] for task, entry in self._asked.items()}

    def by_answer(self, task: str, log_probabilities: Tensor, answers: int) -> Tensor:
        """Add up the log-probabilities of each answer's tokens.

        Args:
            task: the task.
            log_probabilities: of its tokens, shape (m,).
            answers: how many answers a row has.

        Returns:
            rows × answers.
        """
        slots = self._asked[task]["slots"]
        rows = 0 if len(slots) == 0 else int(slots[-1]) // answers + 1
        return log_probabilities.new_zeros(rows * answers).index_add(0, slots, log_probabilities).view(rows, answers)


def find_unique(positions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the positions that are asked for, each once and in order, and where among them each of the given ones is.

    Args:
        positions: one or more tensors, each of shape (n,).
    """
    joined = torch.cat(list(positions))
    # A GPU is waited for only where there is something to find.
    return torch.unique(joined, return_inverse=True) if len(joined) else (joined, joined)
