"""What ``pushctl doctor`` examines: the server, the device port, and one device."""
