"""Users and ACL groups: who may use which hosts (afe-scheduler-and-rpc.md sections 1.3 and 4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from autotest.models.afe import EVERYONE, AclGroup, AclGroupHost, AclGroupUser, User
from autotest.models.prepared import Prepared

#: The access level from which on a user may use every host.
_SUPERUSER = 100
#: Logins name results folders.
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")


def check_login(login: str) -> dict[str, str]:
    """The problem of an owner's *login*, by argument name."""
    if _LOGIN.fullmatch(login):
        return {}
    return {"owner": f"{login!r} is not a login: up to 64 letters, digits and _.@+-"}


def named(login: str) -> User:
    """The user of that login; a new one is made and put into Everyone. Runs inside the caller's transaction."""
    user = User.get_or_none(User.login == login)
    if user is None:
        # Somebody else may make the same one now: the unique index lets one of us go first.
        User.insert(login=login).on_conflict_ignore().execute()
        user = User.get(User.login == login)
        AclGroupUser.insert(aclgroup=everyone(), user=user).on_conflict_ignore().execute()
    return user


def everyone() -> AclGroup:
    """The group that everybody is in."""
    return AclGroup.get(AclGroup.name == EVERYONE)


def may_use(login: str, host_ids: Iterable[int]) -> set[int]:
    """Those of *host_ids* that *login* shares a group with; a superuser may use all."""
    user_id, access_level = _LOGIN_ROW.row(login) or (None, 0)
    return may_use_as(user_id, access_level, host_ids)


def may_use_as(user_id: int | None, access_level: int, host_ids: Iterable[int]) -> set[int]:
    """Like may_use, for callers who know the user's row; None is somebody who has none yet."""
    wanted = list(host_ids)
    if access_level >= _SUPERUSER:
        return set(wanted)
    rows = _FOR_EVERYONE.rows(wanted) if user_id is None else _FOR_USER.rows(wanted, user_id)
    return {host_id for (host_id,) in rows}


def _shared_with(groups: Any, host_ids: Any) -> Any:
    return AclGroupHost.select(AclGroupHost.host).where(
        AclGroupHost.host.in_(host_ids), AclGroupHost.aclgroup.in_(groups)
    )


_LOGIN_ROW = Prepared(lambda login: User.select(User.id, User.access_level).where(User.login == login))
_FOR_USER = Prepared(
    lambda host_ids, user: _shared_with(
        AclGroupUser.select(AclGroupUser.aclgroup).where(AclGroupUser.user == user), host_ids
    )
)
_FOR_EVERYONE = Prepared(
    lambda host_ids: _shared_with(AclGroup.select(AclGroup.id).where(AclGroup.name == EVERYONE), host_ids)
)
