from .counting import summary as summary
from .rows import Layer as Layer
from .rows import Summary as Summary
from .window import Window as Window
