"""Tests of ``/metrics``: what Prometheus reads is what the server does."""

import re
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from pushd.model.token import Role
from tests.connection import request
from tests.docs.pages import page
from tests.in_memory_server import BuildServer, InMemoryServer

Samples = Mapping[str, float]


def samples(text: str) -> Samples:
    """The values of all metrics, by name and labels as ``pushd_devices{presence=online}``."""
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(server: InMemoryServer) -> Samples:
    """What Prometheus reads with a viewer's token."""
    token = server.token_of(Role.VIEWER)
    answer = server.call(request("GET /metrics", b"", f"Authorization: Bearer {token}")).answer()
    assert answer.code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.body.decode())


def test_devices_and_polls(server: InMemoryServer) -> None:
    """Devices are counted by presence, those that wait or are blocked apart, and polls while they are held."""
    server.register("controlid:1")
    server.register("controlid:2", admission="blocked")
    poll = server.device_request(request("GET /push?deviceId=7"))
    server.tick(1)
    found = scrape(server)
    assert {name: found[f"pushd_devices{{presence={name}}}"] for name in ("online", "never_seen", "offline")} == {
        "online": 1,
        "never_seen": 1,
        "offline": 0,
    }
    assert (found["pushd_devices_blocked"], found["pushd_devices_pending"], found["pushd_polls_held"]) == (1, 0, 1)
    poll.hang_up()
    assert scrape(server)["pushd_polls_held"] == 0


def test_commands(server: InMemoryServer) -> None:
    """What is queued now is a gauge, and each state that commands have entered a counter, which only grows."""
    server.register("controlid:7")
    for _ in range(2):
        server.put("controlid:7", {"endpoint": "load_objects"})
    cancelled = server.put("controlid:7", {"endpoint": "load_objects"})
    server.ask(f"POST /v1/commands/{cancelled}/cancel")
    server.device_request(request("GET /push?deviceId=7&uuid=a"))
    server.device_request(request("POST /result?deviceId=7&uuid=a", b'{"response":{}}'))
    found = scrape(server)
    assert found["pushd_commands_queued"] == 1
    assert {
        state: found[f"pushd_command_states_total{{state={state}}}"]
        for state in ("queued", "sent", "succeeded", "cancelled", "failed")
    } == {"queued": 3, "sent": 1, "succeeded": 1, "cancelled": 1, "failed": 0}


def test_rejections(server: InMemoryServer) -> None:
    """Refused requests are counted by reason, also those that are not listed any more."""
    for _ in range(3):
        server.device_request(request("GET /push"))
    server.device_request(request("GET /controlid/push?deviceId=7"))
    server.clock.advance(5)
    found = scrape(server)
    assert found["pushd_rejections_total{reason=no_device_id}"] == 3
    assert found["pushd_rejections_total{reason=wrong_base}"] == 1
    assert found["pushd_rejections_total{reason=blocked}"] == 0


def test_two_servers_count_apart(build_server: BuildServer) -> None:
    """Each server has a registry of its own."""
    first, second = build_server(), build_server()
    first.register("controlid:7")
    first.put("controlid:7", {"endpoint": "load_objects"})
    assert scrape(first)["pushd_command_states_total{state=queued}"] == 1
    assert scrape(second)["pushd_command_states_total{state=queued}"] == 0


def test_who_may_scrape(server: InMemoryServer) -> None:
    """Without a token, or with one that is limited to some devices, there are no metrics."""
    server.call(request("GET /metrics")).answer().problem(401)
    scoped = server.make_token("lobby", Role.VIEWER, sites=("Lobby",))
    server.call(request("GET /metrics", b"", f"Authorization: Bearer {scoped}")).answer().problem(403)


def test_while_the_store_fails(server: InMemoryServer) -> None:
    """If the database cannot be read, that is said; no number is invented."""
    token = server.token_of(Role.VIEWER)
    server.fail_store()
    server.call(request("GET /metrics", b"", f"Authorization: Bearer {token}")).answer().problem(503)


def test_the_page_lists_all(server: InMemoryServer) -> None:
    """The documentation has each metric of the server, and no other."""
    found = {re.sub(r"\{.*|_(bucket|sum|count|created)(?=\{|$).*", "", name) for name in scrape(server)}
    listed = re.findall(r"``(pushd_\w+)(?:\{[\w, ]+\})?``", page("operating"))
    assert sorted(listed) == sorted(name for name in found if name.startswith("pushd_"))
