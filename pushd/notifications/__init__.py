"""Notifications to the outside: webhooks, alert mails and the dead man's switch."""
