"""The pulse: tells an outside monitor, again and again, that those who would notice a silence are alive themselves."""

from collections.abc import Callable, Mapping

from attrs import define, field
from treq.client import HTTPClient
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pushd.lib.http_client import CANCELLED, BodyReader, cause_of, describe

INTERVAL = 60.0
"""Seconds from one beat to the next."""

PATIENCE = 30.0
"""Seconds that an answer may take; less than an interval, so that no beat is left out for a slow one."""

STUCK = 180.0
"""Seconds without progress after which a part counts as dead; longer than any conversation with a mail server."""


MAX_READ = 64 * 1024
"""Bytes of a response's body after which the connection is closed."""

Stuck = Callable[[float], bool]
"""Whether a part made no progress for longer than so many seconds."""


class NoPulse(Exception):
    """The monitor could not be told."""


@define(eq=False)
class DeadMansSwitch:
    """Fetches ``url``, which may be a secret, if all parts make progress."""

    url: str = field(repr=False)
    http: HTTPClient
    clock: IReactorTime
    parts: Mapping[str, Stuck]
    """By their names, those without whom somebody might not be told."""
    _trouble: str | None = field(default=None, init=False)
    _log = Logger()

    async def beat(self) -> None:
        """One beat; what goes wrong is logged once, until it changes."""
        stuck = [name for name, is_stuck in self.parts.items() if is_stuck(STUCK)]
        if stuck:
            self._note(f"withheld, for there is no progress: {', '.join(stuck)}")
            return
        try:
            await Deferred.fromCoroutine(self._fetch()).addTimeout(PATIENCE, self.clock)
        except CancelledError:
            raise
        except Exception as error:  # of the network, of TLS, of the URL: the next beat tries again
            self._note(f"not heard: {_reason(error)}")
        else:
            self._note(None)

    async def _fetch(self) -> None:
        response = await self.http.get(self.url, unbuffered=True)
        reader = BodyReader(keep=0, limit=MAX_READ)
        response.deliverBody(reader)
        await reader.done
        if not 200 <= response.code < 300:
            raise NoPulse(f"the answer was {response.code}")

    def _note(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self._trouble:
            self._log.error("The pulse was {trouble}", trouble=trouble)
        elif trouble is None and self._trouble is not None:
            self._log.info("The pulse is heard again")
        self._trouble = trouble


def _reason(error: Exception) -> str:
    if isinstance(cause_of(error), (*CANCELLED, defer.TimeoutError)):
        return f"no answer within {PATIENCE:g} s"
    return describe(error)
