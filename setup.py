"""What pyproject.toml cannot describe.

A wheel holds configs/ as lossrun/configs, so that `lossrun train quickstart` finds its config wherever lossrun is
installed. The description on a package index is the README without its links to files, which are not there.
"""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # then the package stays in the clone, with configs/ next to it
            self.copy_tree("configs", str(Path(self.build_lib) / "lossrun" / "configs"))


README = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
setup(
    cmdclass={"build_py": BuildWithConfigs},
    long_description=re.sub(r"\[([^]]+)\]\((?!https?:)[^)\s]+\)", r"\1", README),
    long_description_content_type="text/markdown",
)
