"""A desk for whoever tries the examples."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.terminal import Desk
from tests.programs import needs_program


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk where nothing runs yet; all that was started there ends with the test."""
    needs_program("bash", "curl")
    desk = Desk.at(tmp_path)
    try:
        yield desk
    finally:
        desk.leave()
