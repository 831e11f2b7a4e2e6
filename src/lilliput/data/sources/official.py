"""The official Tiny ImageNet layout, as it is unpacked or with val re-sorted into class folders.

    wnids.txt                            the ids of the classes
    words.txt                            id, tab, synonyms
    train/<id>/images/<id>_0.JPEG ...    with train/<id>/<id>_boxes.txt: name, x0, y0, x1, y1
    val/images/val_0.JPEG ...            with val/val_annotations.txt: name, id, x0, y0, x1, y1
    test/images/test_0.JPEG ...          without labels

Whatever else has this shape, of any size and with any ids, reads the same. A line that is there twice is no matter;
two lines that say different things about one picture are refused.
"""

from __future__ import annotations

from lilliput.data.sources.classfolders import (
    class_names,
    images_folders,
    is_flat,
    labelled_pictures,
    split_folders,
    unlabelled_pictures,
)
from lilliput.data.sources.source import Box, Listing, Picture, make_listing
from lilliput.data.sources.tree import Tree, canonical, join, read_lines
from lilliput.errors import SourceError

_MAX = 32767  # boxes are stored as int16


def is_official(tree: Tree, root: str) -> bool:
    """Whether the set has the files that only this layout has."""
    folders = split_folders(tree, root)
    if "train" not in folders:
        return False
    return "wnids.txt" in tree.files(root) or (
        "val" in folders and "val_annotations.txt" in tree.files(folders["val"])
    )


def read_official(tree: Tree, root: str, *, seed: int, val_fraction: float) -> Listing:
    """Read the set. Raises: SourceError naming the file and line, or the folder, at fault."""
    folders = split_folders(tree, root)
    splits = {"train": _train(tree, folders["train"])}
    ids = {p.class_id for p in splits["train"] if p.class_id is not None}
    _check_ids(tree, root, ids)
    if "val" in folders:
        splits["val"] = _val(tree, folders["val"], ids)
    if "test" in folders:
        flat = is_flat(tree, folders["test"])
        splits["test"] = (unlabelled_pictures if flat else labelled_pictures)(tree, folders["test"])
    return make_listing(
        str(tree.path),
        splits,
        class_names(tree, root, ids),
        lambda picture: tree.read(picture.file),
        seed=seed,
        val_fraction=val_fraction,
    )


def _train(tree: Tree, folder: str) -> list[Picture]:
    boxes: dict[tuple[str, str], Box] = {}
    for name in tree.folders(folder):
        id = canonical(name)
        for file in tree.files(join(folder, name)):
            if file.endswith("_boxes.txt"):
                table = _table(tree, join(join(folder, name), file), columns=5)
                boxes |= {(id, picture): box for picture, (_, box) in table.items()}
    return labelled_pictures(tree, folder, boxes=boxes)


def _val(tree: Tree, folder: str, ids: set[str]) -> list[Picture]:
    """Labels from the annotations where the pictures lie flat; where they are sorted, these only give the boxes."""
    has_table = "val_annotations.txt" in tree.files(folder)
    file = join(folder, "val_annotations.txt")
    table = _table(tree, file, columns=6) if has_table else {}
    if not is_flat(tree, folder):
        return [_checked(tree, p, table) for p in _sorted_val(tree, folder)]
    pictures = unlabelled_pictures(tree, folder)
    if pictures and not has_table:
        raise SourceError(
            f"{tree.path}: {file} is missing, so its pictures have no labels",
            "copy the set again, or sort the pictures into class folders",
        )
    by_name = {p.name: p for p in pictures}
    _check_same_names(tree, file, set(table), set(by_name))
    for name, (id, _) in table.items():
        if id not in ids:
            raise SourceError(f"{tree.path}: {file} gives '{name}' the unknown class '{id}'")
    return [p._replace(class_id=table[p.name][0], box=table[p.name][1]) for p in pictures]


def _sorted_val(tree: Tree, folder: str) -> list[Picture]:
    """Class folders, beside which an emptied ``images`` may have stayed."""
    left = images_folders(tree, folder)
    for name in left:
        inside = join(folder, name)
        if tree.files(inside) or tree.folders(inside):
            raise SourceError(
                f"{tree.path}: {folder} has class folders and pictures in '{name}' beside them",
                "finish the sorting, or undo it",
            )
    return labelled_pictures(tree, folder, but=left)


def _checked(tree: Tree, picture: Picture, table: dict[str, tuple[str, Box]]) -> Picture:
    if picture.name not in table:
        return picture
    id, box = table[picture.name]
    if id != picture.class_id:
        raise SourceError(
            f"{tree.path}: '{picture.file}' lies in class '{picture.class_id}',"
            f" val_annotations.txt says '{id}'",
            "move it back, or remove val_annotations.txt",
        )
    return picture._replace(box=box)


def _check_same_names(tree: Tree, file: str, listed: set[str], there: set[str]) -> None:
    for names, problem in (
        (listed - there, "names pictures that are not there"),
        (there - listed, "lacks pictures that are there"),
    ):
        if names:
            raise SourceError(
                f"{tree.path}: {file} {problem}: {min(names)}"
                + (f" and {len(names) - 1} more" if len(names) > 1 else ""),
                "copy the set again",
            )


def _check_ids(tree: Tree, root: str, ids: set[str]) -> None:
    if "wnids.txt" not in tree.files(root):
        return
    listed = {canonical(line.strip()) for line in read_lines(tree, join(root, "wnids.txt"))} - {""}
    for names, problem in (
        (listed - ids, "names a class that train has no folder of"),
        (ids - listed, "lacks a class that train has a folder of"),
    ):
        if names:
            raise SourceError(
                f"{tree.path}: wnids.txt {problem}: '{min(names)}'"
                + (f" and {len(names) - 1} more" if len(names) > 1 else ""),
                "copy the set again, or correct (or remove) wnids.txt",
            )


def _table(tree: Tree, file: str, columns: int) -> dict[str, tuple[str, Box]]:
    """By the name in the first column: the second, and the box that the last four are."""
    table: dict[str, tuple[str, Box]] = {}
    for number, line in enumerate(read_lines(tree, file), 1):
        if not line.strip():
            continue
        row = line.split("\t")
        try:
            x0, y0, x1, y1 = map(int, row[columns - 4 :])
        except ValueError:
            x0 = y0 = x1 = y1 = -1
        if len(row) != columns or not (0 <= x0 <= x1 <= _MAX and 0 <= y0 <= y1 <= _MAX):
            raise SourceError(
                f"{tree.path}: {file}, line {number} is not {columns} columns that end in a box",
                "copy the set again",
            )
        name, content = canonical(row[0]), (canonical(row[1]), (x0, y0, x1, y1))
        if table.setdefault(name, content) != content:
            raise SourceError(
                f"{tree.path}: {file}, line {number} contradicts an earlier line about '{name}'",
                "keep the line that is right",
            )
    return table
