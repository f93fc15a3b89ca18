"""Tests of the calls of administrators: tokens, webhooks, secrets, and what the server says of itself."""

from datetime import UTC, datetime, timedelta

import pytest

from pushd.client import (
    Client,
    EventType,
    Forbidden,
    InvalidFields,
    NameTaken,
    NotFound,
    RejectionReason,
    Role,
    Unauthenticated,
    WebhookFormat,
)
from tests.client.conftest import ABSENT, CONTAINER, READER, MakeClient, url_of
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow


def test_life_of_a_token(client: Client, fleet: Server, make_client: MakeClient) -> None:
    """A token is made for a program, limited further, rotated, and revoked."""
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    made = client.tokens.create("lobby", Role.OPERATOR, devices=[READER], endpoints=["open"], expires_at=tomorrow)
    assert (made.role, made.devices, made.endpoints, made.expires_at) == ("operator", (READER,), ("open",), tomorrow)
    assert made.token not in repr(made)
    lobby = make_client(url_of(fleet), made.token)
    assert lobby.open(READER).command.created_by == "lobby"
    assert lobby.info().schema is None
    with pytest.raises(Forbidden):
        list(lobby.audit())
    with pytest.raises(NameTaken):
        client.tokens.create("lobby", Role.VIEWER)
    changed = client.tokens.change(made.id, name="front desk", devices=[READER, CONTAINER], expires_at=None)
    assert (changed.name, changed.devices, changed.expires_at) == ("front desk", (READER, CONTAINER), None)
    assert client.tokens.get(made.id) in list(client.tokens.list())
    rotated = client.tokens.rotate(made.id, overlap=60)
    assert lobby.device(READER).id == make_client(url_of(fleet), rotated.token).device(READER).id
    client.tokens.delete(made.id)
    with pytest.raises(Unauthenticated):
        lobby.device(READER)
    with pytest.raises(NotFound):
        client.tokens.get(made.id)


def test_life_of_a_person(client: Client) -> None:
    """A person is added, invited, limited, and deleted; the name is in use by no token."""
    added = client.people.add("ana", Role.OPERATOR, sites=["Lisbon"])
    assert (added.role, added.sites, added.created_by, added.invited_until) == ("operator", ("Lisbon",), "admin", None)
    invitation = client.people.invite("ana")
    assert invitation.url.startswith("http")
    assert "#" not in repr(invitation)
    invited = client.people.get("ana").invited_until
    assert invited is not None
    assert abs(invited - invitation.expires_at) < timedelta(seconds=2)
    with pytest.raises(NameTaken):
        client.tokens.create("ana", Role.VIEWER)
    changed = client.people.change("ana", role=Role.VIEWER, sites=None, devices=[READER])
    assert (changed.role, changed.sites, changed.devices) == ("viewer", None, (READER,))
    assert [person.name for person in client.people.list()] == ["ana"]
    client.people.delete("ana")
    assert list(client.people.list()) == []


def test_life_of_a_webhook(client: Client) -> None:
    """A webhook is added, tested and changed; its log says what went wrong; it starts again, and is deleted."""
    url = "http://localhost:9/secret-part"
    made = client.webhooks.add(url, types=[EventType.DEVICE_CHANGED], devices=[ABSENT], parallel=2)
    assert made.secret.startswith("whsec_")
    assert made.secret not in repr(made)
    assert (made.url, made.types, made.devices, made.parallel) == (url, ("device.changed",), (ABSENT,), 2)
    answer = client.webhooks.test(made.id)
    assert (answer.status, bool(answer.error)) == (None, True)
    client.change(ABSENT, name="Barrier")
    attempts = until(lambda: list(client.webhooks.deliveries(made.id)), "an attempt is in the log")
    assert attempts[0].error
    changed = client.webhooks.change(made.id, format=WebhookFormat.SLACK, devices=None, include_result=True)
    assert (changed.format, changed.devices, changed.include_result) == ("slack", (), True)
    assert client.webhooks.redeliver(made.id, after="0").disabled_at is None
    assert client.webhooks.new_secret(made.id, overlap=60).secret != made.secret
    assert [webhook.id for webhook in client.webhooks.list()] == [made.id]
    assert client.webhooks.get(made.id).url == url
    client.webhooks.delete(made.id)
    assert list(client.webhooks.list()) == []


def test_audit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit log is read page by page to its end, and continues behind an entry."""
    monkeypatch.setattr("pushd.client.api.MAX_PAGE", 2)
    client.register("servereye:audited")
    for number in range(4):
        client.change("servereye:audited", site=f"Site {number}")
    found = list(client.audit(object="device:servereye:audited"))
    assert [entry.action for entry in found] == ["device.register", *["device.change"] * 4]
    assert [entry.after and entry.after["site"] for entry in found[1:]] == [f"Site {number}" for number in range(4)]
    assert {(entry.by, entry.from_) for entry in found} == {("admin", "127.0.0.1")}
    assert list(client.audit(after=found[2].id, object="device:servereye:audited")) == found[3:]
    assert list(client.audit(by="unused")) == []


def test_secrets_of_devices(client: Client, fleet: Server) -> None:
    """A device is given a secret path or an API key; who comes without is refused, and the refusals are listed."""
    client.register("controlid:4711")
    secret = client.new_device_secret("controlid:4711")
    assert secret.path.endswith(secret.secret)
    client.register("servereye:keyed")
    assert client.new_api_key("servereye:keyed").key
    assert client.device("servereye:keyed").proof == ("api_key",)
    assert fleet.devices.ask("GET /push?deviceId=4711").body == b""
    refused = next(found for found in client.rejections() if found.device == "controlid:4711")
    assert (refused.reason, refused.count) == (RejectionReason.MISSING_PROOF, 1)
    assert refused.remedy
    assert len(client.rejections(limit=1)) == 1
    assert list(client.orphans("controlid:4711")) == []


def test_sites_and_muted_devices(client: Client) -> None:
    """Devices are counted by site, sorted by name, and muted together."""
    for device, name in (("servereye:z", "A"), ("servereye:y", "B")):
        client.register(device, name=name, site="Porto")
    assert [device.id for device in client.devices(sites=["Porto"], sort="name")] == ["servereye:z", "servereye:y"]
    assert next(site.devices for site in client.sites() if site.site == "Porto") == 2
    until_ = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    muted = client.mute(until_, site="Porto")
    assert (sorted(muted.devices), muted.count) == (["servereye:y", "servereye:z"], 2)
    assert client.device("servereye:y").muted_until == until_
    client.mute(None, devices=["servereye:y"])
    assert client.device("servereye:y").muted_until is None
    with pytest.raises(InvalidFields):
        client.mute(None)


def test_server(client: Client) -> None:
    """The server says what it is, and what its devices can be sent."""
    info = client.info()
    assert info.started_at is not None
    assert info.started_at < datetime.now(UTC) + timedelta(seconds=1)
    assert set(info.dialects or ()) == {"controlid", "servereye"}
    assert info.listen is not None
    assert info.listen["admin"]
    restart = {endpoint.name: endpoint for endpoint in client.catalogue("controlid").items}["reboot"]
    assert (restart.class_, restart.delivery) == ("act", "at_most_once")
