"""A desk for whoever tries the examples."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.terminal import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk where nothing runs yet; all that was started there ends with the test."""
    missing = [tool for tool in ("bash", "curl") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the examples need {' and '.join(missing)}, which is not installed here")
    desk = Desk.at(tmp_path)
    try:
        yield desk
    finally:
        desk.leave()
