"""Peers: what people use instead, each a faithful minimal version of it in memory, and one with a database.

Each is a program of its own, ``PROGRAM PORT HOLD``, which listens at 127.0.0.1 and holds polls for so many seconds;
0 is answered at once. They speak our Server-Eye paths: ``GET /push/{container}``, the acks and results below it, and
``POST /v1/devices/servereye:{container}/commands``. They check no token, and keep what is put for a device until its
next poll. All have a long queue of connections, though by themselves most have a short one, with which a crowd takes
minutes. None imports anything of ours.
"""
