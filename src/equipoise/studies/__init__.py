"""Studies by Optuna that can be stopped and continued, and that several processes share."""

from .shared_study import Claim, SharedStudy, is_start, seconds_of
from .storage import forget, open_storage

__all__ = ["Claim", "SharedStudy", "forget", "is_start", "open_storage", "seconds_of"]
