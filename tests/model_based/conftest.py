"""What the proofs share; ``--hypothesis-profile=thorough`` lets them run for long, with other choices each time."""

from hypothesis import settings

from tests.in_memory_server import build_house
from tests.integration.conftest import make_server

__all__ = ["build_house", "make_server"]

THOROUGH = "thorough"

settings.register_profile(THOROUGH, max_examples=3000, print_blob=True, deadline=None)
