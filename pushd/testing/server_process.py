"""``python -m pushd.testing.server_process``: ``pushd-server``, which ends when its standard input does.

So the server ends with the process of the tests, even if that is killed.
"""

import os
import signal
from threading import Thread

from pushd.console import server


def _end_with_input() -> None:
    while os.read(0, 1024):  # not sys.stdin, whose lock would stop the end of the interpreter
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    Thread(target=_end_with_input, daemon=True).start()
    server()
