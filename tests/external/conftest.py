"""Environments of their own for plugins that are installed: nothing here touches the one the tests run in."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

collect_ignore_glob = ["nkfm-*"]  # distributions, to be installed and not collected

PIP = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-build-isolation"]


class Environment:
    """A fresh virtual environment that also sees the packages of the running one, so that nothing is downloaded."""

    def __init__(self, folder: Path):
        venv.create(folder, with_pip=False, symlinks=True)
        self.bin = folder / "bin"
        self.python = str(self.bin / "python")
        (site,) = folder.glob("lib/python*/site-packages")
        seen = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
        lines = [f"import site; site.addsitedir({path!r})\n" for path in seen]  # with the .pth files there
        (site / "running.pth").write_text("".join(lines), encoding="utf-8")
        self.site = site
        roots = [str(ROOT), *(str(ROOT / name) for name in ("plugins", "datasets", "tokenizers"))]
        path = os.pathsep.join([str(self.bin), os.environ.get("PATH", "")])
        self.variables = {**os.environ, "PYTHONPATH": os.pathsep.join(roots), "PATH": path, "HF_HUB_OFFLINE": "1"}
        self._script("nkfm", "from neurokit_fm.cli.main import main; main()")
        self._script("pytest", "import pytest; raise SystemExit(pytest.main())")
        self._script("pip", f"import sys; from pip._internal.cli.main import main; main(sys.argv[1:] + {PIP!r})")

    def _script(self, name: str, code: str) -> None:
        (self.bin / name).write_text(f"#!{self.python}\n{code}\n", encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def run(self, *line: str, cwd: Path | None = None, expect: int = 0) -> str:
        """Run a command line; returns stdout and stderr, or fails if it ends with another exit code."""
        done = subprocess.run(line, cwd=cwd, env=self.variables, text=True, stdout=-1, stderr=-2, check=False)
        assert done.returncode == expect, f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def nkfm(self, *line: str, cwd: Path | None = None, expect: int = 0) -> str:
        """Run `nkfm`."""
        return self.run(self.python, str(self.bin / "nkfm"), *line, cwd=cwd, expect=expect)

    def install(self, *projects: Path, editable: bool = False) -> None:
        """Install distributions from their source, without their dependencies."""
        each = [word for path in projects for word in (["-e", str(path)] if editable else [str(path)])]
        self.run(self.python, "-m", "pip", "install", *PIP, *each)

    def pretend(self, name: str, plugin: str, *requires: str) -> None:
        """Lay down what installing a distribution of one module leaves behind."""
        (self.site / f"{name}.py").write_text(plugin, encoding="utf-8")
        about = self.site / f"{name}-1.0.dist-info"
        about.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {r}" for r in requires)]
        (about / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (about / "entry_points.txt").write_text(f"[neurokit_fm]\n{name} = {name}\n", encoding="utf-8")


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Environment]:
    return lambda: Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Copy a distribution out of the checkout, so that building leaves nothing in it."""
    import shutil

    def copy(name: str) -> Path:
        target = tmp_path_factory.mktemp("source") / name
        shutil.copytree(HERE / name, target, ignore=shutil.ignore_patterns("__pycache__", "build", "dist"))
        return target

    return copy
