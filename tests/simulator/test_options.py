"""The values of the simulator's options."""

from pathlib import Path

import pytest

from pushd.simulator import options
from pushd.simulator.device import DeviceId


def test_device() -> None:
    """A device is given by its dialect and its id, which is normalised."""
    assert options.parse_device("controlid=-007", "=") == DeviceId("controlid", "-7")
    assert options.parse_device("controlid=0G0200/005B6D", "=") == DeviceId("controlid", "3206485144263533")
    assert options.parse_device("servereye:a~B", ":") == DeviceId("servereye", "a~B")
    assert str(DeviceId("servereye", "a~B")) == "servereye:a~B"


@pytest.mark.parametrize("text", ["", "7", "acme=7", "controlid", "controlid=", "controlid=x", "servereye=a/b"])
def test_bad_device(text: str) -> None:
    """An unknown dialect, or an id that is invalid in its dialect, is refused."""
    with pytest.raises(ValueError, match=r"^must begin with|^(device|container)Id must be "):
        options.parse_device(text, "=")


def test_url() -> None:
    """A server is given by an http or https URL, which may have a path."""
    assert options.parse_url("http://h").to_text() == "http://h"
    assert options.parse_url("https://h:8443/x/y?q#f").to_text() == "https://h:8443/x/y"


@pytest.mark.parametrize(
    "text", ["", "h", "h:8080", "ftp://h", "http://", "http://h:99999", "http://h:x", "http://[::1"]
)
def test_bad_url(text: str) -> None:
    """Any other text is refused."""
    with pytest.raises(ValueError, match="URL"):
        options.parse_url(text)


@pytest.mark.parametrize(
    ("text", "segments"), [("", ()), ("/", ()), ("/api", ("api",)), ("controlid//push/", ("controlid", "push"))]
)
def test_path(text: str, segments: tuple[str, ...]) -> None:
    """A path is split into its segments, and surplus slashes are ignored."""
    assert options.parse_path(text) == segments


def test_numbers() -> None:
    """Numbers of devices are whole and bounded, seeds are whole."""
    assert (options.parse_count("0"), options.parse_count("100000")) == (0, 100000)
    assert options.parse_seed("-5") == -5
    for text in ("", "-1", "1.5", "100001", "٣", "9" * 9999):
        with pytest.raises(ValueError, match="whole number"):
            options.parse_count(text)
    with pytest.raises(ValueError, match="whole number"):
        options.parse_seed("x")


def test_seconds() -> None:
    """A duration may be 0, a delay may not."""
    assert (options.parse_seconds("0"), options.parse_delay("0.5")) == (0, 0.5)
    for text in ("", "-1", "nan", "inf", "1e999", "x"):
        with pytest.raises(ValueError, match="seconds"):
            options.parse_seconds(text)
    with pytest.raises(ValueError, match="seconds"):
        options.parse_delay("0")


def test_writable(tmp_path: Path) -> None:
    """A file is created if it does not exist, and an existing one keeps its content."""
    path = tmp_path / "journal"
    assert options.parse_writable(str(path)) == path
    path.write_text("old")
    options.parse_writable(str(path))
    assert path.read_text() == "old"
    with pytest.raises(ValueError, match="cannot write"):
        options.parse_writable(str(tmp_path))


def test_secrets() -> None:
    """Secrets belong to simulated devices, and may contain any character."""
    devices = [DeviceId("controlid", "7"), DeviceId("servereye", "a")]
    secrets = options.parse_secrets(["controlid:07=x=y", "servereye:a=z"], devices)
    assert secrets == {"controlid:7": "x=y", "servereye:a": "z"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("controlid:8=x", "controlid:8 is not one of the simulated devices"),
        ("controlid:7=", "secret of controlid:7 must not be empty"),
        ("controlid:7", "secret of controlid:7 must not be empty"),
        ("controlid=7=x", "must begin with"),
    ],
)
def test_bad_secret(text: str, why: str) -> None:
    """A secret of an unknown device, or an empty one, is refused."""
    with pytest.raises(ValueError, match=why):
        options.parse_secrets([text], [DeviceId("controlid", "7")])
