"""Packages of the host in the sealed cpython guest: loaded before the seal, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doublevm import ConfigError, CPython, Enclave, EngineUnavailable, Limits, warm_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NUMPY = {
    "arrays": "int(np.arange(10).sum())",
    "linear algebra": "round(float(np.trace(np.linalg.inv(np.eye(3) * 2))), 6)",
    "transforms": "float(np.fft.fft(np.ones(4))[0].real)",
    "randomness": "np.random.default_rng(1).random() < 1",
    "large products": "float((np.ones((300, 300)) @ np.ones((300, 300)))[0, 0])",
    "sorting and text": "str(np.sort(np.array([3, 1, 2])))",
}
PANDAS = {
    "grouping": "int(df.groupby('a')['b'].sum().loc[1])",
    "description": "'mean' in str(df.describe())",
    "text formats": "len(df.to_csv()) + len(df.to_json()) + len(df.to_string()) > 0",
    "dates": "str(pd.to_datetime(['2024-01-02'])[0].date())",
    "reading": "import io\nint(pd.read_csv(io.StringIO('x,y\\n1,2'))['y'][0])",
    "merging": "len(df.merge(df, on='a'))",
    "resampling": "len(pd.date_range('2024-01-01', periods=3))",
}


@pytest.fixture(scope="module")
def enclave() -> Iterator[Enclave]:
    engine = CPython(packages=["numpy", "pandas"])
    with Enclave(engine=engine, limits=Limits(timeout=60)) as made:
        yield made


@pytest.mark.parametrize("expression", NUMPY.values(), ids=NUMPY)
def test_numpy(enclave: Enclave, expression: str) -> None:
    assert enclave.run(f"import numpy as np\n{expression}").unwrap()


@pytest.mark.parametrize("expression", PANDAS.values(), ids=PANDAS)
def test_pandas(enclave: Enclave, expression: str) -> None:
    frame = "df = pd.DataFrame({'a': [1, 1, 2], 'b': [2, 3, 4]})"
    assert enclave.run(f"import pandas as pd\n{frame}\n{expression}").unwrap()


def test_memory_of_numpy_is_limited(enclave: Enclave) -> None:
    result = enclave.run("import numpy as np\na = np.ones(10**9)\nfloat(a.sum())")
    assert result.error is not None
    assert result.error.code == "MEMORY_LIMIT_EXCEEDED"


def test_the_environment_for_its_libraries_is_not_the_guests(enclave: Enclave) -> None:
    assert enclave.run("import os\nlen(os.environ)").unwrap() == 0


@pytest.mark.parametrize("engine", [CPython(packages=["numpy"]), "cpython"])
def test_what_is_not_preloaded_says_so(engine: str | CPython) -> None:
    with Enclave(engine=engine) as enclave:
        error = enclave.run("import sqlalchemy").error
        assert error is not None
        assert error.type == "ModuleNotFoundError"
        assert "CPython(packages=['sqlalchemy'])" in error.message
        tried = "try:\n    import sqlalchemy\nexcept ImportError:\n    found = 'without'\nfound"
        assert enclave.run(tried).unwrap() == "without"


def test_auto_names_the_way_to_packages() -> None:
    with Enclave() as enclave:
        error = enclave.run("import numpy").error
    assert error is not None
    assert "CPython(packages=['numpy'])" in error.message


@pytest.mark.parametrize(
    ("packages", "problem"),
    [
        ("numpy", r"engine.packages must be a list of names, not 'numpy'; write packages="),
        (["no_such_module"], "engine.packages: there is no module 'no_such_module' here"),
        (["a-b"], "engine.packages: 'a-b' cannot be a module's name"),
        ([""], "engine.packages: '' cannot be a module's name"),
        (["import"], "engine.packages: 'import' cannot be a module's name"),
        ([3], "engine.packages: 3 cannot be a module's name"),
    ],
)
def test_names_that_cannot_be_loaded(packages: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        CPython(packages=packages)


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> CPython:
    (folder / "doublevm_test_package.py").write_text(code)
    folder.chmod(0o755)
    monkeypatch.syspath_prepend(str(folder))
    return CPython(packages=["doublevm_test_package"])


def test_a_module_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = module(tmp_path, monkeypatch, "ANSWER = 42\n")
    with Enclave(engine=engine) as enclave:
        program = "import doublevm_test_package as p\np.ANSWER"
        assert enclave.run(program).unwrap() == 42


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise ImportError('it lacks something')", "it lacks something"),
        ("raise RuntimeError('broken')", "RuntimeError: broken"),
        (
            "from threading import Event, Thread\nThread(target=Event().wait, daemon=True).start()",
            "has started 1 thread",
        ),
        ("raise SystemExit(3)", "exits as it is imported"),
    ],
    ids=["import error", "another error", "a thread", "an exit"],
)
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_a_module_that_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, problem: str, *, warm: bool
) -> None:
    """Whether the template has loaded it or the zygote, which templates are forks of."""
    engine = module(tmp_path, monkeypatch, code)
    if warm:
        warm_up(engine)
    with Enclave(engine=engine) as enclave, pytest.raises(EngineUnavailable, match=problem):
        enclave.run("1")


def test_guests_draw_random_numbers_of_their_own() -> None:
    """Of one template and of several: all are forks of a zygote that has loaded numpy."""
    pytest.importorskip("numpy")
    engine = CPython(packages=["numpy"])
    warm_up(engine)
    drawn = []
    for _ in range(2):
        with Enclave(engine=engine) as enclave:
            program = "import numpy, random\n[float(numpy.random.rand()), random.random()]"
            drawn += [enclave.run(program).unwrap() for _ in range(2)]
    assert len({value for values in drawn for value in values}) == 8
