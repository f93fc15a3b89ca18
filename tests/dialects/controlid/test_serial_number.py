"""Tests of :mod:`pushd.dialects.controlid.serial_number`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.dialects.controlid.serial_number import from_serial, to_serial

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize(
    ("device_id", "serial"),
    [
        ("3206485144263533", "0G020?/005B6D"),
        ("4408801109440198", "0M020?/0376C6"),
        ("0", "00000?/000000"),
        (str((36**5 - 1) * 2**32 + 2**24 - 1), "ZZZZZ?/FFFFFF"),
    ],
)
def test_serial_numbers_of_labels(device_id: str, serial: str) -> None:
    """A serial number and a deviceId stand for each other."""
    assert (to_serial(device_id), from_serial(serial)) == (serial, device_id)


@pytest.mark.parametrize(
    "device_id", ["-1", "door", "", "-3206485144263533", str(2**24), str(36**5 * 2**32), str(2**63 - 1)]
)
def test_ids_without_a_serial_number(device_id: str) -> None:
    """An id that no serial number stands for has none."""
    assert to_serial(device_id) is None


@given(
    first=st.text(DIGITS + DIGITS.lower(), min_size=5, max_size=5),
    revision=st.characters(exclude_characters="\n"),
    second=st.text("0123456789ABCDEFabcdef", min_size=6, max_size=6),
)
def test_every_label_survives(first: str, revision: str, second: str) -> None:
    """A label becomes a deviceId and that the label again, in upper case and without the revision."""
    device_id = from_serial(f"{first}{revision}/{second}")
    assert device_id is not None
    assert to_serial(device_id) == f"{first.upper()}?/{second.upper()}"


ids = st.integers(-(2**63), 2**63 - 1)
near_serials = st.builds(lambda first, second: first * 2**32 + second, st.integers(0, 36**5), st.integers(0, 2**24))


@given(ids | near_serials)
def test_every_id_survives(number: int) -> None:
    """The serial number of an id stands for that id alone."""
    serial = to_serial(str(number))
    assert serial is None or from_serial(serial) == str(number)


@given(st.text(max_size=16) | st.from_regex(r"[0-9A-Za-z]{4,6}.?[/-][0-9A-Za-z]{5,7}"))
def test_any_other_text_is_none(text: str) -> None:
    """What is not five digits, a revision, a slash and six hexadecimal digits is no serial number."""
    first, revision, slash, second = text[:5], text[5:6], text[6:7], text[7:]
    fits = (len(first), len(revision), slash, len(second)) == (5, 1, "/", 6) and revision != "\n"
    fits = fits and set(first) <= set(DIGITS + DIGITS.lower()) and set(second) <= set("0123456789ABCDEFabcdef")
    assert (from_serial(text) is not None) == fits
