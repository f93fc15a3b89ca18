"""``pushctl doctor``: finds out why a device does not appear, or gets no commands."""

from collections.abc import Sequence
from typing import Any

import click
from attrs import define, field
from hyperlink import DecodedURL
from rich.text import Text
from treq.client import HTTPClient
from twisted.internet.interfaces import IReactorTime

from pushd.lib.text import duration
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import DEVICE
from pushd.pushctl.connection import Json
from pushd.pushctl.device_address import read_device_url
from pushd.pushctl.doctor.device import DeviceReport, examine_device
from pushd.pushctl.doctor.device_port import bases, device_urls, examine_device_port
from pushd.pushctl.doctor.findings import ABOUT_DEVICES, Check, Finding, Status, exit_code, next_step
from pushd.pushctl.doctor.server import Prober, examine_admin_port, examine_token
from pushd.pushctl.errors import Misconfigured, Refused
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import field_text, print_json
from pushd.pushctl.rejections import RECENT, is_mended, is_recent, print_rejections
from pushd.pushctl.server_address import DEFAULT_URL, ServerAddress, read_url
from pushd.pushctl.session import Session

_STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.WRONG: "red"}
_LABEL_WIDTH = 9

_NOISE = frozenset({"not_http"})
"""Reasons for which a scan of the port is refused as well as a device, so that they alone are no problem."""

_GIVE_DEVICE_URL = "Give the address of the device port, as it is set in the device, with --device-url."
"""The next step if that address is not known."""

LOOKED_UP = 20
"""Devices at most of which it is asked whether they were served since they were refused."""


@click.command(
    epilog=verbatim(
        "Examples:\n"
        "  pushctl doctor\n"
        "  pushctl doctor --device controlid:4408801109440198 \\\n"
        "      --device-url http://192.0.2.10:8080/controlid",
        "Exit codes:\n"
        "  0  nothing is wrong; there may be warnings\n"
        "  1  the server, the token or the device port cannot be used\n"
        f"  {ExitCode.TROUBLE.value}  the server works, but a device is refused, or has a problem",
    )
)
@click.option("--device", metavar="DEVICE", type=DEVICE, help="Examine this device, too.")
@click.option("--device-url", metavar="URL", help="The server's address as it is set in the device.")
@json_option("Print what was found as a line of JSON.")
@click.pass_obj
def doctor(session: Session, /, *, device: str | None, device_url: str | None, as_json: bool) -> None:
    """Find out why a device does not appear or gets no commands.

    Asks the server, the token and the device port (with and without TLS), shows what was refused in the last minutes,
    and names the next step. Run it where the device is to try the way from there. It changes nothing, and never polls
    for a device.
    """
    try:
        given = None if device_url is None else read_device_url(device_url)
    except Misconfigured as error:
        raise click.BadParameter(str(error), param_hint="--device-url") from None

    async def examine(http: HTTPClient, clock: IReactorTime) -> ExitCode:
        examination = Examination(session, Prober(http, clock), device, given)
        await examination.run()
        if as_json:
            _print_json(examination)
        else:
            _print(examination, clock.seconds())
        return exit_code(examination.findings)

    session.perform_over_http(examine)


@define(eq=False)
class Examination:
    """Examines one thing after the other, as far as those before it allow."""

    session: Session
    prober: Prober
    device: str | None
    device_url: DecodedURL | None
    findings: list[Finding] = field(factory=list, init=False)
    rejections: Sequence[Json] = field(default=(), init=False)
    """Those of the last minutes; of one device and of unknown ones, if a device is examined."""
    found: Json | None = field(default=None, init=False)
    """The device, if it is known."""

    async def run(self) -> None:
        """Examine all that can be examined."""
        server = self._server()
        admin = await examine_admin_port(self.prober, server.url)
        self.findings.insert(0, admin)
        info: Json = {}
        if server.token and admin.status is Status.OK:
            info = await self._examine_as(self.prober.client(server))
        await self._examine_device_port(server.url, info)

    def _server(self) -> ServerAddress:
        """The selected server; with an empty token if only that is missing."""
        try:
            return self.session.server()
        except Misconfigured as error:
            if self.session.options.profile is not None:
                raise
            url = read_url(self.session.options.url or DEFAULT_URL)
            self._add(Check.TOKEN, Status.WRONG, f"The token cannot be used: {error}.", "pushctl login")
            return ServerAddress(url=url, token="")

    async def _examine_as(self, client: AdminClient) -> Json:
        """Examine what needs a token; returns what the server says of itself."""
        token = await examine_token(client)
        self.findings.append(token.finding)
        if token.finding.status is Status.WRONG:
            return token.info
        now = self.prober.clock.seconds()
        self.rejections = [each for each in token.rejections or () if is_recent(each, now)]
        if self.device is not None:
            await self._examine_device(client, self.device, token.info, token.rejections or ())
        else:
            await self._leave_out_mended(client)
        if token.rejections is not None:
            self._examine_rejections()
        return token.info

    async def _leave_out_mended(self, client: AdminClient) -> None:
        """Leave out what was refused to devices that were served since."""
        refused = dict.fromkeys(str(each["device"]) for each in self.rejections if each.get("device"))
        devices = {name: await _claimed(client, name) for name in list(refused)[:LOOKED_UP]}
        self.rejections = [
            each for each in self.rejections if not is_mended(each, devices.get(str(each.get("device"))))
        ]

    async def _examine_device(self, client: AdminClient, device: str, info: Json, rejections: Sequence[Json]) -> None:
        try:
            self.found = await client.find_device(device)
        except Refused as error:
            self._add(Check.DEVICE, Status.WRONG, f"{device}: {error}", None)
            return
        device = str(self.found.get("id")) if self.found else device
        own = [each for each in rejections if each.get("device") == device]
        self.rejections = [each for each in self.rejections if self._concerns(device, each)]
        options = info.get("options") or {}
        report = DeviceReport(
            id=device,
            found=self.found,
            rejections=own,
            requires_proof=bool(options.get("require-proof")),
            now=self.prober.clock.seconds(),
        )
        self.findings.append(examine_device(report))

    def _concerns(self, device: str, rejection: Json) -> bool:
        """Whether this may be why the device is not served: not if it was served since then."""
        claimed = rejection.get("device")
        if claimed is None and (self.found or {}).get("last_address") != rejection.get("address"):
            return True
        return claimed in (device, None) and not is_mended(rejection, self.found)

    def _examine_rejections(self) -> None:
        within = f"in the last {duration(RECENT)}"
        if not self.rejections:
            of = "" if self.device is None else f" that may be of {self.device}"
            self._add(Check.REJECTIONS, Status.OK, f"Nothing{of} was refused {within}.", None)
            return
        count = len(self.rejections)
        what = "One kind of request was" if count == 1 else f"{count} kinds of requests were"
        reasons = {str(each.get("reason")) for each in self.rejections}
        doubtful = self.device is not None or reasons <= _NOISE
        status = Status.WARNING if doubtful else Status.WRONG
        newest = next((each for each in self.rejections if each.get("reason") not in _NOISE), self.rejections[0])
        self._add(Check.REJECTIONS, status, f"{what} refused {within}:", field_text(newest.get("remedy")))

    async def _examine_device_port(self, admin: DecodedURL, info: Json) -> None:
        urls = device_urls(info, admin) if self.device_url is None else [self.device_url]
        for url in urls:
            self.findings.append(await examine_device_port(self.prober, url, () if url.path else bases(info)))
        if not urls:
            self._add(Check.DEVICE_PORT, Status.WARNING, "The device port is not known.", _GIVE_DEVICE_URL)

    def _add(self, check: Check, status: Status, detail: str, step: str | None) -> None:
        self.findings.append(Finding(check, status, detail, step))

    @property
    def ordered(self) -> Sequence[Finding]:
        """The findings, those about devices last."""
        return sorted(self.findings, key=lambda finding: finding.check in ABOUT_DEVICES)


async def _claimed(client: AdminClient, device: str) -> Json | None:
    """A device that a client claims to be; None if there is no such device."""
    try:
        return await client.find_device(device)
    except Refused:  # no device can have this id
        return None


def _print_json(examination: Examination) -> None:
    findings = examination.ordered
    print_json(
        {
            "findings": [_finding(each) for each in findings],
            "rejections": examination.rejections,
            "device": examination.found,
            "next_step": next_step(findings),
        }
    )


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "status": finding.status,
        "detail": finding.detail,
        "next_step": finding.next_step,
    }


def _print(examination: Examination, now: float) -> None:
    screen = terminal.console()
    findings = examination.ordered
    for finding in findings:
        label = (finding.status.ljust(_LABEL_WIDTH), _STYLES[finding.status])
        text = Text.assemble(label, field_text(finding.detail))
        for line in terminal.broken(text, screen.width, _LABEL_WIDTH):
            screen.print(line, soft_wrap=True)
        if finding.check is Check.REJECTIONS:
            print_rejections(examination.rejections, now, _LABEL_WIDTH)
    step = next_step(findings)
    if step is not None:
        terminal.echo(f"Next: {field_text(step)}")
