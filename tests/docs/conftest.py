"""A workspace in which the examples of the documentation are run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.terminal import Workspace
from tests.programs import needs_program


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace; the processes started in it are stopped after the test."""
    needs_program("bash", "curl")
    workspace = Workspace.at(tmp_path)
    try:
        yield workspace
    finally:
        workspace.leave()
