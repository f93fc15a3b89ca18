"""
Alerts about webhooks: a stand-in, which takes part in the transaction of the change and does nothing yet.
"""

from pushd.model.moments import Now
from pushd.store.transaction import ITransaction


def raise_webhook(tx: ITransaction, now: Now, webhook: str) -> None:
    """
    Raise the alert that a webhook was disabled.
    """


def clear_webhook(tx: ITransaction, now: Now, webhook: str) -> None:
    """
    Clear that alert, if it was raised.
    """
