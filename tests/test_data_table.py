"""A table beside the pictures: it is read as written, its rows meet their pictures, and its mistakes are named."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from assay.data import ImageSet, load, open_images, split
from assay.data.sources.table_file import Table, read_table
from assay.data.targets import Tags, Values
from assay.errors import AssayError
from assay.recipe import Data, Recipe
from assay.recipe.data import COLUMNS
from assay.recipe.tasks import TASKS
from assay.recipe.validation import mistakes
from assay.runs.checks import check_targets
from assay.runs.data import describe
from command import assay, write_study
from trained import image_data

PICTURES = ("0.png", "1.png", "2.png", "3.png")
Open = Callable[..., ImageSet]


def png(value: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), value).save(buffer, "PNG")
    return buffer.getvalue()


def tree(text: str | bytes, name: str, pictures: tuple[str, ...]) -> dict[str, bytes]:
    table = text.encode() if isinstance(text, str) else text
    return {picture: png(i) for i, picture in enumerate(pictures)} | {name: table}


def as_folder(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = root / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def as_zip(root: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(root / "set.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.fixture(params=[as_folder, as_zip])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens pictures with a table inside the source, once a folder and once a zip."""
    return opener(tmp_path, request.param)


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    return opener(tmp_path, as_folder)


def opener(root: Path, write: Callable[[Path, dict[str, bytes]], None]) -> Open:
    def make(text: str | bytes, name: str = "t.csv", pictures: tuple[str, ...] = PICTURES, **data: Any) -> ImageSet:
        write(root, tree(text, name, pictures))
        return open_images(Data.model_validate({"source": "set", "table": name, **data}), root)

    return make


# ------------------------------------------------------------------------------------ what is true of an image


def test_numbers_come_in_the_order_of_the_recipe_and_pictures_in_that_of_their_names(both: Open) -> None:
    images = both("image,weight,age\n2.png,7,0.5\n0.png,-1e3,4\n", targets=["age", "weight"])
    assert isinstance(images.targets, Values)
    assert images.targets.names == ("age", "weight")
    assert images.classes == ["age", "weight"]
    assert images.names == ["0.png", "2.png"]
    assert images.targets.values.tolist() == [[4.0, -1000.0], [0.5, 7.0]]
    assert images.pixels[:, 0, 0, 0].tolist() == [0, 2]


def test_labels_stay_text_as_written(both: Open) -> None:
    images = both("image,label\n0.png,00010\n1.png,00010\n2.png,2\n3.png,2\n", label="label")
    assert images.classes == ["00010", "2"]
    assert images.labels.tolist() == [0, 0, 1, 1]


def test_columns_of_0_and_1_are_tags(both: Open) -> None:
    images = both("image,dog,cat\n0,1,0\n1,0,0\n2,True,1.0\n", tags=["cat", "dog"])
    assert isinstance(images.targets, Tags)
    assert images.classes == ["cat", "dog"]
    assert images.targets.values.tolist() == [[0, 1], [0, 0], [1, 1]]


@pytest.mark.parametrize("separator", ["|", ";", ",", ", ", " "])
def test_a_cell_may_list_tags(opened: Open, separator: str) -> None:
    text = f'image,tags\n0,"dog{separator}cat"\n1,\n2,cat\n3,"cat{separator}cat"\n'
    images = opened(text, tags="tags")
    assert images.classes == ["cat", "dog"]
    assert images.targets.values.tolist() == [[1, 1], [0, 0], [1, 0], [1, 0]]  # type: ignore[attr-defined]


def test_tags_of_several_words_are_whole_where_another_separator_is_used(opened: Open) -> None:
    assert opened("image,tags\n0,blue sky|sea\n1,sea\n", tags="tags").classes == ["blue sky", "sea"]


def test_what_pandas_writes_for_a_missing_label_is_none(both: Open) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"image": [0, 1, 2], "kind": [0.0, 1.0, float("nan")]}).write_parquet(buffer)
    with pytest.raises(AssayError, match=r"t\.parquet, row 3, column 'kind': found nothing"):
        both(buffer.getvalue(), "t.parquet", label="kind")


def test_a_list_column_of_parquet_is_tags(both: Open) -> None:
    buffer = io.BytesIO()
    lists = [["b", "a,c"], [], ["b"]]
    pl.DataFrame({"id": [0, 1, 2], "tags": lists}).write_parquet(buffer)
    images = both(buffer.getvalue(), "t.parquet", tags="tags")
    assert images.classes == ["a,c", "b"]
    assert images.targets.values.tolist() == [[1, 1], [0, 0], [0, 1]]  # type: ignore[attr-defined]


def test_the_test_rows_are_the_sources_own_test_split(both: Open) -> None:
    images = both("image,y,part\n0,1,train\n1,2,Test\n2,3,val\n3,4,testing\n", targets="y", split="part")
    assert images.is_test.tolist() == [False, True, False, True]
    cut = split(Data(source="set", validation=0), images, seed=0)
    assert cut["train"].tolist() == [0, 2]
    assert cut["test"].tolist() == [1, 3]


# ------------------------------------------------------------------------------------ rows and pictures


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a/1.png", "a/1.png"),
        ("./a/1.png", "a/1.png"),
        ("a\\1.png", "a/1.png"),
        ("a/1", "a/1.png"),
        ("/home/me/b/2.x.jpg", "b/2.x.jpg"),
        ("2.x.jpg", "b/2.x.jpg"),
        ("2.x", "b/2.x.jpg"),
        ("e\u0301", "b/\u00e9.png"),
    ],
)
def test_a_row_names_a_picture_by_path_or_file_with_or_without_ending(both: Open, name: str, picture: str) -> None:
    pictures = ("a/1.png", "b/1.png", "b/2.x.jpg", "b/\u00e9.png")
    assert both(f"image,y\n{name},1\n", pictures=pictures, targets="y").names == [picture]


def test_a_name_of_two_pictures_is_refused(opened: Open) -> None:
    with pytest.raises(AssayError, match=r"t\.csv, line 2, column 'image': '1' could be 'a/1\.png' or 'b/1\.png'"):
        opened("image,y\n1,1\n", pictures=("a/1.png", "b/1.png"), targets="y")


def test_pictures_that_no_row_names_are_left_out_and_counted(both: Open) -> None:
    images = both("image,y\n1,1\n", targets="y")
    assert (len(images), images.unlisted, images.skipped) == (1, 3, [])


def test_rows_without_a_picture_are_an_error_or_skipped_on_request(both: Open) -> None:
    text = "image,y\n0,1\n8.png,2\n9.png,3\n"
    with pytest.raises(
        AssayError, match=r"line 3, column 'image': there is no picture '8\.png'.*2 of 3 rows name none"
    ):
        both(text, targets="y")
    images = both(text, targets="y", on_bad_image="skip")
    assert images.names == ["0.png"]
    assert [name for name, _ in images.skipped] == ["8.png", "9.png"]


def test_a_picture_listed_twice_with_the_same_counts_once(opened: Open) -> None:
    images = opened("image,y\n0,1\n0.png,1.0\n1,2\n", targets="y")
    assert images.names == ["0.png", "1.png"]


def test_the_usual_columns_name_the_pictures_unless_the_recipe_says_which(opened: Open) -> None:
    assert opened("filename,id,y\n0,2,1\n", targets="y").names == ["0.png"]
    assert opened("filename,id,y\n0,2,1\n", targets="y", image="id").names == ["2.png"]


def test_class_folders_around_the_pictures_mean_nothing(both: Open) -> None:
    pictures = ("a/0.png", "a/1.png", "b/2.png", "b/3.png")
    images = both("image,label\n0,x\n1,y\n2,x\n3,y\n", pictures=pictures, label="label")
    assert images.classes == ["x", "y"]
    assert images.labels.tolist() == [0, 1, 0, 1]


# ------------------------------------------------------------------------------------ where the table lies


@pytest.mark.parametrize("place", ["set/t.csv", "set/below/t.csv", "t.csv", "else/t.csv"])
def test_the_table_lies_in_the_source_beside_it_or_where_its_path_says(tmp_path: Path, place: str) -> None:
    as_folder(tmp_path, {name: png() for name in PICTURES})
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("image,y\n0,1\n")
    name = str(tmp_path / place) if place.startswith("else") else "t.csv"
    assert len(open_images(Data(source="set", table=name, targets=("y",)), tmp_path)) == 1


def test_a_table_beside_a_zip(tmp_path: Path) -> None:
    as_zip(tmp_path, {name: png() for name in PICTURES})
    (tmp_path / "t.csv").write_text("image,y\n0,1\n")
    assert len(open_images(Data(source="set", table="t.csv", targets=("y",)), tmp_path)) == 1


@pytest.mark.parametrize("place", ["set/t.csv", "t.csv"])
def test_a_changed_table_is_read_again_and_another_column_of_it_too(tmp_path: Path, place: str) -> None:
    as_folder(tmp_path, {name: png() for name in PICTURES})

    def first(column: str) -> str:
        return open_images(Data(source="set", table="t.csv", targets=(column,)), tmp_path).targets.line(0)

    (tmp_path / place).write_text("image,y,z\n0,1,2\n")
    assert (first("y"), first("z")) == ("1.0", "2.0")
    (tmp_path / place).write_text("image,y,z\n0,25,2\n")
    assert first("y") == "25.0"


def test_rows_for_validation_validate_unless_an_amount_is_asked_for(both: Open) -> None:
    images = both("image,y,part\n0,1,train\n1,2,Dev\n2,3,test\n3,4,training\n", targets="y", split="part")
    assert {name: rows.tolist() for name, rows in split(Data(source="set"), images, 0).items()} == {
        "train": [0, 3], "validation": [1], "test": [2],
    }  # fmt: skip
    assert split(Data(source="set", validation=0), images, 0)["train"].tolist() == [0, 1, 3]


# ------------------------------------------------------------------------------------ files


@pytest.mark.parametrize(
    "text",
    [
        "image,y\n0,1\n1,2\n",
        "image;y\n0;1\n1;2\n",
        "image\ty\n0\t1\n1\t2\n",
        "\ufeffimage,y\r\n0,1\r\n1,2\r\n",
        'image , "y"\n"0", 1 \n\n\n1,"2"\n',
        'image,"a;b;c;d",y\n0,"x\ny",1\n1,,2',
    ],
)
def test_dialects_of_csv(opened: Open, text: str) -> None:
    images = opened(text, targets="y")
    assert images.names == ["0.png", "1.png"]
    assert images.targets.values.tolist() == [[1.0], [2.0]]  # type: ignore[attr-defined]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=5).filter(
    lambda text: text == text.strip()
)
ROWS = st.lists(st.tuples(TEXT, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=6)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
@pytest.mark.parametrize(("ending", "separator"), [(".csv", ","), (".csv", ";"), (".tsv", "\t"), (".parquet", "")])
def test_a_table_is_read_as_it_was_written(ending: str, separator: str, rows: list[tuple[str, float]]) -> None:
    frame = pl.DataFrame(rows, schema={"image": pl.String, "y": pl.Float64}, orient="row")
    buffer = io.BytesIO()
    if separator:
        frame.write_csv(buffer, separator=separator)
    else:
        frame.write_parquet(buffer)
    table = read_table(f"t{ending}", buffer.getvalue(), lambda columns: columns)
    assert table.columns["image"] == [name for name, _ in rows]
    assert [float(cell) for cell in table.columns["y"]] == [value for _, value in rows]


def test_lines_are_those_of_an_editor() -> None:
    text = 'a,b\n1,"two\nlines"\n\n2,x\n'
    table = read_table("t.csv", text.encode(), lambda columns: columns)
    assert table == Table("t.csv", {"a": ["1", "2"], "b": ["two\nlines", "x"]}, [2, 5], "line")


# ------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("text", "data", "sentence"),
    [
        ("image,y\n0,1\n1,\n", {"targets": "y"}, "t.csv, line 3, column 'y': found nothing, expected a number"),
        ("image,y\n0,x\n1,\n2,3\n", {"targets": "y"}, "line 2, column 'y': found 'x', expected a number (and 1 more"),
        ("image,y\n0,inf\n", {"targets": "y"}, "line 2, column 'y': found 'inf', expected a finite number"),
        ("image,y\n0,nan\n", {"targets": "y"}, "found 'nan', expected a finite number"),
        ("image,y\n0,1e39\n", {"targets": "y"}, "found '1e39', expected a finite number"),
        ("image,y\n0,1_0\n", {"targets": "y"}, "found '1_0', expected a number"),
        ("image;y\n0;1,5\n", {"targets": "y"}, "found '1,5', expected a number; decimals are written with a point"),
        ("image,age\n0,1\n", {"targets": "agee"}, "data.targets: t.csv has no column 'agee'; did you mean 'age'"),
        ("image,y\n0,1\n", {"targets": "y", "image": "file"}, "data.image: t.csv has no column 'file'"),
        ("image,y\n0,1\n", {"targets": "y", "split": "y"}, "data.split: column 'y' of t.csv serves as data.targets"),
        ("pic,y\n0,1\n", {"targets": "y"}, "data.image is missing: t.csv has none of the usual columns image, file"),
        ("image,y,y\n0,1,2\n", {"targets": "y"}, "t.csv has 2 columns 'y'; one is expected"),
        ("image,y\n0,1\n,2\n", {"targets": "y"}, "line 3, column 'image': found nothing, expected the name of a"),
        (
            "image,y\n0,1\n1,2\n0,3\n",
            {"targets": "y"},
            "line 4, column 'image': '0' is listed twice, with '1' in line 2",
        ),
        (
            "image,y,s\n0,1,train\n0,1,test\n",
            {"targets": "y", "split": "s"},
            "line 3, column 'image': '0' is listed twice, with 'train' in line 2 and 'test' here",
        ),
        ("image,y\n7,1\n", {"targets": "y", "on_bad_image": "skip"}, "no picture '7' in"),
        ("image,c\n0,a\n1,a\n2,b\n", {"label": "c"}, "line 4, column 'c': the label 'b' occurs once"),
        ("image,c\n0,a\n1,a\n2,b\n3,d\n", {"label": "c"}, "in the test split; the same is true of 'd'"),
        ("image,c\n0,a\n1,a\n", {"label": "c"}, "column 'c' has only one label, 'a'"),
        ("image,c\n0,a\n1,\n", {"label": "c"}, "line 3, column 'c': found nothing, expected a label"),
        (
            "image,c,s\n0,a,train\n1,a,train\n2,b,test\n3,b,test\n",
            {"label": "c", "split": "s"},
            "line 4, column 'c': the label 'b' has test pictures but none to train on",
        ),
        ("image,a,b\n0,1,0\n1,0,2\n", {"tags": ["a", "b"]}, "line 3, column 'b': found '2', expected 0 or 1"),
        ("image,a\n0,1\n1,\n", {"tags": ["a"]}, "line 3, column 'a': found nothing, expected 0 or 1"),
        ("image,a\n0,1\n1,0\n", {"tags": "a"}, "column 'a' has no tags: found 0, 1; for a column of 0 and 1 write"),
        ("image,a\n0,\n1,\n", {"tags": "a"}, "column 'a' has no tags: found nothing"),
        ("image,y,s\n0,1,trian\n", {"targets": "y", "split": "s"}, "column 's': found 'trian', expected one of dev"),
        ("image,y,s\n0,1,test\n", {"targets": "y", "split": "s"}, "column 's' has rows of the test split only"),
        ("image,y\n", {"targets": "y"}, "t.csv has no rows"),
        ("", {"targets": "y"}, "t.csv is empty"),
        (b"image,y\n0,1\n1,\xe9\n", {"targets": "y"}, "t.csv, line 3: not text in UTF-8"),
        ("image,y\n0,1,2\n", {"targets": "y"}, "t.csv, line 2: found 3 cells, expected 2 as in its header"),
        ('image,y\n0,"1\n', {"targets": "y"}, "t.csv, line 2: not a row of a table"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_its_place(
    opened: Open, text: str | bytes, data: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AssayError) as error:
        opened(text, **data)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("s.csv", "data.table: there is no 's.csv' in"),
        ("t.xlsx", "data.table: found 't.xlsx', expected a file that ends in .csv, .tsv"),
    ],
)
def test_a_table_that_is_not_there(tmp_path: Path, name: str, sentence: str) -> None:
    as_folder(tmp_path, tree("image,y\n0,1\n", "t.csv", PICTURES))
    with pytest.raises(AssayError, match=sentence.replace(".", r"\.")):
        open_images(Data(source="set", table=name, targets=("y",)), tmp_path)


def test_a_damaged_parquet_file(both: Open) -> None:
    with pytest.raises(AssayError, match=r"t\.parquet is not a whole Parquet file"):
        both(b"PAR1 and no more", "t.parquet", targets="y")


def test_a_named_source_takes_no_table(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"data\.table goes with a folder or zip of pictures, and 'digits' is a named"):
        open_images(Data(source="digits", table="t.csv", label="y"), tmp_path)


# ------------------------------------------------------------------------------------ the keys


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"table": "t.csv"}, "data: table needs the key label, targets or tags"),
        ({"label": "y"}, "data: label names a column of a table, and the key table is missing"),
        ({"image": "y"}, "data: image names a column of a table, and the key table is missing"),
        ({"table": "t.csv", "label": "y", "tags": "z"}, "data: label and tags exclude each other"),
        ({"table": "t.csv", "targets": []}, "data.targets: found [], expected the name of a column, or a list"),
        ({"table": "t.csv", "tags": ["a", "a"]}, "data.tags: found ['a', 'a'], expected different columns"),
        ({"table": "t.csv", "tags": 3}, "data.tags: found 3, expected the name of a column, or a list"),
        ({"tabel": "t.csv"}, "unknown key 'data.tabel'; did you mean 'table'"),
    ],
)
def test_keys_that_do_not_go_together(data: dict[str, Any], sentence: str) -> None:
    (found,) = mistakes(Recipe, {"data": {"source": "set", **data}, "model": "mlp"})
    assert sentence in found


@pytest.mark.parametrize("told", COLUMNS)
@pytest.mark.parametrize("task", TASKS)
def test_a_task_takes_the_columns_that_tell_what_it_learns_and_no_others(task: str, told: str) -> None:
    data = {"source": "set", "table": "t.csv", COLUMNS[told]: "y"}  # type: ignore[index]
    found = mistakes(Recipe, {"task": task, "data": data, "model": "mlp"})
    if TASKS[task].target == told:
        assert found == []
    else:
        assert found[0].startswith(f"data.{COLUMNS[told]} gives ")  # type: ignore[index]
        assert f"task {task} needs" in found[0]


@pytest.mark.parametrize("task", [task for task, facts in TASKS.items() if facts.target in ("values", "tags")])
def test_a_task_of_numbers_or_tags_on_labelled_pictures_is_shown_the_way_to_a_table(task: str) -> None:
    recipe = Recipe.model_validate({"task": task, "data": {"source": "set"}, "model": "mlp"})
    column = COLUMNS[TASKS[task].target]
    words = rf"task {task} needs .* have labels; expected task: classification or a table .* \(data.{column}\)"
    with pytest.raises(AssayError, match=words):
        check_targets(recipe, image_data())


def test_without_a_table_nothing_of_it_is_written_out() -> None:
    written = Data(source="set").model_dump(mode="json")
    assert not {"table", "image", "split", *COLUMNS.values()} & written.keys()
    data = Data(source="set", table="t.csv", targets=("a",))
    assert Data.model_validate(data.model_dump(mode="json")) == data


# ------------------------------------------------------------------------------------ the command line


@pytest.mark.parametrize(
    ("text", "data", "sentence"),
    [
        ("image,c\n0,a\n1,a\n9,b\n", {"label": "c"}, "assay: t.csv, line 4, column 'image': there is no picture '9'"),
        ("image,c\n0,a\n1,a\n2,b\n", {"label": "c"}, "assay: t.csv, line 4, column 'c': the label 'b' occurs once"),
        (
            "image,c\n0,a\n",
            {"targets": "c"},
            "base: data.targets gives numbers an image, and task classification needs",
        ),
    ],
)
def test_a_bad_table_is_refused_before_training(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    data: dict[str, Any],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    as_folder(tmp_path, tree(text, "t.csv", PICTURES))
    base = {"data": {"source": "set", "table": "t.csv", **data}, "model": {"name": "mlp"}}
    ended = assay(capfd, "run", write_study(Path("s.yaml"), base=base, vary=None))
    assert ended.status == 2
    assert ended.out == ""
    assert sentence in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not list(Path("runs").rglob("status.json"))


def test_a_run_keeps_how_many_pictures_the_table_leaves_out(tmp_path: Path) -> None:
    rows = "".join(f"{i},{'ab'[i % 2]}\n" for i in range(24))
    as_folder(tmp_path, tree(f"image,c\n{rows}", "t.csv", tuple(f"{i}.png" for i in range(30))))
    about = describe(load(Data(source="set", table="t.csv", label="c", validation=4), 0, tmp_path))
    assert about["classes"] == ["a", "b"]
    assert about["unlisted"] == 6
    assert about["counts"] == {"train": 15, "validation": 4, "test": 5}
