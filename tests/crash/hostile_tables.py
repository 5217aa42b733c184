"""Hostile tables: as data, as validation data, to predict; and what text in them becomes where it is printed."""

from collections.abc import Iterator

from tests.crash.hostile_cases import EVIL, READING, Command, Hostile, in_place_of

DATASET = "dataset={name: csv, path: data.csv, target: y}"
TRAIN: Command = ("train", "config.yaml", "--name", "fresh", "--set", DATASET, "--set", "loss=mse")
LINE = 10**8  # characters


def cases() -> Iterator[Hostile]:
    for what, content in tables().items():
        yield Hostile(
            f"{what} as data",
            in_place_of("data.csv", content),
            (TRAIN, ("check", *TRAIN[1:2], *TRAIN[4:]), ("script", *TRAIN[1:2], *TRAIN[4:], "--as", "pytorch")),
        )
    for what, content in new_samples().items():
        yield Hostile(
            f"{what} to predict",
            in_place_of("new.csv", content),
            (
                ("predict", "evil", "--input", "new.csv"),
                ("predict", "evil", "--input", "new.csv", "--no-header"),
                ("predict", "evil", "--input", "new.csv", "-o", "out.npz"),
            ),
        )
    yield from evil_words()


def table(*rows: str, start: str = "a,y\n") -> bytes:
    return (start + "".join(f"{row}\n" for row in (*(f"{n},{2 * n}" for n in range(60)), *rows))).encode()


def tables() -> dict[str, bytes]:
    good = table()
    return {
        "a BOM": b"\xef\xbb\xbf" + good,
        "two BOMs": b"\xef\xbb\xbf" * 2 + good,
        "UTF-16": good.decode().encode("utf-16"),
        "UTF-32": good.decode().encode("utf-32"),
        "UTF-7": good.decode().encode("utf-7") + b"+AGE-,1\n",
        "CR LF": good.replace(b"\n", b"\r\n"),
        "CR": good.replace(b"\n", b"\r"),
        "CR LF and CR and LF": good.replace(b"\n", b"\r\n", 5).replace(b"6,12\n", b"6,12\r"),
        "NEL as line end": good.replace(b"\n", "\x85".encode()),
        "U+2028 as line end": good.replace(b"\n", "\u2028".encode()),
        "form feeds": good.replace(b"\n", b"\x0c\n"),
        "NUL bytes": good.replace(b",", b"\0,"),
        "NUL as delimiter": good.replace(b",", b"\0"),
        "a line of 100 MB": good + b"1" * LINE + b",1\n",
        "a header of 100 MB": b"a" * LINE + b",y\n1,2\n",
        "a line of 100 MB that does not end": good + b"1" * LINE,
        "a quote that does not end": good + b'"' + b"x,\n" * 10**6,
        "a million columns": b",".join([b"a%d" % n for n in range(10**6)]) + b",y\n" + b"1," * 10**6 + b"1\n",
        "10 million commas": good + b"," * 10**7 + b"\n",
        "a million empty lines": good + b"\n" * 10**6,
        "a cell of 10^5 digits": table("9" * 10**5 + ",1"),
        "1e400": table("1e400,1"),
        "-1e400": table("1,-1e400"),
        "1e999999999999": table("1e999999999999,1"),
        "1e-400": table("1e-400,1"),
        "-0.0": table("-0.0,-0.0"),
        "integers beyond 2^63": table(f"{2**63},{2**64}"),
        "integers beyond 2^1024": table(f"{10**400},1"),
        "NaN": table("nan,1", "NaN,1", "-nan,1"),
        "NaN with a payload": table("nan(123),1"),
        "infinity": table("inf,1", "Infinity,1", "-inf,1"),
        "hexadecimal": table("0x10,1", "0x1p3,1"),
        "underscores": table("1_000,1"),
        "Arabic digits": table("١٢٣,1"),
        "full-width digits": table("１２３,1"),
        "superscripts": table("²,1"),
        "a Unicode minus": table("−5,1"),
        "spaces of every kind": table("\u00a0 5\u2003,\u20001"),
        "complex numbers": table("1j,1", "1+2j,1"),
        "booleans": table("True,1"),
        "a number in every notation": table("1.,.5", "+1,1e+5", "1d5,1"),
        "too many cells": table("1,2,3,4,5"),
        "too few cells": table("1"),
        "columns twice": table(start="y,y\n"),
        "columns without a name": table(start=",y\n"),
        "a column of blanks": table(start="   ,y\n"),
        "a column of 10^6 letters": table(start="x" * 10**6 + ",y\n"),
        "an evil column": table(start='"' + EVIL.replace('"', '""') + '",y\n'),
        "an evil cell": table('"' + EVIL.replace('"', '""') + '",1'),
        "an evil target": table('1,"' + EVIL.replace('"', '""') + '"'),
        "a formula": table("\"=cmd|' /C calc'!A0\",1"),
        "lone surrogates": good + b"\xed\xa0\x80,1\n",
        "overlong UTF-8": good + b"\xc0\xaf,1\n",
        "UTF-8 cut off": good + b"\xf0\x9f",
        "only a header": b"a,y\n",
        "only line ends": b"\n\n\n",
        "one byte": b"a",
        "Excel": b"PK\x03\x04" + bytes(1000),
        "gzip": b"\x1f\x8b\x08" + bytes(100),
        "HTML": b"<!doctype html><html><body>404</body></html>",
    }


def new_samples() -> dict[str, bytes]:
    """Return contents for a file of new samples: columns a and b, of which b is red or blue."""
    good = b"a,b\n1,red\n2,blue\n"
    return {
        "a line of 100 MB": good + b"1" * LINE + b",red\n",
        "a line of 100 MB that does not end": good + b"1" * LINE,
        "a header of 100 MB": b"a" * LINE + b",b\n1,red\n",
        "one cell of 100 MB in quotes": good + b'3,"' + b"x\n" * (LINE // 2) + b'"\n',
        "100 MB of commas": good + b"," * LINE,
        "10 MB of line ends": good + b"\n" * (LINE // 10),
        "100 MB of NUL bytes": good + bytes(LINE),
        "100 MB of quotes": good + b'"' * LINE,
        "a BOM": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "CR": good.replace(b"\n", b"\r"),
        "NUL bytes": good.replace(b",", b"\0,"),
        "an unknown category": good + b"3,green\n",
        "an evil category": good + ('3,"' + EVIL.replace('"', '""') + '"\n').encode(),
        "an evil column": ('a,"' + EVIL.replace('"', '""') + '"\n1,red\n').encode(),
        "1e400": good + b"1e400,red\n",
        "NaN": good + b"nan,red\n",
        "2^70": good + b"%d,red\n" % 2**70,
        "a column twice": b"a,a,b\n1,1,red\n",
        "no column": b"\n\n",
        "columns of another order": b"b,a\nred,1\n",
        "too many cells": good + b"1,red,5\n",
        "lone surrogates": good + b"1,\xed\xa0\x80\n",
        "nothing": b"",
        "only a header": b"a,b\n",
        "a million rows": b"a,b\n" + b"1,red\n" * 10**6,
    }


FORMULA = '=HYPERLINK("http://evil","x")'


def evil_words() -> Iterator[Hostile]:
    """Yield runs trained on evil words, so that all records hold them, and all ways of printing them."""
    for what, word in (("evil", EVIL.replace("\r\n", " ")), ("a formula", FORMULA), ("dashes", "---\n...")):
        quoted = '"' + word.replace('"', '""') + '"'
        content = f"{quoted},b,y\n" + "".join(
            f"{n},{quoted if n % 2 else 'red'},{quoted if n % 3 else 'good'}\n" for n in range(60)
        )
        train: Command = ("train", "config.yaml", "--name", "words", "--set", "dataset.path=words.csv")
        after: tuple[Command, ...] = tuple(
            tuple("words" if word == "evil" else word for word in command) for command in READING
        )
        computing: tuple[Command, ...] = (
            ("predict", "words", "--input", "words.csv"),
            ("evaluate", "words"),
            ("export", "words", "-o", "exported", "--format", "csv", "--format", "safetensors", "--format", "torch"),
            ("export", "words", "-o", "exported", "--format", "tensorboard"),
        )
        untrained: tuple[Command, ...] = (
            ("check", *train[1:2], *train[4:]),
            ("script", *train[1:2], *train[4:], "--as", "pytorch"),
            ("script", *train[1:2], *train[4:], "--as", "keras"),
        )
        write = in_place_of("words.csv", content.encode())
        yield Hostile(f"words that are {what}", write, (train, *untrained))
        yield Hostile(f"words that are {what}, trained", write, (*after, *computing), first=(train,))
