"""The studies of the repository go into the package as it is installed; everything else stands in pyproject.toml."""

from pathlib import Path
from shutil import copytree

from setuptools import setup
from setuptools.command.build_py import build_py


class WithStudies(build_py):
    """Packages, and ``studies/`` as ``assay/studies/``, where ``assay init`` finds them."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            copytree("studies", Path(self.build_lib, "assay", "studies"), dirs_exist_ok=True)


setup(cmdclass={"build_py": WithStudies})
