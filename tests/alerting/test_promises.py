"""The judge: a story in which each promise is kept, and others, in each of which one thing is wrong."""

import pytest
from attrs import evolve

from tests.alerting import ledger, promises
from tests.alerting.__main__ import read_options
from tests.alerting.evidence import Evidence
from tests.alerting.planted import BUGS
from tests.alerting.promises import PROMISES, judge
from tests.alerting.receiver import Fate
from tests.alerting.story import (
    ALONE,
    FEED,
    FLAPPING,
    GOOD,
    GROUP,
    HERE,
    LOST,
    MAILS,
    MUTED,
    SETTING,
    SITE,
    STAYS,
    cleared,
    delivery,
    instead,
    offline,
    online,
    raised,
    story,
    without,
)
from tests.crash.api import Json

SPLIT = [raised(20.5, str(10 + place), "offline", [device]) for place, device in enumerate(SITE)]
TOLD_MUTED = raised(27, "4", "offline", [MUTED])

BAD: list[tuple[str, Evidence]] = [
    (promises.ONE, story(without(ALONE, cleared(41, ALONE)))),
    (promises.SITE, story(instead(GROUP, *SPLIT))),
    (ledger.BEHIND, story(instead(GROUP, *SPLIT))),
    (ledger.FLAPS, story(without(FLAPPING, cleared(27, FLAPPING)))),
    (ledger.FLAPS, story(instead(cleared(27, FLAPPING), cleared(25.5, FLAPPING)))),
    (promises.NOBODY_ELSE, story(instead(ALONE, ALONE, TOLD_MUTED))),
    (promises.OFFLINE, story(without(offline(22.5, MUTED), online(42, MUTED)))),
    (promises.OFFLINE, story(instead(offline(22.5, MUTED), offline(25, MUTED)))),
    (promises.PRESENT, story([*FEED, offline(50, STAYS), online(51, STAYS)])),
    (promises.OURS, story(instead(offline(22.5, MUTED), offline(17, MUTED)))),
    (
        ledger.WINDOW,
        story(instead(GROUP, raised(18, "1", "site_offline", SITE, HERE))),
    ),
    (
        ledger.WINDOW,
        story(instead(GROUP, raised(24, "1", "site_offline", SITE, HERE))),
    ),
    (ledger.BEHIND, story(instead(GROUP, raised(20.5, "1", "offline", SITE, HERE)))),
    (ledger.BEHIND, story(instead(ALONE, raised(25, "2", "site_offline", [LOST])))),
    (ledger.OVER, story(without(cleared(40, GROUP)))),
    (
        ledger.OVER,
        story(instead(cleared(40, GROUP), cleared(40.5, GROUP))),
    ),
    (promises.FEED, evolve(GOOD, followed=GOOD.feed[1:3])),
    (promises.FEED, evolve(GOOD, alerts=GOOD.alerts[1:])),
    (
        promises.BROUGHT,
        evolve(GOOD, deliveries=GOOD.deliveries[1:]),
    ),
    (
        promises.BROUGHT,
        evolve(GOOD, deliveries=GOOD.deliveries[::-1]),
    ),
    (promises.MAILED, evolve(GOOD, mails=MAILS[1:])),
    (promises.MAILED, evolve(GOOD, mails=MAILS * 2)),
    (promises.MIDDLE, evolve(GOOD, outage=None)),
    (promises.STANDS, evolve(GOOD, accidents=["Traceback (most recent call last)"])),
    (promises.FLAWLESS, evolve(GOOD, flaws=[{"what": "it cannot be"}])),
]


def broken(evidence: Evidence) -> set[str]:
    """The promises that were not kept."""
    return {breach.promise for breach in judge(SETTING, evidence).breaches}


def test_kept() -> None:
    """A site, one device and one that flaps, told as they should be, break no promise."""
    verdict = judge(SETTING, GOOD)
    assert verdict.breaches == []
    assert (verdict.groups, verdict.waiting_at_kill) == (1, 6)


@pytest.mark.parametrize(("promise", "evidence"), BAD)
def test_broken(promise: str, evidence: Evidence) -> None:
    """A story that breaks a promise is found to."""
    assert promise in broken(evidence)


def test_each_can_be_broken() -> None:
    """There is no promise that no story breaks."""
    assert {promise for promise, _ in BAD} == set(PROMISES)


@pytest.mark.parametrize("fields", [{"genuine": False}, {"id": "evt_0"}, {"fate": Fate.REFUSED}])
def test_deliveries_are_looked_at(fields: Json) -> None:
    """What is not signed, has another id, or was never taken, was not brought."""
    last = delivery(GOOD.deliveries[-1].event, **fields)
    told = evolve(GOOD, deliveries=[*GOOD.deliveries[:-1], last])
    assert broken(told) == {promises.BROUGHT}


def test_a_mail_may_come_again() -> None:
    """One mail may come twice, for it may have been on its way when the server was killed."""
    assert broken(evolve(GOOD, mails=[*MAILS, MAILS[0]])) == set()


def test_bugs_have_names() -> None:
    """A start that blames, one that forgets, a site that is split, and failures taken for thanks can all be
    planted.
    """
    assert set(BUGS) >= {"restart-blames", "restart-forgets", "site-split", "muted-told", "failure-is-delivery"}
    assert read_options(["--plant=site-split"]).plant == "site-split"


@pytest.mark.parametrize("word", ["--plant=none-such", "--lost=11", "--devices=many"])
def test_bad_option(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be asked for is refused at once, in words."""
    with pytest.raises(SystemExit):
        read_options([word])
    assert word.partition("=")[0] in capsys.readouterr().err
