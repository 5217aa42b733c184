"""`train -`, `check -`, `script -`: the config comes from standard input."""

import io
import sys
from pathlib import Path

import pytest

from lossrun.records.files import config_file
from tests.cli.conftest import CONFIG, Run


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def given(patch: pytest.MonkeyPatch, data: bytes, kind: type[io.BytesIO] = io.BytesIO) -> None:
    patch.setattr(sys, "stdin", io.TextIOWrapper(kind(data)))


def test_it_trains_with_paths_from_the_current_folder(
    lossrun: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.csv").write_text("a,y\n" + "\n".join(f"{n},{2 * n}" for n in range(40)))
    text = CONFIG.replace(
        "{name: synthetic_regression, samples: 100, features: 3}", "{name: csv, path: x.csv, target: y}"
    )
    given(monkeypatch, b"\xef\xbb\xbf" + text.encode())
    result = lossrun("train", "-", "--set", "epochs=1", "--set", "lint=warn", "--quiet")
    assert result.code == 0, result.err
    run = tmp_path / result.out.strip()
    assert config_file.read(run / "config.yaml")["dataset"]["path"] == "x.csv"
    assert lossrun("resume", "last", "--set", "epochs=2", "--quiet").code == 0


def test_check_and_script(lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, CONFIG.encode())
    assert lossrun("check", "-").err.endswith("note: no problems found\n")
    given(monkeypatch, CONFIG.encode())
    compile(lossrun("script", "-", "--as", "pytorch").out, "script.py", "exec")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "standard input: empty"),
        (b"loss: \xff", "standard input:1:7: not UTF-8 at byte 6"),
        (b"a" * 300_000, "standard input: larger than 256 KiB"),
        (b"\xc3\xa9" * 200_000, "standard input: larger than 256 KiB"),
        (b"epoch: 3", "standard input:1:1: epoch: there is no such key; did you mean epochs?"),
    ],
)
def test_mistakes_name_it(lossrun: Run, monkeypatch: pytest.MonkeyPatch, data: bytes, said: str) -> None:
    given(monkeypatch, data)
    result = lossrun("train", "-")
    assert result.code == 2
    assert said in result.err


def test_without_end_no_more_than_the_limit_is_read(lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        read_so_far = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            self.read_so_far += len(buffer)
            buffer[:] = b"a" * len(buffer)
            return len(buffer)

    source = Endless()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(source)))
    assert lossrun("check", "-").code == 2
    assert source.read_so_far < 1_000_000


def test_at_a_terminal_it_says_what_it_waits_for(lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, CONFIG.encode(), Terminal)
    assert "note: type the config, or paste it; Ctrl-D" in lossrun("check", "-").err
    monkeypatch.setattr(sys, "stdin", None)
    assert lossrun("check", "-").code == 2
