"""What the other packages know of Server-Eye."""

from operator import itemgetter

from pushd.dialects.servereye import schemas
from pushd.dialects.servereye.catalogue import CATALOGUE, check_parameters
from pushd.dialects.servereye.payload import check
from pushd.dialects.servereye.wire import canonical, to_large
from pushd.model.dialect import Dialect

SERVER_EYE = Dialect(
    name="servereye",
    lease=30.0,  # twice the 15 s between the acknowledgements of long work
    hold=45.0,  # what the vendor's clients expect
    heartbeat=1200.0,  # the vendor's own default
    one_at_a_time=False,
    keys=True,
    canonical=canonical,
    check=check,
    payload_schema=schemas.PAYLOAD,
    result_schema=schemas.RESULT,
    catalogue=CATALOGUE,
    endpoints=itemgetter("control"),
    check_parameters=check_parameters,
    to_large=to_large,
)
