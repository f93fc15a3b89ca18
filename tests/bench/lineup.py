"""
The line-up: who is measured, how each is started, and who is missing.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from shutil import copytree
from tempfile import mkdtemp

from attrs import evolve, field, frozen

from tests.bench import install
from tests.bench.machine import Cores
from tests.bench.servers import Command, Server
from tests.bench.speech import CONTROL_ID, PEERS, PLAIN, REDIS, SERVER_EYE, Speech, control_id, server_eye
from tests.torture.setting import free_ports

US = "pushd"
AIOHTTP = "aiohttp, uvloop"
STARLETTE = "Starlette, uvicorn"
KLEIN = "stock Klein"
TWISTED = "bare twisted.web"
EXPRESS = "Express"
NCHAN = "nchan"
KLEIN_SQLITE = "Klein, SQLite"
REDIS_ALWAYS = "Redis, always"
FLOOR = "trivial C server"

IN_MEMORY = (AIOHTTP, STARLETTE, KLEIN, TWISTED, EXPRESS, NCHAN)
"""Those that keep what is put in memory alone."""

DURABLE = (KLEIN_SQLITE, REDIS_ALWAYS)
"""Those that have each step on the disk before they answer."""

_PEERS = Path(__file__).with_name("peers")
_FILES = 20000


@frozen(kw_only=True)
class Terms:
    """
    How a server is wanted.
    """

    hold: float = 0
    """Seconds for which it holds a poll; 0: it answers at once."""
    durable: bool = True
    """Of pushd: whether what it keeps goes to the disk."""
    fsync_ms: float = 0
    """Milliseconds by which its fsync is slower than the disk's."""
    data: Path | None = None
    """Of pushd: its data directory; else one of its own."""


@frozen(kw_only=True)
class Lineup:
    """
    Makes servers, each in a directory of its own below ``place``.
    """

    place: Path
    cores: Cores
    slow_fsync: Path
    generator: Path
    known: Path | None = None
    """A data directory whose devices pushd knows from the start, where nothing else is said."""
    only: Sequence[str] = field(default=())
    """Who is measured; empty: all."""

    def missing(self) -> Mapping[str, str]:
        """
        Who cannot be measured here, and what that takes.
        """
        needs: Sequence[tuple[Callable[[], bool], Sequence[str], str]] = [
            (install.has_python_packages, (AIOHTTP, STARLETTE), "aiohttp, uvloop, uvicorn and starlette from PyPI"),
            (install.has_express, (EXPRESS,), "Node.js, and express from npm"),
            (install.has_nchan, (NCHAN,), "Debian's nginx and libnginx-mod-nchan"),
            (install.has_redis, (REDIS_ALWAYS,), "Debian's redis-server"),
        ]
        return {name: what for has, names, what in needs if not has() for name in names if self._wanted(name)}

    def present(self, names: Sequence[str]) -> Sequence[str]:
        """
        Those of these who are wanted and can be measured.
        """
        missing = self.missing()
        return [name for name in names if self._wanted(name) and name not in missing]

    def server(self, name: str, terms: Terms) -> Server:
        """
        A server, not yet started.
        """
        place = Path(mkdtemp(prefix="server-", dir=self.place))
        ports = free_ports(2)
        if name == US:
            speak = partial(_our_speech, terms.data or place / "data")
            return Server(name, self._ours(place, ports, terms), place, ports[0], ports[1], self.cores, speak)
        makers = {NCHAN: _nchan, REDIS_ALWAYS: _redis, KLEIN_SQLITE: _klein_sqlite, FLOOR: self._floor}
        command = makers.get(name, _PROGRAMS.get(name, _nobody))(place, ports[0], terms)
        command = evolve(command, env={**command.env, **self._slower(terms)})
        speech = {REDIS_ALWAYS: REDIS, NCHAN: PLAIN}.get(name, PEERS)
        return Server(name, command, place, ports[0], ports[0], self.cores, lambda: {SERVER_EYE: speech})

    def _wanted(self, name: str) -> bool:
        return not self.only or name in self.only

    def _slower(self, terms: Terms) -> Mapping[str, str]:
        if not terms.fsync_ms:
            return {}
        return {"LD_PRELOAD": str(self.slow_fsync), "BENCH_FSYNC_MS": f"{terms.fsync_ms:g}"}

    def _ours(self, place: Path, ports: Sequence[int], terms: Terms) -> Command:
        data = terms.data or place / "data"
        if terms.data is None and self.known is not None:
            copytree(self.known, data)
        words = [
            str(Path(sys.executable).with_name("twistd")),
            "--nodaemon",
            "--pidfile=",
            "pushd",
            f"--data-dir={data}",
            f"--devices=tcp:{ports[0]}:interface=127.0.0.1",
            f"--admin=tcp:{ports[1]}:interface=127.0.0.1",
            "--admission=open",
            f"--hold=servereye={terms.hold:g}",
            f"--hold=controlid={terms.hold:g}",
        ]
        if not terms.durable:
            words.append("--store=:memory:")
        return Command(words=words, env=self._slower(terms), ready="/readyz")

    def _floor(self, place: Path, port: int, terms: Terms) -> Command:
        return Command(words=[str(self.generator), "floor", f"port={port}", f"hold={terms.hold > 0:d}"])


def _our_speech(data: Path) -> Mapping[str, Speech]:
    token = (data / "admin.token").read_text("ascii").strip()
    return {SERVER_EYE: server_eye(token), CONTROL_ID: control_id(token)}


def _python(program: str, python: Path | str) -> Callable[[Path, int, Terms], Command]:
    return lambda _, port, terms: Command(words=[str(python), str(_PEERS / program), str(port), f"{terms.hold:g}"])


def _express(_: Path, port: int, terms: Terms) -> Command:
    words = ["node", str(_PEERS / "express.js"), str(port), f"{terms.hold:g}"]
    return Command(words=words, env={"NODE_PATH": str(install.NODE_MODULES), "NODE_ENV": "production"})


def _klein_sqlite(place: Path, port: int, terms: Terms) -> Command:
    words = [sys.executable, str(_PEERS / "klein_sqlite.py"), str(port), f"{terms.hold:g}"]
    return Command(words=[*words, str(place / "commands.sqlite")])


def _nchan(place: Path, port: int, terms: Terms) -> Command:
    filled = {
        "PORT": str(port),
        "PLACE": str(place),
        "KIND": "longpoll" if terms.hold else "interval-poll",
        "MODULE": str(install.NCHAN),
        "FILES": str(_FILES),
    }
    text = (_PEERS / "nchan.conf").read_text()
    for name, value in filled.items():
        text = text.replace(name, value)
    (place / "nginx.conf").write_text(text)
    return Command(words=[install.NGINX, "-p", str(place), "-c", str(place / "nginx.conf")])


def _redis(place: Path, port: int, terms: Terms) -> Command:
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(place), "--save", ""]
    return Command(words=[*words, "--appendonly", "yes", "--appendfsync", "always", "--maxclients", str(_FILES)])


def _nobody(place: Path, port: int, terms: Terms) -> Command:
    raise AssertionError("there is no such peer")


_PROGRAMS: Mapping[str, Callable[[Path, int, Terms], Command]] = {
    AIOHTTP: _python("aiohttp_uvloop.py", install.PYTHON),
    STARLETTE: _python("starlette_uvicorn.py", install.PYTHON),
    KLEIN: _python("stock_klein.py", sys.executable),
    TWISTED: _python("bare_twisted.py", sys.executable),
    EXPRESS: _express,
}
