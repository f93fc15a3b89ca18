"""Webhooks: reading events, signing and delivering them, retries."""
