"""The page of `facesketch serve` in a real browser: pictures in, pictures out."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from facesketch.serve.settings import Limits

_INPUT = "#translate-intake input[type=file]"
_SLIDER = ".slider input[type=range]"
_DONE = f"document.querySelector('{_SLIDER}') && document.querySelector('#stage').getAttribute('aria-busy') === 'false'"


def _heading(page: Any) -> str:
    return page.get("document.querySelector('#translate-side h2').textContent")


def _pixels(page: Any, selector: str) -> list[int]:
    """Return the size and the mean grey of an image of the page."""
    code = """(async image => {
        await image.decode();
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight), paint = canvas.getContext('2d');
        paint.drawImage(image, 0, 0);
        const data = paint.getImageData(0, 0, canvas.width, canvas.height).data;
        return [canvas.width, canvas.height, Math.round(data.reduce((sum, each) => sum + each, 0) / data.length)];
    })"""
    return page.get(f"{code}(document.querySelector('{selector}'))")


def _give(page: Any, how: str, path: Path) -> None:
    """Drop or paste a picture, as a browser would."""
    letters = json.dumps(list(path.read_bytes()))
    page.get(
        f"""(() => {{
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array({letters})], "{path.name}", {{type: "image/png"}}));
            const options = {{bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer}};
            if ("{how}" === "paste") document.body.dispatchEvent(new ClipboardEvent("paste", options));
            else for (const name of ["dragenter", "dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(name, options));
        }})()"""
    )


def test_one_click_shows_what_it_does(page: Any, everything: str) -> None:
    page.wait("document.querySelector('.example img').naturalWidth === 320")
    page.click("#example-start")
    page.wait(_DONE)
    assert _heading(page) == "Sketch from a photo"
    before, after = _pixels(page, ".slider .before"), _pixels(page, ".slider img")
    assert before[:2] == after[:2]
    assert after[2] > before[2] + 20, "a sketch is lighter than its photo"
    assert page.complaints == []
    hosts = {urlsplit(url).netloc for url in page.requests if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(everything).netloc}


def test_a_sketch_becomes_a_photo_unless_told_otherwise(page: Any, portraits: Path) -> None:
    page.files(_INPUT, next((portraits / "sketches").iterdir()))
    page.wait(_DONE)
    assert _heading(page) == "Photo from a sketch"
    page.get("document.querySelector('input[name=translate-direction][value=photo2sketch]').click()")
    page.wait("document.querySelector('#translate-side h2').textContent === 'Sketch from a photo'")


def test_the_slider_follows_the_mouse_and_the_keys(page: Any, portraits: Path) -> None:
    page.files(_INPUT, portraits / "photos" / "face-0001.png")
    page.wait(_DONE)
    left, top, width, height = page.place(_SLIDER)
    page.drag([(left + width * share, top + height / 2) for share in (0.5, 0.4, 0.25)])
    value = page.get(f"Number(document.querySelector('{_SLIDER}').value)")
    assert abs(value - 25) <= 2
    clip = page.get("getComputedStyle(document.querySelector('.slider .before')).clipPath")
    assert clip == f"inset(0px {100 - value}% 0px 0px)"
    page.press("ArrowRight")
    told = page.get(f"document.querySelector('{_SLIDER}').getAttribute('aria-valuetext')")
    assert told == f"{value + 1} % photo, {99 - value} % sketch"


def test_other_models_and_styles_draw_otherwise(page: Any, portraits: Path) -> None:
    page.files(_INPUT, portraits / "photos" / "face-0002.png")
    page.wait(_DONE)
    results = [page.get("document.querySelector('.slider img').src")]
    model = "document.querySelector('#translate .choices select')"
    assert page.get("document.getElementById('translate-extent').options.length") == 4
    for change in (
        "document.querySelector('.look[value=fs2k-1]').click()",
        f"{model}.value = 'pencil'; {model}.dispatchEvent(new Event('change'))",
    ):
        page.get(change)
        page.wait(f"document.querySelector('.slider:not(.waiting) img')?.src !== {json.dumps(results[-1])} && {_DONE}")
        results.append(page.get("document.querySelector('.slider img').src"))
    assert len(set(results)) == 3
    assert not page.get("document.getElementById('translate-extent').checkVisibility()"), "it looks for no faces"


def test_several_at_once_become_one_zip(page: Any, portraits: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"not a picture")
    photos = sorted((portraits / "photos").iterdir())[:3]
    page.keep_downloads(tmp_path / "downloads")
    page.files(_INPUT, *photos, torn)
    page.wait("document.querySelectorAll('.film.done').length === 3 && document.querySelector('.film.failed')")
    assert page.get("document.getElementById('films-words').textContent") == (
        "All 4 finished: 3 ready, 1 not translated"
    )
    page.click("#save-zip")
    with zipfile.ZipFile(page.downloaded("facesketch.zip")) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{photo.stem}-sketch.png" for photo in photos]
        for name in archive.namelist():
            with archive.open(name) as file, Image.open(file) as image:
                assert image.size >= (256, 256)
    page.click(".film.failed")
    page.wait("document.querySelector('#stage [role=alert]')")
    words = page.get("document.querySelector('#stage [role=alert]').innerText")
    assert "picture" in words
    assert "415" not in words


def test_a_result_is_saved_alone_and_beside_its_original(page: Any, portraits: Path, tmp_path: Path) -> None:
    page.keep_downloads(tmp_path / "downloads")
    page.files(_INPUT, portraits / "photos" / "face-0003.png")
    page.wait(_DONE)
    page.click("#save")
    page.click("#save-both")
    with (
        Image.open(page.downloaded("face-0003-sketch.png")) as alone,
        Image.open(page.downloaded("face-0003-both.png")) as both,
    ):
        assert both.size == (2 * alone.width, alone.height)
        photo, sketch = (sum(both.convert("RGB").resize((2, 1)).getpixel((side, 0))) for side in (0, 1))
        assert sketch > photo + 60, "the sketch is on the right, and lighter"


def test_a_result_is_copied(page: Any, portraits: Path) -> None:
    grants = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    page.call("Browser.grantPermissions", permissions=grants, browserContextId=page.context)
    page.files(_INPUT, portraits / "photos" / "face-0003.png")
    page.wait(_DONE)
    page.click("#copy")
    page.wait("document.getElementById('copied').textContent !== ''")
    assert page.get("document.getElementById('copied').textContent") == "Copied."
    assert page.get("navigator.clipboard.read().then(items => items[0].types)") == ["image/png"]


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_pictures_are_pasted_and_dropped_anywhere(page: Any, portraits: Path, how: str) -> None:
    _give(page, how, portraits / "photos" / "face-0001.png")
    page.wait(_DONE)
    assert "face-0001.png" in page.get("document.querySelector('#translate-side').innerText")
    assert page.get("document.getElementById('drop-veil').hidden")


def test_a_picture_is_taken_with_the_camera(page: Any) -> None:
    page.get("[...document.querySelectorAll('#translate-intake button')].at(-1).click()")
    page.wait("document.querySelector('dialog video')?.videoWidth > 0")
    page.wait("document.activeElement.innerText === 'Take the picture'")
    page.press("Enter")
    page.wait("document.querySelector('#translate-side').innerText.includes('camera.jpg')")
    assert page.get("document.querySelector('dialog')") is None


def test_what_goes_wrong_is_said_in_plain_words_and_can_be_tried_again(page: Any, portraits: Path) -> None:
    values = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.call("Network.emulateNetworkConditions", offline=True, **values)
    page.files(_INPUT, portraits / "photos" / "face-0001.png")
    page.wait("document.querySelector('#stage [role=alert]')")
    assert "The server does not answer." in page.get("document.querySelector('#stage').innerText")
    page.call("Network.emulateNetworkConditions", offline=False, **values)
    page.click("#stage button")
    page.wait(_DONE)


def test_a_busy_server_is_waited_for(new_page: Callable[[], Any], serving: Callable[..., str], portraits: Path) -> None:
    page = new_page()
    page.go(serving(limits=Limits(queue=1)))
    page.files(_INPUT, *sorted((portraits / "photos").iterdir()))
    page.wait("document.querySelectorAll('.film.done').length === 4")
    assert any("429" in complaint for complaint in page.complaints), "it was never busy, so nothing was shown"


def test_a_token_is_asked_for_until_it_is_right(new_page: Callable[[], Any], serving: Callable[..., str]) -> None:
    page, url = new_page(), serving(token="open-sesame")
    page.go(url, ready="document.querySelector('dialog[open]')")
    page.write("please")
    page.press("Enter")
    page.wait("document.querySelector('dialog[open]')?.innerText.includes('not accepted')")
    page.write("open-sesame")
    page.press("Enter")
    page.wait("document.documentElement.dataset.ready === 'true'")
    page.go(url)
    assert page.get("document.querySelector('dialog')") is None, "it is kept until the window is closed"


def test_a_zip_is_made_as_others_read_it(page: Any, everything: str, tmp_path: Path) -> None:
    code = """(async () => {
        const {zip} = await import("./page/zip.js");
        const file = (name, text) => ({name, blob: new Blob([text])});
        const packed = await zip([file("é.txt", "one"), file("É.txt", ""), file("b.txt", "three".repeat(999))]);
        return [...new Uint8Array(await packed.arrayBuffer())];
    })()"""
    path = tmp_path / "made.zip"
    path.write_bytes(bytes(page.get(code)))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            "é.txt": "one",
            "É-2.txt": "",
            "b.txt": "three" * 999,
        }


def test_a_file_that_is_too_large_is_not_sent(
    new_page: Callable[[], Any], serving: Callable[..., str], portraits: Path
) -> None:
    page = new_page()
    page.go(serving(limits=Limits(upload=20 << 10)))
    page.files(_INPUT, portraits / "photos" / "face-0001.png")
    page.wait("document.querySelector('#stage [role=alert]')")
    assert "this server takes at most 20 kB" in page.get("document.querySelector('#stage').innerText")
    assert not any(url.endswith("/v1/translate") for url in page.requests)


def test_another_face_of_the_same_picture_is_drawn(page: Any, portraits: Path, tmp_path: Path) -> None:
    two = Image.new("RGB", (480, 256), "white")
    for number, size in ((1, 256), (2, 200)):
        with Image.open(portraits / "photos" / f"face-000{number}.png") as photo:
            two.paste(photo.resize((size, size)), (0 if number == 1 else 270, 0))
    two.save(tmp_path / "two.png")
    page.files(_INPUT, tmp_path / "two.png")
    page.wait(_DONE)
    first = page.get("document.querySelector('.slider .before').src")
    assert page.get("document.getElementById('translate-face').options.length") == 2
    page.get(
        "(s => { s.value = '2'; s.dispatchEvent(new Event('change')); })(document.getElementById('translate-face'))"
    )
    page.wait(f"{_DONE} && document.querySelector('.slider .before').src !== {json.dumps(first)}")
    assert page.get("document.getElementById('translate-face').value") == "2"


def test_more_than_the_face_is_drawn_on_request(page: Any, everything: str) -> None:
    page.click("#example-start")
    page.wait(_DONE)
    sizes = [_pixels(page, ".slider img")]
    for value in ("wide", "whole", "as-is"):
        before = page.get("document.querySelector('.slider img').src")
        find = "document.getElementById('translate-extent')"
        page.get(f"(s => {{ s.value = '{value}'; s.dispatchEvent(new Event('change')); }})({find})")
        page.wait(f"{_DONE} && document.querySelector('.slider img').src !== {json.dumps(before)}")
        sizes.append(_pixels(page, ".slider img"))
    assert [each[:2] for each in sizes] == [[400, 500], [800, 1000], [320, 320], [320, 320]]
    before = page.get("document.querySelector('.slider img').src")
    page.click("#translate-fine")
    page.wait(f"{_DONE} && document.querySelector('.slider img').src !== {json.dumps(before)}")
    assert page.complaints == []


def test_every_face_of_a_group_is_drawn(page: Any, portraits: Path, tmp_path: Path) -> None:
    group = Image.new("RGB", (770, 256), "white")
    for number in (1, 2, 3):
        with Image.open(portraits / "photos" / f"face-000{number}.png") as photo:
            group.paste(photo, (257 * (number - 1), 0))
    group.save(tmp_path / "group.png")
    page.files(_INPUT, tmp_path / "group.png")
    page.wait(_DONE)
    page.click("#every-face")
    page.wait("document.querySelectorAll('.film.done').length === 3")
    assert not page.get("document.getElementById('every-face').checkVisibility()"), "all are drawn"
    drawn = page.get("[...document.querySelectorAll('.film .blank, .film img:last-child')].map(each => each.src)")
    assert len(set(drawn)) == 3
    names = page.get("[...document.querySelectorAll('.film .name')].map(each => each.innerText)")
    assert names == ["group.png", "group face 2.png", "group face 3.png"]
    assert page.complaints == []


def test_a_result_is_shared_where_the_system_can(new_page: Callable[[], Any], everything: str, portraits: Path) -> None:
    page = new_page()
    source = "navigator.canShare = () => true; navigator.share = async ({files}) => { window.shared = files; };"
    page.call("Page.addScriptToEvaluateOnNewDocument", source=source)
    page.go(everything)
    page.files(_INPUT, portraits / "photos" / "face-0003.png")
    page.wait(_DONE)
    page.click("#share")
    page.wait("window.shared?.length === 1")
    assert page.get("[shared[0].name, shared[0].type]") == ["face-0003-sketch.png", "image/png"]
    assert page.get("shared[0].size") > 1000


def test_the_result_is_printed_without_what_surrounds_it(page: Any, portraits: Path) -> None:
    page.get("window.print = () => { window.printed = true; }")
    page.files(_INPUT, portraits / "photos" / "face-0003.png")
    page.wait(_DONE)
    page.click("#print")
    assert page.get("window.printed")
    page.colours("dark")
    page.call("Emulation.setEmulatedMedia", media="print")
    seen = (
        "[...document.querySelectorAll('img, h2, button, nav, select, .foot')].filter(each => each.checkVisibility())"
    )
    assert page.get(f"{seen}.map(each => each.tagName)") == ["IMG", "H2"]
    assert page.get("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_focus_stays_where_another_face_is_chosen(page: Any, portraits: Path) -> None:
    # as though there were two faces, for what finds several need not be installed
    page.get("""(() => {
        const fetched = window.fetch;
        window.fetch = async (address, options) => {
            // the previews of the styles come as face.jpg
            const sent = String(address).endsWith("/v1/translate") && options.body.get("file").name;
            if (!sent || sent === "face.jpg") return fetched(address, options);
            window.asked = options.body.get("face");
            options.body.delete("face");
            const answer = await (await fetched(address, options)).json();
            return Response.json({...answer, faces: window.asked === "2" ? 2 : window.faces});
        };
        window.faces = 2;
    })()""")
    page.hold("/v1/translate", "face-")
    page.files(_INPUT, portraits / "photos" / "face-0001.png")
    page.wait("held.length === 1")
    assert not page.get("document.getElementById('translate-face').offsetParent")
    page.let_go(0)
    page.wait(_DONE)
    page.get("document.getElementById('translate-face').focus()")
    page.press("ArrowDown")
    page.wait("held.length === 2")
    assert page.get("document.activeElement.id") == "translate-face"
    page.let_go(1)
    page.wait(_DONE)
    assert page.get("[document.activeElement.id, document.activeElement.value, asked]") == ["translate-face", "2", "2"]
    page.get("window.faces = 1")
    page.files("#translate-side input[type=file]", portraits / "photos" / "face-0002.png")
    page.wait("held.length === 3")
    assert not page.get("document.getElementById('translate-face').offsetParent"), "nothing is known of this one"
