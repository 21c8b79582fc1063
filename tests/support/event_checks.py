"""Whether what was told is what its schema says."""

import jsonschema

from app.events import schemas
from app.events.types import TYPES


def check_envelope(envelope):
    """Raises jsonschema.ValidationError; a field that the schema does not name is wrong too."""
    schema = schemas.schema(envelope["type"], int(envelope["dataschema"].rpartition("/")[2]))
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(envelope)
    assert envelope.keys() <= schema["properties"].keys()
    named = TYPES[envelope["type"]].model_fields.keys()
    assert envelope["data"].keys() <= named, envelope
