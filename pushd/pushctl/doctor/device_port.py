"""Examines the device port, over sockets with and without TLS, as a device would reach it.

A poll would make the server record a device, or take the command of a known one. ``OPTIONS`` has no effect, and its
answer says whether there is a route: 405 (method not allowed) if devices are served at a path, 404 if they are not.
"""

import re
from collections.abc import Sequence

from attrs import frozen
from hyperlink import DecodedURL

from pushd.lib.url_paths import redacted
from pushd.model.admin_api import PROBLEM_TYPE
from pushd.pushctl.connection import ApiResponse, Json, with_scheme
from pushd.pushctl.device_address import read_device_url
from pushd.pushctl.doctor.findings import Check, Finding, Status
from pushd.pushctl.doctor.server import Prober, speaks
from pushd.pushctl.errors import ClientError, Misconfigured, Unreachable, certificate_problem
from pushd.pushctl.server_address import host_and_port

_ENDPOINT = re.compile(r"(?:haproxy:)?(tcp6?|ssl|tls):(?:port=)?([0-9]+)(?::.*?interface=((?:\\.|[^:\\])*))?.*")
_ANY = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not listened at
_ROUTE, _NO_ROUTE = 405, 404


def device_urls(info: Json, admin: DecodedURL) -> Sequence[DecodedURL]:
    """The URLs of the device port, as far as the server says."""
    public = (info.get("options") or {}).get("device-url")
    if isinstance(public, str):
        try:
            return [read_device_url(public)]
        except Misconfigured:  # the server has made parts of it unreadable
            pass
    listening = (info.get("listen") or {}).get("devices") or []
    found = [_url_of(str(endpoint), admin) for endpoint in listening]
    return [url for url in found if url is not None]


def _url_of(endpoint: str, admin: DecodedURL) -> DecodedURL | None:
    match = _ENDPOINT.fullmatch(endpoint)
    if match is None or match[2] == "0":
        return None
    interface = (match[3] or "").replace("\\", "")
    host = admin.host if interface in _ANY else interface
    return _url("http" if match[1].startswith("tcp") else "https", host, int(match[2]))


def _url(scheme: str, host: str, port: int) -> DecodedURL:
    return DecodedURL().replace(scheme=scheme, host=host, port=port, rooted=True)


def bases(info: Json) -> Sequence[str]:
    """The prefixes for Control iD of which the server says that it serves them."""
    found = (info.get("listen") or {}).get("bases") or []
    return [str(base) for base in found]


@frozen
class _Served:
    """Which devices an address serves."""

    control_id: bool
    server_eye: bool
    is_admin: bool


async def examine_device_port(prober: Prober, url: DecodedURL, bases: Sequence[str]) -> Finding:
    """Whether devices are served at this address, and which; ``bases`` are prefixes that are to be served there."""
    plain, encrypted = with_scheme(url, "http"), with_scheme(url, "https")
    error = None
    for candidate in (plain, encrypted):
        try:
            response = await prober.ask("OPTIONS", candidate, "push")
        except ClientError as failure:
            error = failure
            if isinstance(failure, Unreachable) and failure.never_sent:
                break
        else:
            if response.status in (_ROUTE, _NO_ROUTE):
                return await _examine_scheme(prober, url, candidate, response, bases)
            error = error or _Other(f"{host_and_port(url)} answers {response.status}, which pushd does not")
    if error is not None and (problem := certificate_problem(error)) is not None:
        return _untrusted(url, problem)
    return _wrong(
        f"The device port does not answer: {str(error).rstrip('.')}.",
        "Check the address, the firewall, and --devices of the server; try from the network of the device.",
    )


def _untrusted(url: DecodedURL, problem: str) -> Finding:
    """The port speaks TLS, with a certificate that this machine does not trust."""
    if url.scheme == "http":
        return _wrong(f"{host_and_port(url)} speaks TLS.", "Use https:// in the address in the device.")
    return Finding(
        Check.DEVICE_PORT,
        Status.WARNING,
        f"{host_and_port(url)} speaks TLS, but {problem}.",
        "Give the port a certificate that devices trust, for the name that they use; try that name with --device-url.",
    )


class _Other(ClientError):
    """Another program answers."""


async def _examine_scheme(
    prober: Prober, url: DecodedURL, found: DecodedURL, response: ApiResponse, bases: Sequence[str]
) -> Finding:
    """Examine an address that answers with the scheme of ``found``, which may not be that of ``url``."""
    if found.scheme != url.scheme:
        step = f"Use {found.scheme}:// in the address in the device"
        other = "" if found.scheme == "https" else ", or give the port a certificate (--devices ssl:...)"
        return _wrong(speaks(found), f"{step}{other}.")
    if url.path[-1:] == ("push",):
        step = "Take /push off the address in the device: it appends that itself."
        return Finding(Check.DEVICE_PORT, Status.WARNING, f"The address {_shown(url)} ends in /push.", step)
    server_eye = await prober.ask("OPTIONS", url, "push", "pushctl-doctor")
    served = _Served(
        control_id=response.status == _ROUTE,
        server_eye=server_eye.status == _ROUTE,
        is_admin=response.content_type == PROBLEM_TYPE,
    )
    missing = [base for base in bases if (await prober.ask("OPTIONS", url, *_segments(base), "push")).status != _ROUTE]
    return _finding(url, served, missing, bases)


def _finding(url: DecodedURL, served: _Served, missing: Sequence[str], bases: Sequence[str]) -> Finding:
    shown = _shown(url)
    if served.is_admin:
        return _wrong(f"{shown} is the admin port.", "Give devices the address of the device port (8080 by default).")
    if not (served.control_id or served.server_eye):
        path = redacted(b"/" + "/".join(url.path).encode())
        if url.path[:1] == ("d",):
            step = "Check the secret; 'pushctl devices secret DEVICE' makes a new one."
        else:
            step = f"Start the server with --base {path}, or take {path} out of the address in the device."
        return _wrong(f"No device is served at {shown}.", step)
    if missing:
        step = f"Look for a proxy that does not pass on {missing[0]}."
        return _wrong(f"Polls are not served below {', '.join(missing)} at {shown}.", step)
    served_here = [f"Control iD at {base}/push" for base in ["", *bases] if served.control_id]
    served_here += ["Server-Eye at /push/<containerId>"] * served.server_eye
    return Finding(Check.DEVICE_PORT, Status.OK, f"The device port {shown} serves polls: {', '.join(served_here)}.")


def _segments(base: str) -> Sequence[str]:
    return [segment for segment in base.split("/") if segment]


def _shown(url: DecodedURL) -> str:
    """A URL without what may be a secret."""
    path = redacted("".join(f"/{segment}" for segment in url.path).encode())
    return f"{url.replace(path=()).to_text().rstrip('/')}{path}"


def _wrong(detail: str, next_step: str) -> Finding:
    return Finding(Check.DEVICE_PORT, Status.WRONG, detail, next_step)
