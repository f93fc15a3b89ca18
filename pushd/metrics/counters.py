"""What is counted while the server runs, so that it costs the requests nearly nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping

from attrs import define, field
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from pushd.core.devices.rejections import Rejections
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import State
from pushd.model.rejection import RejectionReason
from pushd.store.interface import IStore

ENTERED: Mapping[EventType, State] = {EventType(f"command.{state}"): state for state in State}
"""By the type of an event: the state that a command has entered."""


@define(eq=False)
class Counters(Collector):
    """Counts how often commands have entered each state, and shows that and the rejections to Prometheus."""

    rejections: Rejections
    _states: Counter[State] = field(factory=Counter, init=False)

    def follow(self, store: IStore) -> None:
        """Count the events of commands from now on."""
        store.subscribe(self._on_event, *ENTERED)

    def _on_event(self, event: Event) -> None:
        self._states[ENTERED[event.type]] += 1

    def collect(self) -> Iterator[Metric]:
        """What was counted since the start."""
        states = CounterMetricFamily("pushd_command_states", "Commands that have entered a state.", labels=["state"])
        for state in State:
            states.add_metric([state], self._states[state])
        yield states
        reasons = CounterMetricFamily(
            "pushd_rejections", "Requests that the device port has refused.", labels=["reason"]
        )
        for reason in RejectionReason:
            reasons.add_metric([reason], self.rejections.counts[reason])
        yield reasons
