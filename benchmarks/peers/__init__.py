"""The other servers: minimal, faithful programs on common frameworks, all in memory but for one with a database.

Each is a program ``PROGRAM PORT HOLD`` that listens on 127.0.0.1 and holds polls for so many seconds; 0 answers at
once. They implement the Server-Eye paths of pushd (``GET /push/{container}``, acks and results below it) and ``POST
/v1/devices/servereye:{container}/commands``. They check no token, and keep a command until the device's next poll. All
have a long backlog: with a short one, which most have by default, a mass reconnect takes minutes. None imports pushd.
"""
