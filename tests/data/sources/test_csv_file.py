from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.data.samples.dataset import UnsplitData
from lossrun.data.sources.csv_file import read_csv
from lossrun.errors import DataError

NO_SPLIT = dict.fromkeys(("column", "groups", "order", "validation", "test"))
HOUSES = "id,size,colour,town,price\n1,50,red,Rome,1.5\n2,60,blue,Bern,2.5\n3,70,red,Oslo,3.5\n"


@pytest.fixture
def read(tmp_path: Path, filled: Callable[..., dict[str, Any]]) -> Callable[..., UnsplitData]:
    def call(text: str, **given: Any) -> UnsplitData:
        (tmp_path / "table.csv").write_text(text, encoding="utf-8")
        return read_csv(filled("csv", path="table.csv", **given), tmp_path)

    return call


def test_numbers_are_inputs_and_fractions_a_regression(read: Callable[..., UnsplitData]) -> None:
    source = read(HOUSES, target="price", drop=["id", "colour", "town"])
    assert source.task == "regression"
    assert source.columns == ("size",)
    assert source.train.inputs.tolist() == [[50], [60], [70]]
    assert source.train.inputs.dtype == np.float32
    assert source.train.targets.tolist() == [[1.5], [2.5], [3.5]]


def test_an_autoencoder_has_its_inputs_as_targets(read: Callable[..., UnsplitData]) -> None:
    source = read("a,b\n0.5,1.5\n2.5,3.5\n", inputs=["a", "b"], target=["a", "b"])
    assert source.train.inputs.tolist() == source.train.targets.tolist() == [[0.5, 1.5], [2.5, 3.5]]


def test_columns_of_words_are_refused_with_the_line_to_paste(read: Callable[..., UnsplitData]) -> None:
    with pytest.raises(DataError, match=r"drop: \[id, colour, town\]\n.*\n.*encode: one_hot"):
        read(HOUSES, target="price", drop=["id"])


def test_words_become_inputs_of_their_own(read: Callable[..., UnsplitData]) -> None:
    source = read(HOUSES, target="price", inputs=["colour", "size"], encode="one_hot")
    assert source.columns == ("colour=blue", "colour=red", "size")
    assert source.train.inputs.tolist() == [[0, 1, 50], [1, 0, 60], [0, 1, 70]]
    assert source.done == ("column colour one-hot encoded as 2 inputs",)


def test_words_as_target_are_classes(read: Callable[..., UnsplitData]) -> None:
    source = read(HOUSES, target="town", inputs="size")
    assert source.task == "multiclass"
    assert source.classes == ("Bern", "Oslo", "Rome")
    assert source.train.targets.tolist() == [2, 0, 1]


def test_asked_for_classes_may_mix_words_and_numbers(read: Callable[..., UnsplitData]) -> None:
    text = "x,y\n1,1\n2,2\n3,2b\n"
    assert read(text, target="y", task="multiclass").classes == ("1", "2", "2b")
    with pytest.raises(DataError, match="task: multiclass"):
        read(text, target="y")


def test_codes_keep_their_zeros_as_classes(read: Callable[..., UnsplitData]) -> None:
    source = read("x,y\n1,01234\n2,10115\n3,01234\n", target="y", task="multiclass")
    assert source.classes == ("01234", "10115")
    assert read("x,y\n1,0\n2,1\n3,0\n", target="y", task="binary").classes == ("0", "1")


def test_several_target_columns_are_read_by_their_task(read: Callable[..., UnsplitData]) -> None:
    text = "x,a,b\n1,0,1\n2,1,0\n3,1,0\n"
    assert read(text, target=["a", "b"]).task == "multilabel"
    assert read(text, target=["a", "b"], task="multiclass").train.targets.tolist() == [1, 0, 0]
    assert read(text, target=["x", "a"]).task == "regression"


def test_missing_cells_are_refused_with_their_place(read: Callable[..., UnsplitData]) -> None:
    with pytest.raises(
        DataError, match=r"table.csv:3: column a holds 'NA', a missing value, .*\(2 rows affected\); .*: drop"
    ):
        read("a,y\n1,0.5\nNA,1\n,2\n", target="y")
    with pytest.raises(
        DataError, match=r"table.csv:3: column a is empty in this row \(1 row affected\); dataset.missing: drop"
    ):
        read("a,y\n1,0.5\n,1\n3,2\n", target="y")


def test_rows_with_missing_cells_are_dropped(read: Callable[..., UnsplitData]) -> None:
    source = read("a,b,y\n1,,0.5\nnull,1,1\n3,1,NaN\n4,1,2.5\n", target="y", drop=["b"], missing="drop")
    assert source.train.ids.tolist() == [0, 3]
    assert source.train.inputs.tolist() == [[1], [4]]
    assert source.notes == ("2 rows with empty cells dropped",)
    with pytest.raises(DataError, match="every row"):
        read("a,y\n,1\n,2\n", target="y", missing="drop")


def test_a_mean_fills_numbers_but_never_targets_or_words(read: Callable[..., UnsplitData]) -> None:
    source = read("a,y\n1,0.5\n,1\n3,\n", target="y", missing="mean")
    assert source.fill_missing
    assert np.array_equal(source.train.inputs, [[1], [np.nan]], equal_nan=True)
    assert source.notes == ("1 row with an empty target dropped",)
    words = read("a,y\nred,0.5\n,1\nblue,2\n", target="y", missing="mean", encode="one_hot")
    assert words.done == ("column a one-hot encoded as 3 inputs, one of them for empty cells",)
    assert words.columns == ("a=(empty)", "a=blue", "a=red")
    assert words.train.inputs.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"target": "prise"}, r"^dataset.target: .* did you mean price\?"),
        ({"target": []}, "^dataset.target: names no column"),
        ({"target": "price", "drop": ["ids"]}, r"^dataset.drop: .* did you mean id\?"),
        ({"target": "price", "inputs": ["size", "price"]}, "^dataset.inputs: price is also the target"),
        ({"target": "price", "inputs": ["size"], "drop": ["size"]}, "also in drop"),
        ({"target": "price", "inputs": ["size", "size"]}, "named twice"),
        (
            {"target": "price", "drop": ["id", "size", "colour", "town"]},
            "^dataset.inputs: target and drop use every column",
        ),
        (
            {"target": ["price", "town"], "inputs": "size"},
            "^dataset.target: the target column town .* several targets must be numbers",
        ),
        ({"target": "town", "inputs": "size", "task": "regression"}, "^dataset.task: .* needs numbers"),
        ({"target": "size", "inputs": "id", "task": "binary"}, "^dataset.target: size .* 3 classes"),
    ],
)
def test_columns_that_do_not_fit_are_refused(read: Callable[..., UnsplitData], given: Any, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        read(HOUSES, **given)


def test_too_many_words_are_not_encoded(read: Callable[..., UnsplitData]) -> None:
    text = "a,y\n" + "".join(f"w{i % 1001},{i / 2}\n" for i in range(2002))
    with pytest.raises(DataError, match=r"1001 different words.*drop: \[a\]"):
        read(text, target="y", encode="one_hot")


@pytest.mark.parametrize("encode", ["refuse", "one_hot"])
def test_decimal_commas_are_refused(read: Callable[..., UnsplitData], encode: str) -> None:
    rows = [f"0,{i}378;{i};-1,{i}" for i in range(10, 20)]
    text = "\n".join(["size;count;price", *rows, "NA;20;0,5"])
    with pytest.raises(
        DataError, match=r"column size: '0,10378': .* decimal commas.*\n.*column price: '-1,10': "
    ) as asked:
        read(text, target="price", delimiter=";", encode=encode, missing="drop")
    assert "decimal: ','" in str(asked.value)
    with pytest.raises(DataError, match=r"column price: .* decimal commas"):
        read(text, target="price", inputs="count", delimiter=";", encode=encode)
    commas = read(text, target="price", delimiter=";", encode=encode, missing="drop", decimal=",")
    points = read(text.replace(",", "."), target="price", delimiter=";", missing="drop")
    assert np.array_equal(commas.train.inputs, points.train.inputs)
    assert np.array_equal(commas.train.targets, points.train.targets)
    assert read(text.replace(",", "."), target="price", delimiter=";", missing="drop").columns == ("size", "count")


def test_numbers_in_text_are_asked_about_but_may_be_categories(read: Callable[..., UnsplitData]) -> None:
    text = "size,y\n" + "".join(f"{i % 12} dogs,{i / 2}\n" for i in range(40))
    told = r"table\.csv:2: column size: '0 dogs': the column seems to hold numbers with text around them"
    with pytest.raises(DataError, match=rf"{told}.*; or leave the column out: .*, add encode: one_hot"):
        read(text, target="y")
    with pytest.raises(DataError, match=rf"{told}.*; or, if these are classes, add task: multiclass"):
        read(text, target="size")
    assert len(read(text, target="size", task="multiclass").classes) == 12
    source = read(text, target="y", encode="one_hot")
    assert len(source.columns) == 12
    assert "column size holds numbers with text around them and is still encoded as categories" in source.notes


def test_words_among_disguised_numbers_may_be_missing_values(read: Callable[..., UnsplitData]) -> None:
    text = "size,y\n" + "".join(f"{i}.5 kg,{i / 2}\nsold out,{i}\n" for i in range(40))
    with pytest.raises(DataError, match=r'numbers with a unit.*sold out stands .*add missing_values: \["sold out"\]'):
        read(text, target="y")
    mixed = "size,y\n" + "".join(f"{i % 4}.5,{i / 2}\nN.D.,{i}\n{i % 4}.5,{i / 2}\n" for i in range(40))
    with pytest.raises(DataError, match=r'the column holds words and numbers; .*missing_values: \["N\.D\."\]'):
        read(mixed, target="y")
    assert len(read(mixed, target="y", missing_values=["N.D."], missing="drop").train) == 80


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        (["Yes", "yes", "No"], ["'Yes' and 'yes'"]),
        (["a b", "a  b", "c"], ["'a  b' and 'a b'"]),
        (["1", "1.0", "b"], ["'1' and '1.0'"]),
        (["\uff21", "A", "b"], ["'A' and '\uff21'"]),
        (["01234", "1234", "b"], []),  # codes
        (["a", "b", "c"], []),
    ],
)
@pytest.mark.parametrize("role", ["target", "input", "groups"])
def test_words_that_look_like_the_same_are_told(
    read: Callable[..., UnsplitData], words: list[str], pairs: list[str], role: str
) -> None:
    text = "w,x,y\n" + "".join(f"{words[i % 3]},{i},{i / 7}\n" for i in range(30))
    split = dict.fromkeys(("column", "groups", "order", "validation", "test")) | {"groups": "w"}
    keys = {
        "target": {"target": "w", "inputs": "x"},
        "input": {"target": "y", "encode": "one_hot"},
        "groups": {"target": "y", "inputs": "x", "split": split},
    }[role]
    told = [note for note in read(text, **keys).notes if "look like the same" in note]
    assert [pair in told[0] for pair in pairs] == [True] * len(pairs)
    assert len(told) == len(pairs)


def test_codes_and_numbers_of_rows_among_the_inputs_are_told(read: Callable[..., UnsplitData]) -> None:
    text = "Unnamed: 0,zip,y\n" + "".join(f"{i},{i % 3}1234,{i / 7}\n" for i in range(30))
    notes = read(text, target="y").notes
    assert any(note.startswith("column zip: 01234 is read as the number 1234; ") for note in notes)
    assert any(note.startswith("column Unnamed: 0 numbers the rows") for note in notes)
    plain = "Unnamed: 0,zip,y\n" + "".join(f"{i * i},{i % 3 + 1}1234,{i / 7}\n" for i in range(30))
    assert read(plain, target="y").notes == ()


@pytest.mark.parametrize("task", [None, "multiclass"])
def test_nearly_as_many_words_as_rows_are_no_categories(read: Callable[..., UnsplitData], task: str | None) -> None:
    def table(rows: int, words: int) -> str:
        return "name,x,y\n" + "".join(f"w{i % words},{i},{i / 2}\n" for i in range(rows))

    disguised = r"21 different words in 40 rows: these are names, ids or numbers in disguise"
    with pytest.raises(DataError, match=rf"column name holds {disguised}.*drop: \[name\]"):
        read(table(40, 21), target="y", encode="one_hot")
    with pytest.raises(DataError, match=rf"^dataset.target: name of .*{disguised}"):
        read(table(40, 21), target="name", task=task)
    for rows, words in ((40, 20), (20, 20)):
        assert len(read(table(rows, words), target="y", encode="one_hot").columns) == words + 1
        assert len(read(table(rows, words), target="name", task=task).classes) == words


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("sign", [",", " ", "'", "_"])
def test_signs_between_the_thousands(read: Callable[..., UnsplitData], delimiter: str, sign: str) -> None:
    plain = [(f"{1000 * i}", f"{1500 * i}.5") for i in range(1, 9)]
    cells = [(f"{i}{sign}000", f"{f'{1500 * i:,}'.replace(',', sign)}.5") for i in range(1, 9)]
    quote = '"' if sign == delimiter else ""

    def text(rows: list[tuple[str, str]], quote: str = "") -> str:
        return "".join(f"{quote}{a}{quote}{delimiter}{quote}{b}{quote}\n" for a, b in [("size", "price"), *rows])

    given = {"target": "price", "delimiter": delimiter}
    with pytest.raises(DataError, match="thousands"):
        read(text(cells, quote), **given)
    found, expected = read(text(cells, quote), thousands=sign, **given), read(text(plain), **given)
    assert np.array_equal(found.train.inputs, expected.train.inputs)
    assert np.array_equal(found.train.targets, expected.train.targets)


@pytest.mark.parametrize(
    ("text", "given", "complaint"),
    [
        (HOUSES, {"thousands": "."}, r"^dataset\.thousands: '\.' is also the decimal sign .*add decimal: ','"),
        (HOUSES, {"thousands": ",", "decimal": ","}, r"^dataset\.thousands: ',' is also the decimal sign; name"),
        (HOUSES, {"thousands": ","}, r"^dataset\.thousands: ',' is also the delimiter, and no cell holds one"),
        (
            "a,price\n1,500,2\n",
            {"thousands": ","},
            r":2: 3 cells, but the header has 2; .* in quotes, such as \"1,500\"",
        ),
        ("a,price\n1,5,2\n", {"decimal": ","}, r":2: 3 cells, but the header has 2; .* in quotes, such as \"1,500\""),
        ("a,price\n1,5,2\n", {}, r":2: 3 cells, but the header has 2; expected the same number$"),
    ],
)
def test_thousands_that_contradict_other_keys(
    read: Callable[..., UnsplitData], text: str, given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        read(text, target="price", **given)


def test_whole_numbers_that_float64_cannot_tell_apart_are_found_in_every_form(read: Callable[..., UnsplitData]) -> None:
    for sign, given in (("", {}), (" ", {"thousands": " "}), (".", {"decimal": ","})):
        cells = [f"{9_007_199_254_740_992 + i:,}".replace(",", sign) for i in range(2)]
        with pytest.raises(DataError, match="the same number to 53 bits"):
            read(f"a;y\n{cells[0]};1\n{cells[1]};2\n", target="y", delimiter=";", task="regression", **given)


def test_a_key_is_offered_where_it_reads_every_column(read: Callable[..., UnsplitData]) -> None:
    """Of itself `1,500` may have a decimal comma; next to a column of 2,750.5 it has not."""
    rows = "".join(f"1,{i}00;{i},750.5\n" for i in range(1, 9))
    with pytest.raises(DataError, match="add thousands: ','") as asked:
        read("size;price\n" + rows, target="price", delimiter=";")
    assert "add decimal" not in str(asked.value)
    assert len(asked.value.problems) == 2
    for points, offered in (("2.5", False), ("2", True)):
        table = "size;price\n" + "".join(f"{i},5;{points}\n" for i in range(9))
        with pytest.raises(DataError, match="decimal commas") as asked:
            read(table, target="price", delimiter=";", task="regression")
        assert ("add decimal: ','" in str(asked.value)) == offered


@pytest.mark.parametrize(
    ("word", "told"),
    [("NA", True), ("nan", True), ("?", True), ("-", True), ("None", False), ("unknown", False), ("Nauru", False)],
)
@pytest.mark.parametrize("column", ["kind", "price"])
def test_a_word_that_may_mean_a_missing_value_is_told(
    read: Callable[..., UnsplitData], word: str, told: bool, column: str
) -> None:
    """It stays a category, as in Namibia, until the config says that it means a missing value."""
    rows = [("a", "low", 1), ("b", "high", 2), (word, "low", 3), ("a", "high", 4)] * 5
    names = "kind,price,x" if column == "kind" else "price,kind,x"
    text = f"{names}\n" + "".join(f"{first},{second},{number}\n" for first, second, number in rows)
    plain = read(text, target="price", encode="one_hot")
    note = f'column {column}: "{word}" is read as any other word; if missing values are meant, add missing_values: '
    assert [one for one in plain.notes if "missing" in one] == ([f'{note}["{word}"]'] if told else [])
    grouped = read(
        text, target="x", inputs=["price"], encode="one_hot", task="regression", split={**NO_SPLIT, "groups": "kind"}
    )
    assert any("missing_values" in one for one in grouped.notes) == told
    without = read(text, target="price", encode="one_hot", missing_values=[word], missing="drop")
    assert without.notes == ("5 rows with empty cells dropped",)
    assert len(without.train) == len(plain.train) - 5
