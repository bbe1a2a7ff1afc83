from .change import Change as Change
from .change import Standing as Standing
from .refitting import Arm as Arm
from .refitting import Refit as Refit
from .refitting import refit as refit

EPOCHS: int
