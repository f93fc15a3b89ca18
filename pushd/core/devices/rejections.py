"""The newest rejections of device ports, in memory: what was refused to whom, and what to do about it."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import define, evolve, field

from pushd.core.clocks import Clocks
from pushd.core.devices.remedies import remedy
from pushd.lib.ip_networks import site_of
from pushd.lib.url_paths import merge_slashes, redacted
from pushd.model.rejection import Rejection, RejectionReason
from pushd.store.interface import IStore
from pushd.store.membership import IMembership

MAX_REJECTIONS = 200
"""Distinct rejections that are kept."""

MAX_PER_SITE = 20
"""Those of them that are of one address (IPv4) or network (IPv6, /64)."""

SHARE_SECONDS = 10.0
"""Seconds between two times that other processes learn what was refused here."""

_CALL = re.compile(rb"/(?:push|result|ack|signoff)(?:/[^/]*)?")
"""The end of a path that a device asks for: the name of a call, perhaps with the id of a container or a message."""

_DOUBLED = re.compile(rb"/push/(?:push|result)")
"""The end of a path if the address in a reader ends in ``/push``."""


class IRefusedClient(Protocol):
    """What is known of a client that is refused."""

    client_address: str | None
    owner: str | None
    """The device whose secret path was used."""
    path: bytes
    query: bytes


Claim = Callable[[bytes, bytes], str | None]
"""Reads the device that a client claims to be from a path and a query; None if it claims none."""

_Key = tuple[str | None, str | None, RejectionReason, str | None]


@define(eq=False)
class Rejections:
    """Lists what is refused; memory and the time that each refusal takes are bounded, whatever clients send."""

    clocks: Clocks
    claims: Sequence[Claim] = ()
    """One of each dialect; the first that finds a device is right."""
    counts: Counter[RejectionReason] = field(factory=Counter, init=False)
    """How many requests were refused since the start, whether they are still listed or not."""
    _kept: dict[_Key, Rejection] = field(factory=dict, init=False)
    """The one that was refused last is the last."""
    _by_site: dict[str | None, dict[_Key, None]] = field(factory=dict, init=False)
    """The same keys in the same order, by the address or network that a client is behind."""

    def newest(self) -> Sequence[Rejection]:
        """All that are kept, the newest first."""
        return list(reversed(self._kept.values()))

    def refuse(self, reason: RejectionReason, client: IRefusedClient, device: str | None = None) -> None:
        """A request is refused; without a device, it may still claim to be of one."""
        device = device or client.owner or self._claimed(client)
        self.record(reason, client.client_address, redacted(client.path), device)

    def not_found(self, client: IRefusedClient, reason: RejectionReason) -> None:
        """Nothing is served at the path of a request. It is listed only if a device may have sent it."""
        path = merge_slashes(client.path)
        if _ends_in(_CALL, path):
            doubled = reason is RejectionReason.WRONG_BASE and _ends_in(_DOUBLED, path)
            self.refuse(RejectionReason.PUSH_SUFFIX if doubled else reason, client)

    def without_device(self, client: IRefusedClient) -> None:
        """A request names no device, or not one of its dialect."""
        doubled = _ends_in(_DOUBLED, merge_slashes(client.path))
        self.refuse(RejectionReason.PUSH_SUFFIX if doubled else RejectionReason.NO_DEVICE_ID, client)

    def record(self, reason: RejectionReason, address: str | None, path: str | None, device: str | None) -> None:
        """List a rejection, or count it if it is listed."""
        self.counts[reason] += 1
        key = (address, path, reason, device)
        site = site_of(address)
        of_site = self._by_site.setdefault(site, {})
        of_site.pop(key, None)
        of_site[key] = None
        now = self.clocks.wall_now()
        known = self._kept.pop(key, None)
        if known is not None:
            self._kept[key] = evolve(known, count=known.count + 1, last_at=now)
            return
        self._kept[key] = Rejection(
            address=address,
            path=path,
            reason=reason,
            count=1,
            first_at=now,
            last_at=now,
            device=device,
            remedy=remedy(reason, address, path, device),
        )
        if len(of_site) > MAX_PER_SITE:
            self._drop(next(iter(of_site)), site)
        elif len(self._kept) > MAX_REJECTIONS:
            oldest = next(iter(self._kept))
            self._drop(oldest, site_of(oldest[0]))

    def _drop(self, key: _Key, site: str | None) -> None:
        del self._kept[key]
        of_site = self._by_site[site]
        del of_site[key]
        if not of_site:
            del self._by_site[site]

    def _claimed(self, client: IRefusedClient) -> str | None:
        path = merge_slashes(client.path)
        found = (claim(path, client.query) for claim in self.claims)
        return next((device for device in found if device is not None), None)


@define(eq=False)
class SharedRejections:
    """The rejections of all processes that share the database; those of others as they were some seconds ago."""

    own: Rejections
    store: IStore
    membership: IMembership
    _shared: int = field(default=-1, init=False)
    """How many requests had been refused when that was last shared; at first others know of an earlier process."""

    async def share(self) -> None:
        """Let other processes know what was refused here; to be called every :data:`SHARE_SECONDS`."""
        refused = self.own.counts.total()
        if refused != self._shared:
            await self.store.save_rejections(self.own.newest())
            self._shared = refused

    async def newest(self) -> Sequence[tuple[str, Rejection]]:
        """All that are kept, each with the name of the process, the newest first."""
        found = {**await self.store.rejections_elsewhere(), self.membership.node_name(): self.own.newest()}
        pairs = [(node, rejection) for node, kept in found.items() for rejection in kept]
        return sorted(pairs, key=lambda pair: pair[1].last_at, reverse=True)


def _ends_in(end: re.Pattern[bytes], path: bytes) -> bool:
    """Whether the last or the last two segments of a path match."""
    last = path.rfind(b"/")
    return any(end.fullmatch(path, start) for start in (last, path.rfind(b"/", 0, max(last, 0))) if start >= 0)
