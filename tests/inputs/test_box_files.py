"""What files say of where objects lie is read whole, or refused with file, line and repair."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.inputs.box_files import PNG_START, Annotation, Box, BoxFiles, check_inside, read_mask, read_table, read_voc

HEAD = "<annotation>\n<filename>%s</filename>\n<size><width>50</width><height>40</height><depth>3</depth></size>\n"


def box_text(xmin: object, ymin: object, xmax: object, ymax: object) -> str:
    corners = {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}
    return "<bndbox>" + "".join(f"<{name}>{value}</{name}>" for name, value in corners.items()) + "</bndbox>"


def voc(path: Path, *boxes: str, head: str = HEAD) -> Path:
    objects = "\n".join(f"<object><name>dog</name>{box}</object>" for box in boxes)
    path.write_text(f"{head}{objects}\n</annotation>\n")
    return path


def test_an_annotation_has_every_object_and_the_size(tmp_path: Path) -> None:
    path = voc(tmp_path / "a.xml", box_text(1, 2, 50, 40), box_text(0, " 3.5 ", 10, 20))
    told = read_voc(path)
    assert (told.size, told.mask) == ((40, 50), None)
    assert [box.edges for box in told.boxes] == [(1, 2, 50, 40), (0, 3.5, 10, 20)]
    assert [box.place for box in told.boxes] == [f"{path}:4", f"{path}:5"]


def test_boxes_of_parts_are_not_those_of_the_object(tmp_path: Path) -> None:
    part = f"<part><name>head</name>{box_text(5, 5, 6, 6)}</part>"
    told = read_voc(voc(tmp_path / "a.xml", box_text(1, 2, 9, 9) + part))
    assert [box.edges for box in told.boxes] == [(1, 2, 9, 9)]


@pytest.mark.parametrize("size", ["", "<size><width>0</width><height>0</height></size>", "<size/>"])
def test_a_size_that_is_not_told_is_none(tmp_path: Path, size: str) -> None:
    told = read_voc(voc(tmp_path / "a.xml", box_text(1, 2, 900, 900), head=f"<annotation>{size}"))
    assert (told.size, len(told.boxes)) == (None, 1)


WRONG = [
    (box_text(9, 2, 9, 4), "xmax 9 is not above xmin 9"),
    (box_text(9, 4, 10, 3), "ymax 3 is not above ymin 4"),
    (box_text("nan", 2, 9, 4), "xmin is 'nan', no number"),
    (box_text(1, 2, "inf", 4), "xmax is 'inf', no number"),
    (box_text(1, "two", 9, 4), "ymin is 'two', no number"),
    (box_text(-1, 2, 9, 4), "the box xmin -1, ymin 2, xmax 9, ymax 4 lies beyond its image"),
    (box_text(1, 2, 51, 4), "lies beyond its image of 50 x 40 pixels"),
    (box_text(1, 2, 9, 40.5), "lies beyond its image of 50 x 40 pixels"),
    ("<bndbox><xmin>1</xmin></bndbox>", "bndbox has no ymin, xmax, ymax"),
    ("", "bndbox has no xmin, ymin, xmax, ymax"),
]


@pytest.mark.parametrize(("box", "what"), WRONG)
def test_a_box_that_cannot_be_meant_is_refused_by_file_and_line(tmp_path: Path, box: str, what: str) -> None:
    path = voc(tmp_path / "a.xml", box_text(1, 2, 3, 4), box)
    with pytest.raises(DataError) as caught:
        read_voc(path)
    assert what in caught.value.what
    assert (caught.value.where, bool(caught.value.fix)) == (f"{path}:5", True)


LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_doctype_is_refused_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.xml"
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n' + LAUGHS + HEAD.replace("%s", "&b;")
    path.write_bytes((head + "</annotation>").encode(encoding))
    with pytest.raises(DataError, match="DOCTYPE") as caught:
        read_voc(path)
    assert caught.value.where == f"{path}:2"


@pytest.mark.parametrize(
    "content",
    [b"", b"<annotation>", b"\xff\xfe\x00", b"<a></b>", b"\x00" * 9, b'<?xml version="1.0" encoding="x"?><a/>'],
)
def test_what_is_no_xml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xml").write_bytes(content)
    with pytest.raises(DataError, match="no XML"):
        read_voc(tmp_path / "a.xml")


def test_an_annotation_larger_than_its_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = voc(tmp_path / "a.xml", box_text(1, 2, 3, 4))
    monkeypatch.setenv("XP_LIMITS", "annotation_bytes=100")
    with pytest.raises(DataError, match="more than 100 bytes") as caught:
        read_voc(path)
    assert "annotation_bytes" in caught.value.fix


def table(path: Path, *rows: str, head: str = "image,xmin,ymin,xmax,ymax") -> Path:
    path.write_text("\n".join((head, *rows)) + "\n")
    return path


def test_a_table_may_have_several_rows_and_more_columns(tmp_path: Path) -> None:
    rows = ["1,2,3,4,a/x.jpg,dog", "", '5,6,7,8,"b/y, z.png",cat', "2,3,4,5,a/x.jpg,dog"]
    path = table(tmp_path / "b.csv", *rows, head="\ufeffxmin, ymin,xmax,YMAX,image,name")
    told = read_table(path)
    assert told == {
        "a/x.jpg": Annotation(f"{path}:2", (Box(1, 2, 3, 4, f"{path}:2"), Box(2, 3, 4, 5, f"{path}:5"))),
        "b/y, z.png": Annotation(f"{path}:4", (Box(5, 6, 7, 8, f"{path}:4"),)),
    }


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("a.jpg,1,2,3", "4 columns only"),
        (",1,2,3,4", "names no image"),
        ("a.jpg,3,2,3,4", "xmax 3 is not above xmin 3"),
        ("a.jpg,1,2,,4", "xmax is '', no number"),
        ("a.jpg,1,2,nan,4", "no number"),
        ("a.jpg,1,-2,3,4", "lies beyond"),
        ('"a.jpg,1,2,3,4', "no CSV"),
    ],
)
def test_a_wrong_row_is_refused_by_its_line(tmp_path: Path, row: str, what: str) -> None:
    path = table(tmp_path / "b.csv", "a.jpg,1,2,3,4", row)
    with pytest.raises(DataError, match=what) as caught:
        read_table(path)
    assert caught.value.where == f"{path}:3"


@pytest.mark.parametrize("content", [b"", b"image,xmin\n", b"a.jpg,1,2,3,4\n"])
def test_a_table_without_its_columns_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.csv").write_bytes(content)
    with pytest.raises(DataError, match="names no column") as caught:
        read_table(tmp_path / "b.csv")
    assert "image,xmin,ymin,xmax,ymax" in caught.value.fix


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"image,xmin,ymin,xmax,ymax\n\xff\xfe,1,2,3,4\n")
    with pytest.raises(DataError, match="not in UTF-8"):
        read_table(tmp_path / "b.csv")
    with pytest.raises(DataError, match="cannot read this file"):
        read_table(tmp_path / "gone.csv")


def test_of_a_mask_the_header_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    path.write_bytes(PNG_START + struct.pack(">I4sII", 13, b"IHDR", 50, 40))
    assert read_mask(path) == Annotation(str(path), mask=path, size=(40, 50))
    assert BoxFiles(files={"m": path}).read("m").size == (40, 50)


def test_a_mask_that_is_none_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    path.write_bytes(b"\xff\xd8\xff" + bytes(40))
    with pytest.raises(DataError, match="no PNG"):
        read_mask(path)
    path.write_bytes(PNG_START + struct.pack(">I4sII", 13, b"IHDR", 1 << 20, 1 << 20))
    with pytest.raises(DataError, match="pixels") as caught:
        read_mask(path)
    assert "image_pixels" in caught.value.fix


def test_a_box_up_to_the_edge_of_its_image_is_inside() -> None:
    annotation = Annotation("a", (Box(0, 0, 50, 40, "a:1"),))
    check_inside(annotation, (40, 50))
    with pytest.raises(DataError, match="beyond its image of 50 x 39 pixels"):
        check_inside(annotation, (39, 50))
