"""How each server is started, and how it is spoken to."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import copytree

from attrs import field, frozen

from benchmarks import install, who
from benchmarks.speech import CONTROL_ID, PEERS, PLAIN, REDIS, SERVER_EYE, Speech, control_id, server_eye

_PROGRAMS = Path(__file__).with_name("peers")
_FILES = 20000
"""Connections that a peer that wants to be told may have."""

NO_FSYNC = -1.0
"""Instead of milliseconds: nothing waits for the disk."""


@frozen(kw_only=True)
class SendOptions:
    """How a server is wanted."""

    hold: float = 0
    """Seconds for which it holds a poll; 0: it answers at once."""
    fsync_ms: float = 0
    """Milliseconds by which its fsync is slower than the disk's; :data:`NO_FSYNC`: it does nothing."""
    data: Path | None = None
    """Of pushd: its data directory; else one of its own, a copy of what it knows from the start."""


@frozen(kw_only=True)
class Spot:
    """Where a server runs."""

    place: Path
    port: int
    put_port: int
    terms: SendOptions
    generator: Path
    known: Path

    @property
    def data(self) -> Path:
        """The data directory of pushd."""
        return self.terms.data or self.place / "data"

    @property
    def words(self) -> Sequence[str]:
        """What a peer is told: its port, and for how long it holds a poll."""
        return [str(self.port), f"{self.terms.hold:g}"]


@frozen(kw_only=True)
class Command:
    """How a server is started."""

    words: Sequence[str]
    env: Mapping[str, str] = field(factory=dict)
    ready: str = ""
    """A path where it answers 200 once it is ready; without one it is when it takes connections."""


def _ours(spot: Spot) -> Command:
    if spot.terms.data is None:
        copytree(spot.known, spot.data)
    words = [
        str(Path(sys.executable).with_name("twistd")),
        "--nodaemon",
        "--pidfile=",
        "pushd",
        f"--data-dir={spot.data}",
        f"--devices=tcp:{spot.port}:interface=127.0.0.1",
        f"--admin=tcp:{spot.put_port}:interface=127.0.0.1",
        "--admission=open",
        f"--hold=servereye={spot.terms.hold:g}",
        f"--hold=controlid={spot.terms.hold:g}",
    ]
    return Command(words=words, ready="/readyz")


def _floor(spot: Spot) -> Command:
    return Command(words=[str(spot.generator), "floor", f"port={spot.port}", f"hold={spot.terms.hold > 0:d}"])


def _python(python: Path | str, program: str) -> Callable[[Spot], Command]:
    return lambda spot: Command(words=[str(python), str(_PROGRAMS / program), *spot.words])


def _klein_sqlite(spot: Spot) -> Command:
    program = _PROGRAMS / "klein_sqlite.py"
    return Command(words=[sys.executable, str(program), *spot.words, str(spot.place / "commands.sqlite")])


def _express(spot: Spot) -> Command:
    env = {"NODE_PATH": str(install.NODE_MODULES), "NODE_ENV": "production"}
    return Command(words=["node", str(_PROGRAMS / "express.js"), *spot.words], env=env)


def _nchan(spot: Spot) -> Command:
    filled = {
        "PORT": str(spot.port),
        "PLACE": str(spot.place),
        "KIND": "longpoll" if spot.terms.hold else "interval-poll",
        "MODULE": str(install.NCHAN),
        "FILES": str(_FILES),
    }
    text = (_PROGRAMS / "nchan.conf").read_text()
    for name, value in filled.items():
        text = text.replace(name, value)
    configuration = spot.place / "nginx.conf"
    configuration.write_text(text)
    return Command(words=[install.NGINX, "-p", str(spot.place), "-c", str(configuration)])


_OPEN = ("--protected-mode", "no")
"""To other loopback addresses than the first one, from which some of the load comes."""


def _redis(spot: Spot) -> Command:
    words = ["redis-server", "--port", str(spot.port), "--bind", "127.0.0.1", "--dir", str(spot.place), "--save", ""]
    return Command(
        words=[*words, "--appendonly", "yes", "--appendfsync", "always", "--maxclients", str(_FILES), *_OPEN]
    )


COMMANDS: Mapping[str, Callable[[Spot], Command]] = {
    who.US: _ours,
    who.FLOOR: _floor,
    who.AIOHTTP: _python(install.PYTHON, "aiohttp_uvloop.py"),
    who.STARLETTE: _python(install.PYTHON, "starlette_uvicorn.py"),
    who.KLEIN: _python(sys.executable, "stock_klein.py"),
    who.TWISTED: _python(sys.executable, "bare_twisted.py"),
    who.EXPRESS: _express,
    who.NCHAN: _nchan,
    who.KLEIN_SQLITE: _klein_sqlite,
    who.REDIS_ALWAYS: _redis,
}


def speeches(name: str, spot: Spot) -> Mapping[str, Speech]:
    """How a server that runs is spoken to, by dialect."""
    if name != who.US:
        return {SERVER_EYE: {who.REDIS_ALWAYS: REDIS, who.NCHAN: PLAIN}.get(name, PEERS)}
    token = (spot.data / "admin.token").read_text("ascii").strip()
    return {SERVER_EYE: server_eye(token), CONTROL_ID: control_id(token)}
