"""The page about events names what there is, and its example does what it says."""

import re
import sys
from typing import get_type_hints

import pytest

from pushd.model.event import EventType
from pushd.model.event_data import EVENT_DATA, AlertRaisedData
from tests.docs.pages import example, page
from tests.docs.terminal import Workspace


def test_event_types_are_real() -> None:
    """The page names no type of event that there is not."""
    listed = set(re.findall(r"^   \* - ``(\w+\.\w+)``", page("events"), re.MULTILINE))
    assert listed
    assert listed <= {str(kind) for kind in EventType}


_ROW = re.compile(r"^   \* - ``(\w+\.\w+)``\n     - .*\n     - ?(.*)$", re.MULTILINE)
_COMMON = {"name", "site", "tags", "endpoint", "endpoints", "trace", "suppressed"}
"""What the text below the table says of several types."""


def test_data_is_listed() -> None:
    """The page names the fields that the ``data`` of each type can have."""
    listed: dict[type, set[str]] = {}
    for name, data in _ROW.findall(page("events")):
        fields = get_type_hints(EVENT_DATA[EventType(name)]).keys()
        named = set(re.findall(r"``(\w+)``", data)) & _ALL_FIELDS
        assert named <= fields, name
        same = listed[AlertRaisedData] if data.startswith("the same") else set()
        listed.setdefault(EVENT_DATA[EventType(name)], set()).update(named | same)
    assert {kind: names | _COMMON for kind, names in listed.items()} == {
        kind: get_type_hints(kind).keys() | _COMMON for kind in EVENT_DATA.values()
    }


_ALL_FIELDS = {name for kind in EVENT_DATA.values() for name in get_type_hints(kind)}


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
