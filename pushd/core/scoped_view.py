"""What a token or a person with a scope sees of devices, commands, events and alerts."""

from collections.abc import Sequence

from attrs import evolve, frozen

from pushd.core.devices.registry import DeviceRegistry, unknown_device
from pushd.model.command import Command, Endpoints
from pushd.model.device import Whereabouts
from pushd.model.errors import NotPermitted
from pushd.model.event import Event, EventType
from pushd.model.token import Scope

_OF_ALERTS = frozenset({EventType.ALERT_RAISED, EventType.ALERT_CLEARED, EventType.ALERT_ACKNOWLEDGED})


@frozen(eq=False)
class ScopedView:
    """A scope over the devices of the registry, as they are now; implements :class:`pushd.store.filters.IView`."""

    scope: Scope
    registry: DeviceRegistry
    name: str
    """Of the token or person, whose own commands are shown whatever they call: ``open`` is not what they call."""

    def covers(self, device: str) -> bool:
        """Whether a device is in scope."""
        return self.registry.is_in_scope(device, self.scope)

    @property
    def only_device(self) -> str | None:
        """The device that is in scope, if at most that one is: its commands are found by an index."""
        devices = self.scope.devices or ()
        return next(iter(devices)) if len(devices) == 1 else None

    def check_device(self, device: str) -> None:
        """Check that a device, whose id is in any spelling, is in scope.

        :raises UnknownDevice: or :exc:`InvalidQuery`, if there is none; if it is not in scope, as if there were none.
        """
        found = self.registry.find(device)
        if not self.scope.covers(found.id, found.site, found.tags):
            raise unknown_device(found.id)

    def check_all_endpoints(self) -> None:
        """Check that the scope has no endpoints, for what is no command.

        :raises NotPermitted: if it has.
        """
        if self.scope.endpoints is not None:
            raise NotPermitted(f"{self.name} is limited to endpoints, and may only use these.")

    def check_endpoints(self, endpoints: Endpoints) -> None:
        """Check that a command that calls these endpoints may be sent.

        :raises NotPermitted: if it may not.
        """
        called = (endpoints,) if isinstance(endpoints, str) else endpoints
        if not self.scope.allows(called):
            allowed = ", ".join(sorted(self.scope.endpoints or ())) or "nothing"
            raise NotPermitted(f"{self.name} may not send {', '.join(called)}; it is limited to: {allowed}.")

    def check_may_open(self) -> None:
        """Check that devices may be opened.

        :raises NotPermitted: if they may not.
        """
        if not self.scope.may_open:
            allowed = ", ".join(sorted(self.scope.endpoints or ())) or "nothing"
            raise NotPermitted(f"{self.name} may not open devices; it is limited to: {allowed}.")

    def shows(self, command: Command) -> bool:
        """Whether a command may be seen."""
        return self.covers(command.device) and (command.created_by == self.name or self._allows(command))

    def check_change(self, command: Command) -> None:
        """Check that a command that may be seen may also be cancelled, resolved or sent again.

        :raises NotPermitted: if it may not.
        """
        if not self._allows(command):
            raise NotPermitted(f"{self.name} may only see this command, which calls what {self.name} may not send.")

    def _allows(self, command: Command) -> bool:
        return self.scope.allows(_called(command.endpoint, command.endpoints))

    def narrow(self, event: Event) -> Event | None:
        """An event as far as it may be seen; None: not at all."""
        if event.type in _OF_ALERTS:
            return self._narrow_alert_event(event)
        if event.device is None or not self._covers_device_of(event, event.device):
            return None
        if self.scope.endpoints is None:
            return event
        if event.type is EventType.RESULT_ORPHANED:
            return None
        if event.command is None or event.by == self.name:
            return event
        called = _called(event.data.get("endpoint"), event.data.get("endpoints"))
        return event if self.scope.allows(called) else None

    def _covers_device_of(self, event: Event, device: str) -> bool:
        """Whether the device of an event is in scope; one that is only being registered, as the event says."""
        where = Whereabouts(event.data.get("site"), tuple(event.data.get("tags", ())))
        return self.registry.is_in_scope(device, self.scope, where)

    def _narrow_alert_event(self, event: Event) -> Event | None:
        """An event of an alert, with those of its devices that are in scope."""
        listed = event.data.get("devices", () if event.device is None else (event.device,))
        devices = [device for device in listed if self.covers(device)]
        if not devices:
            return None
        if len(devices) == event.data.get("count"):
            return event
        data = {**event.data, "devices": devices, "count": len(devices)}
        return evolve(event, data=data)


def _called(endpoint: str | None, endpoints: Sequence[str] | None) -> Sequence[str]:
    """What a command calls, by its fields; empty if that is not known, as of events of an earlier version."""
    return endpoints or () if endpoint is None else (endpoint,)
