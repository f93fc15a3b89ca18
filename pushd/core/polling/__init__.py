"""Held long polls: registering, waking and ending them, and how long they are held."""
