from .evidence import logme as logme
from .ranking import Ranking as Ranking
from .ranking import rank as rank
