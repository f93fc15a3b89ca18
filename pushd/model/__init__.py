"""The nouns: values, the lifecycle of a command, what a dialect is, and errors in our own words.

This room does no I/O, knows no Twisted, and imports nothing of the other rooms.
"""
