"""The command line's verbs for Python: ``run = lilliput.train("m1", "tiny-imagenet-200.zip")``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, Unpack

from lilliput.errors import RunError, UsageError
from lilliput.predicting import as_classifier, as_run, is_of, pack_of, predictions_of, trained_on
from lilliput.results import metrics
from lilliput.results.ensemble import Ensemble, next_ensemble, refuse_occupied
from lilliput.results.run import Run

if TYPE_CHECKING:
    from lilliput.analysis.audit import Findings
    from lilliput.analysis.compare import Comparison
    from lilliput.data.pack import Pack
    from lilliput.delivery.classifier import Answer, Classifier
    from lilliput.delivery.export import Exported
    from lilliput.delivery.submit import Submission
    from lilliput.recipe import Recipe
    from lilliput.results.ablation import Ablation
    from lilliput.results.metrics import Evaluation
    from lilliput.results.saliency import Saliency
    from lilliput.results.study import Study
    from lilliput.search.design import Design
    from lilliput.search.settings import Wishes

_Result = TypeVar("_Result")
RUNS, ENSEMBLES, ABLATIONS = Path("runs"), Path("ensembles"), Path("ablations")


def train(
    recipe: str | Path | Recipe,
    data: str | Path | Pack,
    *,
    run: str | Path | None = None,
    overrides: Sequence[str] = (),
    device: str = "auto",
    resume: bool = False,
) -> Run:
    """Train ``recipe`` (a shipped name, a TOML file, a Recipe) on ``data`` (a Pack, its folder, or a source).

    Without ``run`` the folder is ``runs/RECIPE-NUMBER``. ``overrides`` are ``"training.epochs=3"`` and the like.
    Raises: LilliputError.
    """
    from lilliput.data.prepare import open_data
    from lilliput.experiment import run_experiment

    chosen = _recipe(recipe, overrides)
    with run_folder(chosen.name, run, resume=resume) as folder:
        pack = open_data(data)
        return run_experiment(chosen, pack, folder, device=device, resume=resume)


def evaluate(
    result: str | Path | Run | Ensemble,
    *,
    split: str = "val",
    data: str | Path | Pack | None = None,
    views: Sequence[str] | None = None,
) -> Evaluation:
    """Judge a run or an ensemble on a labelled split; see :func:`predictions_of` for what ``data`` and ``views`` do.

    Raises: LilliputError.
    """
    opened = as_classifier(result)
    predictions = predictions_of(opened, split=split, data=data, views=views)
    return metrics.evaluate(predictions, opened.classes)


def ensemble(
    runs: Sequence[str | Path | Run],
    *,
    to: str | Path | None = None,
    split: str = "val",
    method: str = "mean",
    members: str = "all",
) -> Ensemble:
    """Make one classifier of several runs, in ``to`` or the next free ``ensembles/N``, from their stored predictions.

    ``method`` is mean, logits, weighted, greedy or majority; ``members`` all, or chosen: the subset that does best on
    held-out images. What was found on the way lies in the ensemble's ``results`` and ``subsets.csv``.
    Raises: LilliputError.
    """
    from lilliput.analysis.ensemble import make_ensemble, study_ensemble

    if to is not None:
        refuse_occupied(Path(to))
    opened = [as_run(run) for run in _several(runs)]
    findings = study_ensemble(opened, split=split, method=method, members=members)
    folder = next_ensemble(ENSEMBLES) if to is None else Path(to)
    return make_ensemble(findings, folder, method=method, members=members)


def compare(results: Sequence[str | Path | Run | Ensemble], *, split: str = "val") -> Comparison:
    """Runs and ensembles side by side on the same images: metrics, recipe differences, paired tests of every two.

    Raises: LilliputError.
    """
    from lilliput.analysis.compare import compare_results

    return compare_results([as_classifier(one) for one in _several(results)], split)


def ablate(
    design: str | Path | Design,
    data: str | Path | Pack,
    *,
    to: str | Path | None = None,
    overrides: Sequence[str] = (),
    vary: Sequence[str] = (),
    device: str = "auto",
) -> Ablation:
    """Train every value of ``design`` with every seed: a shipped ablation, a TOML file, or a recipe with ``vary``.

    ``vary`` holds texts such as ``"optimizer.l2=0.0001,0.001"``. Without ``to`` the folder is ``ablations/NAME``; what
    it holds already is not trained again. Raises: LilliputError.
    """
    from lilliput.analysis.seeds import finish_ablation
    from lilliput.data.prepare import open_data
    from lilliput.search.ablation import run_ablation
    from lilliput.search.design import folder_name, read_design

    if isinstance(design, (str, Path)):
        design = read_design(design, vary, overrides)
    pack = open_data(data)
    folder = Path(to) if to else ABLATIONS / folder_name(design.name)
    ablation = run_ablation(design, pack, folder, device=device)
    finish_ablation(ablation, subsets=design.subsets)
    return ablation


def run_search(
    recipe: str | Path | Recipe,
    data: str | Path | Pack,
    space: str | Path,
    *,
    overrides: Sequence[str] = (),
    device: str = "auto",
    **wishes: Unpack[Wishes],
) -> Study:
    """Search for better values of ``recipe``, judged on images held out of train: the command ``search``.

    ``space`` is a shipped one or a TOML file; ``wishes`` are trials, folds, holdout and the like.
    Run again, it goes on.
    Raises: LilliputError.
    """
    from lilliput.data.prepare import open_data
    from lilliput.results.study import Study
    from lilliput.search.folds import search_steps
    from lilliput.search.settings import choose_settings
    from lilliput.search.space import load_space

    chosen, varied = _recipe(recipe, overrides), load_space(space)
    settings = choose_settings(varied, chosen.name, wishes)
    pack = open_data(data)
    varied.check(chosen, pack.image_size, chosen.data.classes or len(pack.classes))
    for _ in search_steps(settings, chosen, varied, pack, device):
        pass
    return Study.open(settings.folder)


def audit(
    results: Sequence[str | Path | Run | Ensemble],
    data: str | Path | Pack,
    *,
    to: str | Path = "audit",
    split: str = "all",
    drop_share: float = 0.05,
) -> Findings:
    """Find the images that are hard and why, labels that look wrong, and pictures that are there twice.

    Written into ``to``: audit.html, causes.png, audit.json, images.csv, drop.txt. Raises: LilliputError.
    """
    from lilliput.analysis.audit import examine, refuse_other_folder, write_audit
    from lilliput.data.prepare import open_data

    opened = [as_classifier(one) for one in _several(results)]
    refuse_other_folder(Path(to))
    findings = examine(opened, open_data(data), split=split, drop_share=drop_share)
    write_audit(findings, Path(to))
    return findings


def submit(
    classifier: str | Path | Run | Ensemble,
    data: str | Path | Pack,
    out: str | Path,
    *,
    csv: bool = False,
    force: bool = False,
) -> Submission:
    """Write what a run or an ensemble says to the test images, as the challenge wants it: ``test_0.JPEG n01443537``.

    Predictions that are not stored yet are computed and stored.
    Raises: LilliputError, before anything is computed when the classes do not fit or ``out`` is taken.
    """
    from lilliput.data.prepare import open_data
    from lilliput.delivery.submit import SPLIT, check_submission, write_submission

    opened = as_classifier(classifier)
    pack = open_data(data)
    check_submission(opened, pack, Path(out), force=force)
    # What is stored is of the pack that the run was trained on.
    anew = None if is_of(opened, pack) else pack
    predictions = predictions_of(opened, split=SPLIT, data=anew)
    if predictions.names != pack[SPLIT].names:
        predictions = predictions_of(opened, split=SPLIT, data=pack)
    return write_submission(predictions, pack, Path(out), as_csv=csv)


def predict(
    classifier: str | Path | Run | Ensemble | Classifier,
    paths: str | Path | Sequence[str | Path],
    top: int = 5,
    *,
    device: str = "auto",
) -> list[Answer]:
    """What pictures show: for each file its ``top`` most probable classes, or why it cannot be read.

    ``classifier`` is a run, an ensemble, a file that holds a network, or one that is loaded already; ``paths`` are
    files, folders and patterns such as ``"photos/**/*.jpg"``, one or several.
    Raises: LilliputError when the classifier cannot be loaded, or a folder or pattern gives no picture.
    """
    from lilliput.delivery.classifier import Classifier
    from lilliput.delivery.pictures import find_pictures

    files = find_pictures([paths] if isinstance(paths, (str, Path)) else paths)
    if not isinstance(classifier, Classifier):
        classifier = Classifier.load(classifier, device=device)
    return classifier.predict(files, top=top)


def export(  # noqa: PLR0913 - the options of the command
    classifier: str | Path | Run | Ensemble,
    to: str = "onnx",
    out: str | Path | None = None,
    *,
    precision: str = "fp32",
    data: str | Path | Pack | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write a run or an ensemble as one file: ``to`` is onnx, pt2 or safetensors, ``precision`` fp32, fp16 or int8.

    The file is compared with the classifier on the validation images of ``data``, else of the pack it was trained on,
    else on random images; ``check`` of what is returned has the figures. Without ``out`` the file lies here by the name
    of the classifier. ``progress`` is called with (compared, total) images.
    Raises: LilliputError, when the file says something else too; MissingExtraError. Then nothing is written.
    """
    from lilliput.data.prepare import open_data
    from lilliput.delivery.export import Work, default_place, export_classifier

    opened = as_classifier(classifier)
    pack = pack_of(opened) if data is None else open_data(data)
    place = default_place(opened, to, precision) if out is None else Path(out)
    work = Work(opened, precision, pack)
    return export_classifier(work, to, place, force=force, progress=progress)


def explain(
    run: str | Path | Run,
    data: str | Path | Pack | None = None,
    *,
    images: int = 12,
    method: str = "integrated",
) -> Saliency:
    """Find which pixels some predictions rest on, and store it in the run: the surest, half right, half wrong.

    ``method`` is integrated (gradients) or gradient. Without ``data`` the pack the run was trained on is used.
    Raises: LilliputError; MissingExtraError without captum.
    """
    from lilliput.analysis.explain import choose_pictures, store_maps
    from lilliput.data.prepare import open_data

    opened = as_run(run)
    pack = open_data(trained_on(opened) if data is None else data)
    if not any(opened.predictions(split).is_labelled for split in opened.splits_predicted):
        predictions_of(opened, data=pack)
    chosen = choose_pictures(opened, pack, images)
    from lilliput.evaluation import load_model
    from lilliput.models.saliency import saliency_maps

    maps = saliency_maps(load_model(opened), chosen.images, chosen.predicted, method=method)
    return store_maps(opened, chosen, maps, method)


@contextmanager
def run_folder(recipe_name: str, named: str | Path | None, *, resume: bool) -> Iterator[Path]:
    """The folder a training belongs in: the one named; to resume, the newest of this recipe; else ``RECIPE-NUMBER``.

    A number taken by a training that never began is given back.
    Raises: RunError when there is nothing to resume.
    """
    if named is not None:
        yield Path(named)
    elif resume:
        yield _newest(recipe_name)
    else:
        folder = Run.next_folder(RUNS, recipe_name)
        try:
            yield folder
        except BaseException:
            with suppress(OSError):  # which is what it raises for a folder with something in it
                folder.rmdir()
                RUNS.rmdir()
            raise


def _newest(recipe_name: str) -> Path:
    stem = Run.folder_stem(recipe_name)
    # A folder without a recipe was claimed by a training that never began.
    begun = [path.parent for path in RUNS.glob("*/recipe.toml") if _number(path.parent, stem)]
    if not begun:
        raise RunError(
            f"there is no run of '{recipe_name}' below {RUNS} to resume",
            "start one without --resume, or name its folder: --run DIR",
        )
    return max(begun, key=lambda path: _number(path, stem))


def _number(folder: Path, stem: str) -> int:
    rest = folder.name.removeprefix(f"{stem}-")
    return int(rest) if rest.isdecimal() else 0


def _recipe(recipe: str | Path | Recipe, overrides: Sequence[str]) -> Recipe:
    from lilliput.recipe import Recipe, load_recipe

    if isinstance(recipe, Recipe):
        return recipe.changed(overrides) if overrides else recipe
    return load_recipe(recipe, overrides)


def _several(results: Sequence[_Result]) -> Sequence[_Result]:
    """Raises: UsageError for one path alone, which Python would take letter by letter."""
    if isinstance(results, (str, Path, Run, Ensemble)):
        raise UsageError(
            f"{results} is one result, not a list of them", f"write [{results!r}, ...]"
        )
    return results
