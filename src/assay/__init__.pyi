from .errors import AssayError as AssayError
from .prediction import predict as predict
from .recipe import Recipe as Recipe
from .results import Results as Results
from .study import Study as Study
from .study import load_study as load_study

__version__: str
