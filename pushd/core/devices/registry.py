"""The device registry: all known devices and their credentials, in memory and in the store."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from pushd.core.clocks import Clocks
from pushd.core.credentials import digest, make_secret
from pushd.core.devices.presence import Presence
from pushd.model.actor import Actor
from pushd.model.device import Admission, Device, Proof, ProofKind, Whereabouts
from pushd.model.dialect import Dialect
from pushd.model.errors import UnknownDevice
from pushd.model.event import Event, EventType
from pushd.model.facts import merge
from pushd.model.token import Scope
from pushd.store.copies import StoredDevice
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore

CHANGED_AT_ONCE = 100
"""Devices that one transaction changes: for some milliseconds."""

_NOWHERE = Whereabouts()


def unknown_device(device: str) -> UnknownDevice:
    """The error that a device is unknown, or must seem to be."""
    return UnknownDevice(f"Device {device} is unknown: it must poll or be registered first.")


@define(eq=False)
class DeviceRegistry:
    """Register, change and delete devices; issue their secrets and API keys."""

    store: IStore
    clocks: Clocks
    dialects: Mapping[str, Dialect]
    presence: Presence
    _devices: dict[str, Device] = field(factory=dict, init=False)
    _proofs: dict[bytes, Proof] = field(factory=dict, init=False)
    required_credentials: dict[str, frozenset[ProofKind]] = field(factory=dict, init=False)
    """By device that has any: the kinds of secrets that a client must send to be this device."""
    _deleted: dict[str, Whereabouts] = field(factory=dict, init=False)
    """Devices that were deleted, for the scopes of tokens: their commands and events are kept for a while."""
    _pending: set[str] = field(factory=set, init=False)
    """Devices that wait for an approval, also those that are not stored yet."""

    def __attrs_post_init__(self) -> None:
        self.store.subscribe(self._on_changed, EventType.DEVICE_CHANGED)

    def load(self, snapshot: StartupSnapshot) -> None:
        """Start with the stored devices and proofs."""
        for device in snapshot.devices:
            self._keep(device)
        for proof in snapshot.proofs:
            self._keep_proof(proof)
        self._deleted.update(snapshot.deleted)

    def get(self, device: str) -> Device | None:
        """A device as it is stored, or None."""
        return self._devices.get(device)

    def get_or_raise(self, device: str) -> Device:
        """A device as it is stored.

        :raises UnknownDevice: if there is none.
        """
        found = self._devices.get(device)
        if found is None:
            raise unknown_device(device)
        return found

    def find(self, device: str) -> Device:
        """A device as it is stored, by its id in any spelling.

        :raises InvalidQuery: or :exc:`UnknownDevice`, if there is none.
        """
        return self._devices.get(device) or self.get_or_raise(self.canonical_id(device))

    def is_in_scope(self, device: str, scope: Scope, otherwise: Whereabouts = _NOWHERE) -> bool:
        """Whether a scope covers a device, by its present site and tags; if it was deleted, by its last; by those of
        ``otherwise`` if it is not known, or not yet.
        """
        known = self._devices.get(device) or self._deleted.get(device, otherwise)
        return scope.covers(device, known.site, known.tags)

    def get_with_presence(self, device: str) -> Device | None:
        """A device with its live presence, which may be newer than the stored one."""
        found = self._devices.get(device)
        return None if found is None else self.presence.merge_live_state(found)

    def merge_live_state(self, device: Device) -> Device:
        """A stored device with what memory knows, which is newer."""
        known = self._devices.get(device.id, device)
        return self.presence.merge_live_state(evolve(device, learned_hold=known.learned_hold))

    @property
    def pending_count(self) -> int:
        """How many devices wait for an approval."""
        return len(self._pending)

    def canonical_id(self, device: str) -> str:
        """A device id in its canonical spelling.

        :raises InvalidQuery: if it is not an id of its dialect.
        :raises UnknownDevice: if there is no such dialect.
        """
        if self.get(device) is not None:
            return device  # an earlier version may have accepted ids that are refused now
        name, _, local = device.partition(":")
        dialect = self.dialects.get(name)
        if dialect is None:
            forms = " or ".join(f"{name}:<id>" for name in self.dialects)
            raise UnknownDevice(f"{device} is not a device id; it must be {forms}.")
        return dialect.device(dialect.canonical(local))

    def device_of_label(self, device: str) -> str | None:
        """The id of a device, by its dialect and the serial number on its label; None if that is none."""
        name, _, serial = device.partition(":")
        dialect = self.dialects.get(name)
        numbers = None if dialect is None else dialect.serial_numbers
        local = None if numbers is None else numbers.to_local(serial)
        return None if local is None else f"{name}:{local}"

    def search_text(self, text: str) -> str:
        """What to search for: a serial number as it is stored, without the hardware's revision."""
        for dialect in self.dialects.values():
            numbers = dialect.serial_numbers
            if numbers is not None and (local := numbers.to_local(text.removeprefix(f"{dialect.name}:"))) is not None:
                return numbers.from_local(local) or text
        return text

    def serial_number_forms(self) -> str:
        """What :meth:`device_of_label` takes, in words."""
        forms = ((dialect.name, dialect.serial_numbers) for dialect in self.dialects.values())
        return "".join(f", or {name}: and a serial number: {has.form}" for name, has in forms if has is not None)

    def new_device(self, device: str, admission: Admission, **fields: Any) -> Device:
        """A device with the defaults of its dialect; it is not registered yet."""
        name, _, local = device.partition(":")
        dialect = self.dialects[name]
        defaults = {"heartbeat_timeout": dialect.heartbeat, "created_at": self.clocks.wall_now()}
        serial = dialect.serial(local)
        return Device(id=device, dialect=name, serial=serial, admission=admission, **(defaults | fields))

    async def register(self, device: Device, by: Actor | None = None) -> Device:
        """Add a device for an operator.

        :raises DeviceKnown: if it is known.
        """
        return self._keep(await self.store.by(by).add_device(device, False))

    async def auto_register(self, device: str, admission: Admission) -> Device:
        """Add a device that polled; it counts as pending from now on, before it is stored."""
        new = self.new_device(device, admission)
        self._count_pending(new)
        try:
            return self._keep(await self.store.add_device(new, True))
        except BaseException:
            self._pending.discard(device)
            self.presence.forget(device)
            raise

    async def change(self, device: str, changes: Mapping[str, Any], by: Actor | None = None) -> Device:
        """Change fields of a device, by their names; ``by`` is None for what the server itself has learned.

        :raises UnknownDevice: if there is none.
        """
        known = self._devices.get(device)
        if known is not None and known.admission is Admission.PENDING and known.learned_hold is not None:
            changes = {"learned_hold": known.learned_hold} | dict(changes)  # only memory may have it
        kept = self._keep(await self.store.by(by).change_device(device, changes))
        if changes.get("admission") is Admission.APPROVED:
            await self.presence.save(device)  # while it was pending, only memory had it
        return kept

    async def change_all(self, devices: Sequence[str], changes: Mapping[str, Any], by: Actor) -> None:
        """Change fields of many devices, some at a time; those that are deleted meanwhile are left out."""
        for start in range(0, len(devices), CHANGED_AT_ONCE):
            part = devices[start : start + CHANGED_AT_ONCE]
            for device in await self.store.by(by).change_devices(part, changes):
                self._keep(device)

    def select(self, site: str | None, tags: Iterable[str]) -> list[str]:
        """The ids of the devices of a site (None: of any) that have all of these tags."""
        required = set(tags)
        return [
            device.id
            for device in self._devices.values()
            if site in (None, device.site) and required.issubset(device.tags)
        ]

    def keep_learned_hold(self, device: Device, hold: float) -> None:
        """Keep the learned hold of a pending device in memory; the next change of the device saves it."""
        self._devices[device.id] = evolve(device, learned_hold=hold)

    async def delete(self, device: str, by: Actor | None = None) -> None:
        """Delete a device and its credentials. See :meth:`IStore.forget_device`."""
        await self.store.by(by).forget_device(device)
        self._forget(device)

    async def read_again(self, device: str) -> None:
        """Take over what the database has of a device: another process has just changed it."""
        self.take_over({device: await self.store.stored_device(device)})

    def take_over(self, changed: Mapping[str, StoredDevice | None]) -> None:
        """Take over what other processes have changed of devices; None: they have deleted it."""
        for name, stored in changed.items():
            if stored is None:
                self._forget(name)
            else:
                self._keep(stored.device)
                self._replace_proofs(name, stored.proofs)

    def _forget(self, device: str) -> None:
        known = self._devices.get(device)
        if known is not None:
            self._deleted[device] = Whereabouts(known.site, known.tags)  # first: other threads look it up, too
            del self._devices[device]
        self._pending.discard(device)
        self._replace_proofs(device, ())
        self.presence.forget(device)

    async def issue_credential(self, device: str, kind: ProofKind, overlap: float, by: Actor | None = None) -> str:
        """Make a new secret or API key for a device, and return it; it is stored only as a hash.

        The old one stays valid for ``overlap`` seconds.

        :raises UnknownDevice: if there is none.
        """
        secret = make_secret()
        self.take_over({device: await self.store.by(by).add_proof(device, kind, digest(secret), overlap)})
        return secret

    def owner(self, secret: str, kind: ProofKind) -> str | None:
        """The device for which this secret or key is valid now."""
        proof = self._proofs.get(digest(secret))
        if proof is None or proof.kind is not kind:
            return None
        expired = proof.expires_at is not None and proof.expires_at <= self.clocks.elapsed_now()
        return None if expired else proof.device

    def owner_of_path(self, secret: str) -> str | None:
        """The device that has this secret path."""
        return self.owner(secret, ProofKind.SECRET)

    def has_proof(self, device: Device) -> bool:
        """Whether a secret, an API key or an allow list is configured for the device."""
        return device.id in self.required_credentials or bool(device.allow_from)

    def _on_changed(self, event: Event) -> None:
        """A change of a device is stored now: what it has said of itself, and where it is, for those who wait for
        events in a scope and learn of this one before :meth:`change` goes on.
        """
        device = self._devices.get(event.device or "")
        if device is None:
            return
        if "facts" in event.data:
            device = evolve(device, facts=merge(device.facts, event.data["facts"]))
        where = {"site": event.data["site"], "tags": tuple(event.data["tags"])}
        self._devices[device.id] = evolve(device, **where)

    def _keep(self, device: Device) -> Device:
        self._devices[device.id] = device
        self._deleted.pop(device.id, None)
        self.presence.set_timeout(device.id, device.heartbeat_timeout)
        self._count_pending(device)
        return device

    def _count_pending(self, device: Device) -> None:
        if device.admission is Admission.PENDING:
            self._pending.add(device.id)
        else:
            self._pending.discard(device.id)

    def _replace_proofs(self, device: str, proofs: Iterable[Proof]) -> None:
        if device in self.required_credentials:
            del self.required_credentials[device]
            self._proofs = {hashed: proof for hashed, proof in self._proofs.items() if proof.device != device}
        for proof in proofs:
            self._keep_proof(proof)

    def _keep_proof(self, proof: Proof) -> None:
        self._proofs[proof.digest] = proof
        kinds = self.required_credentials.get(proof.device, frozenset())
        self.required_credentials[proof.device] = kinds | {proof.kind}
