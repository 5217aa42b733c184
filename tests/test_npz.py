"""What an npz says of its size is checked before it is inflated."""

import io
import zipfile

import numpy as np
import pytest

from lossrun.npz import array_of, check_sizes


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


@pytest.mark.parametrize("order", ["<", ">"])
def test_text_is_unicode(order: str) -> None:
    """The largest character passes, the next number does not: numpy reads it, and fails when it makes a string."""
    largest, content = np.full((2, 3), 0x10FFFF, f"{order}u4"), io.BytesIO()
    beyond = np.full(3, 0x110000, f"{order}u4")
    texts = {"words": largest.view(f"{order}U3"), "none": np.empty(0, "U3"), "evil": beyond.view(f"{order}U3")}
    np.savez(content, numbers=largest, **texts)
    content.seek(0)
    with np.load(content) as saved:
        assert array_of(saved, "words").tolist() == [["\U0010ffff" * 3]] * 2
        assert array_of(saved, "numbers").sum() == 6 * 0x10FFFF
        assert array_of(saved, "none").tolist() == []
        with pytest.raises(ValueError, match="evil has characters that are not Unicode"):
            array_of(saved, "evil")
