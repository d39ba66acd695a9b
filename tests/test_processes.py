"""The engine and the process around it: a signal during one long unit, and a fork after a first call."""

import os
import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import os, signal, threading
import numpy as np
from avowal.fit import fit_arrays
r = np.random.default_rng(0)
def agents(count, trials):
    return r.uniform(-1, 1, (count, trials, 5)), (r.random((count, trials)) < 0.5).astype(float)
"""


def run(script: str) -> subprocess.CompletedProcess:
    code = PRELUDE + textwrap.dedent(script)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(os.name != "posix", reason="Windows interrupts by console events")
def test_a_signal_during_one_agents_fit_is_not_lost() -> None:
    """One agent is one unit of work and ends before it looks at the flag; the signal was taken and must be raised."""
    done = run(
        """
        x, y = agents(1, 500_000)
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            fit_arrays(x, y)
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert done.stdout == "interrupted\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only systems that fork copy a pool without its threads")
def test_a_forked_process_fits_as_its_parent_does() -> None:
    done = run(
        """
        x, y = agents(100, 50)
        parent = fit_arrays(x, y).slopes
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if np.array_equal(fit_arrays(x, y).slopes, parent) else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert done.stdout == "0\n", done.stderr
