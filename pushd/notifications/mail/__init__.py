"""Alert mails."""
