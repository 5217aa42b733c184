"""Print what a job of `.ci/run` needs, one a line.

lowest              every direct dependency at its lower bound, as constraints for pip
fast                requirements of the tests that are not slow
torch-free          requirements of the tests of the torch-free rooms
torch-free-tests    the files of these tests
torch-free-modules  the modules of the torch-free rooms
ray                 requirements of the test that runs a cluster
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
# Its lower bound is the release that the tests are run with: with 2.11.0 the fast tests passed except for one gradient
# of a replayed step (of cumprod, sort and topk together), which differed in its last bits.
TORCH = "torch"
# Of the extra `test`; its other packages need torch, are for slow tests, or check style and types.
TESTING = ("pytest", "pytest-xdist", "hypothesis", "scipy")
# Ruff formats and mypy checks otherwise from release to release: they are used with their newest ones alone.
STYLE = ("ruff", "mypy")
NEEDS_TORCH = re.compile(
    r"^(import|from) (torch|lossrun\.(components|steps|replay|health|training|inference))\b", re.MULTILINE
)


def name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0]


def lowest() -> list[str]:
    extras = [line for extra in EXTRAS.values() for line in extra]
    stated = [*PROJECT["build-system"]["requires"], *DEPENDENCIES, *extras]
    bounds = [re.fullmatch(r"([\w.-]+)>=([\d.]+)(,.*)?", line) for line in stated]
    return [f"{found[1]}=={found[2]}" for found in bounds if found and found[1] not in (TORCH, *STYLE)]


def fast() -> list[str]:
    extras = [*EXTRAS["data"], *EXTRAS["plot"], *EXTRAS["tensorboard"]]
    return [*DEPENDENCIES, *extras, *(line for line in EXTRAS["test"] if name(line) in (*TESTING, "pandas"))]


def torch_free() -> list[str]:
    return [line for line in fast() if name(line) not in (TORCH, "tensorboard", "pandas")]


def torch_free_rooms() -> list[str]:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    return next(one["source_modules"] for one in contracts if TORCH in one.get("forbidden_modules", ()))


def torch_free_modules() -> list[str]:
    places = [ROOT / room.replace(".", "/") for room in torch_free_rooms()]
    files = [path for place in places for path in (place.with_suffix(".py"), *sorted(place.rglob("*.py")))]
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in files if path.is_file()]
    return [".".join(part for part in each if part != "__init__") for each in parts]


def torch_free_tests() -> list[str]:
    # What `script` writes is run with Keras and PyTorch.
    rooms = [ROOT / "tests" / room.partition(".")[2] for room in torch_free_rooms() if room != "lossrun.script"]
    files = [path for room in rooms for path in sorted(room.rglob("test_*.py"))]
    return [str(path.relative_to(ROOT)) for path in files if not NEEDS_TORCH.search(path.read_text(encoding="utf-8"))]


LISTS = {
    "lowest": lowest,
    "fast": fast,
    "torch-free": torch_free,
    "torch-free-tests": torch_free_tests,
    "torch-free-modules": torch_free_modules,
    "ray": lambda: EXTRAS["ray"],
}
print("\n".join(LISTS[sys.argv[1]]()))
