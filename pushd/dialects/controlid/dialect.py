"""What the other packages know of Control iD."""

from pushd.dialects.controlid.payload import check
from pushd.dialects.controlid.wire import canonical, to_large
from pushd.model.command import LargePayload
from pushd.model.dialect import Dialect

CONTROL_ID = Dialect(
    name="controlid",
    lease=60.0,  # no acknowledgement exists: it must cover the work, too
    hold=10.0,  # below the 15 s after which a device gives up unless it was set otherwise
    heartbeat=120.0,  # two of the 60 s that a device rests unless it was set otherwise
    one_at_a_time=True,
    keys=False,
    canonical=canonical,
    check=check,
    to_large=to_large,
    batchable=lambda payload: not isinstance(payload, LargePayload) and "transactions" not in payload,
)
