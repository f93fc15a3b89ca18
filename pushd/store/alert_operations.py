"""Operations about offline devices and alerts."""

from collections.abc import Mapping

from attrs import define
from twisted.internet.defer import Deferred

from pushd.model.alert import Alert, AlertRules
from pushd.model.timestamps import Now
from pushd.store.operation_base import OperationBase
from pushd.store.transactions import alerts, mails, offline


@define(eq=False)
class AlertOperations(OperationBase):
    """The operations of :class:`pushd.store.alert_interface.IAlertStore`."""

    def mark_offline(self, devices: Mapping[str, str | None], rules: AlertRules, now: Now) -> Deferred[None]:
        return self._writer.submit(offline.mark_offline, devices, rules, now)

    def raise_alerts(self, rules: AlertRules, limit: int, now: Now) -> Deferred[int]:
        return self._writer.submit_long(offline.raise_alerts, rules, limit, now)

    def acknowledge_alert(self, alert: int, by: str, now: Now) -> Deferred[Alert]:
        return self._writer.submit(alerts.acknowledge, alert, by, now)

    def alerts(self, is_open: bool | None, before: int | None, limit: int) -> Deferred[list[Alert]]:
        return self._reader.submit(alerts.list_alerts, is_open, before, limit)

    def due_mails(self, limit: int, now: Now) -> Deferred[list[Alert]]:
        return self._reader.submit(mails.due_mails, limit, now)

    def save_mailed(self, alert: int, error: str | None, rules: AlertRules, now: Now) -> Deferred[None]:
        return self._writer.submit(mails.save_mailed, alert, error, rules, now)

    def save_mail_error(self, alert: int, error: str) -> Deferred[None]:
        return self._writer.submit(mails.save_mail_error, alert, error)
