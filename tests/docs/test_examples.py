"""What the README and the pages tell a reader to type does what they say."""

import json
import re

import pytest

from pushd.simulator.fleet import controlid_ids, servereye_ids
from tests.docs.pages import DOCS, EXAMPLES, ROOT, bash_blocks, example
from tests.docs.terminal import Terminal, Workspace
from tests.notifications.mail_server import HOST, MailServer
from tests.programs import needs_program

pytestmark = pytest.mark.slow

READER = "controlid:4408801109440198"

_EVENT = (
    'curl -H "Authorization: Bearer $(cat pushd-data/admin.token)" "http://127.0.0.1:8081/v1/events?{query}&wait=60"'
)


def _wait_for(workspace: Workspace, operator: Terminal, kind: str, device: str) -> None:
    """Wait until something has happened to a device."""
    shown = operator.run(workspace.here(_EVENT.format(query=f"type={kind}&device={device}")))
    assert f'"type":"{kind}"' in shown.text


def _handed(device: Terminal, poll: str) -> str:
    """What a poll brings that was typed before; if it ended idle, poll again and again, as a device does."""
    while not (body := device.read().text.partition("\n\n")[2]):
        device.type(poll)
    return body


def test_control_id_by_curl(workspace: Workspace) -> None:
    """Curl alone is a Control iD device that is handed a command and reports, and an operator that reads the
    outcome.
    """
    workspace.start(example("start.sh"))
    device, operator = workspace.terminal(), workspace.terminal()
    poll = workspace.here(example("controlid/poll.sh"))
    device.type(poll)
    _wait_for(workspace, operator, "device.online", READER)
    operator.type(workspace.here(example("controlid/send.sh")))
    assert _handed(device, poll) == '{"endpoint":"load_objects","body":{"object":"users"}}'
    head, _, body = device.run(workspace.here(example("controlid/result.sh"))).text.partition("\n\n")
    assert (head.splitlines()[0], body) == ("HTTP/1.1 200 OK", "")
    command = json.loads(operator.read().text)
    assert (command["state"], command["matched_by"]) == ("succeeded", "uuid")
    assert command["result"] == {"response": {"users": [{"id": 1, "name": "Ada"}]}}


def test_server_eye_by_curl(workspace: Workspace) -> None:
    """Curl alone is a Server-Eye container that acknowledges, reports and signs off, and an operator beside it."""
    workspace.start(example("start.sh"))
    device, operator = workspace.terminal(), workspace.terminal()
    device.type(workspace.here(example("servereye/poll.sh")))
    _wait_for(workspace, operator, "device.online", "servereye:4f1c2d")
    operator.type(workspace.here(example("servereye/send.sh")))
    message = json.loads(device.read().text)
    assert message["success"] is True
    assert (message["data"]["control"], message["data"]["data"]) == ("REFRESH_AGENT", '{"agent":3}')
    for name in ("ack", "result", "signoff"):
        assert json.loads(device.run(workspace.here(example(f"servereye/{name}.sh"))).text)["success"] is True
    command = json.loads(operator.read().text)
    assert (command["state"], command["id"]) == ("succeeded", message["data"]["messageId"])
    assert command["acknowledged_at"] is not None


def test_open_door(workspace: Workspace) -> None:
    """The first example of the README opens the door of a simulated reader, and returns the outcome."""
    workspace.start(example("start.sh"))
    operator = workspace.terminal()
    workspace.run_beside("pushd-simulate --id controlid=4408801109440198")
    _wait_for(workspace, operator, "device.online", READER)
    assert operator.run(example("set-model.sh")).code == 0
    opening = json.loads(operator.run(workspace.here(example("open-door.sh"))).text)
    assert (opening["outcome"], opening["detail"]) == ("opened", f"Opened: {READER} reported success.")
    command = opening["command"]
    assert (command["evidence"], command["idempotency_key"]) == ("device", "ticket-4711")


def test_approval(workspace: Workspace) -> None:
    """A device that waits for its approval is handed what it is sent once it has it, and pushctl tells the outcome."""
    workspace.start(example("quickstart/start.sh"))
    device, operator = workspace.terminal(), workspace.terminal()
    poll = workspace.here(example("controlid/poll.sh"))
    device.type(poll)
    _wait_for(workspace, operator, "device.pending", READER)
    approval = operator.run(example("quickstart/approve.sh"))
    assert approval.code == 0
    assert f"{READER} approved" in approval.text
    operator.type(example("quickstart/send.sh"))
    assert "load_objects" in _handed(device, poll)
    device.run(workspace.here(example("controlid/result.sh")))
    sent = operator.read()
    assert sent.code == 0
    assert re.search(r" succeeded, sent after \d+ ms\n", sent.text)


def test_doubt(workspace: Workspace) -> None:
    """A device that says nothing leaves its command in doubt, and an operator says what became of it."""
    workspace.start(example("start.sh"))
    device, operator = workspace.terminal(), workspace.terminal()
    operator.run(workspace.here(example("admin/setup.sh") + example("admin/register.sh")))
    poll = workspace.here(example("quickstart/poll-again.sh"))
    assert operator.run(example("set-model.sh")).code == 0
    device.type(poll)
    operator.type(example("quickstart/open-door.sh"))
    assert "execute_actions" in _handed(device, poll)
    doubtful = operator.read()
    assert doubtful.code == 4
    match = re.search(r"pushctl resolve (\S+) succeeded$", doubtful.text, re.MULTILINE)
    assert match is not None
    _wait_for(workspace, operator, "command.unknown", READER)
    decided = operator.run(f"COMMAND={match[1]}\n" + example("quickstart/decide.sh"))
    assert decided.code == 0
    assert decided.text.startswith("The command may have run: ")
    assert f"\n{match[1]} succeeded" in decided.text


def test_simulated_devices(workspace: Workspace) -> None:
    """Simulated devices of both dialects are approved, and do what they are sent."""
    workspace.start(example("quickstart/start.sh"))
    operator = workspace.terminal()
    workspace.run_beside(example("quickstart/simulate.sh"))
    for device in ("controlid:4408801109440101", "servereye:0a1b2c"):
        _wait_for(workspace, operator, "device.pending", device)
    operator.run(example("quickstart/approve-simulated.sh"))
    shown = operator.run(example("quickstart/send-simulated.sh"))
    assert shown.code == 0
    assert r"\"name\":\"Ada\"" in shown.text  # the response of a reader is JSON text
    assert '"text": "hello"' in shown.text


def test_simulated_fleet(workspace: Workspace) -> None:
    """The README's simulated devices come online, as many as it says."""
    workspace.start(example("start.sh"))
    operator = workspace.terminal()
    workspace.run_beside(example("simulator.sh"))
    for dialect in ("controlid", "servereye"):
        for device in _simulated(dialect):
            _wait_for(workspace, operator, "device.online", device)


def _simulated(dialect: str) -> list[str]:
    ids = {"controlid": controlid_ids, "servereye": servereye_ids}[dialect](0, 2)
    return [f"{dialect}:{local}" for local in ids]


def test_pushctl(workspace: Workspace) -> None:
    """The README's calls of pushctl list a device, and send it a command."""
    workspace.start(example("start.sh"))
    operator = workspace.terminal()
    operator.run(workspace.here(example("admin/setup.sh") + example("admin/register.sh")))
    shown = operator.run(example("pushctl.sh"))
    assert shown.code == 0
    assert f"\n{READER} " in shown.text
    assert " queued; expires if not sent by " in shown.text


def test_secret_path(workspace: Workspace) -> None:
    """A device that was given a secret is handed its commands below its secret path."""
    workspace.start(example("start.sh"))
    device, operator = workspace.terminal(), workspace.terminal()
    operator.run(workspace.here(example("admin/setup.sh") + example("admin/register.sh")))
    secret = json.loads(operator.run(workspace.here(example("operating/secret.sh"))).text)["secret"]
    operator.run(workspace.here(example("admin/send.sh")))
    device.run(f"SECRET={secret}")
    assert "load_objects" in device.run(workspace.here(example("operating/secret-poll.sh"))).text


def test_provisioned_reader(workspace: Workspace) -> None:
    """A reader that is pointed at the address that was printed for it appears, and describes itself."""
    workspace.start(example("quickstart/start.sh"))
    operator = workspace.terminal()
    shown = operator.run(workspace.here(example("quickstart/provision.sh").replace("192.0.2.10", "127.0.0.1")))
    assert shown.code == 0
    match = re.search(workspace.here(r"Server address  http://127.0.0.1:8080(/d/\S+)"), shown.text)
    assert match is not None
    reader = "controlid:3206485144263533"
    workspace.run_beside(f"pushd-simulate --model iDFlex --id {reader.replace(':', '=')}", match[1])
    _wait_for(workspace, operator, "device.online", reader)
    described = operator.run(example("quickstart/provisioned.sh"))
    assert described.code == 0
    assert "succeeded" in described.text
    assert re.search(r"^proof +secret$", described.text, re.MULTILINE)
    assert re.search(r"^  firmware +simulated\n  mac .*\n  model +iDFlex\n", described.text, re.MULTILINE)


def test_test_mail(workspace: Workspace) -> None:
    """The test mail reaches all recipients, and the answer says so."""
    mail_server = MailServer(replies={"lisbon@example.org": ["550 no such user"]})
    with mail_server.running():
        recipients = (
            "--mail-to ops@example.org --mail-to 'lisbon@example.org;site=Lisbon' --mail-from pushd@example.org"
        )
        workspace.start(f"{example('start.sh').strip()} {recipients} --smtp {HOST}:{mail_server.port}")
        url = workspace.here("http://127.0.0.1:8081")
        shown = workspace.terminal().run(f"export PUSHD_URL={url}\n{example('operating/test-mail.sh')}")
    assert shown.code == 1
    assert [line.split()[1] for line in shown.text.splitlines()] == ["outcome", "accepted", "failed"]
    assert len(mail_server) == 1


def test_backup(workspace: Workspace) -> None:
    """A backup can be made while the server runs."""
    needs_program("sqlite3")
    workspace.start(example("start.sh"))
    assert workspace.terminal().run(example("operating/backup.sh")).code == 0
    assert (workspace.home / "backup.sqlite").stat().st_size > 0


def test_fsck(workspace: Workspace) -> None:
    """The database can be looked through while the server runs, and has no flaws."""
    workspace.start(example("start.sh"))
    assert workspace.terminal().run(example("operating/fsck.sh")).text.splitlines() == ["No inconsistencies."] * 2


def test_readme_blocks_are_examples() -> None:
    """Each block of shell code in the README is one of the examples that are tried here."""
    known = {path.read_text("utf-8").strip() for path in EXAMPLES.rglob("*.sh")}
    blocks = bash_blocks((ROOT / "README.rst").read_text("utf-8"))
    assert blocks
    assert set(blocks) <= known


def test_each_example_is_shown() -> None:
    """Each example stands on some page, and no page holds shell code that is not tried."""
    pages = "".join(path.read_text("utf-8") for path in DOCS.glob("*.rst"))
    shown = set(re.findall(r"^\.\. literalinclude:: examples/(\S+)", pages, re.MULTILINE))
    assert shown == {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.*")}
    assert not bash_blocks(pages)
