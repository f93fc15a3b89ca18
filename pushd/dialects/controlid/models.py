"""The models of Control iD devices, and the action that opens what each of them is at.

Sources: the notes on the protocol (``docs/controlid.rst``), and the field.
"""

from collections.abc import Mapping

MODELS: Mapping[str, str] = {
    "iDAccess": "door",
    "iDFit": "door",
    "iDBox": "door",
    "iDFlex": "sec_box",
    "iDFace": "sec_box",
    "iDAccess Pro": "sec_box",
    "iDAccess Nano": "sec_box",
    "iDBlock": "catra",
}
"""By model: ``door``, ``sec_box`` (an external relay box) or ``catra`` (a turnstile); a device rejects the others."""
