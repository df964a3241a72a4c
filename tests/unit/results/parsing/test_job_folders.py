"""Job folders: which folders of an old results tree are jobs, and what they are called."""

from __future__ import annotations

import pytest

from autotest.results.parsing import job_folders

LOG = {"status.log": "", "keyval": "status_version=1\n"}


def below(place, content=LOG):
    return {f"{place}/{name}": text for name, text in content.items()}


def found(root):
    return [(one.path.relative_to(root).as_posix(), one.tag, one.problem) for one in job_folders.of_tree(root)]


def test_jobs_are_found_at_any_depth_and_tagged_from_their_number_on(files):
    root = files(
        {
            **below("old/7-ann/h1"),
            **below("old/7-ann/h1/t1"),
            **below("old/12-bob/hostless"),
            **below("results.2010"),
            "README": "",
        }
    )
    assert found(root) == [
        ("old/12-bob/hostless", "12-bob/hostless", ""),
        ("old/7-ann/h1", "7-ann/h1", ""),
        ("results.2010", f"{root.name}/results.2010", ""),
    ]


def test_the_tree_may_itself_be_a_job(files):
    root = files(below("7-ann/h1"))
    assert [one.tag for one in job_folders.of_tree(root / "7-ann" / "h1")] == ["7-ann/h1"]


def test_a_group_is_its_own_folder_and_one_for_each_machine_that_is_there(files):
    group = {**LOG, ".machines": "h1\nh2\nh3\n../7-ann\n/etc\n\n"}
    root = files({**below("7-ann/group0", group), **below("7-ann/group0/h1"), **below("7-ann/group0/h2")})
    tags = [tag for _, tag, _ in found(root)]
    assert tags == ["7-ann/group0", "7-ann/group0/h1", "7-ann/group0/h2"]


def test_a_group_without_a_log_is_known_by_its_host_keyvals(files):
    top = {".autoserv_execute": "1\n0\n0\n", "keyval": "", "host_keyvals/h1": "", "host_keyvals/h2": ""}
    root = files({**below("7-ann", top), **below("7-ann/h1"), **below("7-ann/t1")})
    assert [tag for _, tag, _ in found(root)] == ["7-ann/h1"]


def test_a_run_without_a_log_is_told(files):
    root = files({"7-ann/h1/.autoserv_execute": "1\n", **below("7-ann/h1/t1")})
    (one,) = job_folders.of_tree(root)
    assert (one.tag, one.has_log) == ("7-ann/h1", False)
    assert "neither status.log nor status" in one.problem


@pytest.mark.parametrize("place", ["hosts/h1/12-verify", "hosts/h1/2013-01-01/12-repair", ".runs/3"])
def test_special_tasks_and_attempts_are_passed_over(files, place):
    assert found(files({**below(place), "keep": ""})) == []


def test_links_are_not_followed(files, tmp_path):
    root = files({**below("7-ann/h1"), "7-ann/h1/.machines": "away\n"})
    outside = tmp_path / "outside"
    (outside / "9-bob" / "h1").mkdir(parents=True)
    (outside / "9-bob" / "h1" / "status.log").write_text("")
    (root / "away").symlink_to(outside)
    (root / "7-ann" / "h1" / "away").symlink_to(outside / "9-bob" / "h1")
    assert [tag for _, tag, _ in found(root)] == ["7-ann/h1"]


def test_a_tree_without_end_has_one(files):
    root = files(below("/".join("d" * 40)))
    (one,) = job_folders.of_tree(root)
    assert "more than 16 levels deep" in one.problem
