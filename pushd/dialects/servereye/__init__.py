"""The Server-Eye push service: agents that hold a long poll, acknowledge, report and sign off.

``wire`` is bytes to values and back, pure; ``payload`` checks what an operator sends; ``app`` is the Klein routes.
"""
