"""How any task learns mixed images: what it minimises is shared between both that are in them."""

from torch import Tensor, nn

from assay.data.mixing import Mixed
from assay.tasks.contract import Images, Step, Sums, Target


def of_mixed(learn: Step) -> Step:
    """``learn``, for batches of mixed images too: the network is called once, and its loss and sums are those of the
    first target and of the second, by the share of each."""

    def step(network: nn.Module, images: Images, target: Target) -> tuple[Tensor, Sums]:
        if not isinstance(target, Mixed):
            return learn(network, images, target)
        given = _Given(network(images))
        (one, ones), (other, others) = learn(given, images, target.first), learn(given, images, target.second)
        share = target.share
        sums = {name: share * ones[name] + (1 - share) * others[name] for name in ones}
        return share * one + (1 - share) * other, sums

    return step


class _Given(nn.Module):
    """A network that has already answered."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> Tensor:
        return self.answer
