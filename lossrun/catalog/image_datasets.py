"""The image datasets that lossrun downloads, all in the format of MNIST: where their files are, and their digests."""

from typing import Final

from lossrun.catalog.dataset_parameters import OFFICIAL_SPLITS
from lossrun.catalog.declaration import DatasetDeclaration


def _images(
    name: str, meaning: str, *, mirrors: tuple[str, ...], digests: tuple[str, str, str, str], classes: tuple[str, ...]
) -> DatasetDeclaration:
    return DatasetDeclaration(
        name=name,
        meaning=meaning,
        parameters=OFFICIAL_SPLITS,
        tasks=("multiclass",),
        task="multiclass",
        input_shape=(1, 28, 28),
        target_size=len(classes),
        count=60_000,
        test_count=10_000,
        classes=classes,
        may_be_bytes=True,
        largest_input=255.0,
        mirrors=mirrors,
        digests=digests,
        reader="images",
    )


IMAGE_DATASETS: Final[tuple[DatasetDeclaration, ...]] = (
    _images(
        "mnist",
        "handwritten digits, 28 x 28 grey",
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        digests=(
            "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        classes=tuple("0123456789"),
    ),
    # Digests and class names: github.com/zalandoresearch/fashion-mnist, README.
    _images(
        "fashion_mnist",
        "clothes, 28 x 28 grey",
        mirrors=(
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        digests=(
            "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "md5:25c81989df183df01b3e8a0aad5dffbe",
            "md5:bef4ecab320f06d8554ea6380940ec79",
            "md5:bb300cfdad3c16e7a12a480ee83cd310",
        ),
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
    # Digests and class names: torchvision.datasets.KMNIST. No second host of the original files is known.
    _images(
        "kmnist",
        "cursive Japanese characters, 28 x 28 grey",
        mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        digests=(
            "md5:bdb82020997e1d708af4cf47b453dcf7",
            "md5:e144d726b3acfaa3e44228e80efcd344",
            "md5:5c965bf0a639b31b8f53240b1b52f4d7",
            "md5:7320c461ea6c1c855c0b718fb2a4b134",
        ),
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
)
