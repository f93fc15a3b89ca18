"""The device port: mounts the apps of all dialects on one listener, below their prefixes and below secret paths."""

import re
from collections.abc import Callable, Sequence

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, NotFound

from pushd.core.devices.rejections import Rejections
from pushd.http.bodies import BodyGrant
from pushd.http.error_status import set_error_status
from pushd.http.handlers import DelayedResponse, respond_error, serve
from pushd.http.request import Request
from pushd.http.router import IApp, unquoted
from pushd.lib.tls import begins_tls
from pushd.lib.url_paths import merge_slashes
from pushd.model.errors import InvalidQuery, Unavailable
from pushd.model.rejection import RejectionReason
from pushd.store.membership import NOT_HEARD

_SECRET_PATH = re.compile(rb"/d/([^/]+)(/.*)")

_METHODS_OF_DEVICES = (b"GET", b"POST")


class UnknownSecret(NotFound):
    """No device has the secret in a path."""


def list_refused(rejections: Rejections, request: Request, failure: Failure) -> None:
    """List a request that an app refuses because of its path or query; an unknown secret is listed already."""
    if isinstance(failure.value, InvalidQuery):
        rejections.without_device(request)
    elif isinstance(failure.value, NotFound) and not isinstance(failure.value, UnknownSecret):
        _list_not_found(rejections, request)


def _list_not_found(
    rejections: Rejections, request: Request, reason: RejectionReason = RejectionReason.WRONG_BASE
) -> None:
    """List a request for a path at which nothing is served; one with another method only looks whether there is."""
    if request.method in _METHODS_OF_DEVICES:
        rejections.not_found(request, reason)


@frozen(kw_only=True)
class MountedApp:
    """An app, and the paths for which it is mounted."""

    prefixes: tuple[bytes, ...]
    """Each begins with a slash and ends without one; the empty prefix is the root."""
    pattern: re.Pattern[bytes]
    """Matches whole paths, without prefix, that are for this app; it has no groups."""
    app: IApp
    grant_body: Callable[[Request, bytes], BodyGrant | None]
    """How much to keep of the body of a request, by its path without prefix; None: nothing."""
    query: re.Pattern[bytes] | None = None
    """If set, must be found in the query; otherwise the request is for a later app, if one is mounted for its path."""

    @property
    def full_pattern(self) -> bytes:
        """The pattern of whole paths; its only group is the path without prefix."""
        return b"(?:%b)(%b)" % (b"|".join(map(re.escape, self.prefixes)), self.pattern.pattern)


@define(eq=False)
class DevicePort:
    """Finds the app for a path ``[/d/<secret>][prefix]<path>``, where repeated slashes count as one.

    Of several apps that are mounted for a path, the first gets the request.
    """

    apps: Sequence[MountedApp]
    owner_of_path: Callable[[str], str | None]
    """The device that a secret belongs to, None if there is none."""
    hears: Callable[[], bool]
    """Whether this process knows of all secrets that others have made."""
    clock: IReactorTime
    refusal_delay: float
    """Seconds before the response below an unknown secret: clients poll again at once, whatever it is."""
    rejections: Rejections
    _patterns: Sequence[re.Pattern[bytes]] = field(init=False)
    """At each place, the paths of the app at this place and of all later ones: one group for each."""

    @_patterns.default
    def _join(self) -> Sequence[re.Pattern[bytes]]:
        patterns = [mounted.full_pattern for mounted in self.apps]
        return [re.compile(b"|".join(patterns[first:])) for first in range(len(patterns))]

    def serve(self, request: Request) -> None:
        """Pass a request to its app; unknown paths and secrets are a 404, which an app renders as its clients need."""
        secret, path = None, request.path
        if b"//" in path or path.startswith(b"/d/"):
            secret, path = _split(path)
        found = self._find(path, request.query)
        if secret is not None:
            request.owner = self.owner_of_path(secret)
            if request.owner is None:
                self._refuse_secret(request, None if found is None else found[0].app)
                return
        if found is None:
            _list_not_found(self.rejections, request)
            _respond_error(request, None, UnknownSecret())
        else:
            mounted, below = found
            serve(mounted.app, request, unquoted(below))

    def _refuse_secret(self, request: Request, app: IApp | None) -> None:
        """Nothing is served below a secret that is unknown, or not known yet."""
        error: Exception = UnknownSecret()
        if self.hears():
            _list_not_found(self.rejections, request, RejectionReason.UNKNOWN_SECRET)
        else:
            error = Unavailable(NOT_HEARD, is_logged=True)
        request.free_memory()
        request.pending = DelayedResponse(
            self.clock.callLater(self.refusal_delay, _respond_error, request, app, error)
        )

    def grant_body(self, request: Request) -> BodyGrant | None:
        """How much of a body to keep; None, if nothing: its request has no route, or its app reads no body."""
        secret, path = _split(request.path)
        if secret is not None:
            request.owner = self.owner_of_path(secret)
            if request.owner is None:
                return None
        found = self._find(path, request.query)
        if found is None:
            return None
        mounted, below = found
        try:
            mounted.app.router.find(request.method, unquoted(below))
        except HTTPException:
            return None
        return mounted.grant_body(request, below)

    def not_http(self, address: str | None, data: bytes) -> None:
        """A client at this address has sent what is no HTTP request; ``data`` is its beginning, if that is known."""
        reason = RejectionReason.TLS_ON_PLAIN_PORT if begins_tls(data) else RejectionReason.NOT_HTTP
        self.rejections.record(reason, address, None, None)

    def _find(self, path: bytes, query: bytes) -> tuple[MountedApp, bytes] | None:
        """The app for a path, and the path without prefix."""
        first = 0
        while first < len(self.apps) and (match := self._patterns[first].fullmatch(path)) is not None:
            group = match.lastindex
            assert group is not None, "each alternative has a group"
            mounted = self.apps[first + group - 1]
            if mounted.query is None or mounted.query.search(query):
                return mounted, match[group]
            first += group
        return None


def _respond_error(request: Request, app: IApp | None, error: Exception) -> None:
    """Respond with an error as the clients of an app need it, if there is one for the path."""
    request.pending = None
    if app is None:
        set_error_status(request, Failure(error))
        request.respond(b"")
    else:
        respond_error(app, request, error)


def _split(path: bytes) -> tuple[str | None, bytes]:
    """The secret in a path, None if there is none, and the rest of the path."""
    path = merge_slashes(path)
    match = _SECRET_PATH.fullmatch(path)
    if match is None:
        return None, path
    return match[1].decode("ascii", "replace"), match[2]
