from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from detection_quality import precision_and_recall
from factories import make_frame, make_stamp
from onnx import TensorProto, helper, numpy_helper

from models.detection.onnx import OnnxDetector
from pipeline.camera.detection import letterbox
from pipeline.core import Frame, LetterboxedFrame
from pipeline.core.errors import ConfigError, WeightsError

NUM_ANCHORS = 8 * 8 + 4 * 4 + 2 * 2


def make_detector(weights: Path, **changes: Any) -> OnnxDetector:
    arguments: dict[str, Any] = {
        "weights": str(weights),
        "weights_dir": None,
        "sha256": None,
        "input_hw": (64, 64),
        "person_label": None,
        "colour_order": None,
        "mean": None,
        "std": None,
        "min_score": 0.1,
        "nms_iou": 0.45,
        "device": "cpu",
        "threads": 1,
    }
    return OnnxDetector(**arguments | changes)


def make_network(path: Path, rows: dict[int, list[float]]) -> Path:
    """A network for 64x64 pixels that says the same of every picture: row number to its first values."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["table", "nothing"], ["output"]),
    ]
    return save_network(path, nodes, {"table": make_table(rows), "zero": np.zeros((), np.float32)})


def make_blue_seeker(path: Path) -> Path:
    """A network whose one score is the brightest value of its first plane, in 255ths."""
    nodes = [
        helper.make_node("Slice", ["images", "zero", "one", "one"], ["plane"]),
        helper.make_node("ReduceMax", ["plane"], ["brightest"], keepdims=0),
        helper.make_node("Div", ["brightest", "white"], ["share"]),
        helper.make_node("Mul", ["table", "share"], ["output"]),
    ]
    constants = {
        "table": make_table({9: [0, 0, 0, 0, 1, 1]}),
        "zero": np.array([0]),
        "one": np.array([1]),
        "white": np.array(255, np.float32),
    }
    return save_network(path, nodes, constants)


def make_table(rows: dict[int, list[float]]) -> np.ndarray:
    table = np.zeros((1, NUM_ANCHORS, 85), np.float32)
    for number, values in rows.items():
        table[0, number, : len(values)] = values
    return table


def save_network(path: Path, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, NUM_ANCHORS, 85])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def make_canvas(scale: float = 1.0, frame_hw: tuple[int, int] = (64, 64)) -> LetterboxedFrame:
    return LetterboxedFrame(make_stamp(), np.zeros((64, 64, 3), np.uint8), scale, frame_hw)


@pytest.mark.parametrize(
    ("row", "centre", "stride"),
    [(0, (0, 0), 8), (9, (8, 8), 8), (64 + 6, (32, 16), 16), (64 + 16 + 3, (32, 32), 32)],
    ids=["first", "stride 8", "stride 16", "stride 32"],
)
def test_a_row_is_an_offset_from_its_cell(tmp_path: Path, row: int, centre: tuple[float, float], stride: int) -> None:
    network = make_network(tmp_path / "net.onnx", {row: [0.5, 0.25, np.log(0.5), 0.0, 0.8, 0.5]})
    (found,) = make_detector(network).detect([make_canvas()])
    x, y = centre[0] + stride / 2, centre[1] + stride / 4
    expected = np.array([[x - stride / 4, y - stride / 2, x + stride / 4, y + stride / 2]])
    np.testing.assert_allclose(found.boxes_xyxy, expected.clip(0, 64), rtol=1e-5)
    np.testing.assert_allclose(found.scores, [0.4], rtol=1e-6)


def test_boxes_are_in_pixels_of_the_frame(tmp_path: Path) -> None:
    network = make_network(tmp_path / "net.onnx", {64 + 6: [0.5, 0.5, 0.0, 0.0, 1.0, 1.0]})
    (found,) = make_detector(network).detect([make_canvas(scale=0.5, frame_hw=(128, 100))])
    np.testing.assert_allclose(found.boxes_xyxy, [[64, 32, 96, 64]], rtol=1e-5)


def test_boxes_in_the_padding_go(tmp_path: Path) -> None:
    network = make_network(tmp_path / "net.onnx", {64 + 16 + 3: [0.5, 0.5, 0.0, 0.0, 1.0, 1.0]})
    assert len(make_detector(network).detect([make_canvas(frame_hw=(32, 64))])[0]) == 0


def test_frames_come_in_rgb_and_the_network_sees_bgr(tmp_path: Path) -> None:
    detector = make_detector(make_blue_seeker(tmp_path / "net.onnx"))
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 2] = 255
    blue, red = Frame(make_stamp(), image), Frame(make_stamp(), image[..., ::-1].copy())
    found = detector.detect([letterbox(frame, (64, 64)) for frame in (blue, red)])
    assert [len(one) for one in found] == [1, 0]


def test_only_people_count(tmp_path: Path) -> None:
    bicycle = [0.5, 0.5, 0.0, 0.0, 1.0, 0.05, 0.9]
    assert len(make_detector(make_network(tmp_path / "n.onnx", {3: bicycle})).detect([make_canvas()])[0]) == 0


def test_of_two_boxes_on_one_person_the_better_stays(tmp_path: Path) -> None:
    rows = {9: [0.5, 0.5, 1.0, 1.0, 0.9, 0.5], 10: [-0.5, 0.5, 1.0, 1.0, 0.9, 0.9]}
    (found,) = make_detector(make_network(tmp_path / "net.onnx", rows)).detect([make_canvas()])
    np.testing.assert_allclose(found.scores, [0.81], rtol=1e-6)


def test_a_network_for_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"set .detector\.input_hw="):
        make_detector(make_network(tmp_path / "net.onnx", {}), input_hw=(96, 64))


def make_answering_network(path: Path, answer: np.ndarray, dtype: int = TensorProto.FLOAT) -> Path:
    """A network for 64x64 pixels that says the same of every picture: this."""
    nodes = [
        helper.make_node("Cast", ["images"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["table", "nothing"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", dtype, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, answer.shape)],
        [numpy_helper.from_array(answer, "table"), numpy_helper.from_array(np.zeros((), np.float32), "zero")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_a_network_that_takes_whole_numbers_is_refused_for_them(tmp_path: Path) -> None:
    network = make_answering_network(tmp_path / "net.onnx", make_table({}), TensorProto.UINT8)
    with pytest.raises(WeightsError, match=r"got images uint8 \(1, 3, 64, 64\); export it with an input of float32"):
        make_detector(network)


@pytest.mark.parametrize("rows", [84, 4 + 1], ids=str)
def test_boxes_in_shares_where_pixels_are_usual_are_refused(tmp_path: Path, rows: int) -> None:
    columns = np.full((1, rows, NUM_ANCHORS), 0.5, np.float32)
    network = make_answering_network(tmp_path / "net.onnx", columns)
    with pytest.raises(WeightsError, match=r"expected boxes in pixels of the input.*; export it with boxes in pixels"):
        make_detector(network)


def test_a_folder_with_the_name_of_a_network_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(WeightsError, match=r"net\.onnx: expected a file with weights, got a folder; name the file"):
        make_detector(tmp_path / "net.onnx")


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_text("not a network")
    with pytest.raises(WeightsError, match=r"net\.onnx: expected a network"):
        make_detector(tmp_path / "net.onnx")


@pytest.mark.parametrize("change", [{"device": "tpu"}, {"threads": 0}], ids=str)
def test_what_cannot_be_computed_with_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        make_detector(make_network(tmp_path / "net.onnx", {}), **change)


def make_selecting_network(path: Path, *, dtype: int = TensorProto.FLOAT, names: str | None = None) -> Path:
    """A network of D-FINE's kind: one person whose box ends where the size that it is told ends."""
    sizes = helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2])
    nodes = [
        helper.make_node("Cast", ["orig_target_sizes"], ["ends"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["starts", "ends"], ["joined"], axis=1),
        helper.make_node("Unsqueeze", ["joined", "axis"], ["boxes"]),
        helper.make_node("ReduceMax", ["images"], ["brightest"], keepdims=0),
        helper.make_node("Cast", ["brightest"], ["light"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["light", "ones"], ["scores"]),
        helper.make_node("Identity", ["persons"], ["labels"]),
    ]
    constants = {
        "starts": np.array([[8, 16]], np.float32),
        "axis": np.array([1]),
        "ones": np.ones((1, 1), np.float32),
        "persons": np.array([[3]]),
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", dtype, [1, 3, 64, 64]), sizes],
        [
            helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 1]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 1, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if names is not None:
        helper.set_model_props(model, {"names": names})
    onnx.save(model, path)
    return path


WHITE = LetterboxedFrame(make_stamp(), np.full((64, 64, 3), 255, np.uint8), 1.0, (64, 64))


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16], ids=["float32", "float16"])
def test_a_network_that_wants_the_size_of_the_picture_is_told_it(tmp_path: Path, dtype: int) -> None:
    detector = make_detector(make_selecting_network(tmp_path / "net.onnx", dtype=dtype), person_label=3)
    (found,) = detector.detect([WHITE])
    np.testing.assert_array_equal(found.boxes_xyxy, [[8, 16, 64, 64]])
    # Its kind takes colours from 0 to 1; at 0 to 255 the score would be 255.
    np.testing.assert_allclose(found.scores, [1.0])


@pytest.mark.parametrize("name", ["person", "Pedestrian"])
def test_the_class_of_people_is_read_from_the_file(tmp_path: Path, name: str) -> None:
    network = make_selecting_network(tmp_path / "net.onnx", names=str({0: "car", 3: name}))
    assert len(make_detector(network).detect([WHITE])[0]) == 1


def test_without_names_the_usual_class_counts(tmp_path: Path) -> None:
    assert len(make_detector(make_selecting_network(tmp_path / "net.onnx")).detect([WHITE])[0]) == 0


def test_a_class_that_the_file_does_not_name_is_refused(tmp_path: Path) -> None:
    network = make_selecting_network(tmp_path / "net.onnx", names=str({0: "car", 3: "person"}))
    with pytest.raises(ConfigError, match="person_label"):
        make_detector(network, person_label=1)


def test_a_file_whose_classes_are_no_people_is_refused_until_one_is_chosen(tmp_path: Path) -> None:
    network = make_selecting_network(tmp_path / "net.onnx", names=str({0: "cat", 3: "walker"}))
    with pytest.raises(ConfigError, match=r"detector\.person_label: .*'cat', 3: 'walker'"):
        make_detector(network)
    assert len(make_detector(network, person_label=3).detect([WHITE])[0]) == 1


@pytest.mark.parametrize("name", ["{}", "class{}"])
def test_names_that_are_only_numbers_say_nothing(tmp_path: Path, name: str) -> None:
    names = str({number: name.format(number) for number in range(4)})
    network = make_selecting_network(tmp_path / "net.onnx", names=names)
    assert len(make_detector(network).detect([WHITE])[0]) == 0
    assert len(make_detector(network, person_label=3).detect([WHITE])[0]) == 1


def test_a_network_that_answers_with_no_numbers_is_refused(tmp_path: Path) -> None:
    network = make_network(tmp_path / "net.onnx", {0: [np.nan] * 85})
    with pytest.raises(WeightsError, match="got NaN or infinity"):
        make_detector(network)


def test_colours_of_ones_own_take_the_place_of_the_usual_ones(tmp_path: Path) -> None:
    detector = make_detector(make_blue_seeker(tmp_path / "net.onnx"), colour_order="rgb")
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0] = 255
    assert len(detector.detect([letterbox(Frame(make_stamp(), image), (64, 64))])[0]) == 1


def test_a_network_of_no_known_head_is_refused_with_what_it_gives(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["images"], ["output"], axes=[2, 3], keepdims=0)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "n.onnx")
    with pytest.raises(WeightsError, match=r"got output \(1, 3\)"):
        make_detector(tmp_path / "n.onnx")


@pytest.mark.parametrize("std", [(1, 1, 1), (255, 255, 255)], ids=str)
def test_pixels_of_the_wrong_range_are_noticed_before_the_run(
    std: tuple[float, ...], caplog: pytest.LogCaptureFixture
) -> None:
    make_detector(Path("passerby_detector.onnx"), input_hw=(384, 640), std=std)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == (std != (1, 1, 1))
    assert all("'detector.std=[1, 1, 1]'" in warning for warning in warnings)


@pytest.mark.shared
def test_the_number_of_threads_changes_nothing(shared: Path) -> None:
    weights = shared / "models" / "opencv_zoo_yolox_nano.onnx"
    frame = letterbox(make_frame(hw=(300, 500)), (416, 416))
    one, two = (
        make_detector(weights, input_hw=(416, 416), min_score=0.001, threads=threads).detect([frame])[0]
        for threads in (1, 2)
    )
    assert len(one) > 0
    np.testing.assert_array_equal(one.boxes_xyxy, two.boxes_xyxy)
    np.testing.assert_array_equal(one.scores, two.scores)


@pytest.mark.shared
@pytest.mark.slow
def test_it_is_as_good_as_its_reference_on_real_footage(shared: Path) -> None:
    weights = shared / "models" / "opencv_zoo_yolox_nano.onnx"
    precision, recall = precision_and_recall(make_detector(weights, input_hw=(416, 416), threads=2), shared)
    # The reference measured .784 and .901.
    assert precision == pytest.approx(0.784, abs=0.01)
    assert recall == pytest.approx(0.901, abs=0.01)
