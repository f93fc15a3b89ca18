"""The cluster harness: several server processes on one PostgreSQL database, behind HAProxy, and thousands of devices.

``python -m tests.cluster`` runs simulated devices and an operator against them, and meanwhile kills nodes, stops them
for longer than their leases, cuts them off from the database, and kills the database. At the end it checks every
promise about commands, as :mod:`tests.crash` does for one server, and about alerts, as :mod:`tests.alerting` does.
"""
