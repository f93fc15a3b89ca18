"""The programs on the page about the Python client do what it says."""

import json
import sys
from textwrap import indent

import pytest

from tests.docs.pages import ROOT, example
from tests.docs.terminal import Terminal, Workspace, free_port

pytestmark = pytest.mark.slow

READER = "controlid:4408801109440198"
PORT = "9000"


def write(workspace: Workspace, name: str) -> str:
    """Write a program of the page; the shell command that runs it."""
    (workspace.home / name).write_text(workspace.here(example(f"client/{name}")))
    return f"{sys.executable} {name}"


def online(workspace: Workspace, operator: Terminal) -> None:
    """Run a simulated reader, and wait until it is connected."""
    workspace.run_beside(f"pushd-simulate --id {READER.replace(':', '=')}")
    operator.run(workspace.here(example("admin/setup.sh")))
    feed = f'curl -H "Authorization: Bearer $TOKEN" "$API/v1/events?type=device.online&device={READER}&wait=60"'
    assert "device.online" in operator.run(feed).text


def test_open_door(workspace: Workspace) -> None:
    """The quickstart opens the door of a reader."""
    workspace.start(example("start.sh"))
    operator = workspace.terminal()
    online(workspace, operator)
    shown = operator.run(write(workspace, "open_door.py"))
    assert (shown.code, shown.text) == (0, "Opened: Main gate reported success.\n")


def test_readme_has_the_quickstart() -> None:
    """The program in the README is the quickstart."""
    _, _, program = example("client/open_door.py").partition("\n\n")
    assert indent(program, "    ") in (ROOT / "README.rst").read_text("utf-8")


def test_failures(workspace: Workspace) -> None:
    """The consumer prints each failure once, also after it was killed and started again."""
    workspace.start(example("start.sh"))
    operator, beside = workspace.terminal(), workspace.terminal()
    online(workspace, operator)
    follow = f"{write(workspace, 'failures.py')} > shown & FOLLOWER=$!"
    fail = (
        f'curl -H "Authorization: Bearer $TOKEN" "$API/v1/devices/{READER}/commands?wait=30"'
        """ -d '{"payload": {"endpoint": "no_such_endpoint"}}'"""
    )
    position = "until [ -s position.txt ]; do sleep 0.05; done; cat shown; kill $FOLLOWER; wait $FOLLOWER"
    beside.type(follow)
    assert json.loads(operator.run(fail).text)["state"] == "failed"
    beside.read()
    first = beside.run(position).text
    assert f"command.failed {READER} no_such_endpoint" in first
    operator.run(fail)
    beside.run("rm -f shown; cp position.txt before")
    beside.run(follow)
    again = beside.run(
        "until ! cmp -s position.txt before; do sleep 0.05; done; cat shown; kill $FOLLOWER; wait $FOLLOWER"
    ).text
    assert again.count("command.failed") == 1
    assert first not in again


def test_onboarding(workspace: Workspace) -> None:
    """The program for administrators makes a token and a webhook, and lists what it did."""
    workspace.start(example("webhooks/start.sh"))
    run = write(workspace, "onboard.py")
    program = workspace.home / "onboard.py"
    program.write_text(program.read_text("utf-8").replace(PORT, free_port()))
    shown = workspace.terminal().run(run)
    assert shown.code == 0
    assert shown.text.startswith("The receiver answered ")
    actions = [line.split()[0] for line in shown.text.splitlines()[1:]]
    assert actions == ["token.add", "webhook.add", "webhook.test"]
    token = workspace.home / "lobby.token"
    assert (token.stat().st_mode & 0o777, (workspace.home / "lobby.secret").read_text()[:6]) == (0o600, "whsec_")


def test_receiver(workspace: Workspace) -> None:
    """The receiver prints a message that the server has signed, and refuses any other."""
    workspace.start(example("webhooks/start.sh"))
    port = free_port()
    run = write(workspace, "receive_webhooks.py")
    program = workspace.home / "receive_webhooks.py"
    program.write_text(program.read_text("utf-8").replace(PORT, port))
    operator, beside = workspace.terminal(), workspace.terminal()
    operator.run(workspace.here(example("admin/setup.sh")))
    subscribed = operator.run(workspace.here(example("webhooks/subscribe.sh")).replace(PORT, port))
    webhook = json.loads(subscribed.text)
    beside.run(f"{run} {webhook['secret']} > received 2> errors & RECEIVER=$!")
    operator.run(f"WEBHOOK={webhook['id']}")
    test = workspace.here(example("webhooks/test.sh"))
    for _ in range(9):  # ten tests a minute are allowed
        if json.loads(operator.run(f"sleep 0.5; {test}").text)["status"] == 204:
            break
    assert operator.run(f"curl -o /dev/null -w '%{{http_code}}' -d '{{}}' http://127.0.0.1:{port}/").text == "401"
    beside.run("kill $RECEIVER")
    assert (workspace.home / "received").read_text("utf-8").startswith("pushd.test None\n")
