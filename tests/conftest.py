"""What every room's tests share: a cache of their own, and the real MNIST where a test needs it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The data folder that holds mnist/. A missing one fails the test: skipping would look like passing."""
    named = os.environ.get("LOSSRUN_DATA_DIR")
    if not named or not (Path(named) / "mnist").is_dir():
        pytest.fail("set LOSSRUN_DATA_DIR to a folder that holds mnist/ with the four official files")
    return Path(named)
