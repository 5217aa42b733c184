import gzip
import hashlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

import numpy as np
import pytest

from lossrun.data import Data, fetch
from lossrun.data.sources import images
from lossrun.data.sources.images import IMAGE_SETS, TEST, TRAIN
from lossrun.errors import DataError

NOWHERE = "http://127.0.0.1:9/"  # the discard port: nothing listens


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_set(folder: Path) -> tuple[str, str, str, str]:
    """A set of 20 + 10 images in the official files; their digests."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    digests = []
    for names, samples in ((TRAIN, 20), (TEST, 10)):
        arrays = rng.integers(0, 256, (samples, 28, 28), np.uint8), (np.arange(samples) % 10).astype(np.uint8)
        for name, array in zip(names, arrays, strict=True):
            content = gzip.compress(idx(array), mtime=0)
            (folder / name).write_bytes(content)
            digests.append(f"sha256:{hashlib.sha256(content).hexdigest()}")
    first, second, third, fourth = digests
    return first, second, third, fourth


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unavailable: Callable[[str], NoReturn]) -> Iterator[Path]:
    """A folder served over HTTP as the second mirror of "mnist", whose first does not answer."""
    folder = tmp_path / "mirror"
    digests = write_set(folder)
    handler = partial(QuietHandler, directory=str(folder))
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        try:
            socket.create_connection(server.server_address[:2], timeout=5).close()
        except OSError as error:
            unavailable(f"this machine does not reach itself at 127.0.0.1: {error}")
        monkeypatch.setenv("NO_PROXY", "*")
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        mirrors = (NOWHERE, f"http://127.0.0.1:{server.server_port}/")
        small = replace(IMAGE_SETS["mnist"], mirrors=mirrors, digests=digests, count=20, test_count=10)
        monkeypatch.setitem(images.IMAGE_SETS, "mnist", small)
        yield folder
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_missing_files_are_downloaded_from_the_first_mirror_that_answers(mirror: Path, tmp_path: Path) -> None:
    paths = fetch("mnist", tmp_path / "data")
    assert [path.name for path in paths] == [*TRAIN, *TEST]
    assert all(path.read_bytes() == (mirror / path.name).read_bytes() for path in paths)


def test_a_file_that_is_there_is_not_downloaded(mirror: Path, tmp_path: Path) -> None:
    fetch("mnist", tmp_path / "data")
    for path in mirror.iterdir():
        path.unlink()
    assert len(fetch("mnist", tmp_path / "data")) == 4


def test_a_download_with_a_wrong_digest_is_thrown_away(mirror: Path, tmp_path: Path) -> None:
    (mirror / TRAIN[0]).write_bytes(gzip.compress(b"something else", mtime=0))
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch("mnist", tmp_path / "data")
    assert not (tmp_path / "data" / "mnist" / TRAIN[0]).exists()


def test_no_mirror_answering_names_files_folder_mirrors_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = replace(IMAGE_SETS["kmnist"], mirrors=(NOWHERE,))
    monkeypatch.setitem(images.IMAGE_SETS, "kmnist", dead)
    with pytest.raises(DataError) as caught:
        fetch("kmnist", tmp_path)
    for expected in (*TRAIN, *TEST, str(tmp_path / "kmnist"), NOWHERE, "--data-dir", "LOSSRUN_DATA_DIR"):
        assert expected in str(caught.value)


@pytest.mark.usefixtures("mirror")
def test_a_local_file_with_a_wrong_digest_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    (folder / TRAIN[0]).write_bytes(gzip.compress(b"something else", mtime=0))
    with pytest.raises(DataError, match="not the published file"):
        fetch("mnist", tmp_path / "data")


def test_plain_and_gzipped_files_give_the_same_data(mirror: Path, tmp_path: Path, loaded: Callable[..., Data]) -> None:
    gzipped = loaded("mnist")
    folder = tmp_path / "plain" / "mnist"
    folder.mkdir(parents=True)
    for path in mirror.iterdir():
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    assert loaded("mnist", data_dir=tmp_path / "plain").hashes == gzipped.hashes


def test_a_plain_file_of_another_size_is_refused(mirror: Path, tmp_path: Path, loaded: Callable[..., Data]) -> None:
    folder = tmp_path / "plain" / "mnist"
    folder.mkdir(parents=True)
    for path in mirror.iterdir():
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    (folder / TRAIN[1].removesuffix(".gz")).write_bytes(idx(np.zeros(19, np.uint8)))
    with pytest.raises(DataError, match=r"labels \(19,\)"):
        loaded("mnist", data_dir=tmp_path / "plain")


@pytest.mark.usefixtures("mirror")
def test_a_share_as_test_leaves_the_official_test_set_aside(loaded: Callable[..., Data]) -> None:
    data = loaded("mnist", test=5, validation=5)
    assert data.test is not None
    ids = np.concatenate([part.ids for part in (data.train, data.validation, data.test) if part])
    assert sorted(ids) == list(range(20))


def test_mnist_has_its_published_shapes_and_counts(mnist_dir: Path, loaded: Callable[..., Data]) -> None:
    data = loaded("mnist", data_dir=mnist_dir, validation=5000)
    assert data.validation is not None
    assert data.test is not None
    assert data.train.inputs.shape == (55000, 1, 28, 28)
    assert data.train.inputs.dtype == np.uint8
    assert data.facts.target_range == (0, 9)
    # First labels of the two official label files, as in LeCun's description and every tutorial since.
    everything = loaded("mnist", data_dir=mnist_dir, validation=0)
    assert everything.train.targets[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    # 5421 of the 60,000 are a five: 451.75 of 5000 by proportion.
    assert (data.validation.targets == 5).sum() in (451, 452)
    # Mean and deviation of the training pixels that the field uses: 0.1307 and 0.3081 of 255.
    standardized = loaded("mnist", data_dir=mnist_dir, validation=0, standardize={"inputs": True, "targets": False})
    assert standardized.input_scaling.mean / 255 == pytest.approx(0.1307, abs=5e-5)
    assert standardized.input_scaling.std / 255 == pytest.approx(0.3081, abs=5e-5)


def test_mnist_reads_alike_from_the_cache(mnist_dir: Path, loaded: Callable[..., Data]) -> None:
    first, second = (loaded("mnist", data_dir=mnist_dir, validation=0) for _ in range(2))
    assert first.hashes == second.hashes
    assert isinstance(second.train.inputs.base, np.memmap)
