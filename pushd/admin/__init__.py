"""The admin API below ``/v1``: HTTP and JSON over the operations of the core.

Rules about commands and devices are in the core and the store, not here.
"""
