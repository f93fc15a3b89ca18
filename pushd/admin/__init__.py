"""The admin API below ``/v1``: HTTP and JSON over the operations of the core.

What becomes of commands and devices is decided in :mod:`pushd.rules` and the core, not here.
"""
