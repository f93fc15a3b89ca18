"""What is durable: one seam, :class:`pushd.store.interface.IStore`, and its implementations.

This room imports the model only; the one above it is :mod:`pushd.core`.
"""
