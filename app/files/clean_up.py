"""Removing uploads that were given up, and parts that nobody needs any more."""

from uuid import UUID

from app.db.database import Database
from app.db.uploads import UploadRow
from app.files.parts import forget_part, parts_of
from app.storage import keys
from app.storage.base import Storage


def clean_up_uploads(db: Database, storage: Storage) -> dict[str, int]:
    """How many uploads were forgotten (seven days without a part), and how many blobs of parts
    that belong to no open upload were removed. The file of a completed one stays.
    """
    with db.cursor() as cursor:
        cursor.execute("DELETE FROM uploads WHERE expires_at < now()")
        forgotten = cursor.rowcount
    # blobs first: an upload whose part is listed had its row before
    owners = {key.split("/")[1] for key in storage.list(keys.PARTS)}
    done = owners - _open(db, owners)
    return {
        "uploads": forgotten,
        "part_blobs": sum(storage.delete(keys.parts(UUID(owner))) for owner in sorted(done)),
    }


def _open(db: Database, owners: set[str]) -> set[str]:
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM uploads WHERE id = ANY(%s) AND state = 'open'",
            ([UUID(owner) for owner in owners],),
        )
        return {str(row["id"]) for row in cursor.fetchall()}


def forget_lost_parts(db: Database, storage: Storage) -> int:
    """After a restore: parts whose blobs the backup lacks are to be sent again; how many.

    An upload that was completed between the dump and the copy of the blobs has none left.
    """
    with db.session() as session:
        uploads = session.query(UploadRow).where(UploadRow.state == "open").all()
    lost = [
        (upload.id, part)
        for upload in uploads
        for part in parts_of(upload)
        if not storage.exists(keys.part(upload.id, part.number, part.blob))
    ]
    for upload_id, part in lost:
        forget_part(db, upload_id, part)
    return len(lost)
