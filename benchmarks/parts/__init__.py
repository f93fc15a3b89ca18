"""The parts of the benchmarks: each has a ``run(runner)`` that measures one property of all servers."""
