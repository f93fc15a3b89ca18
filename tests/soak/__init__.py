"""The soak test: a server under a steady, partly hostile load, and whether anything accumulates or is lost.

``python -m tests.soak``, or ``make test-soak``, runs it. Simulated devices, an operator, webhooks, a mail server and
event streams use the server as it is meant to be used, and fail now and then; hostile clients send what no client
should. Once a second the size of the process is measured. Bugs can be planted to show that the checks find them.
"""
