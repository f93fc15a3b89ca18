"""The alerting harness: some devices of a simulated fleet go offline, the server is killed meanwhile, and every alert
is checked.

``python -m tests.alerting``, or ``make test-alerting``, runs it. The journal of the simulated devices has what really
happened; a webhook receiver and a mail server record what was delivered. Bugs can be planted to show that the checks
find them.
"""
