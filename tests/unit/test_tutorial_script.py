"""How a tutorial is read: or else a tutorial that says nothing would pass."""

import importlib.util
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "tutorials" / "tutorial_script.py"
TEXT = """# Title

File `a/b.txt`:

```json
{"x": 1}
```

```bash
cat a/b.txt
```

```text
{"x": ...}
```

```yaml
not: run
```
"""


def load():
    spec = importlib.util.spec_from_file_location("tutorial_script_under_test", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_files_are_written_commands_run_and_text_expected():
    script = load()

    blocks = script.blocks_of(TEXT)

    assert [(block.line, block.expected) for block in blocks] == [(5, ()), (9, ('{"x": ...}',))]
    assert blocks[0].shell.startswith("mkdir -p")
    assert blocks[1].shell == "cat a/b.txt\n"


def test_expected_lines_must_come_in_order_and_dots_stand_for_anything_in_a_line():
    script = load()

    assert script.first_missing(["a ...", "b"], ["a   1", "noise", "b"]) is None
    assert script.first_missing(["b", "a ..."], ["a 1", "b"]) == "a ..."
    assert script.first_missing(["a"], ["ab"]) == "a"
    assert script.first_missing(["x (y)"], ["  x    (y) "]) is None
