import builtins
import io
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lossrun.output import harmless
from lossrun.report.layout import console as streams
from lossrun.report.layout.console import error, note, plus_minus, stdout, warning, wrapped


class Stream(io.TextIOWrapper):
    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def written(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)


def redirect(monkeypatch, name, **options) -> Stream:
    monkeypatch.setattr(sys, name, stream := Stream(**options))
    return stream


def test_each_stream_is_judged_by_itself(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = redirect(monkeypatch, "stdout", terminal=False)
    redirect(monkeypatch, "stderr", terminal=True)
    assert (streams.stderr().width, streams.stderr().is_terminal) == (80, True)
    assert not streams.stdout().is_terminal
    streams.stdout().print("word " * 100)
    assert len(out.written.splitlines()) == 1


@pytest.fixture(params=["Jupyter", "Colab", "Databricks", "IPython in a terminal"])
def notebook(request, monkeypatch):
    """What rich looks for: the class of the shell that IPython leaves among the built-in names, or a variable."""
    kernel = type("ZMQInteractiveShell", (), {})
    colab = type("Shell", (), {"__module__": "google.colab._shell"})
    terminal = type("TerminalInteractiveShell", (), {})
    shells = {"Jupyter": kernel, "Colab": colab, "IPython in a terminal": terminal}
    if request.param in shells:
        monkeypatch.setattr(builtins, "get_ipython", shells[request.param], raising=False)
    else:
        monkeypatch.setattr(builtins, "get_ipython", terminal, raising=False)
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    assert Console().is_jupyter is (request.param != "IPython in a terminal")
    displayed = []
    monkeypatch.setattr("rich.jupyter.display", lambda *shown: displayed.append(shown))
    return displayed


def test_in_a_notebook_text_goes_where_it_was_sent(notebook, monkeypatch):
    streams_of = {"stdout": streams.stdout, "stderr": streams.stderr}
    for name, console_of in streams_of.items():
        out = redirect(monkeypatch, name, terminal=False)
        note(console_of(), "here [bold]")
        assert out.written == "note: here [bold]\n"
    monkeypatch.setenv("COLUMNS", "30")
    text = streams.printed(lambda console: note(console, "as wide as the terminal and no wider"))
    assert text == "note: as wide as the terminal\nand no wider"
    assert notebook == []


@pytest.mark.parametrize("variable", ["TERM=dumb", "FORCE_COLOR=1", "NO_COLOR=1", "JUPYTER_COLUMNS=40"])
def test_text_in_memory_depends_on_no_terminal(variable, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv(*variable.split("="))
    text = streams.printed(lambda console: warning(console, " ".join(["word"] * 30)))
    lines = ["warning: " + " ".join(["word"] * 22), " ".join(["word"] * 8)]
    assert text.splitlines() == lines


def test_an_ascii_stream_takes_any_text(monkeypatch):
    out = redirect(monkeypatch, "stdout", terminal=False, encoding="ascii")
    console = streams.stdout()
    assert plus_minus(console) == "+-"
    console.print("größe")
    assert out.written == "gr\\xf6\\xdfe\n"


@pytest.mark.parametrize(("say", "mark"), [(note, "note:"), (warning, "warning:"), (error, "error:")])
def test_a_message_is_marked_and_its_brackets_are_text(say, mark):
    file = io.StringIO()
    say(Console(file=file, width=80), "betas [0.9, 0.999] [bold]")
    assert file.getvalue() == f"{mark} betas [0.9, 0.999] [bold]\n"


@given(st.lists(st.text("abcdef", min_size=1, max_size=30), min_size=1, max_size=20), st.integers(1, 40))
def test_wrapping_keeps_every_word_whole(words, width):
    lines = [line.plain for line in wrapped(Text(" ".join(words)), width)]
    assert " ".join(lines).split() == words
    assert all(len(line) <= width or " " not in line for line in lines)


def test_wrapping_keeps_styles_and_line_breaks():
    lines = wrapped(Text.assemble(("note:", "dim"), " one two\n\nthree"), 9)
    assert [line.plain for line in lines] == ["note: one", "two", "", "three"]
    assert [span.style for span in lines[0].spans] == ["dim"]


def test_a_command_to_copy_is_never_broken():
    command = "  lossrun resume runs/20261121-014500-" + "long-" * 20 + " --set learning_rate=5"
    lines = [line.plain for line in wrapped(Text(f"error: it diverged; go on with\n{command}"), 40)]
    assert lines[-1] == command


EVIL = "a\x1b[31mb\x1b]0;title\x07c\u202ed\x9be\u2028f\x00g\u2066h\x7f"


@pytest.mark.parametrize("show", [note, warning, error, lambda console, text: console.print(table_of(text))])
def test_what_is_not_ours_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str], show: Any) -> None:
    show(stdout(), EVIL)
    printed = capsys.readouterr().out
    assert r"a\x1b[31mb\x1b]0;title" in printed
    assert r"c\u202ed\x9be\u2028f" in printed
    assert not {letter for letter in printed if letter in EVIL and not letter.isprintable()}


def table_of(text: str) -> Table:
    table = Table(title=text)
    table.add_column(text, no_wrap=True)
    table.add_row(text)
    return table


def test_words_of_any_language_and_bytes_of_file_names_stay_as_they_are() -> None:
    text = "Größe 大きさ می\u200cخواهم 👩\u200d🔬\n\t\xa0 caf\udce9"
    assert harmless(text) == text


def test_a_message_leaves_out_what_nobody_can_read() -> None:
    """A name in a file may have any length, and a message quotes it."""
    file = io.StringIO()
    error(Console(file=file, width=10**5), f"no column {'x' * 10**7}; did you mean y?\n" + "z" * 9_000)
    first, second = file.getvalue().splitlines()
    assert first.startswith("error: no column xxx")
    assert first.endswith("xxx; did you mean y?")
    assert "x [...] x" in first
    assert len(first) < 11_000
    assert second == "z" * 9_000
