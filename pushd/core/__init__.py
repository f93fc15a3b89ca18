"""What the server does, without HTTP: polling, commands, devices, events, alerts, webhooks."""
