"""Tests of :mod:`pushd.config`: what each option takes, on the command line and in the file."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.config import Config, ConfigError, read_config
from pushd.core.devices.admission import AdmissionMode
from pushd.notifications.mail.smtp import Tls

DIALECTS = ("controlid", "servereye")


def read(**options: object) -> Config:
    """Options of the command line, where ``_`` stands for ``-``."""
    return read_config({name.replace("_", "-"): value for name, value in options.items()}, None, DIALECTS)


def read_file(folder: Path, text: str, **options: object) -> Config:
    """A file of options, and what the command line says."""
    (folder / "pushd.toml").write_text(text)
    return read_config(options, str(folder / "pushd.toml"), DIALECTS)


def test_defaults() -> None:
    """Without any option, devices connect from everywhere, operators from this machine, and strangers wait for
    approval.
    """
    config = read()
    assert (config.devices, config.admin) == (("tcp:8080",), ("tcp:8081:interface=127.0.0.1",))
    assert (config.data_dir, config.store) == (Path("pushd-data"), None)
    assert (config.admission, config.max_pending, config.require_proof) == (AdmissionMode.APPROVE, 1000, False)
    assert (config.bases, config.holds, config.trusted_proxies) == ((), {}, ())


@pytest.mark.parametrize(
    ("option", "value", "field", "expected"),
    [
        ("data-dir", "/srv/pushd", "data_dir", Path("/srv/pushd")),
        ("store", "other.sqlite", "store", "other.sqlite"),
        ("store", "sqlite:////srv/other.sqlite", "store", "/srv/other.sqlite"),
        ("devices", ["tcp:80", "ssl:443"], "devices", ("tcp:80", "ssl:443")),
        ("admin", "tcp:81", "admin", ("tcp:81",)),
        ("admission", "closed", "admission", AdmissionMode.CLOSED),
        ("max-pending", "0", "max_pending", 0),
        ("max-pending", 5, "max_pending", 5),
        ("require-proof", True, "require_proof", True),
        ("base", ["/api", "/controlid/push/"], "bases", (b"/api", b"/controlid/push")),
        ("hold", ["servereye=30", "controlid=0.5"], "holds", {"servereye": 30, "controlid": 0.5}),
        ("hold", {"servereye": 55}, "holds", {"servereye": 55}),
        ("batch", "4", "batch", 4),
        ("keep", "7", "keep", 7),
        ("mail-remind", "0", "mail_remind", 0.0),
        ("mail-remind", 1.5, "mail_remind", 1.5),
        ("smtp", "mail.example.org:587", "smtp", ("mail.example.org", 587)),
        ("smtp", "[::1]:25", "smtp", ("::1", 25)),
        ("smtp-tls", "tls", "smtp_tls", Tls.TLS),
        ("pulse-url", "https://example.org/ping/1?x=y", "pulse_url", "https://example.org/ping/1?x=y"),
        ("trusted-proxy", ["10.0.0.0/8", "::1"], "trusted_proxies", (ip_network("10.0.0.0/8"), ip_network("::1"))),
        ("webhook-allow", "127.0.0.0/8", "webhook_allow", (ip_network("127.0.0.0/8"),)),
    ],
)
def test_value_that_is_taken(option: str, value: object, field: str, expected: object) -> None:
    """Each option takes what it promises."""
    assert getattr(read(**{option: value}), field) == expected


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("data-dir", "", "text is wanted"),
        ("data-dir", 7, "text is wanted"),
        ("store", "postgresql://host/db", "postgresql is no store of this version"),
        ("devices", [], "at least one endpoint"),
        ("admin", [1], "text is wanted"),
        ("admission", "maybe", "one of approve, open, closed"),
        ("admission", ["open"], "one of approve, open, closed"),
        ("max-pending", "-1", "a whole number"),
        ("max-pending", "many", "a whole number"),
        ("max-pending", "٣", "a whole number"),
        ("max-pending", True, "a whole number"),
        ("max-pending", 1.5, "a whole number"),
        ("require-proof", "yes", "true or false"),
        ("base", "controlid", "no path such as /controlid"),
        ("base", "/a//b", "no path such as /controlid"),
        ("base", "/a?b", "no path such as /controlid"),
        ("base", "/é", "no path such as /controlid"),
        ("base", "/push", "where other paths"),
        ("base", "/d/x", "where other paths"),
        ("base", "/2/push", "where other paths"),
        ("hold", "servereye", "servereye=SECONDS is wanted, 0 to 55"),
        ("hold", "servereye=56", "servereye=SECONDS is wanted, 0 to 55"),
        ("hold", "servereye=-1", "servereye=SECONDS is wanted, 0 to 55"),
        ("hold", "servereye=nan", "servereye=SECONDS is wanted, 0 to 55"),
        ("hold", {"servereye": "long"}, "servereye=SECONDS is wanted, 0 to 55"),
        ("hold", "morse=5", "morse is no dialect; those that there are: controlid, servereye"),
        ("batch", "0", "at least 1"),
        ("keep", "0", "at least 1"),
        ("mail-to", "ops", "'ops' is no plain address such as ops@example.org"),
        ("mail-to", "Ops <ops@example.org>", "no plain address"),
        ("mail-to", "ops@example.org\nBcc: eve@example.org", "no plain address"),
        ("mail-to", "öps@example.org", "no plain address"),
        ("mail-to", "ops@example.org", "--mail-from is missing"),
        ("mail-from", "pushd@example.org", "--mail-to is missing"),
        ("mail-remind", "-1", "hours are wanted, 0.1 to 8760, or 0 for never"),
        ("mail-remind", "0.001", "hours are wanted"),
        ("mail-remind", "never", "hours are wanted, 0.1 to 8760, or 0 for never"),
        ("smtp", "mail.example.org", "HOST:PORT is wanted"),
        ("smtp", "mail.example.org:0", "HOST:PORT is wanted"),
        ("smtp", "::1:25", "HOST:PORT is wanted"),
        ("smtp-tls", "ssl", "one of starttls, tls, none is wanted"),
        ("smtp-user", "us", "--smtp-password-file is missing"),
        ("smtp-password-file", "/etc/pushd/smtp", "--smtp-user is missing"),
        ("pulse-url", "example.org/ping", "a URL is wanted"),
        ("pulse-url", "ftp://example.org/", "a URL is wanted"),
        ("pulse-url", "https://", "a URL is wanted"),
        ("trusted-proxy", "10.0.0.1/8", "a network such as 10.0.0.0/8"),
        ("webhook-allow", "localhost", "a network such as 10.0.0.0/8"),
        ("trusted-proxy", "proxy", "a network such as 10.0.0.0/8"),
    ],
)
def test_value_that_is_refused(option: str, value: object, words: str) -> None:
    """What an option cannot take is refused in one line that names the option and tells what it wants."""
    with pytest.raises(ConfigError) as refused:
        read(**{option: value})
    line = str(refused.value)
    assert line.startswith(f"--{option}: ")
    assert words in line
    assert line.isprintable()


MAILS = {"mail_to": ["ana@example.org", "bob@example.org", "ana@example.org"], "mail_from": "pushd@example.org"}


def test_mails_are_sent_if_somebody_is_to_have_them() -> None:
    """With an address to mail to there are mails, and reminders every day; without, there are none."""
    config = read(**MAILS)
    assert config.mail_to == ("ana@example.org", "bob@example.org")
    assert (config.alert_rules.mails, config.alert_rules.remind) == (True, 86400)
    assert read(**MAILS, mail_remind="0").alert_rules.remind is None
    assert read().alert_rules.mails is False


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        ({}, Tls.NONE),
        ({"smtp": "127.0.0.2:25"}, Tls.NONE),
        ({"smtp": "[::1]:25"}, Tls.NONE),
        ({"smtp": "localhost:25", "smtp_tls": "starttls"}, Tls.STARTTLS),
        ({"smtp": "mail.example.org:25"}, Tls.STARTTLS),
        ({"smtp": "192.0.2.1:25"}, Tls.STARTTLS),
        ({"smtp": "mail.example.org:25", "smtp_tls": "none"}, Tls.NONE),
        ({"smtp": "mail.example.org:465", "smtp_tls": "tls"}, Tls.TLS),
    ],
)
def test_way_to_the_mail_server_is_secured(options: dict[str, str], tls: Tls) -> None:
    """Mails do not leave this machine in the clear unless the operator says so."""
    assert read(**MAILS, **options).mail_tls is tls


def test_password_does_not_leave_the_machine_in_the_clear() -> None:
    """Who would show the mail server's password to the network is told so."""
    login = {"smtp_user": "us", "smtp_password_file": "/etc/pushd/smtp", "smtp_tls": "none"}
    assert read(**MAILS, **login).mail_tls is Tls.NONE
    with pytest.raises(ConfigError, match=r"^--smtp-tls: none would show the password"):
        read(**MAILS, **login, smtp="mail.example.org:25")


def test_unknown_option_is_named() -> None:
    """A name that is no option is refused, and those that there are are told."""
    with pytest.raises(ConfigError, match="nonsense is no option; those that there are: data-dir, store, devices"):
        read(nonsense="1")


def test_file_holds_the_same_options(tmp_path: Path) -> None:
    """The file knows the options by the names that they have on the command line."""
    text = 'admission = "open"\nmax-pending = 5\nrequire-proof = true\nbase = ["/api"]\n[hold]\nservereye = 30\n'
    config = read_file(tmp_path, text)
    assert (config.admission, config.max_pending, config.require_proof) == (AdmissionMode.OPEN, 5, True)
    assert (config.bases, config.holds) == ((b"/api",), {"servereye": 30})


def test_command_line_wins(tmp_path: Path) -> None:
    """What the command line says goes before what the file says, option by option."""
    config = read_file(tmp_path, 'devices = ["tcp:1", "tcp:2"]\nadmin = "tcp:3"', devices=["tcp:4"])
    assert (config.devices, config.admin) == (("tcp:4",), ("tcp:3",))


def test_wrong_key_in_the_file_is_named(tmp_path: Path) -> None:
    """A key that is no option is not overlooked."""
    with pytest.raises(ConfigError, match="pushd is no option"):
        read_file(tmp_path, '[pushd]\nadmission = "open"')


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"admission: open", "is no TOML"), (b"\xff", "is no TOML"), (None, "cannot be read: No such file or directory")],
)
def test_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file that is missing, or no TOML, is named."""
    file = tmp_path / "pushd.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as refused:
        read_config({}, str(file), DIALECTS)
    assert str(refused.value).startswith(f"--config: {file} ")


def test_empty_name_of_a_file_is_refused() -> None:
    """An empty variable in a start script is not taken for "no file"."""
    with pytest.raises(ConfigError, match=r"^--config: \. cannot be read: Is a directory"):
        read_config({}, "", DIALECTS)


ANYTHING = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OPTION = st.sampled_from(
    "data-dir store devices admin admission max-pending require-proof base hold batch keep trusted-proxy"
    " webhook-allow mail-to mail-from mail-remind smtp smtp-tls smtp-user smtp-password-file pulse-url".split()
)


@given(OPTION, ANYTHING)
def test_whatever_a_file_says_is_understood_or_refused(option: str, value: Any) -> None:
    """No value of an option, of any type, ends in anything but a configuration or one line."""
    try:
        read(**{option: value})
    except ConfigError as error:
        refusal = str(error)
    else:
        return
    assert refusal.startswith(f"--{option}: ")
