from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lilliput.data import manifest
from lilliput.data.pack import Pack
from lilliput.data.prepare import open_data, prepare
from lilliput.errors import (
    BrokenImagesError,
    PackError,
    SourceError,
    StorageError,
    UsageError,
)

Contents = Callable[[Path], dict[str, bytes]]
MakeFolders = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LILLIPUT_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "packs"


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_the_default_place_is_used_again(official_zip: Path, cache: Path) -> None:
    pack = prepare(official_zip)
    assert pack.path.parent == cache and re.fullmatch(r"mini-[0-9a-f]{10}", pack.path.name)
    calls = []
    again = prepare(official_zip, progress=lambda done, total: calls.append(done))
    assert again.path == pack.path and not calls
    assert open_data(official_zip).path == open_data(pack.path).path == pack.path
    assert prepare(official_zip, size=32).path != pack.path
    os.utime(official_zip, (1, 1))
    assert prepare(official_zip).path != pack.path


def test_something_else_in_the_way(official: Path, official_zip: Path, tmp_path: Path) -> None:
    target = tmp_path / "pack"
    prepare(official, target)
    with pytest.raises(PackError, match="another source") as caught:
        prepare(official_zip, target)
    assert "--force" in caught.value.hint
    assert prepare(official_zip, target, force=True).source == "mini.zip"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_pack_is_never_deleted(official: Path, tmp_path: Path, force: bool) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    (target / "manifest.json").write_text("{}")
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(PackError):
        prepare(official, target, force=force)
    assert (target / "thesis.txt").read_text() == "years of work"
    with pytest.raises(PackError):
        prepare(official, target / "thesis.txt", force=force)


def test_an_empty_folder_is_filled(official: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    assert len(prepare(official, tmp_path / "pack")["train"]) == 33


def test_a_damaged_pack_is_named_and_force_mends_it(official: Path, tmp_path: Path) -> None:
    pack = prepare(official, tmp_path / "pack")
    (pack.path / "manifest.json").write_text("{")
    with pytest.raises(PackError, match="damaged"):
        prepare(official, pack.path)
    prepare(official, pack.path, force=True).verify()


@pytest.mark.parametrize("inside", ["", "pack", "train/n01/pack"])
def test_the_source_is_never_written_to(official: Path, inside: str, contents: Contents) -> None:
    before = contents(official)
    with pytest.raises(UsageError, match="never written to"):
        prepare(official, official / inside, force=True)
    assert contents(official) == before


def break_some(root: Path) -> list[str]:
    """Make four pictures unreadable in four ways; their names in the order of the pack."""
    images = root / "train" / "n02" / "images"
    (images / "n02_0.JPEG").write_text("some words")
    (images / "n02_10.JPEG").write_bytes((images / "n02_10.JPEG").read_bytes()[:300])
    (root / "val" / "images" / "val_0.JPEG").write_bytes(b"")
    (root / "test" / "images" / "test_0.JPEG").unlink()
    (root / "test" / "images" / "test_0.JPEG").symlink_to("nowhere")
    folder = "train/n02/images"
    return [
        f"{folder}/n02_0.JPEG",
        f"{folder}/n02_10.JPEG",
        "val/images/val_0.JPEG",
        "test/images/test_0.JPEG",
    ]


def test_all_broken_pictures_are_listed(official: Path, tmp_path: Path) -> None:
    names = break_some(official)
    with pytest.raises(BrokenImagesError) as caught:
        prepare(official, tmp_path / "pack")
    assert [name for name, _ in caught.value.files] == names
    assert all(reason for _, reason in caught.value.files)
    assert "--skip-broken" in caught.value.hint
    assert not (tmp_path / "pack").exists() and leftovers(tmp_path) == []


def test_broken_pictures_are_left_out_on_request(official: Path, tmp_path: Path) -> None:
    whole = prepare(official, tmp_path / "whole")
    names = break_some(official)
    pack = prepare(official, tmp_path / "pack", skip_broken=True)
    pack.verify()
    assert [name for name, _ in pack.left_out] == names
    assert pack.counts == {"train": 31, "val": 11, "test": 11}
    for split in pack.splits:
        places = [whole[split].names.index(name) for name in pack[split].names]
        np.testing.assert_array_equal(pack[split].images, whole[split].images[places])
        np.testing.assert_array_equal(pack[split].boxes, whole[split].boxes[places])
    assert prepare(official, pack.path, skip_broken=True).left_out == pack.left_out
    with pytest.raises(BrokenImagesError):
        prepare(official, pack.path)


def test_a_class_of_broken_pictures_only(class_folders: MakeFolders, tmp_path: Path) -> None:
    root = class_folders({"cat": 3, "dog": 3})
    for path in (root / "dog").iterdir():
        path.write_text("words")
    with pytest.raises(SourceError, match="nothing is left of class 'dog' in train"):
        prepare(root, tmp_path / "pack", skip_broken=True)


def test_pictures_of_other_sizes_and_their_boxes(official: Path, tmp_path: Path) -> None:
    pack = prepare(official, tmp_path / "pack", size=32)
    assert pack["train"].images.shape == (33, 32, 32, 3)
    assert pack["train"].boxes[2].tolist() == [1, 0, 21, 31]
    with pytest.raises(UsageError):
        prepare(official, tmp_path / "other", size=0)


def test_damage_in_a_zip_stops_even_when_skipping(official_zip: Path, tmp_path: Path) -> None:
    data = bytearray(official_zip.read_bytes())
    data[len(data) // 2] ^= 1
    official_zip.write_bytes(data)
    with pytest.raises(SourceError, match=r"mini\.zip: member 'mini/.*' is damaged"):
        prepare(official_zip, tmp_path / "pack", skip_broken=True)
    assert leftovers(tmp_path) == [] and not (tmp_path / "pack").exists()


def test_too_little_space_is_said_beforehand(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(StorageError, match=r"the pack needs \d\.\d MB, .* has 0\.0 MB free"):
        prepare(official, tmp_path / "deep" / "pack")
    assert not (tmp_path / "deep").exists()


def test_a_disk_that_fills_up_leaves_nothing(official: Path, tmp_path: Path) -> None:
    """At every limit of file size, from the first write to the last."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for limit in (0, 100, 400, 200_000, 400_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            with pytest.raises(StorageError, match=r"no space left to write .*pack"):
                prepare(official, tmp_path / "pack")
            assert leftovers(tmp_path) == [] and not (tmp_path / "pack").exists()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


def test_a_place_that_cannot_be(official: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    with pytest.raises(StorageError, match=r"cannot write .*pack: .*file is not a folder"):
        prepare(official, tmp_path / "file" / "deep" / "pack")


def test_a_pack_is_not_prepared_again(official: Path, tmp_path: Path) -> None:
    pack = prepare(official, tmp_path / "pack")
    with pytest.raises(SourceError, match="pack is a pack already") as caught:
        prepare(pack.path, tmp_path / "again")
    assert f"--data {pack.path}" in caught.value.hint


def test_a_source_may_have_a_manifest_of_its_own(official: Path) -> None:
    (official / "manifest.json").write_text("{}")
    assert open_data(official).counts["train"] == 33


def test_no_name_is_not_the_current_folder(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for here in (official, prepare(official, tmp_path / "pack").path):
        monkeypatch.chdir(here)
        with pytest.raises(UsageError, match="no data set is named"):
            prepare("", tmp_path / "other")
        with pytest.raises(UsageError, match="no data set is named"):
            open_data("")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_place(official: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(StorageError, match="cannot write"):
        prepare(official, tmp_path / "locked" / "pack")


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_stopping_in_the_middle_leaves_nothing(
    official: Path, tmp_path: Path, end: type[BaseException]
) -> None:
    def stop(done: int, total: int) -> None:
        if done:
            raise end

    with pytest.raises(end):
        prepare(official, tmp_path / "pack", progress=stop)
    assert leftovers(tmp_path) == []


def test_leftovers_of_killed_processes_are_cleared_when_old(official: Path, tmp_path: Path) -> None:
    old, young, other = (
        tmp_path / name
        for name in (".pack.0123abcd.partial", ".pack.89abcdef.partial", ".pack.mine.partial")
    )
    for folder in (old, young, other):
        folder.mkdir()
        (folder / "train.images.npy").write_bytes(b"1")
    for path in (*old.iterdir(), old, *other.iterdir(), other):
        os.utime(path, (time.time() - 4000,) * 2)
    prepare(official, tmp_path / "pack")
    assert not old.exists() and young.exists() and other.exists()


def test_many_at_once_end_with_one_good_pack(official_zip: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lilliput.data.prepare import prepare\n"
        "sys.stdin.read(1); print(prepare(sys.argv[1], Path(sys.argv[2])).fingerprint)"
    )
    command = [sys.executable, "-c", program, str(official_zip), str(tmp_path / "pack")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(3)]
    answers = [process.communicate("\n")[0] for process in running]
    pack = Pack.open(tmp_path / "pack")
    pack.verify()
    assert answers == [f"{pack.fingerprint}\n"] * 3 and leftovers(tmp_path) == []


def test_the_slower_of_two_uses_the_pack_of_the_faster(official: Path, tmp_path: Path) -> None:
    faster: list[Pack] = []

    def overtake(done: int, total: int) -> None:
        if not faster:
            thread = threading.Thread(
                target=lambda: faster.append(prepare(official, tmp_path / "pack"))
            )
            thread.start()
            thread.join()

    slower = prepare(official, tmp_path / "pack", progress=overtake)
    assert slower.fingerprint == faster[0].fingerprint and leftovers(tmp_path) == []


def test_a_pack_of_another_source_that_came_first_is_kept(
    official: Path, official_zip: Path, tmp_path: Path
) -> None:
    def overtake(done: int, total: int) -> None:
        if not done and not (tmp_path / "pack").exists():
            prepare(official_zip, tmp_path / "pack")

    with pytest.raises(PackError, match="another source"):
        prepare(official, tmp_path / "pack", progress=overtake)
    assert Pack.open(tmp_path / "pack").source == "mini.zip"


def test_only_a_pack_counts_as_one(official: Path, tmp_path: Path) -> None:
    pack = prepare(official, tmp_path / "pack")
    assert manifest.is_pack_folder(pack.path)
    assert not manifest.is_pack_folder(tmp_path)


def test_torch_stays_out(official: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lilliput.data.prepare import prepare\n"
        "prepare(sys.argv[1], Path(sys.argv[2])); assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", program, str(official), str(tmp_path / "pack")]
    subprocess.run(command, check=True)


@pytest.mark.real_data
def test_the_real_set(real_source: Path, tmp_path: Path) -> None:
    pack = prepare(real_source, tmp_path / "pack")
    assert pack.counts == {"train": 100_000, "val": 10_000, "test": 10_000}
    assert pack.fingerprint == "a0b9005c52a801b6626c0d6181a70af66bf630f26b8985d301c3c08c8528df19"
    assert len(pack.classes) == 200 and pack.classes[0] == ("n01443537", "goldfish")
    assert np.bincount(pack["train"].labels).tolist() == [500] * 200
    assert np.bincount(pack["val"].labels).tolist() == [50] * 200
    grey = [
        int((s.images == s.images[..., :1]).all(axis=(1, 2, 3)).sum())
        for s in map(pack.__getitem__, pack.splits)
    ]
    assert grey >= [1821, 168, 189]
    expected = annotations(real_source)
    val = pack["val"]
    found = {n: pack.classes[i].id for n, i in zip(val.names, val.labels, strict=True)}
    assert found == expected and len(found) == 10_000


def annotations(source: Path) -> dict[str, str]:
    """Name -> id from val_annotations.txt, read without any code of ours."""
    import zipfile

    if source.is_dir():
        text = (source / "val" / "val_annotations.txt").read_text()
    else:
        with zipfile.ZipFile(source) as archive:
            text = archive.read("tiny-imagenet-200/val/val_annotations.txt").decode()
    return dict(line.split("\t")[:2] for line in text.splitlines())
