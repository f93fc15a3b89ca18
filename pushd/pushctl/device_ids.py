"""Device ids as people write them: with the serial number on the label of a Control iD device, if that is at hand."""

import click

from pushd.dialects.controlid.serial_number import FORM, from_serial

_CONTROL_ID = "controlid"


def read_device_id(text: str) -> str:
    """The id of a device, from the id itself or from a serial number, with or without ``controlid:`` before it.

    :raises ValueError: if it is neither.
    """
    dialect, _, local = text.rpartition(":")
    number = from_serial(local) if dialect in ("", _CONTROL_ID) else None
    if number is not None:
        return f"{_CONTROL_ID}:{number}"
    if "/" in text:  # which no id has
        raise ValueError(f"{text!r} is not a device: a serial number has {FORM}.")
    return text


def convert_device_id(text: str) -> str:
    """As :func:`read_device_id`, for an argument of a command."""
    try:
        return read_device_id(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
