"""The crash harness: the real server is killed again and again, and what devices and an operator wrote down convicts
it.

``python -m tests.crash``, or ``make torture``; planted bugs show that it can. A process that is killed loses what it
had not yet given to the kernel: this proves that nothing is answered before its commit, not that a commit is synced.
"""
