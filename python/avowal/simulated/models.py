"""The endpoints of models: base models, and those that jobs have made."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from avowal.simulated.service import Service
from avowal.simulated.wire import ApiError, Document, respond


def listed(service: Service) -> list[Document]:
    """Return all models that can be asked."""
    models = [_model(service, name, service.started, "simulated") for name in service.setup.profiles]
    done = [job for job in service.store.all("job") if service.tuned(job["_becomes"]) and _ready(service, job)]
    return models + [_model(service, job["_becomes"], job["created_at"], "user") for job in reversed(done)]


async def models(request: Request) -> Response:
    """GET /v1/models."""
    return respond({"object": "list", "data": listed(request.app.state.service)})


async def model(request: Request) -> Response:
    """GET /v1/models/{id}."""
    service: Service = request.app.state.service
    name = request.path_params["id"]
    name = service.base(name) or name
    found = [each for each in listed(service) if each["id"] == name]
    if not found:
        raise ApiError(404, f"The model '{name}' does not exist", code="model_not_found", param="model")
    return respond(found[0])


def _ready(service: Service, job: Document) -> bool:
    return bool(time.time() >= job["_created"] + service.setup.job_seconds)


def _model(service: Service, name: str, created: int, owner: str) -> Document:
    document = {"id": name, "object": "model", "created": created, "owned_by": owner}
    date = (service.setup.shutdown or {}).get(name)
    return document if date is None else {**document, "shutdown_date": date}
