"""What makes the demo's fleet worth looking at: names and sites, and devices that need an operator."""

from contextlib import suppress
from uuid import uuid4

from pushd.demo.layout import FLAPPING, FORGETFUL
from pushd.model.device import Admission
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.errors import Refused

SITES = ("Lisbon", "Porto")

PERSON = "demo"
"""The person for whom the link to the dashboard is."""

HEARTBEAT_TIMEOUT = 30
"""Seconds, for the device that goes offline, so that it is noticed soon."""

LEASE_END = 10.0
"""Seconds within which an opening that is not answered becomes unknown."""

_READERS = ("Front door", "Side entrance", "Loading dock", "Car park", "Workshop")
_CONTAINERS = ("File server", "Mail server", "Backup", "Till", "Camera recorder")
_MODEL = "iDAccess"
"""Of the simulated readers."""

_KNOWN = 409


async def name_devices(client: AdminClient, devices: list[Json]) -> None:
    """Give each device a name and a site, and each reader its model; one in two is at the same site."""
    for dialect, names in (("controlid", _READERS), ("servereye", _CONTAINERS)):
        for number, device in enumerate(each for each in devices if each["dialect"] == dialect):
            name = names[number] if number < len(names) else f"{names[0]} {number + 1}"
            facts = {"facts": {"model": _MODEL}} if dialect == "controlid" else {}
            body = {"name": name, "site": SITES[number % len(SITES)], **facts}
            await client.call("PATCH", "devices", device["id"], body=body)


async def register_devices(client: AdminClient) -> None:
    """Register the devices that lose results and that go offline; an earlier start may have done so."""
    for device, name, more in (
        (FORGETFUL, "Back door", {}),
        (FLAPPING, "Garden gate", {"heartbeat_timeout": HEARTBEAT_TIMEOUT}),
    ):
        body = {"name": name, "site": SITES[1], "facts": {"model": _MODEL}, **more}
        try:
            await client.call("POST", "devices", body={"id": device, "admission": Admission.APPROVED, **body})
        except Refused as error:
            if error.status != _KNOWN:
                raise


async def open_doors(client: AdminClient, devices: list[Json]) -> None:
    """Open a door without an answer, and one whose device is not what the server believes it to be."""
    unanswered = await client.open(FORGETFUL, {}, key=str(uuid4()))
    await client.command(unanswered["command"]["id"], wait=LEASE_END)
    readers = [device["id"] for device in devices if device["dialect"] == "controlid"]
    for reader in readers[1:2]:
        await client.call("PATCH", "devices", reader, body={"facts": {"opens_with": "catra"}})
        await client.open(reader, {}, key=str(uuid4()))


async def invite(client: AdminClient) -> str:
    """A link with which the dashboard is opened, once, by an admin."""
    with suppress(Refused):  # an earlier start has added the person
        await client.call("POST", "people", body={"name": PERSON, "role": "admin"})
    return str((await client.call("POST", "people", PERSON, "invite"))["url"])
