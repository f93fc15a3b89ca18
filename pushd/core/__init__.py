"""The verbs: put, take, acknowledge, settle, and who is here.

This room knows no HTTP; it imports the store and the model.
"""
