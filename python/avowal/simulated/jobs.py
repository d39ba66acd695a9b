"""The endpoints of fine-tuning jobs, whose state is a function of the time since they were created."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from avowal.simulated.files import find as find_file
from avowal.simulated.service import Service
from avowal.simulated.store import name, public
from avowal.simulated.uploads import examine
from avowal.simulated.wire import ApiError, Document, body, digest, metadata, page, respond, text

_STAGES = ((0.1, "validating_files"), (0.3, "queued"), (1.0, "running"))
FAILS_AT = 0.6
EPOCHS = 3
_USUAL: dict[str, float] = {"n_epochs": EPOCHS, "batch_size": 1, "learning_rate_multiplier": 2}
_MOST = {"n_epochs": 50, "batch_size": 256, "learning_rate_multiplier": 10_000}


async def create(request: Request) -> Response:
    """POST /v1/fine_tuning/jobs."""
    service: Service = request.app.state.service
    held = body(request)
    model = text(held, "model")
    file = find_file(service, text(held, "training_file"), param="training_file", status=400)
    if file["purpose"] != "fine-tune":
        raise ApiError(400, f"File '{file['id']}' has the purpose '{file['purpose']}'.", param="training_file")
    await service.mind(model)
    hyperparameters, suffix = _hyperparameters(held), _suffix(held)
    validation = text(held, "validation_file", optional=True)
    if validation:
        find_file(service, validation, param="validation_file", status=400)
    examined = await asyncio.to_thread(examine, service.store.content(file["_digest"]))
    now, model = time.time(), service.base(model) or model
    # What is trained, on what and how, but not when: the same training makes the same model, in any order of jobs.
    training = name(digest([model, file["_digest"], hyperparameters, held.get("seed")]), 16)
    document = {
        "object": "fine_tuning.job",
        "created_at": int(now),
        "model": model,
        "organization_id": "org-simulated",
        "training_file": file["id"],
        "validation_file": validation or None,
        "hyperparameters": hyperparameters,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "seed": _seed(held, training),
        "user_provided_suffix": suffix or None,
        "metadata": metadata(held),
        "integrations": [],
        "_created": now,
        "_digest": file["_digest"],
        "_training": training,
        "_becomes": _becomes(service, model, suffix, training),
        "_problem": examined.problem,
        "_examples": examined.examples,
        "_tokens": examined.tokens * int(hyperparameters["n_epochs"]),
        "_fails": service.fate.befalls(("job-fails",), "", training) is not None,
        "_cancelled": None,
    }
    job = service.store.add("job", "ftjob-", document)
    service.expect(job)
    return respond(view(service, job))


def view(service: Service, job: Document) -> Document:
    """Return a job as it stands now."""
    status, at = _status(job, service.setup.job_seconds)
    done, failed = status == "succeeded", status == "failed"
    error = None
    if failed and job["_problem"]:
        error = {"code": "invalid_training_file", "message": job["_problem"], "param": "training_file"}
    elif failed:
        error = {"code": "server_error", "message": "The job failed due to an internal error.", "param": None}
    return {
        **public(job),
        "status": status,
        "fine_tuned_model": job["_becomes"] if done else None,
        "trained_tokens": job["_tokens"] if done else None,
        "finished_at": int(at) if done or failed or status == "cancelled" else None,
        "estimated_finish": int(job["_created"] + service.setup.job_seconds) if status == "running" else None,
        "result_files": [],
        "error": error,
    }


def _status(job: Document, seconds: float) -> tuple[str, float]:
    """Return a job's status, and since when it is final."""
    now, created = time.time(), job["_created"]
    ends = created + seconds * (0.1 if job["_problem"] else FAILS_AT if job["_fails"] else 1.0)
    if job["_cancelled"] is not None:
        return "cancelled", job["_cancelled"]
    if now >= ends:
        return "failed" if job["_problem"] or job["_fails"] else "succeeded", ends
    share = (now - created) / seconds
    return next(stage for until, stage in _STAGES if share < until), ends


def _find(request: Request) -> tuple[Service, Document]:
    service: Service = request.app.state.service
    identity = request.path_params["id"]
    job = service.store.get("job", identity)
    if job is None:
        raise ApiError(404, f"Could not find fine tune: {identity}", code="fine_tune_not_found", param="fine_tune_id")
    return service, job


async def job(request: Request) -> Response:
    """GET /v1/fine_tuning/jobs/{id}."""
    return respond(view(*_find(request)))


async def jobs(request: Request) -> Response:
    """GET /v1/fine_tuning/jobs, with ``metadata[key]=value``."""
    service: Service = request.app.state.service
    wanted = {
        key[len("metadata[") : -1]: value
        for key, value in request.query_params.items()
        if key.startswith("metadata[") and key.endswith("]")
    }
    held = [each for each in service.store.all("job") if wanted.items() <= (each["metadata"] or {}).items()]
    return page(request, [view(service, each) for each in held])


async def cancel(request: Request) -> Response:
    """POST /v1/fine_tuning/jobs/{id}/cancel."""
    service, held = _find(request)
    status, _ = _status(held, service.setup.job_seconds)
    if status in ("succeeded", "failed", "cancelled"):
        raise ApiError(400, f"Job {held['id']} has already {status}.", code="invalid_state")
    held = service.store.change({**held, "_cancelled": time.time()})
    service.expect(held)
    return respond(view(service, held))


async def events(request: Request) -> Response:
    """GET /v1/fine_tuning/jobs/{id}/events, the newest first."""
    service, held = _find(request)
    return page(request, _events(held, view(service, held), service.setup.job_seconds)[::-1])


def _events(held: Document, seen: Document, seconds: float) -> list[Document]:
    now, start = time.time(), held["_created"]
    told: list[tuple[float, str, str, Any]] = [
        (start, "info", f"Created fine-tuning job: {held['id']}", None),
        (start, "info", f"Validating training file: {held['training_file']}", None),
        (start + seconds * 0.1, "info", "Files validated, moving job to queued state", None),
        (start + seconds * 0.3, "info", "Fine-tuning job started", None),
    ]
    epochs = int(held["hyperparameters"]["n_epochs"])
    for epoch in range(1, epochs + 1):
        step = epoch * _steps(held)
        data = {"step": step, "total_steps": epochs * _steps(held), "train_loss": _loss(epoch)}
        at = start + seconds * (0.3 + 0.69 * epoch / epochs)
        told.append((at, "info", f"Step {step}/{epochs * _steps(held)}: training loss={_loss(epoch):.2f}", data))
    final = seen["finished_at"] is not None
    ends = held["_cancelled"] or start + seconds * (0.1 if held["_problem"] else FAILS_AT if held["_fails"] else 1.0)
    told = [each for each in told if each[0] <= now and (not final or each[0] < ends)]
    if seen["status"] == "succeeded":
        told.append((ends, "info", f"New fine-tuned model created: {held['_becomes']}", None))
        told.append((ends, "info", "The job has successfully completed", None))
    elif seen["status"] == "failed":
        told.append((ends, "error", seen["error"]["message"], None))
    elif final:
        told.append((ends, "info", "Fine-tuning job cancelled", None))
    return [
        {
            "object": "fine_tuning.job.event",
            "id": "ftevent-" + name(f"{held['id']} {place}"),
            "created_at": int(at),
            "level": level,
            "message": message,
            "type": "metrics" if data else "message",
            "data": data or {},
        }
        for place, (at, level, message, data) in enumerate(told)
    ]


async def checkpoints(request: Request) -> Response:
    """GET /v1/fine_tuning/jobs/{id}/checkpoints: one for each epoch; their models can't be asked."""
    service, held = _find(request)
    seen = view(service, held)
    epochs = int(held["hyperparameters"]["n_epochs"]) if seen["status"] == "succeeded" else 0
    found = [
        {
            "object": "fine_tuning.job.checkpoint",
            "id": "ftckpt_" + name(f"{held['id']} {epoch}"),
            "created_at": seen["finished_at"],
            "fine_tuned_model_checkpoint": f"{held['_becomes']}:ckpt-step-{epoch * _steps(held)}",
            "fine_tuning_job_id": held["id"],
            "metrics": {"step": epoch * _steps(held), "train_loss": _loss(epoch)},
            "step_number": epoch * _steps(held),
        }
        for epoch in range(epochs, 0, -1)
    ]
    return page(request, found, usual=10)


def _steps(held: Document) -> int:
    return -(-int(held["_examples"]) // int(held["hyperparameters"]["batch_size"]))


def _loss(epoch: int) -> float:
    """Return a loss that falls; nothing is learned from it, nor does it tell anything."""
    return round(0.7 / epoch, 4)


def _becomes(service: Service, model: str, suffix: str, training: str) -> str:
    base = model.split(":")[1] if model.startswith("ft:") else model
    first = f"ft:{base}:simulated:{suffix}:{training[:8]}"
    taken = sum(job["_becomes"].startswith(first) for job in service.store.all("job"))
    return f"{first}-{taken + 1}" if taken else first


def _suffix(held: Document) -> str:
    suffix = text(held, "suffix", optional=True)
    if len(suffix) > 64:
        raise ApiError(400, "Invalid 'suffix': more than 64 characters.", param="suffix")
    return suffix


def _seed(held: Document, training: str) -> int:
    seed = held.get("seed")
    if seed is None:
        return int.from_bytes(training.encode()[:3], "big")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise ApiError(400, "Invalid 'seed': expected an integer from 0 to 2147483647.", param="seed")
    return seed


def _hyperparameters(held: Document) -> dict[str, float]:
    """Return numbers in place of ``auto``, from ``method`` or the older field."""
    method = held.get("method") or {"type": "supervised"}
    if not isinstance(method, dict) or method.get("type") != "supervised":
        raise ApiError(400, "The simulated provider trains by the method 'supervised' alone.", param="method")
    given = (method.get("supervised") or {}).get("hyperparameters") or held.get("hyperparameters") or {}
    found = dict(_USUAL)
    for key, value in given.items():
        if key not in _USUAL:
            raise ApiError(400, f"Unknown hyperparameter '{key}'.", param=f"hyperparameters.{key}")
        if value == "auto":
            continue
        whole = key == "learning_rate_multiplier" or isinstance(value, int)
        if isinstance(value, bool) or not isinstance(value, int | float) or not whole or not 0 < value <= _MOST[key]:
            raise ApiError(400, f"Invalid '{key}': {value!r}.", param=f"hyperparameters.{key}")
        found[key] = value
    return found
