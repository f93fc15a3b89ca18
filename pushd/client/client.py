"""The client: one method for each call of the admin API that programs use."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Any, Literal, Self, Unpack
from uuid import uuid4

from urllib3 import PoolManager

from pushd.client.api import Api, CallOptions, given, query_of, repeated, to_json
from pushd.client.connection import Connection, Json
from pushd.client.events import EventFeed
from pushd.client.fields import DeviceFields, SendOptions
from pushd.client.people import People
from pushd.client.tokens import Tokens
from pushd.client.values import (
    Alert,
    ApiKey,
    AuditEntry,
    Catalogue,
    Command,
    Device,
    DeviceSecret,
    Explanation,
    Info,
    Muted,
    Opening,
    Orphan,
    Rejection,
    Site,
)
from pushd.client.webhooks import Webhooks
from pushd.model.admin_api import MAX_WAIT, START, decimal, flags
from pushd.model.catalogue import ACT_TTL
from pushd.model.opening import PATIENCE


class Client:
    """A client of the admin API; any number of threads may use it at the same time.

    ``url`` is that of the admin port, below which is ``/v1``. A call fails with ``Unreachable`` if
    there is no answer within ``timeout`` seconds, beyond those that the server was asked to wait. Before that it is
    repeated for ``retry_for`` seconds, if a repeat can do no harm: calls that send a command have an idempotency key,
    so that a repeated one is never sent twice. ``ca_certs`` is a file of certificates (PEM) that are trusted instead
    of those of the system.

    Every method raises ``ClientError``.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 15.0,
        retry_for: float = 10.0,
        ca_certs: str | None = None,
    ) -> None:
        pool = PoolManager(maxsize=10, ca_certs=ca_certs)
        self._connection = Connection(url, token.strip(), timeout, retry_for, pool)
        self._api = Api(self._connection)
        self.people = People(self._api)
        self.tokens = Tokens(self._api)
        self.webhooks = Webhooks(self._api)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def send(
        self,
        device: str,
        payload: Mapping[str, Any],
        *,
        wait: float | None = None,
        then: Literal["cancel"] | None = None,
        queue: bool = False,
        unchecked: bool = False,
        idempotency_key: str | None = None,
        **options: Unpack[SendOptions],
    ) -> Command:
        """Send a device a command; it is durable when this returns.

        ``wait``: return when it has ended, after so many seconds (0 to 60) at the latest; ``then="cancel"``: cancel
        it then, if it was not sent yet. ``queue``: also for a device that has signed off; ``unchecked``: also what the
        device is known to reject. ``options`` are those of :class:`SendOptions`.

        A call that is repeated has the same idempotency key; pass ``idempotency_key`` to repeat it yourself.
        """
        ttl = options.get("ttl")
        query = flags(queue=queue, unchecked=unchecked)
        query += [] if wait is None else [("wait", decimal(wait))]
        query += [] if then is None else [("then", then)]
        return self._api.read(
            Command,
            "POST",
            "devices",
            device,
            "commands",
            query=query,
            body={"payload": payload, **given(options)},
            key=idempotency_key or str(uuid4()),
            wait=wait or 0,
            # no command lives for less if its sender does not say how long
            retry_for=min(ACT_TTL if ttl is None else ttl, self._connection.retry_for),
        )

    def open(
        self,
        device: str,
        *,
        door: int | None = None,
        direction: str | None = None,
        trace: str | None = None,
        idempotency_key: str | None = None,
    ) -> Opening:
        """Open the door, or release the turnstile, of a device: within ten seconds, or not at all.

        ``door`` (1 to 4) is for a device with several; ``direction``, one of
        :class:`~pushd.model.opening.Direction`, for a turnstile.
        """
        return self._api.read(
            Opening,
            "POST",
            "devices",
            device,
            "open",
            body=given({"door": door, "direction": direction, "trace": trace}),
            key=idempotency_key or str(uuid4()),
            wait=PATIENCE,
            retry_for=min(PATIENCE, self._connection.retry_for),
        )

    def wait(self, command: str, timeout: float) -> Command:
        """A command as soon as it has ended, or after ``timeout`` seconds, of any number: see
        :attr:`~pushd.client.values.Command.has_ended`.
        """
        ends_at = monotonic() + timeout
        while True:
            left = max(0.0, ends_at - monotonic())
            wait = min(left, MAX_WAIT)
            found = self._api.read(Command, "GET", "commands", command, query=[("wait", decimal(wait))], wait=wait)
            if found.has_ended or left <= MAX_WAIT:
                return found

    def command(self, command: str) -> Command:
        """One command, with its payload and result."""
        return self._api.read(Command, "GET", "commands", command)

    def commands(
        self,
        *,
        device: str | None = None,
        state: str | None = None,
        since: datetime | None = None,
        endpoint: str | None = None,
        by: str | None = None,
        trace: str | None = None,
        q: str | None = None,
    ) -> Iterator[Command]:
        """Commands that match, newest first, without payload and result; pages are read when they are needed."""
        query = query_of(device=device, state=state, since=since, endpoint=endpoint, by=by, trace=trace, q=q)
        return self._api.items(Command, "commands", query=query)

    def explain(self, command: str) -> Explanation:
        """Why a command has not run yet, or what is known of its outcome."""
        return self._api.read(Explanation, "GET", "commands", command, "explain")

    def cancel(self, command: str) -> Command:
        """Cancel a command that was not sent yet, or its further attempts."""
        return self._api.read(Command, "POST", "commands", command, "cancel", body={})

    def resolve(self, command: str, state: Literal["succeeded", "failed"], *, note: str | None = None) -> Command:
        """Record what became of a command whose state is ``unknown``."""
        return self._api.read(
            Command, "POST", "commands", command, "resolve", body=given({"state": state, "note": note})
        )

    def resend(
        self, command: str, *, queue: bool = False, unchecked: bool = False, **options: Unpack[SendOptions]
    ) -> Command:
        """Send the same payload as a new command; a second call returns the same new command.

        Its options are those of the first one, except ``not_before``, and those that are given.
        """
        query = flags(queue=queue, unchecked=unchecked)
        return self._api.read(Command, "POST", "commands", command, "resend", query=query, body=given(options))

    def devices(
        self,
        *,
        dialect: str | None = None,
        presence: str | None = None,
        admission: str | None = None,
        model: str | None = None,
        sites: Sequence[str] = (),
        tags: Sequence[str] = (),
        q: str | None = None,
        sort: Literal["id", "name"] | None = None,
    ) -> Iterator[Device]:
        """Devices that match, in one of ``sites`` if there are any, and with all ``tags``."""
        query = query_of(dialect=dialect, presence=presence, admission=admission, model=model, q=q, sort=sort)
        return self._api.items(Device, "devices", query=[*query, *repeated("site", sites), *repeated("tag", tags)])

    def device(self, device: str) -> Device:
        """One device."""
        return self._api.read(Device, "GET", "devices", device)

    def register(self, device: str, **fields: Unpack[DeviceFields]) -> Device:
        """Register a device before its first poll; ``fields`` as in :meth:`change`.

        It is not repeated if the server may have received it: it would then say that it knows the device.
        """
        return self._api.read(Device, "POST", "devices", body={"id": device, **to_json(fields)}, may_repeat=False)

    def change(self, device: str, **fields: Unpack[DeviceFields]) -> Device:
        """Change a device: ``change("controlid:7", name="Main gate", facts={"model": "iDFace"})``."""
        return self._api.read(Device, "PATCH", "devices", device, body=to_json(fields))

    def delete(self, device: str) -> None:
        """Delete a device; not repeated if the server may have received it."""
        self._api.call("DELETE", "devices", device, may_repeat=False)

    def mute(
        self,
        until: datetime | None,
        *,
        devices: Sequence[str] | None = None,
        site: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> Muted:
        """Raise no alerts about the devices that match all of what is given, until a time; None ends that."""
        body = to_json({"until": until}) | given({"devices": devices, "site": site, "tags": tags})
        return self._api.read(Muted, "POST", "devices", "mute", body=body)

    def new_device_secret(self, device: str, *, overlap: float = 0) -> DeviceSecret:
        """Make a secret path for a device, without which it is not served; an old one stays valid for ``overlap``
        seconds. It is not repeated if the server may have received it.
        """
        query = [("overlap", decimal(overlap))]
        return self._api.read(DeviceSecret, "POST", "devices", device, "secret", query=query, may_repeat=False)

    def new_api_key(self, device: str, *, overlap: float = 0) -> ApiKey:
        """Make an API key for a Server-Eye container, as :meth:`new_device_secret`."""
        query = [("overlap", decimal(overlap))]
        return self._api.read(ApiKey, "POST", "devices", device, "api-key", query=query, may_repeat=False)

    def orphans(self, device: str) -> Iterator[Orphan]:
        """Results of a device that match no command, newest first."""
        return self._api.items(Orphan, "devices", device, "orphans")

    def catalogue(self, dialect: str) -> Catalogue:
        """What devices of a dialect, ``controlid`` or ``servereye``, can be sent."""
        return self._api.read(Catalogue, "GET", "catalogue", dialect)

    def sites(self) -> tuple[Site, ...]:
        """All sites, by name."""
        return self._api.whole(Site, "sites")

    def rejections(self, *, limit: int | None = None) -> tuple[Rejection, ...]:
        """Requests of devices that the server has refused lately, the newest first, each with what to do about it."""
        return self._api.whole(Rejection, "rejections", query=query_of(limit=limit))

    def audit(
        self,
        *,
        after: str = START,
        by: str | None = None,
        object: str | None = None,  # noqa: A002 - the parameter's name
    ) -> Iterator[AuditEntry]:
        """What people and programs have changed, oldest first, from behind the entry with the id ``after``: by the
        token with a name, or of one object, such as ``device:controlid:7``.
        """
        return self._api.entries(AuditEntry, "audit", after=after, query=query_of(by=by, object=object))

    def alerts(
        self,
        *,
        is_open: bool | None = None,
        is_acknowledged: bool | None = None,
        since: datetime | None = None,
        kinds: Sequence[str] = (),
    ) -> Iterator[Alert]:
        """Alerts, newest first: open or cleared, acknowledged or not, raised since a time, of any of ``kinds``."""
        query = query_of(open=is_open, acknowledged=is_acknowledged, since=since)
        return self._api.items(Alert, "alerts", query=[*query, *repeated("kind", kinds)])

    def alert(self, alert: str) -> Alert:
        """One alert."""
        return self._api.read(Alert, "GET", "alerts", alert)

    def acknowledge(self, alert: str) -> Alert:
        """Acknowledge an alert, which ends its reminders."""
        return self._api.read(Alert, "POST", "alerts", alert, "acknowledge")

    def info(self) -> Info:
        """The server's version, and how much it has of what."""
        return self._api.read(Info, "GET", "info")

    def events(
        self,
        *,
        after: str | None = None,
        since: datetime | None = None,
        devices: Sequence[str] = (),
        types: Sequence[str] = (),
        timeout: float | None = None,
    ) -> EventFeed:
        """Events as they happen, from now on; or first those that follow ``after``, or that happened since a time.

        ``after`` is the ``seq`` of an event, or the ``position`` of an earlier feed; ``"0"`` is before all.
        With ``timeout`` the iteration ends when no event came for so many seconds.
        """
        filters = query_of(since=since) + repeated("device", devices) + repeated("type", types)
        if after is None:
            after = self._api.end("events") if since is None else START
        return EventFeed(self._api, after, filters, timeout)

    def call(self, method: str, *path: str, **options: Unpack[CallOptions]) -> Json:
        """Any other call of the API, as JSON: ``call("GET", "fsck")``; ``path`` is below ``/v1``.

        ``options`` are those of :class:`CallOptions`. Pass ``may_repeat=False`` if a second call would do harm.
        """
        return self._api.call(method, *path, **options)
