"""The hit sheet: one picture of a search that can be shown, printed and filed, with what it does not prove on it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

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
    """Draw what was sought, what was made of it, and the hits with place, score and chance, the best first.

    The warning stands between the sketch and the hits, so that the hits cannot be cut out with a title alone.

    Args:
        answer: what the search gave.
        pictures: the face of each hit, any size and mode; None where none is kept.
        gallery: what to call the gallery.
        probe: what to call the sketch.
        when: the moment of the search, as it shall be read.

    Returns:
        An `RGB` picture, 1,456 pixels wide.
    """
    assert len(pictures) == len(answer.hits), "every hit has a picture, or None"
    page = _Page()
    page.text("Search by sketch", _TITLE, bold=True)
    page.text(_facts(answer, gallery, probe, when), _SMALL, _GREY)
    page.down(_GUTTER)
    _probe(page, answer)
    page.down(_GUTTER)
    page.banner(LEAD)
    page.down(_GUTTER)
    hits = list(zip(answer.hits, pictures, strict=True))
    for start in range(0, len(hits), ACROSS):
        _row(page, hits[start : start + ACROSS])
        page.down(_GUTTER)
    return page.finish()


def _facts(answer: Answer, gallery: str, probe: str, when: str) -> str:
    photos = f"{answer.size:,} photo{'' if answer.size == 1 else 's'}"
    return f"{probe} in {gallery} (version {answer.version}, {photos}), route {answer.route}, {when}"


def _probe(page: _Page, answer: Answer) -> None:
    """Draw the sketch, the photo made of it, and right of them the verdict and where the person may be."""
    top, probe = page.y, answer.probe
    for column, (picture, words) in enumerate(
        ((probe.framed, "the sketch"), (probe.translated, "made of it by a model,\nno photo of anybody"))
    ):
        left = page.column(column)
        page.picture(picture, left, top)
        page.y = top + CELL[1] + 8
        for line in words.split("\n"):
            page.text(line, _SMALL, _GREY, left=left, width=CELL[0])
    bottom, left = page.y, page.column(2)
    page.y = top - 6  # the letters' own room above them
    page.text(answer.verdict, _LARGE, bold=True, left=left)
    page.down(_GUTTER // 2)
    if answer.absent is not None and answer.elsewhere is not None:
        _whereabouts(page, answer.absent, answer.elsewhere, left)
    if answer.notice:
        page.down(10)
        page.text(answer.notice, _SMALL, _GREY, left=left)
    page.y = max(page.y, bottom)


def _whereabouts(page: _Page, absent: float, elsewhere: float, left: int) -> None:
    """Draw the three chances, which add up to one, as a bar and its legend."""
    among = max(0.0, 1.0 - absent - elsewhere)
    shares = (
        (among, _HITS, "among these hits"),
        (elsewhere, _ELSEWHERE, "someone else in the gallery"),
        (absent, _ABSENT, "not in this gallery"),
    )
    start, right = float(left), _WIDTH - _MARGIN
    for share, colour, _ in shares:
        end = start + share * (right - left)
        page.fill((round(start), page.y, round(end), page.y + _BAR), colour)
        start = end
    page.down(_BAR + 14)
    for share, colour, words in shares:
        page.fill((left, page.y + 5, left + 18, page.y + 23), colour)
        page.entry(percent(share), words, left + 32)


def _row(page: _Page, hits: Sequence[tuple[Hit, Image.Image | None]]) -> None:
    """Draw up to `ACROSS` hits; where a name takes two lines, all have room for two, so that figures stay level."""
    top = page.y
    names = [_name(hit) for hit, _ in hits]
    tallest = max(len(name) for name in names)
    for column, ((hit, picture), name) in enumerate(zip(hits, names, strict=True)):
        left = page.column(column)
        page.picture(picture, left, top)
        page.y = top + CELL[1] + 8
        for line in [*name, *[""] * (tallest - len(name))]:
            page.line(line, _TEXT, bold=True, left=left)
        if hit.chance is not None:
            page.line(f"chance {percent(hit.chance)}", _TEXT, left=left)
        page.line(f"score {hit.score:.3f}", _SMALL, _GREY, left=left)
        page.line(_file(hit), _SMALL, _GREY, left=left)


def _name(hit: Hit) -> list[str]:
    """Return place and name in at most two lines."""
    first, *rest = _wrapped(f"{hit.place}. {hit.label}", _font(_TEXT, True), CELL[0])
    return [first, " ".join(rest)] if rest else [first]


def _file(hit: Hit) -> str:
    """Return the photo's name, with the person's id before it where that is neither the label nor the photo."""
    name = hit.key.replace("\\", "/").rpartition("/")[2]
    return name if hit.person in {hit.label, hit.key} else f"{hit.person}, {name}"


@functools.cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which matplotlib brings along: it has Latin, Greek and Cyrillic letters, and a bold."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text between words into lines that are at most so wide, a word alone being cut short."""
    lines: list[str] = []
    for word in plain(text).split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [_cut(line, font, width) for line in lines]


def _cut(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return one line that fits, with a … in the middle where it does not: the ends of names tell them apart."""
    short = text = plain(text)
    kept = len(text)
    while font.getlength(short) > width and kept > 2:
        kept -= 1
        short = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    return short


class _Page:
    """A page that grows downwards; `y` is where the next thing goes."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (_WIDTH, 2400), _PAPER)
        self._pen = ImageDraw.Draw(self._image)
        self.y = _MARGIN - 12

    @staticmethod
    def column(number: int) -> int:
        """Return the left edge of a column."""
        return _MARGIN + number * (CELL[0] + _GUTTER)

    def down(self, pixels: int) -> None:
        """Leave some room."""
        self.y += pixels

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
        """Write as many lines as it takes, from `left` to the right margin or `width` pixels wide."""
        for line in _wrapped(text, _font(size, bold), width or _WIDTH - _MARGIN - left):
            self._write(line, size, colour, bold, left)

    def line(self, text: str, size: int, colour: str = _INK, *, bold: bool = False, left: int) -> None:
        """Write one line below a face, shortened where it is too long."""
        self._write(_cut(text, _font(size, bold), CELL[0]), size, colour, bold, left)

    def entry(self, figure: str, words: str, left: int) -> None:
        """Write a figure and what it means, the meanings of several below each other."""
        top = self.y
        self.line(figure, _TEXT, bold=True, left=left)
        self.y = top
        self.text(words, _TEXT, left=left + 112)

    def banner(self, text: str) -> None:
        """Write a warning across the page."""
        left, inside = _MARGIN, _WIDTH - 2 * _MARGIN - 48
        lines = _wrapped(text, _font(_TEXT, True), inside)
        height = round(len(lines) * _TEXT * _LINE) + 34
        self.fill((left, self.y, _WIDTH - _MARGIN, self.y + height), _TINT)
        self.fill((left, self.y, left + 8, self.y + height), _WARNING)
        end = self.y + height
        self.y += 14
        for line in lines:
            self._write(line, _TEXT, _WARNING, True, left + 32)
        self.y = end

    def picture(self, picture: Image.Image | None, left: int, top: int) -> None:
        """Paste a face into its cell, in proportion, with a thin edge."""
        self._reach(top + CELL[1])
        box = (left, top, left + CELL[0] - 1, top + CELL[1] - 1)
        self._pen.rectangle(box, fill=_EMPTY)
        if picture is None:
            middle = (left + CELL[0] // 2, top + CELL[1] // 2)
            self._pen.text(middle, "no picture kept", fill=_GREY, font=_font(_SMALL, False), anchor="mm")
        else:
            scale = min(CELL[0] / picture.width, CELL[1] / picture.height)
            size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            shown = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
            self._image.paste(shown, (left + (CELL[0] - size[0]) // 2, top + (CELL[1] - size[1]) // 2))
        self._pen.rectangle(box, outline=_RULE)

    def fill(self, box: Box, colour: str) -> None:
        """Fill (left, top, right, bottom), the last two beyond it; nothing where it is empty."""
        self._reach(box[3])
        if box[2] > box[0] and box[3] > box[1]:
            self._pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=colour)

    def finish(self) -> Image.Image:
        """Return the page, cut off below what stands on it."""
        return self._image.crop((0, 0, _WIDTH, self.y + _MARGIN - _GUTTER))

    def _write(self, line: str, size: int, colour: str, bold: bool, left: int) -> None:
        step = round(size * _LINE)
        self._reach(self.y + step)
        self._pen.text((left, self.y), line, fill=colour, font=_font(size, bold))
        self.y += step

    def _reach(self, bottom: int) -> None:
        """Make the page longer when it has to be."""
        if bottom + _MARGIN > self._image.height:
            longer = Image.new("RGB", (_WIDTH, 2 * (bottom + _MARGIN)), _PAPER)
            longer.paste(self._image)
            self._image, self._pen = longer, ImageDraw.Draw(longer)
