"""What an npz says of its size is checked before it is inflated."""

import io
import zipfile

import numpy as np
import pytest

from lossrun.array_sizes import check_sizes


def archive(shape: tuple[int, ...], numbers: int) -> zipfile.ZipFile:
    """An archive with an array that claims this shape, followed by this many numbers."""
    member, content = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", member.getvalue() + bytes(8 * numbers))
    return zipfile.ZipFile(content)


@pytest.mark.parametrize(("shape", "numbers"), [((3, 4), 12), ((), 1), ((0,), 0)])
def test_an_honest_one_passes(shape: tuple[int, ...], numbers: int) -> None:
    check_sizes(archive(shape, numbers), ["x.npy"])


@pytest.mark.parametrize(("shape", "numbers"), [((13,), 12), ((10**12,), 12), ((10**6, 10**6, 10**6), 0)])
def test_one_that_says_too_much_is_refused(shape: tuple[int, ...], numbers: int) -> None:
    with pytest.raises(ValueError, match=r"x\.npy says that it has the shape .*, but it is shorter"):
        check_sizes(archive(shape, numbers), ["x.npy"])
