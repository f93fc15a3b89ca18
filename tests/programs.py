"""Programs that tests call and Python does not bring; ``tools/debian-packages.txt`` has Debian's packages of them."""

import os
from shutil import which

import pytest


def needs_program(*names: str) -> None:
    """Skip the test if one of these programs is not installed; fail it instead where ``CI`` is set."""
    missing = [name for name in names if which(name) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)} (see tools/debian-packages.txt)"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
