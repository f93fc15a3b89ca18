"""The device port: mounts the apps of all dialects on one listener, below their prefixes and below secret paths."""

import re
from collections.abc import Callable, Sequence

from attrs import define, field, frozen

from pushd.http.bodies import SMALL
from pushd.http.handlers import IApp, serve
from pushd.http.request import Request

_REPEATED_SLASHES = re.compile(rb"//+")
_SECRET_PATH = re.compile(rb"/d/([^/]+)(/.*)")


@frozen(kw_only=True)
class MountedApp:
    """An app, and the paths for which it is mounted."""

    prefixes: tuple[bytes, ...]
    """Each begins with a slash and ends without one; the empty prefix is the root."""
    pattern: re.Pattern[bytes]
    """Matches whole paths, without prefix, that are for this app; it has no groups."""
    app: IApp
    body_limit: Callable[[bytes, bytes], int]
    """How many bytes of a body to keep, by path (without prefix) and query."""

    @property
    def full_pattern(self) -> bytes:
        """The pattern of whole paths; its only group is the path without prefix."""
        return b"(?:%b)(%b)" % (b"|".join(map(re.escape, self.prefixes)), self.pattern.pattern)


@define(eq=False)
class DevicePort:
    """Finds the app for a path ``[/d/<secret>][prefix]<path>``, where repeated slashes count as one."""

    apps: Sequence[MountedApp]
    owner_of_path: Callable[[str], str | None]
    """The device that a secret belongs to, None if there is none."""
    _pattern: re.Pattern[bytes] = field(init=False)
    """One group for each app."""

    @_pattern.default
    def _join(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(mounted.full_pattern for mounted in self.apps))

    def serve(self, request: Request) -> None:
        """Pass a request to its app; unknown paths and secrets are an empty 404."""
        secret, path = _split(request.path)
        if secret is not None:
            request.owner = self.owner_of_path(secret)
        found = None if secret is not None and request.owner is None else self._find(path)
        if found is None:
            request.setResponseCode(404)
            request.respond(b"")
        else:
            mounted, below = found
            serve(mounted.app, request, below)

    def body_limit(self, _method: bytes, target: bytes) -> int:
        """How many bytes of a body to keep."""
        path, _, query = target.partition(b"?")
        found = self._find(_split(path)[1])
        return SMALL if found is None else found[0].body_limit(found[1], query)

    def _find(self, path: bytes) -> tuple[MountedApp, bytes] | None:
        """The app for a path, and the path without prefix."""
        match = self._pattern.fullmatch(path)
        if match is None:
            return None
        group = match.lastindex
        assert group is not None, "each alternative has a group"
        return self.apps[group - 1], match[group]


def _split(path: bytes) -> tuple[str | None, bytes]:
    """The secret in a path, None if there is none, and the rest of the path."""
    if b"//" in path:
        path = _REPEATED_SLASHES.sub(b"/", path)
    match = _SECRET_PATH.fullmatch(path) if path.startswith(b"/d/") else None
    if match is None:
        return None, path
    return match[1].decode("ascii", "replace"), match[2]
