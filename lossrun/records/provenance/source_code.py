"""What a run says of the source of the user's own components."""

from typing import Any, Final

# Older versions wrote it for a module without a file; newer ones write null.
_UNKNOWN: Final = "unknown"


def recorded_source(code: Any, module_name: str) -> dict[str, str]:
    """What run.json's `code` says of a component's module: {it, or a module it imports: digest}; {} if nothing.

    `code` is {module of a component: {module: beginning of its file's SHA-256, or null}}. Runs of older versions hold
    one text there, `module digest, module digest`, without the modules imported.
    """
    if isinstance(code, str):
        code = {name: {name: digest} for name, _, digest in (item.partition(" ") for item in code.split(", "))}
    known = code.get(module_name) if isinstance(code, dict) else None
    return {name: digest for name, digest in (known or {}).items() if digest and digest != _UNKNOWN}
