"""The house manners of HTTP: bounded bodies, paths, the error table, the site.

This room knows no dialect and no business; it imports the core's errors and the model.
"""
