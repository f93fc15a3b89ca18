"""The crash harness: it kills the real server again and again under load, and checks that every promise is kept.

``python -m tests.crash``, or ``make test-crash``, runs it. Simulated devices and an API client record what they see in
journals; the promises are checked against these. Bugs can be planted to show that the checks find them. After
SIGKILL the kernel still writes what the process had handed to it: a run shows that no request is answered before its
commit, not that a commit is on the disk.
"""
