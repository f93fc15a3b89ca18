"""The configuration of a run."""

from pathlib import Path

from attrs import evolve, field, frozen

from pushd.demo.layout import HOST
from pushd.demo.processes import twistd
from tests.harness.config import HarnessConfig

EXAMPLE = Path(__file__).parents[2] / "docs/examples/haproxy.cfg"


HEARTBEAT_TIMEOUT = 12.0
"""Seconds, of the devices that have outages: short, so that many outages are detected during a run."""

PATIENCE = 20.0
"""Seconds, the heartbeat timeout of the other devices that only poll: on a busy machine a poll takes its time."""

ALERT_WINDOW = 2.0

POLL_TIMEOUT = 50.0
"""Seconds, of devices that wait as long as the server holds their polls; it holds them for 45."""

_MAX_WORKERS = 120
_MAX_WITH_OUTAGES = 40
_DEVICES_PER_SECOND = 100
"""How many devices begin to poll in one second."""


@frozen(kw_only=True)
class NodeConfig(HarnessConfig):
    """One node; it has a data directory and a log of its own."""

    name: str
    store: str
    """The URL of the database that all nodes share, by way of this node's network."""

    bugs_module = "tests.cluster.planted_bugs"

    @property
    def data_dir(self) -> Path:
        return self.directory / self.name

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    def server_options(self) -> list[str]:
        """Alerts soon after a device is offline, none for flapping."""
        return [
            f"--store={self.store}",
            "--admission=open",
            "--batch=3",
            f"--trusted-proxy={HOST}/32",
            f"--alert-window={ALERT_WINDOW:g}",
            "--flapping=1000/60",
            *self.notification_options(),
        ]


@frozen(kw_only=True)
class ClusterConfig(HarnessConfig):
    """``devices_port`` and ``admin_port`` are those of the proxy; ``ports`` those of the nodes, in pairs."""

    seconds: float
    """For how long nodes are disturbed."""
    kills: int
    """How many nodes are killed at least, however long that takes."""
    faults: tuple[str, ...]
    """The names of the disturbances that are caused; none: all."""
    postgres_port: int
    ports: tuple[tuple[int, int, int], ...]
    """For each node: those for devices, for operators, and of its network."""
    nodes: tuple[NodeConfig, ...] = field(init=False)

    @nodes.default
    def _make_nodes(self) -> tuple[NodeConfig, ...]:
        return tuple(
            NodeConfig(
                directory=self.directory,
                seed=self.seed,
                devices=self.devices,
                devices_port=devices,
                admin_port=admin,
                smtp_port=self.smtp_port,
                plant=self.plant,
                name=f"node{number}",
                store=url(network),
            )
            for number, (devices, admin, network) in enumerate(self.ports, 1)
        )

    @property
    def store(self) -> str:
        """The URL of the database."""
        return url(self.postgres_port)

    @property
    def log(self) -> Path:
        """The output of the proxy."""
        return self.directory / "haproxy.log"

    @property
    def outages_journal(self) -> Path:
        """When devices really were offline."""
        return self.directory / "outages.jsonl"

    def server_options(self) -> list[str]:
        """A node has options, not the whole."""
        return []

    @property
    def workers(self) -> "ClusterConfig":
        """The configuration of the devices that are sent commands, and have all faults."""
        return evolve(self, devices=min(_MAX_WORKERS, self.devices * 2 // 5))

    @property
    def with_outages(self) -> int:
        """How many devices go offline."""
        return min(_MAX_WITH_OUTAGES, self.devices // 5)

    @property
    def polling(self) -> int:
        """How many devices only poll."""
        return self.devices - self.workers.devices - self.with_outages - len(self.nodes)

    @property
    def absent(self) -> int:
        """How many devices may be offline or between two polls at any time."""
        return self.with_outages + self.workers.devices // 4 + self.devices // 100

    @property
    def fluctuation(self) -> int:
        """By how much the number of polls may vary without a fault: less than what any node holds."""
        return max(self.devices * 3 // 100, (self.workers.devices + self.with_outages) // 6 + 2)

    def simulator_command(self) -> list[str]:
        """The command that starts the devices that only poll."""
        controlid = self.polling // 2
        return [
            *(twistd(), "--nodaemon", "--pidfile=", "pushd-simulate"),
            f"--server=http://{HOST}:{self.devices_port}",
            f"--controlid={controlid}",
            f"--servereye={self.polling - controlid}",
            f"--seed={self.polling_seed}",
            f"--timeout={POLL_TIMEOUT:g}",
            "--retry-delay=2",
            f"--ramp={self.polling / _DEVICES_PER_SECOND:g}",
        ]

    @property
    def polling_seed(self) -> int:
        """The seed of the devices that only poll: other ids than those of others."""
        return self.seed + 1

    def proxy_config(self) -> str:
        """The example of the documentation, with the addresses of this run: all nodes are at one."""
        text = EXAMPLE.read_text("utf-8").replace("check port 8081 ", "").replace("maxconn 50000", "maxconn 9000")
        for number, node in enumerate(self.nodes, 1):
            text = text.replace(f"192.0.2.1{number}:8081", f"{HOST}:{node.admin_port}")
            checked = f"{HOST}:{node.devices_port} check port {node.admin_port}"
            text = text.replace(f"192.0.2.1{number}:8080", checked, 1)  # the other farm has no checks
            text = text.replace(f"192.0.2.1{number}:8080", f"{HOST}:{node.devices_port}")
        return text.replace("bind :8080", f"bind {HOST}:{self.devices_port}").replace(
            "bind :8081", f"bind {HOST}:{self.admin_port}"
        )


def url(port: int) -> str:
    """The URL of the database at a port of this machine: that of PostgreSQL, or of the network of a node."""
    return f"postgresql://postgres@{HOST}:{port}/postgres?sslmode=disable"
