"""Tests of the checks: the sample run keeps all promises, and each change of it breaks a promise."""

import pytest
from attrs import evolve

from tests.alerting import expected_events, promises
from tests.alerting.__main__ import parse_options
from tests.alerting.observations import Observations
from tests.alerting.planted_bugs import BUGS
from tests.alerting.promises import PROMISES, check_promises
from tests.alerting.sample_run import (
    CLEARED_MAILS,
    CONFIG,
    EVENTS,
    FLAPPING_ALERT,
    GOOD,
    MAILS,
    MUTED,
    OFFLINE,
    OFFLINE_ALERT,
    ONLINE,
    RAISED_MAILS,
    SITE,
    SITE_ADDRESS,
    SITE_ALERT,
    cleared,
    delivery,
    mail,
    observations,
    offline,
    online,
    raised,
    replace,
    without,
)
from tests.harness.admin_api import Json
from tests.harness.receiver import Outcome

SITE_ALONE = [raised(20.5, str(10 + number), "offline", [device]) for number, device in enumerate(SITE)]
MUTED_ALERT = raised(27, "4", "offline", [MUTED])

BAD: list[tuple[str, Observations]] = [
    (promises.ONE_ALERT, observations(without(OFFLINE_ALERT, cleared(41, OFFLINE_ALERT)))),
    (promises.SITE, observations(replace(SITE_ALERT, *SITE_ALONE))),
    (expected_events.GROUPING, observations(replace(SITE_ALERT, *SITE_ALONE))),
    (expected_events.FLAPPING, observations(without(FLAPPING_ALERT, cleared(27, FLAPPING_ALERT)))),
    (expected_events.FLAPPING, observations(replace(cleared(27, FLAPPING_ALERT), cleared(25.5, FLAPPING_ALERT)))),
    (promises.NO_OTHERS, observations(replace(OFFLINE_ALERT, OFFLINE_ALERT, MUTED_ALERT))),
    (promises.DETECTED, observations(without(offline(22.5, MUTED), online(42, MUTED)))),
    (promises.DETECTED, observations(replace(offline(22.5, MUTED), offline(25, MUTED)))),
    (promises.ONLINE, observations([*EVENTS, offline(50, ONLINE), online(51, ONLINE)])),
    (promises.RESTART, observations(replace(offline(22.5, MUTED), offline(17, MUTED)))),
    (
        expected_events.WINDOW,
        observations(replace(SITE_ALERT, raised(18, "1", "site_offline", SITE, SITE_ADDRESS))),
    ),
    (
        expected_events.WINDOW,
        observations(replace(SITE_ALERT, raised(24, "1", "site_offline", SITE, SITE_ADDRESS))),
    ),
    (expected_events.GROUPING, observations(replace(SITE_ALERT, raised(20.5, "1", "offline", SITE, SITE_ADDRESS)))),
    (expected_events.GROUPING, observations(replace(OFFLINE_ALERT, raised(25, "2", "site_offline", [OFFLINE])))),
    (expected_events.CLEARING, observations(without(cleared(40, SITE_ALERT)))),
    (
        expected_events.CLEARING,
        observations(replace(cleared(40, SITE_ALERT), cleared(40.5, SITE_ALERT))),
    ),
    (promises.EVENTS, evolve(GOOD, followed=GOOD.events[1:3])),
    (promises.EVENTS, evolve(GOOD, alerts=GOOD.alerts[1:])),
    (
        promises.DELIVERED,
        evolve(GOOD, deliveries=GOOD.deliveries[1:]),
    ),
    (
        promises.DELIVERED,
        evolve(GOOD, deliveries=GOOD.deliveries[::-1]),
    ),
    (promises.MAILED, evolve(GOOD, mails=RAISED_MAILS)),
    (promises.MAILED, evolve(GOOD, mails=[*MAILS, mail("1", "[pushd] again", ".99")])),
    (promises.MAILED, evolve(GOOD, mails=MAILS * 2)),
    (promises.KILL_TIMING, evolve(GOOD, restart=None)),
    (promises.NO_FAILURES, evolve(GOOD, failures=["Traceback (most recent call last)"])),
    (promises.NO_VIOLATIONS, evolve(GOOD, violations=[{"what": "inconsistent"}])),
]


def broken(found: Observations) -> set[str]:
    """The promises that were broken."""
    return {each.promise for each in check_promises(CONFIG, found).broken}


def test_kept() -> None:
    """Correct alerts about a site, a device and a flapping device break no promise."""
    result = check_promises(CONFIG, GOOD)
    assert result.broken == []
    assert (result.groups, result.pending_at_kill) == (1, 6)


@pytest.mark.parametrize(("promise", "found"), BAD)
def test_broken(promise: str, found: Observations) -> None:
    """Observations that break a promise are found."""
    assert promise in broken(found)


def test_each_can_be_broken() -> None:
    """Every promise is broken by some observations."""
    assert {promise for promise, _ in BAD} == set(PROMISES)


@pytest.mark.parametrize("fields", [{"is_signed": False}, {"id": "evt_0"}, {"outcome": Outcome.REFUSED}])
def test_bad_delivery(fields: Json) -> None:
    """A delivery that is not signed, has a wrong id, or was refused does not count."""
    last = delivery(GOOD.deliveries[-1].event, **fields)
    found = evolve(GOOD, deliveries=[*GOOD.deliveries[:-1], last])
    assert broken(found) == {promises.DELIVERED}


def test_alert_that_was_over_before_it_was_mailed() -> None:
    """An alert that was cleared before its mail could be sent is one mail."""
    assert broken(evolve(GOOD, mails=[RAISED_MAILS[0], *CLEARED_MAILS])) == set()


def test_repeated_mail() -> None:
    """One mail may arrive twice, because it may have been sent just before the server was killed."""
    assert broken(evolve(GOOD, mails=[*MAILS, MAILS[0]])) == set()


def test_bugs_have_names() -> None:
    """Bugs in restarts, in grouping, in muting and in deliveries can be planted."""
    assert set(BUGS) >= {
        "restart-counts-downtime",
        "restart-forgets-pending",
        "site-not-grouped",
        "muted-alerted",
        "failure-counts-as-delivery",
    }
    assert parse_options(["--plant=site-not-grouped"]).plant == "site-not-grouped"


@pytest.mark.parametrize("option", ["--plant=none-such", "--offline=11", "--devices=many"])
def test_bad_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid option is refused with a message that names it."""
    with pytest.raises(SystemExit):
        parse_options([option])
    assert option.partition("=")[0] in capsys.readouterr().err
