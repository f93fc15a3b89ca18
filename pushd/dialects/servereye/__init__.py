"""The protocol of the Server-Eye push service: agents poll, acknowledge, report results and sign off.

``wire`` converts between bytes and values, ``payload`` validates what an operator sends, ``app`` has the routes.
"""
