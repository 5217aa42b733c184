import gzip
from pathlib import Path

import numpy as np
import pytest

from lossrun.data.sources.idx import read_idx
from lossrun.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
# Magic number 0x00000803 (unsigned bytes, three dimensions), then 2, 3, 4: the IDX format by hand.
HEADER = bytes.fromhex("00000803 00000002 00000003 00000004")
WHOLE = HEADER + IMAGES.tobytes()


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_reads_gzipped_and_plain_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(WHOLE, mtime=0) if suffix else WHOLE)
    array = read_idx(path)
    assert array.dtype == np.uint8
    assert np.array_equal(array, IMAGES)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (WHOLE[:-1], "23 follow"),
        (WHOLE + b"\0", "follow"),
        (b"", r"starts with the bytes \(none\)"),
        (b"\x89PNG" + WHOLE, "starts with the bytes 89 50 4e 47"),
        (bytes.fromhex("00000d03") + WHOLE[4:], "unsigned bytes"),
        (bytes.fromhex("00000805") + WHOLE[4:], "1 to 4 dimensions"),
        (HEADER[:10], "within its header"),
        (bytes.fromhex("00000803 ffffffff ffffffff ffffffff"), "header says the shape is"),
        (bytes.fromhex("00000801 00000000"), "header says the shape is"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, suffix: str, content: bytes, complaint: str) -> None:
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(content, mtime=0) if suffix else content)
    with pytest.raises(DataError, match=complaint):
        read_idx(path)


@pytest.mark.parametrize("cut", [5, 20, -4])
def test_a_truncated_gzip_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(WHOLE, mtime=0)[:cut])
    with pytest.raises(DataError, match="cannot be read as IDX"):
        read_idx(path)


def test_a_gzip_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    compressed = bytearray(gzip.compress(WHOLE, mtime=0))
    compressed[-8] ^= 1
    path = tmp_path / "images.gz"
    path.write_bytes(compressed)
    with pytest.raises(DataError, match="cannot be read as IDX"):
        read_idx(path)
