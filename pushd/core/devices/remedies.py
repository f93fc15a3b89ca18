"""What to do about a rejection: one or two sentences that name the option, command or setting to use."""

import re
from collections.abc import Callable

from attrs import frozen

from pushd.model.device import dialect_of
from pushd.model.rejection import RejectionReason

_SECRET_PATH = re.compile(r"/d/[^/]+")
_CONTROL_ID_CALL = re.compile(r"(/.+?)/(?:push|result)")
_SERVER_EYE_CALL = re.compile(r"(/.+?)/push/[^/]+(?:/signoff|/(?:ack|result)/[^/]+)?")
_DOUBLED = re.compile(r"(.*)/push/(?:push|result)")
_BASE = re.compile(r"(?!/(?:push|d|[12]/push)(?:/|$))(?:/[A-Za-z0-9._~-]+)+")
"""A prefix that can be the value of ``--base``, and is safe to paste into a shell."""


@frozen
class _Rejected:
    """What was refused: the path without secret path, and the words for its device."""

    address: str
    path: str
    device: str | None

    @property
    def name(self) -> str:
        return self.device or "the device"

    @property
    def placeholder(self) -> str:
        """The device as an argument of a command."""
        return self.device or "DEVICE"

    @property
    def is_reader(self) -> bool:
        """Whether it is a Control iD device, for which there is a command that does all."""
        return self.device is not None and dialect_of(self.device) == "controlid"

    @property
    def new_secret(self) -> str:
        """The command that makes a new secret path."""
        command = f"provision {self.device} --rotate" if self.is_reader else f"devices secret {self.placeholder}"
        return f"'pushctl {command}'"

    @property
    def registration(self) -> str:
        """The command that registers the device."""
        return f"'pushctl {'provision' if self.is_reader else 'devices add'} {self.placeholder}'"


def remedy(reason: RejectionReason, address: str | None, path: str | None, device: str | None) -> str:
    """What to do, in words; ``path`` is as it is shown."""
    below = _SECRET_PATH.sub("", path or "", count=1) if (path or "").startswith("/d/") else path or ""
    return _REMEDIES[reason](_Rejected(address or "unknown", below, device))


def _wrong_base(rejected: _Rejected) -> str:
    if (match := _SERVER_EYE_CALL.fullmatch(rejected.path)) is not None:
        return (
            "Server-Eye clients are served at the root of the device port, and below /1 and /2: take"
            f" {match[1]} out of the address in the client."
        )
    match = _CONTROL_ID_CALL.fullmatch(rejected.path)
    if match is None:
        return (
            "Nothing is served at this path. Devices ask for /push and /result (Control iD), or for"
            " /push/<containerId> (Server-Eye): compare the address in the device."
        )
    return f"{_not_served(match[1])} Otherwise take {match[1]} out of the address in the device."


def _not_served(prefix: str) -> str:
    question = f"; did you mean --base {prefix}?" if _BASE.fullmatch(prefix) else "."
    return f"Nothing is served below {prefix}{question}"


def _push_suffix(rejected: _Rejected) -> str:
    match = _DOUBLED.fullmatch(rejected.path)
    prefix = "" if match is None else match[1]
    below = f" {_not_served(prefix)}" if prefix else ""
    return (
        "The address in the device (push_remote_address) ends in /push, which the device appends itself: take it"
        f" off.{below}"
    )


def _no_device_id(_rejected: _Rejected) -> str:
    return (
        "The request does not say which device it is from. A Control iD reader sends /push?deviceId=<number>, a"
        " Server-Eye client /push/<containerId>. If the device does, look for a proxy that drops the query or"
        " rewrites the path."
    )


def _unknown_secret(rejected: _Rejected) -> str:
    return (
        "No device has this secret path: it was mistyped, or replaced by a newer one."
        f" {rejected.new_secret} makes a new one to set in the device."
    )


def _missing_proof(rejected: _Rejected) -> str:
    if not rejected.is_reader:
        return (
            f"{rejected.name} must send its API key (apiKey or X-Api-Key), or use its secret path, as is configured"
            f" for it. If it was lost: 'pushctl devices api-key {rejected.placeholder}', or {rejected.new_secret}."
        )
    return (
        f"{rejected.name} must use its secret path: set its server address to http://<host>:<port>/d/<secret>. If the"
        f" secret was lost: {rejected.new_secret}."
    )


def _wrong_proof(rejected: _Rejected) -> str:
    new_key = "" if rejected.is_reader else f", 'pushctl devices api-key {rejected.placeholder}' a new key"
    return (
        f"The secret path is another device's, or the API key is not valid: set those of {rejected.name}."
        f" {rejected.new_secret} makes a new secret path{new_key}."
    )


def _address_not_allowed(rejected: _Rejected) -> str:
    return (
        f"{rejected.address} is not in allow_from of {rejected.name}. If the device is behind it: 'pushctl devices set"
        f" {rejected.placeholder} --allow-from CIDR', with all of its networks. If it is the address of a reverse"
        " proxy, start the server with --trusted-proxy."
    )


def _blocked(rejected: _Rejected) -> str:
    return f"{rejected.name} is blocked. To serve it: 'pushctl approve {rejected.placeholder} --unblock'."


def _closed(rejected: _Rejected) -> str:
    return (
        f"{rejected.name} is not known, and unknown devices are refused (--admission closed). To add it:"
        f" {rejected.registration}."
    )


def _pending_full(rejected: _Rejected) -> str:
    return (
        "As many devices wait for approval as --max-pending allows. Approve or forget some ('pushctl devices"
        f" --admission pending'), or add this one yourself: {rejected.registration}."
    )


def _polls_full(_rejected: _Rejected) -> str:
    return (
        "The server holds as many polls as its limit of open files allows; devices that are not approved may have"
        " half of them. Raise the limit (LimitNOFILE in the unit, or ulimit -n), and approve or block what waits."
    )


def _tls_on_plain_port(_rejected: _Rejected) -> str:
    return (
        "The client speaks TLS to a port without TLS. Use http:// in the address in the device, or give the port a"
        " certificate: --devices ssl:8443:privateKey=FILE:certKey=FILE"
    )


def _not_http(_rejected: _Rejected) -> str:
    return (
        "What arrived is not an HTTP/1.1 request: another protocol, a head of more than 16 KiB, or a scan of the"
        " port. Check the address and the port in the device; a proxy with the PROXY protocol needs"
        " --devices haproxy:tcp:8080"
    )


_REMEDIES: dict[RejectionReason, Callable[[_Rejected], str]] = {
    RejectionReason.WRONG_BASE: _wrong_base,
    RejectionReason.NO_DEVICE_ID: _no_device_id,
    RejectionReason.UNKNOWN_SECRET: _unknown_secret,
    RejectionReason.MISSING_PROOF: _missing_proof,
    RejectionReason.WRONG_PROOF: _wrong_proof,
    RejectionReason.ADDRESS_NOT_ALLOWED: _address_not_allowed,
    RejectionReason.BLOCKED: _blocked,
    RejectionReason.CLOSED: _closed,
    RejectionReason.PUSH_SUFFIX: _push_suffix,
    RejectionReason.PENDING_FULL: _pending_full,
    RejectionReason.POLLS_FULL: _polls_full,
    RejectionReason.TLS_ON_PLAIN_PORT: _tls_on_plain_port,
    RejectionReason.NOT_HTTP: _not_http,
}
