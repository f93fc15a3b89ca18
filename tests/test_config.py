"""Tests of :mod:`pushd.config`: what each option accepts, from the command line, the environment and the file."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.config import OPTIONS, Config, ConfigError, read_config
from pushd.core.devices.admission import AdmissionMode
from pushd.model.alert import AlertRules
from pushd.notifications.mail.recipients import Recipient
from pushd.notifications.mail.smtp import Tls


def read(**options: object) -> Config:
    """Options of the command line, where ``_`` stands for ``-``."""
    return read_config({name.replace("_", "-"): value for name, value in options.items()}, {})


def read_file(folder: Path, text: str, **options: object) -> Config:
    """A configuration file with this content, and options of the command line."""
    (folder / "pushd.toml").write_text(text)
    return read_config({"config": str(folder / "pushd.toml"), **options}, {})


def test_defaults() -> None:
    """Without options, devices connect from everywhere, operators from this machine, and unknown devices need an
    operator's approval.
    """
    config = read()
    assert (config.devices, config.admin) == (("tcp:8080",), ("tcp:8081:interface=127.0.0.1",))
    assert (config.data_dir, config.store) == (Path("pushd-data"), None)
    assert (config.admission, config.max_pending, config.require_proof) == (AdmissionMode.APPROVE, 1000, False)
    assert (config.bases, config.holds, config.trusted_proxies) == ((), {}, ())
    assert (config.alert_rules, config.mail_to) == (AlertRules(remind=86400), ())
    assert (config.smtp, config.heartbeat_url, config.config) == (("localhost", 25), None, None)


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
        ("base", "/push", "bases", (b"/push",)),
        ("hold", ["servereye=30", "controlid=0.5"], "holds", {"servereye": 30, "controlid": 0.5}),
        ("hold", {"servereye": 55}, "holds", {"servereye": 55}),
        ("batch", "4", "batch", 4),
        ("keep", "7", "keep", 7),
        ("mail-reminder-hours", "0", "mail_reminder_hours", 0.0),
        ("mail-reminder-hours", 1.5, "mail_reminder_hours", 1.5),
        ("mail-reminder-hours", "90m", "mail_reminder_hours", 1.5),
        ("alert-window", "5m", "alert_window", 300.0),
        ("alert-window", "24h", "alert_window", 86400.0),
        ("flapping", "5/10m", "flapping", (5, 600.0)),
        ("keep", "30d", "keep", 30),
        ("keep", "48h", "keep", 2),
        ("webhook-allow", "10.1.2.3/8", "webhook_allow", (ip_network("10.0.0.0/8"),)),
        ("smtp", "mail.example.org:587", "smtp", ("mail.example.org", 587)),
        ("smtp", "[::1]:25", "smtp", ("::1", 25)),
        ("smtp-tls", "tls", "smtp_tls", Tls.TLS),
        ("heartbeat-url", "https://example.org/ping/1?x=y", "heartbeat_url", "https://example.org/ping/1?x=y"),
        ("cors-origin", "https://app.example.org", "cors_origins", ("https://app.example.org",)),
        (
            "cors-origin",
            ["http://localhost:3000", "http://[::1]"],
            "cors_origins",
            ("http://localhost:3000", "http://[::1]"),
        ),
        ("trusted-proxy", ["10.0.0.0/8", "unix"], "trusted_proxies", (ip_network("10.0.0.0/8"), "unix")),
        ("webhook-allow", "127.0.0.0/8", "webhook_allow", (ip_network("127.0.0.0/8"),)),
    ],
)
def test_value_that_is_accepted(option: str, value: object, field: str, expected: object) -> None:
    """Each option accepts the values that it documents."""
    assert getattr(read(**{option: value}), field) == expected


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("data-dir", "", "must be a string that is not empty"),
        ("data-dir", 7, "must be a string that is not empty"),
        (
            "store",
            "mysql://host/db",
            "must be a SQLite file, or a URL that begins with postgresql://, not with 'mysql'",
        ),
        ("devices", [], "must be at least one endpoint"),
        ("admin", [1], "must be a string that is not empty"),
        ("admission", "maybe", "must be one of approve, open, closed"),
        ("admission", ["open"], "must be one of approve, open, closed"),
        ("max-pending", "-1", "must be a whole number"),
        ("max-pending", "many", "must be a whole number"),
        ("max-pending", "٣", "must be a whole number"),
        ("max-pending", True, "must be a whole number"),
        ("max-pending", 1.5, "must be a whole number"),
        ("require-proof", "yes", "must be true or false"),
        ("base", "controlid", "must be a path such as /controlid"),
        ("base", "/a//b", "must be a path such as /controlid"),
        ("base", "/a?b", "must be a path such as /controlid"),
        ("base", "/é", "must be a path such as /controlid"),
        ("base", "/push/c", "conflicts with a reserved path"),
        ("base", "/d/x", "conflicts with a reserved path"),
        ("base", "/2/push", "conflicts with a reserved path"),
        ("hold", "servereye", "must be servereye=SECONDS, 0 to 55"),
        ("hold", "servereye=56", "must be servereye=SECONDS, 0 to 55"),
        ("hold", "servereye=-1", "must be servereye=SECONDS, 0 to 55"),
        ("hold", "servereye=nan", "must be servereye=SECONDS, 0 to 55"),
        ("hold", {"servereye": "long"}, "must be servereye=SECONDS, 0 to 55"),
        ("hold", "morse=5", "unknown dialect 'morse'; must be one of controlid, servereye"),
        ("batch", "0", "must be a whole number, at least 1"),
        ("keep", "0", "must be a whole number of days, at least 1"),
        ("mail-to", "ops", "must be a plain address such as ops@example.org, not 'ops'"),
        ("mail-to", "Ops <ops@example.org>", "must be a plain address"),
        ("mail-to", "ops@example.org\nBcc: eve@example.org", "must be a plain address"),
        ("mail-to", "öps@example.org", "must be a plain address"),
        ("mail-to", "ops@example.org;building=3", "must be ADDRESS, ADDRESS;tag=TAG or ADDRESS;site=SITE, not 'ops@"),
        ("mail-to", "ops@example.org;tag=", "must be ADDRESS, ADDRESS;tag=TAG or ADDRESS;site=SITE"),
        ("mail-to", "ops;tag=door", "must be a plain address such as ops@example.org, not 'ops'"),
        ("base-url", "pushd.example.org", "must be a URL"),
        ("base-url", "https://pushd.example.org/?a=b", "must be a URL without user, query and fragment"),
        ("base-url", "https://pushd.example.org/#top", "must be a URL without user, query and fragment"),
        ("base-url", "https://ana@pushd.example.org/", "must be a URL without user, query and fragment"),
        ("mail-to", "ops@example.org", "--mail-from is missing"),
        ("mail-from", "pushd@example.org", "--mail-to is missing"),
        ("mail-reminder-hours", "-1", "must be a number of hours, 0.1 to 8760, or 0 for no reminders"),
        ("mail-reminder-hours", "0.001", "must be a number of hours"),
        ("mail-reminder-hours", "never", "must be a number of hours, 0.1 to 8760, or 0 for no reminders"),
        ("smtp", "mail.example.org", "must be HOST:PORT"),
        ("smtp", "mail.example.org:0", "must be HOST:PORT"),
        ("smtp", "::1:25", "must be HOST:PORT"),
        ("smtp-tls", "ssl", "must be one of starttls, tls, none"),
        ("auth-header", "X-Forwarded-User", "--auth-proxy is missing"),
        ("auth-header", "Cookie", "must be the name of a header that only the proxy sets"),
        ("auth-header", "X User", "must be the name of a header that only the proxy sets"),
        ("auth-proxy", "10.0.0.0/8", "--auth-header is missing"),
        ("auth-proxy", "proxy.example.org", "must be a network such as 10.0.0.0/8, or unix"),
        ("auth-secret-file", "/etc/pushd/auth-secret", "--auth-proxy with the network of the proxy is missing"),
        ("smtp-user", "us", "--smtp-password-file is missing"),
        ("smtp-password-file", "/etc/pushd/smtp", "--smtp-user is missing"),
        ("heartbeat-url", "example.org/ping", "must be a URL"),
        ("heartbeat-url", "ftp://example.org/", "must be a URL"),
        ("heartbeat-url", "https://", "must be a URL"),
        ("cors-origin", "*", "must be scheme, host and port of a page as browsers send them"),
        ("cors-origin", "null", "must be scheme, host and port"),
        ("cors-origin", "https://app.example.org/", "must be scheme, host and port"),
        ("cors-origin", "https://App.example.org", "must be scheme, host and port"),
        ("cors-origin", "https://app.example.org:443", "must be scheme, host and port"),
        ("cors-origin", "http://app.example.org:80", "must be scheme, host and port"),
        ("cors-origin", "https://app.example.org\r\nX: y", "must be scheme, host and port"),
        ("cors-origin", "ftp://app.example.org", "must be scheme, host and port"),
        ("trusted-proxy", "10.0.0.0/33", "must be a network such as 10.0.0.0/8, or unix"),
        ("webhook-allow", "localhost", "must be a network such as 10.0.0.0/8"),
        ("trusted-proxy", "proxy", "must be a network such as 10.0.0.0/8, or unix"),
        ("alert-window", "86401", "must be a number of seconds, 0 to 86400"),
        ("flapping", "5", "must be CHANGES/SECONDS"),
    ],
)
def test_value_that_is_refused(option: str, value: object, words: str) -> None:
    """A wrong value is refused in one line that names the option and says what the value must be."""
    with pytest.raises(ConfigError) as refused:
        read(**{option: value})
    line = str(refused.value)
    assert line.startswith(f"--{option}: ")
    assert words in line
    assert line.isprintable()


MAILS = {"mail_to": ["ana@example.org", "bob@example.org", "ana@example.org"], "mail_from": "pushd@example.org"}


def test_mails_are_sent_if_there_are_recipients() -> None:
    """With a recipient there are mails, and reminders every day; without one there are none."""
    config = read(**MAILS)
    assert config.mail_to == (Recipient(address="ana@example.org"), Recipient(address="bob@example.org"))
    assert (config.alert_rules.mails, config.alert_rules.remind) == (True, 86400)
    assert read(**MAILS, mail_reminder_hours="0").alert_rules.remind is None
    assert read().alert_rules.mails is False


def test_recipients_by_tag_or_site() -> None:
    """A recipient gets all alerts, or those of a tag or of a site; an address may be given for several."""
    given = ["a@b.c", "a@b.c;tag=north;east", "a@b.c;site=Lisbon = HQ", "a@b.c;tag=north;east"]
    recipients = read(mail_to=given, mail_from="d@e.f").mail_to
    assert recipients == (
        Recipient(address="a@b.c"),
        Recipient(address="a@b.c", tag="north;east"),
        Recipient(address="a@b.c", site="Lisbon = HQ"),
    )
    assert list(dict.fromkeys(given)) == [str(recipient) for recipient in recipients]


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
def test_connection_to_the_mail_server_is_encrypted(options: dict[str, str], tls: Tls) -> None:
    """Mails do not leave this machine in clear text unless the operator allows it."""
    assert read(**MAILS, **options).mail_tls is tls


def test_password_does_not_leave_the_machine_in_clear_text() -> None:
    """Options that would send the mail server's password in clear text over the network are refused."""
    login = {"smtp_user": "us", "smtp_password_file": "/etc/pushd/smtp", "smtp_tls": "none"}
    assert read(**MAILS, **login).mail_tls is Tls.NONE
    with pytest.raises(
        ConfigError, match=r"^--smtp-tls: none would send the password in clear text; must be starttls or tls\.$"
    ):
        read(**MAILS, **login, smtp="mail.example.org:25")


def test_file_has_the_same_options(tmp_path: Path) -> None:
    """The options have the same names in the file as on the command line."""
    text = 'admission = "open"\nmax-pending = 5\nrequire-proof = true\nbase = ["/api"]\n[hold]\nservereye = 30\n'
    config = read_file(tmp_path, text)
    assert (config.admission, config.max_pending, config.require_proof) == (AdmissionMode.OPEN, 5, True)
    assert (config.bases, config.holds) == ((b"/api",), {"servereye": 30})


def test_command_line_over_environment_over_file(tmp_path: Path) -> None:
    """Each option comes from the first source that has it; a list replaces a list, it does not add to it."""
    file = tmp_path / "pushd.toml"
    file.write_text('devices = ["tcp:1", "tcp:2"]\nadmin = "tcp:3"\nbase = ["/a"]\nkeep = 7\n')
    environ = {"PUSHD_CONFIG": str(file), "PUSHD_DEVICES": "tcp:4", "PUSHD_ADMIN": "tcp:5,tcp:6"}
    config = read_config({"devices": ["tcp:7"]}, environ)
    assert (config.devices, config.admin, config.bases, config.keep) == (("tcp:7",), ("tcp:5", "tcp:6"), (b"/a",), 7)
    sources = [config.source(name) for name in ("devices", "admin", "keep", "batch")]
    assert sources == ["--devices", "PUSHD_ADMIN", f"{file}: keep", "--batch"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("data-dir", "/srv/pushd", Path("/srv/pushd")),
        ("max-pending", "0", 0),
        ("require-proof", "1", True),
        ("require-proof", "0", False),
        ("devices", "tcp:1", ("tcp:1",)),
        ("devices", "tcp:1, tcp:2", ("tcp:1", "tcp:2")),
        (
            "devices",
            '["tls:example.org:443:trustRoots=a,b", "tcp:2"]',
            ("tls:example.org:443:trustRoots=a,b", "tcp:2"),
        ),
        ("base", "[]", ()),
        ("hold", "servereye=40,controlid=5", {"servereye": 40, "controlid": 5}),
        ("flapping", "3/60", (3, 60)),
    ],
)
def test_value_from_the_environment(name: str, text: str, expected: object) -> None:
    """A flag is 1 or 0, a list is separated by commas or a JSON array, anything else is as on the command line."""
    option = OPTIONS[name]
    assert getattr(read_config({}, {option.variable: text}), option.field) == expected


def test_variables_that_do_not_count() -> None:
    """An empty variable counts as unset, and variables of other programs are ignored."""
    empty = {option.variable: "" for option in OPTIONS.values()}
    assert read_config({}, {**empty, "PUSHD_URL": "http://localhost:8081", "PUSHD_MAIL_REMIND": ""}) == Config()


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("PUSHD_REQUIRE_PROOF", "true", "must be 1 or 0"),
        ("PUSHD_DEVICES", '["tcp:1"', "must be a JSON array of strings, or values separated by commas"),
        ("PUSHD_DEVICES", "[" * 100_000, "must be a JSON array of strings, or values separated by commas"),
        ("PUSHD_DEVICES", "[1]", "must be a JSON array of strings, or values separated by commas"),
        ("PUSHD_DEVICES", "tcp:1,", "must be a string that is not empty"),
        ("PUSHD_KEEP", "[30]", "must be a whole number of days, at least 1"),
        ("PUSHD_CONFIG", "/nowhere/pushd.toml", "/nowhere/pushd.toml cannot be read: No such file or directory"),
        ("PUSHD_MAIL_TO", "ops@example.org", "--mail-from is missing"),
    ],
)
def test_variable_that_is_refused(variable: str, text: str, words: str) -> None:
    """A wrong value from the environment is refused in one line that names the variable."""
    with pytest.raises(ConfigError) as refused:
        read_config({}, {variable: text})
    assert str(refused.value).startswith(f"{variable}: {words}")


def test_wrong_value_in_the_file_is_refused(tmp_path: Path) -> None:
    """A wrong value from the file is refused in one line that names the file and the option."""
    with pytest.raises(ConfigError) as refused:
        read_file(tmp_path, "keep = 0")
    assert str(refused.value) == f"{tmp_path / 'pushd.toml'}: keep: must be a whole number of days, at least 1."


@pytest.mark.parametrize(("old", "new"), [("pulse-url", "heartbeat-url"), ("mail-remind", "mail-reminder-hours")])
def test_old_name_of_an_option_is_refused(tmp_path: Path, old: str, new: str) -> None:
    """A name of an earlier version, in the file or the environment, ends with one line that gives the new name."""
    with pytest.raises(ConfigError) as refused:
        read_file(tmp_path, f'{old} = "24"')
    assert str(refused.value) == f"{tmp_path / 'pushd.toml'}: {old} was renamed; use {new}."
    before, after = ("PUSHD_" + name.upper().replace("-", "_") for name in (old, new))
    with pytest.raises(ConfigError) as refused:
        read_config({}, {before: "24"})
    assert str(refused.value) == f"{before} was renamed; use {after}."


@pytest.mark.parametrize(
    ("text", "name", "suggestion"),
    [
        ('[pushd]\nadmission = "open"', "pushd", "."),
        ('config = "other.toml"', "config", "."),
        ('devics = "tcp:1"', "devics", "; did you mean devices?"),
        ('data_dir = "/x"', "data_dir", "; did you mean data-dir?"),
    ],
)
def test_unknown_key_in_the_file_is_named(tmp_path: Path, text: str, name: str, suggestion: str) -> None:
    """A key that is not an option is refused, and the message has the one that is probably meant; a file cannot name
    another file.
    """
    with pytest.raises(ConfigError) as refused:
        read_file(tmp_path, text)
    assert str(refused.value) == f"{tmp_path / 'pushd.toml'}: {name} is not an option of this file{suggestion}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"admission: open", "is not valid TOML"),
        (b"\xff", "is not valid TOML"),
        (b"keep = " + b"[" * 100_000, "is not valid TOML"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file that is missing, or not TOML, is named."""
    file = tmp_path / "pushd.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as refused:
        read_config({"config": str(file)}, {})
    assert str(refused.value).startswith(f"--config: {file} ")


def test_empty_file_name_is_refused() -> None:
    """An empty variable in a start script is not taken for "no file"."""
    with pytest.raises(ConfigError, match=r"^--config: must be a string that is not empty"):
        read_config({"config": ""}, {})


ANYTHING = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(OPTIONS.keys() - {"config"})), ANYTHING)
def test_any_value_is_accepted_or_refused(option: str, value: Any) -> None:
    """A value of any type ends in a configuration, or in an error that names the option; never in anything else."""
    try:
        read(**{option: value})
    except ConfigError as error:
        refusal = str(error)
    else:
        return
    assert refusal.startswith(f"--{option}: ")


def test_a_proxy_that_authenticates_people() -> None:
    """One that connects by TCP needs a secret, one on a Unix socket has none."""
    by_tcp = {"auth-header": "X-Forwarded-User", "auth-proxy": ["10.0.0.0/8", "unix"]}
    with pytest.raises(ConfigError, match="--auth-proxy: --auth-secret-file is missing"):
        read_config(by_tcp, {})
    assert read_config(by_tcp | {"auth-secret-file": "/etc/pushd/auth-secret"}, {}).auth_proxies[1] == "unix"
    assert read_config(by_tcp | {"auth-proxy": ["unix"]}, {}).auth_secret_file is None
