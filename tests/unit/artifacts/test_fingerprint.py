import ast
import gc
import hashlib
import importlib
import importlib.metadata
import json
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel

from packaging_assets.artifacts import fingerprint
from packaging_assets.artifacts.fingerprint import FingerprintError, FingerprintParts, code_hash, fingerprint_parts
from packaging_assets.domain.splits import split

STEP = '''"""The step."""
import json
from toolbox.shapes import area
def step(inputs, params, output):
    """Write the area."""
    from toolbox import late  # found at any depth
    (output / "area.json").write_text(json.dumps(area(2) + late.OFFSET))
'''


class AreaParams(BaseModel):
    side_cm: float = 2.0


@pytest.fixture
def toolbox(tmp_path, monkeypatch):
    """A package of a user's own; call it with (module, source) to write one and forget what this process knows."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(module, source):
        path = tmp_path / "toolbox" / f"{module}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
        importlib.invalidate_caches()
        fingerprint._code_hash.cache_clear()
        fingerprint._read.cache_clear()
        fingerprint._noted.clear()
        fingerprint._looked_at.clear()

    write("__init__", "")
    write("step", STEP)
    write("shapes", "import numpy\nfrom . import units\ndef area(side):\n    return side * side * units.CM\n")
    write("late", "OFFSET = 1\n")
    write("units", "CM = 1\n")
    write("unrelated", "X = 1\n")
    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "toolbox"]:
        del sys.modules[name]
    fingerprint._code_hash.cache_clear()
    fingerprint._read.cache_clear()


@pytest.fixture
def step(toolbox):
    return importlib.import_module("toolbox.step").step


def test_the_code_of_a_step_is_everything_it_imports_from_its_project_and_nothing_else(step):
    code = code_hash(step)
    assert list(code.modules) == ["toolbox", "toolbox.late", "toolbox.shapes", "toolbox.step", "toolbox.units"]
    assert list(code.libraries) == ["numpy", "python"]
    assert code.libraries["numpy"] == importlib.import_module("numpy").__version__


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("units", "# a remark\nCM = 1\n"),
        ("units", '"""What a centimetre is."""\n\nCM   =   (1)\n"""One."""\n'),
        ("step", STEP.replace('"""Write the area."""', '"""Write the area, in square centimetres."""')),
        ("unrelated", "X = 2\n"),
    ],
)
def test_comments_layout_docstrings_and_other_modules_do_not_count(toolbox, step, module, source):
    before = code_hash(step)
    toolbox(module, source)
    assert code_hash(step) == before


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("units", "CM = 2\n"),
        ("late", "OFFSET = 1.0\n"),
        ("__init__", "import sys\n"),
        ("step", STEP.replace("area(2)", "area(3)")),
        ("step", STEP.replace("from toolbox import late", "from toolbox import late, unrelated")),
    ],
)
def test_what_the_code_does_counts(toolbox, step, module, source):
    before = code_hash(step)
    toolbox(module, source)
    assert code_hash(step) != before


def test_a_hash_is_computed_once_per_process(step, monkeypatch):
    before = code_hash(step)
    monkeypatch.setattr(fingerprint, "_spec", None)
    assert code_hash(step) is before


def test_looking_at_a_module_does_not_import_it(toolbox, step):
    toolbox("late", "raise RuntimeError('imported')\n")
    toolbox("step", STEP.replace("from toolbox import late", "from toolbox.late import OFFSET"))
    assert "toolbox.late" in code_hash(step).modules
    assert "toolbox.late" not in sys.modules


def test_modules_found_by_name_are_added_with_all_they_import(toolbox, step):
    toolbox("network", "import sklearn\nfrom toolbox import unrelated\nclass Network: ...\n")
    plain, extended = code_hash(step), code_hash(step, ["toolbox.network:Network"])
    assert set(extended.modules) - set(plain.modules) == {"toolbox.network", "toolbox.unrelated"}
    assert set(extended.libraries) - set(plain.libraries) == {"scikit-learn"}


def test_a_module_beside_the_step_s_package_counts_by_its_code_since_no_version_stands_for_it(toolbox, step, tmp_path):
    (tmp_path / "layers.py").write_text("import scipy\nimport no_such_library, __main__\nWIDTH = 1\n")
    toolbox("network", "import layers\n")
    before = code_hash(step, ["toolbox.network"])
    assert before.modules.keys() - code_hash(step).modules.keys() == {"toolbox.network", "layers"}
    assert before.libraries.keys() - code_hash(step).libraries.keys() == {"scipy"}
    (tmp_path / "layers.py").write_text("import scipy\nimport no_such_library, __main__\nWIDTH = 2\n")
    toolbox("network", "import layers\n")  # forgets hashes
    assert code_hash(step, ["toolbox.network"]).modules["layers"] != before.modules["layers"]


def test_a_module_of_the_project_named_by_a_user_brings_the_projects_code(toolbox, step):
    code = code_hash(step, ["packaging_assets.artifacts.step"])
    assert "packaging_assets.artifacts.step" in code.modules
    assert "pydantic" not in code.libraries


def test_what_cannot_be_read_is_one_sentence(toolbox, step):
    with pytest.raises(FingerprintError, match=r"No module 'toolbox\.nowhere'.*correct the import path"):
        code_hash(step, ["toolbox.nowhere:Network"])
    toolbox("broken", "def f(:\n")
    with pytest.raises(FingerprintError, match=r"broken\.py, line 1, is not valid Python"):
        code_hash(step, ["toolbox.broken"])
    script = (
        "from packaging_assets.artifacts.fingerprint import *\n"
        "def step(inputs, params, output): ...\n"
        "try: code_hash(step)\n"
        "except FingerprintError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert told.stdout.startswith("Module '__main__' has no import path")


def test_a_compiled_module_counts_by_its_bytes_and_a_folder_without_code_as_nothing(
    toolbox, step, tmp_path, monkeypatch
):
    (tmp_path / "toolbox" / "fast.so").write_bytes(b"\x7fELF")
    (tmp_path / "toolbox" / "bare").mkdir()
    real = fingerprint.PathFinder.find_spec

    class Finder:
        @staticmethod
        def find_spec(name, path):
            if name == "toolbox.fast":
                return importlib.util.spec_from_file_location(name, tmp_path / "toolbox" / "fast.so")
            return real(name, path)

    monkeypatch.setattr(fingerprint, "PathFinder", Finder)
    modules = code_hash(step, ["toolbox.fast", "toolbox.bare"]).modules
    assert modules["toolbox.fast"] == hashlib.sha256(b"\x7fELF").hexdigest()
    assert modules["toolbox.bare"] == hashlib.sha256(b"").hexdigest()


def test_a_library_with_an_import_name_of_its_own_is_found_by_its_files(monkeypatch):
    assert dict(fingerprint._version("_pytest")) == {"pytest": importlib.import_module("pytest").__version__}
    assert fingerprint._version("json") == ()
    monkeypatch.setattr(importlib.metadata, "packages_distributions", dict)
    assert fingerprint._version("no_such_library") == ()


def test_a_module_that_no_distribution_brought_is_code_as_well(toolbox, step, tmp_path):
    (tmp_path / "beside.py").write_text("import numpy\nFACTOR = 1\n")
    toolbox("units", "import beside\nCM = beside.FACTOR\n")
    before = code_hash(step)
    assert "beside" in before.modules
    (tmp_path / "beside.py").write_text("import numpy\nFACTOR = 2\n")
    toolbox("unrelated", "")
    after = code_hash(step)
    assert [name for name in after.modules if after.modules[name] != before.modules[name]] == ["beside"]


@pytest.mark.parametrize("source", ["CM = 2\n", "CM = 1\n# a remark\n"])
def test_a_source_that_is_edited_after_it_was_loaded_stands_for_nothing(step, tmp_path, source):
    importlib.import_module("toolbox.units")
    fingerprint.note_loaded_code()
    (tmp_path / "toolbox" / "units.py").write_text(source)
    with pytest.raises(FingerprintError, match=r"units\.py was changed after this process had loaded it.*run it again"):
        code_hash(step)


def test_a_source_that_is_edited_before_it_is_loaded_or_is_loaded_again_is_what_runs(step, tmp_path):
    fingerprint.note_loaded_code()
    units = tmp_path / "toolbox" / "units.py"
    units.write_text("CM = 20\n")
    module = importlib.import_module("toolbox.units")
    fingerprint.note_loaded_code()
    units.write_text("CM = 300\n")
    importlib.reload(module)
    assert "toolbox.units" in code_hash(step).modules
    assert module.CM == 300


def test_what_is_among_the_modules_and_is_none_is_passed_over(step, monkeypatch):
    class LoadedOnUse(types.ModuleType):
        def __getattr__(self, name):
            raise RuntimeError("imported")

    late = LoadedOnUse("late")
    del late.__dict__["__spec__"]
    for name, module in {"late": late, "_cffi_lib": object(), "removed": None}.items():
        monkeypatch.setitem(sys.modules, name, module)
    fingerprint.note_loaded_code()
    assert "toolbox.step" in fingerprint._noted
    assert not {"late", "_cffi_lib", "removed"} & set(fingerprint._noted)


def test_what_was_hashed_stays_what_runs(step, tmp_path):
    before = code_hash(step)
    (tmp_path / "toolbox" / "step.py").write_text("def step(inputs, params, output): ...\n")
    assert code_hash(step) is before
    assert code_hash(step, ["toolbox.unrelated"]).modules.items() >= before.modules.items()


def test_the_fingerprint_covers_step_code_params_and_inputs(step):
    parts = fingerprint_parts(step, params=AreaParams(), inputs={"b": "2", "a": "1"})
    assert parts.step == "toolbox.step:step"
    assert parts.params == {"side_cm": 2.0}
    assert list(parts.inputs) == ["a", "b"]
    changed = [
        fingerprint_parts(step, params=AreaParams(side_cm=2.5), inputs={"a": "1", "b": "2"}),
        fingerprint_parts(step, params=AreaParams(), inputs={"a": "1", "b": "3"}),
        fingerprint_parts(step, params=AreaParams(), inputs={"a": "1", "c": "2"}),
        fingerprint_parts(step, params=AreaParams(), inputs={"a": "1", "b": "2"}, extra_modules=["toolbox.unrelated"]),
    ]
    assert len({parts.fingerprint, *(other.fingerprint for other in changed)}) == 5
    again = fingerprint_parts(step, params=AreaParams(), inputs={"a": "1", "b": "2"})
    assert again.fingerprint == parts.fingerprint


def test_the_fingerprint_is_that_of_the_canonical_json():
    parts = FingerprintParts(step="m:f", modules={"m": "1"}, libraries={"python": "3.11"}, params={"p": 0.1}, inputs={})
    canonical = b'{"inputs":{},"libraries":{"python":"3.11"},"modules":{"m":"1"},"params":{"p":0.1},"step":"m:f"}'
    assert parts.fingerprint == hashlib.sha256(canonical).hexdigest()
    assert FingerprintParts(**json.loads(canonical)) == parts


def test_threads_that_ask_at_once_get_one_answer() -> None:
    fingerprint._code_hash.cache_clear()
    fingerprint._read.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: code_hash(split), range(8)))
    assert found == [found[0]] * 8
    assert fingerprint._code_hash.cache_info().misses == 1


def test_no_tree_is_interrupted_by_the_collector_in_which_another_thread_may_make_one(step, monkeypatch):
    was_enabled = []
    parse = ast.parse
    monkeypatch.setattr(fingerprint.ast, "parse", lambda *given: was_enabled.append(gc.isenabled()) or parse(*given))

    code_hash(step)

    assert len(was_enabled) > 3
    assert not any(was_enabled)
    assert gc.isenabled()
