"""What `blob_id` and `bucket` may name: files that were sent here, and files of import folders.
Nothing else, and no address: a bucket is never looked for anywhere.
"""

from pathlib import Path
from uuid import UUID

from app.access.principal import Principal
from app.commands.types import OWN_BUCKET
from app.core.errors import FieldError, InvalidInput
from app.core.names import shown
from app.db.files import FileRow
from app.files.importing import import_file
from app.files.uploaded import owned_file
from app.kinds.references import field
from app.resources import Resources


def blob_file(resources: Resources, principal: Principal, blob_id: str, bucket: str) -> FileRow:
    """`retort`, or the name of our own S3 bucket: `blob_id` is the id of a file of the project. The
    name of an import folder: its path below that.

    Raises InvalidInput (`bucket_not_allowed` for any other; `path_not_allowed`), NotFound,
    PayloadTooLarge.
    """
    if bucket in (OWN_BUCKET, resources.settings.s3_bucket):
        return _sent_file(resources, principal, blob_id)
    for root in resources.settings.import_roots:
        if root.name == bucket:
            with field("/blob_id"):
                path = str(root / blob_id)
                return import_file(resources, principal.project_id, path, by=principal.name)
    raise _refused(bucket, resources.settings.import_roots)


def _sent_file(resources: Resources, principal: Principal, blob_id: str) -> FileRow:
    with field("/blob_id"):
        try:
            file_id = UUID(blob_id)
        except ValueError:
            raise InvalidInput(
                f"{shown(blob_id)} is no id of a file",
                remedy="A blob is a file that was sent here: POST /api/v1/files answers its id.",
            ) from None
        with resources.database.session() as session:
            return owned_file(
                session,
                principal.project_id,
                file_id,
                remedy="Send it first: POST /api/v1/files answers the id to name.",
            )


def _refused(bucket: str, roots: tuple[Path, ...]) -> InvalidInput:
    detail = f"blobs are not read from the bucket {shown(bucket)}"
    folders = ", ".join(repr(root.name) for root in roots)
    others = f"; for a file of an import folder write its name ({folders})" if folders else ""
    return InvalidInput(
        detail,
        code="bucket_not_allowed",
        remedy=f"Send the file here (POST /api/v1/files), then write {OWN_BUCKET!r} as the bucket "
        f"and the file's id as blob_id{others}.",
        errors=[FieldError(pointer="/bucket", code="bucket_not_allowed", detail=detail)],
    )
