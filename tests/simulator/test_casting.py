"""Who takes part in which mood."""

from typing import Any

import pytest
from hyperlink import DecodedURL
from hypothesis import given
from hypothesis.strategies import integers

from pushd.simulator.casting import cast, check_moods, programme
from pushd.simulator.names import controlid_ids, servereye_ids
from pushd.simulator.options import Plan
from pushd.simulator.scenarios import read_mood

NEAR = DecodedURL.from_text("http://127.0.0.1:8080")


def plan_of(*moods: str, seed: int = 0, **said: Any) -> Plan:
    """A plan of ten readers and ten containers in so many moods."""
    ids = {"controlid": controlid_ids(0, 10), "servereye": servereye_ids(0, 10)}
    return Plan(server=NEAR, seed=seed, moods=[read_mood(mood) for mood in moods], **{**ids, **said})


def chosen(plan: Plan) -> list[list[int]]:
    """The places of the devices in each mood, in order."""
    places = {str(device): place for place, device in enumerate(plan.devices, 1)}
    return [sorted(places[device] for device in part.lags) for part in cast(plan)]


def test_rows_and_sites() -> None:
    """Devices in a row, and those behind one address, take part in the mood that names them."""
    assert chosen(plan_of("offline=2-4@1", "flapping=site3@1+2/1", sites=4)) == [[2, 3, 4], [11, 12, 13, 14, 15]]


def test_seed() -> None:
    """The same seed picks the same devices, another seed others."""
    assert chosen(plan_of("offline=6@1", seed=1)) == chosen(plan_of("offline=6@1", seed=1))
    assert chosen(plan_of("offline=6@1", seed=1)) != chosen(plan_of("offline=6@1", seed=2))


def test_choice_is_stable() -> None:
    """Who is in a mood stays in it when another mood comes after it, or takes more devices with it."""
    (alone,) = chosen(plan_of("offline=6@1"))
    assert chosen(plan_of("offline=6@1", "flapping=6@1+2/1"))[0] == alone
    assert set(alone) < set(chosen(plan_of("offline=8@1"))[0])


@given(integers(), integers(1, 9), integers(1, 10))
def test_one_mood_each(seed: int, silent: int, signed_off: int) -> None:
    """Whatever the seed, each mood has as many devices as it asks for, and no device is in two."""
    plan = plan_of(f"offline={silent}@1", f"signed-off={signed_off}@2", "flapping=1@3+4/2", seed=seed)
    if silent + signed_off > 10:  # the silent ones may be containers, which cannot then sign off
        return
    groups = chosen(plan)
    assert [len(group) for group in groups] == [silent, signed_off, 1]
    everybody = [place for group in groups for place in group]
    assert len(set(everybody)) == len(everybody)


def test_only_containers_sign_off() -> None:
    """Readers have no goodbye, so only containers are picked for one."""
    assert chosen(plan_of("signed-off=10@1")) == [list(range(11, 21))]
    assert chosen(plan_of("signed-off=9-12@1")) == [[11, 12]]


def test_spread() -> None:
    """Who comes back over some seconds has a moment of its own within them, always the same."""
    (part,) = cast(plan_of("offline=20@1+2~5"))
    assert len(set(part.lags.values())) == 20
    assert all(0 <= lag < 5 for lag in part.lags.values())
    assert cast(plan_of("offline=20@1+2~5")) == (part,)
    assert set(cast(plan_of("offline=20@1+2"))[0].lags.values()) == {0}


@pytest.mark.parametrize(
    ("moods", "why"),
    [
        (
            ["offline=21@1"],
            "takes 21 devices, and 20 of 20 are in no other outage: take fewer, or raise --controlid or",
        ),
        (["offline=15@1", "flapping=6@1+2/1"], "takes 6 devices, and 5 of 20 are in no"),
        (["signed-off=11@1"], "takes 11 containers, and 10 of 10 are in no other outage: .* --servereye$"),
        (["offline=15-21@1"], "names device 21, and there are 20"),
        (["offline=site3@1"], "names site 3, and --sites is 2"),
        (["offline=1-3@1", "flapping=3-4@1+2/1"], "both take controlid:.*: a device can have only one outage"),
        (["signed-off=1-10@1"], "Control iD devices cannot sign off"),
        (["offline=1@2"], "begins before all devices have started: say @3 or later"),
    ],
)
def test_bad_casting(moods: list[str], why: str) -> None:
    """Moods that cannot all be played are refused with the remedy."""
    late = [mood.replace("@1", "@4") for mood in moods]
    with pytest.raises(ValueError, match=why):
        check_moods(plan_of(*late, sites=2, ramp=3.0))


def test_programme() -> None:
    """What will become of each device can be told beforehand."""
    plan = plan_of("offline=1-1@3+4", "flapping=2-2@3+4/2", controlid=["7", "8", "9"], servereye=["c1"], sites=2)
    assert next(programme(plan)) == {
        "device": "controlid:7",
        "place": 1,
        "site": 1,
        "address": "127.0.0.2",
        "outage": "offline=1-1@3+4",
        "changes": [{"after": 3, "did": "went-offline"}, {"after": 7, "did": "came-back"}],
    }
    assert [line["device"] for line in programme(plan)] == [
        "controlid:7",
        "controlid:8",
        "controlid:9",
        "servereye:c1",
    ]
    assert [len(line["changes"]) for line in programme(plan)] == [2, 4, 0, 0]
    assert [line["address"] for line in programme(plan)] == ["127.0.0.2"] * 2 + ["127.0.0.3"] * 2


def test_programme_without_sites() -> None:
    """Without sites it is for the system to say from where devices connect."""
    (line,) = programme(plan_of(controlid=["7"], servereye=[]))
    assert (line["site"], line["address"], line["outage"]) == (None, None, None)
