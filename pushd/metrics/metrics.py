"""The metrics, in a registry of their own."""

from collections.abc import Mapping
from typing import Self

from attrs import define
from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector, generate_latest

from pushd.core.devices.rejections import Rejections
from pushd.core.info import Info
from pushd.metrics.counters import Counters
from pushd.model.device import PresenceState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text format of Prometheus."""

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds in seconds: an SSD syncs in about a millisecond, a disk in ten."""

_COUNTED = {
    "pending": ("pushd_devices_pending", "Devices that wait for approval."),
    "blocked": ("pushd_devices_blocked", "Devices that are blocked."),
    "polls": ("pushd_polls_held", "Polls that this process holds."),
    "queued": ("pushd_commands_queued", "Commands that are queued."),
    "unknown": ("pushd_commands_unknown", "Commands whose outcome is unknown."),
}
"""Gauges by the names of counts."""


@define(eq=False)
class Metrics:
    """The metrics of a server."""

    info: Info
    registry: CollectorRegistry
    _devices: Gauge
    _gauges: Mapping[str, Gauge]

    @classmethod
    def of(cls, info: Info, rejections: Rejections) -> Self:
        """The metrics of a server, which are counted from now on."""
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        server = Gauge("pushd_info", "The server.", ["version", "node"], registry=registry)
        server.labels(info.server.version, info.server.node).set(1)
        counters = Counters(rejections)
        counters.follow(info.store)
        registry.register(counters)
        commits = Histogram(
            "pushd_commit_seconds", "How long commits to the database took.", buckets=BUCKETS, registry=registry
        )
        info.store.time_commits(commits.observe)
        return cls(
            info=info,
            registry=registry,
            devices=Gauge("pushd_devices", "Approved devices by presence.", ["presence"], registry=registry),
            gauges={name: Gauge(metric, text, registry=registry) for name, (metric, text) in _COUNTED.items()},
        )

    async def render(self) -> bytes:
        """All metrics, in the text format of Prometheus."""
        counts = await self.info.counts()
        for presence in PresenceState:
            self._devices.labels(presence).set(counts[presence])
        for name, gauge in self._gauges.items():
            gauge.set(counts[name])
        return generate_latest(self.registry)
