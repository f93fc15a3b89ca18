"""The crash harness: it kills the real server again and again under load, and checks that every promise is kept.

``python -m tests.crash``, or ``make test-crash``, runs it. Simulated devices and an API client record what they see in
journals; the promises are checked against these. Bugs can be planted to show that the checks find them.

After SIGKILL the kernel still writes what the process had handed to it: this shows that no request is answered before
its commit, not that a commit is on the disk. ``--power-cuts`` undoes what was not synced, and ``--disk-failures`` lets
commits fail in between. ``--suspensions`` stops the server between a claim and its answer. All three preload a library
that is compiled for the run.
"""
