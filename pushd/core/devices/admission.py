"""Admission policy: which device clients are served, wait for an approval, or are refused."""

from enum import Enum, StrEnum
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.devices.registry import DeviceRegistry
from pushd.core.tokens import Tokens
from pushd.lib.ip_networks import contains, parse_address, parse_network
from pushd.model.device import Admission, Device, ProofKind
from pushd.model.errors import is_logged
from pushd.model.rejection import RejectionReason
from pushd.model.token import Role
from pushd.store.membership import IMembership

DEFAULT_MAX_PENDING = 1000
"""Devices that may wait for an approval; beyond, unknown devices are held and answered idle, but not stored."""


class AdmissionMode(StrEnum):
    """What happens when an unknown device polls."""

    APPROVE = "approve"  # it is pending until an operator approves it
    OPEN = "open"  # it is approved at once
    CLOSED = "closed"  # it is refused


class Access(Enum):
    """What a client gets."""

    SERVED = "served"
    PENDING = "pending"  # its poll is held, and gets commands as soon as the device is approved
    UNPROVEN = "unproven"  # its poll is held, and gets nothing: proofs are required, and the device has none
    UNKNOWN = "unknown"  # like UNPROVEN, but the device is not stored and has no presence
    REFUSED = "refused"
    UNCERTAIN = "uncertain"  # another process may have revoked what it proves


class IClient(Protocol):
    """What is known of a client beside the device id that it claims: its address, and the proofs that it sends."""

    client_address: str | None
    owner: str | None
    """The device whose secret path was used."""
    api_key: str | None


@define(eq=False)
class AdmissionPolicy:
    """Decides from memory alone; an unknown device that polls is stored in the background."""

    registry: DeviceRegistry
    tokens: Tokens
    membership: IMembership
    mode: AdmissionMode = AdmissionMode.APPROVE
    max_pending: int = DEFAULT_MAX_PENDING
    require_proof: bool = False
    polls_over_limit: int = field(default=0, init=False)
    """Polls of unknown devices that were not stored because of ``max_pending``."""
    _log = Logger()

    def admit(self, client: IClient, device_id: str, device: Device | None, *, is_poll: bool) -> Access:
        """What a client gets; ``device`` is the stored device with its id. An unknown device is stored if it polls."""
        if client.owner is not None and client.owner != device_id:
            return Access.REFUSED
        if device is None:
            return self._admit_unknown(device_id, is_poll)
        if device.admission is Admission.BLOCKED:
            return Access.REFUSED
        required = self.registry.required_credentials.get(device_id, _NONE)
        if required and not self.membership.hears():
            return Access.UNCERTAIN
        if required or device.allow_from:
            if not self._is_authentic(client, device, required):
                return Access.REFUSED
        elif self.require_proof:
            return Access.UNPROVEN
        return Access.PENDING if device.admission is Admission.PENDING else Access.SERVED

    def reason(self, client: IClient, device_id: str, device: Device | None) -> RejectionReason:
        """Why :meth:`admit` refuses a client."""
        if client.owner is not None and client.owner != device_id:
            return RejectionReason.WRONG_PROOF
        if device is None:
            return RejectionReason.CLOSED
        if device.admission is Admission.BLOCKED:
            return RejectionReason.BLOCKED
        required = self.registry.required_credentials.get(device_id, _NONE)
        if ProofKind.SECRET in required and client.owner is None:
            return RejectionReason.MISSING_PROOF
        if ProofKind.API_KEY in required and not self._is_key_of(device, client.api_key):
            return RejectionReason.MISSING_PROOF if client.api_key is None else RejectionReason.WRONG_PROOF
        return RejectionReason.ADDRESS_NOT_ALLOWED

    def lacks_proof(self, device: Device | None) -> bool:
        """Whether a device gets no commands, approved or not, because it has no proof configured."""
        return self.require_proof and (device is None or not self.registry.has_proof(device))

    def _admit_unknown(self, device_id: str, is_poll: bool) -> Access:
        if self.mode is AdmissionMode.CLOSED:
            return Access.REFUSED
        if not is_poll:
            return Access.UNKNOWN
        if self.mode is AdmissionMode.APPROVE and self.registry.pending_count >= self.max_pending:
            self.polls_over_limit += 1
            return Access.UNKNOWN
        is_open = self.mode is AdmissionMode.OPEN
        admission = Admission.APPROVED if is_open else Admission.PENDING
        saving = Deferred.fromCoroutine(self.registry.auto_register(device_id, admission))
        saving.addErrback(self._on_save_failed, device_id)
        if self.require_proof:
            return Access.UNPROVEN
        return Access.SERVED if is_open else Access.PENDING

    def _on_save_failed(self, failure: Failure, device_id: str) -> None:
        if not is_logged(failure.value):
            self._log.error(
                "Could not store new device {device_id}, its next poll tries again: {error}",
                device_id=device_id,
                error=failure.getErrorMessage(),
            )

    def _is_authentic(self, client: IClient, device: Device, required: frozenset[ProofKind]) -> bool:
        """Whether a client sends all proofs that are configured for its device: these credentials, and its address."""
        return (
            (ProofKind.SECRET not in required or client.owner == device.id)
            and (ProofKind.API_KEY not in required or self._is_key_of(device, client.api_key))
            and (not device.allow_from or _is_allowed(client.client_address, device.allow_from))
        )

    def _is_key_of(self, device: Device, api_key: str | None) -> bool:
        if api_key is None:
            return False
        if self.registry.owner(api_key, ProofKind.API_KEY) == device.id:
            return True
        token = self.tokens.find(api_key)
        return (
            token is not None
            and token.role is Role.DEVICE
            and (token.scope is None or token.scope.covers(device.id, device.site, device.tags))
        )


_NONE: frozenset[ProofKind] = frozenset()


def _is_allowed(address: str | None, allow_from: tuple[str, ...]) -> bool:
    return contains(map(parse_network, allow_from), parse_address(address or ""))
