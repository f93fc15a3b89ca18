"""The crash harness: it kills the real server again and again under load, and checks that every promise is kept.

``python -m tests.crash``, or ``make test-crash``, runs it. Simulated devices and an API client record what they see in
journals; the promises are checked against these. Bugs can be planted to show that the checks find them.

After SIGKILL the kernel still writes what the process had handed to it: this shows that no request is answered before
its commit, not that a commit is on the disk. ``--power-cuts`` undoes what was not synced, and ``--disk-failures`` lets
commits fail in between. ``--suspensions`` stops the server between a claim and its answer. All three preload a library
that is compiled for the run.

With ``--store=postgresql`` the server uses a PostgreSQL of the run's own, by way of a proxy which understands what it
forwards. ``--power-cuts`` kills that, with the server and alone; ``--disk-failures`` ends sessions in the middle of a
group, at COMMIT and before its answer, for a moment or until the server has given up; nothing has to be compiled.
"""
