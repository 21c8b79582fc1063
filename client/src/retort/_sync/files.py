# made of _async/files.py by client/generate_sync.py: change that one
"""Files: upload in one go or in parts, list, download."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import httpx

from retort._sync.transport import Transport
from retort.answers import filled
from retort.errors import ConnectionFailed, NotFound, error_of
from retort.landing import Landing
from retort.parts import (
    RESUMABLE_ABOVE,
    Counted,
    OpenUploads,
    Progress,
    missing_parts,
    sha256_of,
)
from retort.patience import backoff
from retort.records import FileRecord, Json, id_of
from retort.tables import Uploadable, uploadable

if TYPE_CHECKING:
    from retort._sync.client import Retort


class Files:
    def __init__(self, client: "Retort") -> None:
        self._client = client

    @property
    def _transport(self) -> Transport:
        return self._client.transport

    def upload(
        self,
        data: Any,
        name: str | None = None,
        *,
        progress: Progress | None = None,
        resumable_above: int = RESUMABLE_ABOVE,
    ) -> FileRecord:
        """Send a file (or a table from memory); equal content is stored once on the server.

        Above `resumable_above` bytes it goes in parts, each with its hash: a break costs one part,
        and the same call again, even from another process, sends only what is missing. A content
        that the server has already is not sent. `progress(done, total)` is called in bytes.
        """
        source = uploadable(data, name)
        if source.size > resumable_above:
            return self._in_parts(source, progress)
        with source.open() as stream:
            counted = Counted(stream, source, progress)
            sent = self._transport.json("POST", "/files", files={"file": (source.name, counted)})
        return FileRecord(sent)

    def get(self, file: Any) -> FileRecord:
        return FileRecord(self._transport.json("GET", f"/files/{id_of(file)}"))

    def content(self, file: Any) -> bytes:
        """The whole file in memory."""
        return (self._transport.request("GET", f"/files/{id_of(file)}/content")).content

    def download(
        self, file: Any, target: str | Path | BinaryIO, *, progress: Progress | None = None
    ) -> None:
        """Write the file to a path or an open stream. A break is continued where it was; the hash
        is checked. A path holds the whole file or what it held before. Raises HashMismatch.
        """
        about = self.get(file)
        self._download(f"/files/{about.id}/content", target, about, progress)

    def uploads_get(self, upload: Any) -> Json:
        """An upload in parts: its state, and the parts that have arrived."""
        found: Json = self._transport.json("GET", f"/files/uploads/{id_of(upload)}")
        return found

    def uploads_abort(self, upload: Any) -> None:
        """Give an upload up; its parts are removed."""
        self._transport.request("DELETE", f"/files/uploads/{id_of(upload)}")

    def list(self, limit: int | None = None) -> Iterator[FileRecord]:
        """Newest first."""
        for item in self._transport.pages("/files", {"limit": limit}):
            yield FileRecord(item)

    def _in_parts(self, source: Uploadable, progress: Progress | None) -> FileRecord:
        sha256 = sha256_of(source)
        memory = OpenUploads(self._transport.origin)
        upload = self._opened(source, sha256, memory)
        if upload["state"] == "open":
            memory.remember(sha256, upload["id"])
            done = sum(part["size"] for part in upload["parts"])
            for number, part, digest in missing_parts(source, upload):
                self._transport.request(
                    "PUT",
                    f"/files/uploads/{upload['id']}/parts/{number}",
                    content=part,
                    headers={
                        "X-Part-SHA256": digest,
                        "Content-Type": "application/octet-stream",
                    },
                )
                done += len(part)
                if progress is not None:
                    progress(min(done, source.size), source.size)
            path = f"/files/uploads/{upload['id']}/complete"
            upload = {"file": self._transport.json("POST", path)}
        memory.forget(sha256)
        if progress is not None:
            progress(source.size, source.size)
        return FileRecord(upload["file"])

    def _opened(self, source: Uploadable, sha256: str, memory: OpenUploads) -> Json:
        """The upload of this content that an earlier break left open, else a new one."""
        if (known := memory.find(sha256)) is not None:
            try:
                found = self.uploads_get(known)
            except NotFound:
                memory.forget(sha256)
            else:
                if found["state"] == "open":
                    return found
        body = filled(name=source.name, size=source.size, sha256=sha256)
        opened: Json = self._transport.json("POST", "/files/uploads", json=body)
        return opened

    def _download(
        self,
        path: str,
        target: str | Path | BinaryIO,
        about: FileRecord | None,
        progress: Progress | None = None,
    ) -> None:
        """Any route that streams bytes; with `about`, its size and hash are checked."""
        transport = self._transport
        with Landing(target) as landing:
            for attempt in range(1, transport.patience.attempts + 1):
                try:
                    self._receive(path, landing, about, progress)
                except httpx.TransportError as error:
                    if attempt == transport.patience.attempts:
                        raise ConnectionFailed(_broken(landing.done, error)) from error
                    transport.sleep(backoff(attempt))
                else:
                    landing.check(about.sha256 if about is not None else None)
                    return

    def _receive(
        self,
        path: str,
        landing: Landing,
        about: FileRecord | None,
        progress: Progress | None,
    ) -> None:
        resumed = landing.done > 0
        headers = {"Range": f"bytes={landing.done}-"} if resumed else {}
        with self._transport.stream("GET", path, headers=headers) as response:
            if not response.is_success:
                response.read()
                raise error_of(response.status_code, response.json())
            if response.status_code != httpx.codes.PARTIAL_CONTENT:
                landing.restart()
            for block in response.iter_bytes():
                landing.write(block)
                if progress is not None and about is not None:
                    progress(landing.done, about.size)


def _broken(done: int, error: Exception) -> Json:
    return {
        "code": "connection_failed",
        "detail": f"the download broke after {done} bytes ({type(error).__name__})",
        "remedy": "Download it again.",
    }
