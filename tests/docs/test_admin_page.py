"""The page about the admin API lists all that there is, and the server answers as the page shows."""

import json
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module

import pytest
from attrs import evolve, field, fields, frozen

import pushd.admin
from pushd.admin.json_views import INTERNAL
from pushd.core.info import ServerInfo
from pushd.http.router import Router
from pushd.model.alert import Alert
from pushd.model.command import Command
from pushd.model.device import Device, Orphan, QueueDepth
from pushd.model.rejection import Rejection
from pushd.model.token import Token
from pushd.model.webhook import Attempt, Webhook
from tests.docs.pages import EXAMPLES, example, page
from tests.docs.terminal import Shown, Terminal, Workspace, free_port

_CALL = re.compile(r"^``(GET|POST|PATCH|DELETE) (/[^`]*)``$", re.MULTILINE)
_PART = re.compile(r"<[^>]*>|\{[^}]*\}")

_VARYING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "(id)"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "(time)"),
    (re.compile(r"whsec_[\w+/=]+"), "(secret)"),
    (re.compile(r"pushd_\w{39}"), "(secret)"),
    (re.compile(r"(?<![\w-])[\w-]{32}(?![\w-])"), "(secret)"),
    (re.compile(r'"[0-9a-f]{12}-\d+"'), '"(seq)"'),
    (re.compile(r'(?<="duration":)\s*[\d.]+'), "0.001"),
    (re.compile(r'(?<="node":)\s*"[^"]*"'), '"(node)"'),
    (re.compile(r"(?<=other side: )\d+"), "111"),
)
"""What is another each time."""

_VARIABLES = {"command": "COMMAND", "webhook": "WEBHOOK", "token": "LOBBY"}
"""Of what an example makes: the variable that holds its id in those after it."""

_RECEIVER = ":9000/"
"""The receiver's port in the examples."""

_UNSHOWN = ("Cache-Control:", "Content-Length:", "Date:", "Server:")
"""Headers that say nothing about the call."""

_MISS_A_DEVICE = """
curl -H "Authorization: Bearer $TOKEN" $API/v1/devices -d '{"id": "controlid:4711", "heartbeat_timeout": 1}'
curl --max-time 0.1 'http://127.0.0.1:8080/push?deviceId=4711'
curl -H "Authorization: Bearer $TOKEN" "$API/v1/events?type=alert.raised&wait=60"
"""

_USE_A_WRONG_BASE = "curl 'http://127.0.0.1:8080/controlid/push?deviceId=4408801109440198'"

_FIND_ALERT = """
ALERT=$(curl -s -H "Authorization: Bearer $TOKEN" $API/v1/alerts | sed 's/.*"id":"\\([0-9a-f-]*\\)".*/\\1/')
"""

_REPORT_OPENING = """
curl 'http://127.0.0.1:8080/result?deviceId=4408801109440198&uuid=poll-1' -d '{"response": ""}'
"""

_REGISTER_CONTAINER = """curl -H "Authorization: Bearer $TOKEN" $API/v1/devices -d '{"id": "servereye:4f1c2d"}'"""


@frozen(kw_only=True)
class Answer:
    """An answer as it can be compared: its status, its headers, and its JSON."""

    status: str
    headers: frozenset[str]
    body: object

    @classmethod
    def of(cls, text: str) -> "Answer":
        """The answer that a text shows, without what is another each time."""
        for varying, name in _VARYING:
            text = varying.sub(name, text)
        head, _, body = text.partition("\n\n")
        status, *headers = head.splitlines()
        shown = frozenset(header for header in headers if not header.startswith(_UNSHOWN))
        return cls(status=status, headers=shown, body=json.loads(body) if body.strip() else None)


@frozen
class Story:
    """All examples of the page, in an order in which each has what it needs."""

    workspace: Workspace
    operator: Terminal
    device: Terminal
    unheard: str = field(factory=lambda: f":{free_port()}/")
    """The port of a receiver that does not run."""

    def play(self) -> Iterator[tuple[str, Shown]]:
        """Each example's name, and what it shows."""
        self.operator.run(self._text("setup"))
        yield from self._each(
            "healthz", "readyz", "problem-token", "catalogue", "register", "devices", "device", "change"
        )
        yield from self._each("audit")
        yield from self._each("tokens", "token", "limit-token", "rotate-token")
        yield from self._each("problem-field", "send", "cancel", "command", "resend")
        self._run("cancel")  # of what was sent again, which would be handed over first
        self._device_answers("poll-1")
        yield from self._each("send-wait")
        self._device_is_silent("poll-2")
        yield from self._each("send-doubt", "explain", "resolve", "problem-conflict", "commands", "events", "fsck")
        self._device_reports("poll-9")
        yield from self._each("orphans")
        self.device.type(self.workspace.here(example("controlid/poll.sh") + _REPORT_OPENING))
        yield from self._each("open")
        yield from self._each("subscribe", "test-webhook", "test-mail")
        assert "alert.raised" in self.operator.run(self.workspace.here(_MISS_A_DEVICE)).text
        self.operator.run(self.workspace.here(_FIND_ALERT))
        yield from self._each("alerts", "acknowledge", "sites", "mute")
        self.operator.run(self.workspace.here(_USE_A_WRONG_BASE))
        yield from self._each("rejections")
        yield "deliveries", self._once("deliveries", '"seq"')
        self.operator.run(_REGISTER_CONTAINER)
        yield from self._each("secret", "api-key", "forget")

    def _device_answers(self, uuid: str) -> None:
        self._type(uuid, "poll", "result")

    def _device_is_silent(self, uuid: str) -> None:
        self._type(uuid, "poll")

    def _device_reports(self, uuid: str) -> None:
        self._type(uuid, "result")
        for _ in range(3):
            self.device.read()

    def _type(self, uuid: str, *names: str) -> None:
        text = "".join(example(f"controlid/{name}.sh") for name in names)
        self.device.type(self.workspace.here(text.replace("poll-1", uuid)))

    def _each(self, *names: str) -> Iterator[tuple[str, Shown]]:
        for name in names:
            yield name, self._run(name)

    def _once(self, name: str, word: str) -> Shown:
        """Run an example until it shows a word."""
        while word not in (shown := self._run(name)).text:
            assert " 200 OK" in shown.text
        return shown

    def _run(self, name: str) -> Shown:
        """Run an example; the command, webhook or token that it makes, if it does, is the one that those after it are
        about.
        """
        shown = self.operator.run(self._text(name))
        made = re.search(r"^Location: /v1/(\w+)s/(\S+)", shown.text, re.MULTILINE)
        if made is not None and made[1] in _VARIABLES:
            self.operator.run(f"{_VARIABLES[made[1]]}={made[2]}")
        return evolve(shown, text=shown.text.replace(self.unheard, _RECEIVER))

    def _text(self, name: str) -> str:
        return self.workspace.here(example(f"admin/{name}.sh")).replace(_RECEIVER, self.unheard)


@pytest.fixture
def story(workspace: Workspace) -> Story:
    """The page's story, about to begin."""
    workspace.start(f"{example('start.sh').strip()} --alert-window 0 --webhook-allow 127.0.0.1/32")
    return Story(workspace, workspace.terminal(), workspace.terminal())


@pytest.mark.slow
def test_answers(story: Story) -> None:
    """Each example of the page is answered as the page shows."""
    shown_for = {}
    for name, shown in story.play():
        assert Answer.of(shown.text) == Answer.of(example(f"admin/{name}.http")), name
        shown_for[name] = shown
    assert shown_for.keys() == {path.stem for path in EXAMPLES.glob("admin/*.http")}


def test_examples_are_shown() -> None:
    """Each example stands on the page, with its answer."""
    names = {f"admin/{path.name}" for path in (EXAMPLES / "admin").iterdir()}
    assert names == set(re.findall(r"^\.\. literalinclude:: examples/(admin/\S+)", page("admin"), re.MULTILINE))


def _routes() -> Iterator[tuple[str, str]]:
    for module in pkgutil.iter_modules(pushd.admin.__path__, "pushd.admin."):
        for thing in vars(import_module(module.name)).values():
            router = getattr(thing, "router", None)
            for rule in router.url_map.iter_rules() if isinstance(router, Router) else ():
                yield from ((method, _PART.sub("{}", rule.rule)) for method in rule.methods or ())


def test_calls_are_listed() -> None:
    """The page has a section for each call of the admin port, and for nothing else."""
    listed = [(method, _PART.sub("{}", path)) for method, path in _CALL.findall(page("admin"))]
    assert sorted(listed) == sorted({route for route in _routes() if route[0] != "HEAD"})


def test_calls_that_answer_head_say_so() -> None:
    """The section of a call that answers HEAD, too, says so."""
    sections = re.split(r"^``(?=[A-Z]+ /)", page("admin"), flags=re.MULTILINE)
    saying = {section.split("``")[0].partition(" ")[2] for section in sections if "``HEAD``" in section}
    assert saying == {path for method, path in _routes() if method == "HEAD"}


_KINDS = [Alert, Attempt, Command, Device, QueueDepth, Orphan, Rejection, ServerInfo, Token, Webhook]


@pytest.mark.parametrize("kind", _KINDS)
def test_fields_are_listed(kind: type) -> None:
    """The page has a line for each field of what the API shows."""
    listed = set(re.findall(r"^   \* - ``(\w+)``", page("admin"), re.MULTILINE))
    assert {field.name for field in fields(kind)} - set(INTERNAL) <= listed
