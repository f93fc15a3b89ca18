"""Tests of the recipes: each program of the documentation runs against a server, as its page says."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from attrs import frozen
from standardwebhooks import Webhook

from tests.harness.environment import free_ports
from tests.integration.calls import HOST, TIMEOUT, Port
from tests.integration.conftest import MakeServer
from tests.integration.server import ROOT, Server, environment, until
from tests.integration.simulator import running_simulator
from tests.programs import needs_program, npm_install

pytestmark = [pytest.mark.slow(seconds=30), pytest.mark.timeout(300)]

RECIPES = ROOT / "docs" / "examples" / "recipes"
NUMBER = "4408801109440198"
READER = f"controlid:{NUMBER}"
SIMULATED = (f"--id=controlid={NUMBER}", "--model=iDFlex")
POLL = f"GET /push?deviceId={NUMBER}&uuid=poll"
RESULT = f"POST /result?deviceId={NUMBER}&uuid=poll&endpoint=execute_actions"
NO_ANSWER = "There was no answer: look whether the door has opened."


@contextmanager
def running(log: Path, folder: Path, words: list[str], **variables: str) -> Iterator[None]:
    """Run a program in a folder, with these environment variables, until the block ends; its output is the log."""
    with log.open("wb") as output:
        process = subprocess.Popen(words, cwd=folder, env=os.environ | variables, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    """Whether anything listens on this port."""
    try:
        socket.create_connection((HOST, port), TIMEOUT).close()
    except ConnectionRefusedError:
        return False
    return True


@frozen(kw_only=True)
class WebRecipe:
    """A web application of the page: how it is started on a port, what that needs, and its paths."""

    start: Callable[[int], list[str]]
    program: str = "python3"
    install: Callable[[Path], None] = lambda _: None
    open_path: str = "/open"
    events_path: str = "/events"


APPS = {
    "flask": WebRecipe(start=lambda port: [sys.executable, "-m", "flask", "run", f"--port={port}"]),
    "express": WebRecipe(start=lambda _: ["node", "app.js"], program="node", install=npm_install),
    "php": WebRecipe(
        start=lambda port: ["php", "-S", f"{HOST}:{port}"],
        program="php",
        open_path="/open.php",
        events_path="/events.php",
    ),
}


@frozen(kw_only=True)
class WebApp:
    """A running web application."""

    port: Port
    recipe: WebRecipe
    secret: str
    webhook: str
    log: Path

    def click(self) -> tuple[str, str]:
        """Ask it to open; the outcome, and the sentence."""
        answer = self.port.ask(f"POST {self.recipe.open_path}")
        assert answer.code == 200, (answer.body, self.log.read_text())
        return answer.json["outcome"], answer.json["detail"]

    def receive(self, moment: datetime, signed: bytes, sent: bytes | None = None, **changes: str) -> int:
        """Send it a message that was signed at a moment; the status of its answer."""
        signature = Webhook(self.secret).sign("evt_x", moment, signed.decode())
        headers = {
            "webhook-id": "evt_x",
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": signature,
            "content-type": "application/json",
        } | {name.replace("_", "-"): value for name, value in changes.items()}
        return self.port.ask(f"POST {self.recipe.events_path}", signed if sent is None else sent, **headers).code


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    """A running server that admits any device, and may send webhooks to this machine."""
    return make_server("--webhook-allow=127.0.0.0/8").start()


def web_app(server: Server, folder: Path, name: str, stack: ExitStack) -> WebApp:
    """Start a web application until the stack is closed; its token may open the reader, and nothing else."""
    recipe = APPS[name]
    needs_program(recipe.program)
    shutil.copytree(RECIPES / name, folder)
    recipe.install(folder)
    (number,) = free_ports(1)
    limits = {"name": "web", "role": "operator", "devices": [READER], "endpoints": ["open"]}
    token = server.admin.ask("POST /v1/tokens", limits).json["token"]
    url = f"http://{HOST}:{number}{recipe.events_path}"
    webhook = server.admin.ask("POST /v1/webhooks", {"url": url, "types": ["command.succeeded"]}).json
    log = folder / "app.log"
    variables = {
        "PUSHD_URL": f"http://{HOST}:{server.admin.number}",
        "PUSHD_TOKEN": token,
        "WEBHOOK_SECRET": webhook["secret"],
        "PORT": str(number),
    }
    stack.enter_context(running(log, folder, recipe.start(number), **variables))
    until(lambda: listens(number), f"the application listens: {log.read_text()}")
    return WebApp(port=Port(number), recipe=recipe, secret=webhook["secret"], webhook=webhook["id"], log=log)


def polled(server: Server) -> None:
    """Take the next command, as the reader does."""
    until(lambda: server.devices.ask(POLL).body, "the reader is handed a command")


@pytest.mark.parametrize("name", APPS)
def test_web_application(server: Server, tmp_path: Path, name: str) -> None:
    """A web application says what became of the door, whatever happens, and takes signed messages alone."""
    with ExitStack() as stack:
        app = web_app(server, tmp_path / "app", name, stack)
        outcome, detail = app.click()
        assert (outcome, READER in detail) == ("not_opened", True)  # 404
        with running_simulator(server, *SIMULATED):
            until(lambda: server.polling() == 1, "the simulated reader polls")
            outcome, detail = app.click()
            assert (outcome, "model" in detail) == ("not_opened", True)  # 409
            server.admin.ask(f"PATCH /v1/devices/{READER}", {"facts": {"model": "iDFlex"}})
            assert app.click() == ("opened", f"Opened: {READER} reported success.")
        with ThreadPoolExecutor(1) as person:
            clicked = person.submit(app.click)
            polled(server)
            server.devices.ask(RESULT, {"error": "no power"})
            outcome, detail = clicked.result(TIMEOUT)
            assert (outcome, "no power" in detail) == ("not_opened", True)
            clicked = person.submit(app.click)
            polled(server)
            outcome, detail = clicked.result(TIMEOUT)
            assert (outcome, detail == NO_ANSWER) == (
                "unknown",
                False,
            )  # of the reader; the server knows that it was sent
        sent = server.admin.ask(f"GET /v1/commands?device={READER}").json["items"]
        assert [each["state"] for each in sent] == ["unknown", "failed", "succeeded"]  # never a second attempt
        until(lambda: f"command.succeeded {READER}" in app.log.read_text(), "the message was taken")
        _takes_signed_messages_alone(server, app)
        server.kill()
        assert app.click() == ("unknown", NO_ANSWER)


def _takes_signed_messages_alone(server: Server, app: WebApp) -> None:
    test = server.admin.ask(f"POST /v1/webhooks/{app.webhook}/test").json
    assert (test["status"], test["error"]) == (204, None)
    now, event = datetime.now(UTC), json.dumps({"data": {"type": "t", "device": "d"}}).encode()
    assert app.receive(now, event) == 204
    assert app.receive(now, event, event.replace(b"d", b"e")) == 401
    assert app.receive(now - timedelta(minutes=6), event) == 401
    assert app.receive(now, event, webhook_id="evt_y") == 401
    for signature in ("v1,", "v1", "v1,=?", "v2,abc", "x,y,z"):
        assert app.receive(now, event, webhook_signature=signature) == 401
    assert app.port.ask(f"POST {app.recipe.events_path}", event).code == 401


def _recipe_environment(server: Server) -> Mapping[str, str]:
    return environment() | {"PUSHD_URL": f"http://{HOST}:{server.admin.number}", "PUSHD_TOKEN": server.token}


def test_users_of_ten_readers(server: Server) -> None:
    """The program writes to all readers of a site, names those that failed, and a second run repeats nothing."""

    def sync(run: str) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, str(RECIPES / "sync_users.py"), "Lisbon", run]
        return subprocess.run(
            words, env=_recipe_environment(server), capture_output=True, text=True, timeout=TIMEOUT, check=False
        )

    with running_simulator(server, "--controlid=9"):
        until(lambda: server.polling() == 9, "the simulated readers poll")
        server.admin.ask("POST /v1/devices", {"id": READER})
        for device in server.admin.ask("GET /v1/devices").json["items"]:
            server.admin.ask(f"PATCH /v1/devices/{device['id']}", {"site": "Lisbon"})
        with ThreadPoolExecutor(1) as other:
            first = other.submit(sync, "monday")
            polled(server)
            server.devices.ask(RESULT.replace("execute_actions", "create_or_modify_objects"), {"error": "full"})
            done = first.result(TIMEOUT)
        assert (done.returncode, done.stdout) == (
            1,
            f"{READER}  failed  full\n9 of 10 readers have the users\n",
        ), done.stderr
        assert sync("monday").stdout == done.stdout
        assert len(server.admin.ask("GET /v1/commands").json["items"]) == 10
        assert server.admin.ask(f"DELETE /v1/devices/{READER}").code in (200, 204)
        done = sync("tuesday")
        assert (done.returncode, done.stdout) == (0, "9 of 9 readers have the users\n"), done.stderr


def test_what_happened(server: Server) -> None:
    """What is typed to find out what became of a command names it, its sender and its outcome, both ways."""
    needs_program("bash", "curl")
    server.admin.ask("POST /v1/devices", {"id": READER})
    command = server.send(READER, {"endpoint": "load_objects", "body": {"object": "users"}}, trace="ticket 4711")
    polled(server)
    server.devices.ask(RESULT.replace("execute_actions", "load_objects"), {"error": "no power"})
    pushctl = f'pushctl() {{ {sys.executable} -c "from pushd.pushctl.main import main; main()" "$@"; }}\n'
    variables = {**_recipe_environment(server), "COMMAND": command, "TOKEN": server.token}
    variables["API"] = variables["PUSHD_URL"]

    def typed(name: str) -> str:
        text = f"set -e\n{pushctl}{(RECIPES / name).read_text('utf-8')}"
        return subprocess.check_output(["bash", "-c", text], env=variables, text=True, timeout=TIMEOUT)

    for shown in (typed("what_happened.sh"), typed("what_happened_curl.sh")):
        assert shown.count(command) >= 3
        assert all(words in shown for words in ("no power", "load_objects", "admin"))
    assert "command.failed" in typed("what_happened.sh")


def test_node_red(server: Server, tmp_path: Path) -> None:
    """The flow opens the door in Node-RED, and tells apart what can become of it."""
    npm_install(tmp_path, "node-red")
    (tmp_path / "flow.json").write_text((RECIPES / "node-red" / "flow.json").read_text("utf-8"))
    flow = json.loads((tmp_path / "flow.json").read_text("utf-8"))
    (inject,) = (node["id"] for node in flow if node["type"] == "inject")
    (number,) = free_ports(1)
    words = ["node_modules/.bin/node-red", "--userDir", str(tmp_path), "--port", str(number), "flow.json"]
    variables = {"PUSHD_URL": f"http://{HOST}:{server.admin.number}", "PUSHD_TOKEN": server.token}
    log = tmp_path / "node-red.log"

    def click(name: str, detail: str) -> None:
        before = len(log.read_text())
        assert Port(number).ask(f"POST /inject/{inject}").code == 200
        until(lambda: "[debug:" in log.read_text()[before:], "a node has shown the outcome")
        shown = log.read_text()[before:]
        assert f"[debug:{name}]" in shown
        assert detail in shown

    with running(log, tmp_path, words, **variables):
        until(lambda: "Started flows" in log.read_text(), "Node-RED has started the flow")
        with running_simulator(server, *SIMULATED):
            until(lambda: server.polling() == 1, "the simulated reader polls")
            click("not opened", "model")  # 409
            server.admin.ask(f"PATCH /v1/devices/{READER}", {"facts": {"model": "iDFlex"}})
            click("opened", f"Opened: {READER} reported success.")
        (command,) = server.admin.ask("GET /v1/commands").json["items"]
        assert (command["trace"], command["idempotency_key"] is None) == ("Node-RED", False)
        server.kill()
        click("unknown", NO_ANSWER)


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # it has no types
    """Reads the secrets of Home Assistant."""


def _rendered(script: Mapping[str, Any], name: str, **variables: object) -> str:
    (templates,) = (step["variables"] for step in script["sequence"] if "variables" in step)
    engine = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    engine.filters["from_json"] = json.loads
    return engine.from_string(templates[name]).render(variables).strip()


def test_home_assistant(server: Server) -> None:
    """A server accepts the request of the configuration, and its templates read each answer."""
    secrets = {"pushd_authorization": f"Bearer {server.token}"}
    _Loader.add_constructor("!secret", lambda _, node: secrets[node.value])
    text = (RECIPES / "home-assistant" / "configuration.yaml").read_text("utf-8")
    configuration = yaml.load(text, _Loader)
    (command,) = configuration["rest_command"].values()
    path = command["url"].removeprefix("http://127.0.0.1:8081")

    def click() -> tuple[str, str]:
        headers = {**command["headers"], "content-type": command["content_type"]}
        answer = Port(server.admin.number).ask(f"POST {path}", command["payload"].encode(), **headers)
        is_json = answer.headers["content-type"] == "application/json"
        given = {"status": answer.code, "content": answer.json if is_json else answer.body.decode()}
        return read(answer=given)

    def read(**variables: object) -> tuple[str, str]:
        script = configuration["script"]["open_front_door"]
        return _rendered(script, "outcome", **variables), _rendered(script, "detail", **variables)

    with running_simulator(server, *SIMULATED):
        until(lambda: server.polling() == 1, "the simulated reader polls")
        outcome, detail = click()
        assert (outcome, "model" in detail) == ("not_opened", True)
        server.admin.ask(f"PATCH /v1/devices/{READER}", {"facts": {"model": "iDFlex"}})
        assert click() == ("opened", f"Opened: {READER} reported success.")
    assert read() == ("unknown", NO_ANSWER)
    assert read(answer={"status": 503, "content": ""}) == ("unknown", NO_ANSWER)
