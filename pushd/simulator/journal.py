"""The journal: what the simulated devices really did, to compare a server's records with."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from attrs import define, field
from twisted.internet.interfaces import IReactorTime


@define(eq=False, kw_only=True)
class Journal:
    """Appends one JSON line per action of a device to a file; without ``path`` it records nothing."""

    clock: IReactorTime
    path: Path | None = None
    _file: TextIO | None = field(default=None, init=False)

    def open(self) -> None:
        """Open the file; it is created if it does not exist."""
        if self.path is not None:
            self._file = self.path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the file; nothing is recorded from now on."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def record(self, device: str, did: str, **facts: object) -> None:
        """Record that a device ``ran`` a command or ``reported`` a result, and sync the file before returning."""
        self.record_presence(device, did, **facts)
        if self._file is not None:
            os.fsync(self._file.fileno())

    def record_presence(self, device: str, did: str, **facts: object) -> None:
        """Record that a device started, went offline or came back; without a sync, as thousands may do so at once."""
        if self._file is None:
            return
        moment = datetime.fromtimestamp(self.clock.seconds(), UTC).isoformat(timespec="milliseconds")
        self._file.write(json.dumps({"time": moment, "device": device, "did": did, **facts}) + "\n")
        self._file.flush()
