"""The Python API: what it writes, whom it wakes, and what it says when it cannot."""

from __future__ import annotations

import dataclasses
import datetime
import inspect
import logging
import threading

import pytest

from autotest import api, api_arguments, api_session, celery, errors
from autotest.api_arguments import SuiteRequest
from autotest.models import database
from autotest.models.afe import AbortedEntry, Host, HostQueueEntry, JobKeyval, SpecialTask
from autotest.scheduler import suite_request, suites, wakes
from autotest.settings import Settings

BUILD = "pi4-release/R1-1.0"


@pytest.fixture
def suite(installation):
    """Creates suite smoke on pi4; arguments say otherwise."""
    installation.build()
    installation.host("rack1-h1", ["board:pi4", "pool:suites"])

    def create(**arguments):
        return api.create_suite_job(
            **{"suite_name": "smoke", "board": "pi4", "build": BUILD, "pool": "suites", **arguments}
        )

    return create


def keyvals(job_id):
    with database.connection():
        return dict(JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job_id).tuples())


def problems(refused):
    return refused.value.problems


# Suites


def test_a_suite_job_is_one_row_with_keyvals_one_entry_and_one_wake(installation, suite):
    job_id = suite()
    job = installation.job(job_id)
    assert (job.name, job.owner, job.priority) == (f"{BUILD}-test_suites/control.smoke", "ann", 40)
    assert (job.timeout_mins, job.max_runtime_mins, job.control_file) == (1440, 1440, "# smoke\n")
    assert keyvals(job_id).items() >= {"suite": "smoke", "build": BUILD, "board": "pi4", "pool": "suites"}.items()
    (entry,) = installation.entries(job_id)
    assert (entry.status, entry.host_id, entry.queue_key) == ("Queued", None, "")
    assert installation.messages("suites") == 1


def test_limits_in_minutes_go_before_the_timeout_in_hours(installation, suite):
    job = installation.job(suite(timeout=2, timeout_mins=30))
    assert (job.timeout_mins, job.max_runtime_mins) == (30, 120)


@pytest.mark.parametrize(
    ("given", "stored"), [("cq", 70), ("Post Build", None), ("postbuild", 30), (33, 33), ("33", 33)]
)
def test_a_priority_is_a_name_of_the_ladder_or_a_number(installation, suite, given, stored):
    if stored is None:
        with pytest.raises(
            errors.ValidationError, match=r"priority 'Post Build' is neither a number nor one of WEEKLY"
        ):
            suite(priority=given)
    else:
        assert installation.job(suite(priority=given)).priority == stored


def test_every_argument_is_kept_for_the_suite_as_data(suite):
    job_id = suite(
        suite_args={"depth": 2},
        suite_min_duts=1,
        offload_failures_only=True,
        file_bugs=True,
        num=2,
        job_keyvals={"ticket": "b/7"},
        builds={"fwrw-version": "fw/1"},
        test_source_build=BUILD,
        job_retry=True,
        max_retries=3,
        test_args={"seconds": 1},
        delay_minutes=5,
        wait_for_results=False,
        check_hosts=False,
        child_dependencies=["wifi"],
    )
    with database.connection():
        asked = suite_request.asked(job_id)
    spec = asked.spec
    assert asked.suite_args == {"depth": 2}
    assert spec.builds == {"version": BUILD, "fwrw-version": "fw/1"}
    assert (spec.num, spec.suite_min_duts, spec.job_retry, spec.max_retries) == (2, 1, True, 3)
    assert (spec.file_bugs, spec.offload_failures_only, spec.wait_for_results) == (True, True, False)
    assert (spec.check_hosts, spec.delay_minutes, spec.test_source_build) == (False, 5, BUILD)
    assert (spec.child_dependencies, spec.test_args, spec.job_keyvals) == (("wifi",), {"seconds": 1}, {"ticket": "b/7"})
    assert (spec.board, spec.pool, spec.owner, spec.priority) == ("pi4", "suites", "ann", 40)


@pytest.mark.parametrize(
    ("build", "board"),
    [
        ("pi4-release/R50-1.0.0", "pi4"),
        ("trybot-pi4-paladin/R50-1.0.0-b7", "pi4"),
        ("pi4-chromium-release/R50-1.0.0", "pi4"),
        ("x86-alex-release/R50-1.0.0", "x86-alex"),
    ],
)
def test_without_a_board_the_name_of_the_build_says_it(installation, suite, build, board):
    installation.build(build)
    with database.connection():
        asked = suite_request.asked(suite(board="", build="", builds={"cros-version": build}, check_hosts=False))
    assert (asked.spec.board, asked.spec.test_source_build) == (board, build)


def test_without_a_board_and_without_a_build_that_says_it_both_are_asked_for(suite):
    with pytest.raises(errors.ValidationError) as refused:
        suite(board="", build="")
    assert problems(refused) == {"board": "must be given", "build": "must be given"}


def test_the_latest_build_is_called_by_its_own_name_wherever_it_stands(installation, suite):
    installation.build("pi4-release/R1-2.0")
    installation.build("pi4-firmware/R3-1.0")

    job_id = suite(build="pi4-release/LATEST", builds={"fwrw-version": "pi4-firmware/latest"}, board="")

    assert installation.job(job_id).name == "pi4-release/R1-2.0-test_suites/control.smoke"
    assert (keyvals(job_id)["build"], keyvals(job_id)["board"]) == ("pi4-release/R1-2.0", "pi4")
    with database.connection():
        spec = suite_request.asked(job_id).spec
    assert spec.builds == {"version": "pi4-release/R1-2.0", "fwrw-version": "pi4-firmware/R3-1.0"}
    assert spec.test_source_build == "pi4-release/R1-2.0"


def test_a_target_that_nobody_built_has_no_latest_build(suite):
    with pytest.raises(errors.StageBuildFailure, match="No build of pi5-release"):
        suite(build="pi5-release/LATEST", board="pi4")


def test_every_argument_reaches_the_request_under_its_own_name():
    given = inspect.signature(api.create_suite_job).parameters
    fields = {field.name: field for field in dataclasses.fields(SuiteRequest)}

    assert set(given) == set(fields)
    for name in given.keys() - {"board", "build", "owner", "suite_name"}:
        assert given[name].default == fields[name].default, name


def test_a_control_file_that_is_given_goes_before_the_one_in_the_build(installation, suite):
    assert installation.job(suite(suite_name="mine", control_file="NAME = 'x'\n")).control_file == "NAME = 'x'\n"


def test_a_clone_loses_what_an_earlier_suite_put_before_its_file(installation, suite):
    injected = "# INJECT_BEGIN - DO NOT DELETE THIS LINE\nbuild='old'\nargs_dict={'build': 'old'}\n"
    text = f'{injected}# INJECT_END - DO NOT DELETE LINE\n\nNAME="x"\n'
    job = installation.job(suite(suite_name="mine", control_file=text, is_cloning=True))
    assert job.control_file == 'NAME="x"\n'


@pytest.mark.parametrize("text", ["NAME='x'", "# INJECT_BEGIN - DO NOT DELETE THIS LINE\nx=1\n", "x=1\n"])
def test_what_has_not_both_markers_stays_as_it_is(text):
    assert api_arguments.without_injection(text) == text


@pytest.mark.parametrize(
    ("text", "error"), [(" \n", errors.ControlFileEmpty), ("NAME = '\udc80'", errors.ControlFileMalformed)]
)
def test_a_control_file_that_is_given_and_holds_no_text_is_refused(suite, text, error):
    with pytest.raises(error, match="the control file that was given"):
        suite(control_file=text)


def test_a_suite_that_begins_later_wakes_nobody(installation, suite):
    job_id = suite(delay_minutes=5)
    (entry,) = installation.entries(job_id)
    assert entry.due_at - installation.job(job_id).created_on == datetime.timedelta(minutes=5)
    assert installation.messages("suites") == 0


def test_an_explanation_names_what_each_host_lacks(installation, suite):
    installation.test("modemtest", needs="modem")
    told = api.explain_test_na(suite(), "modemtest")
    assert told["reason"].endswith("no host of board:pi4, pool:suites carries modem")
    assert told["hosts"] == [{"hostname": "rack1-h1", "lacks": ["modem"]}]


@pytest.mark.parametrize(
    ("argument", "value", "text"),
    [
        ("suite_name", " ", "must be given"),
        ("build", "", "must be given"),
        ("suite_name", "a\nb", "printable"),
        ("suite_name", "x" * 300, "at most 255"),
        ("suite_name", "../smoke", "is not the name of a suite"),
        ("timeout", 0, "at least 1"),
        ("timeout_mins", -1, "at least 0"),
        ("max_runtime_mins", True, "not True"),
        ("num", 0, "at least 1"),
        ("priority", "urgent", "neither a number nor one of"),
        ("child_dependencies", ["a,b"], "'a,b' is not a label"),
        ("child_dependencies", "modem", "must be a list of labels, not 'modem'"),
        ("job_keyvals", {"build": "x"}, "build is written by the suite itself"),
        ("suite_args", {"x": object()}, "JSON"),
        ("suite_args", {"a-b": 1}, "'a-b' cannot be the name of an argument"),
        ("test_args", {"a": "b" * 32_000}, "characters as JSON, of 32000 at most"),
        ("test_args", {"a": object()}, "JSON"),
        ("test_args", {"a-b": 1}, "'a-b' cannot be the name of a test argument"),
        ("test_args", {"name": "x"}, "'name' cannot be the name of a test argument"),
        ("max_retries", 3, "has no effect without job_retry"),
        ("file_bugs", 1, "must be bool, not 1"),
        ("delay_minutes", -1, "at least 0"),
        ("builds", {"version": "other/R2"}, f"other/R2 is not build {BUILD}"),
        ("child_dependencies", [7], "7 is not a label"),
        ("board", 7, "must be text, not 7"),
        ("board", "a,b", "must be str, not 'a,b'"),
        ("builds", {"foo": "x"}, "must be dict of builds by version or <what>-version, not 'foo': 'x'"),
        ("builds", {"version": 7}, "must be the names of builds by the prefix of their labels, not {'version': 7}"),
        ("suite_args", [1], "must be a dict by text, not [1]"),
        ("suite_args", {1: 1}, "must be a dict by text, not {1: 1}"),
        ("job_keyvals", {"a b": "c"}, "'a b' is not a key"),
        ("timeout_mins", 2**31, "must be at most 2147483647"),
        ("is_cloning", 1, "must be bool, not 1"),
    ],
)
def test_arguments_that_cannot_be_accepted_are_named_with_the_reason(suite, argument, value, text):
    with pytest.raises(errors.ValidationError) as refused:
        suite(**{argument: value})
    assert set(problems(refused)) == {argument}
    assert text in problems(refused)[argument]


@pytest.mark.parametrize("argument", [field.name for field in dataclasses.fields(SuiteRequest)])
def test_whatever_an_argument_is_the_answer_is_a_suite_or_one_of_our_errors(suite, argument):
    odd = [
        None,
        0,
        -1,
        2**40,
        1.5,
        True,
        "",
        " ",
        "x",
        "x" * 300,
        "a/b",
        "../..",
        "\ud800",
        "\0",
        b"x",
        object(),
        (),
        [1],
    ]
    odd += [[None], ["a" * 300], {}, {1: 1}, {"a": object()}, {"": ""}, {"version": None}, {"a": float("nan")}, {"x"}]
    refused = []
    for value in odd:
        try:
            suite(**{argument: value})
        except errors.RequestError as problem:
            refused.append(str(problem))
    assert refused
    assert all(refused)


def test_every_argument_that_does_not_fit_is_named_at_once(suite):
    with pytest.raises(errors.ValidationError) as refused:
        suite(timeout=0, priority="urgent", max_retries=1)
    assert set(problems(refused)) == {"timeout", "priority", "max_retries"}


def test_a_build_that_is_not_staged_is_named_with_those_that_are(installation, suite):
    installation.build("pi5-release")
    with pytest.raises(errors.StageBuildFailure, match=r"Failed to stage pi5-releas: .* staged builds: pi5-release"):
        suite(build="pi5-releas")


def test_a_build_without_suites_has_no_control_file_list(installation, suite):
    (installation.settings.builds_dir / "bare").mkdir()
    with pytest.raises(errors.NoControlFileList, match=r"Failed to get control file for bare \(error: no "):
        suite(build="bare")


def test_a_suite_that_the_build_lacks_is_named_with_near_ones(suite):
    with pytest.raises(errors.ControlFileNotFound, match=r"No control file for test_suites/control\.smok\).*: smoke"):
        suite(suite_name="smok")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("  \n", errors.ControlFileEmpty, "Fetching test_suites/control.empty of odd returned no data."),
        (b"\xff", errors.ControlFileMalformed, "is not UTF-8 text: byte 0"),
    ],
)
def test_a_suite_file_that_holds_no_text_is_refused(installation, suite, text, error, message):
    installation.build("odd", "empty", text)
    with pytest.raises(error) as refused:
        suite(build="odd", suite_name="empty")
    assert message in str(refused.value)


def test_a_board_that_no_host_carries_is_named_with_the_nearest_label(suite):
    with pytest.raises(errors.NoEligibleHost) as refused:
        suite(board="pi5")
    assert problems(refused) == {"board": 'no host carries "board:pi5"; nearest: board:pi4'}


def test_a_pool_that_no_host_carries_is_named_with_the_nearest_label(suite):
    with pytest.raises(errors.NoEligibleHost) as refused:
        suite(pool="suite")
    assert problems(refused) == {"pool": 'no host carries "pool:suite"; nearest: pool:suites'}


def test_a_board_and_pool_whose_hosts_are_all_locked_are_refused(suite):
    api.lock_host("rack1-h1", "flaky")
    with pytest.raises(errors.NoEligibleHost, match="the only host with board:pi4, pool:suites is locked or broken"):
        suite()


def test_without_check_hosts_any_board_is_accepted(suite):
    assert suite(board="pi5", check_hosts=False) == 1


# Waking


def test_a_broker_that_does_not_answer_costs_a_warning_and_not_the_suite(installation, suite, caplog):
    dead = celery.make_app(Settings(broker="redis://:secret@127.0.0.1:1/0"))
    dead.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
    api.bind(installation.settings, dead)
    with caplog.at_level(logging.WARNING):
        job_id = suite()
    assert [entry.status for entry in installation.entries(job_id)] == ["Queued"]
    assert "redis://:***@127.0.0.1:1/0 does not answer" in caplog.text
    assert "the sweep wakes the workers later" in caplog.text
    assert "secret" not in caplog.text


def test_queue_depths_are_unknown_while_the_broker_does_not_answer(installation, caplog):
    installation.host("rack1-h1")
    api.create_job("nap", "job.run_test('sleeptest')", dependencies=["board:pi4"])
    dead = celery.make_app(Settings(broker="redis://127.0.0.1:1/0"))
    api.bind(installation.settings, dead)
    (queue,) = api.list_queues()
    assert (queue["labels"], queue["entries"], queue["depth"], queue["served"]) == (["board:pi4"], 1, None, True)
    assert "queue depths are not known, for the broker redis://127.0.0.1:1/0" in caplog.text


# The installation


def test_a_database_that_is_not_migrated_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(api_session, "_bound", None)
    monkeypatch.setenv("AUTOTEST_ROOT", str(tmp_path))
    with pytest.raises(errors.ConfigError, match=r"the database lacks 0001_initial.*; run: autotest db migrate"):
        api.list_jobs()


@pytest.mark.parametrize(
    ("address", "error", "text"),
    [
        ("sqlite:////proc/none/autotest.db", errors.DatabaseUnreachable, "sqlite:////proc/none/autotest.db cannot be"),
        ("mysql://root:secret@127.0.0.1:1/afe", errors.DatabaseUnreachable, "mysql://127.0.0.1:1/afe does not answer"),
        ("mysql://root:secret@127.0.0.1:x/afe", errors.ConfigError, "mysql://root:***@127.0.0.1:x/afe cannot be read"),
        ("oracle://root:secret@h/afe", errors.ConfigError, "oracle://root:***@h/afe must begin with"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(tmp_path, monkeypatch, address, error, text):
    monkeypatch.setattr(api_session, "PATIENCE", 0.1)
    with pytest.raises(error) as refused:
        api.bind(Settings(root=tmp_path, database=address))
    assert text in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "autotest.db").write_text("garbage\n" * 1000)
    with pytest.raises(errors.DatabaseUnreachable, match=r"autotest\.db failed: file is not a database"):
        api.bind(Settings(root=tmp_path))


def test_calls_of_many_threads_do_not_disturb_each_other(installation):
    installation.host("rack1-h1")
    made: list[int] = []

    def work():
        made.append(api.create_job("nap", "pass", dependencies=["board:pi4"]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [row["id"] for row in reversed(api.list_jobs())]


# Jobs


def test_a_job_waits_with_one_entry_for_each_host_and_metahost(installation):
    installation.host("rack1-h1")
    job_id = api.create_job("nap", "pass", "server", hosts=["rack1-h1"], meta_hosts=["board:pi4"], keyvals={"a": "b"})
    assert [(entry.host_id is None, entry.meta_host_id is None) for entry in installation.entries(job_id)] == [
        (False, True),
        (True, False),
    ]
    assert (keyvals(job_id), installation.job(job_id).control_type) == ({"a": "b"}, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"control_type": "dut"}, errors.ValidationError, "control_type: 'dut' is neither client nor server"),
        ({"name": ""}, errors.ValidationError, "is not a name of 1 to 255"),
        ({"control_file": " "}, errors.ValidationError, "control_file: the control file is empty"),
        ({"hosts": ["rack9"]}, errors.NotFound, "The following hosts do not exist: rack9"),
        ({"dependencies": ["board:pi5"]}, errors.NoEligibleHost, "No hosts within the inventory satisfy board:pi5"),
        ({"priority": "soon"}, errors.ValidationError, "priority 'soon'"),
        ({"timeout_mins": 0}, errors.ValidationError, "limits are at least one minute"),
    ],
)
def test_a_job_that_cannot_run_is_refused(installation, arguments, error, text):
    installation.host("rack1-h1")
    usual = {"name": "nap", "control_file": "pass", "dependencies": ["board:pi4"]}
    with pytest.raises(error) as refused:
        api.create_job(**{**usual, **arguments})
    assert text in str(refused.value)


def test_an_abort_ends_a_suite_and_its_children_once(installation, suite):
    installation.test("sleeptest")
    job_id = suite()
    with database.connection():
        suites.fan_out(job_id, installation.settings, database.utc_now())
    children = api.list_jobs(parent=job_id)
    planned = [row["id"] for row in api.abortable([job_id])]
    assert sorted(api.abort_jobs([job_id], by="alice", reason="wrong build")) == planned
    assert len(planned) == len(children) + 1 == 2
    (entry,) = installation.entries(children[0]["id"])
    assert (entry.status, entry.reason) == ("Aborted", "wrong build")
    with database.connection():
        assert {row.aborted_by.login for row in AbortedEntry.select()} == {"alice"}
    assert api.abort_jobs([job_id]) == []
    assert api.abortable([job_id]) == []


def test_an_abort_of_unknown_jobs_names_them_and_aborts_nothing(installation, suite):
    job_id = suite()
    for call in (api.abort_jobs, api.abortable):
        with pytest.raises(errors.NotFound, match="there are no jobs 98, 99; see: autotest job list"):
            call([job_id, 98, 99])
    assert not installation.entries(job_id)[0].aborted


# Waiting


def test_who_waits_for_a_suite_sees_its_progress_and_gets_its_verdict(installation, suite):
    job_id = suite()
    seen = []

    def progress(found):
        seen.append(found.status)
        installation.ended(job_id)

    found = api.wait_for_suite(job_id, poll=0.001, progress=progress)
    assert seen == ["Queued", "Completed"]
    assert found.verdict is not None


def test_who_waits_too_long_is_told_how_to_go_on(suite):
    job_id = suite()
    with pytest.raises(
        errors.NotFinished, match=f"job {job_id}, has not ended after 0 s .* autotest suite wait {job_id}"
    ):
        api.wait_for_suite(job_id, timeout=0)


def test_only_a_suite_can_be_waited_for(installation):
    installation.host("rack1-h1")
    job_id = api.create_job("nap", "pass", dependencies=["board:pi4"])
    with pytest.raises(errors.NotFound, match=f"job {job_id} is not a suite; see: autotest job show {job_id}"):
        api.wait_for_suite(job_id)
    with pytest.raises(errors.NotFound, match="there is no job 77"):
        api.wait_for_suite(77)


# Hosts


def test_a_lock_holds_until_it_is_taken_away(installation):
    installation.host("rack1-h1")
    api.lock_host("rack1-h1", "flaky fan", by="alice")
    found = api.show_host("rack1-h1")
    assert (found["locked_by"], found["lock_reason"]) == ("alice", "flaky fan")
    with pytest.raises(errors.HostBusy, match=r"rack1-h1 is locked by alice \(flaky fan\); unlock it first"):
        api.lock_host("rack1-h1", "mine")
    api.unlock_host("rack1-h1")
    assert not api.show_host("rack1-h1")["locked"]
    with pytest.raises(errors.ValidationError, match="rack1-h1 is not locked"):
        api.unlock_host("rack1-h1")


def test_a_lock_needs_a_reason(installation):
    installation.host("rack1-h1")
    with pytest.raises(errors.ValidationError, match="say why rack1-h1 is locked"):
        api.lock_host("rack1-h1", " ")


def test_an_unlocked_host_wakes_the_queue_that_it_can_serve(installation):
    installation.host("rack1-h1")
    api.lock_host("rack1-h1", "flaky")
    job_id = api.create_job("nap", "pass", dependencies=["board:pi4"])
    queue = f"label.{installation.entries(job_id)[0].queue_key}"
    installation.messages(queue)
    api.unlock_host("rack1-h1")
    assert installation.messages(queue) == 1


@pytest.mark.parametrize(("call", "kind"), [(api.verify_host, "Verify"), (api.repair_host, "Repair")])
def test_a_task_that_waits_already_is_not_asked_for_twice(installation, call, kind):
    installation.host("rack1-h1")
    assert call("rack1-h1") == call("rack1-h1")
    with database.connection():
        assert [task.task for task in SpecialTask.select()] == [kind]


@pytest.mark.parametrize("call", [api.unlock_host, api.verify_host, api.repair_host, api.show_host])
def test_a_host_that_does_not_exist_is_named(installation, call):
    with pytest.raises(errors.NotFound, match="no host is called 'rack9'; see: autotest host list"):
        call("rack9")


def test_an_added_host_belongs_to_its_lab_and_can_be_reached(installation):
    installation.lab("desk")
    api.add_host("rack1-h1", ["board:pi4"], {"address": "10.0.1.1", "power_command": "pw -p x"}, "pi4", 1, "desk")
    found = api.show_host("rack1-h1")
    assert (found["lab"], found["labels"], found["protection"]) == ("desk", ["board:pi4", "pi4"], 1)
    assert found["attributes"] == {"address": "10.0.1.1", "power_command": "(set)"}
    assert found["why_not_free"] == ""


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"hostname": "-rf"}, errors.ValidationError, "hostname: '-rf' is not a host name"),
        ({"labels": ["a,b"]}, errors.ValidationError, "labels: 'a,b' is not a label"),
        ({"platform": ""}, errors.ValidationError, "labels: '' is not a label"),
        ({"attributes": {"key": "x" * 2000}}, errors.ValidationError, "'key' must fit 90 and its value 1024"),
        ({"protection": 5}, errors.ValidationError, "protection: must be 0 to 4, not 5"),
        ({"lab": "dask"}, errors.NotFound, "no lab is called 'dask'; labs: desk"),
        ({"hostname": "rack1-h1"}, errors.ValidationError, "rack1-h1 is there already"),
    ],
)
def test_a_host_that_cannot_be_added_is_refused(installation, arguments, error, text):
    installation.host("rack1-h1")
    with pytest.raises(error) as refused:
        api.add_host(**{"hostname": "rack1-h2", **arguments})
    assert text in str(refused.value)
    with database.connection():
        assert Host.select().count() == 1


def test_a_removed_host_may_be_added_again(installation):
    host = installation.host("rack1-h1", invalid=False)
    with database.connection():
        Host.update(invalid=True).where(Host.id == host.id).execute()
    api.add_host("rack1-h1", ["board:pi5"])
    assert api.show_host("rack1-h1")["labels"] == ["board:pi5"]


def test_an_aborted_entry_is_never_left_to_a_machine(installation):
    installation.host("rack1-h1")
    job_id = api.create_job("nap", "pass", hosts=["rack1-h1"])
    api.abort_jobs([job_id])
    with database.connection():
        assert HostQueueEntry.get(HostQueueEntry.job == job_id).complete


# Labs


def test_a_lab_is_drained_by_whoever_calls_unless_somebody_is_named(installation):
    installation.lab("desk")
    installation.lab("rack")
    api.drain_lab("desk", "new switch")
    api.drain_lab("rack", by="bob")
    assert [(lab["name"], lab["drained_by"], lab["drain_reason"]) for lab in api.list_labs()] == [
        ("desk", "ann", "new switch"),
        ("rack", "bob", ""),
    ]


def test_an_undrained_lab_wakes_the_queues_of_its_free_hosts(installation):
    installation.host("rack1-h1")
    api.drain_lab("desk")
    job_id = api.create_job("nap", "pass", dependencies=["board:pi4"])
    (entry,) = installation.entries(job_id)
    queue = wakes.label_queue(entry.queue_key)
    installation.messages(queue)

    api.undrain_lab("desk")

    assert installation.messages(queue) == 1


def test_the_work_of_a_lab_names_its_hosts_and_jobs(installation):
    installation.host("rack1-h1")
    job_id = api.create_job("nap", "pass", hosts=["rack1-h1"])
    installation.lease("rack1-h1", job_id)
    assert api.lab_work("desk") == [{"hostname": "rack1-h1", "step": "run_test", "job_id": job_id, "job": "nap"}]


@pytest.mark.parametrize("call", [api.drain_lab, api.undrain_lab, api.lab_work])
def test_a_lab_that_does_not_exist_is_named(installation, call):
    with pytest.raises(errors.NotFound, match="no lab is called 'dask'; labs: none, since no lab worker ever ran"):
        call("dask")
