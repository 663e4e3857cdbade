"""What a service takes at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a service takes at most.

    Args:
        body_bytes: bytes of a request.
        items: texts of a request.
        characters: characters of a text, and of a second text.
        queue: texts that wait; a request that finds no room is answered by 429.
        explained: texts of a request whose answers are explained.
        batch_size: texts in a pass of the model.
        body_seconds: seconds in which a request must have arrived.
    """

    body_bytes: int = 2_000_000
    items: int = 256
    characters: int = 20_000
    queue: int = 1024
    explained: int = 16
    batch_size: int = 32
    body_seconds: float = 30.0
