"""The hit sheet: one picture of a search to show, print and file, with the warning on it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from facesketch.errors import count
from facesketch.search.answer import LEAD, Answer, Hit, percent, plain

ACROSS = 5
CELL = (240, 300)  # pixels of a face, in the shape of the frame
_MARGIN, _GUTTER, _LINE = 64, 32, 1.35
_WIDTH = 2 * _MARGIN + ACROSS * CELL[0] + (ACROSS - 1) * _GUTTER
_TITLE, _LARGE, _TEXT, _SMALL = 40, 30, 24, 20  # points are pixels here
_PAPER, _INK, _GREY, _RULE, _EMPTY = "#ffffff", "#1c1e22", "#5f656d", "#c9cdd2", "#eef0f2"
_HITS, _ELSEWHERE, _ABSENT = "#1f5a8a", "#9dc0da", "#d5d8dc"
_WARNING, _TINT = "#6e3200", "#fdf1dd"
_BAR = 22

Box = tuple[int, int, int, int]


def hit_sheet(
    answer: Answer, pictures: Sequence[Image.Image | None], *, gallery: str, probe: str, when: str
) -> Image.Image:
    """Draw what was asked, the verdict, and the hits with place, score and chance, the best first.

    For a single sketch, the photo that a model made from it is drawn too. The warning stands between the sketch and the
    hits, so that the hits cannot be cut out without it.

    Args:
        answer: the answer to show.
        pictures: the face of each hit, of any size and mode; None where none is kept.
        gallery: the name of the gallery in print.
        probe: the names of what was asked, in print.
        when: the time of the search in print.

    Returns:
        An `RGB` picture, 1,456 pixels wide.
    """
    assert len(pictures) == len(answer.hits), "every hit has a picture, or None"
    page = _Page()
    page.text("Search by sketch", _TITLE, bold=True)
    photos = count(answer.size, "photo")
    facts = f"{probe} in {gallery} (version {answer.version}, {photos}), route {answer.route}, {when}"
    page.text(facts, _SMALL, _GREY)
    page.y += _GUTTER
    _draw_probe(page, answer)
    page.y += _GUTTER
    lines = _wrap(LEAD, _font(_TEXT, True), _WIDTH - 2 * _MARGIN - 48)
    end = page.y + round(len(lines) * _TEXT * _LINE) + 34
    page.fill((_MARGIN, page.y, _WIDTH - _MARGIN, end), _TINT)
    page.fill((_MARGIN, page.y, _MARGIN + 8, end), _WARNING)
    page.y += 14
    for line in lines:
        page.write(line, _TEXT, _WARNING, True, _MARGIN + 32)
    page.y = end + _GUTTER
    hits = list(zip(answer.hits, pictures, strict=True))
    for start in range(0, len(hits), ACROSS):
        _draw_row(page, hits[start : start + ACROSS])
        page.y += _GUTTER
    return page.finish()


def _draw_probe(page: _Page, answer: Answer) -> None:
    """Draw the pictures of the query, and to their right the verdict and the chances, which add up to one."""
    shown = [(each.framed, ["the photo" if each.sketch is None else "the sketch"]) for each in answer.probes]
    if len(shown) == 1 and (made := answer.probes[0].translated) is not None:
        shown.append((made, ["made from it by a model,", "not a photo of anybody"]))
    for more in range(2, len(shown), ACROSS):  # than there is room for beside the verdict
        _draw_asked(page, shown[more : more + ACROSS])
        page.y += _GUTTER
    top = page.y
    _draw_asked(page, shown[:2])
    bottom, left, right = page.y, page.column(2), _WIDTH - _MARGIN
    page.y = top - 6  # the letters have room above them
    page.text(answer.verdict, _LARGE, bold=True, left=left)
    page.y += _GUTTER // 2
    if answer.absent is not None and answer.elsewhere is not None:
        shares = (
            (max(0.0, 1.0 - answer.absent - answer.elsewhere), _HITS, "among these hits"),
            (answer.elsewhere, _ELSEWHERE, f"someone else {answer.among}"),
            (answer.absent, _ABSENT, f"not {answer.among}"),
        )
        start = float(left)
        for share, colour, _ in shares:
            end = start + share * (right - left)
            page.fill((round(start), page.y, round(end), page.y + _BAR), colour)
            start = end
        page.y += _BAR + 14
        for share, colour, words in shares:
            page.fill((left, page.y + 5, left + 18, page.y + 23), colour)
            level = page.y
            page.line(percent(share), _TEXT, bold=True, left=left + 32)
            page.y = level
            page.text(words, _TEXT, left=left + 144)
    if answer.notice:
        page.y += 10
        page.text(answer.notice, _SMALL, _GREY, left=left)
    page.y = max(page.y, bottom)


def _draw_asked(page: _Page, shown: Sequence[tuple[Image.Image, list[str]]]) -> None:
    """Draw pictures side by side, with their captions below."""
    top, bottom = page.y, page.y
    for column, (picture, caption) in enumerate(shown):
        left = page.column(column)
        page.picture(picture, left, top)
        page.y = top + CELL[1] + 8
        for line in caption:
            page.text(line, _SMALL, _GREY, left=left, width=CELL[0])
        bottom = max(bottom, page.y)
    page.y = bottom


def _draw_row(page: _Page, hits: Sequence[tuple[Hit, Image.Image | None]]) -> None:
    """Draw up to `ACROSS` hits, their names in as many lines as the longest needs, at most two."""
    top = page.y
    names = [_wrap(f"{hit.place}. {hit.label}", _font(_TEXT, True), CELL[0]) for hit, _ in hits]
    tallest = 2 if any(len(name) > 1 for name in names) else 1
    for column, ((hit, picture), (first, *rest)) in enumerate(zip(hits, names, strict=True)):
        left = page.column(column)
        page.picture(picture, left, top)
        page.y = top + CELL[1] + 8
        for line in [first, " ".join(rest)][:tallest]:
            page.line(line, _TEXT, bold=True, left=left)
        if hit.chance is not None:
            page.line(f"chance {percent(hit.chance)}", _TEXT, left=left)
        page.line(f"score {hit.score:.3f}", _SMALL, _GREY, left=left)
        file = hit.key.replace("\\", "/").rpartition("/")[2]
        about = file if hit.person in {hit.label, hit.key} else f"{hit.person}, {file}"
        page.line(about, _SMALL, _GREY, left=left)


@functools.cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with matplotlib and has Latin, Greek and Cyrillic letters."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text between words into lines of at most a width, and shorten words that are wider."""
    lines: list[str] = []
    for word in plain(text).split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [_cut(line, font, width) for line in lines]


def _cut(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Shorten a line that does not fit with a … in its middle, because the ends of names tell them apart."""
    short = text = plain(text)
    kept = len(text)
    while font.getlength(short) > width and kept > 2:
        kept -= 1
        short = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    return short


class _Page:
    """A page that grows downwards; `y` is where the next line goes."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (_WIDTH, 2400), _PAPER)
        self._pen = ImageDraw.Draw(self._image)
        self.y = _MARGIN - 12

    @staticmethod
    def column(number: int) -> int:
        """Return the left edge of a column."""
        return _MARGIN + number * (CELL[0] + _GUTTER)

    def text(
        self,
        text: str,
        size: int,
        colour: str = _INK,
        *,
        bold: bool = False,
        left: int = _MARGIN,
        width: int | None = None,
    ) -> None:
        """Write a text in lines, from `left` to the right margin or `width` pixels wide."""
        for line in _wrap(text, _font(size, bold), width or _WIDTH - _MARGIN - left):
            self.write(line, size, colour, bold, left)

    def line(self, text: str, size: int, colour: str = _INK, *, bold: bool = False, left: int) -> None:
        """Write one line below a face, shortened if it is too long."""
        self.write(_cut(text, _font(size, bold), CELL[0]), size, colour, bold, left)

    def picture(self, picture: Image.Image | None, left: int, top: int) -> None:
        """Paste a face into its cell, in proportion, with a thin edge."""
        self._reach(top + CELL[1])
        box = (left, top, left + CELL[0] - 1, top + CELL[1] - 1)
        self._pen.rectangle(box, fill=_EMPTY)
        if picture is None:
            middle = (left + CELL[0] // 2, top + CELL[1] // 2)
            self._pen.text(middle, "no picture kept", fill=_GREY, font=_font(_SMALL, False), anchor="mm")
        else:
            shown = ImageOps.contain(picture.convert("RGB"), CELL, Image.Resampling.LANCZOS)
            self._image.paste(shown, (left + (CELL[0] - shown.width) // 2, top + (CELL[1] - shown.height) // 2))
        self._pen.rectangle(box, outline=_RULE)

    def fill(self, box: Box, colour: str) -> None:
        """Fill (left, top, right, bottom), the last two excluded; an empty box is not drawn."""
        self._reach(box[3])
        if box[2] > box[0] and box[3] > box[1]:
            self._pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=colour)

    def finish(self) -> Image.Image:
        """Return the page, cut off below its contents."""
        return self._image.crop((0, 0, _WIDTH, self.y + _MARGIN - _GUTTER))

    def write(self, line: str, size: int, colour: str, bold: bool, left: int) -> None:
        """Write one line as it is."""
        step = round(size * _LINE)
        self._reach(self.y + step)
        self._pen.text((left, self.y), line, fill=colour, font=_font(size, bold))
        self.y += step

    def _reach(self, bottom: int) -> None:
        """Make the page longer if it has to be."""
        if bottom + _MARGIN > self._image.height:
            longer = Image.new("RGB", (_WIDTH, 2 * (bottom + _MARGIN)), _PAPER)
            longer.paste(self._image)
            self._image, self._pen = longer, ImageDraw.Draw(longer)
