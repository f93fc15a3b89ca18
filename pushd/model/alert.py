"""
Alerts: what becomes of silence.
"""

from attrs import frozen


@frozen(kw_only=True)
class AlertRules:
    """
    When silence becomes an alert; ``window`` and ``within`` are seconds.
    """

    window: float = 30.0
    together: int = 5
    changes: int = 5
    within: float = 600.0
