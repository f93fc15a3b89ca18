"""What a client was admitted by, compared with what the database has: another process may have changed it since."""

from pushd.model.errors import AdmissionChanged
from pushd.model.token import TokenRevision
from pushd.rules.view import View


def check_device(view: View, device: str, revision: int | None) -> None:
    """Check that a device is as it was when its client was admitted; None: that is not compared.

    :raises AdmissionChanged: if it was changed, or deleted.
    """
    if revision is None:
        return
    found = view.device(device)
    if found is None or found.revision not in (None, revision):
        raise AdmissionChanged


def check_token(view: View, admitted: TokenRevision | None) -> None:
    """Check the same of a token.

    :raises AdmissionChanged: if it was changed, or revoked.
    """
    if admitted is not None and view.token_revision(admitted.token) != admitted.revision:
        raise AdmissionChanged
