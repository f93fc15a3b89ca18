"""
The device port: one listener, a door for each dialect.
"""

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote_to_bytes

from attrs import define, frozen
from twisted.web.resource import IResource, Resource

from pushd.web.answers import answer
from pushd.web.bodies import SMALL
from pushd.web.site import HouseRequest

_SLASHES = re.compile(rb"//+")
_SECRET = re.compile(rb"/d/([^/]+)(/.*)")


@frozen(kw_only=True)
class Door:
    """
    A dialect's place on the port: below which prefixes, for which paths.
    """

    prefixes: tuple[bytes, ...]
    """Each begins with a slash and ends without one; the empty one is the root."""
    pattern: re.Pattern[bytes]
    """Of the whole paths, below a prefix, that are for this dialect."""
    resource: IResource
    limit: Callable[[bytes, bytes], int]
    """How many bytes of a body to keep, by path below the prefix and query."""

    def inner(self, path: bytes) -> bytes | None:
        """
        The path below the prefix, if it is for this door.
        """
        for prefix in self.prefixes:
            below = path[len(prefix) :]
            if path.startswith(prefix) and self.pattern.fullmatch(below):
                return below
        return None


@define(eq=False)
class DevicePort(Resource):
    """
    Finds the door: ``[/d/<secret>][prefix]<path>``, where repeated slashes count as one.
    """

    isLeaf = True  # noqa: N815 - Twisted's name

    doors: Sequence[Door]
    owner: Callable[[str], str | None]
    """The device whose secret this is."""

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def render(self, request: HouseRequest) -> bytes | int:
        """
        Hand a request to its door; unknown paths and secrets are 404, and empty.
        """
        secret, path = _split(request.path)
        request.owner = None if secret is None else self.owner(secret)
        found = None if secret is not None and request.owner is None else self._find(path)
        if found is None:
            request.setResponseCode(404)
            return answer(request, b"")
        door, below = found
        return render(door.resource, request, parts(below))

    def limit(self, _method: bytes, uri: bytes) -> int:
        """
        How many bytes of a body to keep.
        """
        path, _, query = uri.partition(b"?")
        found = self._find(_split(path)[1])
        return SMALL if found is None else found[0].limit(found[1], query)

    def _find(self, path: bytes) -> tuple[Door, bytes] | None:
        for door in self.doors:
            below = door.inner(path)
            if below is not None:
                return door, below
        return None


def parts(path: bytes) -> list[bytes]:
    """
    What a path names between its slashes, unquoted; a slash that was quoted stays so, for it separates nothing.
    """
    texts = (unquote_to_bytes(part).decode("utf-8", "replace") for part in path[1:].split(b"/"))
    return [text.replace("/", "%2F").encode() for text in texts]


def render(resource: IResource, request: HouseRequest, postpath: list[bytes]) -> bytes | int:
    """
    Let a resource answer for the path that is left.
    """
    request.prepath, request.postpath = [], postpath
    rendered: bytes | int = resource.render(request)
    return rendered


def _split(path: bytes) -> tuple[str | None, bytes]:
    """
    The secret in a path, if there is one, and the rest.
    """
    path = _SLASHES.sub(b"/", path)
    match = _SECRET.fullmatch(path)
    if match is None:
        return None, path
    return match[1].decode("ascii", "replace"), match[2]
