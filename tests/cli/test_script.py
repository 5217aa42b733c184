"""`lossrun script`."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_the_script_goes_to_stdout_and_what_is_said_of_it_to_stderr(lossrun: Run, config: Path) -> None:
    result = lossrun("script", str(config), "--as", "pytorch", "--set", "optimizer=keras.Adam", "--set", "seeds=2")
    assert result.code == 0
    compile(result.out, "script.py", "exec")
    assert "eps=1e-7" in result.out
    assert "keras.Adam is adam with eps: 1e-07" in result.err


def test_it_goes_to_a_file_that_does_not_exist_yet(lossrun: Run, config: Path, tmp_path: Path) -> None:
    first = lossrun("script", str(config), "--as", "keras", "--output", "mine.py")
    assert (first.code, first.out) == (0, "")
    text = (tmp_path / "mine.py").read_text()
    assert "import keras" in text
    again = lossrun("script", str(config), "--as", "pytorch", "-o", "mine.py")
    assert again.code == 2
    assert "mine.py already exists" in again.err
    assert (tmp_path / "mine.py").read_text() == text


@pytest.mark.parametrize("name", ['say """.yaml', "C:\\Users\\N.yaml", "caf\udce9.yaml"])
def test_the_name_of_the_config_cannot_break_the_script(lossrun: Run, config: Path, tmp_path: Path, name: str) -> None:
    config.rename(tmp_path / name)
    assert lossrun("script", name, "--as", "pytorch", "-o", "mine.py").code == 0
    compile((tmp_path / "mine.py").read_bytes(), "mine.py", "exec")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--as", "keras", "--set", "optimizer=rprop"], "Keras has no Rprop"),
        (["--as", "keras", "--set", "loss=hinge"], "hinge is for binary targets"),
        (["--as", "pytorch", "--output", "missing/mine.py"], "cannot write missing/mine.py"),
    ],
)
def test_what_cannot_be_written_is_said(lossrun: Run, config: Path, arguments: list[str], said: str) -> None:
    result = lossrun("script", str(config), *arguments)
    assert (result.code, result.out) == (4 if said.startswith("cannot write") else 2, "")
    assert said in result.err


def test_what_a_users_code_prints_does_not_get_into_the_script(lossrun: Run, config: Path, tmp_path: Path) -> None:
    """Nor is a dataset, which may take long to make, made again for every section of the script."""
    (tmp_path / "chatty.py").write_text(
        "import numpy as np\nfrom lossrun import Dataset\n\n\ndef points():\n    print('made')\n"
        "    x = np.arange(40.0).reshape(20, 2)\n    return Dataset(train=(x, x.sum(1)))\n"
    )
    result = lossrun("script", str(config), "--as", "pytorch", "--set", "dataset=chatty:points")
    assert result.code == 0, result.err
    compile(result.out, "script.py", "exec")
    assert "made" not in result.out
    assert result.err.count("made\n") == 2  # to look at it, and as it comes
