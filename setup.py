"""The one step of the build that pyproject.toml cannot describe: a wheel holds configs/ as lossrun/configs, so that
`lossrun train quickstart` finds its config wherever lossrun is installed."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # then the package stays in the clone, with configs/ next to it
            self.copy_tree("configs", str(Path(self.build_lib) / "lossrun" / "configs"))


setup(cmdclass={"build_py": BuildWithConfigs})
