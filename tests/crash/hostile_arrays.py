"""Hostile npz, safetensors and IDX files: as data, as predictions, as weights, as checkpoints, to predict."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.crash import sealed
from tests.crash.hostile_cases import EVIL, Command, Hostile, in_place_of, on_run

TRAIN_NPZ = ("train", "config.yaml", "--set", "dataset={name: npz, path: data.npz}", "--set", "loss=mse")
PREDICT_NPZ = ("predict", "evil", "--input", "new.npz")
ON_BEST: tuple[Command, ...] = (
    ("evaluate", "evil"),
    ("predict", "evil", "--input", "new.csv"),
    ("export", "evil", "-o", "exported"),
    ("verify", "evil"),
    ("show", "evil"),
)
ON_NEWEST: tuple[Command, ...] = (
    ("resume", "evil", "--set", "epochs=3"),
    ("verify", "evil"),
    ("export", "evil", "-o", "exported", "--checkpoint", "last"),
    ("show", "evil"),
    ("gc", "--yes"),
)
ON_PREDICTIONS: tuple[Command, ...] = (
    ("compare", "evil", "good"),
    ("compare", "evil", "good", "--over", "items"),
    ("compare", "evil", "good", "--html", "page.html"),
    ("verify", "evil"),
    ("resume", "evil", "--set", "epochs=3"),
)


def cases() -> Iterator[Hostile]:
    for what, members in odd_members().items():
        yield Hostile(f"{what} as data", in_place_of("data.npz", members), (TRAIN_NPZ, _check(TRAIN_NPZ)))
        yield Hostile(f"{what} to predict", in_place_of("new.npz", members), (PREDICT_NPZ,))
    for what, content in odd_predictions().items():
        yield on_run(f"{what} as predictions.npz", sealed.with_predictions(content), *ON_PREDICTIONS)
    for what, content in odd_tensors().items():
        yield on_run(f"{what} as best weights", sealed.with_best(content), *ON_BEST)
        yield on_run(f"{what} as the only checkpoint", sealed.with_newest(content), *ON_NEWEST)
    yield from changed_weights()
    yield from idx_files()


def _check(command: Command) -> Command:
    return ("check", *command[1:])


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=True)
    return content.getvalue()


def npy_with_header(text: str, body: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    raw = text.encode("utf-8" if version == (3, 0) else "latin-1")
    length = struct.pack("<H" if version == (1, 0) else "<I", len(raw))
    return b"\x93NUMPY" + bytes(version) + length + raw + body


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def of_type(dtype: str, shape: str = "(60,)", fortran: str = "False") -> str:
    return f"{{'descr': {dtype}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


def odd_arrays() -> dict[str, bytes]:
    """Return .npy contents for `x`, of 60 rows where there are any."""
    rows = np.arange(120.0).reshape(60, 2)
    structured = np.zeros(60, [("a", "<f8"), ("b", "<i4")])
    return {
        "Fortran order": npy(np.asfortranarray(rows)),
        "big-endian": npy(rows.astype(">f8")),
        "float16": npy(rows.astype("f2")),
        "longdouble": npy(rows.astype("g")),
        "complex": npy(rows.astype("c16")),
        "structured": npy(structured),
        "times": npy(np.zeros((60, 2), "M8[s]")),
        "spans": npy(np.zeros((60, 2), "m8[D]")),
        "NaT": npy(np.full((60, 2), "NaT", "M8[s]")),
        "booleans": npy(rows > 5),
        "words": npy(np.full((60, 2), EVIL)),
        "bytes": npy(np.full((60, 2), b"\xff\x1b[31m")),
        "raw bytes": npy(np.zeros((60, 2), "V16")),
        "text with lone surrogates": npy_with_header(of_type("'<U1'"), struct.pack("<I", 0xD800) * 60),
        "text beyond Unicode": npy_with_header(of_type("'<U1'"), struct.pack("<I", 0x7FFFFFFF) * 60),
        "text of 10^9 letters": npy_with_header(of_type("'<U1000000000'", "(1,)"), bytes(4000)),
        "objects": npy(np.array([{}] * 60, object)),
        "integers beyond 2^63": npy(np.full((60, 2), 2**64 - 1, np.uint64)),
        "integers beyond 2^53": npy(np.full((60, 2), 2**62 + 1)),
        "-0.0": npy(np.full((60, 2), -0.0)),
        "infinity": npy(np.full((60, 2), np.inf)),
        "1e308": npy(np.full((60, 2), 1e308)),
        "denormals": npy(np.full((60, 2), 5e-324)),
        "signalling NaN": npy(np.frombuffer(struct.pack("<Q", 0x7FF0000000000001) * 120, "<f8").reshape(60, 2)),
        "no axis": npy(np.array(5.0)),
        "no rows": npy(np.zeros((0, 2))),
        "no columns": npy(np.zeros((60, 0))),
        "32 axes": npy(np.zeros((60,) + (1,) * 31)),
        "a shape of 10^18 without a number": npy_with_header(of_type("'<f8'", "(0, 1000000000000000000)")),
        "a shape of -1": npy_with_header(of_type("'<f8'", "(-1,)"), bytes(480)),
        "a shape of 2^63": npy_with_header(of_type("'<f8'", "(9223372036854775808,)"), bytes(480)),
        "a shape of 2^32 x 2^32": npy_with_header(of_type("'<f8'", "(4294967296, 4294967296)"), bytes(480)),
        "a shape of booleans": npy_with_header(of_type("'<f8'", "(True, True)"), bytes(8)),
        "a shape of text": npy_with_header(of_type("'<f8'", "('60',)"), bytes(480)),
        "10,000 axes": npy_with_header(of_type("'<f8'", "(" + "1," * 10_000 + ")"), bytes(8)),
        "a type of no bytes and 10^12 rows": npy_with_header(of_type("'V0'", "(1000000000000,)")),
        "text of no letters and 10^12 rows": npy_with_header(of_type("'<U0'", "(1000000000000,)")),
        "a type with a huge shape": npy_with_header(of_type("[('a', '<f8', (1000000000,))]", "(60,)"), bytes(480)),
        "a type 1,000 deep": npy_with_header(
            of_type("[('a', " * 1000 + "'<f8'" + ")]" * 1000), bytes(480), version=(2, 0)
        ),
        "code as a header": npy_with_header("__import__('os').mkdir('mark')\n", bytes(480)),
        "a header 10^5 deep": npy_with_header("(" * 100_000 + ")" * 100_000, version=(2, 0)),
        "a header of 64 MiB": npy_with_header("{" + " " * 2**26 + "}\n", version=(2, 0)),
        "a header with a huge power": npy_with_header(of_type("'<f8'", "(9**9**9,)"), bytes(480)),
        "a header of version 3": npy_with_header(of_type("[('é', '<f8')]"), bytes(480), version=(3, 0)),
        "a header of version 9": npy_with_header(of_type("'<f8'"), bytes(480), version=(9, 0)),
        "a header without a shape": npy_with_header("{'descr': '<f8'}\n", bytes(480)),
        "a header cut off": b"\x93NUMPY\x01\x00\xff\xff{",
        "no header": b"x" * 100,
    }


def odd_members() -> dict[str, bytes]:
    """Return npz contents with `x` and `y`."""
    y = npy(np.arange(60.0))
    found = {what: zipped({"x.npy": x, "y.npy": y}) for what, x in odd_arrays().items()}
    found |= {f"{what} as targets": zipped({"x.npy": npy(np.arange(120.0).reshape(60, 2)), "y.npy": content})
              for what, content in odd_arrays().items()}  # fmt: skip
    return found | odd_archives({"x.npy": npy(np.arange(120.0).reshape(60, 2)), "y.npy": y})


def odd_archives(members: dict[str, bytes]) -> dict[str, bytes]:
    """Return zips of some members that are odd as archives."""
    good = zipped(members)
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        for content in (b"x" * 100, *members.values()):
            archive.writestr(next(iter(members)), content)
    encrypted = bytearray(good)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = encrypted.find(mark)
        while start >= 0:
            encrypted[start + offset] |= 1
            start = encrypted.find(mark, start + 1)
    lying = bytearray(good)
    place = lying.find(b"PK\x01\x02") + 24  # the uncompressed size in the directory
    lying[place : place + 4] = struct.pack("<I", 2**31)
    understated = bytearray(good)
    understated[place : place + 4] = struct.pack("<I", 130)
    bomb = npy_with_header(of_type("'<f8'", "(100000000,)"), bytes(8 * 10**7))
    return {
        "a member called ../../outside": zipped({**members, "../../outside.npy": npy(np.zeros(3))}),
        "a member called /tmp/outside": zipped({**members, "/tmp/outside.npy": npy(np.zeros(3))}),
        "a member called in an evil way": zipped({**members, f"{EVIL}.npy": npy(np.zeros(3))}),
        "a member called NUL": zipped({**members, "a\0b.npy": npy(np.zeros(3))}),
        "a member twice": twice.getvalue(),
        "members stored": zipped(members, zipfile.ZIP_STORED),
        "members in bzip2": zipped(members, zipfile.ZIP_BZIP2),
        "members in LZMA": zipped(members, zipfile.ZIP_LZMA),
        "a bomb in bzip2": zipped({**members, next(iter(members)): bomb}, zipfile.ZIP_BZIP2),
        "a bomb in addition": zipped({**members, "z.npy": bomb}),
        "a comment of 64 KiB": zipped(members, comment=b"x" * 65_535),
        "a member that says it is encrypted": bytes(encrypted),
        "a member that says it has 2 GiB": bytes(lying),
        "a member that says it has 130 bytes": bytes(understated),
        "100,000 members": zipped({**members, **{f"m{number}.npy": b"" for number in range(100_000)}}, 0),
        "an archive cut in two": good[: len(good) // 2],
        "an archive without its directory": good[:-60],
        "an archive behind 1 MB of something else": b"x" * 10**6 + good,
        "a pickle": b"\x80\x04N.",
    }


def odd_predictions() -> dict[str, bytes]:
    """Return contents for predictions.npz."""
    good = {
        "part": npy(np.array("test")),
        "total": npy(np.array(12)),
        "ids": npy(np.arange(12)),
        "targets": npy(np.zeros(12)),
        "outputs_seed0": npy(np.zeros((12, 1))),
        "outputs_seed1": npy(np.zeros((12, 1))),
    }
    twelve = np.zeros((12, 1))
    changes: dict[str, dict[str, bytes]] = {
        "a part of evil text": {"part": npy(np.array(EVIL))},
        "a part that is a list": {"part": npy(np.array(["test", "test"]))},
        "a part that is a number": {"part": npy(np.array(5))},
        "a negative total": {"total": npy(np.array(-1))},
        "a total of 2^64 - 1": {"total": npy(np.array(2**64 - 1, np.uint64))},
        "a total of NaN": {"total": npy(np.array(np.nan))},
        "a total in a list": {"total": npy(np.zeros(100))},
        "ids of text": {"ids": npy(np.array(["a"] * 12))},
        "ids of floats": {"ids": npy(np.full(12, np.nan))},
        "ids beyond 2^63": {"ids": npy(np.full(12, 2**64 - 1, np.uint64))},
        "negative ids": {"ids": npy(np.full(12, -5))},
        "too few ids": {"ids": npy(np.arange(3))},
        "ids in a table": {"ids": npy(np.arange(24).reshape(12, 2))},
        "complex outputs": {"outputs_seed0": npy(twelve.astype("c16"))},
        "structured outputs": {"outputs_seed0": npy(np.zeros(12, [("a", "f8")]))},
        "outputs of another size": {"outputs_seed0": npy(np.zeros((12, 50)))},
        "outputs without a size": {"outputs_seed0": npy(np.zeros((12, 0)))},
        "outputs of one number": {"outputs_seed0": npy(np.array(1.0))},
        "Fortran outputs": {"outputs_seed0": npy(np.asfortranarray(np.zeros((12, 1, 3))))},
        "outputs of infinity": {"outputs_seed0": npy(np.full((12, 1), np.inf))},
        "outputs of 1e308": {"outputs_seed0": npy(np.full((12, 1), 1e308))},
        "outputs of an evil seed": {f"outputs_seed{EVIL}": npy(twelve)},
        "outputs of seed 9999999999999999999999": {"outputs_seed9999999999999999999999": npy(twelve)},
        "outputs of seed -1": {"outputs_seed-1": npy(twelve)},
        "outputs of a seed in Arabic": {"outputs_seed٠": npy(twelve)},
        "targets of classes beyond": {"targets": npy(np.full(12, 10**9))},
        "targets of text": {"targets": npy(np.full(12, "a"))},
        "targets of NaN": {"targets": npy(np.full(12, np.nan))},
        "shares of another metric": {f"shares_{EVIL}": npy(twelve)},
        "shares of another size": {"shares_accuracy": npy(np.zeros((3, 7)))},
        "shares of text": {"shares_accuracy": npy(np.full((12, 2), "a"))},
        "shares of NaN": {"shares_accuracy": npy(np.full((12, 2), np.nan))},
    }
    found = {what: zipped({f"{name}.npy": array for name, array in {**good, **change}.items()})
             for what, change in changes.items()}  # fmt: skip
    for what, array in odd_arrays().items():
        found[f"outputs: {what}"] = zipped(
            {f"{name}.npy": old for name, old in good.items()} | {"outputs_seed0.npy": array}
        )
    return found | odd_archives({f"{name}.npy": array for name, array in good.items()})


def tensors(header: str, body: bytes = b"") -> bytes:
    raw = header.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(raw)) + raw + body


def odd_tensors() -> dict[str, bytes]:
    """Return safetensors files that are odd as such."""

    def one(name: str = "model.x", dtype: str = "F32", shape: str = "[4]", offsets: str = "[0, 16]") -> str:
        return f'{json.dumps(name)}: {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": {offsets}}}'

    meta = '"__metadata__": {"lossrun": "{}"}'
    return {
        "a gap between tensors": tensors(f"{{{meta}, {one()}, {one('model.y', offsets='[32, 48]')}}}", bytes(48)),
        "bytes behind the tensors": tensors(f"{{{meta}, {one()}}}", bytes(64)),
        "too few bytes": tensors(f"{{{meta}, {one()}}}", bytes(8)),
        "a tensor twice": tensors(f"{{{meta}, {one()}, {one()}}}", bytes(16)),
        "a tensor twice, in two places": tensors(f"{{{meta}, {one()}, {one(offsets='[16, 32]')}}}", bytes(32)),
        "offsets back to front": tensors(f"{{{meta}, {one(offsets='[16, 0]')}}}", bytes(16)),
        "negative offsets": tensors(f"{{{meta}, {one(offsets='[-16, 0]')}}}", bytes(16)),
        "offsets of 2^64": tensors(f"{{{meta}, {one(offsets='[0, 18446744073709551616]')}}}", bytes(16)),
        "a type of other size": tensors(f"{{{meta}, {one(dtype='F64')}}}", bytes(16)),
        "an unknown type": tensors(f"{{{meta}, {one(dtype='F128')}}}", bytes(16)),
        "a type of half a byte": tensors(f"{{{meta}, {one(dtype='F4', shape='[32]')}}}", bytes(16)),
        "float8": tensors(f"{{{meta}, {one(dtype='F8_E4M3', shape='[16]')}}}", bytes(16)),
        "complex numbers": tensors(f"{{{meta}, {one(dtype='C64', shape='[2]')}}}", bytes(16)),
        "booleans of 255": tensors(f"{{{meta}, {one(dtype='BOOL', shape='[16]')}}}", b"\xff" * 16),
        "a shape that overflows": tensors(f"{{{meta}, {one(shape=f'[{2**32}, {2**32}]', offsets='[0, 0]')}}}"),
        "a shape of 0 x 2^62": tensors(f"{{{meta}, {one(shape=f'[0, {2**62}]', offsets='[0, 0]')}}}"),
        "a negative shape": tensors(f"{{{meta}, {one(shape='[-4]')}}}", bytes(16)),
        "1,000 axes": tensors(f"{{{meta}, {one(shape=str([1] * 999 + [4]))}}}", bytes(16)),
        "an evil name": tensors(f"{{{meta}, {one(EVIL)}}}", bytes(16)),
        "a name of 10 MB": tensors(f"{{{meta}, {one('x' * 10**7)}}}", bytes(16)),
        "a name of lone surrogates": tensors(f"{{{meta}, {one(chr(0xD800))}}}", bytes(16)),
        "100,000 tensors": tensors(
            "{" + ", ".join((meta, *(one(f"model.{n}", shape="[0]", offsets="[0, 0]") for n in range(100_000)))) + "}"
        ),
        "no metadata": tensors(f"{{{one()}}}", bytes(16)),
        "metadata twice": tensors(f"{{{meta}, {meta}, {one()}}}", bytes(16)),
        "metadata that is a list": tensors(f'{{"__metadata__": [], {one()}}}', bytes(16)),
        "metadata that holds a number": tensors(f'{{"__metadata__": {{"lossrun": 5}}, {one()}}}', bytes(16)),
        "deep metadata": tensors(f'{{"__metadata__": {{"lossrun": "{"[" * 100_000}"}}, {one()}}}', bytes(16)),
        "metadata of NaN": tensors(f'{{"__metadata__": {{"lossrun": "NaN"}}, {one()}}}', bytes(16)),
        "metadata of 64 MiB": tensors(f'{{"__metadata__": {{"lossrun": "{" " * 2**26}"}}, {one()}}}', bytes(16)),
        "a header of blanks, 90 MB": tensors(f"{{{meta}, {one()}}}" + " " * 90_000_000, bytes(16)),
        "a header that begins with a blank": tensors(f" {{{meta}, {one()}}}", bytes(16)),
        "a header in UTF-16": struct.pack("<Q", 8) + "{}  ".encode("utf-16-le"),
        "a header of no bytes": struct.pack("<Q", 0),
        "7 bytes": b"\x00" * 7,
        "GGUF": b"GGUF" + bytes(100),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    }


def changed_weights() -> Iterator[Hostile]:
    """Yield the run's own weights and state, with facts that are not true."""

    def rewritten(kind: str, change: str, at: tuple[str | int, ...], raw: str) -> Hostile:
        def write(run: Path) -> None:
            path = max((run / "checkpoints").glob(f"{kind}-*"))
            content = path.read_bytes()
            length = struct.unpack("<Q", content[:8])[0]
            header = json.loads(content[8 : 8 + length])
            facts = json.loads(header["__metadata__"]["lossrun"])
            header["__metadata__"]["lossrun"] = sealed.replaced(facts, at, raw)
            new = tensors(json.dumps(header), content[8 + length :])
            (sealed.with_best if kind == "best" else sealed.with_newest)(new)(run)

        return on_run(f"{change} at {at} of {kind}", write, *(ON_BEST if kind == "best" else ON_NEWEST))

    raws = (
        "-1",
        str(2**63),
        "1e400",
        "NaN",
        '"x"',
        "[]",
        "{}",
        "null",
        "true",
        "9" * 5000,
        "[" * 10**5,
        json.dumps(EVIL),
    )
    for raw in raws:
        for at in (
            ("epoch",),
            ("step",),
            ("seeds", 0),
            ("seeds",),
            ("history", "length"),
            ("replicas", 0, "best", "epoch"),
        ):
            yield rewritten("step", raw[:20], at, raw)
        for at in (
            ("seconds",),
            ("tensors",),
            ("device",),
            ("replicas",),
            ("replicas", 0, "health"),
            ("format_version",),
        ):
            yield rewritten("step", raw[:20], at, raw)
        for at in (("best", 0, "epoch"), ("best", 0, "seed"), ("best",), ("tensors",), ("format_version",)):
            yield rewritten("best", raw[:20], at, raw)

    def filled(kind: str, name: str, byte: bytes) -> Hostile:
        def write(run: Path) -> None:
            path = max((run / "checkpoints").glob(f"{kind}-*"))
            content = path.read_bytes()
            start = 8 + struct.unpack("<Q", content[:8])[0]
            new = content[:start] + byte * (len(content) - start)
            (sealed.with_best if kind == "best" else sealed.with_newest)(new)(run)

        return on_run(f"{kind} weights of {name}", write, *(ON_BEST if kind == "best" else ON_NEWEST))

    for kind in ("best", "step"):
        for name, byte in (("NaN", b"\xff"), ("zeros", b"\0"), ("huge numbers", b"\x7f"), ("denormals", b"\x01")):
            yield filled(kind, name, byte)


def idx(kind: int, shape: tuple[int, ...], body: bytes) -> bytes:
    return bytes((0, 0, kind, len(shape))) + b"".join(struct.pack(">I", size) for size in shape) + body


def idx_files() -> Iterator[Hostile]:
    """Yield IDX files to predict, and as the files of a dataset that were downloaded before."""
    good = idx(8, (3, 2, 1), bytes(6))
    long_name = b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 2**22 + b"\0" + gzip.compress(good)[10:]
    contents = {
        "dimensions of 2^32 - 1": idx(8, (2**32 - 1,) * 3, bytes(6)),
        "255 dimensions": bytes((0, 0, 8, 255)) + struct.pack(">I", 1) * 255 + b"\1",
        "no dimension": bytes((0, 0, 8, 0)) + b"\1",
        "an unknown type": idx(7, (3, 2, 1), bytes(6)),
        "type 0": idx(0, (3, 2, 1), bytes(6)),
        "doubles of NaN": idx(14, (3, 2, 1), b"\xff" * 48),
        "dimensions of 0": idx(8, (0, 2**32 - 1, 2**32 - 1), b""),
        "too few bytes": idx(8, (3, 2, 1), bytes(5)),
        "too many bytes": idx(8, (3, 2, 1), bytes(7)),
        "a header cut off": b"\0\0\x08\x03\0\0",
        "no zeros in front": b"\1\1\x08\x03" + good[4:],
        "3 bytes": b"\0\0\x08",
    }
    zipped_ones = {
        "a gzip bomb": gzip.compress(idx(8, (3, 2, 1), bytes(10**8))),
        "a gzip bomb in a gzip bomb": gzip.compress(gzip.compress(bytes(10**8))),
        "10,000 gzip members": gzip.compress(good) + gzip.compress(b"") * 10_000,
        "a gzip cut off": gzip.compress(good)[:-6],
        "a gzip with a wrong sum": gzip.compress(good)[:-8] + bytes(8),
        "a gzip with garbage behind": gzip.compress(good) + b"garbage",
        "a gzip with a name of 4 MB": long_name,
        "no gzip": good,
        "an empty gzip": gzip.compress(b""),
        "a gzip of a lying IDX": gzip.compress(idx(8, (2**32 - 1,) * 3, bytes(6))),
    }
    zipped_ones |= {f"{what}, zipped": gzip.compress(content) for what, content in contents.items()}
    for suffix, kinds in (("-idx3-ubyte", contents), ("-idx3-ubyte.gz", zipped_ones)):
        for what, content in kinds.items():
            name = f"new{suffix}"
            yield Hostile(f"{what} to predict", in_place_of(name, content), (("predict", "evil", "--input", name),))
    cached = ("train", "config.yaml", "--data-dir", "cache", "--set", "dataset=mnist", "--set", "epochs=1")
    for what, content in zipped_ones.items():
        yield Hostile(
            f"{what} in the cache",
            in_place_of("cache/mnist/train-images-idx3-ubyte.gz", content),
            (cached, ("fetch", "mnist", "--data-dir", "cache"), ("check", *cached[1:])),
        )
