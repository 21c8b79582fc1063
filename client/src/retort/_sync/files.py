# made of _async/files.py by client/generate_sync.py: change that one
"""Files: upload in one go or in parts, list, download."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import httpx

from retort._sync.transport import Transport
from retort.errors import ConnectionFailed, error_of
from retort.landing import Landing
from retort.parts import (
    RESUMABLE_ABOVE,
    Counted,
    Progress,
    missing_parts,
    sha256_of,
)
from retort.patience import backoff
from retort.records import FileRecord, Json, id_of
from retort.tables import Uploadable, uploadable

if TYPE_CHECKING:
    from retort._sync.client import Retort


class Uploads:
    """Uploads in parts that are not complete; `files.upload` makes and continues them by itself."""

    def __init__(self, client: "Retort") -> None:
        self._client = client

    def get(self, upload: Any) -> Json:
        """Its state, and the parts that have arrived."""
        path = f"/files/uploads/{id_of(upload)}"
        found: Json = self._client.transport.json("GET", path)
        return found

    def abort(self, upload: Any) -> None:
        """Give it up; its parts are removed."""
        self._client.transport.request("DELETE", f"/files/uploads/{id_of(upload)}")

    def list(self, limit: int | None = None) -> Iterator[Json]:
        """Open ones, newest first."""
        for item in self._client.transport.pages("/files/uploads", {"limit": limit}):
            yield item


class Files:
    def __init__(self, client: "Retort") -> None:
        self._client = client
        self.uploads = Uploads(client)

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

    def list(self, limit: int | None = None) -> Iterator[FileRecord]:
        """Newest first."""
        for item in self._transport.pages("/files", {"limit": limit}):
            yield FileRecord(item)

    def _in_parts(self, source: Uploadable, progress: Progress | None) -> FileRecord:
        """The server knows an upload of the same name, size and hash: it goes on where it was."""
        body = {"name": source.name, "size": source.size, "sha256": sha256_of(source)}
        upload = self._transport.json("POST", "/files/uploads", json=body)
        if upload["state"] == "open":
            self._send_missing(source, upload, progress)
            path = f"/files/uploads/{upload['id']}/complete"
            upload = {"file": self._transport.json("POST", path)}
        if progress is not None:
            progress(source.size, source.size)
        return FileRecord(upload["file"])

    def _send_missing(self, source: Uploadable, upload: Json, progress: Progress | None) -> None:
        done = sum(part["size"] for part in upload["parts"])
        for number, part, digest in missing_parts(source, upload):
            headers = {"X-Part-SHA256": digest, "Content-Type": "application/octet-stream"}
            path = f"/files/uploads/{upload['id']}/parts/{number}"
            self._transport.request("PUT", path, content=part, headers=headers)
            done += len(part)
            if progress is not None:
                progress(min(done, source.size), source.size)

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
