"""Write the article of a topic: a component, a lint rule, a diagnosis, a column of the history or a key."""

from collections.abc import Iterator
from typing import Any, Final

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.catalog.columns import HistoryColumn
from lossrun.catalog.declaration import Component, Loss, Model
from lossrun.catalog.diagnoses import Diagnosis
from lossrun.catalog.lookup import find
from lossrun.config.key_paths import KeyPath
from lossrun.errors import DivergedError
from lossrun.lint.rule import Rule
from lossrun.report.reference.article import Article, ArticleExample, Fact, fact, parameter_rows, spelling_groups, told
from lossrun.report.reference.component_facts import component_facts, letters, see_also
from lossrun.report.reference.examples import yaml_lines
from lossrun.report.reference.key_topic import key_example, key_facts, keys_like_it, list_of
from lossrun.report.reference.listing import plural
from lossrun.report.reference.model_layers import model_layers
from lossrun.report.reference.topics import Topic
from lossrun.shell import command

# How a framework's function takes binary labels.
_LABELS: Final = {"signs": "-1 and 1", "either": "0 and 1, or -1 and 1"}


def article(topic: Topic) -> Article:
    """Return everything that lossrun knows about the topic."""
    subject = topic.subject
    if isinstance(subject, Component):
        return _of_component(topic, subject)
    if isinstance(subject, Rule):
        titles = ("wrong", "right")
        return Article(
            kind=topic.kind,
            name=topic.name,
            meaning=subject.meaning,
            facts=told(_rule(topic.name, subject)),
            examples=tuple(
                ArticleExample(title, tuple(text.splitlines()))
                for title, text in zip(titles, subject.example, strict=True)
            ),
        )
    if isinstance(subject, KeyPath):
        return Article(
            kind=topic.kind,
            name=topic.name,
            meaning=subject.meaning,
            facts=told(key_facts(subject)),
            see_also=keys_like_it(subject),
            lists=list_of(subject),
            examples=(key_example(subject),),
        )
    facts = [fact("how to read it", subject.why)] if isinstance(subject, HistoryColumn) else _diagnosis(subject)
    return Article(kind=topic.kind, name=topic.name, meaning=subject.meaning, facts=told(facts))


def _of_component(topic: Topic, component: Component) -> Article:
    lines = [*([f"{topic.kind}: {topic.spelling}"] if topic.implies else []), *yaml_lines(component)]
    task = component.tasks[0] if isinstance(component, Loss) else None
    return Article(
        kind=topic.kind,
        name=topic.name,
        meaning=component.meaning,
        conventions=_conventions(topic, component),
        formula=component.formula,
        letters=letters(component),
        facts=told(component_facts(component)),
        parameters=tuple(row for key in component.parameters for row in parameter_rows(key)),
        layers=tuple(model_layers(component)) if isinstance(component, Model) else (),
        spellings=spelling_groups(component),
        source=component.source,
        see_also=see_also(component),
        lists=command("list", plural(component.kind), options={"--task": task}),
        examples=(ArticleExample("in a config", tuple(lines)),),
    )


def _conventions(topic: Topic, component: Component) -> str:
    """Return what the spelling sets, and what the plain name has instead; "" if the spelling sets nothing."""
    if not (topic.implies or topic.remark or topic.called):
        return ""
    said = []
    for name, value in _brought(topic, component).items():
        key = component.parameter(name)
        also = f" ({', '.join(key.aliases)})" if key is not None and key.aliases else ""
        instead = f" instead of {yaml_text(key.default)}" if key is not None else ""
        said.append(f"{name}{also} {yaml_text(value)}{instead}")
    text = f"{topic.spelling} is {component.name}"
    text += f" with other defaults: {', '.join(said)}." if said else "."
    if form := topic.called.get("inputs"):
        text += f" From Python, lossrun.loss({topic.spelling!r}) takes {form} by default; in a config model.output "
        text += "decides."
    if labels := _LABELS.get(topic.called.get("labels", "")):
        text += f" From Python, lossrun.loss({topic.spelling!r}) takes targets of {labels}."
    if topic.remark:
        text += f" {topic.remark}."
    bare = find(topic.kind, topic.spelling.rpartition(".")[2])
    if said and "." in topic.spelling and bare and bare.implies != topic.implies:
        text += f" Without the prefix, {topic.spelling.rpartition('.')[2]} does not have them."
    return text


def _brought(topic: Topic, component: Component) -> dict[str, Any]:
    """Return the parameters that the spelling sets to values different from those of the plain name."""
    defaults = {key.name: key.default for key in component.parameters}
    return {name: value for name, value in topic.implies.items() if defaults.get(name) != value}


def _rule(name: str, rule: Rule) -> Iterator[Fact]:
    yield fact("why", rule.why)
    if not rule.runnable:
        yield fact("severity", "an error: such a config cannot run")
    else:
        yield fact("severity", "an error: such a config is not run" if rule.severity == "error" else "a warning")
        other = "warn" if rule.severity == "error" else "error"
        yield fact("to change it", f"lint: {{{name}: {other}}}, or off, in the config")


def _diagnosis(diagnosis: Diagnosis) -> Iterator[Fact]:
    yield fact("sign", diagnosis.formula)
    yield fact("why", diagnosis.why)
    yield fact("what to do", diagnosis.remedy)
    ends = (
        f"the run ends, or only this seed of it; exit code {DivergedError.exit_code}"
        if diagnosis.diverged
        else "training continues"
    )
    yield fact("effect", "nothing is wrong, and training continues" if diagnosis.harmless else ends)
    yield fact("also", ", ".join(diagnosis.also))
