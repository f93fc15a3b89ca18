"""What the harnesses ``tests.crash`` and ``tests.alerting`` share: server processes, the admin API, final checks."""
