import shutil

import pytest
from pydantic import BaseModel

from packaging_assets.artifacts.step import Compute
from packaging_assets.resources.compute import InProcessCompute


class CountParams(BaseModel):
    factor: int


def count_words(inputs, params, output):
    words = (inputs["text"] / "text.txt").read_text().split()
    (output / "count.txt").write_text(str(len(words) * params.factor))


def refuse(inputs, params, output):
    (output / "half.txt").write_text("half")
    raise RuntimeError("the scales are broken")


class Text:
    """A folder as an input."""

    content_hash = "0"

    def __init__(self, path):
        self.path = path

    def open(self, scratch):
        shutil.copytree(self.path, scratch, dirs_exist_ok=True)
        return scratch


@pytest.fixture(params=[InProcessCompute])
def compute(request) -> Compute:
    return request.param()


@pytest.fixture
def folders(tmp_path):
    text, output = tmp_path / "text", tmp_path / "output"
    text.mkdir()
    output.mkdir()
    (text / "text.txt").write_text("one two three")
    return {"text": Text(text)}, output


def test_a_step_reads_its_inputs_and_params_and_writes_its_output(compute, folders, tmp_path):
    inputs, output = folders
    compute.run(count_words, inputs, CountParams(factor=2), output, scratch=tmp_path / "scratch", fingerprint="f" * 64)
    assert {path.name: path.read_text() for path in output.iterdir()} == {"count.txt": "6"}


def test_what_a_step_raises_is_raised(compute, folders, tmp_path):
    inputs, output = folders
    with pytest.raises(RuntimeError, match="the scales are broken"):
        compute.run(refuse, inputs, CountParams(factor=1), output, scratch=tmp_path / "scratch", fingerprint="f" * 64)
