"""Tests of the list of rejections: what it keeps of hostile input, how it is bounded, and its remedies."""

import re
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from pushd.core.clocks import Clocks
from pushd.core.devices.rejections import MAX_PER_SITE, MAX_REJECTIONS, Rejections, SharedRejections
from pushd.core.devices.remedies import remedy
from pushd.lib.url_paths import MAX_PATH
from pushd.model.rejection import Rejection, RejectionReason
from pushd.option_values import read_base
from pushd.store.membership import OnlyProcess
from tests.core.harness import StubClient
from tests.results import result_of

SECRET = b"W8QR-M2ePmVMLvDn1zXyVEBDld6WCIx4"


@pytest.fixture
def rejections(clock: Clock) -> Rejections:
    """An empty list."""
    return make_rejections(clock)


def make_rejections(clock: Clock) -> Rejections:
    """An empty list, which finds the device ``controlid:7`` in the query ``7``."""
    clocks = Clocks(clock, lambda: 1_800_000_000 + clock.seconds())
    return Rejections(clocks, [lambda _path, query: "controlid:7" if query == b"7" else None])


def refused(rejections: Rejections, path: bytes, address: str | None = "192.0.2.1", query: bytes = b"") -> None:
    """A request is refused."""
    client = StubClient(client_address=address, path=path, query=query)
    rejections.refuse(RejectionReason.UNKNOWN_SECRET, client)


def shown(path: bytes) -> str:
    """How a path is listed."""
    rejections = make_rejections(Clock())
    refused(rejections, path)
    return str(only(rejections).path)


def only(rejections: Rejections) -> Rejection:
    """The only rejection."""
    (found,) = rejections.newest()
    return found


def test_equal_rejections_are_counted(rejections: Rejections, clock: Clock) -> None:
    """What is refused again is counted, and has the times when it was refused first and last."""
    refused(rejections, b"/d/a/push")
    first_at = only(rejections).first_at
    clock.advance(60)
    refused(rejections, b"/d/b/push")
    found = only(rejections)
    assert (found.count, found.first_at, found.last_at) == (2, first_at, first_at + 60_000)


def test_newest_is_first(rejections: Rejections) -> None:
    """The list begins with what was refused last."""
    for path in (b"/a", b"/b", b"/c", b"/a"):
        refused(rejections, path)
    assert [found.path for found in rejections.newest()] == ["/a", "/c", "/b"]


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        (b"/push", "/push"),
        (b"//controlid///push", "/controlid/push"),
        (b"/d/short/push", "/d/***/push"),
        (b"/d/" + SECRET + b"/controlid/push", "/d/***/controlid/push"),
        (b"//d//" + SECRET + b"//push", "/d/***/push"),
        (b"/controlid/d/short/push", "/controlid/d/***/push"),
        (b"/" + SECRET + b"/push", "/***/push"),
        (b"/x" + SECRET + b".html/push", "/***/push"),
        (b"/" + b"%41" * 16 + b"/push", "/***/push"),
        (b"/" + b"a" * 15 + b"/push", "/" + "a" * 15 + "/push"),
        (b"/" + b"a" * 16 + b"/push", "/***/push"),
        (b"/d", "/d"),
        (b"/\x7f\x9b2J\xb0/push", r"/\x7f\x9b2J\xb0/push"),
    ],
)
def test_paths_have_no_secrets_and_no_control_characters(path: bytes, listed: str) -> None:
    """Secret paths and all segments that may be secrets are replaced, and what is not printable is escaped."""
    assert shown(path) == listed


@given(st.lists(st.binary(max_size=40), max_size=300).map(b"/".join))
def test_any_path_is_short_and_printable(path: bytes) -> None:
    """Whatever a path is made of, it is listed in at most 128 printable characters, and without long segments."""
    listed = shown(b"/" + path)
    assert len(listed) <= MAX_PATH
    assert listed.isprintable()
    assert not any(re.fullmatch(r"[A-Za-z0-9_-]{16,}", segment) for segment in listed.split("/"))


def test_long_paths_are_cut(rejections: Rejections) -> None:
    """A path of 100 kB takes little memory and little time, of one segment, of many, and percent-encoded."""
    began = perf_counter()
    for path in (b"/" + b"a" * 100_000, b"/a.b" * 25_000, b"/" * 100_000, b"/%41" * 25_000):
        refused(rejections, path)
    assert perf_counter() - began < 1
    assert all(len(found.path or "") <= MAX_PATH for found in rejections.newest())


def test_one_address_has_few(rejections: Rejections) -> None:
    """Of one address only the newest 20 are kept, so that it does not displace what others need."""
    refused(rejections, b"/other", "198.51.100.1")
    for number in range(1000):
        refused(rejections, b"/%d" % number)
    found = rejections.newest()
    assert [rejection.path for rejection in found[:MAX_PER_SITE]] == [f"/{999 - n}" for n in range(MAX_PER_SITE)]
    assert [rejection.path for rejection in found[MAX_PER_SITE:]] == ["/other"]


def test_oldest_of_an_address_is_dropped(rejections: Rejections) -> None:
    """Of one address, that is dropped which was refused longest ago, not what was refused first."""
    for number in (*range(MAX_PER_SITE), 0, MAX_PER_SITE):
        refused(rejections, b"/%d" % number)
    kept = {rejection.path for rejection in rejections.newest()}
    assert kept == {f"/{number}" for number in range(MAX_PER_SITE + 1) if number != 1}


def test_one_ipv6_network_has_few(rejections: Rejections) -> None:
    """All addresses of an IPv6 /64, and those of clients without an address, count as one."""
    for number in range(100):
        refused(rejections, b"/push", f"2001:db8::{number:x}")
        refused(rejections, b"/%d" % number, None)
    assert len(rejections.newest()) == 2 * MAX_PER_SITE


def test_flood_from_many_addresses(rejections: Rejections) -> None:
    """However many addresses are refused, the newest 200 are kept, and nothing else."""
    for number in range(20_000):
        refused(rejections, b"/push", f"10.{number >> 8}.{number & 255}.1")
        refused(rejections, b"/push", f"10.{number >> 9}.{number & 255}.1")
    found = rejections.newest()
    assert len(found) == MAX_REJECTIONS
    assert found[1].address == "10.78.31.1"
    assert sum(map(len, rejections._by_site.values())) == MAX_REJECTIONS
    assert len(rejections._by_site) <= MAX_REJECTIONS


def test_device_that_is_claimed(rejections: Rejections) -> None:
    """A request that is refused before its device is known is listed with the one that it claims to be of."""
    refused(rejections, b"/controlid/push", query=b"7")
    assert only(rejections).device == "controlid:7"


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        (b"/controlid/push", True),
        (b"/a/result", True),
        (b"/a/push/c1", True),
        (b"/a/push/c1/ack/m", True),
        (b"/a/push/c1/result/m", True),
        (b"/a/push/c1/signoff", True),
        (b"//a//push//", True),
        (b"/", False),
        (b"/favicon.ico", False),
        (b"/pushx", False),
        (b"/push/a/b/c", False),
        (b"", False),
        (b"push", False),
    ],
)
def test_only_what_devices_ask_for_is_listed(rejections: Rejections, path: bytes, listed: bool) -> None:
    """An unknown path is listed only if it ends in a call that devices make; scans of the port are not."""
    rejections.not_found(StubClient(path=path), RejectionReason.WRONG_BASE)
    assert bool(rejections.newest()) is listed


REMEDIES = {
    RejectionReason.WRONG_BASE: "did you mean --base /controlid?",
    RejectionReason.NO_DEVICE_ID: "/push?deviceId=<number>",
    RejectionReason.UNKNOWN_SECRET: "pushctl provision controlid:7 --rotate",
    RejectionReason.MISSING_PROOF: "/d/<secret>",
    RejectionReason.WRONG_PROOF: "pushctl provision controlid:7 --rotate",
    RejectionReason.ADDRESS_NOT_ALLOWED: "192.0.2.1 is not in allow_from of controlid:7",
    RejectionReason.BLOCKED: "pushctl approve controlid:7 --unblock",
    RejectionReason.CLOSED: "--admission closed",
    RejectionReason.PUSH_SUFFIX: "ends in /push",
    RejectionReason.PENDING_FULL: "--max-pending",
    RejectionReason.POLLS_FULL: "LimitNOFILE",
    RejectionReason.TLS_ON_PLAIN_PORT: "--devices ssl:",
    RejectionReason.NOT_HTTP: "not an HTTP/1.1 request",
}


@pytest.mark.parametrize("reason", RejectionReason)
def test_remedy_of_each_reason(reason: RejectionReason) -> None:
    """Each reason has a remedy, which names the option, the command or the setting to use."""
    assert REMEDIES[reason] in remedy(reason, "192.0.2.1", "/controlid/push", "controlid:7")
    assert remedy(reason, None, None, None)


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/api/v2/push", "did you mean --base /api/v2? Otherwise take /api/v2 out"),
        ("/d/***/controlid/result", "did you mean --base /controlid?"),
        ("/***/push", "Nothing is served below /***. Otherwise take /*** out"),
        ("/3/push/c", "below /1 and /2: take /3 out"),
        ("/api/push/c/ack/m", "below /1 and /2: take /api out"),
        ("/push/c/ack", "compare the address in the device"),
        ("/$(reboot)/push", "Nothing is served below /$(reboot). Otherwise"),
    ],
)
def test_remedy_of_a_wrong_base(path: str, advice: str) -> None:
    """The remedy of an unknown path names its prefix, and an option that the server would take, safe to paste."""
    assert advice in remedy(RejectionReason.WRONG_BASE, None, path, None)


@given(st.from_regex(r"(/(push|d|1|2|3|[a-z$;~.-]{0,3}))+", fullmatch=True))
def test_suggested_base_can_be_used(prefix: str) -> None:
    """Whatever prefix a remedy suggests, the option takes it, and a shell does nothing else with it."""
    text = remedy(RejectionReason.WRONG_BASE, None, f"{prefix}/push", None)
    suggested = re.search(r"--base (\S*)\?", text)
    if suggested is not None:
        read_base(suggested[1])
        assert not set(suggested[1]) & set("$;&|<>`'\"\\ ()")


@pytest.mark.parametrize("path", ["/push/push", "/push/result", "/controlid/push/push"])
def test_remedy_of_an_address_that_ends_in_push(rejections: Rejections, path: str) -> None:
    """An address that ends in /push is recognised by the path that a reader then asks for."""
    rejections.not_found(StubClient(path=path.encode()), RejectionReason.WRONG_BASE)
    found = only(rejections)
    assert found.reason is RejectionReason.PUSH_SUFFIX
    assert ("--base /controlid?" in found.remedy) is path.startswith("/controlid")


@define(eq=False)
class OtherNode(OnlyProcess):
    """A process whose store tells what another one has refused, and remembers what it is to tell that one."""

    elsewhere: dict[str, list[Rejection]] = field(factory=dict)
    saved: list[list[Rejection]] = field(factory=list)

    def node_name(self) -> str:
        """Its name."""
        return "here"

    def rejections_elsewhere(self) -> Deferred[dict[str, list[Rejection]]]:
        """What the other one has refused."""
        return succeed(self.elsewhere)

    def save_rejections(self, newest: Sequence[Rejection]) -> Deferred[None]:
        """Remember it."""
        self.saved.append([*newest])
        return succeed(None)


def test_rejections_of_several_nodes(rejections: Rejections, clock: Clock) -> None:
    """Those of all nodes are one list, the newest first, each with its node; what is new is shared once."""
    refused(rejections, b"/d/a/push")
    older = only(rejections)
    clock.advance(10)
    refused(rejections, b"/1/d/a/push")
    other: Any = OtherNode({"there": [evolve(older, last_at=older.last_at + 5_000)]})
    shared = SharedRejections(rejections, other, other)
    listed = result_of(Deferred.fromCoroutine(shared.newest()))
    assert [node for node, _ in listed] == ["here", "there", "here"]
    for _ in range(2):
        result_of(Deferred.fromCoroutine(shared.share()))
    assert other.saved == [[*rejections.newest()]]


def test_a_node_that_starts_again_shares_that_nothing_was_refused(rejections: Rejections) -> None:
    """Others may still have what an earlier process with its name has refused."""
    other: Any = OtherNode()
    result_of(Deferred.fromCoroutine(SharedRejections(rejections, other, other).share()))
    assert other.saved == [[]]
