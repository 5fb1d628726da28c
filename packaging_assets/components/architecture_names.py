"""Whether an architecture that a model's YAML names can be there at all, found out without importing it.

Importing a learner takes seconds, and definitions are loaded for every command: a module's source tells what it
defines, and of a plain class which methods it has. What a class inherits, and whether it takes the model's parameters,
is seen when the model is trained.
"""

import ast
import importlib.util
import symtable
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path

from packaging_assets.domain.architectures import BUILT_IN, METHODS, NEEDED_EXTRAS
from packaging_assets.domain.spelling import did_you_mean

SHOWN_CLASSES = 10


def check_architecture_name(name: str) -> str:
    """`name`, if it is that of a shipped architecture, or the import path of what a module that is there defines.

    Of a module in a package, the package itself is imported: nothing else tells where its modules are.

    Raises:
        ValueError: it is neither, or the module is no Python, or its class lacks methods, or what a shipped
            architecture needs is not installed; the message names what there is.
    """
    if name in BUILT_IN:
        _check_is_installed(name)
        return name
    module, _, class_name = name.partition(":")
    if not module or not class_name.isidentifier():
        raise ValueError(no_such_architecture(name))
    found = _find(module)
    if found is None:
        raise ValueError(
            f"architecture {name!r}: there is no module {module!r} where Python looks for modules; correct the path, "
            "or install the package that it is in"
        )
    if isinstance(found.loader, SourceFileLoader) and found.origin:
        _check_defines(Path(found.origin), class_name, name)
    return name


def no_such_architecture(name: str) -> str:
    """What to say of a name that is neither a shipped architecture's nor an import path."""
    all_there_is = f"; use one of {', '.join(BUILT_IN)}, or the import path of a class, 'package.module:Class'"
    return f"there is no architecture {name!r}{did_you_mean(name, BUILT_IN) or all_there_is}"


def _check_is_installed(name: str) -> None:
    extra = NEEDED_EXTRAS.get(name)
    if extra and (missing := [module for module in extra.modules if _find(module) is None]):
        raise ValueError(
            f"architecture {name!r} needs {', '.join(missing)}, which is not installed; install the extra: "
            f"{extra.installing}"
        )


def _find(module: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):  # a package above it is not there, or it is no path of names
        return None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the package above it is code of one's own
        package = module.rpartition(".")[0]
        raise ValueError(
            f"the package {package!r} of {module!r} cannot be imported, it raises {type(error).__name__}: {error}; "
            "correct its __init__.py"
        ) from None


def _check_defines(file: Path, class_name: str, name: str) -> None:
    try:
        source = importlib.util.decode_source(file.read_bytes())
        statements = [*ast.walk(ast.parse(source, file))]
        symbols = symtable.symtable(source, str(file), "exec").get_symbols()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ValueError(f"architecture {name!r}: {file} is no Python: {error}; correct the file") from None
    names = {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
    has_more = "__getattr__" in names or any(
        isinstance(one, ast.ImportFrom) and one.names[0].name == "*" for one in statements
    )
    if class_name not in names and not has_more:
        classes = [symbol.get_name() for symbol in symbols if symbol.is_namespace() and _is_class(symbol)]
        all_there_is = f"; its classes are {', '.join(sorted(classes)[:SHOWN_CLASSES]) or 'none'}: correct the name"
        near = did_you_mean(class_name, classes) or all_there_is
        raise ValueError(f"architecture {name!r}: {file} defines no {class_name!r}{near}")
    if lacking := _lacking_methods(symbols, statements, class_name):
        raise ValueError(
            f"architecture {name!r}: the class in {file} lacks {', '.join(lacking)}; an architecture has the methods "
            f"{', '.join(METHODS)} (docs/architectures.md)"
        )


def _lacking_methods(symbols: Iterable[symtable.Symbol], statements: Iterable[ast.AST], class_name: str) -> list[str]:
    """What an architecture has and the class does not: [] where it may get methods from elsewhere."""
    symbol = next((symbol for symbol in symbols if symbol.get_name() == class_name), None)
    plain = [
        one
        for one in statements
        if isinstance(one, ast.ClassDef) and one.name == class_name
        if not one.bases and not one.keywords and not one.decorator_list
    ]
    if symbol is None or symbol.is_imported() or len(plain) != 1 or len(symbol.get_namespaces()) != 1:
        return []
    return [method for method in METHODS if method not in symbol.get_namespace().get_identifiers()]


def _is_class(symbol: symtable.Symbol) -> bool:
    return any(table.get_type() == "class" for table in symbol.get_namespaces())
