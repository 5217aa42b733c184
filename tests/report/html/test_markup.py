import base64
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.report.html.markup import Markup, element, json_block, png_address


def test_text_is_escaped_and_markup_is_not():
    assert element("p", "a < b & c") == "<p>a &lt; b &amp; c</p>"
    assert element("p", element("b", "x"), None, "<i>") == "<p><b>x</b>&lt;i&gt;</p>"
    assert isinstance(element("p"), Markup)


def test_attributes_are_escaped_and_may_be_left_out():
    written = element("input", class_="log", title='"><script>', checked=True, disabled=False, aria_label=None)
    assert written == '<input class="log" title="&quot;&gt;&lt;script&gt;" checked>'


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_data_come_back_and_never_leave_their_block(value):
    block = json_block(value, class_="values")
    head, inside, tail = block.partition(">")[0], block.partition(">")[2].rpartition("</script>")[0], block[-9:]
    assert head == '<script type="application/json" class="values"'
    assert tail == "</script>"
    assert not set("<>&\u2028\u2029") & set(inside)
    assert json.loads(inside) == value


def test_data_hold_no_number_that_json_has_not():
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError):  # noqa: PT011  # the words are the standard library's
            json_block([number])


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3)])
def test_an_image_is_a_png(shape):
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    start = "data:image/png;base64,"
    address = png_address(pixels)
    assert address.startswith(start)
    data = base64.b64decode(address.removeprefix(start))
    # The PNG specification: a signature, then length, kind, data and CRC of each chunk.
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        chunks[kind] = data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + chunks[kind])
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBB", chunks[b"IHDR"][:10]) == (3, 2, 8, 2 if len(shape) == 3 else 0)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(2, -1)
    np.testing.assert_array_equal(rows[:, 1:], pixels.reshape(2, -1))
