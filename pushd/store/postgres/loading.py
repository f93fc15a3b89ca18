"""The beginning of a group: the rows of its devices are locked, and then, with a new snapshot, what they have is read.

Never both in one statement: that would read what was there before it waited for the locks.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from attrs import frozen

from pushd.model.timestamps import Now
from pushd.rules.records import Attempt, Handover
from pushd.store import command_rows as rows
from pushd.store.open_commands import DeviceCommands, OpenCommands
from pushd.store.overlay import NamedValues
from pushd.store.postgres.history import FeedState
from pushd.store.postgres.needs import Named
from pushd.store.postgres.pipeline import Request, array, exchange
from pushd.store.postgres.session import Connection

T = TypeVar("T")

MAX_LOADED_PAYLOAD = 2000
"""Bytes, as they are stored, of a payload that is read with its command; others are read when they are needed."""

_BY_ID = "= ANY($1::text[])"
_BY_COMMAND = "IN (SELECT unnest($1::text[]) UNION SELECT device FROM command WHERE id = ANY($2::text[]))"
_CLOCK = b"SELECT pg_current_xact_id()::text, wall_ms(), lost_ms, stepped_ms, last, history, lost FROM service, feed"


def _commands(where: str) -> bytes:
    payload = f"CASE WHEN pg_column_size(payload) <= {MAX_LOADED_PAYLOAD} THEN payload END"
    return rows.READ.format(payload=payload, where=where).encode()


@frozen
class _Statements:
    """Those that need to know which devices are named."""

    lock: bytes
    lock_if_free: bytes
    devices: bytes
    opened: bytes

    @classmethod
    def naming(cls, named: str) -> "_Statements":
        lock = f"SELECT id FROM device WHERE id {named} ORDER BY id FOR NO KEY UPDATE OF device"
        devices = (
            "SELECT id, admission, presence, revision, (SELECT node FROM sighting WHERE sighting.device = device.id),"
            f" (SELECT MAX(command.id) FROM command WHERE command.device = device.id) FROM device WHERE id {named}"
        )
        opened = _commands(f"finished_at IS NULL AND device {named}")
        return cls(lock.encode(), f"{lock} SKIP LOCKED".encode(), devices.encode(), opened)


_BY_DEVICES, _BY_COMMANDS_TOO = _Statements.naming(_BY_ID), _Statements.naming(_BY_COMMAND)
_NAMED = _commands("id = ANY($1::text[]) AND (finished_at IS NOT NULL OR device <> ALL($2::text[]))")
_KEYS = (
    b"SELECT created_by, device, idempotency_key, id FROM command WHERE (created_by, device, idempotency_key)"
    b" IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))"
)
_TOKENS = b"SELECT id, revision FROM token WHERE id = ANY($1::text[])"
_HANDOVER = (
    f"SELECT {', '.join(f'attempt.{name}' for name in Attempt._fields)} FROM unnest({{values}}) AS named ({{names}})"
    " CROSS JOIN LATERAL (SELECT handover FROM attempt WHERE attempt.device = named.device{condition}"
    " ORDER BY serial DESC LIMIT 1) AS found JOIN attempt ON attempt.handover = found.handover"
)
_NEWEST = _HANDOVER.format(values="$1::text[]", names="device", condition="").encode()
_UUIDS = _HANDOVER.format(
    values="$1::text[], $2::text[]", names="device, uuid", condition=" AND attempt.uuid = named.uuid"
).encode()


@frozen
class Loaded:
    """What a transaction has locked and read when its operations begin."""

    xid: str
    """Its id, by which it can be asked later whether it was committed."""
    commands: OpenCommands
    named: NamedValues
    locked: Collection[str]
    existing: Collection[str]
    feed: FeedState
    """What was committed before."""
    now: Now
    """The time of the service."""

    def holds(self, needs: Named) -> bool:
        """Whether an operation may run: its devices are locked, or do not exist."""
        found = map(self.named.commands.get, needs.commands)
        named = (*needs.devices, *(command.device for command in found if command is not None))
        return all(device in self.locked or device not in self.existing for device in named)


def load(connection: Connection, node: str, needs: Sequence[Named], wait: bool) -> Loaded:
    """Begin a transaction, and lock and read what operations need, in one round trip.

    :param node: the name of this process: a device that polls at another one is not sent anything here.
    :param wait: wait for devices that other transactions have locked; else they are left out.
    :raises psycopg.Error: if that fails.
    """
    named = Named.together(needs)
    requests = _requests(named, wait)
    answers = dict(zip(requests, exchange(connection, list(requests.values())), strict=True))
    [(xid, wall, lost, stepped, *feed)] = answers["clock"]
    loaded, devices = OpenCommands(), answers["devices"]
    loaded.load(rows.to_records(answers["opened"]))
    loaded.last_ids = {device: last for device, *_, last in devices if last is not None}
    loaded.device_records = {
        device: rows.device_record(admission, presence)._replace(is_served=at in (None, node), revision=revision)
        for device, admission, presence, revision, at, _ in devices
    }
    for device, newest in _handovers(named.newest, answers.get("newest", ()), _DEVICE).items():
        loaded.devices.setdefault(device, DeviceCommands()).newest = newest
    by_name = {command.id: command for command in rows.to_records(answers.get("named", ()))}
    by_key = {(by, device, key): command for by, device, key, command in answers.get("keys", ())}
    return Loaded(
        xid=xid,
        commands=loaded,
        named=NamedValues(
            commands={each: by_name.get(each) or loaded.commands.get(each) for each in named.commands + named.ended},
            keys={key: by_key.get(key) for key in named.keys},
            handovers=_handovers(named.uuids, answers.get("uuids", ()), _DEVICE_AND_UUID),
            tokens=dict.fromkeys(named.tokens) | dict(answers.get("tokens", ())),
        ),
        locked={device for (device,) in answers["locked"]},
        existing=loaded.device_records.keys(),
        feed=FeedState(*feed),
        now=Now(wall, wall - lost, wall - stepped),
    )


def _requests(named: Named, wait: bool) -> dict[str, Request]:
    statements, devices = _BY_DEVICES, [array("text", named.devices)]
    if named.commands:
        statements = _BY_COMMANDS_TOO
        devices.append(array("text", named.commands))
    requests = {
        "began": Request(b"BEGIN"),
        "locked": Request(statements.lock if wait else statements.lock_if_free, devices),
        "clock": Request(_CLOCK),
        "devices": Request(statements.devices, devices),
        "opened": Request(statements.opened, devices),
    }
    if named.commands or named.ended:
        requests["named"] = Request(_NAMED, [array("text", named.commands + named.ended), devices[0]])
    if named.keys:
        requests["keys"] = Request(_KEYS, _columns(named.keys))
    if named.uuids:
        requests["uuids"] = Request(_UUIDS, _columns(named.uuids))
    if named.tokens:
        requests["tokens"] = Request(_TOKENS, [array("text", named.tokens)])
    if named.newest:
        requests["newest"] = Request(_NEWEST, [array("text", named.newest)])
    return requests


def _columns(values: Sequence[tuple[str, ...]]) -> list[bytes]:
    return [array("text", column) for column in zip(*values, strict=True)]


_DEVICE: Callable[[Attempt], Any] = attrgetter("device")
_DEVICE_AND_UUID: Callable[[Attempt], Any] = attrgetter("device", "uuid")


def _handovers(
    wanted: Sequence[T], found: Iterable[Sequence[Any]], name_of: Callable[[Attempt], T]
) -> dict[T, Handover | None]:
    """What was found of these handovers, each by what it was named by."""
    handovers: dict[T, list[Attempt]] = {name: [] for name in wanted}
    for attempt in map(Attempt._make, found):
        handovers[name_of(attempt)].append(attempt)
    return {name: rows.to_handover(attempts) for name, attempts in handovers.items()}
