"""Admission: who is served, who waits for an approval, who is refused."""

from enum import Enum, StrEnum

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.credentials import Tokens
from pushd.core.devices.registry import DeviceRegistry
from pushd.lib.ip_networks import contains, parse_address, parse_network
from pushd.model.device import Admission, Device, ProofKind
from pushd.model.token import Role

DEFAULT_MAX_PENDING = 1000
"""Devices that may wait for an approval; beyond, strangers are held and answered idle, but not stored."""


class AdmissionMode(StrEnum):
    """What becomes of a device that nobody registered."""

    APPROVE = "approve"  # an operator approves it first
    OPEN = "open"  # approved at once
    CLOSED = "closed"  # refused


class Access(Enum):
    """What a visitor gets."""

    SERVED = "served"
    HELD = "held"  # known, held like any other, handed nothing
    UNKNOWN = "unknown"  # not known; held if it polls, handed nothing, not followed
    REFUSED = "refused"


@frozen(kw_only=True)
class ClientIdentity:
    """Who knocks at the device port: the id that it claims, and what it shows."""

    device: str
    address: str | None = None
    owner: str | None = None
    """The device whose secret path was used."""
    api_key: str | None = None


@define(eq=False)
class AdmissionPolicy:
    """Judges visitors by memory alone; a stranger's introduction is written behind its back."""

    registry: DeviceRegistry
    tokens: Tokens
    mode: AdmissionMode = AdmissionMode.APPROVE
    max_pending: int = DEFAULT_MAX_PENDING
    require_proof: bool = False
    polls_over_limit: int = field(default=0, init=False)
    """Polls of strangers beyond ``max_pending``."""
    _log = Logger()

    def admit(self, client_identity: ClientIdentity, polls: bool) -> Access:
        """What this visitor gets; a stranger that ``polls`` is introduced."""
        if client_identity.owner not in (None, client_identity.device):
            return Access.REFUSED
        device = self.registry.get(client_identity.device)
        if device is None:
            return self._receive_stranger(client_identity, polls)
        if device.admission is Admission.BLOCKED or not self._proven(device, client_identity):
            return Access.REFUSED
        if device.admission is Admission.PENDING or self.lacks_proof(device.id):
            return Access.HELD
        return Access.SERVED

    def lacks_proof(self, device: str) -> bool:
        """Whether a device is handed nothing, approved or not, because it has nothing to prove itself with."""
        if not self.require_proof:
            return False
        known = self.registry.get(device)
        return known is None or not self.registry.has_proof(known)

    def _receive_stranger(self, client_identity: ClientIdentity, polls: bool) -> Access:
        if self.mode is AdmissionMode.CLOSED:
            return Access.REFUSED
        if not polls:
            return Access.UNKNOWN
        if self.mode is AdmissionMode.APPROVE and self.registry.pending_count >= self.max_pending:
            self.polls_over_limit += 1
            return Access.UNKNOWN
        admission = Admission.APPROVED if self.mode is AdmissionMode.OPEN else Admission.PENDING
        introduced = Deferred.fromCoroutine(self.registry.auto_register(client_identity.device, admission))
        introduced.addErrback(self._not_introduced, client_identity.device)
        return Access.SERVED if self.mode is AdmissionMode.OPEN and not self.require_proof else Access.HELD

    def _not_introduced(self, failure: Failure, device: str) -> None:
        self._log.error("{device} was not recorded: {error}", device=device, error=failure.getErrorMessage())

    def _proven(self, device: Device, client_identity: ClientIdentity) -> bool:
        """Whether a visitor shows all that its device has configured."""
        asked = self.registry.required_credentials(device.id)
        return (
            (ProofKind.SECRET not in asked or client_identity.owner == device.id)
            and (ProofKind.API_KEY not in asked or self._has_key(device, client_identity.api_key))
            and (not device.allow_from or _is_allowed(client_identity.address, device.allow_from))
        )

    def _has_key(self, device: Device, api_key: str | None) -> bool:
        if api_key is None:
            return False
        if self.registry.owner(api_key, ProofKind.API_KEY) == device.id:
            return True
        token = self.tokens.find(api_key)
        return token is not None and token.role is Role.DEVICE


def _is_allowed(address: str | None, allow_from: tuple[str, ...]) -> bool:
    return contains(map(parse_network, allow_from), parse_address(address or ""))
