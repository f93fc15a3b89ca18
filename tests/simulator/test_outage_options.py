"""Outages: parsed from the command line, and assigned to devices and sites."""

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis.strategies import builds, decimals, integers, none, one_of, sampled_from, text

from pushd.simulator.device import DeviceId
from pushd.simulator.fleet import controlid_ids, servereye_ids
from pushd.simulator.outages import (
    Change,
    DeviceRange,
    Outage,
    OutageKind,
    OutageStep,
    RandomDevices,
    Scenario,
    SiteDevices,
    is_loopback,
    parse_outage,
    site_address,
)

COUNTS = integers(1, 999_999)
SECONDS = decimals(min_value="0.001", max_value=1000, places=3).map(float)

DEVICES = (
    *(DeviceId("controlid", number) for number in controlid_ids(0, 10)),
    *(DeviceId("servereye", container) for container in servereye_ids(0, 10)),
)


def changes(spec: str) -> list[tuple[float, Change]]:
    """What happens in an outage, and when."""
    return [(step.after, step.change) for step in parse_outage(spec).steps()]


def test_offline() -> None:
    """Devices disconnect after some time, and return later."""
    assert parse_outage("offline=300@20+60~5") == Outage(
        spec="offline=300@20+60~5",
        kind=OutageKind.OFFLINE,
        devices=RandomDevices(300),
        start=20,
        duration=60,
        spread=5,
    )
    assert changes("offline=300@20+60~5") == [(20, Change.OFFLINE), (80, Change.BACK)]


def test_for_ever() -> None:
    """Without a duration devices never return."""
    assert changes("offline=1@2.5") == [(2.5, Change.OFFLINE)]
    assert changes("signed-off=1@2") == [(2, Change.SIGNED_OFF)]


def test_sign_off() -> None:
    """Containers sign off, and return."""
    assert changes("signed-off=7@0+0.5") == [(0, Change.SIGNED_OFF), (0.5, Change.BACK)]


def test_flapping() -> None:
    """Flapping devices are offline in the first half of each period, and online at the end."""
    offline, back = Change.OFFLINE, Change.BACK
    assert changes("flapping=2@10+20/10") == [(10, offline), (15, back), (20, offline), (25, back)]
    assert changes("flapping=2@10+12/10") == [(10, offline), (15, back), (20, offline), (22, back)]


def test_devices() -> None:
    """An outage affects a number of devices, a range of positions, or a site."""
    assert parse_outage("offline=12@1").devices == RandomDevices(12)
    assert parse_outage("offline=3-12@1").devices == DeviceRange(3, 12)
    assert parse_outage("offline=site2@1").devices == SiteDevices(2)


@given(
    sampled_from((OutageKind.OFFLINE, OutageKind.SIGNED_OFF)),
    one_of(
        COUNTS.map(str),
        builds("site{}".format, COUNTS),
        builds(lambda first, more: f"{first}-{first + more}", COUNTS, integers(0, 0)),
    ),
    SECONDS,
    one_of(none(), SECONDS),
    SECONDS,
)
def test_parse_any(kind: OutageKind, devices: str, start: float, duration: float | None, spread: float) -> None:
    """Any devices may be offline at any time and for any time, and return over any time."""
    outage = parse_outage(f"{kind}={devices}@{start}" + ("" if duration is None else f"+{duration}~{spread}"))
    assert (outage.kind, outage.start, outage.duration) == (kind, start, duration)
    assert outage.spread == (0 if duration is None else spread)
    first, *rest = outage.steps()
    assert first.after == start
    assert rest == ([] if duration is None else [OutageStep(after=start + duration, change=Change.BACK)])


@given(COUNTS, SECONDS, integers(1, 1000), SECONDS)
def test_flapping_any(count: int, start: float, repeats: int, period: float) -> None:
    """However often a device flaps, it disconnects and returns in turn, and is online in the end."""
    duration = min(repeats * period, 600_000)
    outage = parse_outage(f"flapping={count}@{start}+{duration:.6f}/{period}")
    steps = list(outage.steps())
    assert [step.change for step in steps] == [Change.OFFLINE, Change.BACK] * (len(steps) // 2)
    assert abs(len(steps) / 2 - duration / period) < 1
    moments = [step.after for step in steps]
    assert moments == sorted(moments)
    assert start <= moments[0] <= moments[-1] <= start + duration + 1e-6


@given(text(max_size=20) | text("offlineflappingsited=@+/~-0123456789.", max_size=30))
def test_parse_nonsense(spec: str) -> None:
    """Any text is an outage, or is refused with a message."""
    with suppress(ValueError):
        assert parse_outage(spec).spec == spec


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("", "must be KIND=DEVICES@START.*, not ''"),
        ("offline=3", "as in offline=300@20"),
        ("offline=3@-1", "must be KIND"),
        ("offline=3@1e3", "must be KIND"),
        ("offline=٣@1", "devices must be"),
        ("offline=0@1", "devices must be a number"),
        ("nap=3@1", "unknown kind of outage 'nap'; must be one of offline, signed-off, flapping"),
        ("silent=3@1", "silent is now offline"),
        ("flap=3@1+4/2", "flap is now flapping"),
        ("offline=9-3@1", "lower number: 3-9"),
        ("offline=3@1+0", "more than 0"),
        ("offline=3@700000", "a week"),
        ("offline=3@1+700000", "a week"),
        ("offline=3@1~4", "so it needs +SECONDS"),
        ("offline=3@1+4/2", "only a flapping outage has a /PERIOD"),
        ("flapping=3@1", "as in flapping="),
        ("flapping=3@1+5", "as in flapping="),
        ("flapping=3@1+5/6", "at most its"),
        ("flapping=3@1+5/0", "more than 0"),
        ("flapping=3@1+5000/1", "flap more than 1000 times"),
        ("flapping=3@1+50/10~6", "half its /PERIOD"),
    ],
)
def test_bad_outage(spec: str, why: str) -> None:
    """An outage that is invalid or contradicts itself is refused with the remedy."""
    with pytest.raises(ValueError, match=why.replace("+", r"\+")):
        parse_outage(spec)


def scenario_of(*specs: str, seed: int = 0, sites: int = 0) -> Scenario:
    """Ten readers and ten containers with these outages."""
    return Scenario(devices=DEVICES, outages=[parse_outage(spec) for spec in specs], sites=sites, seed=seed)


def chosen(scenario: Scenario) -> list[list[int]]:
    """The positions of the devices of each outage, in order."""
    positions = {str(device): position for position, device in enumerate(scenario.devices, 1)}
    return [sorted(positions[device] for device in assigned.return_delays) for assigned in scenario.assign()]


def test_ranges_and_sites() -> None:
    """An outage that names a range of devices or a site is assigned to them."""
    assert chosen(scenario_of("offline=2-4@1", "flapping=site3@1+2/1", sites=4)) == [[2, 3, 4], [11, 12, 13, 14, 15]]


def test_seed() -> None:
    """The same seed chooses the same devices, another seed others."""
    assert chosen(scenario_of("offline=6@1", seed=1)) == chosen(scenario_of("offline=6@1", seed=1))
    assert chosen(scenario_of("offline=6@1", seed=1)) != chosen(scenario_of("offline=6@1", seed=2))


def test_choice_is_stable() -> None:
    """The devices of an outage stay the same if another outage follows, or if the outage needs more devices."""
    (alone,) = chosen(scenario_of("offline=6@1"))
    assert chosen(scenario_of("offline=6@1", "flapping=6@1+2/1"))[0] == alone
    assert set(alone) < set(chosen(scenario_of("offline=8@1"))[0])


@given(integers(), integers(1, 9), integers(1, 10))
def test_one_outage_each(seed: int, offline: int, signed_off: int) -> None:
    """With any seed each outage has as many devices as it needs, and no device is in two."""
    scenario = scenario_of(f"offline={offline}@1", f"signed-off={signed_off}@2", "flapping=1@3+4/2", seed=seed)
    if offline + signed_off > 10:  # the offline devices may be containers, which then cannot sign off
        return
    groups = chosen(scenario)
    assert [len(group) for group in groups] == [offline, signed_off, 1]
    positions = [position for group in groups for position in group]
    assert len(set(positions)) == len(positions)


def test_only_containers_sign_off() -> None:
    """Control iD has no sign-off, so only containers are chosen to sign off."""
    assert chosen(scenario_of("signed-off=10@1")) == [list(range(11, 21))]
    assert chosen(scenario_of("signed-off=9-12@1")) == [[11, 12]]


def test_spread() -> None:
    """A return that is spread happens at another moment for each device, always the same."""
    (assigned,) = scenario_of("offline=20@1+2~5").assign()
    assert len(set(assigned.return_delays.values())) == 20
    assert all(0 <= delay < 5 for delay in assigned.return_delays.values())
    assert scenario_of("offline=20@1+2~5").assign() == (assigned,)
    assert set(scenario_of("offline=20@1+2").assign()[0].return_delays.values()) == {0}


@pytest.mark.parametrize(
    ("specs", "why"),
    [
        (
            ["offline=21@1"],
            "needs 21 devices, but only 20 of 20 are not in another outage: choose fewer, or raise --c",
        ),
        (["offline=15@1", "flapping=6@1+2/1"], "needs 6 devices, but only 5 of 20 are not in"),
        (["signed-off=11@1"], "needs 11 containers, but only 10 of 10 are not in another outage: .* --servereye$"),
        (["offline=15-21@1"], "names device 21, but there are only 20"),
        (["offline=site3@1"], "names site 3, but --sites is only 2"),
        (["offline=1-3@1", "flapping=3-4@1+2/1"], "both name controlid:.*: a device can have only one outage"),
        (["signed-off=1-10@1"], "Control iD devices cannot sign off"),
    ],
)
def test_impossible_assignment(specs: list[str], why: str) -> None:
    """Outages that cannot all be assigned are refused with the remedy."""
    with pytest.raises(ValueError, match=why):
        scenario_of(*specs, sites=2).assign()


def test_schedule() -> None:
    """What will happen to each device is known beforehand."""
    devices = [*(DeviceId("controlid", number) for number in "789"), DeviceId("servereye", "c1")]
    outages = [parse_outage("offline=1-1@3+4"), parse_outage("flapping=2-2@3+4/2")]
    lines = list(Scenario(devices=devices, outages=outages, sites=2).schedule())
    assert lines[0] == {
        "device": "controlid:7",
        "place": 1,
        "site": 1,
        "address": "127.0.0.2",
        "outage": "offline=1-1@3+4",
        "changes": [{"after": 3, "did": "went-offline"}, {"after": 7, "did": "came-back"}],
    }
    assert [line["device"] for line in lines] == ["controlid:7", "controlid:8", "controlid:9", "servereye:c1"]
    assert [len(line["changes"]) for line in lines] == [2, 4, 0, 0]
    assert [line["address"] for line in lines] == ["127.0.0.2"] * 2 + ["127.0.0.3"] * 2


def test_schedule_without_sites() -> None:
    """Without sites the address is unknown beforehand."""
    (line,) = Scenario(devices=DEVICES[:1]).schedule()
    assert (line["site"], line["address"], line["outage"]) == (None, None, None)


def test_site_address() -> None:
    """Each site has an address of its own, and none is 127.0.0.1, which everything else on this machine has."""
    assert [site_address(site) for site in (1, 2, 254, 255)] == ["127.0.0.2", "127.0.0.3", "127.0.0.255", "127.0.1.0"]


@given(integers(1, 300).flatmap(lambda devices: integers(1, devices).map(lambda count: (devices, count))))
def test_equal_sites(sizes: tuple[int, int]) -> None:
    """Neighbours share a site, every site has a device, and no site has two more than another."""
    devices, count = sizes
    scenario = Scenario(devices=[DeviceId("controlid", str(number)) for number in range(devices)], sites=count)
    found = [scenario.site(position) or 0 for position in range(1, devices + 1)]
    assert found == sorted(found)
    assert set(found) == set(range(1, count + 1))
    sizes_found = Counter(found).values()
    assert max(sizes_found) - min(sizes_found) <= 1


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("10.0.0.1", False), ("localhost", False), ("", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    """Only a server with a loopback address can be reached from the addresses of sites."""
    assert is_loopback(host) is loopback
