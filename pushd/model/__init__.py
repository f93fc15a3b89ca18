"""Values of the domain: commands and their lifecycle, devices, dialects, events, alerts, webhooks, and errors.

This package does no input or output, and imports only :mod:`pushd.lib`.
"""
