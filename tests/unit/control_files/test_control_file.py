"""Control files: the acceptance vectors of control-files-and-suites.md section 9.1, one row a vector, and its rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest import control_file
from autotest.errors import ControlFileError, ControlFileNotFound, ControlVariableException

BASE = 'AUTHOR="a"\nNAME="n"\nDOC="d"\nTIME="SHORT"\nTEST_TYPE="client"\n'
BASE_FIELDS = {
    "author": "a", "name": "n", "doc": "d", "time": "SHORT", "test_type": "client", "test_class": "",
    "test_category": "", "dependencies": [], "attributes": [], "suite": None, "sync_count": 1, "job_retries": 0,
    "priority": 40, "require_ssp": None, "fast": False, "run_verify": True, "max_result_size_KB": 20000,
    "test_parameters": [], "bug_template": None, "build": None, "builds": None, "experimental": False,
}  # fmt: skip
MISSING = ControlVariableException
STEPS = 'def step1():\n    NAME="s1"; SYNC_COUNT=2\ndef step2():\n    SYNC_COUNT=3\n'
IN_A_STEP = "def step1():\n" + "".join(f"    {line}\n" for line in BASE.splitlines())
BUG = 'BUG_TEMPLATE={"owner":"a@b.co","labels":["x",foo,"y"],"cc":bar,1:2,"status":None,"t":("x",)}\n'
BUG_READ = {"owner": "a@b.co", "labels": ["x", "y"], "1": "2", "status": "None"}

# Vector number, text, strict outcome, lenient outcome: an exception class, or what differs from BASE_FIELDS.
# A missing lenient outcome equals the strict one.
VECTORS: list[tuple[Any, ...]] = [
    (1, BASE, {}),
    (2, 'AUTHOR="a"\nDOC="d"\nTIME="SHORT"\n', MISSING, {"name": None, "test_type": None}),
    (3, "", MISSING, {"author": None, "name": None, "doc": None, "time": None, "test_type": None}),
    (4, BASE + "EXPERIMENTAL=True", ControlVariableException, {}),
    (5, BASE + 'TIME="LenGthy"', {"time": "LenGthy"}),
    (6, BASE.replace("SHORT", "VERYLONG"), ValueError, {"time": None}),
    (7, BASE + 'TEST_TYPE="SERVER"', {"test_type": "SERVER"}),
    (8, BASE.replace("client", "Both"), ValueError, {"test_type": None}),
    (9, BASE + 'DEPENDENCIES=" servo ,wificell,, Servo,"', {"dependencies": ["Servo", "servo", "wificell"]}),
    (10, BASE + 'DEPENDENCIES=["servo","wificell"]', {"dependencies": ["'wificell']", "['servo'"]}),
    (11, BASE + "DEPENDENCIES=None", {"dependencies": ["None"]}),
    (12, BASE + 'DEPENDENCIES=("servo","x")', {}),
    (13, BASE + 'DEPENDENCIES=("servo,"\n "wificell")', {"dependencies": ["servo", "wificell"]}),
    (14, BASE + 'DEPENDENCIES="servo,"+"wificell"', {}),
    (
        15,
        BASE + 'ATTRIBUTES="suite:bvt-cq, suite:smoke,subsystem:net"',
        {"suite": ["bvt-cq", "smoke"], "attributes": ["subsystem:net", "suite:bvt-cq", "suite:smoke"]},
    ),
    (16, BASE + 'ATTRIBUTES="suite:bvt"', {"suite": ["bvt"], "attributes": ["subsystem:default", "suite:bvt"]}),
    (17, BASE + 'ATTRIBUTES="subsystems_all"', {"attributes": ["subsystems_all"]}),
    (18, BASE + 'ATTRIBUTES="Suite:bvt"', {"attributes": ["Suite:bvt", "subsystem:default"]}),
    (19, BASE + 'ATTRIBUTES="suite: bvt"', {"suite": ["bvt"], "attributes": ["subsystem:default", "suite: bvt"]}),
    (
        20,
        BASE + 'SUITE="smoke, bvt ,"\nATTRIBUTES="suite:bvt,suite:au"',
        {"suite": ["au", "bvt", "smoke"], "attributes": ["subsystem:default", "suite:au", "suite:bvt"]},
    ),
    (21, BASE + 'SUITE=" , "', {"suite": ["", ""]}),
    (22, BASE + "SYNC_COUNT=0", ValueError, {}),
    (23, BASE + 'SYNC_COUNT="2"', {"sync_count": 2}),
    (24, BASE + "SYNC_COUNT=-1", {}),
    (25, BASE + "SYNC_COUNT=2.0", ValueError, {}),
    (26, BASE + "JOB_RETRIES=3\nRETRIES=9", {"job_retries": 3}),
    (27, BASE + "JOB_RETRIES=None", ValueError, {}),
    (28, BASE + "MAX_RESULT_SIZE_KB=256*1024", {}),
    (29, BASE + 'PRIORITY="90"', {"priority": 90}),
    (29, BASE + 'PRIORITY="CQ"', ValueError, {}),
    (30, BASE + 'REQUIRE_SSP="FALSE"', {"require_ssp": False}),
    (30, BASE + "REQUIRE_SSP=0", ValueError, {}),
    (30, BASE + "REQUIRE_SSP=None", ValueError, {}),
    (31, BASE + 'dependencies="X"', {"dependencies": ["X"]}),
    (32, BASE + 'NAME="second"', {"name": "second"}),
    (33, BASE + 'if True:\n    NAME="x"\n    SYNC_COUNT=2', {}),
    (34, BASE + 'NAME=FOO="z"', {}),
    (34, BASE + 'NAME,FOO="z","y"', {}),
    (34, BASE + 'NAME+="z"', {}),
    (35, BASE + STEPS, {"sync_count": 3}),
    (36, IN_A_STEP, {}),
    (37, BASE + BUG, {"bug_template": BUG_READ}),
    (38, BASE + 'BUG_TEMPLATE="x"', {}),
    (39, BASE + 'NAME="  n  "\nDOC="""\n\nhello\n\n"""', {"doc": "hello"}),
    (40, BASE + "NAME=42", {"name": "42"}),
    (40, BASE + "NAME=1.50", {"name": "1.5"}),
    (40, BASE + "NAME=True", {"name": "True"}),
    (41, BASE.replace('"n"', '"a"+"b"'), MISSING, {"name": None}),
    (42, BASE + 'print "x"', {}),
    (43, BASE + "def (:", ControlVariableException, ControlVariableException),
    (44, BASE + 'TEST_CLASS="Kernel"', {"test_class": "kernel"}),
    (44, BASE + 'TEST_CATEGORY="Functional"', {"test_category": "functional"}),
    (45, BASE + 'TEST_CLASS=["A"]', {}),
    (46, BASE + 'NAME="p"; SYNC_COUNT=2', {"name": "p", "sync_count": 2}),
    (47, BASE + 'ATTR="zz"', TypeError, {}),
    (48, BASE + "FAST=True", {"fast": True}),
    (48, BASE + "FAST=1", ValueError, {}),
    (49, BASE.rstrip("\n"), {}),
    (49, BASE.replace("\n", "\r\n"), {}),
    (51, "fast = True\n" + BASE, {"fast": True}),
    (51, 'name = "q"\n' + BASE, {}),
    (51, "a-b = 1\n" + BASE, ControlVariableException, ControlVariableException),
    # Section 1.2 and 1.3 beyond the vectors.
    (52, BASE + "PRIORITY=0x10", {"priority": 16}),
    (53, BASE + "SYNC_COUNT=[2]", TypeError, {}),
    (54, BASE + 'SYNC_COUNT="1_0"', ValueError, {}),
    (55, BASE + 'def step1x():\n    PRIORITY=7\ndef step_init():\n    PRIORITY=8', {"priority": 7}),
    (56, BASE + 'NAME="z"\nNAME=f("y")', {"name": "z"}),
    (57, BASE + 'DEPENDENCIES=u"caf\u00e9"', {}),
    (58, BASE + 'max_result_size_kb="5000"', {"max_result_size_KB": 5000}),
    (59, BASE + "BUILDS={'a': ['x', {'b': 1}], True: 'dropped'}", {"builds": {"a": ["x", {"b": "1"}]}}),
]  # fmt: skip
RUNS = [
    pytest.param(text, mode, outcomes[0] if mode == "strict" else outcomes[-1], id=f"{number}-{index}-{mode}")
    for index, (number, text, *outcomes) in enumerate(VECTORS)
    for mode in ("strict", "lenient")
]


# What modern reads where that is not what strict reads; ValueError and TypeError of strict are its own error there.
MODERN: dict[str, Any] = {
    "EXPERIMENTAL=True": {"experimental": True},
    'DEPENDENCIES=["servo","wificell"]': {"dependencies": ["servo", "wificell"]},
    "DEPENDENCIES=None": {},
    'DEPENDENCIES=("servo","x")': {"dependencies": ["servo", "x"]},
    'DEPENDENCIES="servo,"+"wificell"': {"dependencies": ["servo", "wificell"]},
    'SUITE=" , "': {},
    "SYNC_COUNT=-1": ControlVariableException,
    "JOB_RETRIES=None": {},
    "MAX_RESULT_SIZE_KB=256*1024": {"max_result_size_KB": 262144},
    "REQUIRE_SSP=None": {},
    BUG: {"bug_template": {"owner": "a@b.co", "labels": ["x", "y"], "1": "2", "t": ["x"]}},
    BASE.replace('"n"', '"a"+"b"'): {"name": "ab"},
    'ATTR="zz"': {},
    'DEPENDENCIES=u"caf\u00e9"': {"dependencies": ["caf\u00e9"]},
}
MODERN_RUNS = [
    pytest.param(text, MODERN.get(text.removeprefix(BASE), outcomes[0]), id=f"{number}-{index}-modern")
    for index, (number, text, *outcomes) in enumerate(VECTORS)
]


@pytest.mark.parametrize(("text", "outcome"), MODERN_RUNS)
def test_modern_reads_every_vector_or_refuses_it_with_one_error(text, outcome):
    if isinstance(outcome, dict):
        assert control_file.parse(text, "p/control").as_fields() == {**BASE_FIELDS, **outcome}
    else:
        with pytest.raises(ControlVariableException):
            control_file.parse(text, "p/control")


def test_every_exception_of_modern_is_a_vector():
    assert set(MODERN) <= {row[1].removeprefix(BASE) for row in VECTORS}


CLASSIC = BASE + 'TEST_CLASS="c"\nTEST_CATEGORY="g"\n'
CLASSIC_FIELDS = {**BASE_FIELDS, "test_class": "c", "test_category": "g"}


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (CLASSIC, {}),
        (BASE, ControlVariableException),
        (CLASSIC + "EXPERIMENTAL=True", {"experimental": True}),
        (CLASSIC + "EXPERIMENTAL=1", ValueError),
        (CLASSIC + 'TIME="FAST"', ValueError),
        (CLASSIC + 'DEPENDENCIES=""', {"dependencies": [""]}),
        (CLASSIC + 'DEPENDENCIES="a,,b"', {"dependencies": ["", "a", "b"]}),
        (CLASSIC + 'SUITE="x"\nJOB_RETRIES=3\nFAST=True\nBUG_TEMPLATE={}', {}),
        (CLASSIC + 'DEPENDENCIES=["a"]', {}),
        (CLASSIC + STEPS, {}),
    ],
)
def test_classic_equals_the_first_parser(text, outcome):
    if isinstance(outcome, dict):
        assert control_file.parse(text, "p/control", "classic").as_fields() == {**CLASSIC_FIELDS, **outcome}
    else:
        with pytest.raises(outcome) as caught:
            control_file.parse(text, "p/control", "classic")
        assert caught.type is outcome


def test_classic_lenient_skips_what_does_not_fit():
    found = control_file.parse(BASE + 'TIME="FAST"', mode="classic-lenient")
    assert (found.time, found.test_class) == (None, "")


@pytest.mark.parametrize(("text", "mode", "outcome"), RUNS)
def test_strict_and_lenient_equal_the_original(text, mode, outcome):
    if isinstance(outcome, dict):
        assert control_file.parse(text, "p/control", mode).as_fields() == {**BASE_FIELDS, **outcome}
    else:
        with pytest.raises(outcome) as caught:
            control_file.parse(text, "p/control", mode)
        assert caught.type is outcome


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("SYNC_COUNT=0", "sync_count is 0, which is below the minimum of 1"),
        ("SYNC_COUNT=2.0", "invalid literal for int() with base 10: '2.0'"),
        ("TEST_TYPE='Both'", "test_type must be one of the following options: server, client"),
        ("FAST=1", "fast must be either true or false"),
        (
            "EXPERIMENTAL=True",
            "WARNING: Obsolete variables were specified in p/control.  Please remove experimental.",
        ),
    ],
)
def test_strict_errors_have_the_original_texts(extra, message):
    with pytest.raises((ValueError, ControlVariableException)) as caught:
        control_file.parse(BASE + extra, "p/control", "strict")
    assert str(caught.value) == message


def test_missing_variables_are_named_with_the_path():
    with pytest.raises(ControlVariableException) as caught:
        control_file.parse('AUTHOR="a"\nDOC="d"\nTIME="SHORT"\n', "p/control", "strict")
    assert str(caught.value) == (
        "WARNING: Not all required control variables were specified in p/control.  Please define name, test_type."
    )


@pytest.mark.parametrize(("path", "named"), [("", "data"), ("p/control", "p/control")])
@pytest.mark.parametrize("mode", ["modern", "strict", "lenient"])
def test_a_syntax_error_names_file_and_line(path, named, mode):
    with pytest.raises(ControlVariableException, match=rf"^Error parsing {named} because .*line 6\)$"):
        control_file.parse(BASE + "def (:", path, mode)


def test_suite_tags_keep_upstreams_spelling_in_the_text():
    assert control_file.parse(BASE + 'ATTRIBUTES="suite: bvt"', mode="strict").suite == " bvt"
    assert control_file.parse(BASE + 'SUITE=" , "', mode="strict").suite == ","
    assert control_file.parse(BASE, mode="strict").suite_tag_parts == []


@pytest.mark.parametrize(("time", "rank"), [("fast", 0), ("Short", 1), ("MEDIUM", 2), ("long", 3), ("LenGthy", 4)])
def test_times_rank_from_fast_to_lengthy(time, rank):
    assert control_file.parse(BASE + f"TIME={time!r}", mode="strict").time_rank == rank


def test_a_file_without_a_time_has_no_rank():
    with pytest.raises(ControlVariableException, match=r"^None is not a valid TIME\.$"):
        _ = control_file.parse("", mode="lenient").time_rank


@pytest.mark.parametrize(
    ("extra", "attribute", "value"),
    [
        ("MAX_RESULT_SIZE_KB=256*1024", "max_result_size_KB", 262144),
        ("PRIORITY=-1", "priority", -1),
        ("PRIORITY=100-2*5", "priority", 90),
        ('DEPENDENCIES=("servo", "wificell")', "dependencies", {"servo", "wificell"}),
        ('DEPENDENCIES=["servo,wificell", None]', "dependencies", {"servo", "wificell"}),
        ('DEPENDENCIES={"servo"}', "dependencies", {"servo"}),
        ('DEPENDENCIES="servo,"+"wificell"', "dependencies", {"servo", "wificell"}),
        ("DEPENDENCIES=None", "dependencies", set()),
        ("JOB_RETRIES=None", "job_retries", 0),
        ("REQUIRE_SSP=None", "require_ssp", None),
        ('ATTRIBUTES="suite:bvt",', "suite", "bvt"),
        ('SUITE=["b", "a"]', "suite", "a,b"),
        ('ATTRIBUTES="suite: bvt"', "suite", "bvt"),
        ('SUITE=" , "', "suite", None),
        ("EXPERIMENTAL=True", "experimental", True),
        ('print "x"\nSYNC_COUNT=02', "sync_count", 2),
        ("SYNC_COUNT=2L", "sync_count", 2),
    ],
)
def test_modern_reads_what_the_author_meant(extra, attribute, value):
    assert getattr(control_file.parse(BASE + extra), attribute) == value


def test_modern_names_all_faults_at_once():
    text = 'NAME="n"\nDOC="d"\nAUTHOR=None\nTIME="SHORT"\nTEST_TYPE="Both"\nSYNC_COUNT=0\nNAME=["x"]\n'
    with pytest.raises(ControlVariableException) as caught:
        control_file.parse(text, "p/control")
    for part in ("p/control: ", "missing: author", "line 5: test_type must", "line 6: sync_count is 0", "line 7: name"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "line", "said"),
    [
        ("MAX_RESULT_SIZE_KB=256*1024", 6, "MAX_RESULT_SIZE_KB: a computed value is dropped"),
        ('\nDEPENDENCIES=("servo","x")', 7, "DEPENDENCIES: a tuple is dropped"),
        ('DEPENDENCIES=["servo"]', 6, "a list becomes garbage members"),
        ('SUITE=f("x")', 6, "SUITE: a call is dropped"),
        ('DEPENDENCY="x"', 6, "did you mean DEPENDENCIES?"),
        ('CRITERiA="x"', 6, "CRITERiA: has no effect"),
        ('NAME=FOO="z"', 6, "only a plain NAME = value counts"),
        ('NAME+="z"', 6, "only a plain NAME = value counts"),
        ('BUG_TEMPLATE="x"', 6, "must be a dict literal"),
        ('BUG_TEMPLATE={"a": foo}', 6, "a name inside the value is dropped"),
        ('print "x"', 6, "recovered from Python 2"),
        ("FAST=1", 6, "fast must be either true or false; skipping"),
        ("EXPERIMENTAL=True", 6, "Please remove experimental"),
        ("SYNC_COUNT=0x" + "f" * 5000, 6, "a number with too many digits is dropped"),
    ],
)
def test_nothing_is_dropped_silently(extra, line, said):
    diagnoses = control_file.parse(BASE + extra, mode="lenient").diagnoses
    assert [diagnosis.line for diagnosis in diagnoses if said in str(diagnosis)] == [line]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("MAX_RESULT_SIZE_KB=2*3", "the original reader drops a computed value"),
        ('DEPENDENCIES=["a"]', "the original reader makes garbage of a list"),
        ("DEPENDENCIES=None", "the original reader takes None for the text 'None'"),
    ],
)
def test_modern_says_where_the_original_reads_otherwise(extra, said):
    (diagnosis,) = control_file.parse(BASE + extra, "p/control").diagnoses
    assert (diagnosis.path, diagnosis.line, diagnosis.severity, diagnosis.problem) == ("p/control", 6, "warning", said)


def test_an_assignment_that_another_one_follows_is_named_unless_both_say_the_same():
    for mode in ("modern", "strict", "lenient"):
        (diagnosis,) = control_file.parse(BASE + 'TIME="LONG"\nTEST_TYPE="client"\n', mode=mode).diagnoses
        assert (diagnosis.line, diagnosis.severity) == (4, "warning")
        assert str(diagnosis) == "TIME: is assigned again in line 6, and that one counts"


def test_a_dropped_assignment_takes_no_other_ones_place():
    (diagnosis,) = control_file.parse(BASE + 'NAME=f("y")\n').diagnoses
    assert "is dropped" in str(diagnosis)


def test_a_refusal_has_the_diagnoses_of_the_file():
    for text, lines in ((BASE + "def (:", [6]), (BASE + 'SYNC_COUNT=0\nDEPENDENCY="x"\n', [6, 7]), ("", [0])):
        with pytest.raises(ControlVariableException) as caught:
            control_file.parse(text, "p/control")
        assert [diagnosis.line for diagnosis in caught.value.diagnoses] == lines
        assert "error" in {diagnosis.severity for diagnosis in caught.value.diagnoses}


def test_a_reading_says_which_variables_are_not_its_own():
    diagnoses = control_file.parse(CLASSIC + 'SUITE="x"\n', mode="classic").diagnoses
    assert [str(diagnosis) for diagnosis in diagnoses] == ["SUITE: is not a variable of this reading and is ignored"]


def test_a_clean_file_has_no_diagnoses():
    assert control_file.parse(BASE + "job.run_test('sleeptest', seconds=1)\n").diagnoses == ()


def test_diagnoses_are_bounded():
    assert len(control_file.parse(BASE + "WHATEVER=1\n" * 1000).diagnoses) == 100


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="modern, strict, lenient"):
        control_file.parse(BASE, mode="loose")  # type: ignore[arg-type]


def test_read_keeps_path_and_text(tmp_path):
    (tmp_path / "control").write_bytes(b"\xef\xbb\xbf" + BASE.encode())
    found = control_file.read(tmp_path / "control")
    assert (found.path, found.text, found.name) == (str(tmp_path / "control"), BASE, "n")


def test_read_honours_a_declared_encoding(tmp_path):
    (tmp_path / "control").write_bytes(b"# -*- coding: latin-1 -*-\n" + BASE.encode() + b'AUTHOR="caf\xe9"\n')
    assert control_file.read(tmp_path / "control").author == "caf\u00e9"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'AUTHOR="caf\xe9"\n', "can't decode byte 0xe9"),
        (b"\n\n" + BASE.encode() + b'AUTHOR="caf\xe9"\n', "can't decode byte 0xe9"),
        (b"# coding: nonsense\n", "unknown encoding"),
        (b"#" * (control_file.LARGEST + 1), "larger than 1048576 bytes"),
        (BASE.encode() + b"\0", "null bytes"),
    ],
)
def test_a_file_that_is_not_text_is_refused_by_name(tmp_path, data, reason):
    path = tmp_path / "control"
    path.write_bytes(data)
    with pytest.raises(ControlVariableException, match=rf"^Error parsing {path} because .*{reason}"):
        control_file.read(path, "lenient")


@pytest.mark.parametrize("name", ["absent", ".", "nul\0"])
def test_a_file_that_cannot_be_opened_is_not_found(tmp_path, name):
    with pytest.raises(ControlFileNotFound, match="cannot be read"):
        control_file.read(f"{tmp_path}/{name}")


REFUSALS = {
    "modern": (ControlFileError,),
    "lenient": (ControlFileError,),
    "strict": (ControlFileError, ValueError, TypeError),
}


def assert_read_or_refused(text):
    for mode, refusals in REFUSALS.items():
        try:
            found = control_file.parse(text, mode=mode)
        except refusals as refusal:
            said = str(refusal)
        else:
            said = f"{found.as_fields()}"
        assert said


@pytest.mark.parametrize(
    "hostile",
    [
        "A=" + "-" * 100_000 + "1",
        "A=" + "1+" * 100_000 + "1",
        "A=a" + ".b" * 200_000,
        "A=" + "(" * 100_000,
        "A=" + "f(" * 150 + ")" * 150,
        "DEPENDENCIES=" + '"a"+' * 3000 + '"b"',
        "SYNC_COUNT=" + "9" * 100_000,
        "print `" * 10_000,
        '"""\\' * 10_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_is_read_or_refused(hostile):
    assert_read_or_refused(BASE + hostile)


NAMES = st.sampled_from(["NAME", "DEPENDENCIES", "SYNC_COUNT", "SUITE", "ATTRIBUTES", "BUG_TEMPLATE", "ATTR", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_any_assignment_is_read_or_refused_with_a_documented_error(assignments):
    text = BASE + "".join(f"{name} = {value!r}\n" for name, value in assignments)
    assert control_file.parse(text, mode="lenient").author == "a"
    assert_read_or_refused(text)


@given(st.text() | st.text(alphabet="NAME=\"'()[]{},:;\\`<>print exec raise \n\t0L#"))
def test_any_text_is_read_or_refused_with_a_documented_error(text):
    assert_read_or_refused(text)
