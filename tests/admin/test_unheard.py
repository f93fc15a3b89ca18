"""The ports of a process that does not hear of what other processes change."""

from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred

from pushd.core.devices.device_service import REFUSAL_DELAY
from pushd.model.token import Role
from pushd.store.copies import StoredDevice
from pushd.store.membership import OnlyProcess
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.admin.test_event_stream import stream_events
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.results import result_of
from tests.store import samples
from tests.store.clock import StoreClock


class OneOfSeveral(OnlyProcess):
    """A process that hears of others until the test says that it does not."""

    heard = True
    shared = False

    def is_shared(self) -> bool:
        """Whether devices that are not known are looked for."""
        return self.shared

    def hears(self) -> bool:
        """Whether it hears of what others change."""
        return self.heard


@define(eq=False)
class SharedStore(SqliteStore):
    """A store with other processes."""

    others: OneOfSeveral = field(factory=OneOfSeveral, kw_only=True)
    looking: Deferred[None] = field(factory=Deferred, init=False)
    """Fired by a test when a device that is looked for is found."""

    def stored_device(self, device: str) -> Deferred[StoredDevice | None]:
        """Look for a device."""
        return self.looking.addCallback(lambda _: SqliteStore.stored_device(self, device))

    def membership(self) -> Any:
        """The process among others."""
        return self.others


@pytest.fixture
def others() -> OneOfSeveral:
    """The process among others."""
    return OneOfSeveral()


@pytest.fixture
def server(build_server: BuildServer, others: OneOfSeveral) -> InMemoryServer:
    """A server that shares its store with others."""
    return build_server(SharedStore(MEMORY, now=StoreClock(), others=others))


def test_tokens(server: InMemoryServer, others: OneOfSeveral) -> None:
    """No token is taken, as another process may have revoked it; what needs none is answered."""
    others.heard = False
    answer = server.ask("GET /v1/devices")
    assert answer.code == 503
    assert "cannot know which tokens are valid" in answer.json["detail"]
    assert server.ask("GET /healthz").code == 200
    assert server.ask("GET /readyz").code == 503
    others.heard = True
    assert server.ask("GET /v1/devices").code == 200


def test_request_in_pieces(server: InMemoryServer, others: OneOfSeveral) -> None:
    """A request whose body arrives after its head is answered, too."""
    others.heard = False
    body = b'{"payload": {}}'
    sent = request(
        "POST /v1/devices/controlid:7/commands", body, f"Authorization: Bearer {server.token_of(Role.ADMIN)}"
    )
    connection = server.call(sent[: -len(body)])
    connection.send(body)
    assert connection.answer().code == 503


def test_streams(server: InMemoryServer) -> None:
    """Streams end; a client connects again when the process hears of others again."""
    stream = stream_events(server)
    server.core.feed.end_streams()
    again = stream_events(server)
    for each in (stream, again):
        each.read()
    assert stream.ended
    assert not again.ended


def test_device_with_a_key(server: InMemoryServer, others: OneOfSeveral) -> None:
    """It is refused for now, its polls slowly, as another process may have revoked its key; one without is served."""
    for device in ("servereye:proven", "servereye:plain"):
        server.register(device)
    key = server.ask("POST /v1/devices/servereye:proven/api-key").json["key"]
    proof = f"X-Api-Key: {key}"
    held = server.device_request(request("GET /push/proven", b"", proof))
    others.heard = False
    server.core.device_service.revoke_proven()
    server.clock.advance(REFUSAL_DELAY)
    (idle,) = held.answers()
    assert idle.code == 200
    poll, plain = (
        server.device_request(request(line, b"", proof)) for line in ("GET /push/proven", "GET /push/plain")
    )
    assert poll.answers() == []
    server.clock.advance(REFUSAL_DELAY)
    (refused,) = poll.answers()
    assert refused.code == 503
    (result,) = server.device_request(request("POST /push/proven/result/m", b"{}", proof)).answers()
    assert result.code == 503
    others.heard = True
    again = server.device_request(request("GET /push/proven", b"", proof))
    assert again.answers() == plain.answers() == []


def test_secret_that_may_be_new(server: InMemoryServer, others: OneOfSeveral) -> None:
    """A secret that is not known here may be one that another process has made: it is not said to be wrong."""
    others.heard = False
    poll = server.device_request(request("GET /d/new/push?deviceId=7"))
    server.clock.advance(REFUSAL_DELAY)
    (answer,) = poll.answers()
    assert answer.code == 503
    others.heard = True
    assert server.ask("GET /v1/rejections").json["items"] == []


@pytest.mark.parametrize("what", ["revoked", "unheard"])
def test_while_a_device_is_looked_for(server: InMemoryServer, others: OneOfSeveral, what: str) -> None:
    """A token that was revoked while its request waited for the database changes nothing; nor if that is not known."""
    store: Any = server.core.store
    result_of(store.add_device(samples.device("controlid:8"), False))
    made = server.ask("POST /v1/tokens", {"name": "night", "role": "admin"}).json
    others.shared = True
    night = f"Authorization: Bearer {made['token']}"
    waiting = server.begin_as(night, "PATCH /v1/devices/controlid:8", {"name": "Gate"})
    if what == "revoked":
        assert server.ask(f"DELETE /v1/tokens/{made['id']}").code == 204
    others.heard = what != "unheard"
    store.looking.callback(None)
    assert waiting.answer().code == {"revoked": 401, "unheard": 503}[what]
    stored = result_of(SqliteStore.stored_device(store, "controlid:8"))
    assert stored is not None
    assert stored.device.name == ""
