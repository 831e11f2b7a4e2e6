from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from lilliput.data import manifest
from lilliput.data.pack import ClassInfo, Pack
from lilliput.data.packing import make_manifest, write_arrays
from lilliput.data.prepare import prepare
from lilliput.data.sources import Listing, Picture
from lilliput.errors import PackError

DOCUMENT = Path(__file__).parents[2] / "docs" / "format.md"
BITMAP = bytes.fromhex(
    "424d3a000000000000003600000028000000010000000100000001001800000000000400000000000000000000000000"
    "000000000000"
)


@pytest.fixture
def pack(official: Path, tmp_path: Path) -> Pack:
    return prepare(official, tmp_path / "pack")


def test_splits_are_what_the_source_has(pack: Pack) -> None:
    assert pack.splits == ("train", "val", "test") and "test" in pack and "dev" not in pack
    assert pack.counts == {"train": 33, "val": 12, "test": 12}
    assert pack.image_size == (64, 64)
    assert pack.classes[2] == ClassInfo("n03", "wooden spoon")
    train, test = pack["train"], pack["test"]
    assert train.images.shape == (33, 64, 64, 3) and train.images.dtype == np.uint8
    assert train.labels is not None and train.labels.dtype == np.int64
    assert train.labels.tolist() == [0] * 11 + [1] * 11 + [2] * 11
    assert train.boxes.dtype == np.int16 and train.boxes[2].tolist() == [2, 1, 42, 63]
    assert test.labels is None and (test.boxes == -1).all()
    assert len(test) == 12 and test.names[10] == "test_10.JPEG"


def test_arrays_cannot_be_written_to(pack: Pack) -> None:
    train = pack["train"]
    assert isinstance(train.images, np.memmap)
    for array in (train.images, train.labels, train.boxes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_unknown_split_names_the_nearest(pack: Pack) -> None:
    with pytest.raises(PackError, match="no split 'trian'") as caught:
        pack["trian"]
    assert "train" in caught.value.hint


def test_numpy_alone_reads_it(pack: Pack) -> None:
    images = np.load(pack.path / "val.images.npy")
    np.testing.assert_array_equal(images, pack["val"].images)
    document = json.loads((pack.path / "manifest.json").read_text())
    assert document["splits"]["val"]["names"] == list(pack["val"].names)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="there is no pack") as caught:
        Pack.open(tmp_path / "pack")
    assert "lilliput prepare" in caught.value.hint


@pytest.mark.parametrize("file", ["train.images.npy", "val.labels.npy", "test.boxes.npy"])
def test_a_missing_or_short_file_is_named_at_once(pack: Pack, file: str) -> None:
    path = pack.path / file
    data = path.read_bytes()
    for content in (data[:-1], data + b"1", None):
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        with pytest.raises(PackError, match=re.escape(file)):
            Pack.open(pack.path)


def test_a_wrong_header_is_named_at_once(pack: Pack) -> None:
    path = pack.path / "train.images.npy"
    data = path.read_bytes()
    path.write_bytes(data[:128].replace(b"33, 64", b"64, 33") + data[128:])
    with pytest.raises(PackError, match=r"train\.images\.npy.*header"):
        Pack.open(pack.path)


@pytest.mark.parametrize("file", ["train.labels.npy", "val.labels.npy", "test.boxes.npy"])
def test_a_damaged_label_or_box_is_found_before_it_is_used(pack: Pack, file: str) -> None:
    path = pack.path / file
    data = bytearray(path.read_bytes())
    data[136] ^= 2
    path.write_bytes(data)
    opened, split = Pack.open(pack.path), file.partition(".")[0]
    with pytest.raises(PackError, match=f"{re.escape(file)} is damaged: its checksum") as caught:
        opened[split]
    assert "--force" in caught.value.hint
    for other in {"train", "val", "test"} - {split}:
        assert len(opened[other]) == pack.counts[other]


def test_a_manifest_of_a_newer_version_is_refused(pack: Pack) -> None:
    path = pack.path / "manifest.json"
    document = json.loads(path.read_bytes()) | {"version": 2}
    path.write_bytes(manifest.render(document))
    with pytest.raises(PackError, match="version 2") as caught:
        Pack.open(pack.path)
    assert "update" in caught.value.hint


def test_any_flipped_bit_is_found(pack: Pack) -> None:
    chance = random.Random(0)
    for path in sorted(pack.path.iterdir()):
        good = path.read_bytes()
        places = range(0, 128, 9) if path.suffix == ".npy" else range(0, len(good), 97)
        for place in [*places, *(chance.randrange(len(good)) for _ in range(12))]:
            bad = bytearray(good)
            bad[place] ^= 1 << chance.randrange(8)
            path.write_bytes(bad)
            with pytest.raises(PackError, match=re.escape(path.name) + "|version"):
                pack.verify()
        path.write_bytes(good)
    pack.verify()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"words", b"{" * 100_000, b"\xff"])
def test_a_manifest_of_nonsense(pack: Pack, content: bytes) -> None:
    (pack.path / "manifest.json").write_bytes(content)
    with pytest.raises(PackError, match=r"manifest\.json is damaged"):
        Pack.open(pack.path)


def test_moved_packs_open(pack: Pack, tmp_path: Path) -> None:
    moved = Pack.open(shutil.move(pack.path, tmp_path / "elsewhere"))
    moved.verify()
    assert moved.fingerprint == pack.fingerprint


def test_the_documented_example_is_what_is_written(tmp_path: Path) -> None:
    """Packs of this version must open for ever: neither the bytes nor the document may drift."""
    red, blue = BITMAP + b"\0\0\xff\0", BITMAP + b"\xff\0\0\0"
    contents = {"red.bmp": red, "blue.bmp": blue}
    listing = Listing(
        (ClassInfo("a", "red things"), ClassInfo("b", "blue things")),
        {
            "train": (
                Picture("red.bmp", "red.bmp", "a", (0, 0, 0, 0)),
                Picture("blue.bmp", "blue.bmp", "b"),
            ),
            "test": (Picture("red.bmp", "red.bmp", None),),
        },
        lambda picture: contents[picture.file],
    )
    written = write_arrays(
        listing, tmp_path, size=1, skip_broken=False, progress=lambda done, total: None
    )
    content = make_manifest(listing, written, size=1, source="two.zip", stamp="0123")
    (tmp_path / "manifest.json").write_bytes(content)
    example = re.search(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None and content.decode() == example.group(1)
    assert (tmp_path / "train.images.npy").read_bytes()[128:].hex() == "ff00000000ff"
    Pack.open(tmp_path).verify()


def test_reader_and_document_agree_on_the_checksum(pack: Pack) -> None:
    """The recipe of the document, written out again."""
    import hashlib

    document = json.loads((pack.path / "manifest.json").read_bytes())
    checksum = document.pop("checksum")
    body = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(body.encode()).hexdigest() == checksum


def test_fingerprint_follows_its_recipe(pack: Pack) -> None:
    import hashlib

    lines = ["64"] + [f"class {info.id}" for info in pack.classes]
    for name in pack.splits:
        split = pack[name]
        ids = (
            [""] * len(split)
            if split.labels is None
            else [pack.classes[i].id for i in split.labels]
        )
        digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in split.images]
        lines += [f"split {name}", *sorted(f"{d} {id}" for d, id in zip(digests, ids, strict=True))]
    text = "".join(f"{line}\n" for line in lines)
    assert hashlib.sha256(text.encode()).hexdigest() == pack.fingerprint
