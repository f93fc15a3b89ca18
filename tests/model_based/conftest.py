"""The Hypothesis profile ``thorough``: ``--hypothesis-profile=thorough`` runs long, with new examples each time."""

from hypothesis import settings

THOROUGH = "thorough"

settings.register_profile(THOROUGH, max_examples=3000, print_blob=True, deadline=None)
