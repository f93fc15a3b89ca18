"""Hypothesis strategies: few different values, so that they collide."""

from hypothesis import strategies as st

from pushd.model.command import Payload
from pushd.model.lifecycle import Delivery
from tests.store.samples import FAILURE, GARBLED, SUCCESS, StubResult

READERS = ("controlid:1", "controlid:2")
CONTAINERS = ("servereye:a", "servereye:b")
DEVICES = READERS + CONTAINERS

readers = st.sampled_from(READERS[:1] * 4 + READERS[1:])
containers = st.sampled_from(CONTAINERS[:1] * 4 + CONTAINERS[1:])
devices = readers | containers
"""One device of each dialect is chosen most often, so that much happens to it; the other may be confused with it."""

seconds = st.sampled_from([1, 5, 10, 30])
"""Durations around leases, deadlines and times to live."""

clock_steps = st.sampled_from([-60, -10, -5, -1, 1, 5, 60])
"""Seconds by which the wall clock is set forward or back."""

uuids = st.sampled_from([None, "u1", "u2", "u3"])
verdicts = st.sampled_from([SUCCESS, FAILURE, GARBLED])
results = st.sampled_from(['{"response":{}}', '{"response":1}'])
endpoints = st.sampled_from(["load_objects", "load_objects", "execute_actions"])

commands = st.fixed_dictionaries(
    {
        "name": devices,
        "endpoint": endpoints,
        "batchable": st.booleans(),
        "later": st.sampled_from([None, None, None, None, 5, 30]),
        "lease": st.sampled_from([5.0, 30.0]),
        "delivery": st.sampled_from([Delivery.AT_LEAST_ONCE, Delivery.AT_MOST_ONCE, Delivery.AT_LEAST_ONCE]),
        "priority": st.integers(4, 6),
        "ttl": st.sampled_from([300, 300, 300, 30, 5]),
        "deadline": st.sampled_from([3600, 60, 4]),
        "max_attempts": st.sampled_from([3, 3, 2, 1]),
        "key": st.sampled_from([None, None, None, "k"]),
        "fingerprint": st.sampled_from([b"1", b"2"]),
        "created_by": st.sampled_from(["admin", "other"]),
    }
)
"""What a sender may ask for; ``later`` is seconds until ``not_before``."""

parts = st.dictionaries(st.integers(1, 3), st.builds(StubResult, verdict=verdicts, result=results))
"""The parts of a result, one for each command of a batch."""

uuid_origins = st.sampled_from(["newest", "newest", "older", "none", "unknown"])
"""Which uuid a result has: that of the newest or of an older attempt, none, or an unknown one."""

results_with_parts = st.builds(
    StubResult,
    endpoint=st.none() | endpoints,
    verdict=verdicts,
    result=results,
    parts=st.none() | parts,
)


def batchable(payload: Payload) -> bool:
    """Whether a command may be sent together with others: the payload says so."""
    return bool(payload["batchable"])
