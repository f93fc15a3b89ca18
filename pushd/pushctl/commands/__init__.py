"""The commands of ``pushctl``."""
