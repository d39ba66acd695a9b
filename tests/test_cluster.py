"""A sweep on a Dask cluster of processes gives the numbers of this process, whatever becomes of the workers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from distributed import Client

from avowal import AvowalError, InputError, __version__
from avowal.cli import app
from avowal.sweep import cluster as module
from avowal.sweep.cluster import cluster
from avowal.sweep.power import Power, power
from avowal.sweep.run import here
from avowal.sweep.store import Folder

PATIENCE = 30.0

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are stopped and killed by signals")


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"waited {PATIENCE:g} s for {what}"
        time.sleep(0.02)


@dataclass
class Processes:
    """A scheduler and its workers, each a process of its own on a port that the system picks."""

    folder: Path
    running: list[subprocess.Popen] = field(default_factory=list)

    def start(self, part: str, *options: str) -> subprocess.Popen:
        """Start the scheduler or a worker; what it prints is kept beside the scheduler's file."""
        file = ["--scheduler-file", str(self.folder / "scheduler.json")]
        command = [sys.executable, "-m", f"distributed.cli.dask_{part}", *file, "--host", "127.0.0.1", "--no-dashboard"]
        with (self.folder / f"{len(self.running)}.log").open("w") as log:
            self.running.append(subprocess.Popen([*command, *options], stdout=log, stderr=log, cwd=self.folder))
        return self.running[-1]

    def worker(self, *options: str) -> subprocess.Popen:
        """Start a worker of one thread without a nanny, so that nothing brings it back when it is killed."""
        return self.start("worker", "--nthreads", "1", "--no-nanny", *options)

    @property
    def address(self) -> str:
        """The scheduler's."""
        return json.loads((self.folder / "scheduler.json").read_text())["address"]

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.running:
            process.kill()
            process.wait()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path)
    try:
        found.start("scheduler", "--port", "0")
        until((tmp_path / "scheduler.json").is_file, "the scheduler")
        yield found
    finally:
        found.end()


@pytest.fixture
def client(processes: Processes) -> Iterator[Client]:
    """Connect a second client, which looks on."""
    with Client(processes.address, set_as_default=False) as found:
        yield found


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is simulated for the cluster in this process is an error; workers are other processes."""
    monkeypatch.setattr(module, "simulate_chunk", None)


def sweep(**options: object) -> Power:
    """Simulate 30 chunks, the last one of each cell smaller than the others."""
    return power(
        {"agents": [10, 20], "decisions": 30, "reports": 3}, tests=["accuracy", "gain>0.1"], replicates=1450, **options
    )


@pytest.mark.usefixtures("_elsewhere")
def test_a_worker_killed_half_way_changes_no_number(processes: Processes, client: Client, tmp_path: Path) -> None:
    victim, _ = processes.worker("--name", "victim"), processes.worker()
    client.wait_for_workers(2, timeout=PATIENCE)
    known = client.scheduler_info()["workers"]
    address = next(worker for worker, told in known.items() if told["name"] == "victim")
    deaths: list[int] = []

    def kill(done: int, total: int) -> None:
        if done >= total / 2 and not deaths:
            # Stopped first: the chunks that it then holds, it surely never finishes.
            victim.send_signal(signal.SIGSTOP)
            until(lambda: client.processing([address])[address], "chunks on the worker that is to die")
            victim.kill()
            deaths.append(victim.wait())

    there = sweep(out=tmp_path / "there", executor=cluster(processes.address), progress=kill)
    assert deaths == [-signal.SIGKILL]
    assert list(client.nthreads()) == [worker for worker in known if worker != address]
    one, two = (sweep(out=tmp_path / str(threads), executor=here(threads)) for threads in (1, 2))
    assert there.table.equals(one.table)
    assert one.table.equals(two.table)
    keys = [cell.key(there.sweep.seed, there.sweep.level) for cell in there.sweep.cells]
    for key in keys:
        numbers, figures = Folder(tmp_path / "there").load(key)
        _, expected = Folder(tmp_path / "1").load(key)
        assert (len(numbers), figures.tobytes()) == (1450, expected.tobytes())


@pytest.mark.usefixtures("_elsewhere")
def test_an_interruption_keeps_what_is_there_and_calls_off_the_rest(
    processes: Processes, client: Client, tmp_path: Path
) -> None:
    processes.worker()

    def interrupt(done: int, total: int) -> None:
        if done >= 300:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        sweep(out=tmp_path / "out", executor=cluster(processes.address), progress=interrupt)
    until(lambda: not client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)), "an idle scheduler")
    resumed: list[int] = []
    found = sweep(out=tmp_path / "out", progress=lambda done, _: resumed.append(done))
    assert 300 <= resumed[0] < 2900
    assert found.table.equals(sweep().table)


def test_workers_of_another_version_are_named(processes: Processes, client: Client, tmp_path: Path) -> None:
    old = tmp_path / "old.py"
    old.write_text("import avowal.sweep.cluster as module\nmodule.__version__ = '0.0.1'\n")
    processes.worker("--preload", str(old))
    processes.worker()
    client.wait_for_workers(2, timeout=PATIENCE)
    address = next(worker for worker, version in client.run(module.installed).items() if version == "0.0.1")
    with pytest.raises(InputError) as caught:
        sweep(executor=cluster(processes.address))
    told = f"scheduler: expected avowal {__version__} on every worker, found {address} with 0.0.1"
    assert str(caught.value) == told


def test_so_are_those_that_join_later(processes: Processes, client: Client, tmp_path: Path) -> None:
    old = tmp_path / "old.py"
    old.write_text("import avowal.sweep.cluster as module\nmodule.__version__ = '0.0.1'\n")
    processes.worker()
    client.wait_for_workers(1, timeout=PATIENCE)

    def join(done: int, total: int) -> None:
        if done and len(processes.running) == 2:
            processes.worker("--preload", str(old))
            client.wait_for_workers(2, timeout=PATIENCE)

    with pytest.raises(InputError, match=rf"expected avowal {__version__} on every worker, .* with 0\.0\.1"):
        # More than the first worker can take before the second one gets its share.
        power({"agents": [100, 120]}, replicates=5000, executor=cluster(processes.address), progress=join)


def test_an_error_of_the_simulation_is_raised_as_it_is(processes: Processes, client: Client, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import avowal.sweep.cluster as module\nfrom avowal import InputError\n"
        "def fail(chunk, threads):\n    raise InputError.at('less', chunk.count, field='replicates')\n"
        "module.simulate_chunk = fail\n"
    )
    processes.worker("--preload", str(broken))
    with pytest.raises(InputError, match=r"^replicates: expected less, found 100$"):
        sweep(executor=cluster(processes.address))


def test_a_chunk_that_kills_its_workers_is_given_up(processes: Processes, client: Client, tmp_path: Path) -> None:
    deadly = tmp_path / "deadly.py"
    deadly.write_text(
        "import os\nimport avowal.sweep.cluster as module\nmodule.simulate_chunk = lambda *a, **k: os._exit(1)\n"
    )
    client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
    processes.worker("--preload", str(deadly))
    with pytest.raises(AvowalError, match="1 of the workers died, each while it had the same chunk"):
        sweep(executor=cluster(processes.address))


def test_a_cluster_without_workers_and_one_without_a_scheduler_are_given_up(
    processes: Processes, tmp_path: Path
) -> None:
    with pytest.raises(AvowalError, match=r"has had no worker for 0\.5 seconds"):
        sweep(executor=cluster(processes.address, timeout=0.5))
    processes.worker()

    def end(done: int, total: int) -> None:
        if done:
            processes.running[0].kill()

    with pytest.raises(AvowalError, match="the Dask scheduler is lost"):
        sweep(out=tmp_path / "out", executor=cluster(processes.address, timeout=5), progress=end)
    resumed: list[int] = []
    sweep(out=tmp_path / "out", progress=lambda done, _: resumed.append(done))
    assert resumed[0] >= 100


def test_the_command_says_that_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.cluster, "__kwdefaults__", {"timeout": 0.5})
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # Bound and not listening: refused, and nobody else takes the port.
        address = f"tcp://127.0.0.1:{held.getsockname()[1]}"
        done = CliRunner().invoke(app, ["power", "--scheduler", address, "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, InputError)
    assert f"scheduler: expected the address of a Dask scheduler, found '{address}'" in str(done.exception)


def test_without_distributed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install distributed"):
        cluster("tcp://127.0.0.1:8786")


def test_nothing_else_imports_dask() -> None:
    code = (
        "import sys, avowal.cli, avowal.sweep.cluster; from avowal import power; power(replicates=1)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'dask', 'distributed'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
