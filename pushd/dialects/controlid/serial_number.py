"""The serial number on the label of a Control iD device, which stands for its deviceId.

``AAAAAB/HHHHHH`` is the deviceId base36(``AAAAA``) * 2^32 + hex(``HHHHHH``); ``B``, a revision of the hardware, is no
part of it.
"""

import re

FORM = "five digits or letters, one more character (or ?), a slash and six hexadecimal digits, such as 0G0200/005B6D"

_SERIAL = re.compile(r"([0-9A-Z]{5})./([0-9A-F]{6})", re.ASCII | re.IGNORECASE)
_NATURAL = re.compile(r"[0-9]+")  # an earlier version accepted ids that are no numbers
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FIRST_PART = 36**5
_SECOND_PART = 2**24


def to_serial(device_id: str) -> str | None:
    """The serial number of a device, with ``?`` for the revision; None if its id stands for none."""
    if not _NATURAL.fullmatch(device_id):
        return None
    first, second = divmod(int(device_id), 2**32)
    if first >= _FIRST_PART or second >= _SECOND_PART:
        return None
    digits = ""
    for _ in range(5):
        first, digit = divmod(first, 36)
        digits = _DIGITS[digit] + digits
    return f"{digits}?/{second:06X}"


def from_serial(serial: str) -> str | None:
    """The deviceId of the device with a serial number, in any case; None if it has not the form of one."""
    match = _SERIAL.fullmatch(serial)
    return None if match is None else str(int(match[1], 36) * 2**32 + int(match[2], 16))
