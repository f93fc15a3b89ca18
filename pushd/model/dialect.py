"""Dialect: what the rest of the server knows of a device protocol."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from pushd.model.catalogue import Catalogue
from pushd.model.command import Endpoints, LargePayload, Payload
from pushd.model.facts import Facts
from pushd.model.opening import OpenRequest

JsonSchema = Mapping[str, Any]
"""A JSON Schema (2020-12) without references."""

Batchable = Callable[[Payload], bool]
"""Whether a payload may be sent together with others in one answer."""


def never(_payload: Payload) -> bool:
    """For a dialect without batches."""
    return False


@frozen(kw_only=True)
class SerialNumbers:
    """How the local part of an id and the serial number on the device's label are converted; None: it is neither."""

    from_local: Callable[[str], str | None]
    to_local: Callable[[str], str | None]
    form: str
    """What a serial number looks like, in words."""


@frozen(kw_only=True, eq=False)
class Dialect:
    """A device protocol, as the core and the admin port see it; durations in seconds."""

    name: str
    """The first part of device ids, ``<name>:<local part>``."""
    lease: float
    """The default lease: the time in which a sent command must be acknowledged or reported."""
    hold: float
    """How long a poll is held until another hold was learned or set."""
    heartbeat: float
    """The default heartbeat timeout: without a heartbeat for so long, a device is offline."""
    one_at_a_time: bool
    """Whether devices get the next command only after they have reported on the last one."""
    keys: bool
    """Whether devices can authenticate with an API key."""
    canonical: Callable[[str], str]
    """The canonical form of the local part of an id; raises :exc:`InvalidQuery` if it is none."""
    serial_numbers: SerialNumbers | None = None
    """For a dialect whose ids stand for serial numbers."""
    check: Callable[[Payload], Payload]
    """Returns a payload as it is stored and sent, the same object unless the dialect has to correct something; raises
    :exc:`InvalidFields`, with pointers below ``#/payload``, if it cannot be sent."""

    payload_schema: JsonSchema
    """What ``check`` takes, as far as a schema can say. Each schema has a ``title``, which is its name in the OpenAPI
    document, and so may those that ``anyOf`` lists.
    """

    result_schema: JsonSchema
    """What its devices report, as the JSON that is stored."""

    endpoints: Callable[[Payload], Endpoints]
    """What a payload that was checked calls, unless it is large: then it says so itself."""

    catalogue: Catalogue
    """What is known of the endpoints (controls) of its devices."""

    check_parameters: Callable[[Payload], None]
    """Raises :exc:`InvalidFields` if a payload, which was checked, is certain to be rejected by a device."""

    to_large: Callable[[Payload], LargePayload]
    """A payload that was checked, if it is large, as the texts that are stored and sent; this takes long."""

    opening: Callable[[Facts, OpenRequest], Payload] | None = None
    """The command that opens what a device guards, by the facts of the device; raises :exc:`ModelUnknown` if they do
    not tell how. None: its devices open nothing.
    """

    batchable: Batchable = never
    """Whether a payload may be sent together with others, to devices that take batches."""

    def device(self, local: str) -> str:
        """The id of the device that calls itself ``local``."""
        return f"{self.name}:{local}"

    def serial(self, local: str) -> str | None:
        """The serial number for which the canonical local part of an id stands, if any."""
        return None if self.serial_numbers is None else self.serial_numbers.from_local(local)
