"""The Control iD "Push" protocol of door readers and turnstiles.

``wire`` converts between bytes and values, ``result`` says what a result means for a command, ``payload`` validates
what an operator sends, ``app`` has the routes.
"""
