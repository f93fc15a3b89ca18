"""Tests of how :mod:`pushd.dialects.controlid.wire` reads ids and queries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.dialects.controlid import wire
from pushd.model.errors import InvalidQuery

DEVICE = "4408801109440198"
QUERY = wire.PollQuery(device=DEVICE, uuid="0d9f4bd6", endpoint="load_objects")


# ids


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("4408801109440198", "4408801109440198"),
        ("0004408801109440198", "4408801109440198"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-0", "0"),
        ("-007", "-7"),
        ("0", "0"),
    ],
)
def test_canonical(text: str, written: str) -> None:
    """A deviceId has one canonical form, with all its digits."""
    assert wire.canonical(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "+5",
        " 5",
        "5\n",
        "5.0",
        "5e3",
        "0x5",
        "1_000",
        "٥",
        "５",
        "--5",
        "9223372036854775808",
        "-9223372036854775809",
        "00000000000000000005",
        "4408801109440198x",
    ],
)
def test_canonical_refuses(text: str) -> None:
    """A text that is not an int64 in ASCII digits is not a deviceId."""
    with pytest.raises(InvalidQuery):
        wire.canonical(text)


@given(st.integers(-(2**63), 2**63 - 1))
def test_canonical_every_int64(number: int) -> None:
    """Every int64 is a deviceId, and is its own canonical form."""
    assert wire.canonical(str(number)) == str(number)


@given(st.from_regex(r"-?[0-9]{1,19}", fullmatch=True))
def test_canonical_is_idempotent(text: str) -> None:
    """A canonical deviceId stays as it is."""
    try:
        written = wire.canonical(text)
    except InvalidQuery:
        assert not -(2**63) <= int(text) < 2**63
    else:
        assert wire.canonical(written) == written


# queries


def test_query() -> None:
    """The query of a result has a device, a uuid and an endpoint."""
    args = {b"deviceId": [b"4408801109440198"], b"uuid": [b"0d9f4bd6"], b"endpoint": [b"load_objects"]}
    assert wire.read_query(args) == QUERY


@pytest.mark.parametrize("spelling", [b"deviceId", b"device_id", b"deviceid"])
def test_query_spellings(spelling: bytes) -> None:
    """Middleboxes spell deviceId in their own ways; old firmware sends no other parameter."""
    assert wire.read_query({spelling: [b"04408801109440198"]}) == wire.PollQuery(
        device=DEVICE, uuid=None, endpoint=None
    )


def test_query_of_another_spelling() -> None:
    """A parameter of another spelling is not a deviceId."""
    with pytest.raises(InvalidQuery, match="required"):
        wire.read_query({b"DEVICEID": [b"4408801109440198"]})


@pytest.mark.parametrize("args", [{}, {b"deviceId": [b""]}, {b"deviceId": []}, {b"uuid": [b"0d9f4bd6"]}])
def test_query_without_device(args: dict[bytes, list[bytes]]) -> None:
    """A query without a deviceId is refused."""
    with pytest.raises(InvalidQuery, match="required"):
        wire.read_query(args)


@pytest.mark.parametrize("device", [b"door", b"\xff", b"4408801109440198.0", b"4.408801109440198e15", b"1" * 5000])
def test_query_with_invalid_device(device: bytes) -> None:
    """A deviceId that was converted to a double, or is invalid, is refused."""
    with pytest.raises(InvalidQuery):
        wire.read_query({b"deviceId": [device]})


def test_query_device_repeated() -> None:
    """The same deviceId may be given twice, in any spelling."""
    args = {b"deviceId": [b"4408801109440198", b""], b"device_id": [b"04408801109440198"]}
    assert wire.read_query(args).device == DEVICE


@pytest.mark.parametrize(
    "args",
    [
        {b"deviceId": [b"1", b"2"]},
        {b"deviceId": [b"1"], b"deviceid": [b"2"]},
    ],
)
def test_query_contradicts_itself(args: dict[bytes, list[bytes]]) -> None:
    """A query with two different deviceIds is refused."""
    with pytest.raises(InvalidQuery, match="twice"):
        wire.read_query(args)


def test_query_empty_uuid() -> None:
    """An empty uuid or endpoint counts as missing."""
    visit = wire.read_query({b"deviceId": [b"7"], b"uuid": [b""], b"endpoint": [b""]})
    assert (visit.uuid, visit.endpoint) == (None, None)


def test_query_longest_uuid() -> None:
    """A uuid is any text of up to 256 characters."""
    visit = wire.read_query({b"deviceId": [b"7"], b"uuid": ["ü".encode() * 256]})
    assert visit.uuid == "ü" * 256


@pytest.mark.parametrize(
    ("uuids", "read"),
    [
        ([b"u" * 257], "u" * 256),
        ([b"caf\xe9"], "caf\N{REPLACEMENT CHARACTER}"),
        ([b"a\0b"], "a\N{REPLACEMENT CHARACTER}b"),
        ([b"a", b"b"], "a"),
        ([b"", b"b"], "b"),
    ],
)
def test_query_odd_uuid(uuids: list[bytes], read: str) -> None:
    """A uuid that is too long, unreadable or repeated does not make a query invalid."""
    assert wire.read_query({b"deviceId": [b"7"], b"uuid": uuids}).uuid == read


@given(st.lists(st.binary()), st.lists(st.binary()))
def test_query_any_uuid(uuids: list[bytes], endpoints: list[bytes]) -> None:
    """Whatever uuid and endpoint are, the device is identified by its deviceId."""
    visit = wire.read_query({b"deviceId": [DEVICE.encode()], b"uuid": uuids, b"endpoint": endpoints})
    assert visit.device == DEVICE
    assert visit.uuid is None or (0 < len(visit.uuid) <= 256 and "\0" not in visit.uuid)


def test_query_with_unreadable_endpoint() -> None:
    """An unreadable endpoint does not make a query invalid; it matches no command."""
    visit = wire.read_query({b"deviceId": [b"7"], b"endpoint": [b"caf\xe9"]})
    assert visit.endpoint == "caf\N{REPLACEMENT CHARACTER}"
