"""What the other packages know of Control iD."""

from pushd.dialects.controlid import schemas
from pushd.dialects.controlid.catalogue import CATALOGUE, check_parameters
from pushd.dialects.controlid.opening import opening
from pushd.dialects.controlid.payload import check
from pushd.dialects.controlid.result import endpoints
from pushd.dialects.controlid.serial_number import FORM, from_serial, to_serial
from pushd.dialects.controlid.wire import canonical, to_large
from pushd.model.command import LargePayload
from pushd.model.dialect import Dialect, SerialNumbers

CONTROL_ID = Dialect(
    name="controlid",
    lease=60.0,  # no acknowledgement exists: it must cover the work, too
    hold=10.0,  # below the 15 s after which a device gives up unless it was set otherwise
    heartbeat=120.0,  # two of the 60 s that a device rests unless it was set otherwise
    one_at_a_time=True,
    keys=False,
    canonical=canonical,
    serial_numbers=SerialNumbers(from_local=to_serial, to_local=from_serial, form=FORM),
    check=check,
    payload_schema=schemas.PAYLOAD,
    result_schema=schemas.RESULT,
    catalogue=CATALOGUE,
    endpoints=endpoints,
    check_parameters=check_parameters,
    to_large=to_large,
    opening=opening,
    batchable=lambda payload: type(payload) is not LargePayload and "transactions" not in payload,
)
