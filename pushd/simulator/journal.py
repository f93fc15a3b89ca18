"""The journal: what the simulated devices really did, durable before they go on, as evidence against any server's
word.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from attrs import define, field
from twisted.internet.interfaces import IReactorTime


@define(eq=False, kw_only=True)
class Journal:
    """One JSON line per deed, appended to a file; without a path nothing is kept."""

    clock: IReactorTime
    path: Path | None = None
    _file: TextIO | None = field(default=None, init=False)

    def open(self) -> None:
        """Open the file, and make it if need be."""
        if self.path is not None:
            self._file = self.path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the file; nothing is kept from now on."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def record(self, device: str, did: str, **facts: object) -> None:
        """Keep that ``device`` did this at this moment: ``ran`` a command, or ``reported`` one and was answered with
        200.
        """
        self.note(device, did, **facts)
        if self._file is not None:
            os.fsync(self._file.fileno())

    def note(self, device: str, did: str, **facts: object) -> None:
        """The same, of no command: thousands may fall silent at once, and none waits for the disk."""
        if self._file is None:
            return
        moment = datetime.fromtimestamp(self.clock.seconds(), UTC).isoformat(timespec="milliseconds")
        self._file.write(json.dumps({"time": moment, "device": device, "did": did, **facts}) + "\n")
        self._file.flush()
