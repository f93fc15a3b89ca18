"""The device port: one listener, a door for each dialect."""

import re
from collections.abc import Callable, Sequence

from attrs import define, field, frozen

from pushd.http.bodies import SMALL
from pushd.http.handlers import IApp, serve
from pushd.http.request import Request

_SLASHES = re.compile(rb"//+")
_SECRET = re.compile(rb"/d/([^/]+)(/.*)")


@frozen(kw_only=True)
class MountedApp:
    """A dialect's place on the port: below which prefixes, for which paths."""

    prefixes: tuple[bytes, ...]
    """Each begins with a slash and ends without one; the empty one is the root."""
    pattern: re.Pattern[bytes]
    """Of the whole paths, below a prefix, that are for this dialect; it has no groups."""
    app: IApp
    limit: Callable[[bytes, bytes], int]
    """How many bytes of a body to keep, by path below the prefix and query."""

    @property
    def whole(self) -> bytes:
        """The pattern of the whole paths, with what is below the prefix as its one group."""
        return b"(?:%b)(%b)" % (b"|".join(map(re.escape, self.prefixes)), self.pattern.pattern)


@define(eq=False)
class DevicePort:
    """Finds the door: ``[/d/<secret>][prefix]<path>``, where repeated slashes count as one."""

    doors: Sequence[MountedApp]
    owner: Callable[[str], str | None]
    """The device whose secret this is."""
    _paths: re.Pattern[bytes] = field(init=False)
    """One group for each door."""

    @_paths.default
    def _join(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(door.whole for door in self.doors))

    def serve(self, request: Request) -> None:
        """Hand a request to its door; unknown paths and secrets are 404, and empty."""
        secret, path = _split(request.path)
        if secret is not None:
            request.owner = self.owner(secret)
        found = None if secret is not None and request.owner is None else self._find(path)
        if found is None:
            request.setResponseCode(404)
            request.answer(b"")
        else:
            door, below = found
            serve(door.app, request, below)

    def limit(self, _method: bytes, uri: bytes) -> int:
        """How many bytes of a body to keep."""
        path, _, query = uri.partition(b"?")
        found = self._find(_split(path)[1])
        return SMALL if found is None else found[0].limit(found[1], query)

    def _find(self, path: bytes) -> tuple[MountedApp, bytes] | None:
        match = self._paths.fullmatch(path)
        if match is None:
            return None
        number = match.lastindex
        assert number is not None, "each alternative has a group"
        return self.doors[number - 1], match[number]


def _split(path: bytes) -> tuple[str | None, bytes]:
    """The secret in a path, if there is one, and the rest."""
    if b"//" in path:
        path = _SLASHES.sub(b"/", path)
    match = _SECRET.fullmatch(path) if path.startswith(b"/d/") else None
    if match is None:
        return None, path
    return match[1].decode("ascii", "replace"), match[2]
