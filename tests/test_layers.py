"""Reads every import with `ast` and holds it against the layers of the architecture."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "neurokit_fm"
PLUGIN_ROOTS = [ROOT / name for name in ("plugins", "datasets", "tokenizers")]

LAYERS = (
    ("errors",),
    ("data",),
    ("hooks", "registry", "plugins", "deprecations"),
    ("reading", "positions", "config"),
    ("contract",),
    ("batch",),
    ("tokens",),
    ("nn",),
    ("heads", "checkpoints"),
    ("model",),
    ("dataset", "windows", "splits"),
    ("fingerprint", "hub"),
    ("corpus",),
    ("evaluation",),
    ("training", "probing", "embedding", "bridge"),
    ("finetuning",),
    ("report",),
    ("benchmarking",),
    ("testing",),
    ("cli",),
)
"""Left to right: a module imports only from its own layer and from those before it."""

DEFERRED = {("model", "hub")}
"""Imports to the right that happen inside a function, each for a reason: `save_pretrained` and `push_to_hub` are methods."""

LAYER = {name: i for i, names in enumerate(LAYERS) for name in names}
NUMPY_ONLY = ("dataset", "windows", "splits")
"""To the right of `batch`, and still without torch: preparing data needs no tensor library."""

PLUGINS_MAY_IMPORT = ("errors", "nn", "data", "batch", "testing", "config", "heads", "checkpoints", "report")
"""Parts of the core a plugin may import by module; everything else through `from neurokit_fm import name`."""


def imports(path: Path, *, on_import: bool = False) -> list[tuple[str, int]]:
    """Modules a file imports at run time, as `module` or `module:name`, with line numbers; TYPE_CHECKING is exempt.

    With `on_import`, only what importing the file imports: not the imports inside functions.
    """
    found = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                visit(other)
            return
        if on_import and isinstance(node, ast.FunctionDef):
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).with_suffix("").parts[: -node.level] if node.level else ()
            module = ".".join([*package, *([node.module] if node.module else [])])
            found.extend((f"{module}:{alias.name}", node.lineno) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
    return found


def top(module: str) -> str:
    return module.partition(":")[0].partition(".")[0]


def core_part(module: str) -> str:
    """Which part of the core an import reaches: `neurokit_fm.data.series:TimeSeries` and `neurokit_fm:data` are `data`."""
    module, _, name = module.partition(":")
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else name


def files(*folders: Path) -> list[Path]:
    return sorted(file for folder in folders if folder.is_dir() for file in folder.rglob("*.py"))


def plugin_files() -> list[Path]:
    return [file for file in files(*PLUGIN_ROOTS) if "templates" not in file.parts]


def core_files() -> list[Path]:
    return [file for file in files(CORE) if "templates" not in file.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part_of(path: Path) -> str:
    return path.relative_to(CORE).with_suffix("").parts[0]


def test_every_part_of_the_core_has_a_layer() -> None:
    parts = {part_of(path) for path in core_files()} - {"__init__"}
    assert not parts - set(LAYER), "add the module to LAYERS, in its place"


@pytest.mark.parametrize("path", core_files(), ids=name_of)
def test_core_modules_import_only_from_the_left(path: Path) -> None:
    here = part_of(path)
    wrong = []
    for module, line in imports(path):
        if top(module) != "neurokit_fm":
            continue
        part = core_part(module)
        if here == "__init__":
            allowed = part == "deprecations"
        elif part in LAYER:
            allowed = LAYER[part] <= LAYER[here] or (
                (here, part) in DEFERRED and (module, line) not in imports(path, on_import=True)
            )
        else:  # a plain name of the package, such as __version__ or the package itself
            allowed = part in ("", "__version__") or public_layer(part) <= LAYER[here]
        if not allowed:
            wrong.append(f"line {line}: {here} imports {module}")
    assert not wrong


def public_layer(name: str) -> int:
    import neurokit_fm

    return LAYER[core_part(neurokit_fm._PUBLIC[name])]


@pytest.mark.parametrize("path", core_files(), ids=name_of)
def test_the_core_never_imports_a_plugin(path: Path) -> None:
    assert not [f"line {line}: {module}" for module, line in imports(path) if top(module).startswith("nkfm_")]


def without_torch(path: Path) -> bool:
    part = part_of(path)
    return part == "__init__" or LAYER.get(part, 0) < LAYER["batch"] or part in NUMPY_ONLY


@pytest.mark.parametrize("path", list(filter(without_torch, core_files())), ids=name_of)
def test_torch_starts_at_batch(path: Path) -> None:
    assert not [f"line {line}: {module}" for module, line in imports(path) if top(module) == "torch"]


def test_only_plugins_py_mentions_a_plugin_by_name() -> None:
    named = [name_of(path) for path in core_files() if mentions_plugin(path)]
    assert named == ["neurokit_fm/plugins.py"]


def mentions_plugin(path: Path) -> bool:
    """True if a string in the code is the import name of a plugin or of a part of one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return any(re.fullmatch(r"nkfm_\w+([.:]\w+)*", text) for text in strings)


@pytest.mark.parametrize("path", plugin_files(), ids=name_of)
def test_plugins_import_public_names_and_never_each_other(path: Path) -> None:
    import neurokit_fm

    own = path.relative_to(ROOT).parts[1]
    wrong = []
    for module, line in imports(path):
        if top(module).startswith("nkfm_") and top(module) != own:
            wrong.append(f"line {line}: {module}: reach another plugin's parts by registry name")
        elif top(module) == "neurokit_fm":
            source, _, name = module.partition(":")
            public = source == "neurokit_fm" and (name in neurokit_fm.__all__ or name in PLUGINS_MAY_IMPORT)
            if not public and not (source != "neurokit_fm" and core_part(module) in PLUGINS_MAY_IMPORT):
                wrong.append(f"line {line}: {module} is not public")
    assert not wrong


@pytest.mark.parametrize("path", [p for p in plugin_files() if p.name == "plugin.py"], ids=name_of)
def test_plugin_py_imports_only_the_core_and_the_standard_library(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"neurokit_fm"}
    wrong = [(module, line) for module, line in imports(path, on_import=True) if top(module) not in allowed]
    own = path.parent.name  # a hook that answers may import its own package when it is asked
    wrong += [(module, line) for module, line in imports(path) if top(module) not in allowed | {own}]
    assert not wrong


def test_the_architecture_page_holds_the_same_table() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = [tuple(re.findall(r"`(\w+)`", line)) for line in re.findall(r"^\d+\. (`.*)$", text, re.MULTILINE)]
    assert shown == list(LAYERS)
    assert f"its parts {', '.join(f'`{name}`' for name in PLUGINS_MAY_IMPORT)}," in text.replace("\n", " ")
