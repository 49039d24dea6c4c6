"""Pictures side by side, with names."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

PAPER, INK, GAP = (255, 255, 255), (40, 40, 40), 6


def sheet(
    rows: Sequence[Sequence[Image.Image | None]],
    columns: Sequence[str],
    labels: Sequence[str] = (),
    *,
    cell: tuple[int, int] | None = None,
) -> Image.Image:
    """Return one picture of a table of pictures.

    Args:
        rows: pictures, any size and mode; None leaves a place empty. All rows are as long as `columns`.
        columns: what stands above each column.
        labels: what stands left of each row, or nothing.
        cell: (width, height) that pictures are shrunk into; the first picture's size when None.
    """
    from PIL import ImageDraw, ImageFont  # only a sheet needs them, and they load slowly

    assert all(len(row) == len(columns) for row in rows), "every row must fill every column"
    cell = cell or next(picture.size for row in rows for picture in row if picture is not None)
    points = max(9, min(16, cell[0] // 8))
    font = ImageFont.load_default(size=points)
    margin = max((int(font.getlength(label)) for label in labels), default=-2 * GAP) + 2 * GAP
    header = max(text.count("\n") + 1 for text in columns) * (points + 3) + GAP
    page = Image.new("RGB", (margin + len(columns) * (cell[0] + GAP), header + len(rows) * (cell[1] + GAP)), PAPER)
    pen = ImageDraw.Draw(page)
    for place, text in enumerate(columns):
        across = margin + place * (cell[0] + GAP) + cell[0] // 2
        pen.multiline_text((across, header // 2), text, fill=INK, font=font, anchor="mm", align="center")
    for line, row in enumerate(rows):
        top = header + line * (cell[1] + GAP)
        if labels:
            pen.text((GAP, top + cell[1] // 2), labels[line], fill=INK, font=font, anchor="lm")
        for place, picture in enumerate(row):
            if picture is not None:
                small = picture.convert("RGB")
                small.thumbnail(cell, Image.Resampling.LANCZOS, reducing_gap=None)
                left = margin + place * (cell[0] + GAP)
                page.paste(small, (left + (cell[0] - small.width) // 2, top + (cell[1] - small.height) // 2))
    return page
