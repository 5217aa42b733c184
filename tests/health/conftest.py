"""Runs to look back at are made in the same laboratory as those of `tests/training`."""

from tests.training.conftest import laboratory as laboratory
from tests.training.conftest import no_settings_are_tried as no_settings_are_tried
