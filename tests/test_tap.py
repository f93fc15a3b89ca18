"""Tests of :mod:`pushd.tap`: the command line of the server."""

import re
from pathlib import Path

import pytest

from pushd import __version__
from pushd.config import OPTIONS
from pushd.core.devices.admission import AdmissionMode
from pushd.notifications.mail.recipients import Recipient
from pushd.notifications.mail.smtp import Tls
from pushd.tap import Options, makeService


def parse(*words: str) -> Options:
    """A command line."""
    options = Options()
    options.parseOptions(words)
    return options


def refusal(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line about a command line that is refused."""
    with pytest.raises(SystemExit) as ended:
        makeService(parse(*words))
    assert ended.value.code == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("pushd: ")
    return line


def test_command_line_without_options() -> None:
    """The server starts without any option."""
    assert parse().config({}).data_dir == Path("pushd-data")


def test_every_option(tmp_path: Path) -> None:
    """Each option of the command line gets into the configuration; a repeatable one with all of its values."""
    words = """
        --data-dir /srv --store s.sqlite --admission open --max-pending 5 --require-proof --batch 3 --keep 7
        --devices tcp:1 --devices tcp:2 --admin tcp:3 --admin tcp:4 --base /a --base /b
        --hold servereye=40 --hold controlid=5 --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1
        --webhook-allow 127.0.0.0/8 --webhook-allow ::1
        --mail-to a@b.org --mail-to c@d.org;site=Main --mail-from e@f.org --mail-reminder-hours 0
        --smtp g.org:587 --smtp-tls tls
        --smtp-user us --smtp-password-file /h --heartbeat-url https://i.org/j
        --base-url https://k.org/l/
    """
    config = parse(*words.split()).config({})
    assert config.mail_to == (Recipient(address="a@b.org"), Recipient(address="c@d.org", site="Main"))
    assert (config.mail_from, config.mail_reminder_hours) == ("e@f.org", 0)
    assert config.base_url == "https://k.org/l"
    assert (config.smtp, config.smtp_tls, config.smtp_user) == (("g.org", 587), Tls.TLS, "us")
    assert (config.smtp_password_file, config.heartbeat_url) == (Path("/h"), "https://i.org/j")
    assert (config.data_dir, config.store, config.admission) == (Path("/srv"), "s.sqlite", AdmissionMode.OPEN)
    assert (config.max_pending, config.require_proof, config.batch, config.keep) == (5, True, 3, 7)
    assert (config.devices, config.admin) == (("tcp:1", "tcp:2"), ("tcp:3", "tcp:4"))
    assert (config.bases, config.holds) == ((b"/a", b"/b"), {"servereye": 40, "controlid": 5})
    assert (len(config.trusted_proxies), len(config.webhook_allow)) == (2, 2)


def test_zero_is_a_value(tmp_path: Path) -> None:
    """A zero of the command line takes precedence over the file; a flag of the file stays set."""
    (tmp_path / "pushd.toml").write_text("max-pending = 9\nrequire-proof = true")
    config = parse("--max-pending", "0", "--config", str(tmp_path / "pushd.toml")).config({})
    assert (config.max_pending, config.require_proof) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nonsense"], "option --nonsense not recognized"),
        (["--pulse-url", "http://a"], "--pulse-url was renamed; use --heartbeat-url."),
        (["--mail-remind=5"], "--mail-remind was renamed; use --mail-reminder-hours."),
        (["stray", "--check"], "unexpected argument 'stray': all options begin with --"),
        (["--device-url=nonsense"], "--device-url: must be a URL, such as https://pushd.example.org."),
        (["--data-dir"], "option --data-dir requires argument"),
        (["--admission=maybe"], "--admission: must be one of approve, open, closed."),
        (["--max-pending="], "--max-pending: must be a whole number, at least 0."),
        (["--hold=servereye"], "--hold: must be servereye=SECONDS"),
        (["--devices=smoke"], "--devices: smoke is not a valid endpoint"),
        (["--admin=tcp:http"], "--admin: tcp:http is not a valid endpoint"),
        (["--mail-to=ops@example.org"], "--mail-to: --mail-from is missing"),
        (
            "--mail-to=a@b.c --mail-from=d@e.f --smtp-user=us --smtp-password-file=/nowhere/password".split(),
            "--smtp-password-file: /nowhere/password cannot be read: No such file or directory",
        ),
        (["--config=/nowhere/pushd.toml"], "--config: /nowhere/pushd.toml cannot be read: No such file or directory"),
    ],
)
def test_command_line_that_is_refused(capfd: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    """One line names the option that is wrong, and the command that lists the options."""
    line = refusal(capfd, *words)
    assert said in line
    assert "pushd-server --help" in line


def test_wrong_variable_is_refused(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The server reads the environment, too, and refuses a wrong variable as it does an option."""
    monkeypatch.setenv("PUSHD_KEEP", "forever")
    assert refusal(capfd) == "pushd: PUSHD_KEEP: must be a whole number of days, at least 1. (see pushd-server --help)"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of pushd, not only that of Twisted."""
    with pytest.raises(SystemExit) as ended:
        parse("--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"pushd {__version__}, Twisted ")


def test_help_describes_every_option() -> None:
    """The help has each option, what its value is, and its default."""
    words = " ".join(str(parse()).split())
    for option in OPTIONS.values():
        text = (
            f"--{option.name}= {option.metavar}: {option.help}" if option.metavar else f"--{option.name} {option.help}"
        )
        assert re.sub(r"\s", "", text) in words.replace(" ", "")
    assert "[default: tcp:8081:interface=127.0.0.1]" in words
    assert "[default: controlid=10, servereye=45]" in words
