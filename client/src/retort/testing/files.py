"""Files of the server in memory: whole, in parts, downloads with ranges."""

import hashlib
import re
from email.parser import BytesParser
from email.policy import HTTP

import httpx

from retort.testing.routing import respond, route
from retort.testing.science import columns_of, read_rows
from retort.testing.state import Asked, Json, Refused, State, find, new_id, now, page

_PART_BYTES = 1 << 20


def add_file(
    state: State, name: str, content: bytes, *, role: str = "upload", job_id: str | None = None
) -> Json:
    sha256 = hashlib.sha256(content).hexdigest()
    file: Json = {
        "id": new_id(),
        "name": name,
        "media_type": "application/octet-stream",
        "size": len(content),
        "sha256": sha256,
        "role": role,
        "job_id": job_id,
        "created_at": now(),
    }
    state.files[file["id"]] = file
    state.contents[sha256] = content
    return file


@route("POST", "/api/v1/files")
def upload(state: State, asked: Asked) -> httpx.Response:
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + asked.content)
    part = next(iter(form.iter_parts()), None)
    if part is None:
        raise Refused(422, "invalid_request", "/file: Field required")
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes) or not content:
        raise Refused(422, "empty_file", "the file is empty")
    return respond(add_file(state, part.get_filename() or "upload", content), 201)


@route("GET", "/api/v1/files")
def files(state: State, asked: Asked) -> Json:
    return page(list(state.files.values()), asked.query)


@route("POST", "/api/v1/files/uploads")
def begin(state: State, asked: Asked) -> httpx.Response:
    body = asked.body()
    for file in state.files.values():
        if (file["sha256"], file["size"]) == (body.get("sha256"), body["size"]):
            return respond({"id": None, "state": "completed", "parts": [], "file": file})
    for known in state.uploads.values():
        if known["asked"] == body and known["shown"]["state"] == "open":
            return respond(known["shown"])
    upload_id = new_id()
    upload = {
        "id": upload_id,
        "state": "open",
        "part_bytes": _PART_BYTES,
        "parts": [],
        "name": body["name"],
        "size": body["size"],
        "expires_at": now(),
        "links": {"self": f"/api/v1/files/uploads/{upload_id}"},
    }
    state.uploads[upload_id] = {"shown": upload, "asked": body, "bytes": {}}
    return respond(upload, 201)


@route("GET", "/api/v1/files/uploads")
def uploads(state: State, asked: Asked) -> Json:
    found = [upload["shown"] for upload in state.uploads.values()]
    return page([upload for upload in found if upload["state"] == "open"], asked.query)


@route("GET", "/api/v1/files/uploads/{upload_id}")
def one_upload(state: State, asked: Asked, upload_id: str) -> Json:
    shown: Json = find(state.uploads, upload_id, "upload")["shown"]
    return shown


@route("PUT", "/api/v1/files/uploads/{upload_id}/parts/{number}")
def part(state: State, asked: Asked, upload_id: str, number: str) -> Json:
    upload = find(state.uploads, upload_id, "upload")
    sha256 = hashlib.sha256(asked.content).hexdigest()
    if asked.headers.get("x-part-sha256", sha256) != sha256:
        raise Refused(422, "hash_mismatch", f"part {number} arrived altered")
    upload["bytes"][int(number)] = asked.content
    upload["shown"]["parts"] = [
        {"number": n, "size": len(b), "sha256": hashlib.sha256(b).hexdigest()}
        for n, b in sorted(upload["bytes"].items())
    ]
    shown: Json = upload["shown"]
    return shown


@route("POST", "/api/v1/files/uploads/{upload_id}/complete")
def complete(state: State, asked: Asked, upload_id: str) -> httpx.Response:
    upload = find(state.uploads, upload_id, "upload")
    wanted = -(-int(upload["asked"]["size"]) // _PART_BYTES)
    missing = [n for n in range(1, wanted + 1) if n not in upload["bytes"]]
    if missing:
        raise Refused(422, "upload_incomplete", f"parts {missing} are missing")
    content = b"".join(upload["bytes"][n] for n in sorted(upload["bytes"]))
    sha256 = hashlib.sha256(content).hexdigest()
    if upload["asked"].get("sha256", sha256) != sha256:
        raise Refused(422, "hash_mismatch", "what arrived is not what was announced")
    upload["shown"]["state"] = "completed"
    return respond(add_file(state, upload["asked"]["name"], content), 201)


@route("DELETE", "/api/v1/files/uploads/{upload_id}")
def abort(state: State, asked: Asked, upload_id: str) -> httpx.Response:
    find(state.uploads, upload_id, "upload")
    del state.uploads[upload_id]
    return respond(status=204)


@route("GET", "/api/v1/files/{file_id}")
def one_file(state: State, asked: Asked, file_id: str) -> Json:
    return find(state.files, file_id, "file")


@route("GET", "/api/v1/files/{file_id}/content")
def content(state: State, asked: Asked, file_id: str) -> httpx.Response:
    whole = state.contents[find(state.files, file_id, "file")["sha256"]]
    match = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
    if match is None:
        return httpx.Response(200, content=whole)
    return httpx.Response(206, content=whole[int(match[1]) :])


@route("POST", "/api/v1/files/{file_id}/preview")
def preview(state: State, asked: Asked, file_id: str) -> Json:
    file = find(state.files, file_id, "file")
    body = asked.body()
    rows = read_rows(state.contents[file["sha256"]])
    kind = body.get("kind", "auto")
    if kind == "auto":
        kind = "molecule" if any(name.lower() == "smiles" for name in rows[0]) else "table"
    columns = columns_of(rows, body.get("roles") or {}, kind)
    shown = [
        {
            **column,
            "missing": sum(not row[column["name"]] for row in rows[:500]),
            "distinct": len({row[column["name"]] for row in rows[:500]}),
            "examples": list(dict.fromkeys(str(row[column["name"]]) for row in rows[:500]))[:5],
        }
        for column in columns
    ]
    return {
        "format": "csv",
        "kind": kind,
        "encoding": "utf-8",
        "separator": ",",
        "decimal": ".",
        "columns": shown,
        "notes": [],
        "rows_sampled": min(len(rows), 500),
    }
