"""Devices: admission, credentials, presence, offline detection."""
