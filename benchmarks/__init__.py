"""The instrument: what the server can do, beside what people use instead, on the same work and in the same run.

``python -m benchmarks`` runs it; :mod:`benchmarks.__main__` tells how. Nothing of it decides whether tests pass.
"""
