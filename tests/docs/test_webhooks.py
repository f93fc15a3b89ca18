"""What the section about webhooks tells a reader to type does what it says."""

import json

import pytest

from tests.docs.pages import EXAMPLES, example
from tests.docs.terminal import Workspace, free_port

PORT = "9000"
"""The receiver's in the examples; here it is whatever was free."""


@pytest.mark.slow
def test_receiver(workspace: Workspace) -> None:
    """The page's receiver verifies and prints what it is sent, and what it missed is delivered again."""
    port = free_port()
    receiver = (EXAMPLES / "webhooks/receiver.py").read_text("utf-8").replace(PORT, port)
    (workspace.home / "receiver.py").write_text(receiver)
    workspace.start(example("webhooks/start.sh"))
    operator, beside = workspace.terminal(), workspace.terminal()
    subscribe = workspace.here(example("admin/setup.sh") + example("webhooks/subscribe.sh")).replace(PORT, port)
    webhook = json.loads(operator.run(subscribe).text)
    operator.run(workspace.here(example("admin/register.sh")))  # before anybody receives
    beside.run(f"SECRET={webhook['secret']}")
    beside.run(f"{example('webhooks/receive.sh').strip()} > received.txt 2> errors.txt &")
    operator.run(f"WEBHOOK={webhook['id']}")
    while "204" not in (shown := operator.run(workspace.here(example("webhooks/redeliver.sh")))).text:
        assert shown.code == 0
    assert json.loads(operator.run(workspace.here(example("webhooks/test.sh"))).text)["status"] == 204
    assert json.loads(operator.run(workspace.here(example("webhooks/slack.sh"))).text)["format"] == "slack"
    beside.run("kill $!")
    received = (workspace.home / "received.txt").read_text("utf-8").splitlines()
    assert received[0] == "device.registered controlid:4408801109440198 None"
