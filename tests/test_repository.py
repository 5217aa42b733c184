"""The files around the package parse, and agree with it."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from lossrun.cli import app
from lossrun.version import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
COMMANDS = {
    (command.name or command.callback.__name__).rstrip("_") for command in app.registered_commands if command.callback
}
# Of CITATION.cff 1.2.0, whose schema is in the repository citation-file-format/citation-file-format.
CFF_REQUIRED = {"authors", "cff-version", "message", "title"}
CFF_KEYS = CFF_REQUIRED | {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url",
    "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url",
    "version",
}  # fmt: skip


def parsed(name: str) -> Any:
    """A YAML file whose values are all text, so that `on` stays the word that it is for GitHub."""
    return yaml.load((ROOT / name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def minor_versions() -> list[str]:
    found = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line) for line in PROJECT["classifiers"]]
    return [one[1] for one in found if one]


def test_the_citation_is_of_this_release() -> None:
    citation = parsed("CITATION.cff")
    assert set(citation) >= CFF_REQUIRED
    assert set(citation) <= CFF_KEYS
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]


def test_the_licence_is_the_one_that_the_package_names() -> None:
    for name in PROJECT["license-files"]:
        assert (ROOT / name).read_text(encoding="utf-8").startswith(f"{PROJECT['license']} License\n")


def test_the_pythons_that_are_named_are_those_that_ci_has() -> None:
    assert PROJECT["requires-python"] == f">={minor_versions()[0]}"
    steps = parsed(".github/workflows/ci.yml")["jobs"]["ci"]["steps"]
    given = next(step["with"]["python-version"] for step in steps if "python" in step.get("uses", ""))
    assert given.split() == minor_versions()


def test_the_workflow_runs_what_is_there() -> None:
    workflow = parsed(".github/workflows/ci.yml")
    assert set(workflow["on"]) >= {"push", "pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    last = workflow["jobs"]["ci"]["steps"][-1]["run"]
    assert last == ".ci/run"
    assert os.access(ROOT / last, os.X_OK)


def test_the_hooks_check_what_ci_checks() -> None:
    (local,) = parsed(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    hooks = {hook["id"]: hook for hook in local["hooks"]}
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    tested = PROJECT["optional-dependencies"]["test"]
    for hook in hooks.values():
        command = hook["entry"].split()[:2]
        assert any(re.match(rf"{command[0]}\b", requirement) for requirement in tested)
        assert any(line.split()[: len(command)] == command for line in ci), hook["entry"]
        assert hook["language"] == "system"
    assert set(hooks) == {"ruff-check", "ruff-format", "mypy"}


def test_the_policy_tells_of_every_command_and_of_no_other() -> None:
    rows = re.findall(r"^\| (`lossrun .*?) \| .* \|$", SECURITY, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`lossrun ([\w-]+)`", row)]
    assert sorted(told) == sorted(COMMANDS)
    assert set(re.findall(r"`lossrun (\w[\w-]*)", SECURITY)) <= COMMANDS
