"""The plan: what was said on the command line."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen
from hyperlink import DecodedURL

from pushd.simulator import sites
from pushd.simulator.arguments import DeviceId
from pushd.simulator.controlid.device import DIALECT as CONTROLID
from pushd.simulator.faults import Fault
from pushd.simulator.scenarios import Mood
from pushd.simulator.servereye.device import DIALECT as SERVEREYE


@frozen(kw_only=True)
class Plan:
    """Which devices there are, how they behave, and where their server is; durations are in seconds."""

    server: DecodedURL
    controlid: Sequence[str] = ()
    servereye: Sequence[str] = ()
    base: Sequence[str] = ()
    """Segments of the path that Control iD devices put before ``/push`` and ``/result``."""
    api_key: str | None = None
    secrets: Mapping[str, str] = field(factory=dict)
    """By device: the secret that goes into its path."""
    seed: int = 0
    odds: Mapping[Fault, float] = field(factory=dict)
    timeout: float = 15.0
    period: float = 1.0
    retry: float = 10.0
    work: float = 0.2
    ramp: float = 0.0
    """Over how long the devices start."""
    sites: int = 0
    """How many addresses they connect from; 0 if that is left to the system."""
    moods: Sequence[Mood] = ()
    journal: Path | None = None

    @property
    def devices(self) -> tuple[DeviceId, ...]:
        """All devices; a device's place is counted from 1."""
        readers = (DeviceId(CONTROLID, number) for number in self.controlid)
        return (*readers, *(DeviceId(SERVEREYE, container) for container in self.servereye))

    def site(self, place: int) -> int | None:
        """The site of the device at this place, if there are sites."""
        return sites.of(place, len(self.controlid) + len(self.servereye), self.sites) if self.sites else None


def check_sites(plan: Plan) -> None:
    """Whether there can be as many sites as the plan has.

    :raises ValueError: in words for whoever wrote it.
    """
    if plan.sites and not sites.is_near(plan.server.host):
        raise ValueError(
            f"the server must be on this machine, as in --server http://127.0.0.1:8080, not {plan.server.host}"
        )
    if plan.sites > len(plan.devices):
        raise ValueError(f"{plan.sites} sites for {len(plan.devices)} devices: take fewer")
