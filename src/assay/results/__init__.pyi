from .comparing.compare import compare as compare
from .comparing.comparison import Comparison as Comparison
from .comparing.comparison import Comparisons as Comparisons
from .results import Results as Results
