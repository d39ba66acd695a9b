"""What an installed avowal must do where nothing but its dependencies is: its version, a fit, a study and its page.

Run by `make dist` and by the release, with the interpreter that it was installed into.
"""

import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

import avowal

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print the version and the weights of a context, or fail."""
    place = Path(avowal.__file__).resolve()
    if place.is_relative_to(ROOT / "python"):
        sys.exit(f"{place} is the project's own folder: run this with the interpreter that avowal was installed into")
    command = shutil.which("avowal", path=str(Path(sys.executable).parent))
    if command is None:
        sys.exit(f"there is no command beside {sys.executable}")
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if not version("avowal") == avowal.__version__ == said.rpartition(" ")[2]:
        sys.exit(
            f"{said!r} is not {avowal.__version__}, the module's version, or not {version('avowal')}, the package's"
        )

    contexts = avowal.contexts.builtin("training")[:20]
    targets = avowal.agents.targets(contexts, seed=1)
    pairs = avowal.design.pairs(contexts, 50, seed=1)
    choices = avowal.agents.choose(pairs, contexts, targets, rule=avowal.agents.Logistic(inverse_temperature=6), seed=1)
    learned = avowal.fit.fit(choices, contexts).weights
    both = learned.select("context", "attribute", learned="weight").join(
        targets.select("context", "attribute", target="weight"), on=["context", "attribute"]
    )
    r = float(np.corrcoef(both["learned"], both["target"])[0, 1])
    if not r > 0.8:
        sys.exit(f"fitted weights agree with those behind the choices to r = {r}; expected more than .8")
    study = Path(tempfile.mkdtemp(prefix="avowal-")) / "study"
    for asked in (["init", study, "--template", "small"], ["report", study]):
        subprocess.run([command, *map(str, asked)], stdout=subprocess.DEVNULL, check=True)
    if b"No accuracy can be told yet." not in (study / "report.html").read_bytes():
        sys.exit(f"{study / 'report.html'} is no page of a study that was never run")
    print(f"{said}: {both.height} weights fitted, r = {r:.2f} with those behind the choices")


if __name__ == "__main__":
    main()
