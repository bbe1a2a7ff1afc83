"""The sets that torchvision reads, by name; ``torchvision_reader`` opens them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.data.sources.known import UNSTATED, Known
from assay.recipe.packed import SplitName

_OPENER = "assay.data.sources.torchvision_reader:torchvision_source"
Splits = Mapping[SplitName, Mapping[str, Any]]


@dataclass(frozen=True)
class Named:
    """How a set is asked for."""

    of: str
    """The class in ``torchvision.datasets``."""
    files: tuple[str, ...]
    """What lies in the folder that torchvision calls its root."""
    known: Known
    splits: Splits
    """Split → the arguments that give it."""
    common: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of every split."""
    masks: Mapping[int, str | None] | None = None
    """Of a set of masks: their values → the class; None of void."""

    def place(self, root: Path, name: str) -> Path | None:
        """The folder that has its files: the data root, or one called ``name`` there; None where none has all."""
        folders = (root, root / name)
        return next((folder for folder in folders if all((folder / file).exists() for file in self.files)), None)


def _known(text: str, licence: str, cite: str) -> Known:
    return Known(_OPENER, f"{text}; from the data root", licence, cite)


def _by_split(train: str = "train", test: str | None = "test", validation: str | None = None) -> Splits:
    named: dict[SplitName, str | None] = {"train": train, "validation": validation, "test": test}
    return {split: {"split": name} for split, name in named.items() if name}


_TRAIN_AND_TEST: Splits = {"train": {"train": True}, "test": {"train": False}}
_WHOLE: Splits = {"train": {}}
_PETS = "Parkhi et al. 2012, Cats and dogs; robots.ox.ac.uk/~vgg/data/pets"

SETS: dict[str, Named] = {
    "mnist": Named(
        "MNIST",
        ("MNIST",),
        _known("60,000 + 10,000 handwritten digits, 28×28 gray, 10 classes", UNSTATED, "LeCun et al. 1998"),
        _TRAIN_AND_TEST,
    ),
    "kmnist": Named(
        "KMNIST",
        ("KMNIST",),
        _known(
            "60,000 + 10,000 Japanese characters, 28×28 gray, 10 classes",
            "CC BY-SA 4.0",
            "Clanuwat et al. 2018, arXiv:1812.01718",
        ),
        _TRAIN_AND_TEST,
    ),
    "cifar100": Named(
        "CIFAR100",
        ("cifar-100-python",),
        _known("50,000 + 10,000 pictures of things and animals, 32×32 RGB, 100 classes", UNSTATED, "Krizhevsky 2009"),
        _TRAIN_AND_TEST,
    ),
    "stl10": Named(
        "STL10",
        ("stl10_binary",),
        _known(
            "5,000 + 8,000 pictures of things and animals, 96×96 RGB, 10 classes",
            UNSTATED + "; pictures of ImageNet",
            "Coates, Ng and Lee 2011",
        ),
        _by_split(),
    ),
    "svhn": Named(
        "SVHN",
        ("train_32x32.mat", "test_32x32.mat"),
        _known(
            "73,257 + 26,032 digits of house numbers, 32×32 RGB, 10 classes",
            "non-commercial use only",
            "Netzer et al. 2011; ufldl.stanford.edu/housenumbers",
        ),
        _by_split(),
    ),
    "flowers102": Named(
        "Flowers102",
        ("flowers-102",),
        _known(
            "1,020 + 1,020 + 6,149 flowers of 102 classes, RGB of many sizes", UNSTATED, "Nilsback and Zisserman 2008"
        ),
        _by_split(validation="val"),
    ),
    "oxford-pets": Named(
        "OxfordIIITPet",
        ("oxford-iiit-pet",),
        _known("3,680 + 3,669 cats and dogs of 37 breeds, RGB of many sizes", "CC BY-SA 4.0", _PETS),
        _by_split("trainval"),
        {"target_types": "category"},
    ),
    "oxford-pets-masks": Named(
        "OxfordIIITPet",
        ("oxford-iiit-pet",),
        _known("the same cats and dogs with a mask each: background, pet, void between", "CC BY-SA 4.0", _PETS),
        _by_split("trainval"),
        {"target_types": "segmentation"},
        {1: "pet", 2: "background", 3: None},
    ),
    "dtd": Named(
        "DTD",
        ("dtd",),
        _known(
            "1,880 + 1,880 + 1,880 textures of 47 classes, RGB of many sizes",
            "for research purposes",
            "Cimpoi et al. 2014; robots.ox.ac.uk/~vgg/data/dtd",
        ),
        _by_split(validation="val"),
    ),
    "food101": Named(
        "Food101",
        ("food-101",),
        _known(
            "75,750 + 25,250 dishes of 101 classes, RGB, up to 512 pixels",
            UNSTATED,
            "Bossard, Guillaumin and Van Gool 2014",
        ),
        _by_split(),
    ),
    "fgvc-aircraft": Named(
        "FGVCAircraft",
        ("fgvc-aircraft-2013b",),
        _known(
            "3,334 + 3,333 + 3,333 aircraft of 100 variants, RGB of many sizes",
            "non-commercial research only",
            "Maji et al. 2013, arXiv:1306.5151",
        ),
        _by_split(validation="val"),
    ),
    "stanford-cars": Named(
        "StanfordCars",
        ("stanford_cars",),
        _known("8,144 + 8,041 cars of 196 models, RGB of many sizes", UNSTATED, "Krause et al. 2013"),
        _by_split(),
    ),
    "gtsrb": Named(
        "GTSRB",
        ("gtsrb",),
        _known(
            "26,640 + 12,630 German traffic signs of 43 classes, RGB of many sizes",
            UNSTATED,
            "Stallkamp et al. 2012; benchmark.ini.rub.de",
        ),
        _by_split(),
    ),
    "eurosat": Named(
        "EuroSAT",
        ("eurosat",),
        _known(
            "27,000 satellite pictures of 10 kinds of land use, 64×64 RGB",
            "MIT",
            "Helber et al. 2019, arXiv:1709.00029; github.com/phelber/EuroSAT",
        ),
        _WHOLE,
    ),
    "country211": Named(
        "Country211",
        ("country211",),
        _known(
            "31,650 + 10,550 + 21,100 photographs from 211 countries, RGB of many sizes",
            UNSTATED + "; pictures of YFCC100M, each under a licence of its own",
            "Radford et al. 2021, arXiv:2103.00020",
        ),
        _by_split(validation="valid"),
    ),
    "rendered-sst2": Named(
        "RenderedSST2",
        ("rendered-sst2",),
        _known(
            "6,920 + 872 + 1,821 drawn sentences, negative or positive, 448×448",
            UNSTATED,
            "Radford et al. 2021, arXiv:2103.00020",
        ),
        _by_split(validation="val"),
    ),
    "caltech101": Named(
        "Caltech101",
        ("caltech101",),
        _known(
            "8,677 pictures of things and animals of 101 classes, of many sizes",
            "CC BY 4.0",
            "Li, Andreeto, Ranzato and Perona 2022, data.caltech.edu/records/mzrjq-6wc02",
        ),
        _WHOLE,
    ),
    "pcam": Named(
        "PCAM",
        ("pcam",),
        _known(
            "262,144 + 32,768 + 32,768 stained sections of lymph nodes, 96×96 RGB, 2 classes (needs h5py)",
            "CC0",
            "Veeling et al. 2018, arXiv:1806.03962; github.com/basveeling/pcam",
        ),
        _by_split(validation="val"),
    ),
    "usps": Named(
        "USPS",
        ("usps.bz2", "usps.t.bz2"),
        _known("7,291 + 2,007 handwritten digits, 16×16 gray, 10 classes", UNSTATED, "Hull 1994"),
        _TRAIN_AND_TEST,
    ),
    "imagenette": Named(
        "Imagenette",
        ("imagenette2",),
        _known(
            "9,469 + 3,925 pictures of ten easy classes of ImageNet, RGB of many sizes",
            "Apache-2.0; pictures of ImageNet under their own terms",
            "Howard 2019, github.com/fastai/imagenette",
        ),
        _by_split(test="val"),
    ),
}
"""Name → how it is asked for. Parts of a set without labels, and torchvision's "extra" ones, are left out."""
