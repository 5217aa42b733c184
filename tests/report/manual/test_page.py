"""The manual leaves nothing out, holds together, and asks for nothing outside itself."""

import html
import re
from itertools import pairwise

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.catalog.diagnoses import DIAGNOSES
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.parameter import REQUIRED, KeyGroup, Parameter
from lossrun.catalog.unsupported import NONE_OF_OURS
from lossrun.config import read
from lossrun.config.key_paths import file_keys
from lossrun.config.keys import KEYS
from lossrun.errors import exit_codes
from lossrun.lint.rules import RULES


def words(text: str) -> str:
    """Without what the page shows otherwise than by letters: exponents, code, line breaks."""
    return " ".join(re.sub(r"[`^]", "", text).split())


def section(page: str, identity: str) -> str:
    """The text of an article, without its tags and their blanks."""
    start = page.index(f'<article id="{identity}"')
    return without_tags(page[start : page.index("</article>", start)])


def without_tags(text: str) -> str:
    return words(html.unescape(re.sub(r"<[^>]+>", "", text)))


def test_it_is_well_formed(parsed):
    assert parsed.problems == []
    assert [name for name, count in parsed.ids.items() if count > 1] == []


def test_everything_has_a_section(parsed):
    expected = {f"{kind}-{one.name}" for kind, components in COMPONENTS.items() for one in components}
    expected |= {f"rule-{name}" for name in RULES} | {f"diagnosis-{name}" for name in DIAGNOSES}
    expected |= {f"key-{path}" for path in file_keys()} | {"command-train"}
    assert expected - set(parsed.ids) == set()
    articles = {attributes["id"] for tag, attributes in parsed.tags if tag == "article"}
    assert articles == expected


def test_every_link_leads_somewhere_on_the_page(parsed):
    links = parsed.attribute("href")
    assert len(links) > 1000
    assert {link for link in links if not link.startswith("#")} == set()
    assert {link[1:] for link in links} - set(parsed.ids) == set()


def test_every_section_is_in_the_contents_or_under_its_chapter(page, parsed):
    contents = page[page.index("<nav") : page.index("</nav>")]
    listed = set(re.findall(r'href="#([^"]+)"', contents))
    own_keys = {f"key-{key.path}" for key in file_keys().values() if not key.kind}
    articles = {attributes["id"] for tag, attributes in parsed.tags if tag == "article"}
    assert listed >= {name for name in articles if not name.startswith("key-")} | own_keys


def test_nothing_is_fetched(page, parsed):
    assert not re.search(r"https?:|url\(|@import|\bsrc=|//[a-z]+\.[a-z]", page)
    assert {"link", "iframe", "object", "embed", "img"} & {tag for tag, _ in parsed.tags} == set()
    (policy,) = [a["content"] for tag, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_a_section_says_what_is_declared(page):
    for kind, components in COMPONENTS.items():
        for component in components:
            text = section(page, f"{kind}-{component.name}")
            assert words(component.when) in text
            assert words(component.source) in text
            assert words(component.meaning)[1:] in text
            for alias in component.aliases:
                assert alias.spelling in text
                assert words(alias.remark)[1:] in text
            for key in component.parameters:
                inner = key.parameters if isinstance(key, KeyGroup) else [key]
                assert all(one.name in text for one in inner)
                if isinstance(key, Parameter):
                    assert key.expected in text
                    assert key.unit in text
                    assert all(name in text for name in (*key.aliases, *map(yaml_text, key.spellings)))


def test_rules_and_diagnoses_are_told_in_full(page):
    for name, rule in RULES.items():
        text = section(page, f"rule-{name}")
        assert all(words(said) in text for said in (rule.why, rule.meaning[1:]))
    for name, found in DIAGNOSES.items():
        text = section(page, f"diagnosis-{name}")
        assert all(words(said) in text for said in (found.why, found.remedy, found.formula))


def test_a_key_that_means_different_things_says_which_component_means_what(page):
    text = section(page, "key-loss.beta")
    for loss in COMPONENTS["loss"]:
        if (beta := loss.parameter("beta")) is not None:
            assert f"{beta.meaning} ({loss.name})" in text


def test_every_example_on_the_page_is_a_config(parsed, tmp_path):
    assert len(parsed.examples) >= len(RULES) * 2 + sum(map(len, COMPONENTS.values()))
    path = tmp_path / "config.yaml"
    for text in parsed.examples:
        path.write_text(text, encoding="utf-8")
        read(path)


def test_the_required_keys_come_first(page):
    required = [key.name for key in KEYS if key.default is REQUIRED]
    places = [page.index(f'<article id="key-{key.name}"') for key in KEYS if key.name in required]
    others = [page.index(f'<article id="key-{key.name}"') for key in KEYS if key.name not in required]
    assert max(places) < min(others)
    start = page[page.index('<section id="start"') : page.index('<section id="keys"')]
    assert all(f'href="#key-{name}"' in start for name in required)


def test_names_of_other_programs_are_answered(page):
    for kind, reasons in NONE_OF_OURS.items():
        start = page.index(f'id="elsewhere-{kind}"')
        table = without_tags(page[start : page.index("</table>", start)])
        for name, reason in reasons.items():
            assert name in table
            assert words(reason)[1:] in table


def test_every_exit_code_is_told(page):
    table = page[page.index('<section id="exit-codes"') :]
    assert [int(code) for code in re.findall(r"<code>(\d+)</code>", table)] == list(exit_codes())


def test_headings_go_down_one_level_at_a_time(parsed):
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_fields_have_labels_and_drawings_have_names(parsed):
    fields = {attributes["id"] for tag, attributes in parsed.tags if tag == "input"}
    assert fields == set(parsed.attribute("for"))
    drawings = [attributes for tag, attributes in parsed.tags if tag == "svg" and "viewbox" in attributes]
    assert all(drawing.get("aria-label") or drawing.get("aria-hidden") for drawing in drawings)


def test_text_of_a_command_is_no_markup(page):
    assert "Say &lt;less&gt;." in page


def test_a_model_has_a_table_of_its_layers(page):
    text = section(page, "model-cnn")
    assert "Layers of lenet5 on mnist (1 x 28 x 28 inputs, 10 outputs)" in text
    assert "61,706" in text
