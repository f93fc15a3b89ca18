"""The vigil: a fleet of which some fall silent, a server that is killed meanwhile, and the proof that silence is
noticed.

``python -m tests.alerting``, or ``make vigil``; planted bugs show that it can fail. What really happened is in the
journal of the simulated devices; what was told is what a receiver of webhooks and a mail server were brought.
"""
