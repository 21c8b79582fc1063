"""Events in the words of OSDR's programs (requirements U-01 to U-09): the same facts, for readers
that were written for its messages.
"""

from typing import Any

from app.core.pascal_case import to_pascal
from app.events.envelope import Event, envelope
from app.events.types import TYPES

#: ours -> what OSDR's own code calls it, against its documentation
LEGACY_NAMES = {"PredictionFailed": "PropertiesPredictionFailed"}


def osdr_envelope(event: Event, *, pascal: bool, legacy_names: bool) -> dict[str, Any]:
    """`pascal`: the fields of the data are in PascalCase, with the event's time among them, as no
    reader of OSDR's knows the envelope. Our schema does not describe them then and is not named.
    """
    told = envelope(event)
    if pascal:
        del told["dataschema"]
        told["data"] = {**to_pascal(event.data, TYPES[event.type]), "TimeStamp": told["time"]}
    if legacy_names:
        told["type"] = LEGACY_NAMES.get(event.type, event.type)
    return told
