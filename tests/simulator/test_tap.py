"""The command line of the simulator."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hyperlink import DecodedURL

from pushd import __version__
from pushd.simulator.faults import Fault
from pushd.simulator.fleet import Fleet, controlid_ids, servereye_ids
from pushd.simulator.options import FleetOptions
from pushd.simulator.outages import parse_outage
from pushd.simulator.tap import Options, makeService


def parse(*arguments: str, environ: Mapping[str, str] = {}) -> FleetOptions:
    """The options of a command line and an environment."""
    options = Options(environ)
    options.parseOptions(arguments)
    return options.fleet


def test_defaults() -> None:
    """Without options there is one device of each dialect, and the server is the local one."""
    assert parse() == FleetOptions(
        server=DecodedURL.from_text("http://127.0.0.1:8080"),
        controlid=controlid_ids(0, 1),
        servereye=servereye_ids(0, 1),
    )


def test_everything(tmp_path: Path) -> None:
    """Every option is parsed."""
    numbers = [
        "--seed=3",
        "--controlid=2",
        "--servereye=0",
        "--timeout=4",
        "--period=60",
        "--retry-delay=1",
        "--command-duration=0",
        "--object-responses",
        "--model=idflex,iD-Access PRO",
    ]
    names = ["--id=controlid=0077", "--secret=controlid:77=s", "--api-key=k", "--base=/controlid/push/"]
    outages = ["--ramp=2", "--sites=2", "--outage=offline=1@20+60", "--outage=offline=site2@2"]
    rest = ["--server=http://127.0.0.1/x", "--faults=slow=1,lose-result", f"--journal={tmp_path / 'journal'}"]
    assert parse(*numbers, *names, *outages, *rest) == FleetOptions(
        server=DecodedURL.from_text("http://127.0.0.1/x"),
        controlid=("77", *controlid_ids(3, 2)),
        servereye=(),
        base=("controlid", "push"),
        api_key="k",
        secrets={"controlid:77": "s"},
        seed=3,
        faults={Fault.SLOW: 1.0, Fault.LOSE_RESULT: 0.1},
        timeout=4.0,
        period=60.0,
        retry_delay=1.0,
        command_duration=0.0,
        object_responses=True,
        models=("iDFlex", "iDAccess Pro"),
        ramp=2.0,
        sites=2,
        outages=(parse_outage("offline=1@20+60"), parse_outage("offline=site2@2")),
        journal=tmp_path / "journal",
    )


def test_only_the_devices_that_are_asked_for() -> None:
    """If devices of one dialect are asked for, there are none of the other."""
    assert (len(parse("--controlid=3").controlid), parse("--controlid=3").servereye) == (3, ())
    assert (parse("--servereye=3").controlid, len(parse("--servereye=3").servereye)) == ((), 3)
    both = parse("--controlid=2", "--servereye=1")
    assert (len(both.controlid), len(both.servereye)) == (2, 1)
    one_more = parse("--id=controlid=7", "--servereye=1")
    assert (one_more.controlid, len(one_more.servereye)) == (("7",), 1)


def test_named_devices() -> None:
    """Devices that are named replace the default ones, and each is there only once."""
    named = parse("--id=servereye=a", "--id=servereye=b", "--id=servereye=a")
    assert (named.controlid, named.servereye) == ((), ("a", "b"))
    first = controlid_ids(0, 1)[0]
    assert parse(f"--id=controlid={first}", "--controlid=2").controlid == controlid_ids(0, 2)


@pytest.mark.parametrize(
    ("argument", "why"),
    [
        ("--server=h", "--server: must be an http or https URL, not 'h'"),
        ("--controlid=many", "--controlid: must be a whole number from 0 to 100000, not 'many'"),
        ("--servereye=-1", "--servereye: must be a whole number from 0 to 100000, not '-1'"),
        ("--model=iDFlex,x", "--model: must be one of iDAccess, iDFit, iDBox, iDFlex"),
        ("--seed=x", "--seed: must be a whole number, not 'x'"),
        ("--id=7", "--id: must begin with controlid= or servereye=, not '7'"),
        ("--id=controlid=7.5", "--id: deviceId must be"),
        ("--secret=controlid:7=s", "--secret: controlid:7 is not one of the simulated devices"),
        ("--faults=flap", "--faults: unknown fault 'flap'; must be one of drop-answer"),
        ("--outage=offline", "--outage: must be KIND=DEVICES@START+SECONDS, as in offline=300@20+60, not 'offline'"),
        ("--outage=offline=3@1", "--outage: offline=3@1 needs 3 devices, but only 2 of 2 are not in another outage"),
        ("--ramp=x", "--ramp: must be a number of seconds, not 'x'"),
        ("--sites=3", "--sites: must be at most the number of devices, 2, not 3"),
        ("--period=0", "--period: must be more than 0"),
        ("--command-duration=-1", "--command-duration: must be a number of seconds, not '-1'"),
        ("--journal=/no/such/folder/journal", "--journal: cannot write to"),
        ("--mood=silent=1@20", "--mood is now --outage"),
        ("--plan", "--plan is now --dry-run"),
        ("--work=1", "--work is now --command-duration"),
        ("--retry=1", "--retry is now --retry-delay"),
        ("--outage=silent=1@20", "--outage: silent is now offline"),
        ("--unheard-of", "option --unheard-of not recognized"),
        ("extra", "Wrong number of arguments"),
    ],
)
def test_bad_option(argument: str, why: str) -> None:
    """An invalid or renamed option ends the process with exit code 1 and one line that says why."""
    with pytest.raises(SystemExit) as ended:
        parse(argument)
    message = ended.value.code  # text is printed, and makes the exit code 1
    assert isinstance(message, str)
    assert message.startswith(f"pushd-simulate: {why}")
    assert "\n" not in message


def test_outage_during_ramp() -> None:
    """An outage must not start before all devices have started."""
    with pytest.raises(
        SystemExit, match=r"--outage: offline=1@2 must not start before all devices have started, at @3"
    ):
        parse("--ramp=3", "--outage=offline=1@2")


def test_sites_need_a_loopback_server() -> None:
    """Devices that connect from loopback addresses can reach no server on another machine."""
    with pytest.raises(
        SystemExit, match=r"--sites: the server must have a loopback address, as in --server http://127"
    ):
        parse("--sites=1", "--server=http://pushd.example")


def test_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run prints one JSON line for each device, and starts nothing."""
    with pytest.raises(SystemExit) as ended:
        parse("--controlid=2", "--servereye=1", "--outage=signed-off=1@5+10", "--dry-run")
    assert ended.value.code == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["device"] for line in lines] == [f"controlid:{number}" for number in controlid_ids(0, 2)] + [
        f"servereye:{servereye_ids(0, 1)[0]}"
    ]
    assert [line["outage"] for line in lines] == [None, None, "signed-off=1@5+10"]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of pushd, not only that of Twisted."""
    with pytest.raises(SystemExit) as ended:
        parse("--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"pushd {__version__}, Twisted ")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The help has a sentence for every option, and explains faults and outages."""
    with pytest.raises(SystemExit) as ended:
        parse("--help")
    assert not ended.value.code
    shown = capsys.readouterr().out
    described = [line for line in shown.splitlines() if line.strip().startswith("--")]
    assert all(len(line.split(None, 1)) == 2 for line in described)
    assert {"--server=", "--id=", "--secret=", "--faults=", "--outage="} <= {line.split()[0] for line in described}
    assert all(fault in shown.replace("-\n", "-").replace(" ", "") for fault in ("early-hangup", "slow"))


def test_make_service() -> None:
    """The service is built, and nothing of it runs before it is started."""
    options = Options()
    options.parseOptions(["--controlid=2", "--servereye=3"])
    service = makeService(options)
    assert isinstance(service, Fleet)
    assert len(service.devices) == 5
    assert not service.running


def test_environment() -> None:
    """Each kind of option can be set by a variable; unknown variables are ignored, empty ones count as unset."""
    environ = {
        "PUSHD_CONTROLID": "2",
        "PUSHD_SERVEREYE": "",
        "PUSHD_ID": "controlid=77,servereye=abc",
        "PUSHD_OUTAGE": '["offline=1-2@20+60"]',
        "PUSHD_OBJECT_RESPONSES": "1",
        "PUSHD_RETRY_DELAY": "3",
        "PUSHD_DATA_DIR": "/var/lib/pushd",
    }
    fleet = parse(environ=environ)
    assert fleet.controlid == ("77", *controlid_ids(0, 2))
    assert fleet.servereye == ("abc",)
    assert (fleet.object_responses, fleet.retry_delay) == (True, 3.0)
    assert fleet.outages == (parse_outage("offline=1-2@20+60"),)
    assert parse(environ={"PUSHD_OBJECT_RESPONSES": "0"}).object_responses is False


def test_command_line_wins_over_the_environment() -> None:
    """What is given on the command line replaces a variable; of a list, as a whole."""
    environ = {"PUSHD_CONTROLID": "2", "PUSHD_ID": "controlid=1,controlid=2", "PUSHD_SEED": "nonsense"}
    fleet = parse("--controlid=0", "--id=controlid=77", "--seed=5", environ=environ)
    assert (fleet.controlid, fleet.servereye, fleet.seed) == (("77",), (), 5)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("PUSHD_CONTROLID", "many", "PUSHD_CONTROLID: "),
        ("PUSHD_ID", "door", "PUSHD_ID: "),
        ("PUSHD_ID", "[1]", "PUSHD_ID: must be a JSON array of strings"),
        ("PUSHD_OBJECT_RESPONSES", "yes", "PUSHD_OBJECT_RESPONSES: must be 1 or 0"),
        ("PUSHD_OUTAGE", "offline=9@1", "PUSHD_OUTAGE: "),
    ],
)
def test_wrong_variable_is_named(variable: str, text: str, said: str) -> None:
    """The message names the variable, not an option that was not given."""
    with pytest.raises(SystemExit) as ended:
        parse(environ={variable: text})
    assert str(ended.value.code).startswith(f"pushd-simulate: {said}")


def test_wrong_option_is_not_blamed_on_the_environment() -> None:
    """Where the command line replaces a variable, the message names the option."""
    with pytest.raises(SystemExit, match="--controlid: "):
        parse("--controlid=many", environ={"PUSHD_CONTROLID": "2"})
