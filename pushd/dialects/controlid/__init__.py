"""Control iD "Push": door readers and turnstiles.

``wire`` is bytes to values and back, pure; ``payload`` checks what an operator sends; ``app`` is the Klein routes.
"""
