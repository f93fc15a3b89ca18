"""The device registry: all known devices and their credentials, in memory and in the store."""

from collections.abc import Mapping
from typing import Any

from attrs import define, evolve, field

from pushd.core.clocks import Clocks
from pushd.core.credentials import digest, make_secret
from pushd.core.devices.presence import Presence
from pushd.model.device import Admission, Device, Proof, ProofKind
from pushd.model.dialect import Dialect
from pushd.model.errors import UnknownDevice
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore


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
    _pending: set[str] = field(factory=set, init=False)
    """Devices that wait for an approval, also those that are not stored yet."""

    def load(self, snapshot: StartupSnapshot) -> None:
        """Start with the stored devices and proofs."""
        for device in snapshot.devices:
            self._keep(device)
        for proof in snapshot.proofs:
            self._keep_proof(proof)

    def get(self, device: str) -> Device | None:
        """A device as it is stored, or None."""
        return self._devices.get(device)

    def get_or_raise(self, device: str) -> Device:
        """A device as it is stored.

        :raises UnknownDevice: if there is none.
        """
        found = self._devices.get(device)
        if found is None:
            raise UnknownDevice(f"Device {device} is unknown: it must poll or be registered first.")
        return found

    def find(self, device: str) -> Device:
        """A device as it is stored, by its id in any spelling.

        :raises InvalidQuery: or :exc:`UnknownDevice`, if there is none.
        """
        return self._devices.get(device) or self.get_or_raise(self.canonical_id(device))

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

    def new_device(self, device: str, admission: Admission, **fields: Any) -> Device:
        """A device with the defaults of its dialect; it is not registered yet."""
        dialect = self.dialects[device.partition(":")[0]]
        defaults = {"heartbeat_timeout": dialect.heartbeat, "created_at": self.clocks.wall_now()}
        return Device(id=device, dialect=dialect.name, admission=admission, **(defaults | fields))

    async def register(self, device: Device) -> Device:
        """Add a device for an operator.

        :raises DeviceKnown: if it is known.
        """
        return self._keep(await self.store.add_device(device, False, self.clocks.now()))

    async def auto_register(self, device: str, admission: Admission) -> Device:
        """Add a device that polled; it counts as pending from now on, before it is stored."""
        new = self.new_device(device, admission)
        self._count_pending(new)
        try:
            return self._keep(await self.store.add_device(new, True, self.clocks.now()))
        except BaseException:
            self._pending.discard(device)
            self.presence.forget(device)
            raise

    async def change(self, device: str, changes: Mapping[str, Any]) -> Device:
        """Change fields of a device, by their names.

        :raises UnknownDevice: if there is none.
        """
        known = self._devices.get(device)
        if known is not None and known.admission is Admission.PENDING and known.learned_hold is not None:
            changes = {"learned_hold": known.learned_hold} | dict(changes)  # only memory may have it
        kept = self._keep(await self.store.change_device(device, changes, self.clocks.now()))
        if changes.get("admission") is Admission.APPROVED:
            await self.presence.save(device)  # while it was pending, only memory had it
        return kept

    def keep_learned_hold(self, device: Device, hold: float) -> None:
        """Keep the learned hold of a pending device in memory; the next change of the device saves it."""
        self._devices[device.id] = evolve(device, learned_hold=hold)

    async def delete(self, device: str) -> None:
        """Delete a device and its credentials. See :meth:`IStore.forget_device`."""
        await self.store.forget_device(device, self.clocks.now())
        self._devices.pop(device, None)
        self._pending.discard(device)
        self.required_credentials.pop(device, None)
        self._proofs = {hashed: proof for hashed, proof in self._proofs.items() if proof.device != device}
        self.presence.forget(device)

    async def issue_credential(self, device: str, kind: ProofKind, overlap: float) -> str:
        """Make a new secret or API key for a device, and return it; it is stored only as a hash.

        The old one stays valid for ``overlap`` seconds.

        :raises UnknownDevice: if there is none.
        """
        secret = make_secret()
        proofs = await self.store.add_proof(device, kind, digest(secret), overlap, self.clocks.now())
        for hashed in [hashed for hashed, proof in self._proofs.items() if proof.device == device]:
            del self._proofs[hashed]
        for proof in proofs:
            self._keep_proof(proof)
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

    def _keep(self, device: Device) -> Device:
        self._devices[device.id] = device
        self.presence.set_timeout(device.id, device.heartbeat_timeout)
        self._count_pending(device)
        return device

    def _count_pending(self, device: Device) -> None:
        if device.admission is Admission.PENDING:
            self._pending.add(device.id)
        else:
            self._pending.discard(device.id)

    def _keep_proof(self, proof: Proof) -> None:
        self._proofs[proof.digest] = proof
        kinds = self.required_credentials.get(proof.device, frozenset())
        self.required_credentials[proof.device] = kinds | {proof.kind}
