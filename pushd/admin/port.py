"""
The admin port: which app answers which path.
"""

import re
from collections.abc import Mapping

from attrs import define
from twisted.web.resource import IResource, Resource

from pushd.web.bodies import LARGE, SMALL
from pushd.web.doors import parts, render
from pushd.web.site import HouseRequest

_SENDING = re.compile(rb"/v1/devices/[^/]+/commands")


@define(eq=False)
class AdminPort(Resource):
    """
    Each app declares whole paths; this only finds the app.
    """

    isLeaf = True  # noqa: N815 - Twisted's name

    apps: Mapping[bytes, IResource]
    """By what stands behind ``/v1/``."""
    rest: IResource
    """Health, and whatever is not there."""

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def render(self, request: HouseRequest) -> bytes | int:
        """
        Hand a request to its app.
        """
        path = parts(request.path)
        return render(self._app(path), request, path)

    def _app(self, path: list[bytes]) -> IResource:
        version, name = (*path, b"")[:2]
        return self.apps.get(name, self.rest) if version == b"v1" else self.rest


def limit(_method: bytes, uri: bytes) -> int:
    """
    How many bytes of a body to keep: much only of a command.
    """
    return LARGE if _SENDING.fullmatch(uri.partition(b"?")[0]) else SMALL
