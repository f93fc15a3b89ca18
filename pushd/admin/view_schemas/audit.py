"""Schemas of what the API shows of the audit log."""

from pushd.admin.json_schema import nullable
from pushd.admin.view_schemas.components import TEXT, component, log_page
from pushd.model.audit import AuditEntry

AUDIT = log_page(
    "AuditLog",
    component(
        "AuditEntry",
        AuditEntry,
        {
            "id": "unique for ever; opaque",
            "at": "when",
            "by": "the name of the token or person; null: it is not known, as of a refused log-in",
            "from": "the IP address of the client",
            "action": "what was done, such as ``device.change``",
            "object": "to what, such as ``device:controlid:4408801109440198``",
            "before": "the changed fields before the change; null if there was nothing before",
            "after": "the same fields after the change; null if nothing is left",
        },
        "address",
        id=TEXT,
        **{"from": nullable(TEXT)},
    ),
)
