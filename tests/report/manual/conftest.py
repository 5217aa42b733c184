from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from lossrun.catalog.lookup import COMPONENTS
from lossrun.report.manual.commands import CommandEntry
from lossrun.report.manual.page import Curves, to_html
from lossrun.report.reference.examples import values_without_default

VOID = {"meta", "input", "br", "img"}
COMMANDS = (CommandEntry("train", "lossrun train CONFIG", ("Train as CONFIG says.",), (("--quiet", "Say <less>."),)),)


class Parsed(HTMLParser):
    """The tags and texts of a page, and what is wrong with how they are nested."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.problems: list[str] = []
        self.examples: list[str] = []
        self.texts: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        self.close()
        self.problems += [f"{tag} is not closed" for tag, _ in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if len(attributes) < len(attrs):
            self.problems.append(f"{tag} has an attribute twice: {attrs}")
        self.tags.append((tag, attributes))
        if tag == "pre" and any(known.get("class") == "example" for _, known in self._open):
            self.examples.append("")
        if tag not in VOID:
            self._open.append((tag, attributes))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            self.problems.append(f"</{tag}> ends {self._open[-1:]}")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if any(tag == "pre" for tag, _ in self._open) and any(a.get("class") == "example" for _, a in self._open):
            self.examples[-1] += data

    def attribute(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]

    @property
    def ids(self) -> Counter[str]:
        return Counter(self.attribute("id"))


@pytest.fixture(scope="session")
def curves() -> Curves:
    pytest.importorskip("torch")  # the page has its curves from the room that computes them
    from lossrun.components.losses.curves import pictures
    from lossrun.components.schedule_curves import rate_curves

    return Curves(
        {loss.name: pictures(loss.name) for loss in COMPONENTS["loss"]},
        {one.name: rate_curves(one.name, values_without_default(one.name)) for one in COMPONENTS["schedule"]},
    )


@pytest.fixture(scope="session")
def page(curves: Any) -> str:
    return to_html(COMMANDS, curves)


@pytest.fixture(scope="session")
def parsed(page: str) -> Parsed:
    return Parsed(page)
