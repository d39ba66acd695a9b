"""The endpoints of files: upload, look up, read, list, delete."""

from __future__ import annotations

import time

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from avowal.simulated.service import Service
from avowal.simulated.store import public
from avowal.simulated.uploads import LARGEST, lines_problem
from avowal.simulated.wire import ApiError, Document, digest, page, respond

_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_OF_LINES = ("batch", "fine-tune")


async def upload(request: Request) -> Response:
    """POST /v1/files."""
    service: Service = request.app.state.service
    async with request.form() as form:
        sent, purpose = form.get("file"), form.get("purpose")
        if not isinstance(sent, UploadFile):
            raise ApiError(400, "'file' is a required property", param="file")
        content = await sent.read()
        filename = sent.filename or "upload"
    request.scope["avowal.digest"] = digest(content)
    if purpose not in _PURPOSES:
        raise ApiError(400, f"'{purpose}' is not one of {list(_PURPOSES)}", param="purpose")
    if not content:
        raise ApiError(400, "File is empty.", param="file")
    if len(content) > LARGEST:
        raise ApiError(413, f"File is too large: {len(content)} bytes of at most {LARGEST}.", param="file")
    if purpose in _OF_LINES:
        problem = lines_problem(content) if filename.endswith(".jsonl") else "Invalid extension. Expected .jsonl."
        if problem:
            raise ApiError(400, problem, code="invalid_file", param="file")
    return respond(public(service.store.add("file", "file-", described(content, filename, str(purpose)), content)))


def described(content: bytes, filename: str, purpose: str) -> Document:
    """Return the document of a new file."""
    return {
        "object": "file",
        "bytes": len(content),
        "created_at": int(time.time()),
        "expires_at": None,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }


def find(service: Service, identity: str, *, param: str = "id", status: int = 404) -> Document:
    """Return a file, or refuse."""
    found = service.store.get("file", identity)
    if found is None:
        raise ApiError(status, f"No such File object: {identity}", code="file_not_found", param=param)
    return found


async def file(request: Request) -> Response:
    """GET /v1/files/{id}."""
    return respond(public(find(request.app.state.service, request.path_params["id"])))


async def content(request: Request) -> Response:
    """GET /v1/files/{id}/content."""
    service: Service = request.app.state.service
    held = find(service, request.path_params["id"])
    return Response(service.store.content(held["_digest"]), media_type="application/octet-stream")


async def files(request: Request) -> Response:
    """GET /v1/files."""
    service: Service = request.app.state.service
    purpose, order = request.query_params.get("purpose"), request.query_params.get("order", "desc")
    held = [public(each) for each in service.store.all("file") if purpose in (None, each["purpose"])]
    return page(request, held[::-1] if order == "asc" else held, most=10_000, usual=10_000)


async def delete(request: Request) -> Response:
    """DELETE /v1/files/{id}."""
    service: Service = request.app.state.service
    identity = find(service, request.path_params["id"])["id"]
    service.store.remove(identity)
    return respond({"id": identity, "object": "file", "deleted": True})
