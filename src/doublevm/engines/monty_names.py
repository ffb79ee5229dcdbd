"""The names monty has and lacks: modules, builtins, methods and keyword arguments.

Names that modules carry are listed as *present*, because a module grows with every release of
CPython and an unknown name must count as missing. Builtins and methods are listed as *missing*:
an attribute of a value whose type is not known can only be judged by its name.
`tests/engines/test_monty_gaps.py` holds every entry against the installed monty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doublevm.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Mapping


_PURE_PATH: Final = words(
    """
    altsep basename commonpath commonprefix curdir dirname extsep isabs join normcase normpath
    pardir pathsep sep split splitdrive splitext splitroot
    """
)

MONTY_MODULES: Final[Mapping[str, frozenset[str]]] = {
    "asyncio": words("gather run sleep"),
    "base64": words(
        """
        MAXBINSIZE MAXLINESIZE a85decode a85encode b16decode b16encode b32decode b32encode
        b32hexdecode b32hexencode b64decode b64encode b85decode b85encode decodebytes
        encodebytes standard_b64decode standard_b64encode urlsafe_b64decode
        urlsafe_b64encode z85decode z85encode
        """
    ),
    "binascii": words(
        """
        Error Incomplete a2b_base64 a2b_hex a2b_qp a2b_uu b2a_base64 b2a_hex b2a_qp b2a_uu
        crc32 crc_hqx hexlify unhexlify
        """
    ),
    "bisect": words("bisect bisect_left bisect_right insort insort_left insort_right"),
    "collections": words("Counter defaultdict deque namedtuple"),
    "copy": words("copy deepcopy"),
    "csv": words(
        """
        Dialect DictReader DictWriter Error QUOTE_ALL QUOTE_MINIMAL QUOTE_NONE
        QUOTE_NONNUMERIC QUOTE_NOTNULL QUOTE_STRINGS excel excel_tab field_size_limit
        get_dialect list_dialects reader unix_dialect writer
        """
    ),
    "dataclasses": words("FrozenInstanceError MISSING dataclass field is_dataclass"),
    "datetime": words("date datetime time timedelta timezone"),
    "decimal": words(
        """
        BasicContext Clamped Context ConversionSyntax Decimal DecimalException DecimalTuple
        DefaultContext DivisionByZero DivisionImpossible DivisionUndefined ExtendedContext
        FloatOperation HAVE_CONTEXTVAR HAVE_THREADS IEEEContext Inexact InvalidContext
        InvalidOperation MAX_EMAX MAX_PREC MIN_EMIN MIN_ETINY Overflow ROUND_05UP
        ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP
        ROUND_UP Rounded Subnormal Underflow getcontext localcontext setcontext
        """
    ),
    "functools": words("cache lru_cache partial reduce"),
    "hashlib": words(
        """
        algorithms_available algorithms_guaranteed blake2b blake2s md5 new pbkdf2_hmac sha1
        sha224 sha256 sha384 sha3_224 sha3_256 sha3_384 sha3_512 sha512 shake_128 shake_256
        """
    ),
    "itertools": words(
        """
        accumulate batched chain combinations combinations_with_replacement compress count
        cycle dropwhile filterfalse groupby islice pairwise permutations product repeat starmap
        takewhile tee zip_longest
        """
    ),
    "json": words("JSONDecodeError dump dumps load loads"),
    "math": words(
        """
        acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist
        e erf erfc exp exp2 expm1 fabs factorial floor fma fmod frexp fsum gamma gcd hypot
        inf isclose isfinite isinf isnan isqrt lcm ldexp lgamma log log10 log1p log2 modf
        nan nextafter perm pi pow prod radians remainder sin sinh sqrt sumprod tan tanh tau
        trunc ulp
        """
    ),
    "os.path": _PURE_PATH,
    "pathlib": words("Path"),
    "posixpath": _PURE_PATH,
    "random": words(
        """
        Random betavariate binomialvariate choice choices expovariate gammavariate gauss
        getrandbits getstate lognormvariate normalvariate paretovariate randbytes randint
        random randrange sample seed setstate shuffle triangular uniform vonmisesvariate
        weibullvariate
        """
    ),
    "re": words(
        """
        DOTALL I IGNORECASE M MULTILINE Match NOFLAG Pattern PatternError S compile error
        escape findall finditer fullmatch match search split sub
        """
    ),
    "sys": words(
        """
        byteorder float_info float_repr_style maxsize maxunicode stderr stdout version_info
        """
    ),
    "time": words(
        """
        asctime ctime gmtime localtime mktime monotonic monotonic_ns perf_counter
        perf_counter_ns process_time process_time_ns sleep strftime strptime thread_time
        thread_time_ns time time_ns
        """
    ),
    "tomllib": words("TOMLDecodeError load loads"),
    "typing": words(
        """
        Annotated Any Callable ClassVar Dict Final FrozenSet Generator Iterable Iterator List
        Literal Mapping Never NoReturn Optional Self Sequence Set TYPE_CHECKING Tuple Type Union
        """
    ),
    "unicodedata": words("category combining is_normalized lookup name normalize unidata_version"),
}
"""What each module of monty carries. `os` is left out on purpose: it is refused, whole."""

MISLEADING_NAMES: Final[Mapping[str, frozenset[str]]] = {
    # Present, but without the effect or the value they have in CPython.
    "re": words("A ASCII"),
    "typing": words("Generic Protocol TypeVar"),
    "sys": words(
        """
        abiflags api_version argv base_exec_prefix base_prefix builtin_module_names copyright
        dont_write_bytecode exec_prefix executable flags hexversion platform platlibdir prefix
        pycache_prefix version
        """
    ),
    "time": words("altzone daylight timezone tzname"),
    # Present, and answered by the file system, which no guest program has.
    "os.path": words(
        """
        abspath defpath devnull exists expanduser expandvars getatime getctime getmtime getsize
        isdir isdevdrive isfile isjunction islink ismount lexists realpath relpath samefile samestat
        supports_unicode_filenames
        """
    ),
    "posixpath": words(
        """
        abspath defpath devnull exists expanduser expandvars getatime getctime getmtime getsize
        isdir isdevdrive isfile isjunction islink ismount lexists realpath relpath samefile samestat
        supports_unicode_filenames
        """
    ),
}
"""Names that monty's modules do carry and that count as missing all the same."""

MISSING_BUILTINS: Final = words(
    """
    BaseExceptionGroup BlockingIOError BrokenPipeError BufferError BytesWarning
    ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError
    ConnectionResetError DeprecationWarning EOFError EncodingWarning EnvironmentError
    ExceptionGroup FloatingPointError FutureWarning GeneratorExit IOError ImportWarning
    IndentationError InterruptedError PendingDeprecationWarning ProcessLookupError
    PythonFinalizationError ReferenceError ResourceWarning RuntimeWarning StopAsyncIteration
    SyntaxWarning SystemError TabError UnicodeError UnicodeTranslateError UnicodeWarning
    UserWarning Warning __build_class__ __builtins__ __import__ __loader__ _IncompleteInputError
    aiter anext ascii breakpoint bytearray callable classmethod compile copyright credits
    delattr dir exit globals help input issubclass license memoryview quit staticmethod super
    vars
    """
)

CALLED_ONLY: Final[Mapping[str, frozenset[str]]] = {
    "bytes": words("fromhex"),
    "collections.Counter": words("fromkeys"),
    "collections.defaultdict": words("fromkeys"),
    "collections.deque": frozenset(),
    "datetime.date": words("fromisoformat today"),
    "datetime.datetime": words("combine fromisoformat now strptime"),
    "datetime.time": words("fromisoformat"),
    "datetime.timedelta": frozenset(),
    "datetime.timezone": frozenset(),
    "decimal.Decimal": words("from_float"),
    "dict": words("fromkeys"),
    "itertools.chain": words("from_iterable"),
    "pathlib.Path": words("cwd"),
    "random.Random": frozenset(),
    **{
        name: frozenset()
        for name in words(
            "bool complex float frozenset int list object range set slice str tuple type"
        )
    },
}
"""What can be called *on the type itself*; every other method is reached through a value."""

CLASS_VALUES: Final[Mapping[str, frozenset[str]]] = {
    "datetime.date": words("max min resolution"),
    "datetime.datetime": words("max min resolution"),
    "datetime.time": words("max min resolution"),
    "datetime.timedelta": words("max min resolution"),
    "datetime.timezone": words("max min utc"),
    "itertools.chain": words("from_iterable"),
}
"""What can be read from the type itself without calling it."""

MISSING_METHODS: Final[Mapping[str, frozenset[str]]] = {
    "str": words("format_map maketrans translate"),
    "bytes": words("expandtabs maketrans translate"),
    "int": words(
        """
        as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer
        numerator real to_bytes
        """
    ),
    "float": words("as_integer_ratio conjugate from_number fromhex hex imag is_integer real"),
    "list": frozenset(),
    "dict": frozenset(),
    "set": words("difference_update intersection_update symmetric_difference_update"),
    "frozenset": frozenset(),
    "tuple": frozenset(),
    "range": words("count index start step stop"),
    "slice": words("indices"),
    "date": words("ctime isocalendar timetuple toordinal"),
    "datetime": words("ctime fold isocalendar timetuple toordinal utctimetuple"),
    "time": frozenset(),
    "timedelta": frozenset(),
    "timezone": words("fromutc"),
    "Decimal": frozenset(),
    "Counter": frozenset(),
    "deque": frozenset(),
    "defaultdict": frozenset(),
    "exception": words("add_note with_traceback"),
    "Pattern": words("groupindex groups scanner subn"),
    "Match": words("endpos expand lastgroup lastindex pos re regs"),
    "dict_keys": words("mapping"),
    "Path": words(
        """
        anchor as_uri chmod copy copy_into drive expanduser from_uri full_match group
        hardlink_to home info is_block_device is_char_device is_fifo is_junction is_mount
        is_relative_to is_reserved is_socket lchmod link_to lstat match move move_into owner
        parents parser readlink relative_to root samefile symlink_to touch with_segments
        """
    ),
}
"""Methods and values of CPython's types that the same type lacks in monty."""

SHARED_METHODS: Final = words(
    """
    copy count drive expandtabs group groups hex index info match move owner parser root start
    step stop touch
    """
)
"""Missing from one type, there on another (or too common a word): needs the receiver's type."""

METHODS: Final = words(
    """
    _asdict _make _replace abs add add_note adjusted append appendleft as_integer_ratio
    as_posix as_tuple as_uri astimezone bit_count bit_length cache_clear cache_info
    canonical capitalize casefold center choice choices clear combine compare compare_signal
    compare_total compare_total_mag conjugate copy copy_abs copy_negate copy_sign count
    ctime date decode difference difference_update digest discard dst elements encode end
    endswith exp expand expandtabs extend extendleft find findall finditer fma format
    format_map from_bytes from_float from_number fromhex fromisocalendar fromisoformat
    fromkeys fromordinal fromtimestamp fromutc fullmatch get getrandbits getstate group
    groupdict groups hex hexdigest index indices insert intersection intersection_update
    is_absolute is_canonical is_finite is_infinite is_integer is_nan is_normal is_qnan
    is_relative_to is_signed is_snan is_subnormal is_zero isalnum isalpha isascii isdecimal
    isdigit isdisjoint isidentifier islower isnumeric isocalendar isoformat isoweekday
    isprintable isspace issubset issuperset istitle isupper items join joinpath keys ljust
    ln log10 logb logical_and logical_invert logical_or logical_xor lower lstrip maketrans
    match max max_mag min min_mag most_common next_minus next_plus next_toward normalize now
    number_class partition pop popitem popleft quantize radix randbytes randint random
    randrange relative_to remainder_near remove removeprefix removesuffix replace reverse
    rfind rindex rjust rotate rpartition rsplit rstrip same_quantum sample scaleb scanner
    search seed setdefault setstate shift shuffle sort span split splitlines sqrt start
    startswith strftime strip strptime sub subn subtract swapcase symmetric_difference
    symmetric_difference_update time timestamp timetuple timetz title to_bytes to_eng_string
    to_integral to_integral_exact to_integral_value today toordinal total total_seconds
    translate tzname uniform union update upper utcfromtimestamp utcnow utcoffset
    utctimetuple values weekday with_name with_stem with_suffix with_traceback writeheader
    writerow writerows zfill
    """
)
"""Methods of builtin types: in monty they are called, and never passed around as values."""

MISSING_KEYWORDS: Final[Mapping[str, frozenset[str]]] = {
    "asyncio.gather": words("return_exceptions"),
    "dataclasses.dataclass": words(
        "init kw_only match_args order repr slots unsafe_hash weakref_slot"
    ),
    "dataclasses.field": words("compare doc hash init kw_only metadata repr"),
    "datetime.datetime": words("fold"),
    "json.dump": words("check_circular cls default"),
    "json.dumps": words("check_circular cls default"),
    "json.load": words("cls object_hook object_pairs_hook parse_constant parse_float parse_int"),
    "json.loads": words("cls object_hook object_pairs_hook parse_constant"),
    "pow": words("base exp mod"),
    "tomllib.load": words("parse_float"),
    "tomllib.loads": words("parse_float"),
}
"""Keyword arguments that a function of monty does not take."""

SUPPORTED_DUNDERS: Final = words(
    """
    __init__ __post_init__ __repr__ __str__ __hash__ __eq__ __call__ __enter__ __exit__
    __iter__ __next__ __getitem__ __setitem__ __contains__ __copy__ __deepcopy__
    __add__ __sub__ __mul__ __matmul__ __truediv__ __floordiv__ __mod__ __divmod__ __pow__
    __lshift__ __rshift__ __and__ __or__ __xor__
    __radd__ __rsub__ __rmul__ __rmatmul__ __rtruediv__ __rfloordiv__ __rmod__ __rdivmod__
    __rpow__ __rlshift__ __rrshift__ __rand__ __ror__ __rxor__
    __neg__ __pos__ __abs__ __invert__ __int__ __float__ __index__ __round__ __trunc__
    __floor__ __ceil__
    """
)
"""Special methods of guest classes that monty honours; it ignores every other."""

ENCODINGS: Final = words(
    "ascii utf-16 utf-16-be utf-16-le utf-32 utf-32-be utf-32-le utf-8 utf16 utf32 utf8 us-ascii"
)
"""Text encodings of monty, as `encode` and `decode` take them (`_` counts as `-`)."""
