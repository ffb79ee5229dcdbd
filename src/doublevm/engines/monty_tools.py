"""How the tools appear to a guest on monty: functions, namespaces and ``call_tool``.

Monty asks for a name when the program first uses it, so nothing is bound ahead of time. A plain
tool becomes a function that carries its name; ``users:list`` becomes a method of an object
``users``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from doublevm.guest_names import CALL_TOOL, guest_path, spread_call_tool

if TYPE_CHECKING:
    from uuid import UUID

_UUID_ATTRIBUTES: Final = ("hex", "int", "version")


class _Namespace:
    """Stands for ``users`` where there are tools such as ``users:list``."""


class MontyTools:
    """Resolves the names a guest uses to operations."""

    def __init__(self, tools: tuple[str, ...]) -> None:
        """Arrange the operations by the names a guest can write."""
        self._tools = frozenset(tools)
        self._plain: dict[str, str] = {}
        self._tree: dict[str, Any] = {}
        self._objects: dict[UUID, dict[str, Any]] = {}
        for tool in tools:
            path = guest_path(tool)
            if path is None:
                continue
            if len(path) == 1:
                self._plain[path[0]] = tool
                continue
            branch = self._tree
            for part in path[:-1]:
                branch = branch.setdefault(part, {})
            branch[path[-1]] = tool

    def look_up(self, snapshot: Any) -> dict[str, Any]:
        """Return ``{"value": …}`` for a name that exists, and ``{}`` for one that does not."""
        name = snapshot.variable_name
        if snapshot.object_id is not None:
            operation = self._objects.get(snapshot.object_id, {}).get(name)
            return {"value": _stub(operation)} if isinstance(operation, str) else {}
        if name == CALL_TOOL or name in self._plain:
            return {"value": _stub(name)}
        if name in self._tree:
            return {"value": self._namespace(self._tree[name])}
        return {}

    def call(self, snapshot: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return operation, positional and keyword arguments.

        Raises:
            NameError, AttributeError: the guest called a name that is nothing.
            TypeError: it called ``call_tool`` with something else than a name and arguments.
        """
        name, args, kwargs = snapshot.function_name, snapshot.args, snapshot.kwargs
        if snapshot.object_id is not None:
            operation = self._objects.get(snapshot.object_id, {}).get(name)
            if not isinstance(operation, str):
                raise AttributeError(f"there is no tool {name!r} in this namespace")
            return operation, args, kwargs
        if name == CALL_TOOL:
            return spread_call_tool(args, kwargs)
        # A method taken from its namespace goes by its operation's name.
        operation = self._plain.get(name) or (name if name in self._tools else None)
        if operation is None:
            raise NameError(f"name {name!r} is not defined")
        return operation, args, kwargs

    @staticmethod
    def wrap_uuid(value: UUID) -> Any:
        """Return a stand-in for a UUID, which monty has not; it comes back as the UUID it was."""
        import pydantic_monty  # noqa: PLC0415 - loaded by the engine by now

        return pydantic_monty.ClassInstance(value, eager_attrs=_UUID_ATTRIBUTES)

    def _namespace(self, branch: dict[str, Any]) -> Any:
        import pydantic_monty  # noqa: PLC0415 - loaded by the engine by now

        value = _Namespace()
        nested = {name for name, part in branch.items() if isinstance(part, dict)}
        for name, part in branch.items():
            setattr(value, name, self._namespace(part) if name in nested else _stub(name))
        wrapper = pydantic_monty.ClassInstance(
            value, eager_attrs=nested, allowed_methods=set(branch) - nested
        )
        self._objects[wrapper.id] = branch
        return wrapper


def _stub(name: str) -> Any:
    def tool(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("tools are called through snapshots only")

    tool.__name__ = name
    return tool
