"""Examines the server: whether its admin port can be reached and is ready, and what the token may do."""

from collections.abc import Sequence

from attrs import define, frozen
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet.interfaces import IReactorTime

from pushd.model.admin_api import PROBLEM_TYPE
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import ApiRequest, ApiResponse, Connection, Json, with_scheme
from pushd.pushctl.doctor.findings import Check, Finding, Status
from pushd.pushctl.errors import ClientError, Refused, UnexpectedResponse, Unreachable, certificate_problem
from pushd.pushctl.server_address import ServerAddress, host_and_port

TIMEOUT = 10.0
"""Seconds to wait for an answer; the device port answers refusals after five."""


@define(eq=False)
class Prober:
    """Sends requests without a token to any URL, and makes the client of a server."""

    http: HTTPClient
    clock: IReactorTime

    def client(self, server: ServerAddress) -> AdminClient:
        """A client of the server's admin API."""
        return AdminClient.of_server(server, self.http, self.clock)

    async def ask(self, method: str, url: DecodedURL, *path: str) -> ApiResponse:
        """The response, whatever it is.

        :raises ClientError: if there is none.
        """
        connection = Connection(treq=self.http, base=url, token="", clock=self.clock)
        return await connection.fetch(ApiRequest(method=method, path=path, timeout=TIMEOUT))

    async def can_be_reached(self, url: DecodedURL) -> bool:
        """Whether a server answers there, or has a certificate that this machine does not trust."""
        try:
            await self.ask("GET", url, "healthz")
        except ClientError as error:
            return certificate_problem(error) is not None
        return True


def speaks(url: DecodedURL) -> str:
    """A sentence about a port that answers to the scheme of ``url``."""
    return f"{host_and_port(url)} {'speaks TLS' if url.scheme == 'https' else 'does not speak TLS'}."


async def examine_admin_port(prober: Prober, url: DecodedURL) -> Finding:
    """Whether this is the admin port, and ready."""
    shown = url.to_text()
    try:
        alive = await prober.ask("GET", url, "healthz")
        ready = await prober.ask("GET", url, "readyz")
    except (Unreachable, UnexpectedResponse) as error:
        return await _unreachable(prober, url, error)
    if alive.status == 404 and alive.content_type != PROBLEM_TYPE:
        return _wrong(
            f"{shown} is not the admin port; it answers like the device port.",
            "Give the URL of the admin port (--admin of the server, port 8081 by default) with --url.",
        )
    if alive.status != 200:
        return _wrong(
            f"{shown} is not the admin port of pushd: its health check answers {alive.status}.",
            "Give the URL of the admin port with --url; if a proxy is in between, look at its log.",
        )
    if ready.status != 200:
        return _wrong(f"The server at {shown} runs, but is not ready.", "Look at the log of the server.")
    return Finding(Check.SERVER, Status.OK, f"The server at {shown} runs and is ready.")


async def _unreachable(prober: Prober, url: DecodedURL, error: ClientError) -> Finding:
    if (problem := certificate_problem(error)) is not None:
        return _wrong(
            f"The server at {url.to_text()} speaks TLS, but {problem}.",
            "Give the name of the certificate in --url; the environment variable SSL_CERT_FILE names a file of"
            " authorities to trust.",
        )
    if not (isinstance(error, Unreachable) and error.never_sent):
        other = with_scheme(url, "http" if url.scheme == "https" else "https")
        if await prober.can_be_reached(other):
            return _wrong(speaks(other), f"Use --url {other.to_text()}")
    return _wrong(
        f"The server does not answer: {str(error).rstrip('.')}.",
        "Start the server, or give the URL of its admin port with --url. From another machine the admin port can be"
        " reached only if --admin of the server says so.",
    )


def _wrong(detail: str, next_step: str) -> Finding:
    return Finding(Check.SERVER, Status.WRONG, detail, next_step)


@frozen
class TokenReport:
    """What the token may see: the information about the server, and the rejections; None if it may not."""

    finding: Finding
    info: Json
    rejections: Sequence[Json] | None


async def examine_token(client: AdminClient) -> TokenReport:
    """What the token may do, and what the server says of itself."""
    refusal = await _refusal(client, "devices")
    if refusal is not None:
        return TokenReport(_refused_token(refusal), {}, None)
    try:
        info = await client.info()
    except Refused:  # an earlier version has no such call
        info = {}
    try:
        rejections = await client.whole("rejections")
    except Refused as error:
        finding = Finding(
            Check.TOKEN,
            Status.WARNING,
            f"The token may not see what the device port refuses: {error}",
            "Use a token with the role operator or admin, and without a scope.",
        )
        return TokenReport(finding, info, None)
    refusal = await _refusal(client, "tokens")
    role = "admin" if refusal is None else "operator"
    return TokenReport(Finding(Check.TOKEN, Status.OK, f"The token has the role {role}."), info, rejections)


async def _refusal(client: AdminClient, name: str) -> Refused | None:
    """How the server refuses to list something; None if it does not."""
    try:
        await client.page(name, query=[("limit", "1")])
    except Refused as error:
        return error
    return None


def _refused_token(error: Refused) -> Finding:
    if error.status == 401:
        step = (
            "Log in again with pushctl login, or set PUSHD_TOKEN; on the machine of the server --data-dir DIR finds"
            " its admin.token."
        )
        return Finding(
            Check.TOKEN, Status.WRONG, f"The server does not know the token, or it has expired: {error}", step
        )
    detail = f"The token may not list devices: {error}"
    return Finding(Check.TOKEN, Status.WRONG, detail, "Use a token with the role operator or admin.")
