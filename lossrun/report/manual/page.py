"""Write the manual as one page of HTML, from the catalogue, the rules and the commands.

The page needs no network. It can be read without scripts; a script adds the search.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lossrun.catalog.declaration import TASKS, Component, Loss
from lossrun.catalog.diagnoses import DIAGNOSES
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.losses import USUAL_LOSSES
from lossrun.catalog.parameter import REQUIRED
from lossrun.config.key_paths import KeyPath, file_keys
from lossrun.config.keys import KEYS
from lossrun.config.starting import starting_text
from lossrun.lint.rules import RULES
from lossrun.packaged import packaged_configs
from lossrun.report.html.document import document
from lossrun.report.html.markup import Markup, element, joined
from lossrun.report.manual.commands import CommandEntry, command_section, commands_table, exit_code_table
from lossrun.report.manual.figures import Curve, Picture, loss_figure, rate_figure
from lossrun.report.manual.overviews import elsewhere, overview_table, subjects_table
from lossrun.report.manual.prose import link, prose, sentence
from lossrun.report.manual.sections import article_section, brief_section
from lossrun.report.manual.verdicts import SECTIONS, verdict_sections
from lossrun.report.manual.whole_configs import whole_config
from lossrun.report.reference.advice_listing import outcome, severity
from lossrun.report.reference.article import Reference
from lossrun.report.reference.articles import article
from lossrun.report.reference.listing import INNER, LOSS_COLUMNS, TASK_HEADINGS, plural
from lossrun.report.reference.topics import Topic
from lossrun.shell import command

# Chapters on components, in the order to read them.
_KINDS: Final = ("loss", "optimizer", "schedule", "model", "dataset", "metric")


@dataclass(frozen=True, slots=True)
class Curves:
    """The computed parts of the page: pictures of losses and curves of schedules, by name."""

    losses: Mapping[str, Sequence[Picture]]
    schedules: Mapping[str, Sequence[Curve]]


@dataclass(frozen=True, slots=True)
class _Chapter:
    """A chapter; `entries` are the (id, title) that the table of contents lists under it."""

    identity: str
    title: str
    content: tuple[Markup, ...]
    entries: tuple[tuple[str, str], ...] = ()


def to_html(commands: Sequence[CommandEntry], curves: Curves) -> str:
    """Return the page."""
    chapters = list(_chapters(commands, curves))
    return document(
        "lossrun.report.manual",
        "manual",
        command("manual"),
        contents=joined(_contents(chapter) for chapter in chapters),
        chapters=joined(_section(chapter) for chapter in chapters),
    )


def _section(chapter: _Chapter) -> Markup:
    heading = element("h2", chapter.title, id=f"{chapter.identity}-title")
    return element(
        "section", heading, *chapter.content, id=chapter.identity, aria_labelledby=f"{chapter.identity}-title"
    )


def _contents(chapter: _Chapter) -> Markup:
    name = element("a", chapter.title, href=f"#{chapter.identity}")
    if not chapter.entries:
        return element("li", name)
    entries = (element("li", element("a", title, href=f"#{identity}")) for identity, title in chapter.entries)
    return element("li", element("details", element("summary", name), element("ul", *entries)))


def _chapters(commands: Sequence[CommandEntry], curves: Curves) -> Iterator[_Chapter]:
    yield _start()
    yield _keys()
    for kind in _KINDS:
        yield _components(kind, curves)
    yield _rules()
    yield _diagnoses()
    yield _Chapter("verdicts", "Verdicts", tuple(verdict_sections()), SECTIONS)
    yield _commands(commands)
    yield _Chapter("exit-codes", "Exit codes", (exit_code_table(),))


def _start() -> _Chapter:
    """Return the first chapter: the required keys, the shortest config, and longer ones to start from."""
    required = [key for key in KEYS if key.default is REQUIRED]
    rows = [
        part
        for key in required
        for part in (element("dt", link(Reference("key", key.name))), element("dd", sentence(key.meaning)))
    ]
    templates = [
        element("details", element("summary", element("code", command("new", name))), _code(starting_text(name)))
        for name in packaged_configs()
    ]
    return _Chapter(
        "start",
        "Start here",
        (
            element("p", f"A config is a YAML file. It needs {len(required)} keys; every other key has a default."),
            element("dl", *rows, class_="required"),
            element("p", "The shortest config names one of each:"),
            _code("\n".join(whole_config([]))),
            element(
                "p",
                "Save it as ",
                element("code", "config.yaml"),
                " and train with ",
                element("code", command("train", "config.yaml")),
                ". A word is short for a mapping with this name: ",
                element("code", "loss: huber"),
                " means ",
                element("code", "loss: {name: huber}"),
                ". The longer form can also set parameters: ",
                element("code", "loss: {name: huber, delta: 2.0}"),
                ".",
            ),
            element("p", "Longer configs, with comments, to start from:"),
            *templates,
        ),
    )


def _code(text: str) -> Markup:
    return element("pre", element("code", text.rstrip("\n")), tabindex="0")


def _keys() -> _Chapter:
    """Return the chapter on the keys of the config itself; keys of components are with these components."""
    own = [key for key in file_keys().values() if not key.kind]
    required = {key.name for key in KEYS if key.default is REQUIRED}
    groups = (
        ("Required keys", [key for key in own if key.path in required]),
        ("Keys with a default", [key for key in own if key.path not in required]),
    )
    content: list[Markup] = []
    for title, keys in groups:
        content.append(element("h3", title))
        content += [article_section(article(_topic(key)), 4) for key in keys]
    content += _elsewhere("key", "Keys of other programs", 3)
    return _Chapter("keys", "Keys of a config", tuple(content), _entries("key", (key.path for key in own)))


def _topic(key: KeyPath) -> Topic:
    return Topic("key", key.path, key, key.path)


def _entries(kind: str, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{kind}-{name}", name) for name in names)


def _components(kind: str, curves: Curves) -> _Chapter:
    """Return the chapter on a kind: a table to choose from, the components, their keys, and names of other programs."""
    content = [element("p", _chapter_intro(kind))]
    if kind == "loss":
        content += _losses_by_task(curves)
    else:
        content.append(overview_table(COMPONENTS[kind]))
        content += [_component(component, 3, curves) for component in COMPONENTS[kind]]
    entries = [*_entries(kind, (component.name for component in COMPONENTS[kind]))]
    for inner in INNER.get(kind, ()):
        content += [
            element("h3", _capital(plural(inner)), id=plural(inner)),
            overview_table(COMPONENTS[inner]),
            *(_component(component, 4, curves) for component in COMPONENTS[inner]),
        ]
        entries += [(f"{inner}-{component.name}", f"{component.name} ({inner})") for component in COMPONENTS[inner]]
    under = [key for key in file_keys().values() if key.path.startswith(f"{kind}.") and key.kind]
    if under:
        content.append(element("h3", f"Keys under {kind}", id=f"keys-under-{kind}"))
        content.append(element("div", *(brief_section(article(_topic(key)), 4) for key in under), class_="briefs"))
        entries.append((f"keys-under-{kind}", f"keys under {kind}"))
    content += _elsewhere(kind, f"{_capital(plural(kind))} of other programs", 3)
    return _Chapter(plural(kind), _capital(plural(kind)), tuple(content), tuple(entries))


def _chapter_intro(kind: str) -> Markup:
    if key := file_keys().get(kind):
        return sentence(key.meaning)
    return sentence("every run is scored by all metrics and losses of its task that have a meaning for its data")


def _losses_by_task(curves: Curves) -> Iterator[Markup]:
    """Yield, for each task, a table of its losses with the usual one first, then the losses not yet described."""
    losses = [loss for loss in COMPONENTS["loss"] if isinstance(loss, Loss)]
    yield element("p", "What the columns of the tables mean:")
    pairs = ((element("dt", name), element("dd", meaning)) for name, meaning in LOSS_COLUMNS.items())
    yield element("dl", *(part for pair in pairs for part in pair))
    for task in TASKS:
        usual = USUAL_LOSSES[task]
        fitting = [loss for loss in losses if task in loss.tasks]
        fitting.sort(key=lambda loss: loss.name != usual)
        yield element("h3", _capital(TASK_HEADINGS[task]), id=f"losses-{task}")
        yield overview_table(fitting, task)
        yield from (_component(loss, 4, curves) for loss in losses if loss.tasks[0] == task)


def _component(component: Component, level: int, curves: Curves) -> Markup:
    figures: list[Markup] = []
    if component.kind == "loss":
        figures = [loss_figure(picture) for picture in curves.losses.get(component.name, ())]
    elif component.kind == "schedule" and (drawn := curves.schedules.get(component.name)):
        figures = [rate_figure(component.name, drawn)]
    told = article(Topic(component.kind, component.name, component, component.name))
    return article_section(told, level, *figures)


def _elsewhere(kind: str, title: str, level: int) -> Iterator[Markup]:
    if rows := list(elsewhere(kind)):
        yield element(f"h{level}", title, id=f"elsewhere-{kind}")
        yield from rows


def _rules() -> _Chapter:
    meanings = {name: rule.meaning for name, rule in RULES.items()}
    outcomes = {name: severity(name) for name in RULES}
    content = [
        element(
            "p",
            prose(f"`{command('check', 'CONFIG')}` and training itself check these rules before anything is trained."),
        ),
        subjects_table("rule", meanings, outcomes, ("rule", "severity", "requirement")),
        *(article_section(article(Topic("rule", name, rule, name)), 3) for name, rule in RULES.items()),
    ]
    return _Chapter("rules", "Lint rules", tuple(content), _entries("rule", RULES))


def _diagnoses() -> _Chapter:
    meanings = {name: found.meaning for name, found in DIAGNOSES.items()}
    outcomes = {name: outcome(name) for name in DIAGNOSES}
    content = [
        element("p", "Training looks for these while it runs. The last words of its message name the diagnosis."),
        subjects_table("diagnosis", meanings, outcomes, ("diagnosis", "effect", "meaning")),
        *(article_section(article(Topic("diagnosis", name, found, name)), 3) for name, found in DIAGNOSES.items()),
    ]
    return _Chapter("diagnoses", "Diagnoses", tuple(content), _entries("diagnosis", DIAGNOSES))


def _commands(commands: Sequence[CommandEntry]) -> _Chapter:
    content = [commands_table(commands), *(command_section(told, 3) for told in commands)]
    return _Chapter("commands", "Commands", tuple(content), _entries("command", (told.name for told in commands)))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
