"""Durable storage: the interface :class:`pushd.store.interface.IStore` and its implementations.

This package imports only :mod:`pushd.rules`, :mod:`pushd.model` and :mod:`pushd.lib`.
"""
