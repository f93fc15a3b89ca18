"""The console scripts ``pushd-server`` and ``pushd-simulate``: ``twistd`` in the foreground, with a plugin of ours."""

import sys

from twisted.scripts.twistd import run


def server() -> None:
    """``pushd-server ...`` is ``twistd -n --pidfile= pushd ...``."""
    _run_twistd("pushd")


def simulate() -> None:
    """``pushd-simulate ...`` is ``twistd -n --pidfile= pushd-simulate ...``."""
    _run_twistd("pushd-simulate")


def _run_twistd(plugin: str) -> None:
    sys.argv[1:1] = ["--nodaemon", "--pidfile=", plugin]
    run()
