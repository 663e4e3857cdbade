"""The former name of `equipoise.kinds`, read for now."""

import warnings

from equipoise.errors import EquipoiseWarning
from equipoise.kinds import *  # noqa: F403

warnings.warn("equipoise.tasks is now equipoise.kinds.", EquipoiseWarning, stacklevel=2)
