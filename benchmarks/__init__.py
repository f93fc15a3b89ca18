"""Benchmarks: measure the server, and beside it other servers with the same load in the same run.

``python -m benchmarks``, or ``make bench``, runs them; :mod:`benchmarks.__main__` has the options. No figure decides
whether tests pass.
"""
