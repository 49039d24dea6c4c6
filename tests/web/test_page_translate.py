"""The page of `facesketch serve` in a real browser: pictures in, pictures out."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from tests.web.conftest import Held, NewPage, Save, Serve

from facesketch.serve.settings import Limits

_INPUT = "#translate-intake input[type=file]"
_PIXELS = """async image => {
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight), paint = canvas.getContext('2d');
    paint.drawImage(image, 0, 0);
    const data = paint.getImageData(0, 0, canvas.width, canvas.height).data;
    return [canvas.width, canvas.height, Math.round(data.reduce((sum, each) => sum + each, 0) / data.length)];
}"""


def _done(page: Page) -> None:
    expect(page.locator(".slider input")).to_be_attached()
    expect(page.locator("#stage")).to_have_attribute("aria-busy", "false")


def _result(page: Page) -> Locator:
    return page.locator(".slider:not(.waiting) img").first


def _changed(page: Page, before: str | None) -> str:
    """Wait until another result is shown than before, and return its source."""
    expect(_result(page)).not_to_have_attribute("src", before or "")
    _done(page)
    return _result(page).get_attribute("src") or ""


def _pixels(image: Locator) -> list[int]:
    """Return the size and the mean grey of an image of the page."""
    return image.evaluate(_PIXELS)


def _heading(page: Page, words: str) -> None:
    expect(page.locator("#translate-side h2")).to_have_text(words)


def _together(portraits: Path, path: Path, numbers: tuple[int, ...]) -> Path:
    """Write a picture with several faces beside each other, the first of them the largest."""
    group = Image.new("RGB", (257 * len(numbers), 256), "white")
    for place, number in enumerate(numbers):
        with Image.open(portraits / "photos" / f"face-000{number}.png") as photo:
            group.paste(photo.resize((256 - 20 * place,) * 2), (257 * place, 0))
    group.save(path)
    return path


def test_one_click_shows_what_it_does(page: Page) -> None:
    expect(page.locator(".example img")).to_have_js_property("naturalWidth", 320)
    page.get_by_role("button", name="Try this face").click()
    _done(page)
    _heading(page, "Sketch from a photo")
    before, after = _pixels(page.locator(".slider .before")), _pixels(_result(page))
    assert before[:2] == after[:2]
    assert after[2] > before[2] + 20, "a sketch is lighter than its photo"


def test_a_sketch_becomes_a_photo_unless_told_otherwise(page: Page, portraits: Path) -> None:
    page.set_input_files(_INPUT, portraits / "sketches" / "face-0001.png")
    _heading(page, "Photo from a sketch")
    page.get_by_label("To sketch").check()
    _heading(page, "Sketch from a photo")


def test_a_photo_does_not_take_over_the_style_of_sketches(page: Page, portraits: Path) -> None:
    page.set_input_files(_INPUT, portraits / "sketches" / "face-0001.png")
    _heading(page, "Photo from a sketch")
    page.get_by_label("To photo").check()
    expect(page.locator(".look[aria-pressed=true]").first).to_have_text("Natural")


def test_a_picture_that_is_given_before_the_server_answers_is_framed(
    new_page: NewPage, everything: str, portraits: Path
) -> None:
    page = new_page()
    held = Held(page, "**/v1/models")
    page.goto(everything)
    held.wait(1)
    with page.expect_request("**/v1/translate") as asked:
        page.set_input_files(_INPUT, portraits / "photos" / "face-0001.png")
    sent = asked.value.post_data_buffer or b""
    assert b"face-0001.png" in sent
    assert b'name="align"' not in sent
    held.let_go(0)
    _done(page)


def test_an_example_that_comes_late_does_not_replace_a_picture(page: Page, portraits: Path) -> None:
    held = Held(page, "**/page/astronaut.jpg")
    page.get_by_role("button", name="Try this face").click()
    held.wait(1)
    page.set_input_files(_INPUT, portraits / "photos" / "face-0001.png")
    _done(page)
    held.let_go(0)
    expect(page.locator(".film")).to_have_count(1)
    expect(page.locator("#translate-side")).to_contain_text("face-0001.png")


def test_the_slider_follows_the_mouse_and_the_keys(page: Page, portraits: Path) -> None:
    page.set_input_files(_INPUT, portraits / "photos" / "face-0001.png")
    _done(page)
    slider = page.locator(".slider input")
    box = slider.bounding_box()
    down, *moves = ((box["x"] + box["width"] * share, box["y"] + box["height"] / 2) for share in (0.5, 0.4, 0.25))
    page.mouse.move(*down)
    page.mouse.down()
    for point in moves:
        page.mouse.move(*point)
    page.mouse.up()
    value = int(slider.input_value())
    assert abs(value - 25) <= 2
    expect(page.locator(".slider .before")).to_have_css("clip-path", f"inset(0px {100 - value}% 0px 0px)")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", f"{value + 1} % photo, {99 - value} % sketch")


def test_other_models_and_styles_draw_differently(page: Page, portraits: Path) -> None:
    page.set_input_files(_INPUT, portraits / "photos" / "face-0002.png")
    extent = page.get_by_label("What to draw")
    results = [_changed(page, None)]
    expect(extent.locator("option")).to_have_count(4)
    page.locator(".look[value=fs2k-1]").click()
    results.append(_changed(page, results[-1]))
    page.locator("#translate").get_by_label("Model").select_option("pencil")
    results.append(_changed(page, results[-1]))
    assert len(set(results)) == 3
    expect(extent).to_be_hidden()  # it looks for no faces


def test_several_at_once_become_one_zip(
    page: Page, portraits: Path, tmp_path: Path, saved: Save, complaints: list[str]
) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"not a picture")
    photos = sorted((portraits / "photos").iterdir())[:3]
    page.set_input_files(_INPUT, [*photos, damaged])
    expect(page.locator(".film.done")).to_have_count(3)
    expect(page.locator("#films-words")).to_have_text("All 4 finished: 3 ready, 1 not translated")
    packed = saved(page.locator("#save-zip"))
    assert packed.name == "facesketch.zip"
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{photo.stem}-sketch.png" for photo in photos]
        for name in archive.namelist():
            with archive.open(name) as file, Image.open(file) as image:
                assert min(image.size) >= 256
    page.locator(".film.failed").click()
    alert = page.locator("#stage").get_by_role("alert")
    expect(alert).to_contain_text("picture")
    expect(alert).not_to_contain_text("415")
    complaints.clear()


def test_a_result_is_saved_alone_and_beside_its_original(page: Page, portraits: Path, saved: Save) -> None:
    page.set_input_files(_INPUT, portraits / "photos" / "face-0003.png")
    _done(page)
    files = [saved(page.locator(button)) for button in ("#save", "#save-both")]
    assert [path.name for path in files] == ["face-0003-sketch.png", "face-0003-both.png"]
    with Image.open(files[0]) as alone, Image.open(files[1]) as both:
        assert both.size == (2 * alone.width, alone.height)
        photo, sketch = (sum(both.convert("RGB").resize((2, 1)).getpixel((side, 0))) for side in (0, 1))
        assert sketch > photo + 60, "the sketch is on the right, and lighter"


def test_a_result_is_copied(new_page: NewPage, everything: str, portraits: Path) -> None:
    page = new_page(everything, permissions=["clipboard-read", "clipboard-write"])
    page.set_input_files(_INPUT, portraits / "photos" / "face-0003.png")
    _done(page)
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copied")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.read().then(items => items[0].types)") == ["image/png"]


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_pictures_are_pasted_and_dropped_anywhere(page: Page, portraits: Path, how: str) -> None:
    path = portraits / "photos" / "face-0001.png"
    if how == "drop":
        page.locator("body").drop({"files": path})
    else:
        page.evaluate(
            """([name, bytes]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
                document.body.dispatchEvent(new ClipboardEvent("paste", {bubbles: true, clipboardData: transfer}));
            }""",
            [path.name, list(path.read_bytes())],
        )
    _done(page)
    expect(page.locator("#translate-side")).to_contain_text("face-0001.png")
    expect(page.locator("#drop-veil")).to_be_hidden()


def test_a_picture_is_taken_with_the_camera(new_page: NewPage, everything: str) -> None:
    page = new_page(everything, permissions=["camera"])
    page.locator("#translate-intake").get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("button", name="Take the picture")).to_be_focused()
    expect(page.locator("dialog video")).not_to_have_js_property("videoWidth", 0)
    page.keyboard.press("Enter")
    expect(page.locator("#translate-side")).to_contain_text("camera.jpg")
    expect(page.locator("dialog")).to_have_count(0)


def test_what_goes_wrong_is_said_in_plain_words_and_can_be_tried_again(
    page: Page, portraits: Path, complaints: list[str]
) -> None:
    page.context.set_offline(True)
    page.set_input_files(_INPUT, portraits / "photos" / "face-0001.png")
    expect(page.locator("#stage").get_by_role("alert")).to_contain_text("The server does not answer.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    _done(page)
    complaints.clear()


def test_a_busy_server_is_waited_for(new_page: NewPage, serving: Serve, portraits: Path, complaints: list[str]) -> None:
    page = new_page(serving(limits=Limits(queue=1)))
    page.set_input_files(_INPUT, sorted((portraits / "photos").iterdir()))
    expect(page.locator(".film.done")).to_have_count(4)
    assert any("429" in each for each in complaints), "it was never busy, so nothing was shown"
    complaints.clear()


def test_a_token_is_asked_for_until_it_is_right(new_page: NewPage, serving: Serve, complaints: list[str]) -> None:
    page, url = new_page(), serving(token="open-sesame")
    page.goto(url)
    dialog, ready = page.get_by_role("dialog"), page.locator("html[data-ready=true]")
    expect(dialog).to_be_visible()
    page.keyboard.type("please")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("not accepted")
    page.keyboard.type("open-sesame")
    page.keyboard.press("Enter")
    expect(ready).to_be_attached()
    page.goto(url)
    expect(ready).to_be_attached()
    expect(dialog).to_have_count(0)  # it is kept until the window is closed
    complaints.clear()


def test_without_a_token_the_page_says_what_to_do(new_page: NewPage, serving: Serve, complaints: list[str]) -> None:
    page = new_page()
    page.goto(serving(token="open-sesame"))
    page.keyboard.type("“open–sesame”")  # as a chat program writes it
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Not now").click()
    expect(page.locator("#connect-error")).to_contain_text("Reload the page and enter the token.")
    complaints.clear()


def test_other_programs_can_read_the_zip(page: Page, tmp_path: Path) -> None:
    code = """async () => {
        const {zip} = await import("./page/zip.js");
        const file = (name, text) => ({name, blob: new Blob([text])});
        const packed = await zip([file("é.txt", "one"), file("É.txt", ""), file("b.txt", "three".repeat(999))]);
        return [...new Uint8Array(await packed.arrayBuffer())];
    }"""
    path = tmp_path / "made.zip"
    path.write_bytes(bytes(page.evaluate(code)))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            "é.txt": "one",
            "É-2.txt": "",
            "b.txt": "three" * 999,
        }


def test_a_file_that_is_too_large_is_not_sent(new_page: NewPage, serving: Serve, portraits: Path) -> None:
    page = new_page(serving(limits=Limits(upload=20 << 10)))
    held = Held(page, "**/v1/translate")
    page.set_input_files(_INPUT, portraits / "photos" / "face-0001.png")
    expect(page.locator("#stage").get_by_role("alert")).to_contain_text("this server takes at most 20 kB")
    assert held.routes == []


def test_another_face_of_the_same_picture_is_drawn(page: Page, portraits: Path, tmp_path: Path) -> None:
    page.set_input_files(_INPUT, _together(portraits, tmp_path / "two.png", (1, 2)))
    first = _changed(page, None)
    face = page.locator("#translate-face")
    expect(face.locator("option")).to_have_count(2)
    face.select_option("2")
    _changed(page, first)
    expect(face).to_have_value("2")


def test_more_than_the_face_is_drawn_on_request(page: Page) -> None:
    page.get_by_role("button", name="Try this face").click()
    result = _changed(page, None)
    sizes = [_pixels(_result(page))[:2]]
    for value in ("wide", "whole", "as-is"):
        page.get_by_label("What to draw").select_option(value)
        result = _changed(page, result)
        sizes.append(_pixels(_result(page))[:2])
    assert sizes == [[400, 500], [800, 1000], [320, 320], [320, 320]]
    page.get_by_label("Finer lines").check()
    _changed(page, result)


def test_the_size_is_chosen_where_there_are_several(page: Page, portraits: Path) -> None:
    size = page.get_by_label("Size")
    page.set_input_files(_INPUT, portraits / "photos" / "face-0002.png")
    result = _changed(page, None)
    expect(size.locator("option")).to_have_count(3)
    size.select_option("200x250")
    result = _changed(page, result)
    assert _pixels(_result(page))[:2] == [200, 250]
    page.get_by_label("What to draw").select_option("wide")
    _changed(page, result)
    expect(size).to_be_hidden()
    page.get_by_label("What to draw").select_option("face")
    page.get_by_label("To photo").check()
    _heading(page, "Photo from a sketch")
    before = _result(page).get_attribute("src")
    size.select_option("400x500")
    _changed(page, before)
    assert _pixels(_result(page))[:2] == [400, 500]


def test_every_face_of_a_group_is_drawn(page: Page, portraits: Path, tmp_path: Path) -> None:
    page.set_input_files(_INPUT, _together(portraits, tmp_path / "group.png", (1, 2, 3)))
    every, films = page.get_by_role("button", name="Draw every face"), page.locator(".film.done")
    every.click()
    expect(films).to_have_count(3)
    expect(every).to_be_hidden()  # all are drawn
    assert len(set(films.locator("img:last-child").evaluate_all("all => all.map(each => each.src)"))) == 3
    assert films.locator(".name").all_inner_texts() == ["group.png", "group face 2.png", "group face 3.png"]


def test_a_result_is_shared_where_the_system_can(new_page: NewPage, everything: str, portraits: Path) -> None:
    page = new_page()
    page.add_init_script(
        "navigator.canShare = () => true; navigator.share = async ({files}) => { window.shared = files; }"
    )
    page.goto(everything)
    page.set_input_files(_INPUT, portraits / "photos" / "face-0003.png")
    _done(page)
    page.get_by_role("button", name="Share").click()
    name, kind, size = page.evaluate("[shared[0].name, shared[0].type, shared[0].size]")
    assert (name, kind) == ("face-0003-sketch.png", "image/png")
    assert size > 1000


def test_the_result_is_printed_without_what_surrounds_it(page: Page, portraits: Path) -> None:
    page.evaluate("window.print = () => { window.printed = true; }")
    page.set_input_files(_INPUT, portraits / "photos" / "face-0003.png")
    _done(page)
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed")
    page.emulate_media(media="print", color_scheme="dark")
    seen = page.locator("img, h2, button, nav, select, .foot").filter(visible=True)
    assert seen.evaluate_all("all => all.map(each => each.tagName)") == ["IMG", "H2"]
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")


def test_the_focus_stays_where_another_face_is_chosen(page: Page, portraits: Path, tmp_path: Path) -> None:
    held, face = Held(page, "**/v1/translate", "face-"), page.locator("#translate-face")
    page.set_input_files(_INPUT, _together(portraits, tmp_path / "face-two.png", (1, 2)))
    held.wait(1)
    expect(face).to_be_hidden()
    held.let_go(0)
    face.focus()
    page.keyboard.press("ArrowDown")
    held.wait(2)
    expect(face).to_be_focused()
    held.let_go(1)
    _done(page)
    expect(face).to_be_focused()
    expect(face).to_have_value("2")
    page.set_input_files("#translate-side input[type=file]", portraits / "photos" / "face-0002.png")
    held.wait(3)
    expect(face).to_be_hidden()  # nothing is known of this one
    held.let_go(2)
