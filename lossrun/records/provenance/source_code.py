"""Read what a run recorded of the source code of the user's own components."""

from typing import Any, Final

# Older versions wrote this for a module without a file; newer ones write null.
_UNKNOWN: Final = "unknown"


def recorded_source(code: Any, module_name: str) -> dict[str, str]:
    """Return {module: digest} for a component's module and those it imports; {} if not recorded.

    `code` is {module of a component: {module: first digits of its file's SHA-256, or null}}. Older versions recorded
    one text, `module digest, module digest`, without imported modules.
    """
    if isinstance(code, str):
        code = {name: {name: digest} for name, _, digest in (item.partition(" ") for item in code.split(", "))}
    known = code.get(module_name) if isinstance(code, dict) else None
    return {name: digest for name, digest in (known or {}).items() if digest and digest != _UNKNOWN}
