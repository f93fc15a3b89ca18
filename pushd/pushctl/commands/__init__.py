"""
The commands of ``pushctl``.
"""
