"""Explain how to write a call in Python, such as `SGD(momentum=0.9)`, in YAML."""

from lossrun.catalog import find


def as_a_mapping(kind: str, name: str) -> str:
    """Say how to write a call such as `SGD(momentum=0.9)`; "" for anything else."""
    called, bracket, arguments = name.partition("(")
    if not bracket or find(kind, called.strip()) is None:
        return ""
    keys = [f"{key.strip()}: {in_yaml(value.strip())}" for key, equals, value in _arguments(arguments) if equals]
    rates = [key for key in keys if key.partition(":")[0] in ("lr", "learning_rate")]
    inside = ", ".join([f"name: {called.strip()}", *(key for key in keys if key not in rates)])
    apart = f", and learning_rate:{rates[0].partition(':')[2]} on a separate line" if rates else ""
    return f"write it as a mapping, {{{inside}}}{apart}"


def in_yaml(value: str) -> str:
    """Return a value of Python as in YAML."""
    return {"True": "true", "False": "false", "None": "null"}.get(value, value)


def _arguments(text: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in text.rstrip(") ").split(",")]
