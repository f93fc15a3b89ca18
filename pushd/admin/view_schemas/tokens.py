"""Schemas of what the API shows of tokens."""

from pushd.admin.view_schemas.components import BOOLEAN, SECRET, component, extended, page
from pushd.model.token import Token

LIMITS = {
    "devices": "the only devices that it sees; null: any",
    "sites": "the only sites that it sees; null: any",
    "tags": "tags that a device must have, all of them; null: any",
    "endpoints": "the only endpoints that it calls; null: any",
}
TOKEN = component(
    "Token",
    Token,
    {
        "id": "its id, which is no secret",
        "name": "by which people know it",
        "role": "what it allows",
        **LIMITS,
        "expires_at": "when it ends; null: never",
        "last_used_at": "when it was last used",
        "created_by": "the name of the token or person that made it; null: the server did",
        "created_at": "when it was made",
        "file": "whether its secret is in ``admin.token``",
    },
    file=BOOLEAN,
)
TOKENS = page("TokenList", TOKEN)
ISSUED_TOKEN = extended(TOKEN, "IssuedToken", token=SECRET)
