from .catalogue import MODELS as MODELS
from .catalogue import build as build
from .layer_table import Layer as Layer
from .layer_table import Summary as Summary
from .layer_table import summary as summary
