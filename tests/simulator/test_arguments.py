"""What may stand behind an option of the simulator."""

from pathlib import Path

import pytest

from pushd.simulator import arguments
from pushd.simulator.arguments import DeviceId


def test_device() -> None:
    """A device is named by its dialect and its own id, which is written in one way."""
    assert arguments.read_device("controlid=-007", "=") == DeviceId("controlid", "-7")
    assert arguments.read_device("servereye:a~B", ":") == DeviceId("servereye", "a~B")
    assert str(DeviceId("servereye", "a~B")) == "servereye:a~B"


@pytest.mark.parametrize("text", ["", "7", "acme=7", "controlid", "controlid=", "controlid=x", "servereye=a/b"])
def test_bad_device(text: str) -> None:
    """A device of no dialect, or with an id that it cannot have, is refused."""
    with pytest.raises(ValueError, match=r"^'.*' does not begin|^A .*Id is "):
        arguments.read_device(text, "=")


def test_url() -> None:
    """A server is an http or https address, perhaps with a path."""
    assert arguments.read_url("http://h").to_text() == "http://h"
    assert arguments.read_url("https://h:8443/x/y?q#f").to_text() == "https://h:8443/x/y"


@pytest.mark.parametrize(
    "text", ["", "h", "h:8080", "ftp://h", "http://", "http://h:99999", "http://h:x", "http://[::1"]
)
def test_bad_url(text: str) -> None:
    """Anything else is no server."""
    with pytest.raises(ValueError, match="URL"):
        arguments.read_url(text)


@pytest.mark.parametrize(
    ("text", "segments"), [("", ()), ("/", ()), ("/api", ("api",)), ("controlid//push/", ("controlid", "push"))]
)
def test_path(text: str, segments: tuple[str, ...]) -> None:
    """A path is its segments, however many slashes there are."""
    assert arguments.read_path(text) == segments


def test_numbers() -> None:
    """Numbers of devices are whole and bounded, seeds are whole."""
    assert (arguments.read_number("0"), arguments.read_number("100000")) == (0, 100000)
    assert arguments.read_seed("-5") == -5
    for text in ("", "-1", "1.5", "100001", "٣", "9" * 9999):
        with pytest.raises(ValueError, match="whole number"):
            arguments.read_number(text)
    with pytest.raises(ValueError, match="whole number"):
        arguments.read_seed("x")


def test_seconds() -> None:
    """Work may take no time at all, a pause must take some."""
    assert (arguments.read_seconds("0"), arguments.read_pause("0.5")) == (0, 0.5)
    for text in ("", "-1", "nan", "inf", "1e999", "x"):
        with pytest.raises(ValueError, match="seconds"):
            arguments.read_seconds(text)
    with pytest.raises(ValueError, match="seconds"):
        arguments.read_pause("0")


def test_writable(tmp_path: Path) -> None:
    """A file that can be written to is made, one that is there keeps what it holds."""
    path = tmp_path / "journal"
    assert arguments.read_writable(str(path)) == path
    path.write_text("old")
    arguments.read_writable(str(path))
    assert path.read_text() == "old"
    with pytest.raises(ValueError, match="cannot write"):
        arguments.read_writable(str(tmp_path))


def test_secrets() -> None:
    """Secrets belong to devices that are there, and may hold any character."""
    devices = [DeviceId("controlid", "7"), DeviceId("servereye", "a")]
    secrets = arguments.read_secrets(["controlid:07=x=y", "servereye:a=z"], devices)
    assert secrets == {"controlid:7": "x=y", "servereye:a": "z"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("controlid:8=x", "no device controlid:8"),
        ("controlid:7=", "secret of controlid:7 is missing"),
        ("controlid:7", "secret of controlid:7 is missing"),
        ("controlid=7=x", "does not begin with"),
    ],
)
def test_bad_secret(text: str, why: str) -> None:
    """A secret of nobody, or none, is refused."""
    with pytest.raises(ValueError, match=why):
        arguments.read_secrets([text], [DeviceId("controlid", "7")])
