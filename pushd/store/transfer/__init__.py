"""Moves a fleet from one database to another, of the other kind."""
