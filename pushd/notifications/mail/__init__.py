"""
Alert mails.
"""
