"""The page about events names what there is, and its example does what it says."""

import re
import sys

import pytest

from pushd.model.event import EventType
from tests.docs.pages import example, page
from tests.docs.terminal import Workspace


def test_event_types_are_real() -> None:
    """The page names no type of event that there is not."""
    listed = set(re.findall(r"^   \* - ``(\w+\.\w+)``", page("events"), re.MULTILINE))
    assert listed
    assert listed <= {str(kind) for kind in EventType}


_FOLLOW = f""": > shown
{sys.executable} follow.py >> shown &
timeout 30 bash -c 'until grep -q "" shown && [ -s seen.seq ]; do sleep 0.1; done'
kill $!
cat shown"""


@pytest.mark.slow
def test_consumer(workspace: Workspace) -> None:
    """The consumer prints what went wrong before it was started, and after it was started again goes on behind
    that.
    """
    workspace.start(example("start.sh"))
    operator = workspace.terminal()
    operator.run(workspace.here(example("admin/setup.sh") + "export API TOKEN\n" + example("admin/register.sh")))
    (workspace.home / "follow.py").write_text(example("events/follow.py"))
    for key in ("first", "second"):
        send = example("admin/send.sh").replace('"ttl": 60', '"ttl": 0.001').replace("opening-4711", key)
        sent = operator.run(workspace.here(send))
        command = re.search(r"^Location: /v1/commands/(\S+)", sent.text, re.MULTILINE)
        assert command is not None
        assert operator.run(_FOLLOW).text.split()[1:] == ["command.expired", command[1]]
