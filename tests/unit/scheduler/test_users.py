"""Users appear when first named, and share hosts by ACL group."""

from __future__ import annotations

import pytest

from autotest.models.afe import User
from autotest.scheduler import users


def test_a_new_user_is_in_everyone(lab):
    host = lab.host("h1")
    users.named("dave")

    assert users.may_use("dave", [host.id]) == {host.id}
    assert users.named("dave") == users.named("dave")


def test_a_login_that_nobody_made_counts_as_everyone(lab):
    mine, theirs = lab.host("h1"), lab.host("h2", groups=["phones"])

    assert users.may_use("stranger", [mine.id, theirs.id]) == {mine.id}
    assert User.get_or_none(User.login == "stranger") is None


def test_members_of_a_group_may_use_its_hosts(lab):
    theirs = lab.host("h2", groups=["phones"])
    lab.acl_group("phones", members=["bob"])

    assert users.may_use("bob", [theirs.id]) == {theirs.id}
    assert users.may_use("alice", [theirs.id]) == set()
    assert users.may_use("autotest_system", [theirs.id]) == {theirs.id}


@pytest.mark.parametrize("login", ["alice", "autotest_system", "a.b+c@example.org", "_1"])
def test_a_login_that_can_name_a_folder_is_fine(login):
    assert users.check_login(login) == {}


@pytest.mark.parametrize("login", ["", ".", "..", "a/b", "-rf", "a b", "a\n", "é", "x" * 65])
def test_any_other_login_is_refused(login):
    assert set(users.check_login(login)) == {"owner"}
