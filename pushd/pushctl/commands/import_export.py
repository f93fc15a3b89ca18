"""``pushctl import`` and ``pushctl export``: devices from and to a CSV file."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click
from attrs import define, field, frozen
from hyperlink import DecodedURL

from pushd.pushctl import private_files, terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.device_address import find_device_url, secret_address
from pushd.pushctl.device_csv import COLUMNS, DeviceRow, read_rows, to_cells, write_rows
from pushd.pushctl.errors import Misconfigured, Refused
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.models import warn_of_unknown_models
from pushd.pushctl.options import json_option, query_of, verbatim
from pushd.pushctl.output import print_json
from pushd.pushctl.progress import counting_progress
from pushd.pushctl.selectors import list_options
from pushd.pushctl.session import print_error, with_client

_SECRET_COLUMNS = ("id", "serial", "name", "path", "address")


@click.command(
    "import",
    epilog=verbatim(
        "Example:\n  pushctl import devices.csv --secrets secrets.csv",
        "devices.csv, for example:\n  serial,name,site,tags,model\n  0G0200/005B6D,Main gate,Lobby,north;gates,iDFlex",
    ),
)
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@click.option(
    "--secrets",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Make a secret path for each device that has none, and write them to a new CSV file that only you can read.",
)
@click.option("--device-url", metavar="URL", help="The device port, for the addresses in --secrets.")
@click.option("--dry-run", is_flag=True, help="Check the file, and only print what would be done.")
@json_option("Print the numbers, and what was refused, as a line of JSON.")
@with_client
async def import_devices(
    client: AdminClient,
    /,
    *,
    path: Path,
    secrets: Path | None,
    device_url: str | None,
    dry_run: bool,
    as_json: bool,
) -> ExitCode:
    """Register or change the devices in a CSV file.

    Its columns are id or serial, name, site, tags (separated by semicolons) and model; FILE may be - for standard
    input. All rows are checked before the first is written. An empty cell changes nothing, and neither does a second
    import of the same file. Devices that wait for approval are approved.
    """
    rows, problems = read_rows(_read(path))
    if problems:
        for problem in problems:
            print_error(f"{path}:{problem.line}: {problem.what}")
        raise Misconfigured(f"{path} was not imported: correct it first")
    if secrets is not None:
        private_files.check_new(secrets)
    known = {device.get("id"): device for device in await client.devices()}
    plan = [_Step.of(row, known.get(row.id), secret=secrets is not None) for row in rows]
    if dry_run:
        done = _Done(steps=plan)
    else:
        url = None if secrets is None else await find_device_url(client, device_url)
        done = await _carry_out(client, plan, _SecretsFile(secrets, url))
    _report(done, path, secrets, dry_run=dry_run, as_json=as_json)
    warn_of_unknown_models((row.id, row.fields.get("facts", {}).get("model")) for row in rows)
    return ExitCode.REFUSED if done.refused else ExitCode.SUCCEEDED


def _read(path: Path) -> str:
    """The text of a file.

    :raises Misconfigured: if it cannot be read.
    """
    try:
        content = sys.stdin.buffer.read() if path == Path("-") else path.read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise Misconfigured(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{path} is not UTF-8: save it as CSV with UTF-8") from None


@frozen(kw_only=True)
class _Step:
    """What is to be done about one row."""

    row: DeviceRow
    known: Json | None
    """The device as the server has it; None if it has not."""
    changes: Mapping[str, Any]
    needs_secret: bool

    @classmethod
    def of(cls, row: DeviceRow, known: Json | None, *, secret: bool) -> "_Step":
        """The step from what the server knows to what is in the row."""
        if known is None:
            return cls(row=row, known=None, changes=row.fields, needs_secret=secret)
        changes = {name: value for name, value in row.fields.items() if not _has(known, name, value)}
        if known.get("admission") == "pending":
            changes["admission"] = "approved"
        has_secret = "secret" in (known.get("proof") or ())
        return cls(row=row, known=known, changes=changes, needs_secret=secret and not has_secret)

    @property
    def kind(self) -> str:
        """How it is counted."""
        if self.known is None:
            return "added"
        return "changed" if self.changes else "unchanged"


def _has(device: Json, name: str, value: Any) -> bool:
    """Whether a field of a device has this value; of facts, whether they are among it."""
    present = device.get(name)
    if name == "facts":
        return bool(value.items() <= (present or {}).items())
    if name == "tags":
        return sorted(present or []) == sorted(value)
    return bool(present == value)


@define
class _SecretsFile:
    """The file of secrets; it is created with the first one, and each is on the disk before the next is made."""

    path: Path | None
    url: DecodedURL | None
    _file: TextIO | None = field(default=None, init=False)

    def add(self, device: Json, path: object) -> None:
        """Add a device's secret path.

        :raises Misconfigured: if it cannot be written.
        """
        assert self.path is not None, "secrets are made for a file"
        lines = [] if self._file is not None else [_SECRET_COLUMNS]
        if self._file is None:
            self._file = private_files.open_new(self.path)
        address = "" if self.url is None else secret_address(self.url, path)
        serial = (device.get("facts") or {}).get("serial") or ""
        lines.append((str(device.get("id")), str(serial), str(device.get("name") or ""), str(path), address))
        private_files.write(self.path, self._file, write_rows(lines))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


@define
class _Done:
    """What was done: the steps, and those that the server refused."""

    steps: list[_Step] = field(factory=list)
    refused: list[tuple[_Step, str]] = field(factory=list)

    def count(self, kind: str) -> int:
        """How many steps of a kind were done."""
        return sum(step.kind == kind for step in self.steps)

    @property
    def secrets(self) -> int:
        """How many secrets were made."""
        return sum(step.needs_secret for step in self.steps)


async def _carry_out(client: AdminClient, plan: Sequence[_Step], secrets: _SecretsFile) -> _Done:
    """Do one step after the other; one that the server refuses does not keep it from the others."""
    done = _Done()
    try:
        with counting_progress("importing", len(plan)) as advance:
            for step in plan:
                try:
                    await _do(client, step, secrets)
                    done.steps.append(step)
                except Refused as error:
                    done.refused.append((step, str(error)))
                advance()
    finally:
        secrets.close()
    return done


async def _do(client: AdminClient, step: _Step, secrets: _SecretsFile) -> None:
    device = step.row.id
    if step.known is None:
        found = await client.call("POST", "devices", body={"id": device, **step.changes})
    elif step.changes:
        found = await client.call("PATCH", "devices", device, body=step.changes)
    else:
        found = step.known
    if step.needs_secret:
        issued = await client.issue("devices", device, "secret")
        secrets.add(found, issued.get("path"))


def _report(done: _Done, path: Path, secrets: Path | None, *, dry_run: bool, as_json: bool) -> None:
    counts = {kind: done.count(kind) for kind in ("added", "changed", "unchanged")}
    if as_json:
        refused = [{"line": step.row.line, "id": step.row.id, "error": error} for step, error in done.refused]
        print_json({**counts, "secrets": done.secrets, "refused": refused})
        return
    for step, error in done.refused:
        print_error(f"{path}:{step.row.line}: {step.row.id}: {error}")
    words = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    terminal.echo(f"dry run: {words}" if dry_run else words)
    if done.secrets:
        where = f"would be written to {secrets}" if dry_run else f"are in {secrets}, and are shown nowhere else"
        terminal.echo(f"{done.secrets} secrets {where}")


@click.command(
    epilog=verbatim(
        "Examples:\n  pushctl export devices.csv\n  pushctl export --site Lobby --model iDFlex",
    )
)
@click.argument(
    "path", metavar="[FILE]", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False), required=False
)
@list_options
@json_option("Print one JSON array of objects with these columns.")
@with_client
async def export(client: AdminClient, /, *, path: Path | None, as_json: bool, **filters: Any) -> None:
    """Write devices as CSV, to FILE or to standard output (-), for pushctl import and for spreadsheets.

    No secrets are in it. Cells that a spreadsheet would run as a formula begin with an apostrophe.
    """
    rows = [to_cells(device) for device in await client.devices(query_of(filters))]
    if as_json:
        print_json([dict(zip(COLUMNS, row, strict=True)) for row in rows])
        return
    text = write_rows([COLUMNS, *rows])
    if path in (None, Path("-")):
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise Misconfigured(f"cannot write {path}: {error.strerror}") from None
    terminal.echo(f"{len(rows)} devices are in {path}")
