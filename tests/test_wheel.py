"""What is published: a source distribution with the whole repository, and a wheel made from it that needs nothing else.

Both are built offline, as `python -m build --no-isolation` builds them.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from lossrun.version import __version__
from tests.cli.conftest import in_another_process

ROOT = Path(__file__).parent.parent
# What no commit holds: see .gitignore.
NOT_SOURCE = shutil.ignore_patterns(
    ".git",
    ".venv",
    "venv",
    "build",
    "dist",
    "runs",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    ".coverage*",
)


@dataclass(frozen=True)
class Built:
    """The source tree, the source distribution unpacked, and the wheel."""

    source: Path
    unpacked: Path
    wheel: Path


def output_of(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, unavailable: Callable[[str], NoReturn]) -> Built:
    folder = tmp_path_factory.mktemp("built")
    source, dist = folder / "source", folder / "dist"
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    try:
        import setuptools  # noqa: F401
    except ImportError:
        unavailable("needs setuptools, which builds the wheel")

    def build(kind: str, where: Path) -> Path:
        hook = f"from setuptools import build_meta; build_meta.build_{kind}({str(dist)!r})"
        before = set(dist.glob("*"))
        output_of([sys.executable, "-c", hook], where)
        (made,) = set(dist.glob("*")) - before
        return made

    dist.mkdir()
    with tarfile.open(build("sdist", source)) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / f"lossrun-{__version__}"
    return Built(source, unpacked, build("wheel", unpacked))


def test_the_source_distribution_holds_the_whole_repository(built: Built) -> None:
    assert files_in(built.source) <= files_in(built.unpacked)


def test_the_wheel_holds_the_package_with_the_configs_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = set(archive.namelist())
        description = archive.read(f"lossrun-{__version__}.dist-info/METADATA").decode()
    described = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    package = {f"lossrun/{name}" for name in files_in(ROOT / "lossrun") if "__pycache__" not in name}
    configs = {f"lossrun/configs/{name}" for name in files_in(ROOT / "configs")}
    assert names - described == package | configs
    assert {"lossrun/py.typed", "lossrun/report/html/page.html", "lossrun/report/manual/manual.css"} <= names
    assert any(name.endswith("/LICENSE") for name in described)
    # A package index has no files that the README could link to.
    assert "Description-Content-Type: text/markdown" in description
    assert "processes: CLUSTERS.md." in description
    assert set(re.findall(r"\]\((\w+:)?", description)) <= {"https:"}


def test_what_is_installed_from_the_wheel_trains_a_config_by_its_name(built: Built, tmp_path: Path) -> None:
    """With the packages of this environment, but lossrun from the wheel alone, in an empty folder."""
    site, folder = tmp_path / "site", tmp_path / "empty"
    folder.mkdir()
    offline = ["--no-index", "--no-deps", "--no-compile", "--quiet", "--disable-pip-version-check"]
    output_of([sys.executable, "-m", "pip", "install", *offline, "--target", str(site), str(built.wheel)], tmp_path)

    def lossrun(*arguments: str) -> str:
        # The program that pip writes; --target writes it into bin/.
        return output_of([sys.executable, str(site / "bin" / "lossrun"), *arguments], folder, PYTHONPATH=str(site))

    where = output_of([sys.executable, "-c", "import lossrun; print(lossrun.__file__)"], folder, PYTHONPATH=str(site))
    assert Path(where.strip()) == site / "lossrun" / "__init__.py"
    lossrun("new", "quickstart")
    more = [
        ["train", "quickstart", "--set", "epochs=1", "--quiet"],
        ["resume", "last", "--set", "epochs=2"],
        ["check", "config.yaml"],
        # A page needs its style and its script, which are not Python.
        ["train", "quickstart", "--set", "epochs=1", "--set", "loss=mse"],
        ["compare", "last~1", "last", "--html", "report.html"],
    ]
    ended = in_another_process(more, folder, {**os.environ, "PYTHONPATH": str(site)})
    for done in ended:
        assert done.code == 0, (done.arguments, done.err.decode())
    trained = folder / ended[0].out.decode().strip()
    assert trained == min(path for path in (folder / "runs").iterdir() if not path.name.startswith("."))
    assert (folder / "report.html").is_file()
