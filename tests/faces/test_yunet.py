"""What YuNet is, what it is shown, and that it finds the faces that OpenCV finds with it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from PIL import Image

from facesketch.data.synthetic.draw import draw_pair
from facesketch.faces.yunet import YuNet
from facesketch.weights import shipped


def test_the_file_is_the_published_one_and_has_its_licence_beside_it() -> None:
    digest = hashlib.sha256(shipped.YUNET.read_bytes()).hexdigest()
    assert digest == "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
    licence = shipped.YUNET.with_name("LICENSE-YuNet").read_text(encoding="utf-8")
    assert shipped.YUNET.name in licence
    for words in ("MIT License", "Copyright (c) 2020 Shiqi Yu <shiqi.yu@gmail.com>", "shall be included in all"):
        assert words in licence


@pytest.fixture(scope="module", params=["8 bits", "float32"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the published file, or one that keeps the same weights in float32, as the Zoo's other file does."""
    if request.param == "8 bits":
        return shipped.YUNET
    model = onnx.load(shipped.YUNET)
    tensors = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            axis, block = (
                next(each.i for each in node.attribute if each.name == name) for name in ("axis", "block_size")
            )
            values, scale, zero = (tensors[name].astype(np.float32) for name in node.input)
            scale, zero = (each.repeat(block, axis) for each in (scale, zero))
            tensors[node.output[0]] = (values - zero) * scale
        elif node.op_type == "Reshape" and node.input[0] in tensors:
            tensors[node.output[0]] = tensors[node.input[0]].reshape(tensors[node.input[1]])
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(tensors[name], name) for name in used & tensors.keys())
    path = tmp_path_factory.mktemp("yunet") / "face_detection_yunet_2023mar.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("size", [(320, 240), (333, 251), (700, 500), (64, 64), (75, 130)])
def test_faces_are_those_that_opencv_finds(file: Path, size: tuple[int, int]) -> None:
    page = Image.new("RGB", size, (200, 205, 210))
    for number, side in enumerate((60, 90, 120, 200, 60, 75)):
        face = draw_pair(np.random.default_rng(number), 128)[number % 2].convert("RGB").resize((side, side))
        page.paste(face, (140 * (number % 3) - 8, 150 * (number // 3) - 8))
    picture = np.asarray(page)
    _, expected = cv2.FaceDetectorYN.create(str(shipped.YUNET), "", size, 0.6).detect(picture[..., ::-1].copy())
    faces = YuNet(file).found(picture)
    assert faces.shape == ((0, 15) if expected is None else expected.shape)
    assert len(faces) == 0 or np.allclose(faces, expected, atol=1e-3)
    assert len(faces) > 1 or size != (700, 500)


@pytest.mark.parametrize(("size", "shown"), [((60, 300), (64, 320)), ((250, 62), (256, 64)), ((380, 320), (384, 320))])
def test_pictures_are_continued_with_black(size: tuple[int, int], shown: tuple[int, int]) -> None:
    face = draw_pair(np.random.default_rng(1), 128)[0].resize((60, 60))
    picture, whole = np.full((*size, 3), 200, np.uint8), np.zeros((*shown, 3), np.uint8)
    picture[:60, :60] = face
    whole[: size[0], : size[1]] = picture
    network = YuNet(shipped.YUNET)
    assert len(network.found(picture)) == 1
    assert np.array_equal(network.found(picture), network.found(whole))
