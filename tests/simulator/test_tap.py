"""The command line of the simulator."""

import json
from pathlib import Path

import pytest
from hyperlink import DecodedURL

from pushd.simulator.faults import Fault
from pushd.simulator.fleet import Fleet
from pushd.simulator.names import controlid_ids, servereye_ids
from pushd.simulator.options import Plan
from pushd.simulator.scenarios import read_mood
from pushd.simulator.tap import Options, makeService


def plan(*arguments: str) -> Plan:
    """What is meant by a command line."""
    options = Options()
    options.parseOptions(arguments)
    return options.plan


def test_defaults() -> None:
    """Without options there is one device of each dialect, and the server is the one that would be started here."""
    assert plan() == Plan(
        server=DecodedURL.from_text("http://127.0.0.1:8080"),
        controlid=controlid_ids(0, 1),
        servereye=servereye_ids(0, 1),
    )


def test_everything(tmp_path: Path) -> None:
    """Every option finds its place in the plan."""
    numbers = [
        "--seed=3",
        "--controlid=2",
        "--servereye=0",
        "--timeout=4",
        "--period=60",
        "--retry-delay=1",
        "--command-duration=0",
    ]
    names = ["--id=controlid=0077", "--secret=controlid:77=s", "--api-key=k", "--base=/controlid/push/"]
    crowd = ["--ramp=2", "--sites=2", "--outage=offline=1@20+60", "--outage=offline=site2@2"]
    rest = ["--server=http://127.0.0.1/x", "--faults=slow=1,lose-result", f"--journal={tmp_path / 'journal'}"]
    assert plan(*numbers, *names, *crowd, *rest) == Plan(
        server=DecodedURL.from_text("http://127.0.0.1/x"),
        controlid=("77", *controlid_ids(3, 2)),
        servereye=(),
        base=("controlid", "push"),
        api_key="k",
        secrets={"controlid:77": "s"},
        seed=3,
        odds={Fault.SLOW: 1.0, Fault.LOSE_RESULT: 0.1},
        timeout=4.0,
        period=60.0,
        retry=1.0,
        work=0.0,
        ramp=2.0,
        sites=2,
        moods=(read_mood("offline=1@20+60"), read_mood("offline=site2@2")),
        journal=tmp_path / "journal",
    )


def test_named_devices() -> None:
    """Devices that are named come instead of those that nobody asked for, and each only once."""
    named = plan("--id=servereye=a", "--id=servereye=b", "--id=servereye=a")
    assert (named.controlid, named.servereye) == ((), ("a", "b"))
    first = controlid_ids(0, 1)[0]
    assert plan(f"--id=controlid={first}", "--controlid=2").controlid == controlid_ids(0, 2)


@pytest.mark.parametrize(
    ("argument", "why"),
    [
        ("--server=h", "--server: 'h' is no"),
        ("--controlid=many", "--controlid: 'many' is no whole number"),
        ("--servereye=-1", "--servereye: '-1' is no whole number"),
        ("--seed=x", "--seed: 'x' is no whole number"),
        ("--id=7", "--id: '7' does not begin with controlid= or servereye="),
        ("--id=controlid=7.5", "--id: A deviceId is"),
        ("--secret=controlid:7=s", "--secret: there is no device controlid:7"),
        ("--faults=flap", "--faults: there is no fault 'flap'"),
        ("--outage=offline", "--outage: 'offline' is not KIND=DEVICES@START+SECONDS, as in"),
        ("--outage=offline=3@1", "--outage: offline=3@1 takes 3 devices, and 2 of 2 are"),
        ("--ramp=x", "--ramp: 'x' is no number"),
        ("--sites=3", "--sites: 3 sites for 2 devices: take fewer"),
        ("--period=0", "--period: must be more than 0"),
        ("--command-duration=-1", "--command-duration: '-1' is no number"),
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
    """What cannot be meant ends the process with exit code 1 and one line that says why."""
    with pytest.raises(SystemExit) as ended:
        plan(argument)
    message = ended.value.code  # a text is printed, and the exit code is 1
    assert isinstance(message, str)
    assert message.startswith(f"pushd-simulate: {why}")
    assert "\n" not in message


def test_sites_need_a_server_on_this_machine() -> None:
    """Devices that connect from loopback addresses can reach no other machine, and are told so."""
    with pytest.raises(SystemExit, match=r"--sites: the server must be on this machine, as in --server http://127"):
        plan("--sites=1", "--server=http://pushd.example")


def test_plan(capsys: pytest.CaptureFixture[str]) -> None:
    """The plan is printed as a line of JSON for each device, and nothing is started."""
    with pytest.raises(SystemExit) as ended:
        plan("--controlid=2", "--servereye=1", "--outage=signed-off=1@5+10", "--dry-run")
    assert ended.value.code == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["device"] for line in lines] == [f"controlid:{number}" for number in controlid_ids(0, 2)] + [
        f"servereye:{servereye_ids(0, 1)[0]}"
    ]
    assert [line["outage"] for line in lines] == [None, None, "signed-off=1@5+10"]


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The help tells of every option in words."""
    with pytest.raises(SystemExit) as ended:
        plan("--help")
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
