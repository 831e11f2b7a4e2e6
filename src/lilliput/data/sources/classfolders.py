"""Folders named after classes: train/val[/test] of them, or one level of them that is split here.

A level called ``images`` between class and pictures is no matter, nor is any deeper one: all pictures below a class
folder are of that class. A test folder may instead hold pictures without classes, directly or in ``images``.

A folder called train, val or test is a class like any other where it stands beside class folders and all of them hold
their pictures directly (or in ``images``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from lilliput.data.sources.source import NO_BOX, SPLITS, Box, Listing, Picture, make_listing
from lilliput.data.sources.tree import (
    Tree,
    canonical,
    files_below,
    join,
    may_be_picture,
    read_lines,
)
from lilliput.errors import SourceError

_SPELLINGS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def split_folders(tree: Tree, root: str) -> dict[str, str]:
    """Which folder of ``root`` holds which split. Raises: SourceError when two claim the same."""
    found: dict[str, str] = {}
    if _are_all_classes(tree, root):
        return found
    for name in tree.folders(root):
        split = _SPELLINGS.get(name.casefold())
        if split in found:
            raise SourceError(
                f"{tree.path}: both '{found[split]}' and '{join(root, name)}' could be the {split} split",
                "keep one of them",
            )
        if split:
            found[split] = join(root, name)
    return {split: found[split] for split in SPLITS if split in found}


def _are_all_classes(tree: Tree, root: str) -> bool:
    """Whether what is called like a split is a class: something else is there, and no folder holds class folders."""
    names = tree.folders(root)
    others = [name for name in names if name.casefold() not in _SPELLINGS]
    return bool(others) and all(is_flat(tree, join(root, name)) for name in names)


def read_class_folders(tree: Tree, root: str, *, seed: int, val_fraction: float) -> Listing:
    """Read either kind. Raises: SourceError naming the folder at fault."""
    by_split = split_folders(tree, root)
    if "train" in by_split:
        splits = {
            split: unlabelled_pictures(tree, folder)
            if split == "test" and is_flat(tree, folder)
            else labelled_pictures(tree, folder)
            for split, folder in by_split.items()
        }
    elif by_split:
        name = next(iter(by_split.values()))
        raise SourceError(
            f"{tree.path} has a folder '{name}' but none called 'train'",
            f"name the folder of training classes 'train'; if '{name}' is a class, call it otherwise",
        )
    else:
        splits = {"train": labelled_pictures(tree, root)}
    ids = {p.class_id for pictures in splits.values() for p in pictures if p.class_id is not None}
    return make_listing(
        str(tree.path),
        splits,
        class_names(tree, root, ids),
        lambda picture: tree.read(picture.file),
        seed=seed,
        val_fraction=val_fraction,
    )


def labelled_pictures(
    tree: Tree,
    folder: str,
    *,
    boxes: Mapping[tuple[str, str], Box] = MappingProxyType({}),
    but: Collection[str] = (),
) -> list[Picture]:
    """Every picture of every class folder in ``folder``, except the folders ``but``; boxes by class and name.

    Raises: SourceError for an empty class folder, a picture outside of the class folders, or two spellings of a class.
    """
    stray = [name for name in tree.files(folder) if may_be_picture(name)]
    if stray:
        raise SourceError(
            f"{tree.path}: '{join(folder, stray[0])}' lies outside of the class folders"
            + (f", and {len(stray) - 1} more" if stray[1:] else ""),
            "move it into the folder of its class, or away",
        )
    pictures: list[Picture] = []
    spelling: dict[str, str] = {}
    for name in tree.folders(folder):
        class_folder, class_id = join(folder, name), canonical(name)
        if name in but:
            continue
        if class_id in spelling:
            raise SourceError(f"{tree.path}: two folders of {folder} are both called '{class_id}'")
        spelling[class_id] = name
        members = [
            Picture(file, base, class_id, boxes.get((class_id, base), NO_BOX), tree.position(file))
            for file, base in files_below(tree, class_folder)
        ]
        if not members:
            raise SourceError(
                f"{tree.path}: class folder '{class_folder}' holds no pictures",
                "put pictures into it or remove it",
            )
        pictures += members
    return pictures


def unlabelled_pictures(tree: Tree, folder: str) -> list[Picture]:
    """The pictures right in ``folder`` or in its ``images``."""
    return [
        Picture(join(place, name), canonical(name), None, NO_BOX, tree.position(join(place, name)))
        for place in (folder, *(join(folder, name) for name in images_folders(tree, folder)))
        for name in tree.files(place)
        if may_be_picture(name)
    ]


def is_flat(tree: Tree, folder: str) -> bool:
    """Whether the pictures of ``folder`` lie there without class folders."""
    return len(images_folders(tree, folder)) == len(tree.folders(folder))


def images_folders(tree: Tree, folder: str) -> list[str]:
    """The level called ``images`` that may lie between a folder and its pictures, however it is spelled."""
    return [name for name in tree.folders(folder) if name.casefold() == "images"]


def class_names(tree: Tree, root: str, ids: set[str]) -> dict[str, str]:
    """Names of the classes from ``words.txt`` (id, tab, synonyms): the first synonym, as the paper has them."""
    if "words.txt" not in tree.files(root):
        return {}
    names = {}
    for line in read_lines(tree, join(root, "words.txt")):
        id, _, synonyms = line.partition("\t")
        name = synonyms.split(",")[0].strip()
        if id in ids and name:
            names[id] = name
    return names


def find_root(tree: Tree) -> str:
    """The folder that holds the set: the top one, or the only one inside it, as zips like to have it."""
    root = ""
    while True:
        folders = tree.folders(root)
        if len(folders) != 1 or folders[0].casefold() in _SPELLINGS:
            return root
        inner = join(root, folders[0])
        if not tree.folders(inner) or _has_pictures(tree, root) or _has_pictures(tree, inner):
            return root
        root = inner


def _has_pictures(tree: Tree, folder: str) -> bool:
    return any(may_be_picture(name) for name in tree.files(folder))
