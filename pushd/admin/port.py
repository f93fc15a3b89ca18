"""
The admin port: which app answers which path.
"""

import re
from urllib.parse import unquote_to_bytes

from attrs import define
from twisted.web.resource import IResource, Resource

from pushd.web.bodies import LARGE, SMALL
from pushd.web.doors import render
from pushd.web.site import HouseRequest

_SENDING = re.compile(rb"/v1/devices/[^/]+/commands")


@define(eq=False)
class AdminPort(Resource):
    """
    Each app declares whole paths; this only finds the app.
    """

    isLeaf = True  # noqa: N815 - Twisted's name

    devices: IResource
    commands: IResource
    rest: IResource
    """Health, the feed, and whatever is not there."""

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def render(self, request: HouseRequest) -> bytes | int:
        """
        Hand a request to its app.
        """
        request.postpath = [unquote_to_bytes(part) for part in request.path[1:].split(b"/")]
        return render(self._app(request.postpath[:2]), request)

    def _app(self, beginning: list[bytes]) -> IResource:
        if beginning == [b"v1", b"devices"]:
            return self.devices
        return self.commands if beginning == [b"v1", b"commands"] else self.rest


def limit(_method: bytes, uri: bytes) -> int:
    """
    How many bytes of a body to keep: much only of a command.
    """
    return LARGE if _SENDING.fullmatch(uri.partition(b"?")[0]) else SMALL
