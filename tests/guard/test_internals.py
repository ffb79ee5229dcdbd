"""Internals: attributes from values to classes, frames, code and globals."""

from __future__ import annotations

import pytest

from doublevm.guard.rules.internals import CLASSES, CODE, FRAMES, NAMESPACES, OBJECTS
from tests.guard.asking import asked

PASSES = [
    "x.__class__.__name__",
    "type(x).__name__",
    "print(f.__doc__)",
    "if __name__ == '__main__':\n    print(1)",
    "class A:\n    def __init__(self):\n        super().__init__()\n        self.__dict__.clear()",
    "class A:\n    def __getattribute__(self, n):\n        return super().__getattribute__(n)",
    "class A:\n    def __reduce__(self):\n        return super().__reduce__()",
    "class A:\n    __slots__ = ('a',)\n    def __eq__(self, other): return NotImplemented",
    "class A:\n    def __init_subclass__(cls): pass\n    def __class_getitem__(cls, k): return cls",
    "e.__traceback__.tb_lineno",
    "raise ValueError from e.__cause__",
    "f.__annotations__, f.__module__, f.__qualname__, f.__wrapped__, f.__defaults__",
    "@dataclasses.dataclass\nclass A:\n    x: int = 0\nA.__dataclass_fields__",
    "'{x.name} {0[key]}'.format(1)",
    "f'{x.__class__.__name__}'",
    "print('__globals__ and __subclasses__()')",
    "getattr(x, 'name')",
    "getattr(x, name)",
    "def getattr(a, b): pass\ngetattr(x, '__code__')",
    "__builtins__ = 1\n__builtins__",
    "getattr(x)",
    "'{x.mro}'",
]

CLASSES_ADVICE = "use isinstance() or issubclass() to ask about classes"
ADVICE = "work with the values themselves, or ask the host for a tool"

FINDS = [
    ("x = ().__class__.__bases__[0]", 1, 5, "'__bases__'", CLASSES_ADVICE),
    ("y = 1\nz = object.__subclasses__()", 2, 5, "'__subclasses__'", "keep the classes of your"),
    ("é = f.__globals__", 1, 5, "'__globals__'", ADVICE),
    ("sys._getframe().f_back.x", 1, 1, "'f_back'", ADVICE),
    ("(g.gi_frame)", 1, 2, "'gi_frame'", ADVICE),
    ("e.__traceback__.tb_frame", 1, 1, "'tb_frame'", "use traceback.format_exc(), or the exc"),
    ("a = __builtins__['x']", 1, 5, "'__builtins__'", ADVICE),
    ("getattr(f, '__code__')", 1, 12, "'__code__'", ADVICE),
    ("hasattr(f, '__globals__')", 1, 12, "'__globals__'", ADVICE),
    ("s = '{0.__class__.__mro__}'.format(1)", 1, 5, "'__mro__'", CLASSES_ADVICE),
    ("s = '{x[__globals__]}'", 1, 5, "'__globals__'", ADVICE),
    ("super().__globals__", 1, 1, "'__globals__'", ADVICE),
    ("object.__getattribute__(x, n)", 1, 1, "'__getattribute__'", "use getattr(object, 'name')"),
]


@pytest.mark.parametrize("program", PASSES)
def test_passes(program: str) -> None:
    assert asked("internals", program) == []


@pytest.mark.parametrize(("program", "line", "column", "name", "advice"), FINDS)
def test_finds(program: str, line: int, column: int, name: str, advice: str) -> None:
    ((*place, message, suggestion),) = [
        found for found in asked("internals", program) if name in found[2]
    ]
    assert place == [line, column]
    assert message.startswith(f"{name} leads to ")
    assert suggestion.startswith(advice)


@pytest.mark.parametrize("name", sorted(CLASSES | CODE | FRAMES | NAMESPACES | OBJECTS))
def test_every_name_is_found_by_attribute_and_by_text(name: str) -> None:
    assert [found[:2] for found in asked("internals", f"a = 1\nb = x.{name}")] == [(2, 5)]
    assert [found[:2] for found in asked("internals", f"getattr(x, '{name}', 1)")] == [(1, 12)]
