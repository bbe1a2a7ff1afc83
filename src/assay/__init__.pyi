import pathlib

from .errors import AssayError as AssayError
from .recipe import Recipe as Recipe
from .recipe.study import Study as Study
from .recipe.study import load_study as load_study
from .results import Results as Results
from .runs.engine import run as run
from .tools.predict import predict as predict

__version__: str

def report(results: Results, metric: str | None = None) -> pathlib.Path: ...
