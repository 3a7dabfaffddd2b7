"""One request on its way: what is known of it so far, for the one record that is written in the end."""

import msgspec

from keys.records import KeyRecord
from proxy.flow import Body, Call, IncomingRequest, Meter, Plan, Reservation
from proxy.watch import Watch


class Visit(msgspec.Struct):
    """Grows stage by stage; a stage that was not reached leaves None. Written to by the pipeline only.

    A route puts in what each attempt calls: call, body and plan are the last one's; sent_body is the client's own.
    """

    request: IncomingRequest
    key: KeyRecord
    watch: Watch
    call: Call | None = None
    body: Body | None = None
    plan: Plan | None = None
    reservation: Reservation | None = None
    sent_body: Body | None = None
    meter: Meter = msgspec.field(default_factory=Meter)
