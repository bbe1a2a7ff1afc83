"""The rows of the table and its totals."""

from collections import defaultdict
from dataclasses import dataclass
from io import StringIO

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from assay.errors import enumerated
from assay.language.script import as_name
from assay.language.speech import say
from assay.models.layer_table.window import Window, times


@dataclass(frozen=True)
class Layer:
    """What one layer does with one image; of a layer called twice, the sums of both calls."""

    name: str
    kind: str
    input_shape: tuple[int, ...]
    """Of the (last) call for one image, without the batch."""
    output_shape: tuple[int, ...]
    window: Window | None
    """Of a convolution or a pooling."""
    parameters: int
    parameters_formula: str
    """``16·(3·7+1)``; empty where there are none."""
    macs: int
    """Multiply-accumulates for one image."""
    macs_formula: str
    """``498·16·3·7``: output places, output channels, kernel, input channels of a group."""
    operations: int
    """Other than multiply-accumulates, for one image; ``Counting`` says how they are counted."""
    activation_bytes: int
    """Of the outputs for one image; 0 where the layer hands on the memory of its input (flatten, dropout)."""
    uncounted: tuple[str, ...] = ()
    """Names of torch's operations that it computes and for which there is no rule: they are in no count."""

    def counted(self, macs: str) -> str:
        """``macs`` with what is missing from them said: ``not counted: _fft_c2c``."""
        missing = f"not counted: {', '.join(self.uncounted)}" if self.uncounted else ""
        return ", ".join(filter(None, [macs if self.macs or not missing else "", missing]))


@dataclass(frozen=True)
class Summary:
    """A network's layers and totals; printed, it is a table."""

    layers: tuple[Layer, ...]
    """In the order in which they finish; at the end, those whose weights are read without their being called."""
    parameters: int
    trainable_parameters: int
    statistics: int
    """Running means and variances of norms, which are kept and not trained."""
    macs: int
    """Multiply-accumulates of convolutions and matrix products for one image, also of those outside the layers."""
    operations: int
    """Other than multiply-accumulates; floating-point operations are 2 · MACs + these."""
    weight_bytes: int
    """Of parameters and buffers."""
    activation_bytes: int
    """Of all layers' outputs for one image, as if none were freed."""

    def __str__(self) -> str:
        table = Table("layer", "kind", "input", "output", "window", box=SIMPLE)
        for heading in ("parameters", "MACs", "operations", "bytes out"):
            table.add_column(heading, justify="right")
        for layer in self.layers:
            counts = (layer.operations, layer.activation_bytes)
            told = (f"{layer.parameters:,}", layer.counted(f"{layer.macs:,}"), *(f"{n:,}" for n in counts))
            shapes = (times(layer.input_shape), times(layer.output_shape))
            table.add_row(layer.name, layer.kind, *shapes, str(layer.window or ""), *told)
        table.add_section()
        totals = (self.parameters, self.macs, self.operations, self.activation_bytes)
        table.add_row("total", "", "", "", "", *(f"{n:,}" for n in totals))
        console = Console(file=StringIO(), width=200, color_system=None)
        with console.capture() as capture:
            console.print(table)
        lines = [line.rstrip() for line in capture.get().splitlines()]
        below = filter(None, [self.facts, self.uncounted])
        return "\n".join([*filter(None, lines), *(f"  {sentence}" for sentence in below)])

    @property
    def missing(self) -> dict[str, list[str]]:
        """Operation that is in no count → the layers where it stands."""
        where: dict[str, list[str]] = defaultdict(list)
        for layer in self.layers:
            for name in layer.uncounted:
                where[name].append(layer.name)
        return dict(where)

    @property
    def uncounted(self) -> str:
        """Which operations are in no count, and where; empty where all are."""
        said = [as_name(f"{name} ({enumerated(layers, 1)})") for name, layers in self.missing.items()]
        if not said:
            return ""
        return say("Not counted, so that the totals are too low: {operations}.", operations=say(", ").join(said))

    @property
    def facts(self) -> str:
        """What stands below the table."""
        said = [say("{n:,} trainable parameters", n=self.trainable_parameters)]
        if self.statistics:
            said.append(say("{n:,} running statistics of norms", n=self.statistics))
            said.append(say("{n:,} numbers in all", n=self.parameters + self.statistics))
        return say(", ").join([*said, say("{n:,} bytes of weights and buffers", n=self.weight_bytes)])
