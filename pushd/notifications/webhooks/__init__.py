"""Webhooks: reading events, signing and delivering them, with retries."""
